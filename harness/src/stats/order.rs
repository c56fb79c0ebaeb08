//! The sign test inverted: an interval of the median whatever the distribution.

use super::{Interval, Method, cut, quantile_of_sorted, sorted, tail};

/// The median with its exact interval, a pair of order statistics; none where the sample is too small for `level`.
#[must_use]
pub fn median_interval(values: &[f64], level: f64) -> Option<Interval> {
    let k = values.len();
    let (cut, missed) = cut(coin_tosses(k).into_iter(), tail(level))?;
    let ordered = sorted(values);
    let estimate = quantile_of_sorted(&ordered, 0.5)?;
    let (lo, hi) = (ordered[cut], ordered[k - 1 - cut]);
    Some(Interval { estimate, lo, hi, level, achieved: 1.0 - 2.0 * missed, k, method: Method::OrderStatistics })
}

/// P(0 heads), P(1 head), .. of `k` tosses.
fn coin_tosses(k: usize) -> Vec<f64> {
    let mut mass = vec![0.0; k + 1];
    mass[0] = 1.0;
    for toss in 1..=k {
        for heads in (0..=toss).rev() {
            let one_less = if heads > 0 { mass[heads - 1] } else { 0.0 };
            mass[heads] = f64::midpoint(mass[heads], one_less);
        }
    }
    mass
}
