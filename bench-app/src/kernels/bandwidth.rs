//! A window of messages one way, then an empty reply, K times.
//!
//! The window is received into distinct buffers: 64 receives into one would let the library overlap what no program can.

use super::Repeat;
use crate::mpi_ffi::{Incoming, IncomingWindow, MpiError, Outgoing, OutgoingWindow};

/// Rank 0: sends the window.
pub(crate) struct Source<'a> {
    pub(crate) window: OutgoingWindow<'a>,
    pub(crate) reply: Incoming<'a>,
}

impl Repeat for Source<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.window.send();
            self.reply.receive()?;
        }
        Ok(())
    }
}

/// Rank 1: receives it.
pub(crate) struct Sink<'a> {
    pub(crate) window: IncomingWindow<'a>,
    pub(crate) reply: Outgoing<'a>,
}

impl Repeat for Sink<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.window.receive();
            self.reply.send()?;
        }
        Ok(())
    }
}
