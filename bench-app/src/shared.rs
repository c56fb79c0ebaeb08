//! A file mapped into memory that several processes read and write as atomic words.
#![expect(unsafe_code, reason = "mapping memory and waiting on it take raw system calls")]

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    ptr::NonNull,
    sync::atomic::AtomicU32,
    time::Duration,
};

use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    thread::futex,
};

/// Words of a mapping, at most: one page.
const MOST: usize = 1024;

/// `words` atomic words in a file, shared with every process that maps it. Ends with the last mapping and the file's name.
#[derive(Debug)]
pub struct Shared {
    base: NonNull<AtomicU32>,
    words: usize,
}

// SAFETY: the memory is reached through atomics only.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Makes the file at `path`, for its owner alone, and maps it. All words are 0.
    ///
    /// # Errors
    /// It exists already or cannot be made.
    pub fn create(path: &Path, words: usize) -> io::Result<Shared> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.set_len((words * size_of::<AtomicU32>()) as u64)?;
        Self::map(&file, words)
    }

    /// Maps the file at `path`.
    ///
    /// # Errors
    /// It is not there, or shorter than `words`.
    pub fn open(path: &Path, words: usize) -> io::Result<Shared> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() < (words * size_of::<AtomicU32>()) as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than what it should hold"));
        }
        Self::map(&file, words)
    }

    fn map(file: &File, words: usize) -> io::Result<Shared> {
        assert!(words > 0 && words <= MOST, "a mapping is at most a page");
        let len = words * size_of::<AtomicU32>();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place of its own; nothing else points there.
        let base = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, file, 0) }?;
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Shared { base, words })
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU32] {
        // SAFETY: the mapping is `words` words long and page-aligned, lives until `self` is dropped, and is only ever
        // reached through atomics. Other processes do the same; a file cut short meanwhile ends this process by a signal.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.words) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; no reference outlives `self`.
        unsafe { munmap(self.base.as_ptr().cast(), self.words * size_of::<AtomicU32>()) }.ok();
    }
}

/// Sleeps until `word` is woken, unless it is not `seen` (any more); at most for `longest`.
pub fn wait(word: &AtomicU32, seen: u32, longest: Duration) {
    let longest = futex::Timespec { tv_sec: longest.as_secs().cast_signed(), tv_nsec: longest.subsec_nanos().into() };
    // Every way in which this returns means the same: look again.
    futex::wait(word, futex::Flags::empty(), seen, Some(&longest)).ok();
}

/// Wakes everybody who sleeps on `word`.
pub fn wake(word: &AtomicU32) {
    // The number of the woken is of no use, and a mapped word cannot be a bad address.
    futex::wake(word, futex::Flags::empty(), i32::MAX.unsigned_abs()).ok();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn two_mappings_are_one_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("words");
        let one = Shared::create(&path, 4).unwrap();
        let two = Shared::open(&path, 4).unwrap();
        one.words()[3].store(7, Ordering::Release);
        assert_eq!(two.words().iter().map(|word| word.load(Ordering::Acquire)).collect::<Vec<_>>(), [0, 0, 0, 7]);
        assert_eq!(Shared::create(&path, 4).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(Shared::open(&path, 5).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_sleeper_is_woken_and_otherwise_wakes_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let shared = Shared::create(&directory.path().join("word"), 1).unwrap();
        let word = &shared.words()[0];
        wait(word, 1, Duration::from_secs(60));
        wait(word, 0, Duration::from_millis(1));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Ordering::Acquire) == 0 {
                    wait(word, 0, Duration::from_secs(60));
                }
            });
            word.store(1, Ordering::Release);
            wake(word);
        });
    }
}
