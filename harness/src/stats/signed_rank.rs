//! Wilcoxon's signed-rank test inverted: an estimate and interval of the centre of paired differences.
//!
//! The ends are Walsh averages (means of two differences, each with itself included), chosen by the exact distribution
//! of the test's statistic. The interval is closed, so ties and zeros among the differences need no special treatment:
//! they can only make it wider than necessary, never too narrow, and no difference is dropped.

use super::{Interval, Method, cut, median, sorted, tail};

/// The centre of a sample: the median of its Walsh averages. None of an empty sample.
#[must_use]
pub fn hodges_lehmann(differences: &[f64]) -> Option<f64> {
    median(&walsh_averages(differences))
}

/// [`hodges_lehmann`] with its exact interval; none where the sample is too small for `level`.
#[must_use]
pub fn signed_rank(differences: &[f64], level: f64) -> Option<Interval> {
    let k = differences.len();
    let (cut, missed) = cut(null_distribution(k).into_iter(), tail(level))?;
    let averages = sorted(&walsh_averages(differences));
    let estimate = median(&averages)?;
    let (lo, hi) = (averages[cut], averages[averages.len() - 1 - cut]);
    Some(Interval { estimate, lo, hi, level, achieved: 1.0 - 2.0 * missed, k, method: Method::SignedRank })
}

/// The ratio of paired costs, `(cost, baseline's cost)`: [`signed_rank`] on the logarithms.
///
/// A pair without a logarithm (a clock that did not move) does not count towards `k`.
#[must_use]
pub fn ratio(pairs: &[(f64, f64)], level: f64) -> Option<Interval> {
    signed_rank(&log_ratios(pairs), level).map(|interval| interval.rescaled(f64::exp))
}

/// The estimate of [`ratio`] alone, which needs but one pair, and the number of pairs it rests on.
#[must_use]
pub fn ratio_estimate(pairs: &[(f64, f64)]) -> Option<(f64, usize)> {
    let logs = log_ratios(pairs);
    Some((hodges_lehmann(&logs)?.exp(), logs.len()))
}

fn log_ratios(pairs: &[(f64, f64)]) -> Vec<f64> {
    pairs.iter().map(|(cost, baseline)| (cost / baseline).ln()).filter(|log| log.is_finite()).collect()
}

fn walsh_averages(values: &[f64]) -> Vec<f64> {
    values.iter().enumerate().flat_map(|(i, a)| values[i..].iter().map(move |b| f64::midpoint(*a, *b))).collect()
}

/// P(T = 0), P(T = 1), .. of the signed-rank statistic of `k` differences without effect: each rank 1..=k is counted or
/// not, as a coin falls.
fn null_distribution(k: usize) -> Vec<f64> {
    let mut mass = vec![0.0; k * (k + 1) / 2 + 1];
    mass[0] = 1.0;
    let mut largest = 0;
    for rank in 1..=k {
        largest += rank;
        for sum in (0..=largest).rev() {
            let with_rank = if sum >= rank { mass[sum - rank] } else { 0.0 };
            mass[sum] = f64::midpoint(mass[sum], with_rank);
        }
    }
    mass
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_distribution_is_that_of_the_tables() {
        // Hollander and Wolfe, table A.4: P(T <= 2) = 0.023 for k = 7, P(T <= 8) = 0.024 for k = 10.
        let lower = |k: usize, t: usize| null_distribution(k)[..=t].iter().sum::<f64>();
        assert!((lower(7, 2) - 3.0 / 128.0).abs() < 1e-15);
        assert!((lower(10, 8) - 25.0 / 1024.0).abs() < 1e-15);
        assert!((lower(60, 60 * 61 / 2) - 1.0).abs() < 1e-12);
    }
}
