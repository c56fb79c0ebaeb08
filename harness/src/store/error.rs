//! What can go wrong with a run on disk, and what to do about it.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::record::SCHEMA;

/// Looking for runs, for [`failed`].
pub(super) const SEARCH: &str = "look for runs in";

/// A run cannot be written, or cannot be read as what it claims to be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refuses.
    #[error("cannot {what} {}; hint: {}", path.display(), advice(what, source))]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A directory is taken for a run.
    #[error("{} is not the directory of a run; hint: one holds manifest.json, as results/SITE/TIME-DIGITS does", dir.display())]
    NotARun {
        /// The directory.
        dir: PathBuf,
    },
    /// There is no run to be found.
    #[error("no run in {}; hint: `sifbench run` makes one; SIFBENCH_RESULTS says where runs are kept, and a directory of them can be named", path.display())]
    NoRun {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// A file is not what was once committed.
    #[error("{}, line {line}: {what}; hint: {hint}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
        /// What can be done.
        hint: String,
    },
    /// A file is in a format that this version does not know.
    #[error("{} has schema {found}, this sifbench reads schema {SCHEMA}; hint: use {writer} or a newer one", file.display())]
    Schema {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// Who wrote it.
        writer: String,
    },
    /// A closed run is not changed any more.
    #[error("{} is complete and closed; hint: `sifbench report` shows it, `sifbench run` starts another", dir.display())]
    Closed {
        /// The run's directory.
        dir: PathBuf,
    },
    /// Another harness writes the run.
    #[error(
        "{} is being written by {owner}; hint: wait for it; if it no longer exists, remove {}",
        lock.parent().unwrap_or(lock).display(),
        lock.display()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// Whom it names.
        owner: String,
    },
    /// The lock was removed, or somebody else has it now.
    #[error("{} is no longer ours; hint: another harness was started on this run, or its directory moved", lock.display())]
    LockLost {
        /// The lock file.
        lock: PathBuf,
    },
    /// Somebody else has written to a file of a running run.
    #[error("{} has {found} bytes where this run wrote {written}; hint: end whatever writes there, then resume", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
        /// Bytes found.
        found: u64,
        /// Bytes committed.
        written: u64,
    },
    /// The caller commits attempts in another order than it numbers them.
    #[error("{what}; hint: this is a fault of sifbench, please report it")]
    OutOfOrder {
        /// What does not fit.
        what: String,
    },
}

/// An error of the file system, with what it was for.
pub(super) fn failed<E: Into<io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source: source.into() }
}

fn advice(what: &str, error: &io::Error) -> &'static str {
    let reads = ["read", "find", SEARCH].contains(&what);
    match error.kind() {
        ErrorKind::PermissionDenied if reads => {
            "`ls -ld` tells who may read it; whoever may can make a copy of the run by `sifbench export`"
        }
        ErrorKind::NotADirectory if reads => "the directory of a run is wanted, or one with runs in it",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room there, or give another place with --results; what is committed is safe, --resume goes on"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "another place can be given: --results or SIFBENCH_RESULTS, or --to of a copy"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a directory is needed there; another place can be given: --results or SIFBENCH_RESULTS, or --to of a copy"
        }
        ErrorKind::NotFound => "does the directory exist, and is it whole?",
        _ => "is the file system healthy? What is committed is safe, --resume goes on",
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_the_file_system_refuses_comes_with_advice() {
        let of = |what: &'static str, errno: Errno, expected: &str| {
            let text = failed(what, Path::new("results/x"))(errno).to_string();
            let begin = format!("cannot {what} results/x; hint: ");
            assert!(text.starts_with(&begin) && text.contains(expected), "{errno}: {text}");
        };
        let check = |errno: Errno, expected: &str| of("write", errno, expected);
        check(Errno::NOSPC, "make room");
        check(Errno::DQUOT, "make room");
        check(Errno::ACCESS, "another place");
        check(Errno::PERM, "another place");
        check(Errno::ROFS, "another place");
        check(Errno::NOTDIR, "a directory is needed");
        check(Errno::EXIST, "a directory is needed");
        check(Errno::NOENT, "exist");
        check(Errno::IO, "healthy");
        // Who only reads has no place to choose.
        of("read", Errno::ACCESS, "who may read it");
        of(SEARCH, Errno::ACCESS, "who may read it");
        of(SEARCH, Errno::NOTDIR, "the directory of a run is wanted");
    }
}
