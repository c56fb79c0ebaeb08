//! Wilcoxon's signed-rank test: the centre of paired differences.
//!
//! The candidates are Walsh averages, means of two differences, each with itself included (Hodges and Lehmann 1963,
//! Hollander and Wolfe, chapter 3).

use super::{Evidence, Interval, Method};

/// What paired differences say about their centre; none without any.
#[must_use]
pub fn paired(differences: &[f64]) -> Option<Evidence> {
    let k = differences.len();
    Evidence::new(&walsh_averages(differences), null_distribution(k), k, Method::SignedRank)
}

/// The centre of paired differences: the median of their Walsh averages. None of an empty sample.
#[must_use]
pub fn hodges_lehmann(differences: &[f64]) -> Option<f64> {
    super::median(&walsh_averages(differences))
}

/// [`hodges_lehmann`] with its exact interval; none where the sample is too small for `level`.
#[must_use]
pub fn signed_rank(differences: &[f64], level: f64) -> Option<Interval> {
    paired(differences)?.interval(level)
}

/// The logarithms of paired costs, `(cost, baseline's cost)`, over each other. A pair without one (a clock that did not
/// move) is left out.
#[must_use]
pub fn log_ratios(pairs: &[(f64, f64)]) -> Vec<f64> {
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
