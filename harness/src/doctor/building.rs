//! Checks of what installs Open MPIs and builds bench-app and images. What lies in the cache already needs none of it.

use super::{Finding, Mend, Surroundings, packages::Package};

/// The oldest Rust that compiles bench-app.
const RUST: [u32; 2] = [1, 89];

/// Open MPI and the build tools are wheels.
pub(super) fn pip(s: &Surroundings) -> Finding {
    if s.has("python3") && s.pip {
        return Finding::ok("python3 and pip");
    }
    let found = if s.has("python3") { "python3 without pip" } else { "no python3" };
    let costs = "`sifbench mpi install` and `sifbench image build` fetch Open MPI with pip";
    Finding::wanted(!s.is_stocked(), found, costs, [s.system.install(Package::Pip)])
}

/// bench-app is compiled on the host, once for all images.
pub(super) fn compiler(s: &Surroundings) -> Finding {
    let costs = "`sifbench image build` compiles bench-app with cargo and gcc";
    let rust = s.cargo.as_deref().and_then(version);
    let found = match (&s.cargo, s.has("gcc")) {
        (Some(cargo), true) => format!("{cargo}, gcc"),
        (Some(cargo), false) => format!("{cargo}, no gcc"),
        (None, true) => "gcc, no cargo".to_owned(),
        (None, false) => "no cargo and no gcc".to_owned(),
    };
    let new_enough = rust.is_some_and(|rust| rust >= RUST);
    if new_enough && s.has("gcc") {
        return Finding::ok(found);
    }
    let [major, minor] = RUST;
    let toolchain = match s.has("rustup") {
        true => Mend::command("rustup toolchain install stable"),
        false => {
            Mend::advice(format!("install Rust {major}.{minor} or later, with rustup or the distribution's package"))
        }
    };
    let mend = [(!new_enough).then_some(toolchain), (!s.has("gcc")).then(|| s.system.install(Package::Gcc))];
    Finding::wanted(!s.app, &found, costs, mend.into_iter().flatten())
}

/// The numbers of `cargo 1.95.0 (..)`.
fn version(said: &str) -> Option<[u32; 2]> {
    let mut numbers = said.split_whitespace().nth(1)?.split('.').map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}

/// An unprivileged build installs packages as a root of its own.
pub(super) fn subordinate_ids(s: &Surroundings) -> Finding {
    let (uids, gids) = (s.subordinate.uids, s.subordinate.gids);
    let maps = s.has("newuidmap") && s.has("newgidmap");
    if s.user.is_root() {
        return Finding::ok("not needed by root");
    }
    let found = match (uids.min(gids), maps) {
        (0, _) => "no range in /etc/subuid and /etc/subgid".to_owned(),
        (ids, false) => format!("{ids} of them, but no newuidmap"),
        (ids, true) => format!("{ids} subordinate uids and gids"),
    };
    if uids.min(gids) >= 65_536 && maps {
        return Finding::ok(found);
    }
    let name = &s.user.name;
    let range = (uids.min(gids) < 65_536).then(|| {
        let (first, last) = (s.subordinate.next, s.subordinate.next + 65_535);
        Mend::as_root(format!("usermod --add-subuids {first}-{last} --add-subgids {first}-{last} {name}"))
    });
    let package = (!maps).then(|| s.system.install(Package::Uidmap));
    let costs = "the first image build bootstraps a Debian, which needs a range of ids";
    let needed = !s.images.iter().any(|image| image.current && image.name.starts_with("userland"));
    Finding::wanted(needed, &found, costs, range.into_iter().chain(package))
}

/// Images are squashed.
pub(super) fn squashfs(s: &Surroundings) -> Finding {
    if s.has("mksquashfs") {
        return Finding::ok("mksquashfs");
    }
    let costs = "`sifbench image build` squashes images with it";
    Finding::wanted(!s.is_stocked(), "no mksquashfs", costs, [s.system.install(Package::SquashfsTools)])
}

/// Where the Debian inside comes from.
pub(super) fn userland(s: &Surroundings) -> Finding {
    Finding::ok(match s.debian_mirror {
        true => "debootstrap, from the mirror that this machine's apt uses",
        false => "a container registry (debian:trixie-slim), or `image build --source`",
    })
}
