//! Many comparisons at once.

/// The p values of a family of tests, adjusted by Holm's step-down method: to call those at most 5 % significant is wrong
/// about any of them in at most 5 % of families, however the tests depend on each other (Holm 1979).
#[must_use]
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|a, b| ps[*a].total_cmp(&ps[*b]));
    let (mut adjusted, mut largest) = (vec![0.0; ps.len()], 0.0_f64);
    for (rank, index) in order.into_iter().enumerate() {
        largest = largest.max(((ps.len() - rank) as f64 * ps[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}
