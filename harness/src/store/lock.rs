//! Who may write a run: whoever made its file `lock`, which names him.
//!
//! Not flock: parallel file systems ignore it, or keep it to one node. Making a file that must not exist is atomic
//! everywhere, and the file outlives its maker, so a dead one is told from a living one by what it says.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{
    disk,
    error::{StoreError, failed},
};
use crate::process::{Owner, Standing};

/// The file's name.
pub(super) const LOCK: &str = "lock";
/// Held by whoever removes the lock of a dead harness.
const CLAIM: &str = ".lock-claim";
/// A lock may come and go between looking and taking, but not for ever.
const TRIES: u32 = 8;

/// The right to write one run. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    text: String,
}

impl Lock {
    /// Takes the lock of `dir`; that of a dead owner is removed first.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        let here = Owner::this_process();
        let path = dir.join(LOCK);
        let text = serde_json::to_string(&here).unwrap_or_else(|error| unreachable!("plain data: {error}")) + "\n";
        let mut owner = "another harness".to_owned();
        for _ in 0..TRIES {
            match disk::write_new(&path, text.as_bytes()) {
                Ok(()) => return Ok(Self { path, text }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("lock", &path)(error)),
            }
            let Some(found) = read(&path).map_err(failed("read", &path))? else { continue };
            let Ok(holder) = serde_json::from_str::<Owner>(&found) else { break };
            owner = holder.to_string();
            match holder.standing(&here) {
                Standing::Leave => break,
                Standing::Dead | Standing::BeforeBoot => take_away(&path, &found)?,
            }
        }
        Err(StoreError::Locked { lock: path, owner })
    }

    /// The same lock, whose directory has been renamed to `dir`.
    pub(super) fn moved_to(mut self, dir: &Path) -> Self {
        self.path = dir.join(LOCK);
        self
    }

    /// Proves that the lock is still ours.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match read(&self.path).map_err(failed("read", &self.path))? {
            Some(text) if text == self.text => Ok(()),
            Some(_) | None => Err(StoreError::LockLost { lock: self.path.clone() }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.check().is_ok() {
            // A lock that stays behind names a process that is about to be dead.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What the file says, if there is one.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the lock that says `dead`, unless somebody has replaced it since.
///
/// Two harnesses that find the same dead owner must not each remove a lock, the second one that of the first: whoever
/// removes a lock of others holds this second file meanwhile, for an instant. Only processes of one host meet here, as
/// nobody judges another host's owner.
fn take_away(path: &Path, dead: &str) -> Result<(), StoreError> {
    let claim = path.with_file_name(CLAIM);
    match File::create_new(&claim) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(StoreError::Locked { lock: claim, owner: "a harness that replaces a dead one".to_owned() });
        }
        Err(error) => return Err(failed("make", &claim)(error)),
    }
    let removed = match read(path) {
        Ok(Some(text)) if text == dead => fs::remove_file(path),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    fs::remove_file(&claim).map_err(failed("remove", &claim))?;
    removed.map_err(failed("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(change: &[(&str, &str)]) -> String {
        let mut owner = serde_json::to_value(Owner::this_process()).unwrap();
        for (pointer, value) in change {
            *owner.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
        }
        owner.to_string()
    }

    #[test]
    fn a_lock_is_had_by_one_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        lock.check().unwrap();
        let refused = Lock::take(dir.path()).unwrap_err().to_string();
        let owner = format!("is being written by {}", Owner::this_process());
        assert!(refused.contains(&owner) && refused.contains("/lock"), "{refused}");
        lock.check().unwrap();
        drop(lock);
        assert!(!dir.path().join(LOCK).exists());
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn the_lock_of_a_dead_owner_is_taken_and_any_other_respected() {
        let check = |text: &str, free: bool| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(LOCK), text).unwrap();
            match (Lock::take(dir.path()), free) {
                (Ok(lock), true) => lock.check().unwrap(),
                (Err(error @ StoreError::Locked { .. }), false) => {
                    let text = error.to_string();
                    assert!(
                        text.contains("hint: ") && text.contains(dir.path().join(LOCK).to_str().unwrap()),
                        "{text}"
                    );
                    assert!(dir.path().join(LOCK).exists());
                }
                (result, _) => panic!("{text}: {result:?}"),
            }
            let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(names.iter().all(|name| name == LOCK), "{names:?}");
        };
        check(&text_of(&[("/id/start", "1")]), true);
        check(&text_of(&[("/boot", "\"before\"")]), true);
        check(&text_of(&[]), false);
        check(&text_of(&[("/id/start", "1"), ("/host", "\"node7\"")]), false);
        check(&text_of(&[("/id/start", "1"), ("/pid_namespace", "\"pid:[1]\"")]), false);
        check("", false);
        check("{\"half", false);
    }

    #[test]
    fn a_lock_that_was_taken_away_is_noticed_and_left_to_its_new_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK);
        for replacement in [None, Some(text_of(&[("/host", "\"node7\"")]))] {
            let lock = Lock::take(dir.path()).unwrap();
            fs::remove_file(&path).unwrap();
            replacement.iter().for_each(|text| fs::write(&path, text).unwrap());
            assert!(matches!(lock.check(), Err(StoreError::LockLost { .. })));
            drop(lock);
            assert_eq!(path.exists(), replacement.is_some());
        }
    }

    #[test]
    fn who_comes_late_to_a_dead_owner_does_not_remove_the_lock_of_his_successor() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        take_away(&lock.path, "what the dead owner wrote").unwrap();
        lock.check().unwrap();
    }

    #[test]
    fn a_dead_owner_is_replaced_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(LOCK), text_of(&[("/id/start", "1")])).unwrap();
        fs::write(dir.path().join(CLAIM), "").unwrap();
        let refused = Lock::take(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("replaces a dead one") && refused.contains(CLAIM), "{refused}");
    }

    #[test]
    fn of_many_who_find_a_dead_owner_one_gets_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            fs::write(dir.path().join(LOCK), text_of(&[("/id/start", "1")])).unwrap();
            let takers = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| Lock::take(dir.path()).ok())).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(takers.len(), 1);
        }
    }
}
