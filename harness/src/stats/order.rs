//! The sign test inverted: an interval of the median whatever the distribution.

use super::{Evidence, Interval, Method};

/// The median with its exact interval, a pair of order statistics; none where the sample is too small for `level`.
#[must_use]
pub fn median_interval(values: &[f64], level: f64) -> Option<Interval> {
    let k = values.len();
    Evidence::new(values, coin_tosses(k), k, Method::OrderStatistics)?.interval(level)
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
