//! Files that are there after a power failure: written, synced, and their directory synced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::error::{StoreError, failed};

/// Makes a file that must not exist yet; half of one is not left behind.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Puts other contents into a file: whoever reads it sees the old ones or the new ones.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.new"));
    // Left by a harness that was killed here: the lock is ours now.
    let _ = fs::remove_file(&draft);
    write_new(&draft, bytes)
        .and_then(|()| fs::rename(&draft, path))
        .and_then(|()| sync_dir(path.parent().unwrap_or(path)))
        .map_err(failed("write", path))
}

/// Makes a directory and those above it.
pub(super) fn make_dirs(dir: &Path) -> Result<(), StoreError> {
    // The parent of a relative name is the empty path.
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().unwrap_or(dir);
    make_dirs(parent)?;
    match fs::create_dir(dir) {
        // Another harness was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        made => made.and_then(|()| sync_dir(parent)).map_err(failed("create", dir)),
    }
}

/// Makes the names in a directory last.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    match File::open(dir)?.sync_all() {
        // Some network file systems cannot sync a directory, and then their names are as safe as they get.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// A file that only grows, by pieces that are there whole or not at all.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    file: File,
    committed: u64,
}

impl Ledger {
    /// Opens the file and cuts off what lies behind its first `committed` bytes.
    pub(super) fn open(path: PathBuf, committed: u64) -> Result<Self, StoreError> {
        let file = OpenOptions::new().append(true).open(&path).map_err(failed("open", &path))?;
        let ledger = Self { path, file, committed };
        let length = ledger.file.metadata().map_err(failed("read", &ledger.path))?.len();
        if length > committed {
            ledger
                .file
                .set_len(committed)
                .and_then(|()| ledger.file.sync_all())
                .map_err(failed("cut", &ledger.path))?;
        }
        ledger.check()?;
        Ok(ledger)
    }

    /// The length that is safe, bytes.
    pub(super) fn committed(&self) -> u64 {
        self.committed
    }

    /// Proves that nobody else has written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let found = self.file.metadata().map_err(failed("read", &self.path))?.len();
        let written = self.committed;
        if found == written { Ok(()) } else { Err(StoreError::Changed { file: self.path.clone(), found, written }) }
    }

    /// Adds `bytes` and syncs.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.check()?;
        let written =
            if bytes.is_empty() { Ok(()) } else { self.file.write_all(bytes).and_then(|()| self.file.sync_all()) };
        match written {
            Ok(()) => self.committed += bytes.len() as u64,
            Err(_) => self.back_to(self.committed),
        }
        written.map_err(failed("write", &self.path))
    }

    /// Takes back what was added behind `committed`.
    pub(super) fn back_to(&mut self, committed: u64) {
        self.committed = committed;
        // Where even this fails the rest is a tail: the next append refuses, resuming cuts it off.
        let _ = self.file.set_len(committed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(dir: &Path, text: &str, committed: u64) -> Result<Ledger, StoreError> {
        let path = dir.join("ledger");
        fs::write(&path, text).unwrap();
        Ledger::open(path, committed)
    }

    #[test]
    fn a_ledger_grows_behind_what_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = ledger(dir.path(), "ab|torn", 3).unwrap();
        ledger.extend(b"cd|").unwrap();
        ledger.extend(b"").unwrap();
        assert_eq!(ledger.committed(), 6);
        ledger.back_to(3);
        ledger.extend(b"ef|").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("ledger")).unwrap(), "ab|ef|");
    }

    #[test]
    fn a_ledger_refuses_what_others_wrote_or_cut() {
        let dir = tempfile::tempdir().unwrap();
        let mut own = ledger(dir.path(), "", 0).unwrap();
        fs::write(dir.path().join("ledger"), "foreign").unwrap();
        let error = own.extend(b"own").unwrap_err().to_string();
        assert!(error.contains("has 7 bytes where this run wrote 0"), "{error}");
        assert!(matches!(ledger(dir.path(), "ab", 3), Err(StoreError::Changed { found: 2, written: 3, .. })));
    }

    #[test]
    fn a_full_disk_is_an_error_and_not_half_a_piece() {
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut ledger = Ledger { path: "/dev/full".into(), file, committed: 0 };
        let error = ledger.extend(b"bytes").unwrap_err();
        assert!(matches!(&error, StoreError::Io { source, .. } if source.kind() == ErrorKind::StorageFull), "{error}");
        assert_eq!(ledger.committed(), 0);
    }

    #[test]
    fn directories_are_made_once_and_only_where_no_file_is() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        make_dirs(&deep).unwrap();
        make_dirs(&deep).unwrap();
        assert!(deep.is_dir());
        fs::write(dir.path().join("file"), "").unwrap();
        let error = make_dirs(&dir.path().join("file/below")).unwrap_err().to_string();
        assert!(error.contains("cannot create") && error.contains("/file; hint: a directory is needed"), "{error}");
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        write_new(&path, b"first").unwrap();
        assert_eq!(write_new(&path, b"second").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
