//! Checks of the machine and its user.

use super::{
    Finding, Mend, Surroundings,
    surroundings::{Cgroups, Cpus, Size},
};
use crate::case::Mode;

/// What an MPI rank takes in `/dev/shm`: 4 MiB before Open MPI 5, 16 MiB from there.
const SHM_A_RANK: u64 = 16 << 20;
/// Free space in `/tmp` below which not even session directories and logs are safe.
const TMP_LEAST: u64 = 64 << 20;
/// What a first build takes below the cache.
const CACHE_FOR_BUILDS: u64 = 2 << 30;

/// Nobody measures as root: mpirun refuses it, and a root without all capabilities cannot start containers either.
pub(super) fn user(s: &Surroundings) -> Finding {
    let found = format!("{} (uid {})", s.user.name, s.user.uid);
    if !s.user.is_root() {
        return Finding::ok(found);
    }
    let become_user = s.user.ordinary.as_ref().map_or_else(
        || Mend::command("useradd --create-home sifbench && su - sifbench"),
        |ordinary| Mend::command(format!("su - {ordinary}")),
    );
    Finding::lacking(
        found,
        &Mode::ALL,
        "mpirun refuses root, and Apptainer wants capabilities that root in a VM or container often lacks",
        [become_user, Mend::advice("or start scripts/quickstart: it carries on as an ordinary user")],
    )
}

/// A rank a core, or what is measured is the scheduler.
pub(super) fn cores(s: &Surroundings) -> Finding {
    let Cpus { usable, online, cores, sockets, nodes, quota } = s.cpus;
    let mut found = format!("{}, {}, {}", count(cores, "core"), count(sockets, "socket"), count(nodes, "NUMA node"));
    if usable > cores {
        found += &format!(", {usable} CPUs with SMT");
    }
    if usable < online {
        found += &format!("; {usable} of {online} CPUs are this shell's");
    }
    if let Some(quota) = quota {
        found += &format!("; a quota of {quota:.1} CPUs");
    }
    let unbind = (usable < online).then(|| {
        let last = online - 1;
        Mend::command(format!("taskset --all-tasks --cpu-list --pid 0-{last} $$"))
    });
    if cores < 2 || quota.is_some_and(|quota| quota < 2.0) {
        let costs = "two ranks would take turns on one core, and a figure would be the kernel's, not MPI's";
        return Finding::lacking(found, &Mode::ALL, costs, unbind);
    }
    if quota.is_some_and(|quota| quota < f64::from(usable)) {
        return Finding::note(found, "above its quota a rank is stopped in the midst of a batch", []);
    }
    if usable < online {
        let costs = "worlds are as small as this shell's share; inside an allocation that is as it should be";
        return Finding::note(found, costs, unbind);
    }
    Finding::ok(found)
}

fn count(n: u32, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Whatever else runs is in the figures.
pub(super) fn noise(s: &Surroundings) -> Finding {
    let load = s.load.map_or("load unknown".to_owned(), |load| format!("load {load:.2}"));
    let governor = s.governor.as_ref().map_or(String::new(), |governor| format!(", governor {governor}"));
    let machine = if s.virtual_machine { ", a virtual machine" } else { "" };
    let cgroups = match s.cgroups {
        Cgroups::Absent => "no control groups",
        Cgroups::V1 => "cgroups v1",
        Cgroups::Hybrid => "cgroups v1 and v2",
        Cgroups::V2 => "cgroups v2",
    };
    let found = format!("{load}{governor}{machine}, {cgroups}");
    if s.load.is_some_and(|load| load >= 0.5) {
        let costs = "something else runs, and figures from now would be of that too";
        return Finding::note(found, costs, [Mend::command("top -b -n 1 | head -n 15")]);
    }
    let slow = ["powersave", "ondemand", "conservative"];
    if s.governor.as_deref().is_some_and(|governor| slow.contains(&governor)) {
        let costs = "the clock follows the load, so the first batches of a visit are slower";
        return Finding::note(found, costs, [Mend::as_root("cpupower frequency-set --governor performance")]);
    }
    Finding::ok(found)
}

/// Without room there Open MPI goes over TCP, and says so only in passing.
pub(super) fn shm(s: &Surroundings) -> Finding {
    let costs = "ranks would talk over TCP, on one node, and no exit code would tell";
    let enlarge = |ranks: u32| {
        let mib = (u64::from(ranks.max(2)) * SHM_A_RANK).div_ceil(1 << 20).next_multiple_of(64);
        Mend::as_root(format!("mount -o remount,size={mib}m /dev/shm"))
    };
    let Some(space) = s.shm else {
        let mount = Mend::as_root("mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm");
        return Finding::lacking("there is none", &Mode::ALL, costs, [mount]);
    };
    let found = format!("{}, {} free", Size(space.total), Size(space.free));
    let mend = |ranks: u32| match space.total >= u64::from(ranks) * SHM_A_RANK {
        true => Mend::command("ls -l /dev/shm"),
        false => enlarge(ranks),
    };
    let ranks = u32::try_from(space.free / SHM_A_RANK).unwrap_or(u32::MAX);
    if ranks < 2 {
        return Finding::lacking(found, &Mode::ALL, costs, [mend(2)]);
    }
    if ranks < s.cpus.cores {
        let costs = format!("enough for {ranks} ranks at 16 MiB each; with more, {costs}");
        return Finding::note(found, &costs, [mend(s.cpus.cores)]);
    }
    Finding::ok(found)
}

/// Copying from process to process is `process_vm_readv`, which Yama can forbid.
pub(super) fn ptrace(s: &Surroundings) -> Finding {
    match s.ptrace_scope {
        None => Finding::ok("not restricted (no Yama)"),
        Some(0) => Finding::ok("not restricted (Yama scope 0)"),
        // Open MPI asks to be traced by any (PR_SET_PTRACER), which scope 1 grants.
        Some(1) => Finding::ok("to those who ask for it (Yama scope 1), as Open MPI does"),
        Some(scope) => {
            let mend = match scope {
                2 => Mend::as_root("sysctl kernel.yama.ptrace_scope=1"),
                _ => Mend::advice("scope 3 stays until the next boot: set kernel.yama.ptrace_scope in /etc/sysctl.d"),
            };
            Finding::note(
                format!("forbidden to users (Yama scope {scope})"),
                "no rank may read another's memory: large messages are copied twice, and 4.1 may say `Read -1, expected`",
                [mend],
            )
        }
    }
}

/// Session directories, logs, builds.
pub(super) fn disk(s: &Surroundings) -> Finding {
    let free = |space: Option<super::surroundings::Space>| space.map_or("?".into(), |s| Size(s.free).to_string());
    let found = format!("{} free in /tmp, {} in the cache", free(s.tmp), free(s.cache_space));
    if s.tmp.is_none_or(|tmp| tmp.free < TMP_LEAST) {
        let costs = "launches keep their session directories in /tmp, for containers must see them too";
        return Finding::lacking(found, &Mode::ALL, costs, [Mend::command("du -xsh /tmp/* | sort -h | tail")]);
    }
    if !s.is_stocked() && s.cache_space.is_none_or(|cache| cache.free < CACHE_FOR_BUILDS) {
        let costs = "a first build takes about 2 GiB below the cache, and the images stay";
        return Finding::note(found, costs, [Mend::command("export XDG_CACHE_HOME=/somewhere/larger")]);
    }
    Finding::ok(found)
}
