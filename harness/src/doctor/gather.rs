//! Looks at the machine: files, a few system calls, and what programs say of themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{Access, access, statvfs},
    process::{Resource, getrlimit},
};

use super::{
    read::{self, Read},
    surroundings::{Container, Fuse, HostMpi, Image, Namespaces, Space, Subordinate, Surroundings, User},
};
use crate::{
    app::{self, Headers},
    cache::Cache,
    catalogue::Catalogue,
    command::CommandSpec,
    compose::apptainer::Runtime,
    image, mpi,
    site::login,
    tool::Tools,
};

/// For a program that says its version.
const PATIENCE: Duration = Duration::from_secs(20);
/// Programs that checks ask for.
const WANTED: [&str; 14] = [
    "ssh",
    "rsh",
    "python3",
    "rustup",
    "gcc",
    "newuidmap",
    "newgidmap",
    "mksquashfs",
    "unsquashfs",
    "squashfuse",
    "squashfuse_ll",
    "fuse-overlayfs",
    "debootstrap",
    "getsubids",
];

/// From where the machine is looked at.
pub struct Here<'a> {
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// Runs programs.
    pub tools: &'a Tools<'a>,
    /// The user's cache.
    pub cache: &'a Cache,
    /// Where versions of Open MPI come from.
    pub catalogue: &'a Catalogue,
    /// The container runtime that launches would use.
    pub runtime: &'a Runtime,
    /// Whether images would be bootstrapped from the mirror of apt's configuration.
    pub debian_mirror: bool,
}

/// Everything that the checks ask for.
#[must_use]
pub fn gather(here: &Here<'_>) -> Surroundings {
    let read: Read<'_> = &|file: &str| fs::read_to_string(file).ok();
    let system = read::system(read, std::env::consts::ARCH);
    let env = |name: &str| here.env.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let uid = rustix::process::getuid().as_raw();
    let user = read::user(read, uid, env("LOGNAME").or(env("USER")), env("SUDO_USER"));
    let programs: BTreeSet<String> =
        WANTED.into_iter().filter(|name| here.find(name).is_some()).map(str::to_owned).collect();
    let runtime = here.container(read);
    let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
    let mpis = mpi::list(here.cache, here.catalogue, here.tools, env("PATH").unwrap_or_default());
    let ready = |mpi: &mpi::Installed| mpi::prefix(here.cache, here.catalogue, &mpi.version) == mpi.prefix;
    // An own bench-app is somebody's deliberate choice, not what the modes need.
    let images = image::list(here.cache, here.catalogue).into_iter().filter(|image| image.app.is_shared());
    let images_root = here.cache.directory(crate::cache::Kind::Images);
    let says = |argv: &[&str]| here.tools.words(argv, login::PATIENCE);
    let signs = login::Signs { env: here.env, on_path: &|name| here.find(name).is_some(), says: &says };
    Surroundings {
        subordinate: here.subordinate(read, &user, programs.contains("getsubids")),
        user,
        cpus: read::cpus(read),
        load: read::number(read, "/proc/loadavg"),
        governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").map(|text| text.trim().to_owned()),
        virtual_machine: cpuinfo.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor")),
        cgroups: read::cgroups(read),
        shm: space(Path::new("/dev/shm")),
        tmp: space(Path::new("/tmp")),
        cache_space: images_root.ancestors().find_map(space),
        cache: images_root.parent().unwrap_or(&images_root).to_owned(),
        ptrace_scope: read::number(read, "/proc/sys/kernel/yama/ptrace_scope"),
        memlock: getrlimit(Resource::Memlock).current,
        fuse: fuse(Path::new("/dev/fuse")),
        namespaces: Namespaces {
            most: read::number(read, "/proc/sys/user/max_user_namespaces"),
            unprivileged: read::switch(read, "/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: read::switch(read, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            apparmor_profile: runtime.as_ref().is_some_and(|runtime| has_profile(&runtime.starters)),
        },
        filesystems: read::filesystems(read, &system.kernel),
        system,
        runtime: runtime.map(|runtime| runtime.container),
        programs,
        cargo: here.said("cargo", &["--version"]),
        pip: here.said("python3", &["-m", "pip", "--version"]).is_some(),
        debian_mirror: here.debian_mirror,
        modules: env("MODULEPATH").is_some(),
        fabric: fabric(),
        schedulers: signs.schedulers().into_iter().map(str::to_owned).collect(),
        login_node: signs.login_node().map(str::to_owned),
        // An old entry of the cache is neither what campaigns find nor anybody's choice.
        mpis: mpis
            .into_iter()
            .filter(|mpi| ready(mpi) || mpi.origin == "PATH")
            .map(|mpi| HostMpi { ready: ready(&mpi), version: mpi.version, prefix: mpi.prefix })
            .collect(),
        images: images.map(|image| Image { name: image.name, current: image.current }).collect(),
        app: app::path(here.cache, here.catalogue, Headers::Shared).is_file(),
    }
}

/// A container runtime, and where its starters lie.
struct Found {
    container: Container,
    starters: PathBuf,
}

impl Here<'_> {
    /// A program on `PATH`, or where administrators' programs lie: Apptainer looks there too.
    fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.env.get("PATH").map_or("", String::as_str);
        let directories = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin"]);
        directories.map(|directory| Path::new(directory).join(program)).find(|file| file.is_file())
    }

    /// The standard output of a program that succeeds.
    fn said(&self, program: &str, args: &[&str]) -> Option<String> {
        let command = CommandSpec::new(program).args(args.iter().copied());
        let said = self.tools.run(&command, PATIENCE).ok()?;
        Some(said.trim().to_owned())
    }

    fn container(&self, read: Read<'_>) -> Option<Found> {
        let name = &self.runtime.program;
        let program = if name.contains('/') { PathBuf::from(name) } else { self.find(name)? };
        let said = self.said(name, &["--version"])?;
        let build = self.said(name, &["buildcfg"]).unwrap_or_default();
        let build = read::build_configuration(&build);
        let family = if said.starts_with("apptainer") { "apptainer" } else { "singularity" };
        let variable = |name: &str| build.get(format!("{}_{name}", family.to_uppercase()).as_str()).copied();
        let starters = Path::new(build.get("LIBEXECDIR").unwrap_or(&"/usr/libexec")).join(family).join("bin");
        let default = format!("/etc/{family}/{family}.conf");
        let configuration = PathBuf::from(variable("CONF_FILE").unwrap_or(&default));
        let directives = read(&configuration.to_string_lossy()).map(|text| read::directives(&text)).unwrap_or_default();
        let starter = fs::metadata(starters.join("starter-suid"));
        let setuid = starter.is_ok_and(|starter| starter.uid() == 0 && starter.permissions().mode() & 0o4000 != 0);
        let allowed = directives.get("allow setuid").is_none_or(|value| value != "no");
        Some(Found {
            container: Container {
                program,
                said,
                setuid: setuid && allowed,
                brings: names(&starters).into_iter().collect(),
                configuration,
                directives,
            },
            starters,
        })
    }

    fn subordinate(&self, read: Read<'_>, user: &User, has_getsubids: bool) -> Subordinate {
        let of = |file: &str, option: &[&str]| {
            let (own, next) = read::subordinate(&read(file).unwrap_or_default(), user);
            // Where ids are kept in a directory service, only this command knows them: `0: ada 100000 65536`.
            let asked = || self.said("getsubids", &[option, &[user.name.as_str()]].concat());
            let listed = Some(has_getsubids).filter(|has| *has && own == 0).and_then(|_| asked()).unwrap_or_default();
            let counts = listed.lines().filter_map(|line| line.split_whitespace().next_back()?.parse::<u64>().ok());
            (own + counts.sum::<u64>(), next)
        };
        let ((uids, next_uid), (gids, next_gid)) = (of("/etc/subuid", &[]), of("/etc/subgid", &["-g"]));
        Subordinate { uids, gids, next: next_uid.max(next_gid) }
    }
}

fn space(path: &Path) -> Option<Space> {
    let found = statvfs(path).ok()?;
    Some(Space { total: found.f_blocks * found.f_frsize, free: found.f_bavail * found.f_frsize })
}

fn fuse(device: &Path) -> Fuse {
    let Ok(found) = fs::metadata(device) else { return Fuse::Absent };
    match access(device, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Fuse::Open,
        Err(_) => Fuse::Closed { mode: found.permissions().mode() & 0o777 },
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Whether an AppArmor profile lets the starters there make user namespaces.
fn has_profile(starters: &Path) -> bool {
    let directory = Path::new("/etc/apparmor.d");
    let texts = names(directory).into_iter().filter_map(|name| fs::read_to_string(directory.join(name)).ok());
    let starters = starters.to_string_lossy();
    texts.into_iter().any(|text| text.contains("userns") && text.contains(&*starters))
}

/// Devices of InfiniBand, RoCE and EFA with their drivers, of Omni-Path and of Slingshot.
pub(crate) fn fabric() -> Vec<String> {
    fabric_below(Path::new("/"))
}

fn fabric_below(root: &Path) -> Vec<String> {
    let class = root.join("sys/class/infiniband");
    let with_driver = |name: String| {
        let driver = fs::read_link(class.join(&name).join("device/driver")).ok();
        let driver = driver.and_then(|driver| Some(driver.file_name()?.to_string_lossy().into_owned()));
        driver.map_or(name.clone(), |driver| format!("{name} ({driver})"))
    };
    let verbs = names(&class).into_iter().map(with_driver);
    let others = names(&root.join("dev")).into_iter();
    verbs.chain(others.filter(|name| name.starts_with("hfi1_") || name.starts_with("cxi"))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn devices_of_every_fabric_are_found() {
        let root = tempfile::tempdir().unwrap();
        assert!(fabric_below(root.path()).is_empty(), "no such directories");
        let device = root.path().join("sys/class/infiniband/mlx5_0/device");
        fs::create_dir_all(&device).unwrap();
        symlink("../../../bus/pci/drivers/mlx5_core", device.join("driver")).unwrap();
        fs::create_dir(root.path().join("sys/class/infiniband/efa_0")).unwrap();
        fs::create_dir(root.path().join("dev")).unwrap();
        for name in ["null", "hfi1_0", "cxi0", "tty"] {
            fs::write(root.path().join("dev").join(name), "").unwrap();
        }
        assert_eq!(fabric_below(root.path()), ["efa_0", "mlx5_0 (mlx5_core)", "cxi0", "hfi1_0"]);
    }
}
