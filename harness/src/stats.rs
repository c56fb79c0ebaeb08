//! Statistics over launches: pure functions of slices of numbers, exact and free of assumptions about distributions.
//!
//! The launch is the unit: what goes in is one number a launch, or one a pair of launches. Intervals are exact for small
//! samples and absent where a sample is too small for the level asked for; there is no approximation to fall back on.

mod order;
mod signed_rank;

use serde::{Deserialize, Serialize};

pub use order::median_interval;
pub use signed_rank::{hodges_lehmann, ratio, ratio_estimate, signed_rank};

/// A figure with the range of values that the data do not contradict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure.
    pub estimate: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// The confidence asked for, such as 0.95.
    pub level: f64,
    /// The confidence that this sample gives: exact intervals come in steps, and the next step above `level` is taken.
    pub achieved: f64,
    /// Launches, or pairs of launches, it rests on.
    pub k: usize,
    /// How estimate and ends were found.
    pub method: Method,
}

impl Interval {
    /// Whether `value` lies within, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// Estimate and ends on another scale; `rising` has to be an increasing function, which keeps the coverage.
    #[must_use]
    pub fn rescaled(self, rising: impl Fn(f64) -> f64) -> Self {
        Self { estimate: rising(self.estimate), lo: rising(self.lo), hi: rising(self.hi), ..self }
    }
}

/// How an [`Interval`] was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Hodges-Lehmann estimate with the inverted exact Wilcoxon signed-rank test.
    SignedRank,
    /// Median with the inverted exact sign test: a pair of order statistics.
    OrderStatistics,
}

impl Method {
    /// What it is called in the literature.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Method::SignedRank => "Hodges-Lehmann estimate, exact Wilcoxon signed-rank interval",
            Method::OrderStatistics => "median, exact order-statistic (sign test) interval",
        }
    }
}

/// The smallest sample for which either kind of interval exists at `level`: 6 for 95 %.
///
/// The widest interval both can give is the whole range of the data; it misses with probability 2 / 2^k.
#[must_use]
pub fn smallest_sample(level: f64) -> usize {
    (1..).find(|k| 0.5_f64.powi(*k) <= tail(level)).and_then(|k| usize::try_from(k).ok()).unwrap_or(usize::MAX)
}

/// Probability that may be missed on one side.
fn tail(level: f64) -> f64 {
    (1.0 - level) / 2.0
}

/// The median; the mean of the two middle values of an even sample.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The quantile `q` in 0..=1 by linear interpolation between order statistics: Hyndman and Fan's type 7, the default of
/// R and NumPy. None of an empty sample.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    quantile_of_sorted(&sorted(values), q)
}

/// [`quantile`] of values that are sorted already.
#[must_use]
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let (lo, hi) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(lo + (hi - lo) * (place - below as f64))
}

/// A sorted copy; NaN, which no caller should hold, sorts last.
#[must_use]
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// How many values are cut off at each end of `total` ordered candidates, given P(statistic = 0), P(statistic = 1), ..
/// of the test that is inverted, and the probability of missing on one side that results. None where even the whole
/// range misses too often.
fn cut(mass: impl Iterator<Item = f64>, tail: f64) -> Option<(usize, f64)> {
    let cumulated = mass.scan(0.0, |sum, p| {
        *sum += p;
        Some(*sum)
    });
    cumulated.take_while(|missed| *missed <= tail).enumerate().last()
}

#[cfg(test)]
mod tests;
