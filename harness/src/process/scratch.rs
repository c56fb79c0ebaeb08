//! The private directory of an attempt, and how the next start of the tool tells a dead owner's from a living one's.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    ProcessError,
    ours::Ours,
    owner::{Owner, Standing},
    procfs::Identity,
};

const RECORD: &str = "owner";
/// The same on other nodes, where the owner is the guard.
const GUEST: &str = "guest";
/// A directory without a record is one being made, unless it is older than this.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// A directory `<base>/<8 hex digits>`: short, because sockets lie in it and their paths are limited to 107 bytes.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: PathBuf,
}

/// What lies in a directory beside the launch's own files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) owner: Owner,
    pub(super) ours: Ours,
}

/// A name no other attempt of this boot has: the value of the marker.
///
/// It ends in a dot and its parts hold none, so no marker is the beginning of another.
pub(super) fn marker(attempt: &str) -> String {
    // Of the process, not of a room: two rooms must not give the same name.
    static ATTEMPTS: AtomicU64 = AtomicU64::new(1);
    let n = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let Identity { pid, start } = Owner::this_process().id;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    format!("{}.{pid}.{start}.{n}.", attempt.chars().map(plain).collect::<String>())
}

/// Eight digits that tell one from another.
pub(super) fn digits(of: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    format!("{:08x}", hasher.finish() & 0xffff_ffff)
}

impl Scratch {
    /// Makes the directory for `ours` below `base`, complete with its record from the first moment it has its name.
    pub(super) fn create(base: &Path, ours: &Ours) -> Result<Self, ProcessError> {
        let failed = |path: &Path, source| ProcessError::Scratch { path: path.to_owned(), source };
        for salt in 0..64_u32 {
            secure_base(base)?;
            let name = digits(&(ours.marker(), salt));
            let draft = Self { dir: base.join(format!(".{name}")) };
            match private_dir(&draft.dir) {
                // NotFound: another harness has just removed the empty base.
                Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                    continue;
                }
                made => made.map_err(|source| failed(&draft.dir, source))?,
            }
            let scratch = Self { dir: base.join(name) };
            let filled = [draft.tmp(), draft.config()].iter().try_for_each(|dir| private_dir(dir));
            filled.map_err(|source| failed(&draft.dir, source))?;
            draft.save(ours)?;
            // Renaming onto a directory that holds anything fails, and an owned one always holds its record.
            match fs::rename(&draft.dir, &scratch.dir) {
                Ok(()) => return Ok(scratch),
                Err(_) => draft.remove(&mut Vec::new()),
            };
        }
        Err(failed(base, io::ErrorKind::AlreadyExists.into()))
    }

    /// The directory of an attempt whose harness runs on another node, which alone judges when it is over.
    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Makes that directory, with what was there before the attempt, and this process as its guard.
    pub(super) fn guest(dir: &Path, mut ours: Ours) -> Result<(), ProcessError> {
        let scratch = Self::at(dir);
        let failed = |source| ProcessError::Scratch { path: dir.to_owned(), source };
        secure_base(dir.parent().unwrap_or(dir))?;
        [dir.to_owned(), scratch.tmp(), scratch.config()]
            .iter()
            .try_for_each(|dir| private_dir(dir))
            .map_err(failed)?;
        ours.begin_before_all();
        let json = serde_json::to_vec(&Record { owner: Owner::this_process(), ours: ours.clone() });
        json.map_err(io::Error::from).and_then(|json| fs::write(dir.join(GUEST), json)).map_err(failed)?;
        make_owned(&mut ours).inspect_err(|_| {
            remove_owned(&ours, &mut Vec::new());
            scratch.remove(&mut Vec::new());
        })
    }

    /// What [`Scratch::guest`] has written down.
    pub(super) fn guest_record(&self) -> Option<Record> {
        self.read(GUEST)
    }

    fn read(&self, name: &str) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.dir.join(name)).ok()?).ok()
    }

    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// `TMPDIR` of the attempt.
    pub(super) fn tmp(&self) -> PathBuf {
        self.dir.join("t")
    }

    /// `APPTAINER_CONFIGDIR` of the attempt.
    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("c")
    }

    /// Writes down what is known to be ours, for whoever clears up after us should we be killed.
    pub(super) fn save(&self, ours: &Ours) -> Result<(), ProcessError> {
        let record = Record { owner: Owner::this_process(), ours: ours.clone() };
        let (draft, path) = (self.dir.join("owner.new"), self.dir.join(RECORD));
        serde_json::to_vec(&record)
            .map_err(io::Error::from)
            .and_then(|json| fs::write(&draft, json))
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(|source| ProcessError::Scratch { path, source })
    }

    /// Removes the directory with everything in it, and the base when it was the last. Tells whether it is gone.
    pub(super) fn remove(&self, left: &mut Vec<String>) -> bool {
        let removed = remove_tree(&self.dir);
        if !matches!(removed, Ok(false)) {
            // Only when empty; another harness may be using it.
            let _ = self.dir.parent().map(fs::remove_dir);
        }
        tell(removed, &self.dir, left)
    }
}

/// Removes what an attempt has made besides its private directory.
pub(super) fn remove_owned(ours: &Ours, left: &mut Vec<String>) {
    ours.directories().for_each(|dir| {
        tell(remove_tree(dir), dir, left);
    });
}

/// Removes a directory with everything in it. Tells whether there was one.
fn remove_tree(dir: &Path) -> io::Result<bool> {
    let mut last = Ok(true);
    // A dying process may still write, and a mount may still be going away.
    for _ in 0..20 {
        match fs::remove_dir_all(dir) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => last = Err(error),
        }
        make_writable(dir);
        thread::sleep(Duration::from_millis(50));
    }
    last
}

/// Whether it was removed; why not, among what is `left`.
fn tell(removed: io::Result<bool>, dir: &Path, left: &mut Vec<String>) -> bool {
    removed.unwrap_or_else(|error| {
        left.push(format!("{}: {error}", dir.display()));
        false
    })
}

/// The directories below `base` that wait for somebody to clear them.
pub(super) fn stale(base: &Path) -> Result<Vec<(Scratch, Standing, Option<Record>)>, ProcessError> {
    if !base.exists() {
        return Ok(Vec::new());
    }
    secure_base(base)?;
    let here = Owner::this_process();
    let entries = fs::read_dir(base).map_err(|source| ProcessError::Scratch { path: base.to_owned(), source })?;
    let dirs = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let judged = dirs.map(|dir| {
        let scratch = Scratch { dir };
        let record = scratch.read(RECORD).or_else(|| scratch.guest_record());
        let standing = match &record {
            Some(record) => record.owner.standing(&here),
            None if age(scratch.path()) > UNFINISHED => Standing::BeforeBoot,
            None => Standing::Leave,
        };
        (scratch, standing, record)
    });
    Ok(judged.filter(|(_, standing, _)| *standing != Standing::Leave).collect())
}

fn age(dir: &Path) -> Duration {
    let modified = fs::metadata(dir).and_then(|meta| meta.modified());
    modified.ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default()
}

/// Makes what an attempt has besides its private directory, once it is written down whose it is. What cannot be made is not
/// the attempt's: it may be somebody else's.
pub(super) fn make_owned(ours: &mut Ours) -> Result<(), ProcessError> {
    let wanted: Vec<PathBuf> = ours.directories().map(Path::to_owned).collect();
    wanted.into_iter().try_for_each(|path| {
        private_dir(&path).map_err(|source| {
            ours.disown(&path);
            ProcessError::Scratch { path, source }
        })
    })
}

/// Makes `base` if absent, and refuses one that others could have prepared or can look into.
fn secure_base(base: &Path) -> Result<(), ProcessError> {
    let failed = |source| ProcessError::Scratch { path: base.to_owned(), source };
    match private_dir(base) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let meta = fs::symlink_metadata(base).map_err(failed)?;
    let refuse = |why: &'static str| Err(ProcessError::Untrusted { path: base.to_owned(), why });
    match (meta.is_dir(), meta.uid() == rustix::process::geteuid().as_raw(), meta.mode() & 0o077) {
        (false, _, _) => refuse("is not a directory"),
        (_, false, _) => refuse("belongs to another user"),
        (_, _, 0) => Ok(()),
        (_, _, _) => refuse("is open to other users"),
    }
}

fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Unpacked images hold directories without write permission, which even their owner cannot empty.
fn make_writable(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    below.for_each(|entry| make_writable(&entry.path()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        (dir, base)
    }

    #[test]
    fn a_directory_is_private_and_goes_with_its_base() {
        let (_dir, base) = base();
        let scratch = Scratch::create(&base, &Ours::new(marker("a"))).unwrap();
        let other = Scratch::create(&base, &Ours::new(marker("a"))).unwrap();
        assert_ne!(scratch.path(), other.path());
        assert_eq!(fs::metadata(scratch.path()).unwrap().mode() & 0o777, 0o700);
        assert!(stale(&base).unwrap().is_empty(), "this process is alive");
        fs::create_dir(scratch.tmp().join("locked")).unwrap();
        fs::set_permissions(scratch.tmp().join("locked"), fs::Permissions::from_mode(0o500)).unwrap();
        let mut left = Vec::new();
        assert!(scratch.remove(&mut left) && base.exists());
        assert!(other.remove(&mut left) && !base.exists());
        assert_eq!(left, [""; 0]);
    }

    #[test]
    fn a_base_others_can_reach_is_refused() {
        let (_dir, base) = base();
        fs::create_dir(&base).unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
        let error = Scratch::create(&base, &Ours::new(marker("a"))).unwrap_err();
        assert!(matches!(error, ProcessError::Untrusted { .. }), "{error}");
        fs::remove_dir(&base).unwrap();
        std::os::unix::fs::symlink("/tmp", &base).unwrap();
        let error = Scratch::create(&base, &Ours::new(marker("a"))).unwrap_err();
        assert!(matches!(error, ProcessError::Untrusted { .. }), "{error}");
    }

    #[test]
    fn no_marker_begins_another() {
        let markers: Vec<String> = (0..20).map(|_| marker("a.b")).collect();
        let begins = |one: &String| markers.iter().filter(|other| other.starts_with(one.as_str())).count();
        assert!(markers.iter().all(|one| begins(one) == 1), "{markers:?}");
        assert!(markers[0].starts_with("a_b."));
    }
}
