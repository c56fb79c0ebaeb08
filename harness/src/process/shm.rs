//! What dead ranks leave in /dev/shm, as far as it is provably ours.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::procfs;

const SHM: &str = "/dev/shm";
/// Names of the locks of `--sharens` begin like this, and end in the number of the process that started its ranks.
const LOCK: &str = "sharens_instance_";

/// A file in /dev/shm, beyond reuse of its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Segment {
    name: String,
    device: u64,
    inode: u64,
}

impl Segment {
    fn path(&self) -> PathBuf {
        Path::new(SHM).join(&self.name)
    }
}

/// The segments of an attempt, and its locks: what its processes were seen to map or, of locks, to have open and what was not there
/// before it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Shm {
    before: BTreeSet<Segment>,
    #[serde(alias = "mapped")]
    held: BTreeSet<Segment>,
}

impl Shm {
    /// Everything that lies there now is somebody else's.
    pub(super) fn now() -> Self {
        Self { before: listing(), held: BTreeSet::new() }
    }

    /// Remembers what these processes hold. Later, when they are dead, nothing else would prove it: a lock is named after a
    /// process that may have died first and was never seen.
    pub(super) fn note(&mut self, pids: impl Iterator<Item = i32>) {
        let Some(device) = device() else { return };
        let inodes: BTreeSet<u64> = pids.flat_map(|pid| held_inodes(pid, device)).collect();
        if !inodes.is_empty() {
            let fresh = listing().into_iter().filter(|segment| inodes.contains(&segment.inode));
            self.held.extend(fresh.filter(|segment| !self.before.contains(segment)).collect::<Vec<_>>());
        }
    }

    /// Removes what was noted, is still the same file and is held by nobody any more. Returns how many segments and locks.
    pub(super) fn remove(&self, left: &mut Vec<String>) -> (u32, u32) {
        let present = listing();
        let candidates: Vec<&Segment> = self.held.intersection(&present).collect();
        let Some(device) = device().filter(|_| !candidates.is_empty()) else { return (0, 0) };
        let all = procfs::processes();
        let in_use: BTreeSet<u64> = all.iter().flat_map(|process| held_inodes(process.id.pid, device)).collect();
        let free = candidates.into_iter().filter(|segment| !in_use.contains(&segment.inode));
        free.fold((0, 0), |(segments, locks), segment| {
            let removed = remove(&segment.path(), left);
            if segment.name.starts_with(LOCK) { (segments, locks + removed) } else { (segments + removed, locks) }
        })
    }
}

fn held_inodes(pid: i32, device: (u32, u32)) -> Vec<u64> {
    [procfs::mapped_inodes(pid, device), procfs::open_inodes(pid, device, LOCK)].concat()
}

/// Removes the locks Apptainer's `--sharens` leaves, named after the process that started its ranks.
pub(super) fn remove_locks(parents: impl Iterator<Item = i32>, left: &mut Vec<String>) -> u32 {
    let owned = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && is_own(&meta));
    // A number that lives on, or again, may be somebody else's by now.
    let gone = parents.filter(|&pid| procfs::process(pid).is_none_or(|process| process.zombie));
    gone.map(|pid| Path::new(SHM).join(format!("{LOCK}{pid}"))).filter(owned).map(|path| remove(&path, left)).sum()
}

fn remove(path: &Path, left: &mut Vec<String>) -> u32 {
    match fs::remove_file(path) {
        Ok(()) => 1,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => {
            left.push(format!("{}: {error}", path.display()));
            0
        }
    }
}

/// The regular files of this user.
fn listing() -> BTreeSet<Segment> {
    let Ok(entries) = fs::read_dir(SHM) else { return BTreeSet::new() };
    let segment = |entry: fs::DirEntry| {
        let meta = fs::symlink_metadata(entry.path()).ok().filter(|meta| meta.is_file() && is_own(meta))?;
        Some(Segment { name: entry.file_name().into_string().ok()?, device: meta.dev(), inode: meta.ino() })
    };
    entries.flatten().filter_map(segment).collect()
}

fn is_own(meta: &fs::Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

fn device() -> Option<(u32, u32)> {
    let device = fs::metadata(SHM).ok()?.dev();
    Some((rustix::fs::major(device), rustix::fs::minor(device)))
}
