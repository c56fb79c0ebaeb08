//! What is compared: a mode over concrete parts, with a workload.

mod placement;
mod program;

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use bench_app::Workload;
use serde::{Deserialize, Serialize};

use crate::id::{CaseId, MpiVersion};
pub use placement::{Placement, Spread, Uneven};
pub use program::Program;

/// What is known of a mode wherever nothing is launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The word used in campaigns, tables and CSV files.
    pub name: &'static str,
    /// What it is, for `--help` and reports.
    pub summary: &'static str,
    /// Whether an MPI of the host takes part.
    pub host: bool,
    /// What ranks are in.
    pub within: Within,
}

/// What the ranks of a mode are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// No container.
    Nothing,
    /// Containers of an image with an MPI of its own.
    MpiImage(Containers),
    /// Containers of the base image.
    BaseImage(Containers),
}

impl Within {
    /// How ranks are spread, where there are containers.
    #[must_use]
    pub const fn containers(self) -> Option<Containers> {
        match self {
            Within::Nothing => None,
            Within::MpiImage(containers) | Within::BaseImage(containers) => Some(containers),
        }
    }
}

/// How ranks of a node are spread over containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containers {
    /// All share one, or at least its namespaces.
    Shared,
    /// Each has its own.
    OneARank,
}

macro_rules! modes {
    ($($(#[$doc:meta])* $mode:ident { $($row:tt)* })*) => {
        /// How an MPI program meets its container. The word is used in campaigns, tables and CSV files alike.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Mode {
            $($(#[$doc])* $mode,)*
        }

        impl Mode {
            /// Every mode, in the order of tables and reports.
            pub const ALL: [Mode; [$(stringify!($mode)),*].len()] = [$(Mode::$mode),*];

            /// What is known of it.
            #[must_use]
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Mode::$mode => &Row { $($row)* },)*
                }
            }
        }
    };
}

modes! {
    /// No container at all: the baseline.
    Native {
        name: "native",
        summary: "no container: the baseline",
        host: true,
        within: Within::Nothing,
    }
    /// The container's own mpirun.
    Embedded {
        name: "embedded",
        summary: "the container's own mpirun",
        host: false,
        within: Within::MpiImage(Containers::Shared),
    }
    /// The host's mpirun, one container a rank.
    Hybrid {
        name: "hybrid",
        summary: "host mpirun, one container a rank",
        host: true,
        within: Within::MpiImage(Containers::OneARank),
    }
    /// The host's mpirun, one instance a node.
    HybridInstance {
        name: "hybrid-instance",
        summary: "host mpirun, one instance a node",
        host: true,
        within: Within::MpiImage(Containers::Shared),
    }
    /// The host's mpirun, ranks of a node share namespaces through `--sharens`.
    HybridSharens {
        name: "hybrid-sharens",
        summary: "host mpirun, namespaces shared by --sharens",
        host: true,
        within: Within::MpiImage(Containers::Shared),
    }
    /// The host's MPI bind-mounted into an image that has none.
    Bind {
        name: "bind",
        summary: "host MPI bind-mounted into an image without MPI",
        host: true,
        within: Within::BaseImage(Containers::OneARank),
    }
}

impl Mode {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is, for `--help` and reports.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        self.row().summary
    }

    /// Those whose row is as `wanted` says.
    pub fn that(wanted: impl Fn(&Row) -> bool) -> Vec<Mode> {
        Mode::ALL.into_iter().filter(|mode| wanted(mode.row())).collect()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| format!("unknown mode `{text}`; hint: one of {}", Mode::ALL.map(Mode::name).join(", ")))
    }
}

/// The family of an MPI library. Launchers and environments differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Implementation {
    /// Open MPI.
    OpenMpi,
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Implementation::OpenMpi => f.pad("openmpi"),
        }
    }
}

/// An MPI library by family and version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mpi {
    /// The family.
    pub implementation: Implementation,
    /// The version.
    pub version: MpiVersion,
}

/// An MPI installed on the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostMpi {
    /// Which.
    pub mpi: Mpi,
    /// Where: `bin/mpirun` and `lib` lie below.
    pub prefix: PathBuf,
    /// What programs that load it need in their environment, besides `lib` in `LD_LIBRARY_PATH` or in its place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

impl HostMpi {
    /// One that lies where it was made for, or finds itself.
    #[must_use]
    pub fn new(mpi: Mpi, prefix: PathBuf) -> Self {
        Self { mpi, prefix, env: BTreeMap::new() }
    }

    /// The whole environment of programs that load it.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let usual = ("LD_LIBRARY_PATH".to_owned(), self.prefix.join("lib").to_string_lossy().into_owned());
        [usual].into_iter().chain(self.env.clone()).collect()
    }
}

/// An image that holds bench-app, and an MPI of its own unless it is the base image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    /// The MPI inside; none in the base image.
    pub mpi: Option<Mpi>,
    /// The SIF file or sandbox directory.
    pub path: PathBuf,
}

/// How the ranks of a hybrid launch enter the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// `exec` of the image, a container a rank.
    Exec,
    /// `exec` of an instance started beforehand.
    Instance,
    /// `exec --sharens` of the image.
    Sharens,
}

/// The parts a launch is composed of: only combinations that exist can be written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Stack {
    /// `launch(app)`.
    Native {
        /// The host's MPI.
        host: HostMpi,
        /// bench-app on the host: the same file as in images with this MPI.
        app: PathBuf,
    },
    /// `enter(launch(app))`.
    Embedded {
        /// The image whose mpirun launches.
        image: Image,
    },
    /// `launch(enter(app))`.
    Hybrid {
        /// The host's MPI, which launches.
        host: HostMpi,
        /// The image whose MPI communicates.
        image: Image,
        /// How ranks enter it.
        entry: Entry,
    },
    /// `launch(enter(app, host MPI bind-mounted))`.
    Bind {
        /// The host's MPI, which launches and communicates.
        host: HostMpi,
        /// An image without MPI.
        image: Image,
    },
}

impl Stack {
    /// The mode these parts make.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Stack::Native { .. } => Mode::Native,
            Stack::Embedded { .. } => Mode::Embedded,
            Stack::Hybrid { entry: Entry::Exec, .. } => Mode::Hybrid,
            Stack::Hybrid { entry: Entry::Instance, .. } => Mode::HybridInstance,
            Stack::Hybrid { entry: Entry::Sharens, .. } => Mode::HybridSharens,
            Stack::Bind { .. } => Mode::Bind,
        }
    }

    /// The host's MPI, where one takes part.
    #[must_use]
    pub fn host(&self) -> Option<&HostMpi> {
        match self {
            Stack::Native { host, .. } | Stack::Hybrid { host, .. } | Stack::Bind { host, .. } => Some(host),
            Stack::Embedded { .. } => None,
        }
    }

    /// The image, where one takes part.
    #[must_use]
    pub fn image(&self) -> Option<&Image> {
        match self {
            Stack::Native { .. } => None,
            Stack::Embedded { image } | Stack::Hybrid { image, .. } | Stack::Bind { image, .. } => Some(image),
        }
    }
}

/// What starts the ranks of every mode but `embedded`, whose image has its own mpirun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Launcher {
    /// That of the host's Open MPI.
    #[default]
    Mpirun,
    /// Slurm's.
    Srun,
    /// Bridge's.
    #[serde(rename = "ccc_mprun")]
    CccMprun,
}

impl Launcher {
    /// Every launcher.
    pub const ALL: [Launcher; 3] = [Launcher::Mpirun, Launcher::Srun, Launcher::CccMprun];

    /// A case has the name it had before there was a choice.
    fn is_usual(&self) -> bool {
        *self == Launcher::default()
    }
}

/// What an image with an MPI of its own sees of what the host's mpirun leaks about its own place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Nothing: the images overrule it, and the rest (`PMIX_*`, `OMPI_*`, `PRTE_*`) stays.
    #[default]
    Clean,
    /// All of it, as an image sees it that nobody has prepared.
    Raw,
}

impl Environment {
    /// A case has the name it had before there was a choice.
    fn is_usual(&self) -> bool {
        *self == Environment::default()
    }
}

/// What the user adds to a launch, applied where the mode wants it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What starts the ranks.
    #[serde(skip_serializing_if = "Launcher::is_usual")]
    pub launcher: Launcher,
    /// What an image sees of the host's mpirun.
    #[serde(skip_serializing_if = "Environment::is_usual")]
    pub environment: Environment,
    /// The name of the set of transport settings that is among `mca` and `env`, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// MCA parameters for the launcher, by name.
    pub mca: BTreeMap<String, String>,
    /// Flags for the container runtime: given to `exec`, or to `instance start` in the instance mode.
    pub flags: Vec<String>,
    /// Bind mounts, `source[:target[:options]]`, given like flags.
    pub binds: Vec<String>,
    /// Variables inside the container (in native mode: of the program), given like flags.
    pub env: BTreeMap<String, String>,
}

/// One thing that is measured and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The parts, which determine the mode.
    pub stack: Stack,
    /// All kernels and sizes: one launch runs them all. Of a program it is the one figure of a launch.
    pub workload: Workload,
    /// What is launched instead of bench-app, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// Number of ranks.
    pub ranks: u32,
    /// How they are spread over nodes.
    #[serde(default, skip_serializing_if = "Placement::is_usual")]
    pub placement: Placement,
    /// What the user adds.
    #[serde(default)]
    pub settings: Settings,
}

impl Case {
    /// The case's name: equal wherever the same thing is measured, whatever the paths.
    #[must_use]
    pub fn id(&self) -> CaseId {
        #[derive(Serialize)]
        struct Identity<'a> {
            mode: Mode,
            host: Option<&'a Mpi>,
            image: Option<&'a Mpi>,
            workload: &'a Workload,
            #[serde(skip_serializing_if = "Option::is_none")]
            program: Option<Vec<&'a str>>,
            ranks: u32,
            #[serde(skip_serializing_if = "Placement::is_usual")]
            placement: Placement,
            settings: &'a Settings,
        }
        let identity = Identity {
            mode: self.stack.mode(),
            host: self.stack.host().map(|host| &host.mpi),
            image: self.stack.image().and_then(|image| image.mpi.as_ref()),
            workload: &self.workload,
            program: self.program.as_ref().map(Program::words),
            ranks: self.ranks,
            placement: self.placement,
            settings: &self.settings,
        };
        let text = serde_json::to_string(&identity).unwrap_or_else(|e| unreachable!("plain data: {e}"));
        CaseId::of(&text)
    }

    /// What people read: `native 4.1.8`, `hybrid 4.1.8`, or `hybrid 5.0.11 > 4.1.8` where host and image differ, and ` raw`
    /// behind it where the image sees all that the host leaks, then the set of transport settings, if it has one.
    #[must_use]
    pub fn label(&self) -> String {
        let host = self.stack.host().map(|host| &host.mpi.version);
        let image = self.stack.image().and_then(|image| image.mpi.as_ref()).map(|mpi| &mpi.version);
        let mode = self.stack.mode();
        let raw = match self.settings.environment {
            Environment::Clean => "",
            Environment::Raw => " raw",
        };
        let set = self.settings.transport.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        match (host, image) {
            (Some(host), Some(image)) if host != image => format!("{mode} {host} > {image}{raw}{set}"),
            (Some(version), _) | (None, Some(version)) => format!("{mode} {version}{raw}{set}"),
            (None, None) => format!("{mode}{raw}{set}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_has_one_name_everywhere() {
        for mode in Mode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
    }

    /// Runs of before there was a choice go on, and are compared with new ones.
    #[test]
    fn the_usual_launcher_and_environment_are_not_part_of_a_cases_name() {
        let settings = serde_json::to_string(&Settings::default()).unwrap();
        assert!(!settings.contains("launcher") && !settings.contains("environment"), "{settings}");
        let read: Settings = serde_json::from_str(&settings).unwrap();
        assert_eq!((read.launcher, read.environment), (Launcher::Mpirun, Environment::Clean));
        assert_eq!(serde_json::from_str::<Settings>(r#"{"launcher": "mpirun"}"#).unwrap(), read);
    }
}
