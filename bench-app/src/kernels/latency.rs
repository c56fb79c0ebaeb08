//! Ping-pong: one message there, one back, K times.

use super::Repeat;
use crate::mpi_ffi::{Incoming, MpiError, Outgoing};

/// Rank 0: sends first.
pub(crate) struct Ping<'a> {
    pub(crate) there: Outgoing<'a>,
    pub(crate) back: Incoming<'a>,
}

impl Repeat for Ping<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.there.send()?;
            self.back.receive()?;
        }
        Ok(())
    }
}

/// Rank 1: answers.
pub(crate) struct Pong<'a> {
    pub(crate) there: Incoming<'a>,
    pub(crate) back: Outgoing<'a>,
}

impl Repeat for Pong<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.there.receive()?;
            self.back.send()?;
        }
        Ok(())
    }
}
