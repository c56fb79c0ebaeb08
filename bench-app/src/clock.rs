//! The only clock: monotonic, in nanoseconds.

use std::time::{Duration, Instant};

/// A moment to measure from.
#[derive(Clone, Copy)]
pub(crate) struct Start(Instant);

impl Start {
    /// Now.
    #[inline(always)]
    #[expect(clippy::disallowed_methods, reason = "bench-app's clock lives here")]
    pub(crate) fn now() -> Start {
        Start(Instant::now())
    }

    /// Nanoseconds since then.
    #[inline(always)]
    pub(crate) fn ns(self) -> u64 {
        self.elapsed().as_nanos() as u64
    }

    /// Time since then.
    #[inline(always)]
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
