//! An exact rank test, inverted: the one shape behind every estimate, interval and p value that decides something.
//!
//! Each of the tests counts ordered *candidates* for the effect (means of two pairs' differences, differences of two launches):
//! its statistic is how many of them lie below a value, and its distribution without effect is known exactly.
//! From both follow the estimate (the middle candidate), the interval (the candidates that are not cut off) and p, which
//! agree with each other by construction: p <= 5 % where the 95 % interval excludes the value, and only there.
//!
//! Candidates that tie with a value count against rejecting it, so ties and zeros need no special treatment: they can only
//! make an interval wider than necessary and p larger, and no launch is dropped.

use super::{Interval, Method, quantile_of_sorted, sorted, tail};

/// What a sample says about an effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    candidates: Vec<f64>,
    /// P(statistic <= 0), P(statistic <= 1), .. without effect.
    cumulated: Vec<f64>,
    k: usize,
    method: Method,
}

impl Evidence {
    /// From the candidates and P(statistic = 0), P(statistic = 1), .. without effect: one more than there are candidates.
    /// None without candidates.
    pub(super) fn new(candidates: &[f64], mass: Vec<f64>, k: usize, method: Method) -> Option<Self> {
        debug_assert_eq!(candidates.len() + 1, mass.len(), "a count lies between none and all");
        let sum = |sum: &mut f64, p: f64| {
            *sum += p;
            Some(*sum)
        };
        let cumulated = mass.into_iter().scan(0.0, sum).collect();
        (!candidates.is_empty()).then(|| Self { candidates: sorted(candidates), cumulated, k, method })
    }

    /// The effect.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        quantile_of_sorted(&self.candidates, 0.5).unwrap_or_else(|| unreachable!("there is a candidate"))
    }

    /// Launches, or pairs of launches, it rests on; of two samples the smaller.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// How it was found.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The effects that the sample does not contradict; none where even the whole range of candidates misses too often.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let cut = self.cumulated.iter().take_while(|missed| **missed <= tail(level)).count().checked_sub(1)?;
        let (lo, hi) = (self.candidates[cut], self.candidates[self.candidates.len() - 1 - cut]);
        let achieved = 1.0 - 2.0 * self.cumulated[cut];
        Some(Interval { estimate: self.estimate(), lo, hi, level, achieved, k: self.k, method: self.method })
    }

    /// Two-sided p of no effect.
    #[must_use]
    pub fn p(&self) -> f64 {
        (2.0 * self.p_above(0.0).min(self.p_below(0.0))).min(1.0)
    }

    /// The p of Schuirmann's two one-sided tests, that the effect is as large as `margin` or larger, either way: at most
    /// 5 % where the 90 % interval lies within the margins, and only there.
    #[must_use]
    pub fn p_beyond(&self, margin: f64) -> f64 {
        self.p_above(-margin).max(self.p_below(margin))
    }

    /// One-sided p against an effect above `value`: small where it does lie above.
    fn p_above(&self, value: f64) -> f64 {
        self.cumulated[self.candidates.partition_point(|candidate| *candidate <= value)]
    }

    /// One-sided p against an effect below `value`: small where it does lie below.
    fn p_below(&self, value: f64) -> f64 {
        self.cumulated[self.candidates.len() - self.candidates.partition_point(|candidate| *candidate < value)]
    }
}
