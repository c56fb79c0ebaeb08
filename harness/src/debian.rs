//! A Debian's own Open MPI for hosts: its packages, and what they need beside the C library, unpacked into a prefix that can
//! lie anywhere. apt chooses them and checks their signed digests; nothing is installed, and nobody needs to be root.

mod layout;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use layout::{environment, inputs};

use crate::{
    command::CommandSpec,
    tool::{ToolError, Tools},
};

/// Who vouches for the packages.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LIMIT: Duration = Duration::from_secs(600);

/// A Debian's Open MPI could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// This is no Debian.
    #[error(
        "Open MPI of Debian {suite} comes through apt, and {lacking} is not there; hint: a wheel goes on every host: \
         sifbench mpi install 4.1.8 5.0.11"
    )]
    NoApt {
        /// The suite.
        suite: String,
        /// What is not there.
        lacking: String,
    },
    /// The host is older than the suite.
    #[error(
        "Open MPI of Debian {suite} wants the C library {wanted}, and this host has {has}; hint: it runs in images \
         (sifbench image build), and a wheel goes on every host: sifbench mpi install 4.1.8 5.0.11"
    )]
    Libc {
        /// The suite.
        suite: String,
        /// The suite's.
        wanted: String,
        /// The host's.
        has: String,
    },
    /// A step failed.
    #[error("cannot {step} of Debian {suite}; hint: its mirror, {mirror}, comes from apt's own configuration")]
    Step {
        /// The suite.
        suite: String,
        /// The mirror.
        mirror: String,
        /// Which.
        step: &'static str,
        /// Its words.
        source: ToolError,
    },
    /// The file system.
    #[error("cannot access {path}", path = path.display())]
    File {
        /// What was read or written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The files of this machine's apt configuration that name mirrors.
#[must_use]
pub fn apt_sources() -> Vec<String> {
    let files = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.chain([PathBuf::from("/etc/apt/sources.list")]).collect();
    files.sort();
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect()
}

/// The first mirror of the distribution proper in apt's sources, one-line or deb822.
#[must_use]
pub fn mirror(sources: &[String]) -> Option<String> {
    let of_debian = |uri: &&str| uri.contains("://") && uri.trim_end_matches('/').ends_with("/debian");
    let lines = sources.iter().flat_map(|text| text.lines());
    let lines = lines.filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    lines.flat_map(str::split_whitespace).find(of_debian).map(str::to_owned)
}

/// Unpacks the Open MPI of `suite` at `target`, which must not exist.
///
/// # Errors
/// There is no apt, it does not deliver, or the host's C library is older than what the suite's packages want.
pub fn unpack(tools: &Tools<'_>, suite: &str, target: &Path) -> Result<(), DebianError> {
    let lacking = |lacking: &str| DebianError::NoApt { suite: suite.to_owned(), lacking: lacking.to_owned() };
    let mirror = mirror(&apt_sources()).ok_or_else(|| lacking("a mirror of Debian in its configuration"))?;
    if !Path::new(KEYRING).is_file() {
        return Err(lacking(KEYRING));
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let work = target.with_file_name(format!("{name}.work"));
    let apt = Apt { tools, suite, mirror, work: &work };
    let unpacked = apt.unpack().and_then(|root| layout::arrange(&root, target));
    let cleared = if work.exists() { fs::remove_dir_all(&work) } else { Ok(()) };
    unpacked.and(cleared.map_err(|source| DebianError::File { path: work.clone(), source }))
}

/// apt with a configuration, lists and a state of its own.
struct Apt<'a> {
    tools: &'a Tools<'a>,
    suite: &'a str,
    mirror: String,
    work: &'a Path,
}

impl Apt<'_> {
    /// The packages, unpacked side by side below the directory that is returned.
    fn unpack(&self) -> Result<PathBuf, DebianError> {
        let [archives, root] = ["archives", "root"].map(|name| self.work.join(name));
        for directory in
            [self.work.join("none"), self.work.join("lists/partial"), archives.join("partial"), root.clone()]
        {
            fs::create_dir_all(&directory).map_err(|source| DebianError::File { path: directory, source })?;
        }
        let libc = self.step("ask for the C library", CommandSpec::new("getconf").arg("GNU_LIBC_VERSION"))?;
        let libc = libc.trim().rsplit(' ').next().unwrap_or_default();
        let arch = self.step("ask dpkg for the architecture", CommandSpec::new("dpkg").arg("--print-architecture"))?;
        self.write("status", &there_already(libc, arch.trim()))?;
        self.write("sources.list", &format!("deb [signed-by={KEYRING}] {} {} main\n", self.mirror, self.suite))?;
        self.step("fetch the lists", self.apt().arg("update"))?;
        let simulated = self.step("resolve openmpi-bin", self.apt().args(["--simulate", "install", "openmpi-bin"]))?;
        let packages = chosen(&simulated);
        if let Some((_, wanted)) = packages.iter().find(|(name, _)| *name == LIBC) {
            let (suite, wanted) = (self.suite.to_owned(), wanted.split('-').next().unwrap_or(wanted).to_owned());
            return Err(DebianError::Libc { suite, wanted, has: libc.to_owned() });
        }
        let names = packages.iter().map(|(name, _)| *name);
        self.step("fetch the packages", self.apt().arg("download").args(names).cwd(&archives))?;
        let files = fs::read_dir(&archives).map_err(|source| DebianError::File { path: archives.clone(), source })?;
        let files = files.flatten().map(|entry| entry.path());
        for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "deb")) {
            let unpack = CommandSpec::new("dpkg-deb").arg("-x").args([file.to_string_lossy(), root.to_string_lossy()]);
            self.step("unpack a package", unpack)?;
        }
        Ok(root)
    }

    fn apt(&self) -> CommandSpec {
        let at = |name: &str| self.work.join(name).display().to_string();
        let own = [
            ("Dir::Etc::SourceList", at("sources.list")),
            ("Dir::Etc::SourceParts", at("none")),
            ("Dir::Etc::Preferences", "/dev/null".to_owned()),
            ("Dir::Etc::PreferencesParts", at("none")),
            ("Dir::State", at("")),
            ("Dir::State::Lists", at("lists")),
            ("Dir::State::Status", at("status")),
            ("Dir::Cache", at("")),
            ("Dir::Cache::Archives", at("archives")),
        ];
        let fixed = [
            // A site's mirror may stand still for weeks; what it serves is signed all the same.
            "Acquire::Check-Valid-Until=false",
            "Acquire::AllowInsecureRepositories=false",
            "APT::Get::AllowUnauthenticated=false",
            "APT::Install-Recommends=false",
            "Acquire::Languages=none",
            "APT::Sandbox::User=",
            "Debug::NoLocking=1",
        ];
        let own = own.into_iter().map(|(key, value)| format!("{key}={value}"));
        let all = own.chain(fixed.map(str::to_owned)).flat_map(|setting| ["-o".to_owned(), setting]);
        CommandSpec::new("apt-get").arg("-qq").args(all)
    }

    fn step(&self, step: &'static str, command: CommandSpec) -> Result<String, DebianError> {
        let (suite, mirror) = (self.suite.to_owned(), self.mirror.clone());
        self.tools.run(&command, LIMIT).map_err(|source| DebianError::Step { suite, mirror, step, source })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DebianError> {
        let path = self.work.join(name);
        fs::write(&path, text).map_err(|source| DebianError::File { path, source })
    }
}

const LIBC: &str = "libc6";

/// The state that apt is told: what every host has itself is there, in its version. Whatever wants a newer C library then
/// wants to replace this one, and says so before anything is fetched.
fn there_already(libc: &str, arch: &str) -> String {
    let package = |(name, version): (&str, &str)| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\nMulti-Arch: same\n\
             Maintainer: nobody\nVersion: {version}\nDescription: the host's own\n\n"
        )
    };
    [(LIBC, libc), ("openssh-client", "9:0"), ("debconf", "9"), ("adduser", "9"), ("dpkg", "9")].map(package).concat()
}

/// Names and versions of what a simulated installation would install: `Inst NAME [old] (version place [arch])`.
fn chosen(simulated: &str) -> Vec<(&str, &str)> {
    simulated
        .lines()
        .filter_map(|line| line.strip_prefix("Inst "))
        .filter_map(|rest| {
            let name = rest.split(' ').next()?;
            let version = rest.split_once('(')?.1.split(' ').next()?;
            Some((name, version))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_from_apts_own_configuration() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(mirror(&[text.to_owned()]).as_deref(), expected, "{text}");
        };
        check("Types: deb\nURIs: http://mirror.example/debian\nSuites: x\n", Some("http://mirror.example/debian"));
        check(
            "# deb http://a.example/debian x\ndeb [arch=amd64] https://b.example/debian/ trixie main",
            Some("https://b.example/debian/"),
        );
        check("URIs: http://mirror.example/debian-security\n", None);
        check("deb http://mirror.example/ubuntu noble main", None);
    }

    #[test]
    fn a_newer_c_library_is_seen_in_what_apt_would_install() {
        let old = "Inst libmpi (4.1.4-3 Debian:12/oldstable [amd64])\nConf libmpi (4.1.4-3 Debian:12 [amd64])\n";
        assert_eq!(chosen(old), [("libmpi", "4.1.4-3")]);
        let new =
            "Inst libc6 [2.36] (2.41-12+deb13u5 Debian:13/stable [amd64]) []\nInst zlib1g (1:1.3 Debian [amd64])\n";
        assert_eq!(chosen(new), [("libc6", "2.41-12+deb13u5"), ("zlib1g", "1:1.3")]);
        assert!(there_already("2.36", "amd64").starts_with("Package: libc6\n"));
    }
}
