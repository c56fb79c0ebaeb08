//! Compiles a release tarball of Open MPI, for versions that nobody packages.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    catalogue::Tarball,
    command::CommandSpec,
    id::Sha256,
    tool::{ToolError, Tools},
};

/// No Fortran, no documentation, and the helper libraries that come in the tarball: nothing of the host's is linked that
/// an image would lack.
const CONFIGURE: [&str; 7] = [
    "--disable-mpi-fortran",
    "--disable-oshmem",
    "--disable-static",
    "--with-hwloc=internal",
    "--with-libevent=internal",
    "--with-pmix=internal",
    "--without-ucx",
];
const LIMIT: Duration = Duration::from_secs(3600);

/// A tarball could not be turned into an installation.
#[derive(Debug, thiserror::Error)]
pub enum TarballError {
    /// curl failed.
    #[error("cannot fetch {from}; hint: give a file instead, or a mirror's URL")]
    Fetch {
        /// The URL.
        from: String,
        /// curl's words.
        source: ToolError,
    },
    /// Not the file that was expected.
    #[error("{from} has the digest {found} instead of {expected}; hint: do not use it unless you know why")]
    Digest {
        /// File or URL.
        from: String,
        /// In the catalogue.
        expected: Sha256,
        /// Delivered.
        found: Sha256,
    },
    /// A step of the compilation failed.
    #[error("{from} does not {step}; hint: a C compiler and make are needed")]
    Compile {
        /// File or URL.
        from: String,
        /// Which step.
        step: &'static str,
        /// The step's words.
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

/// Compiles `tarball` for the place `prefix` and puts the result at `target`, which must not exist.
///
/// # Errors
/// It cannot be fetched, is another file, or does not compile.
pub fn compile(tools: &Tools<'_>, tarball: &Tarball, prefix: &Path, target: &Path) -> Result<(), TarballError> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let work = target.with_file_name(format!("{name}.work"));
    let result = compile_in(tools, tarball, prefix, target, &work);
    let cleared = if work.exists() { fs::remove_dir_all(&work) } else { Ok(()) };
    result.and(cleared.map_err(|source| TarballError::File { path: work, source }))
}

fn compile_in(
    tools: &Tools<'_>,
    tarball: &Tarball,
    prefix: &Path,
    target: &Path,
    work: &Path,
) -> Result<(), TarballError> {
    let (source, staged) = (work.join("source"), work.join("staged"));
    let access = |path: &Path| {
        let path = path.to_owned();
        move |source| TarballError::File { path, source }
    };
    fs::create_dir_all(&source).map_err(access(&source))?;
    let file = obtain(tools, tarball, work)?;
    let step = |step, command: CommandSpec| {
        let failed = |source| TarballError::Compile { from: tarball.from.clone(), step, source };
        tools.run(&command, LIMIT).map_err(failed)
    };
    let unpack = CommandSpec::new("tar").arg("-xf").arg(file.to_string_lossy()).args(["--strip-components=1", "-C"]);
    step("unpack", unpack.arg(source.to_string_lossy()))?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let configure = CommandSpec::new("./configure").arg(format!("--prefix={}", prefix.display())).args(CONFIGURE);
    step("configure", configure.cwd(&source))?;
    step("compile", CommandSpec::new("make").arg(format!("-j{jobs}")).cwd(&source))?;
    let install = CommandSpec::new("make").arg("install").arg(format!("DESTDIR={}", staged.display()));
    step("install", install.cwd(&source))?;
    let made = staged.join(prefix.strip_prefix("/").unwrap_or(prefix));
    fs::rename(&made, target).map_err(access(&made))
}

/// The tarball as a file whose digest has been checked.
fn obtain(tools: &Tools<'_>, tarball: &Tarball, work: &Path) -> Result<PathBuf, TarballError> {
    let from = tarball.from.clone();
    let file = if from.contains("://") {
        let file = work.join("tarball");
        let curl = CommandSpec::new("curl").args(["--fail", "--silent", "--show-error", "--location", "--output"]);
        let failed = |source| TarballError::Fetch { from: from.clone(), source };
        tools.run(&curl.arg(file.to_string_lossy()).arg(&from), LIMIT).map_err(failed)?;
        file
    } else {
        PathBuf::from(&from)
    };
    let access = |source| TarballError::File { path: file.clone(), source };
    let found = Sha256::of_reader(&mut File::open(&file).map_err(access)?).map_err(access)?;
    if found == tarball.sha256 {
        return Ok(file);
    }
    Err(TarballError::Digest { from, expected: tarball.sha256.clone(), found })
}
