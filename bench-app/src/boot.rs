//! What a rank knows before `MPI_Init`, from its environment alone: some failures never return from it.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{event::PROTOCOL, facts::word, launcher::LauncherView};

/// Variables that send a library to somebody's files. The host's prefix in a container is the commonest way to fail.
const PREFIXES: [&str; 8] = [
    "OPAL_PREFIX",
    "PMIX_INSTALL_PREFIX",
    "PMIX_PREFIX",
    "PRTE_PREFIX",
    "OPAL_LIBDIR",
    "OMPI_MCA_mca_base_component_path",
    "PMIX_MCA_mca_base_component_path",
    "PRTE_MCA_mca_base_component_path",
];

/// A rank that has not called `MPI_Init` yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Boot {
    /// [`PROTOCOL`] of the binary.
    pub protocol: u32,
    /// Rank according to the launcher's environment, where it says.
    pub launcher_rank: Option<u32>,
    /// World size according to the launcher's environment, where it says.
    pub launcher_size: Option<u32>,
    /// Process id as the rank sees it.
    pub pid: u32,
    /// Variables that send a library to somebody's files, as set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prefixes: BTreeMap<String, String>,
    /// `OMPI_VERSION`: the launcher's exact version, which Open MPI 5 and later pass on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ompi_version: Option<String>,
    /// `PMIX_VERSION` of the launcher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pmix_version: Option<String>,
    /// Who made `PMIX_NAMESPACE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Whether `PRTE_LAUNCHED` is set.
    #[serde(default)]
    pub prte_launched: bool,
    /// `PMIX_GDS_MODULE`: how the launcher hands out its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gds: Option<String>,
    /// Whether the directory that `PMIX_SERVER_TMPDIR` names exists here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_dir: Option<bool>,
}

/// The launchers that PMIx namespaces tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Namespace {
    /// `mpirun` up to Open MPI 4.
    Orte,
    /// `mpirun` from Open MPI 5 on.
    Prrte,
    /// `srun`.
    Slurm,
    /// Another.
    Other,
}

impl Namespace {
    fn of(name: &str) -> Self {
        match name {
            _ if name.starts_with("prterun-") || name.starts_with("prte-") => Namespace::Prrte,
            _ if name.starts_with("slurm.") => Namespace::Slurm,
            _ if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => Namespace::Orte,
            _ => Namespace::Other,
        }
    }
}

impl Boot {
    /// Whether this process is the one that speaks for the job before `MPI_Init`: rank 0, or a rank of its own.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.launcher_rank.is_none_or(|rank| rank == 0)
    }

    /// Reads it from the environment `variable` looks names up in; `exists` asks for directories.
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>, exists: impl Fn(&Path) -> bool) -> Self {
        let LauncherView { rank, size } = LauncherView::detect(&variable);
        let text = |name: &str| variable(name).map(|value| word(&value));
        let prefixes = PREFIXES.into_iter().filter_map(|name| Some((name.to_owned(), text(name)?)));
        Boot {
            protocol: PROTOCOL,
            launcher_rank: rank,
            launcher_size: size,
            pid: std::process::id(),
            prefixes: prefixes.collect(),
            ompi_version: text("OMPI_VERSION"),
            pmix_version: text("PMIX_VERSION"),
            namespace: variable("PMIX_NAMESPACE").map(|name| Namespace::of(&name)),
            prte_launched: variable("PRTE_LAUNCHED").is_some(),
            gds: text("PMIX_GDS_MODULE"),
            server_dir: variable("PMIX_SERVER_TMPDIR").map(|path| exists(Path::new(&path))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, FRAME_MAX, encode};

    fn detect(variables: &[(&str, &str)]) -> Boot {
        let lookup = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Boot::detect(lookup, |path| path == Path::new("/tmp"))
    }

    #[test]
    fn launchers_leave_their_traces() {
        let orte = [
            ("OMPI_COMM_WORLD_RANK", "1"),
            ("OMPI_COMM_WORLD_SIZE", "2"),
            ("PMIX_NAMESPACE", "3372154881"),
            ("PMIX_SERVER_TMPDIR", "/tmp"),
            ("OPAL_PREFIX", "/opt/host-mpi"),
        ];
        let boot = detect(&orte);
        assert_eq!((boot.launcher_rank, boot.launcher_size, boot.server_dir), (Some(1), Some(2), Some(true)));
        assert_eq!((boot.namespace, boot.prte_launched), (Some(Namespace::Orte), false));
        assert_eq!(boot.prefixes, BTreeMap::from([("OPAL_PREFIX".to_owned(), "/opt/host-mpi".to_owned())]));

        let prrte = [("PMIX_NAMESPACE", "prterun-n1-7@1"), ("PRTE_LAUNCHED", "1"), ("OMPI_VERSION", "5.0.11")];
        let boot = detect(&prrte);
        assert_eq!((boot.namespace, boot.prte_launched), (Some(Namespace::Prrte), true));
        assert_eq!(boot.ompi_version.as_deref(), Some("5.0.11"));

        let gone = detect(&[("PMIX_NAMESPACE", "slurm.pmix.12.0"), ("PMIX_SERVER_TMPDIR", "/run/none")]);
        assert_eq!((gone.namespace, gone.server_dir), (Some(Namespace::Slurm), Some(false)));
        assert_eq!(detect(&[]).prefixes, BTreeMap::new());
        assert_eq!([orte.as_slice(), &[("PMIX_RANK", "0")], &[]].map(|env| detect(env).speaks()), [false, true, true]);
    }

    #[test]
    fn the_longest_environment_fits_one_frame() {
        let boot = Boot::detect(|_| Some("\"\\".repeat(10) + &"x".repeat(9000)), |_| true);
        assert_eq!(boot.prefixes.len(), PREFIXES.len());
        assert!(encode(&Event::Boot(boot)).len() <= FRAME_MAX);
    }
}
