//! Every check, by what one change to a sound machine makes of it.

use std::collections::BTreeMap;

use super::{
    surroundings::{Fuse, HostMpi, Space},
    *,
};
use crate::report::table::{Style, WIDTH};

/// A machine on which everything works, as `sifbench doctor --json` captured it there.
fn sound() -> Surroundings {
    serde_json::from_str(include_str!("../../tests/fixtures/doctor/laptop.json")).unwrap()
}

fn changed(change: &dyn Fn(&mut Surroundings)) -> Diagnosis {
    let mut surroundings = sound();
    change(&mut surroundings);
    Diagnosis::of(surroundings)
}

/// After `change`, `name` is in `state`; what it says contains each of `words`, and it stands against exactly `modes`.
fn check(change: &dyn Fn(&mut Surroundings), name: &str, state: &str, words: &[&str], modes: &[Mode]) {
    let diagnosis = changed(change);
    let examined = diagnosis.checks.iter().find(|examined| examined.check == name).unwrap();
    let said = serde_json::to_string(examined).unwrap();
    assert_eq!(examined.finding.state.name(), state, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
    let against = diagnosis.modes.iter().filter(|verdict| verdict.for_want_of.contains(&name));
    assert_eq!(against.map(|verdict| verdict.mode).collect::<Vec<_>>(), modes, "{name}");
}

fn runtime(s: &mut Surroundings) -> &mut surroundings::Container {
    s.runtime.as_mut().unwrap()
}

/// A program is not there.
fn without(program: &'static str) -> impl Fn(&mut Surroundings) {
    move |s| s.programs.retain(|name| name != program)
}

const ALL: [Mode; Mode::ALL.len()] = Mode::ALL;
const BY_HOST: [Mode; 5] = [Mode::Native, Mode::Hybrid, Mode::HybridInstance, Mode::HybridSharens, Mode::Bind];
const CONTAINED: [Mode; 5] = [Mode::Embedded, Mode::Hybrid, Mode::HybridInstance, Mode::HybridSharens, Mode::Bind];

#[test]
fn on_a_sound_machine_nothing_is_lacking() {
    let diagnosis = Diagnosis::of(sound());
    assert_eq!(diagnosis.counts().0, 0, "{}", table::render(&diagnosis, Style::Plain));
    assert!(diagnosis.modes.iter().all(|verdict| verdict.for_want_of.is_empty()));
    assert_eq!(table::conclusion(&diagnosis), "every mode can be measured here: 1 to note");
}

#[test]
fn the_machine() {
    let root = |ordinary: Option<&'static str>| {
        move |s: &mut Surroundings| {
            (s.user.name, s.user.uid, s.user.ordinary) = ("root".into(), 0, ordinary.map(str::to_owned));
        }
    };
    check(&root(Some("ada")), "user", "lacking", &["mpirun refuses root", "su - ada", "scripts/quickstart"], &ALL);
    check(&root(None), "user", "lacking", &["useradd"], &ALL);

    check(&|s| s.cpus.cores = 1, "cores", "lacking", &["take turns"], &ALL);
    check(&|s| s.cpus.quota = Some(1.5), "cores", "lacking", &["a quota of 1.5 CPUs"], &ALL);
    check(&|s| (s.cpus.cores, s.cpus.usable, s.cpus.quota) = (8, 8, Some(4.0)), "cores", "note", &["quota"], &[]);
    check(&|s| s.cpus.online = 8, "cores", "note", &["2 of 8 CPUs", "taskset --all-tasks", "0-7 $$"], &[]);
    check(&|s| (s.cpus.usable, s.cpus.online) = (4, 4), "cores", "ok", &["4 CPUs with SMT"], &[]);

    check(&|s| s.load = Some(1.2), "noise", "note", &["load 1.20"], &[]);
    check(&|s| s.governor = Some("powersave".into()), "noise", "note", &["cpupower"], &[]);
    check(&|s| s.governor = Some("performance".into()), "noise", "ok", &["governor performance"], &[]);

    let shm = |total: u64, free: u64| move |s: &mut Surroundings| s.shm = Some(Space { total, free });
    check(&|s| s.shm = None, "/dev/shm", "lacking", &["TCP", "mount -t tmpfs"], &ALL);
    check(&shm(8 << 20, 8 << 20), "/dev/shm", "lacking", &["remount,size=64m"], &ALL);
    check(&shm(1 << 30, 1 << 20), "/dev/shm", "lacking", &["ls -l /dev/shm"], &ALL);
    check(&shm(64 << 20, 64 << 20), "/dev/shm", "ok", &["64 MiB"], &[]);
    let many = |s: &mut Surroundings| (s.cpus.cores, s.shm) = (16, Some(Space { total: 64 << 20, free: 64 << 20 }));
    check(&many, "/dev/shm", "note", &["enough for 4 ranks", "remount,size=256m"], &[]);

    check(&|s| s.ptrace_scope = Some(0), "ptrace", "ok", &["scope 0"], &[]);
    check(&|s| s.ptrace_scope = Some(1), "ptrace", "ok", &["scope 1"], &[]);
    check(&|s| s.ptrace_scope = Some(2), "ptrace", "note", &["sysctl kernel.yama.ptrace_scope=1"], &[]);
    check(&|s| s.ptrace_scope = Some(3), "ptrace", "note", &["next boot"], &[]);

    let full = Some(Space { total: 1 << 30, free: 1 << 20 });
    check(&|s| s.tmp = full, "disk", "lacking", &["1.0 MiB free in /tmp"], &ALL);
    check(&|s| s.cache_space = full, "disk", "ok", &[], &[]);
    check(&|s| (s.app, s.cache_space) = (false, full), "disk", "note", &["XDG_CACHE_HOME"], &[]);
}

#[test]
fn mpi_on_the_host() {
    check(&|s| s.mpis.clear(), "Open MPI", "lacking", &["sifbench mpi install"], &BY_HOST);
    let on_path = |s: &mut Surroundings| s.mpis.iter_mut().for_each(|mpi| mpi.ready = false);
    check(&on_path, "Open MPI", "lacking", &["4.1.8, 5.0.11 on PATH"], &BY_HOST);
    let other = |s: &mut Surroundings| {
        s.mpis = vec![HostMpi { version: "5.0.8".parse().unwrap(), prefix: "/x".into(), ready: true }];
    };
    check(&other, "Open MPI", "note", &["mixed pairs", "sifbench image build 5.0.8"], &[]);

    check(&without("ssh"), "ssh", "lacking", &["apt-get install openssh-client"], &BY_HOST);
    let fedora = |s: &mut Surroundings| (s.system.ids, _) = (vec!["fedora".into()], s.programs.remove("ssh"));
    check(&fedora, "ssh", "lacking", &["dnf install openssh-clients"], &BY_HOST);
    let only_new = |s: &mut Surroundings| (_, _) = (s.programs.remove("ssh"), s.mpis.remove(0));
    check(&only_new, "ssh", "note", &["mpirun 4.1"], &[]);
    let rsh = |s: &mut Surroundings| (_, _) = (s.programs.remove("ssh"), s.programs.insert("rsh".into()));
    check(&rsh, "ssh", "ok", &["rsh"], &[]);
}

#[test]
fn the_container_runtime() {
    let says = |said: &'static str| move |s: &mut Surroundings| runtime(s).said = said.into();
    check(&|s| s.runtime = None, "runtime", "lacking", &["scripts/setup/apptainer"], &CONTAINED);
    check(&|s| (s.runtime, s.modules) = (None, true), "runtime", "lacking", &["module avail"], &CONTAINED);
    check(&says("apptainer version 1.2.5"), "runtime", "lacking", &["no --sharens"], &[Mode::HybridSharens]);
    check(&says("apptainer version 1.1.9"), "runtime", "lacking", &["--build-arg"], &[Mode::HybridSharens]);
    check(&says("singularity-ce version 4.1.2"), "runtime", "lacking", &["no --sharens"], &[Mode::HybridSharens]);
    check(&says("singularity version 3.8.7"), "runtime", "lacking", &["--build-arg"], &[Mode::HybridSharens]);
    check(&says("what"), "runtime", "note", &["--version"], &[]);

    let setuid = |s: &mut Surroundings| runtime(s).setuid = true;
    check(&setuid, "namespaces", "ok", &["setuid"], &[]);
    check(&|s| s.namespaces.most = Some(0), "namespaces", "lacking", &["max_user_namespaces=15000"], &CONTAINED);
    let debian10 = |s: &mut Surroundings| s.namespaces.unprivileged = Some(false);
    check(&debian10, "namespaces", "lacking", &["unprivileged_userns_clone=1"], &CONTAINED);
    let ubuntu = |s: &mut Surroundings| {
        s.system.ids = vec!["ubuntu".into(), "debian".into()];
        s.namespaces.apparmor_restricts = Some(true);
    };
    check(&ubuntu, "namespaces", "lacking", &["apparmor_restrict_unprivileged_userns=0", "ppa:"], &CONTAINED);
    let profile = |s: &mut Surroundings| {
        ubuntu(s);
        s.namespaces.apparmor_profile = true;
    };
    check(&profile, "namespaces", "note", &["apt-get install apptainer-suid"], &[]);
    check(&|s| (s.namespaces.most, runtime(s).setuid) = (Some(0), true), "namespaces", "ok", &[], &[]);

    let directive = |name: &'static str, value: &'static str| {
        move |s: &mut Surroundings| drop(runtime(s).directives.insert(name.into(), value.into()))
    };
    check(&directive("allow user ns", "no"), "namespaces", "lacking", &["sed -i", "apptainer.conf"], &CONTAINED);
    check(&directive("mount tmp", "no"), "settings", "lacking", &["session directory"], &CONTAINED);
    check(&directive("mount dev", "minimal"), "settings", "lacking", &["TCP"], &[Mode::Hybrid, Mode::Bind]);
    check(&directive("mount dev", "no"), "settings", "lacking", &["/dev/shm"], &CONTAINED);
    check(&directive("user bind control", "no"), "settings", "lacking", &["bind-mount"], &[Mode::Bind]);
    check(&|s| runtime(s).directives = BTreeMap::new(), "settings", "ok", &[], &[]);
}

#[test]
fn how_images_are_mounted() {
    check(&|_| {}, "mounting", "ok", &["squashfuse_ll and fuse-overlayfs"], &[]);
    check(&without("fuse-overlayfs"), "mounting", "ok", &["underlay"], &[]);
    let closed = |s: &mut Surroundings| s.fuse = Fuse::Closed { mode: 0o600 };
    check(&closed, "mounting", "lacking", &["mode 600", "chmod 666 /dev/fuse"], &CONTAINED);
    check(&|s| s.fuse = Fuse::Absent, "mounting", "lacking", &["modprobe fuse"], &CONTAINED);
    let unpack = |s: &mut Surroundings| s.programs.retain(|name| !name.starts_with("squashfuse"));
    check(&unpack, "mounting", "note", &["unpacks", "apt-get install squashfuse"], &[]);
    let neither = |s: &mut Surroundings| s.programs.retain(|name| !name.contains("squash"));
    check(&neither, "mounting", "lacking", &["no unsquashfs"], &CONTAINED);
    let brought = |s: &mut Surroundings| {
        neither(s);
        runtime(s).brings.insert("squashfuse_ll".into());
    };
    check(&brought, "mounting", "ok", &["squashfuse_ll"], &[]);
    // From 1.3 a setuid Apptainer goes through FUSE too, unless it is told otherwise.
    let setuid = |s: &mut Surroundings| {
        closed(s);
        runtime(s).setuid = true;
    };
    check(&setuid, "mounting", "lacking", &["/dev/fuse"], &CONTAINED);
    let old = |s: &mut Surroundings| {
        setuid(s);
        runtime(s).said = "singularity version 3.8.7".into();
    };
    check(&old, "mounting", "ok", &["by the kernel"], &[]);
    let told = |s: &mut Surroundings| {
        setuid(s);
        runtime(s).directives.insert("allow setuid-mount squashfs".into(), "yes".into());
    };
    check(&told, "mounting", "ok", &["by the kernel"], &[]);
}

#[test]
fn images_in_the_cache() {
    let less = |what: &'static str| move |s: &mut Surroundings| s.images.retain(|i| !i.name.starts_with(what));
    check(&less("base"), "images", "lacking", &["sifbench image build\""], &[Mode::Bind]);
    let with_mpi = &CONTAINED[..4];
    check(&less("openmpi"), "images", "lacking", &["sifbench image build 4.1.8 5.0.11"], with_mpi);
    check(&|s| s.app = false, "images", "lacking", &["sifbench image build"], &[Mode::Native]);
    let more =
        |s: &mut Surroundings| s.images.push(surroundings::Image { name: "openmpi 4.1.8".into(), current: false });
    check(&more, "images", "note", &["(1 old)", "takes room", "sifbench image prune"], &[]);
    let old = |s: &mut Surroundings| s.images.iter_mut().for_each(|image| image.current = false);
    check(&old, "images", "lacking", &["4 old"], &CONTAINED);
    check(&|s| s.images.clear(), "images", "lacking", &["none yet"], &CONTAINED);
}

/// What builds and installs is lacking only while something is to be built or installed.
#[test]
fn building() {
    type Change = dyn Fn(&mut Surroundings);
    let cases: [(&str, &Change, &str); 7] = [
        ("pip", &|s| s.pip = false, "apt-get install python3-pip"),
        ("pip", &without("python3"), "no python3"),
        ("compiler", &|s| s.cargo = None, "Rust 1.89 or later"),
        ("compiler", &|s| s.cargo = Some("cargo 1.75.0".into()), "Rust 1.89 or later"),
        ("compiler", &without("gcc"), "apt-get install gcc"),
        ("ids", &|s| s.subordinate.uids = 0, "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ada"),
        ("squashfs", &without("mksquashfs"), "apt-get install squashfs-tools"),
    ];
    for (name, change, words) in cases {
        let stocked = |s: &mut Surroundings| change(s);
        check(&stocked, name, "note", &[words], &[]);
        let bare = |s: &mut Surroundings| {
            change(s);
            s.images.clear();
            s.app = false;
        };
        check(&bare, name, "lacking", &[words], &[]);
    }
    let rustup = |s: &mut Surroundings| (s.cargo, _) = (None, s.programs.insert("rustup".into()));
    check(&rustup, "compiler", "note", &["rustup toolchain install"], &[]);
    check(&without("newuidmap"), "ids", "note", &["apt-get install uidmap"], &[]);
    check(&|s| s.debian_mirror = false, "userland", "ok", &["registry"], &[]);
}

#[test]
fn the_cluster() {
    let login = |s: &mut Surroundings| {
        s.schedulers = vec!["Slurm".into()];
        s.login_node = Some("Slurm".into());
    };
    check(&login, "scheduler", "note", &["login node", "salloc"], &[]);
    check(&|s| s.schedulers = vec!["OAR".into()], "scheduler", "ok", &["OAR, inside an allocation"], &[]);
    let fabric = |s: &mut Surroundings| s.fabric = vec!["mlx5_0 (mlx5_core)".into()];
    check(&fabric, "network", "note", &["mlx5_0", "falls back to TCP", "memlock unlimited"], &[]);
    let unlimited = |s: &mut Surroundings| {
        fabric(s);
        s.memlock = None;
    };
    check(&unlimited, "network", "ok", &["no limit"], &[]);
}

/// Nothing is there at all.
fn bare(s: &mut Surroundings) {
    (s.user.name, s.user.uid) = ("root".into(), 0);
    s.runtime = None;
    s.programs.clear();
    s.mpis.clear();
    s.images.clear();
    (s.cargo, s.pip, s.app, s.load) = (None, false, false, Some(3.5));
    s.fuse = Fuse::Closed { mode: 0o600 };
}

/// Of every version of the tool alike.
fn assert_table(name: &str, mut diagnosis: Diagnosis) {
    diagnosis.tool = "0.0.0";
    insta::with_settings!({ snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, table::render(&diagnosis, Style::Plain));
    });
}

#[test]
fn the_table_of_a_sound_machine() {
    assert_table("doctor__a_sound_machine", Diagnosis::of(sound()));
}

#[test]
fn the_table_of_a_bare_machine() {
    assert_table("doctor__a_bare_machine", changed(&bare));
}

#[test]
fn tables_are_80_columns_wide_and_colours_only_repeat_words() {
    for change in [&(|_: &mut Surroundings| {}) as &dyn Fn(&mut Surroundings), &bare] {
        let diagnosis = changed(change);
        let plain = table::render(&diagnosis, Style::Plain);
        for line in plain.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        let coloured = table::render(&diagnosis, Style::Coloured);
        assert!(coloured.contains("\x1b["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}

/// A long command stands on a line of its own, unbroken, ready to be pasted.
#[test]
fn commands_are_never_broken() {
    let diagnosis = changed(&|s| s.subordinate.uids = 0);
    let table = table::render(&diagnosis, Style::Plain);
    let command = "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ada";
    assert!(table.lines().any(|line| line.trim() == command), "{table}");
}
