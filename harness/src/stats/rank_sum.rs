//! The rank-sum test of Mann, Whitney and Wilcoxon: the shift between two samples that share no blocks.
//!
//! The candidates are the differences between every value of one sample and every value of the other (Hodges and Lehmann
//! 1963; Moses's interval: Hollander and Wolfe, chapter 4). Exact where the samples differ by a shift alone, whatever their
//! distribution; two runs of one program are not even that, so this is for runs that cannot be paired, and only for them.

use super::{Evidence, Method};

/// What two unpaired samples say about how far `values` lie above `reference`; none without values in both.
#[must_use]
pub fn unpaired(values: &[f64], reference: &[f64]) -> Option<Evidence> {
    let differences: Vec<f64> = values.iter().flat_map(|a| reference.iter().map(move |b| a - b)).collect();
    let k = values.len().min(reference.len());
    Evidence::new(&differences, null_distribution(values.len(), reference.len()), k, Method::RankSum)
}

/// P(U = 0), P(U = 1), .. of the Mann-Whitney statistic of samples of `m` and `n` values without effect.
///
/// The largest of all values belongs to the first sample with probability m / (m + n), and then exceeds all n of the other:
/// a sum of positive terms, so that nothing cancels (Mann and Whitney 1947, equation 1).
fn null_distribution(m: usize, n: usize) -> Vec<f64> {
    let mut of_fewer: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for i in 1..=m {
        let mut row: Vec<Vec<f64>> = vec![vec![1.0]];
        for j in 1..=n {
            let first = i as f64 / (i + j) as f64;
            let (largest_in_first, largest_in_second) = (&of_fewer[j], &row[j - 1]);
            let mut mass = vec![0.0; i * j + 1];
            largest_in_first.iter().zip(&mut mass[j..]).for_each(|(p, sum)| *sum += first * p);
            largest_in_second.iter().zip(&mut mass).for_each(|(p, sum)| *sum += (1.0 - first) * p);
            row.push(mass);
        }
        of_fewer = row;
    }
    of_fewer.swap_remove(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_distribution_is_that_of_the_tables() {
        // Mann and Whitney 1947, table I: for 4 and 4, P(U <= 0) = 0.014 and P(U <= 2) = 0.057, which are 1 and 4 of 70.
        let lower = |m: usize, n: usize, u: usize| null_distribution(m, n)[..=u].iter().sum::<f64>();
        assert!((lower(4, 4, 2) - 4.0 / 70.0).abs() < 1e-15);
        assert!((lower(4, 4, 0) - 1.0 / 70.0).abs() < 1e-15);
        assert!((lower(60, 60, 3600) - 1.0).abs() < 1e-12);
        assert!((lower(7, 9, 63) - 1.0).abs() < 1e-14 && (lower(7, 9, 31) - 0.5).abs() < 1e-14, "symmetric");
    }
}
