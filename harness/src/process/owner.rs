//! Who holds something that outlives him: a private directory, a run. Enough to tell later whether he still lives.

use std::{fmt, fs};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use serde::{Deserialize, Serialize};

use super::procfs::{self, Identity};

/// A process, with all that its number depends on to mean something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub(super) id: Identity,
    /// Numbers of processes mean something only on the same host, in the same boot and pid namespace.
    host: String,
    boot: String,
    pid_namespace: String,
}

/// What has become of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Alive, or not to be judged from here.
    Leave,
    /// Dead; its processes may live.
    Dead,
    /// From before the last boot: only files can be left.
    BeforeBoot,
}

/// This host's name for itself.
pub(super) fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

impl Owner {
    /// This process.
    #[must_use]
    pub fn this_process() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            id: Identity::of(pid),
            host: host(),
            boot: read("/proc/sys/kernel/random/boot_id"),
            pid_namespace: namespace.to_string_lossy().into_owned(),
        }
    }

    /// What has become of it, as far as `here` can tell.
    #[must_use]
    pub fn standing(&self, here: &Self) -> Standing {
        if self.host != here.host {
            return Standing::Leave;
        }
        if self.boot != here.boot {
            return Standing::BeforeBoot;
        }
        if self.pid_namespace != here.pid_namespace || self.may_live() { Standing::Leave } else { Standing::Dead }
    }

    fn may_live(&self) -> bool {
        match procfs::process(self.id.pid) {
            Some(process) => process.id == self.id && !process.zombie,
            // Clusters mount /proc with hidepid: another user's process is not seen there, yet a signal would find it.
            None => Pid::from_raw(self.id.pid).is_some_and(|pid| test_kill_process(pid) == Err(Errno::PERM)),
        }
    }
}

/// `process 42 on node1`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.id.pid, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_judged_only_where_its_number_means_something() {
        let here = Owner::this_process();
        let check = |owner: Owner, expected| assert_eq!(owner.standing(&here), expected, "{owner:?}");
        let dead = Identity { start: here.id.start + 1, ..here.id };
        check(here.clone(), Standing::Leave);
        check(Owner { id: dead, ..here.clone() }, Standing::Dead);
        check(Owner { id: dead, host: "elsewhere".into(), ..here.clone() }, Standing::Leave);
        check(Owner { id: dead, pid_namespace: "pid:[1]".into(), ..here.clone() }, Standing::Leave);
        check(Owner { boot: "another".into(), ..here.clone() }, Standing::BeforeBoot);
    }
}
