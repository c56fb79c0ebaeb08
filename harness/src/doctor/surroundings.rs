//! What there is on a machine, as data: gathered once, judged without looking again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::packages::System;
use crate::id::MpiVersion;

/// A machine as one user meets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The operating system.
    pub system: System,
    /// Who asks.
    pub user: User,
    /// Processors.
    pub cpus: Cpus,
    /// Load of the last minute.
    pub load: Option<f64>,
    /// How the clock frequency is chosen.
    pub governor: Option<String>,
    /// Whether this is a virtual machine.
    pub virtual_machine: bool,
    /// The hierarchy of control groups.
    pub cgroups: Cgroups,
    /// Room in `/dev/shm`, if it is there.
    pub shm: Option<Space>,
    /// Room in `/tmp`.
    pub tmp: Option<Space>,
    /// Where the cache lies.
    pub cache: PathBuf,
    /// Room there.
    pub cache_space: Option<Space>,
    /// Yama's scope; absent where the kernel has no Yama.
    pub ptrace_scope: Option<u32>,
    /// Most memory that may be locked, in bytes; absent where there is no limit.
    pub memlock: Option<u64>,
    /// `/dev/fuse`.
    pub fuse: Fuse,
    /// What the kernel says about user namespaces.
    pub namespaces: Namespaces,
    /// File systems that the kernel has.
    pub filesystems: BTreeSet<String>,
    /// Subordinate ids of the user.
    pub subordinate: Subordinate,
    /// The container runtime, if there is one.
    pub runtime: Option<Container>,
    /// Those of the wanted programs that are there.
    pub programs: BTreeSet<String>,
    /// What `cargo --version` says.
    pub cargo: Option<String>,
    /// Whether `python3` has pip.
    pub pip: bool,
    /// Whether apt's configuration names a Debian mirror.
    pub debian_mirror: bool,
    /// Whether environment modules are in use.
    pub modules: bool,
    /// Devices of a fast network, by their names in `/dev` and `/sys/class/infiniband`.
    pub fabric: Vec<String>,
    /// Schedulers whose commands are here.
    pub schedulers: Vec<String>,
    /// The scheduler on whose login node we are.
    pub login_node: Option<String>,
    /// Open MPIs of the host.
    pub mpis: Vec<HostMpi>,
    /// Images in the cache.
    pub images: Vec<Image>,
    /// Whether bench-app is built.
    pub app: bool,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// By name.
    pub name: String,
    /// By number.
    pub uid: u32,
    /// An ordinary user whom root could be instead: who called sudo, else the first there is.
    pub ordinary: Option<String>,
}

impl User {
    /// Whether it is root.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// Processors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cpus {
    /// Those that this process may use.
    pub usable: u32,
    /// Those that are switched on.
    pub online: u32,
    /// Cores among the usable.
    pub cores: u32,
    /// Sockets among the usable.
    pub sockets: u32,
    /// NUMA nodes of the machine.
    pub nodes: u32,
    /// CPUs' worth of time that control groups allow.
    pub quota: Option<f64>,
}

/// Which hierarchy of control groups is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cgroups {
    /// None.
    Absent,
    /// Version 1.
    V1,
    /// Version 1 with version 2 beside it.
    Hybrid,
    /// Version 2.
    V2,
}

/// Room in a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Altogether.
    pub total: u64,
    /// For this user.
    pub free: u64,
}

/// `/dev/fuse` as this user finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Fuse {
    /// It does not exist.
    Absent,
    /// It may not be opened.
    Closed {
        /// Its permission bits.
        mode: u32,
    },
    /// It may be opened.
    Open,
}

/// User namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// `user.max_user_namespaces`.
    pub most: Option<u64>,
    /// `kernel.unprivileged_userns_clone`, where the distribution has it.
    pub unprivileged: Option<bool>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, where the distribution has it.
    pub apparmor_restricts: Option<bool>,
    /// Whether AppArmor has a profile for the runtime.
    pub apparmor_profile: bool,
}

/// How many subordinate ids a user has, for builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subordinate {
    /// In `/etc/subuid`.
    pub uids: u64,
    /// In `/etc/subgid`.
    pub gids: u64,
    /// The first id that nobody has.
    pub next: u64,
}

/// A container runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The program.
    pub program: PathBuf,
    /// What it says it is: `apptainer version 1.4.5`.
    pub said: String,
    /// Whether it has a setuid starter.
    pub setuid: bool,
    /// Helpers that it brings along (`squashfuse_ll`).
    pub brings: BTreeSet<String>,
    /// Where its configuration lies.
    pub configuration: PathBuf,
    /// Those of its configuration's directives that decide whether launches work.
    pub directives: BTreeMap<String, String>,
}

/// Whose runtime it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Apptainer.
    Apptainer,
    /// Sylabs' Singularity.
    SingularityCe,
    /// Singularity before the two parted.
    Singularity,
}

impl Container {
    /// Whose it is, and its version.
    #[must_use]
    pub fn version(&self) -> Option<(Family, [u32; 2])> {
        let mut words = self.said.split_whitespace();
        let family = match words.next()? {
            "apptainer" => Family::Apptainer,
            "singularity-ce" | "singularity-pro" => Family::SingularityCe,
            "singularity" => Family::Singularity,
            _ => return None,
        };
        let numbers = words.next_back()?.split(['.', '-', '+']).map(str::parse).take(2);
        let numbers: Vec<u32> = numbers.collect::<Result<_, _>>().ok()?;
        Some((family, numbers.try_into().ok()?))
    }

    /// Whether it knows `--sharens`, which Apptainer 1.3 brought and nobody else has.
    #[must_use]
    pub fn can_share(&self) -> bool {
        match self.version() {
            Some((Family::Apptainer, version)) => version >= [1, 3],
            Some((Family::SingularityCe | Family::Singularity, _)) | None => false,
        }
    }

    /// Whether its builds take arguments, from Apptainer 1.2 and SingularityCE 4.0.
    #[must_use]
    pub fn takes_arguments(&self) -> bool {
        match self.version() {
            Some((Family::Apptainer, version)) => version >= [1, 2],
            Some((Family::SingularityCe, version)) => version >= [4, 0],
            Some((Family::Singularity, _)) | None => false,
        }
    }

    /// The value of a directive, where the configuration has it.
    #[must_use]
    pub fn directive(&self, name: &str) -> Option<&str> {
        self.directives.get(name).map(String::as_str)
    }
}

/// An Open MPI of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMpi {
    /// Which.
    pub version: MpiVersion,
    /// Where.
    pub prefix: PathBuf,
    /// Whether campaigns find it: in the cache, or by the user's own list of versions.
    pub ready: bool,
}

/// An image in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `openmpi 4.1.8`, `base`, `userland trixie`.
    pub name: String,
    /// Whether this version of the tool uses it.
    pub current: bool,
}

impl Surroundings {
    /// Whether a program is there.
    #[must_use]
    pub fn has(&self, program: &str) -> bool {
        self.programs.contains(program)
    }

    /// Versions of Open MPI for which there are both a host's and an image.
    #[must_use]
    pub fn versions(&self) -> Vec<MpiVersion> {
        let image = |version: &MpiVersion| self.has_image(&format!("openmpi {version}"));
        let versions = self.mpis.iter().filter(|mpi| mpi.ready).map(|mpi| mpi.version.clone());
        versions.filter(image).collect()
    }

    /// Whether there is a current image of that name.
    #[must_use]
    pub fn has_image(&self, name: &str) -> bool {
        self.images.iter().any(|image| image.current && image.name == name)
    }

    /// Whether any version has a current image.
    #[must_use]
    pub fn has_mpi_image(&self) -> bool {
        self.images.iter().any(|image| image.current && image.name.starts_with("openmpi "))
    }

    /// Whether everything that a run takes from the cache lies there: nothing need be built or fetched.
    #[must_use]
    pub fn is_stocked(&self) -> bool {
        self.app && self.has_image("base") && self.has_mpi_image() && self.mpis.iter().any(|mpi| mpi.ready)
    }
}

/// Bytes as people read them: `23.5 GiB`.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1000.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let digits = usize::from(value < 10.0);
        write!(f, "{value:.digits$} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_easily() {
        let check = |bytes: u64, expected: &str| assert_eq!(Size(bytes).to_string(), expected);
        check(8 << 20, "8.0 MiB");
        check(25_276_502_016, "24 GiB");
        check(512 << 10, "512 KiB");
        check(1023 << 20, "1.0 GiB");
    }

    #[test]
    fn runtimes_say_what_they_are() {
        let check = |said: &str, expected: Option<(Family, [u32; 2])>| {
            let (program, configuration) = (PathBuf::new(), PathBuf::new());
            let (brings, directives) = (BTreeSet::new(), BTreeMap::new());
            let container = Container { program, said: said.into(), setuid: false, brings, configuration, directives };
            assert_eq!(container.version(), expected, "{said}");
        };
        check("apptainer version 1.4.5", Some((Family::Apptainer, [1, 4])));
        check("apptainer version 1.3.4-1.el9", Some((Family::Apptainer, [1, 3])));
        check("apptainer version 1.2.0-rc.2", Some((Family::Apptainer, [1, 2])));
        check("singularity-ce version 4.1.2-jammy", Some((Family::SingularityCe, [4, 1])));
        check("singularity version 3.8.7-1.el8", Some((Family::Singularity, [3, 8])));
        check("bash: apptainer: command not found", None);
    }
}
