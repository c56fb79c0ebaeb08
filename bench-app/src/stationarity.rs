//! When a visit's batches have settled: the one rule of warm-up, the same in every mode.

/// Median, NaN of nothing.
#[must_use]
pub fn median(ns: &[u64]) -> f64 {
    let mut sorted = ns.to_vec();
    sorted.sort_unstable();
    let middle = |at: usize| sorted.get(at).map_or(f64::NAN, |ns| *ns as f64);
    (middle(sorted.len().saturating_sub(1) / 2) + middle(sorted.len() / 2)) / 2.0
}
