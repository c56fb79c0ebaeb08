//! The sign test, inverted: an interval for a median from order statistics alone.
//!
//! It assumes nothing but independence, and is as quick for thousands of values as for ten, where the signed-rank test
//! counts pairs of values.

use super::{Interval, Method, median, share::at_most, sorted, tail};

/// The median with its exact interval; none where the sample is too small for `level`.
#[must_use]
pub fn sign(values: &[f64], level: f64) -> Option<Interval> {
    let k = values.len();
    let missed = |cut: usize| at_most(cut, k, 0.5);
    let cut = (0..k / 2).take_while(|cut| missed(*cut) <= tail(level)).last()?;
    let sorted = sorted(values);
    let (lo, hi, achieved) = (sorted[cut], sorted[k - 1 - cut], 1.0 - 2.0 * missed(cut));
    Some(Interval { estimate: median(values)?, lo, hi, level, achieved, k, method: Method::Sign })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Conover, table A3 (binomial, p = 1/2): P(B <= 1) = 0.0107 for n = 10, P(B <= 2) = 0.0547; P(B <= 5) = 0.0207 for n = 20.
        let of = |n: i32| (1..=n).map(f64::from).collect::<Vec<_>>();
        let ends = |n: i32| sign(&of(n), 0.95).map(|interval| (interval.lo, interval.hi));
        assert_eq!([5, 6, 10, 20].map(ends), [None, Some((1.0, 6.0)), Some((2.0, 9.0)), Some((6.0, 15.0))]);
        let achieved = sign(&of(10), 0.95).unwrap().achieved;
        assert!((achieved - (1.0 - 22.0 / 1024.0)).abs() < 1e-12, "{achieved}");
        assert!(sign(&of(5000), 0.95).is_some_and(|interval| interval.hi - interval.lo < 150.0));
    }
}
