//! Signals as something to poll: each SIGINT, SIGTERM or SIGHUP makes a descriptor readable.

use std::{
    cell::Cell,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2},
    flag, low_level,
};

use super::procfs;

/// Counts the requests to stop.
#[derive(Debug)]
pub(super) struct Bell {
    pipe: UnixStream,
    rung: Cell<u32>,
}

impl Bell {
    /// From here on the signals no longer end this process.
    pub(super) fn install() -> io::Result<Self> {
        let (pipe, write) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // `nohup` and a background job's shell chose to ignore it: their choice stands.
            if !procfs::ignores_signal(signal) {
                low_level::pipe::register(signal, write.try_clone()?)?;
            }
        }
        // Were SIGCHLD ignored, as some parents leave it, the kernel would reap children before anyone reads their status.
        // Apptainer tells the parent of a starting instance by SIGUSR1 or SIGUSR2 how that went; where the starter has been
        // ended meanwhile, the parent is this process.
        for signal in [SIGCHLD, SIGUSR1, SIGUSR2] {
            flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        Ok(Self { pipe, rung: Cell::new(0) })
    }

    /// How often it has rung so far.
    pub(super) fn count(&self) -> u32 {
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = (&self.pipe).read(&mut bytes) {
            self.rung.set(self.rung.get().saturating_add(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        self.rung.get()
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
