//! The end of a run: `closed.json` says how many attempts it has, and seals its files.

use std::{collections::BTreeMap, io::ErrorKind, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    ATTEMPTS, DESIGN, MANIFEST, SAMPLES, disk,
    error::{StoreError, failed},
    packed::{self, Counted},
    read,
};
use crate::{id::Sha256, record::SCHEMA};

/// The file's name.
pub(super) const CLOSED: &str = "closed.json";

/// `closed.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Closed {
    schema: u32,
    attempts: usize,
    files: BTreeMap<String, Seal>,
}

/// A file as it was when the run was closed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    bytes: u64,
    sha256: Sha256,
}

impl Closed {
    /// What is to be said of the run in `dir` with this number of attempts.
    pub(super) fn of(dir: &Path, attempts: usize) -> Result<Self, StoreError> {
        let seal = |name: &str| {
            let path = dir.join(name);
            let sealed = packed::open(&path).map(Counted::new).and_then(|mut file| {
                let sha256 = Sha256::of_reader(&mut file)?;
                Ok(Seal { bytes: file.bytes, sha256 })
            });
            sealed.map(|seal| (name.to_owned(), seal)).map_err(failed("read", &path))
        };
        let files = [MANIFEST, DESIGN, ATTEMPTS, SAMPLES].into_iter().map(seal).collect::<Result<_, _>>()?;
        Ok(Self { schema: SCHEMA, attempts, files })
    }

    /// Writes the file: from then on the run is closed.
    pub(super) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_else(|error| unreachable!("plain data: {error}"));
        disk::replace(&dir.join(CLOSED), (text + "\n").as_bytes())
    }

    /// What the file says, if there is one.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        match read::document(&dir.join(CLOSED)) {
            Ok((closed, _)) => Ok(Some(closed)),
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Proves that the run in `dir`, found to have this number of attempts, is what was closed.
    pub(super) fn verify(&self, dir: &Path, attempts: usize) -> Result<(), StoreError> {
        let damaged = |what: String| {
            let hint = read::RESTORE.to_owned();
            Err(StoreError::Damaged { file: dir.join(CLOSED), line: 1, what, hint })
        };
        let found = Self::of(dir, attempts)?;
        if let Some((name, _)) = found.files.iter().find(|(name, seal)| self.files.get(*name) != Some(seal)) {
            return damaged(format!("{name} is not the file that was closed"));
        }
        if self.attempts != attempts {
            return damaged(format!("{attempts} attempts where {} were closed", self.attempts));
        }
        Ok(())
    }
}
