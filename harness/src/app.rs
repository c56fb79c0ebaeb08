//! bench-app, compiled once: one file that runs natively and in every image with glibc 2.28 or later.
//!
//! A comparison of modes and versions should compare those, not several compilations. `libmpi.so.40` serves Open MPI 4.1
//! to 6.0, so the file is linked against one of them and finds the others at run time. The linker is zig's, which knows
//! old glibc versions; it, cargo-zigbuild and libclang come as wheels, so that no container is needed to compile.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::{
    cache::{Cache, CacheError, Inputs, Kind, Made},
    catalogue::{Catalogue, Unknown, Wheel},
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

/// bench-app's sources, as compiled in.
static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../bench-app");
const WORKSPACE: &str = include_str!("../../Cargo.toml");
const LOCK: &str = include_str!("../../Cargo.lock");

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
    #[error("{wheel} does not contain {file}")]
    Missing { wheel: &'static str, file: &'static str },
}

/// Where bench-app lies, built or not.
#[must_use]
pub fn path(cache: &Cache) -> PathBuf {
    cache.path(Kind::Build, &name()).join("bench-app")
}

/// What the name of everything made from bench-app depends on.
#[must_use]
pub fn inputs() -> Inputs {
    let catalogue = Catalogue::built_in();
    let digest = |wheel: Result<Wheel, Unknown>| wheel.map_or_else(|e| e.to_string(), |w| w.sha256.to_string());
    let tools = TOOLS.iter().map(|tool| digest(catalogue.tool(tool)));
    let inputs = Inputs::default().with(WORKSPACE).with(crates().join("\n")).with(GLIBC).with(abi_identity(&catalogue));
    let inputs = tools.fold(inputs, Inputs::with);
    sources(&SOURCES)
        .into_iter()
        .fold(inputs, |inputs, (path, text)| inputs.with(path.to_string_lossy().as_bytes()).with(text))
}

fn name() -> String {
    format!("bench-app-{}", inputs().hash())
}

/// The Open MPI whose headers are compiled against: the oldest series with `libmpi.so.40` in use.
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

fn abi_identity(catalogue: &Catalogue) -> String {
    catalogue.openmpi(&abi()).map_or_else(|e| e.to_string(), |release| release.source.identity(&abi()))
}

fn sources(directory: &'static Dir<'static>) -> Vec<(&'static Path, &'static [u8])> {
    let wanted = |path: &Path| path.starts_with("src") || path == Path::new("Cargo.toml");
    let mut files: Vec<_> = directory.files().map(|f| (f.path(), f.contents())).filter(|(p, _)| wanted(p)).collect();
    files.extend(directory.dirs().flat_map(sources));
    files.sort();
    files
}

/// Builds bench-app unless it is there. `say` hears of each step that takes time.
///
/// # Errors
/// A tool cannot be had, or it does not compile.
pub fn build(cache: &Cache, tools: &Tools<'_>, say: &dyn Fn(&str)) -> Result<Made, AppError> {
    let made = cache.entry(Kind::Build, &name(), |target| {
        say("bench-app: fetching zig, cargo-zigbuild, libclang");
        let [zig, zigbuild, clang] = TOOLS.map(|tool| tool_directory(cache, tools, tool));
        let (zig, zigbuild, clang) = (zig?, zigbuild?, clang?);
        let mpi = mpi::install(cache, &Catalogue::built_in(), tools, &abi())?.path;
        say("bench-app: compiling");
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
            .env("MPICC", mpi.join("bin/mpicc").to_string_lossy())
            .env("LIBCLANG_PATH", clang.parent().unwrap_or(&clang).to_string_lossy())
            .env("BINDGEN_EXTRA_CLANG_ARGS", format!("-isystem {}", zig.join("ziglang/lib/include").display()));
        tools.run(&command, Duration::from_secs(1800)).map_err(|source| AppError::Compile { source })?;
        let built = workspace.join("target").join(triple).join("release/bench-app");
        let keep = |source| AppError::Sources { path: built.clone(), source };
        fs::rename(&built, target.join("bench-app")).map_err(keep)?;
        fs::remove_dir_all(&workspace).map_err(keep)
    })?;
    Ok(Made { path: made.path.join("bench-app"), fresh: made.fresh })
}

fn tool_directory(cache: &Cache, tools: &Tools<'_>, tool: &'static str) -> Result<PathBuf, AppError> {
    let wheel = Catalogue::built_in().tool(tool)?;
    let name = format!("{tool}-{}-{}", wheel.version, wheel.sha256.short(12));
    let made = cache.entry(Kind::Build, &name, |target| -> Result<(), AppError> {
        Ok(wheel::fetch(tools, &wheel, Part::Whole, target)?)
    })?;
    Ok(made.path)
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
