//! The one room of bench-app that calls the kernel past the standard library. Everything it hands out is safe.
#![expect(unsafe_code, reason = "memory of other processes is read through a raw system call")]

use std::{
    io,
    path::Path,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    fs::{stat, statvfs},
    process::{DumpableBehavior, PTracer, Resource, dumpable_behavior, getrlimit, set_ptracer},
};

use crate::facts::ReadPeer;

/// A file system, as far as it matters. All 0 where it cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Device number.
    pub device: u64,
    /// Bytes in all.
    pub total: u64,
    /// Bytes an ordinary user may still take.
    pub free: u64,
}

/// The file system that `path` is on.
#[must_use]
pub fn space(path: &Path) -> Space {
    let (Ok(file), Ok(system)) = (stat(path), statvfs(path)) else { return Space::default() };
    Space { device: file.st_dev, total: system.f_blocks * system.f_frsize, free: system.f_bavail * system.f_frsize }
}

/// Whether this process may be traced.
#[must_use]
pub fn dumpable() -> bool {
    dumpable_behavior().is_ok_and(|behaviour| behaviour == DumpableBehavior::Dumpable)
}

/// Limit on locked memory, bytes; none where unlimited.
#[must_use]
pub fn memlock() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// Size of the last cache before memory that this process's CPUs have, bytes, where the kernel tells.
#[must_use]
pub fn last_level_cache() -> Option<u64> {
    let cpu = rustix::thread::sched_getcpu();
    let caches = std::fs::read_dir(format!("/sys/devices/system/cpu/cpu{cpu}/cache")).ok()?;
    let read = |path: &Path, name: &str| std::fs::read_to_string(path.join(name)).ok();
    let cache = |path: &Path| {
        let level: u32 = read(path, "level")?.trim().parse().ok()?;
        Some((level, read(path, "size")?.trim().strip_suffix('K')?.parse::<u64>().ok()? << 10))
    };
    caches.flatten().filter_map(|entry| cache(&entry.path())).max().map(|(_, bytes)| bytes)
}

/// What a reader must find. It lies in this process's memory for as long as it lives.
static MAGIC: AtomicU64 = AtomicU64::new(MAGIC_VALUE);
const MAGIC_VALUE: u64 = 0x5ca1_ab1e_dead_beef;

/// Where this process keeps a value that a reader knows.
#[must_use]
pub fn magic_address() -> u64 {
    MAGIC.as_ptr().addr() as u64
}

/// Lets every process that may otherwise do so read this one's memory, as far as Yama is concerned.
pub fn allow_reading() {
    // Without Yama there is nothing to allow, and the call says so.
    set_ptracer(PTracer::Any).ok();
}

/// Reads the value that process `pid` keeps at `address`.
#[must_use]
pub fn read_peer(pid: u32, address: u64) -> ReadPeer {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return ReadPeer::NoProcess };
    let value = AtomicU64::new(0);
    let here = libc::iovec { iov_base: value.as_ptr().cast(), iov_len: size_of::<u64>() };
    let there = libc::iovec { iov_base: ptr::without_provenance_mut(address as usize), iov_len: size_of::<u64>() };
    // SAFETY: the kernel writes at most eight bytes, into `value`; the other address means nothing in this process.
    let read = unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
    if read == size_of::<u64>() as isize {
        return if value.load(Ordering::Relaxed) == MAGIC_VALUE { ReadPeer::Ok } else { ReadPeer::WrongValue };
    }
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EPERM) => ReadPeer::Denied,
        Some(libc::ESRCH) => ReadPeer::NoProcess,
        // The number may name a process that has nothing at that address.
        Some(libc::EFAULT) => ReadPeer::WrongValue,
        errno => ReadPeer::Errno(errno.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_read_itself_and_knows_wrong_memory() {
        allow_reading();
        assert_eq!(read_peer(std::process::id(), magic_address()), ReadPeer::Ok);
        let other = AtomicU64::new(1);
        assert_eq!(read_peer(std::process::id(), other.as_ptr().addr() as u64), ReadPeer::WrongValue);
        assert_eq!(read_peer(std::process::id(), 8), ReadPeer::WrongValue);
        assert_eq!(read_peer(i32::MAX.unsigned_abs(), magic_address()), ReadPeer::NoProcess);
        assert_eq!(read_peer(u32::MAX, magic_address()), ReadPeer::NoProcess);
    }

    #[test]
    fn file_systems_have_a_size_and_absent_ones_none() {
        assert!(space(Path::new("/")).total > 0);
        assert_eq!(space(Path::new("/nowhere")), Space::default());
    }
}
