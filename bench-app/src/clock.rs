//! The only clock: monotonic, in nanoseconds, the same for all processes of a node.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some moment before the node's first process. A reading takes 20-30 ns.
#[inline(always)]
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A moment to measure from.
#[derive(Debug, Clone, Copy)]
pub struct Start(u64);

impl Start {
    /// Now.
    #[inline(always)]
    #[must_use]
    pub fn now() -> Start {
        Start(now())
    }

    /// Nanoseconds since then.
    #[inline(always)]
    #[must_use]
    pub fn ns(self) -> u64 {
        now() - self.0
    }

    /// Time since then.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Duration::from_nanos(self.ns())
    }
}

/// What two readings one after the other are apart, ns, in the middle: what a timestamp adds to what is timed.
#[must_use]
pub fn cost() -> u64 {
    let mut apart: [u64; 101] = std::array::from_fn(|_| Start::now().ns());
    apart.sort_unstable();
    apart[apart.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_forward_and_is_quick_to_read() {
        let start = Start::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(start.ns() >= 2_000_000 && start.elapsed() < Duration::from_secs(60));
        assert!(cost() < 100_000, "{} ns", cost());
    }
}
