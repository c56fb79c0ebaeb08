//! Statistics over launches: pure functions of slices of numbers, exact and free of assumptions about distributions.
//!
//! The launch is the unit: what goes in is one number a launch, or one a pair of launches. What decides is exact for small
//! samples and absent where a sample is too small for the level asked for; there is no approximation to fall back on. The
//! bootstrap describes absolute values and decides nothing.

mod bootstrap;
mod clustered;
mod evidence;
mod holm;
mod judgement;
mod rank_sum;
mod share;
mod sign;
mod signed_rank;

use serde::{Deserialize, Serialize};

pub use bootstrap::bootstrap_median;
pub use clustered::Clustered;
pub use evidence::Evidence;
pub use holm::holm;
pub use judgement::{ALPHA, Finding, Judgement, Margin, Side, judge};
pub use rank_sum::unpaired;
pub use share::Share;
pub use sign::sign;
pub use signed_rank::{hodges_lehmann, log_ratios, paired, signed_rank};

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
    /// Hodges-Lehmann shift with the inverted exact Mann-Whitney test.
    RankSum,
    /// Median with the inverted exact sign test.
    Sign,
    /// Median with expanded percentiles of a bootstrap over launches: for absolute values, never for decisions.
    Bootstrap,
}

impl Method {
    /// What it is called in the literature.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Method::SignedRank => "Hodges-Lehmann estimate, exact Wilcoxon signed-rank interval",
            Method::RankSum => "Hodges-Lehmann shift, exact Mann-Whitney (Moses) interval",
            Method::Sign => "median, exact sign test's interval",
            Method::Bootstrap => "median, expanded percentile bootstrap over launches",
        }
    }

    /// The fewest launches, or pairs of launches, or launches on each side, whose two-sided p can be as small as `p`.
    ///
    /// The most extreme result of `k` pairs has p = 2 / 2^k, that of `k` launches on each side p = 2 / (2k over k).
    #[must_use]
    pub fn fewest(self, p: f64) -> usize {
        let step = |k: f64| match self {
            Method::SignedRank | Method::Sign | Method::Bootstrap => 0.5,
            Method::RankSum => k / (2.0 * (2.0 * k - 1.0)),
        };
        let smallest = (1..).scan(2.0, |smallest, k| {
            *smallest *= step(f64::from(k));
            Some(*smallest)
        });
        1 + smallest.take_while(|smallest| *smallest > p).count()
    }
}

/// The smallest sample of paired values for which an interval exists at `level`: 6 for 95 %.
#[must_use]
pub fn smallest_sample(level: f64) -> usize {
    Method::SignedRank.fewest(1.0 - level)
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

#[cfg(test)]
mod tests;
