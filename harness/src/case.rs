//! What is compared: a mode over concrete parts, with a workload.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use bench_app::Workload;
use serde::{Deserialize, Serialize};

use crate::id::{CaseId, MpiVersion};

/// How an MPI program meets its container. The word is used in campaigns, tables and CSV files alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// No container at all: the baseline.
    Native,
    /// The container's own mpirun.
    Embedded,
    /// The host's mpirun, one container a rank.
    Hybrid,
    /// The host's mpirun, one instance a node.
    HybridInstance,
    /// The host's mpirun, ranks of a node share namespaces through `--sharens`.
    HybridSharens,
    /// The host's MPI bind-mounted into an image that has none.
    Bind,
}

impl Mode {
    /// Every mode, in the order of tables and reports.
    pub const ALL: [Mode; 6] =
        [Mode::Native, Mode::Embedded, Mode::Hybrid, Mode::HybridInstance, Mode::HybridSharens, Mode::Bind];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Native => "native",
            Mode::Embedded => "embedded",
            Mode::Hybrid => "hybrid",
            Mode::HybridInstance => "hybrid-instance",
            Mode::HybridSharens => "hybrid-sharens",
            Mode::Bind => "bind",
        }
    }

    /// What it is, for `--help` and reports.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Mode::Native => "no container: the baseline",
            Mode::Embedded => "the container's own mpirun",
            Mode::Hybrid => "host mpirun, one container a rank",
            Mode::HybridInstance => "host mpirun, one instance a node",
            Mode::HybridSharens => "host mpirun, namespaces shared by --sharens",
            Mode::Bind => "host MPI bind-mounted into an image without MPI",
        }
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

/// What the user adds to a launch, applied where the mode wants it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
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
    /// All kernels and sizes: one launch runs them all.
    pub workload: Workload,
    /// Number of ranks.
    pub ranks: u32,
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
            ranks: u32,
            settings: &'a Settings,
        }
        let identity = Identity {
            mode: self.stack.mode(),
            host: self.stack.host().map(|host| &host.mpi),
            image: self.stack.image().and_then(|image| image.mpi.as_ref()),
            workload: &self.workload,
            ranks: self.ranks,
            settings: &self.settings,
        };
        let text = serde_json::to_string(&identity).unwrap_or_else(|e| unreachable!("plain data: {e}"));
        CaseId::of(&text)
    }

    /// What people read: `native 4.1.8`, `hybrid 4.1.8`, or `hybrid 5.0.11 > 4.1.8` where host and image differ.
    #[must_use]
    pub fn label(&self) -> String {
        let host = self.stack.host().map(|host| &host.mpi.version);
        let image = self.stack.image().and_then(|image| image.mpi.as_ref()).map(|mpi| &mpi.version);
        let mode = self.stack.mode();
        match (host, image) {
            (Some(host), Some(image)) if host != image => format!("{mode} {host} > {image}"),
            (Some(version), _) | (None, Some(version)) => format!("{mode} {version}"),
            (None, None) => mode.to_string(),
        }
    }
}
