//! Tails: how long single repetitions take, at their slowest.

use serde::{Deserialize, Serialize};

use crate::{bytes::Bytes, kernel::Kernel};

/// Most repetitions in a trace.
pub const MOST: u32 = 4096;
/// Fewest, however long one takes.
pub const FEWEST: u32 = 4;

/// Repetitions of one cell timed one by one, apart from all batches and after them. Describes; decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What was traced.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Repetitions: a tail that is longer than 1 in this many was not seen.
    pub repetitions: u32,
    /// Time of a repetition (a round trip, a window, a call) that half did not exceed, ns.
    pub p50: u64,
    /// That 90 % did not exceed.
    pub p90: u64,
    /// That 99 % did not exceed.
    pub p99: u64,
    /// That 99.9 % did not exceed.
    pub p999: u64,
    /// The longest.
    pub max: u64,
    /// What timing added to each, ns.
    pub timer: u64,
}

impl Trace {
    /// The trace of the repetitions in `ns`; none of none.
    #[must_use]
    pub fn of(kernel: Kernel, bytes: Bytes, ns: &[u64], timer: u64) -> Option<Self> {
        let mut sorted = ns.to_vec();
        sorted.sort_unstable();
        let max = *sorted.last()?;
        // The smallest value that at least this many per mille do not exceed.
        let below = |per_mille: usize| sorted[(sorted.len() * per_mille).div_ceil(1000).max(1) - 1];
        let [p50, p90, p99, p999] = [500, 900, 990, 999].map(below);
        let repetitions = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
        Some(Trace { kernel, bytes, repetitions, p50, p90, p99, p999, max, timer })
    }
}

/// How many repetitions of `repetition_ns` are traced in about `budget_ns`.
#[must_use]
pub fn count(repetition_ns: f64, budget_ns: f64) -> u32 {
    let fit = (budget_ns / repetition_ns.max(1.0)).clamp(0.0, f64::from(MOST));
    (fit as u32).max(FEWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let ns: Vec<u64> = (1..=1000).rev().collect();
        let trace = Trace::of(Kernel::Latency, Bytes(8), &ns, 25).unwrap();
        assert_eq!([trace.p50, trace.p90, trace.p99, trace.p999, trace.max], [500, 900, 990, 999, 1000]);
        let one = Trace::of(Kernel::Latency, Bytes(8), &[7], 25).unwrap();
        assert_eq!([one.p50, one.p999, one.max], [7, 7, 7]);
        assert_eq!(Trace::of(Kernel::Latency, Bytes(8), &[], 25), None);
    }

    #[test]
    fn a_trace_takes_as_many_as_fit_within_bounds() {
        assert_eq!([count(500.0, 5e6), count(1e3, 1e6), count(1e9, 5e6), count(0.0, 5e6)], [4096, 1000, 4, 4096]);
    }
}
