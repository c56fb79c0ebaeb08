//! Checks of the container runtime and its images.

use super::{
    Finding, Mend, Surroundings,
    packages::Package,
    surroundings::{Container, Family, Fuse, Image},
};
use crate::case::{Containers, Mode, Within};

/// Modes with a container.
fn contained() -> Vec<Mode> {
    Mode::that(|row| row.within.containers().is_some())
}

/// Modes in which each rank has a container of its own.
fn container_a_rank() -> Vec<Mode> {
    Mode::that(|row| row.within.containers() == Some(Containers::OneARank))
}

/// Without Apptainer there are no containers; an old one has no `--sharens`, and builds without arguments.
pub(super) fn runtime(s: &Surroundings) -> Finding {
    let Some(container) = &s.runtime else {
        let loaded = s.modules.then(|| Mend::command("module avail apptainer singularity"));
        let mend = loaded.into_iter().chain([s.system.install_apptainer()]);
        return Finding::lacking("no Apptainer and no Singularity", &contained(), "no mode with a container", mend);
    };
    let found = format!("{} ({})", container.said, container.program.display());
    if container.version().is_none() {
        let costs = "its version cannot be read, so nobody knows what it can do";
        return Finding::note(found, costs, [Mend::command(format!("{} --version", container.program.display()))]);
    }
    let newer = [s.system.install_apptainer()];
    match (container.takes_arguments(), container.can_share()) {
        (true, true) => Finding::ok(found),
        (true, false) => {
            Finding::lacking(found, &[Mode::HybridSharens], "no --sharens: that came with Apptainer 1.3", newer)
        }
        (false, _) => Finding::lacking(
            found,
            &[Mode::HybridSharens],
            "no --sharens, and no --build-arg: images must be built elsewhere and copied into the cache",
            newer,
        ),
    }
}

/// A starter that is not setuid needs user namespaces, and gives every container one of its own.
pub(super) fn namespaces(s: &Surroundings) -> Finding {
    let Some(container) = &s.runtime else { return Finding::ok("no runtime that would need them") };
    if container.setuid {
        return Finding::ok("not needed: the starter is setuid, and ranks stay in the host's user namespace");
    }
    let spaces = &s.namespaces;
    let refused = |found: &str, mend: Vec<Mend>| {
        Finding::lacking(found, &contained(), "no container starts without a user namespace", mend)
    };
    if spaces.most == Some(0) {
        let mend = vec![Mend::as_root("sysctl user.max_user_namespaces=15000")];
        return refused("the kernel allows none (user.max_user_namespaces = 0)", mend);
    }
    if spaces.unprivileged == Some(false) {
        let mend = vec![Mend::as_root("sysctl kernel.unprivileged_userns_clone=1")];
        return refused("only root may make them (kernel.unprivileged_userns_clone = 0)", mend);
    }
    if container.directive("allow user ns") == Some("no") {
        return refused(
            "Apptainer's configuration forbids them (allow user ns = no)",
            edit(container, "allow user ns"),
        );
    }
    if spaces.apparmor_restricts == Some(true) && !spaces.apparmor_profile {
        let mend =
            vec![s.system.install_apptainer(), Mend::as_root("sysctl kernel.apparmor_restrict_unprivileged_userns=0")];
        return refused("AppArmor restricts them, and there is no profile that excepts the runtime", mend);
    }
    let costs = "each rank of hybrid and bind gets one of its own: no copying from process to process, and Open MPI \
                 4.1 hangs there from 4 MiB; that is a result, not a fault";
    let setuid = s.system.has_setuid_package().then(|| s.system.install(Package::ApptainerSuid));
    Finding::note("allowed, and used: the starter is not setuid", costs, setuid)
}

/// What a site's configuration can forbid.
pub(super) fn settings(s: &Surroundings) -> Finding {
    let Some(container) = &s.runtime else { return Finding::ok("no runtime that would have any") };
    let contained = contained();
    let rules: [(&str, &str, &[Mode], &str); 5] = [
        ("mount tmp", "no", &contained, "the launcher's session directory in /tmp is not seen inside"),
        ("mount dev", "no", &contained, "there is no /dev/shm inside"),
        ("mount dev", "minimal", &container_a_rank(), "each container has a /dev/shm of its own: ranks talk over TCP"),
        ("user bind control", "no", &[Mode::Bind], "users may not bind-mount the host's MPI"),
        ("allow container sif", "no", &contained, "SIF images may not be run"),
    ];
    for (name, value, modes, costs) in rules {
        if container.directive(name) == Some(value) {
            return Finding::lacking(format!("{name} = {value}"), modes, costs, edit(container, name));
        }
    }
    Finding::ok("nothing that launches need is forbidden")
}

fn edit(container: &Container, directive: &str) -> Vec<Mend> {
    let file = container.configuration.display();
    vec![Mend::as_root(format!("sed -i 's/^{directive} = .*/{directive} = yes/' {file}"))]
}

/// Images are mounted by squashfuse through /dev/fuse, else by the kernel for a setuid starter, else unpacked each time.
pub(super) fn mounting(s: &Surroundings) -> Finding {
    let Some(container) = &s.runtime else { return Finding::ok("no runtime that would mount images") };
    let helper = |name: &str| s.has(name) || container.brings.contains(name);
    let kernel = container.setuid
        && s.filesystems.contains("squashfs")
        && match container.version() {
            // From 1.3 a setuid Apptainer mounts by the kernel only where its administrator says so.
            Some((Family::Apptainer, version)) => {
                version < [1, 3] || container.directive("allow setuid-mount squashfs") == Some("yes")
            }
            Some((Family::SingularityCe | Family::Singularity, _)) => true,
            None => false,
        };
    if kernel {
        return Finding::ok("by the kernel");
    }
    let Some(squashfuse) = ["squashfuse_ll", "squashfuse"].into_iter().find(|name| helper(name)) else {
        let costs = "every container unpacks its image first: seconds a launch, and the room for it in /tmp";
        let mend = [s.system.install(Package::Squashfuse)];
        return match helper("unsquashfs") {
            true => Finding::note("no squashfuse", costs, mend),
            false => Finding::lacking("no squashfuse and no unsquashfs", &contained(), "no image can be entered", mend),
        };
    };
    match s.fuse {
        // The kernel's overlay takes no FUSE file system below itself; Apptainer then makes mount points by underlay.
        Fuse::Open if helper("fuse-overlayfs") => Finding::ok(format!("by {squashfuse} and fuse-overlayfs")),
        Fuse::Open => Finding::ok(format!("by {squashfuse}; without fuse-overlayfs, bind mounts by underlay")),
        Fuse::Closed { mode } => Finding::lacking(
            format!("by {squashfuse}, but /dev/fuse is closed to this user (mode {mode:o})"),
            &contained(),
            "no image can be mounted (`failed to open /dev/fuse: Permission denied`)",
            [Mend::as_root("chmod 666 /dev/fuse")],
        ),
        Fuse::Absent => Finding::lacking(
            format!("by {squashfuse}, but there is no /dev/fuse"),
            &contained(),
            "no image can be mounted",
            [Mend::as_root("modprobe fuse")],
        ),
    }
}

/// Images and bench-app in the cache.
pub(super) fn images(s: &Surroundings) -> Finding {
    let (current, old): (Vec<&Image>, Vec<&Image>) = s.images.iter().partition(|image| image.current);
    let entered = current.iter().map(|image| image.name.as_str()).filter(|name| !name.starts_with("userland"));
    let (found, old) = (entered.collect::<Vec<_>>().join(", "), old.len());
    let found = match (found.is_empty(), old) {
        (true, 0) => "none yet".to_owned(),
        (true, old) => format!("none that this version uses ({old} old)"),
        (false, 0) => found,
        (false, old) => format!("{found} ({old} old)"),
    };
    let modes = Mode::that(|row| match row.within {
        Within::Nothing => !s.app,
        Within::MpiImage(_) => !s.has_mpi_image(),
        Within::BaseImage(_) => !s.has_image("base"),
    });
    if modes.is_empty() {
        let costs = "what this version would not use takes room";
        return match old {
            0 => Finding::ok(found),
            _ => Finding::note(found, costs, [Mend::command("sifbench image prune")]),
        };
    }
    let cached = s
        .mpis
        .iter()
        .filter(|mpi| mpi.prefix.starts_with(&s.cache))
        .map(|mpi| format!(" {}", mpi.version))
        .collect::<String>();
    let versions = match (s.has_mpi_image(), cached.is_empty()) {
        (true, _) => "",
        (false, true) => " 4.1.8",
        (false, false) => &cached,
    };
    let costs = "images hold bench-app, which native takes too";
    Finding::lacking(found, &modes, costs, [Mend::command(format!("sifbench image build{versions}"))])
}
