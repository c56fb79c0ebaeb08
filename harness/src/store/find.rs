//! Finds runs by what lies in a directory.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{
    ATTEMPTS, CLOSED, MANIFEST,
    error::{StoreError, failed},
    read,
};
use crate::record::Manifest;

/// A directory of results directories holds sites, which hold runs.
const DEPTH: u32 = 3;

/// The run that `path` names: itself, or the newest of those in it (a site, or all sites).
///
/// # Errors
/// When there is none.
pub fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    if path.join(MANIFEST).is_file() {
        return Ok(path.to_owned());
    }
    let mut runs = Vec::new();
    let found = find(path, DEPTH, &mut runs);
    match runs.into_iter().max() {
        Some((_, run)) => Ok(run),
        None => Err(match found {
            Err(error) if error.kind() != ErrorKind::NotFound => failed("look for runs in", path)(error),
            Ok(()) | Err(_) => StoreError::NoRun { path: path.to_owned() },
        }),
    }
}

/// What the manifest of a run says, whatever became of the rest of it.
///
/// # Errors
/// There is none, or none that can be read.
pub fn manifest(dir: &Path) -> Result<Manifest, StoreError> {
    read::document(&dir.join(MANIFEST)).map(|(manifest, _)| manifest)
}

/// Attempts that a run has made so far, without reading them.
#[must_use]
pub fn attempts(dir: &Path) -> usize {
    fs::read(dir.join(ATTEMPTS)).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}

/// Whether a run is complete, as far as a look tells.
#[must_use]
pub fn is_closed(dir: &Path) -> bool {
    dir.join(CLOSED).is_file()
}

/// Collects the runs below `dir`, each with its start.
fn find(dir: &Path, depth: u32, runs: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // Hidden ones are being made, or were left by a harness that was killed as it made one.
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        if path.join(MANIFEST).is_file() {
            // A manifest that cannot be read must not make an older run the newest: its directory tells its time too.
            let started =
                read::document::<Manifest>(&path.join(MANIFEST)).map(|(manifest, _)| stamp(&manifest.started));
            runs.push((started.unwrap_or(name), path));
        } else if depth > 1 {
            // Somebody else's directory that cannot be read holds no run of ours.
            let _ = find(&path, depth - 1, runs);
        }
    }
    Ok(())
}

/// A time as it stands in a directory's name: `2026-11-24T02:30:00Z` becomes `20261124T023000Z`.
pub(super) fn stamp(time: &str) -> String {
    time.chars().filter(char::is_ascii_alphanumeric).collect()
}
