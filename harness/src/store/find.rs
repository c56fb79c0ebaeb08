//! Finds runs by what lies in a directory.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{
    ATTEMPTS, CLOSED, MANIFEST,
    error::{SEARCH, StoreError, failed},
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
    let (mut runs, mut closed) = (Vec::new(), Vec::new());
    find(path, DEPTH, &mut runs, &mut closed);
    newest(path, runs, closed)
}

/// The newest of `runs`; where there is none, what kept us from looking comes before that there is none.
fn newest(path: &Path, runs: Vec<(String, PathBuf)>, closed: Vec<(PathBuf, io::Error)>) -> Result<PathBuf, StoreError> {
    match (runs.into_iter().max(), closed.into_iter().next()) {
        (Some((_, run)), _) => Ok(run),
        (None, Some((dir, error))) => Err(failed(SEARCH, &dir)(error)),
        (None, None) => Err(StoreError::NoRun { path: path.to_owned() }),
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

/// Collects the runs below `dir`, each with its start, and the directories that could not be looked into: somebody else's
/// hold no run of ours, but where nothing else is found there may be one.
fn find(dir: &Path, depth: u32, runs: &mut Vec<(String, PathBuf)>, closed: &mut Vec<(PathBuf, io::Error)>) {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => return closed.push((dir.to_owned(), error)),
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // Hidden ones are being made, or were left by a harness that was killed as it made one.
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        if path.join(MANIFEST).is_file() {
            // A manifest that cannot be read must not make an older run the newest: its directory tells its time too. One in
            // a directory that tells none is another tool's.
            let started = read::document::<Manifest>(&path.join(MANIFEST));
            let started = started.map(|(manifest, _)| stamp(&manifest.started)).ok();
            runs.extend(started.or_else(|| tells_time(&name).then_some(name)).map(|started| (started, path)));
        } else if depth > 1 {
            find(&path, depth - 1, runs, closed);
        }
    }
}

/// Whether a directory is called as runs are: `20261124T023000Z-0123abcd`.
fn tells_time(name: &str) -> bool {
    let time = name.split('-').next().unwrap_or_default();
    time.len() == 16
        && time.ends_with('Z')
        && time.bytes().enumerate().all(|(at, c)| match at {
            8 => c == b'T',
            15 => true,
            _ => c.is_ascii_digit(),
        })
}

/// A time as it stands in a directory's name: `2026-11-24T02:30:00Z` becomes `20261124T023000Z`.
pub(super) fn stamp(time: &str) -> String {
    time.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_of_other_tools_are_no_runs() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let run = dir.path().join(name);
            fs::create_dir(&run).unwrap();
            fs::write(run.join(MANIFEST), "{\"manifest_version\": 3}").unwrap();
            run
        };
        put("extension");
        assert!(matches!(resolve(dir.path()), Err(StoreError::NoRun { .. })));
        let damaged = put("20261124T023000Z-0123abcd");
        put("zzz");
        assert_eq!(resolve(dir.path()).unwrap(), damaged, "what is damaged is told when it is read");
        for name in ["20261124", "20261124T023000", "2026112XT023000Z-0", "T0261124T023000Z-0", ""] {
            assert!(!tells_time(name), "{name}");
        }
    }

    #[test]
    fn a_directory_that_is_closed_to_us_is_not_one_without_runs() {
        let barred = || vec![(PathBuf::from("results/theirs"), io::Error::from(ErrorKind::PermissionDenied))];
        let text = |runs, closed| newest(Path::new("results"), runs, closed).unwrap_err().to_string();
        let (barred_only, nothing) = (text(Vec::new(), barred()), text(Vec::new(), Vec::new()));
        assert!(barred_only.starts_with("cannot look for runs in results/theirs; hint: `ls -ld`"), "{barred_only}");
        assert!(nothing.starts_with("no run in results; hint: `sifbench run`"), "{nothing}");
        let ours = ("20261124T023000Z".to_owned(), PathBuf::from("results/a/b"));
        assert_eq!(newest(Path::new("results"), vec![ours], barred()).unwrap(), Path::new("results/a/b"));
    }
}
