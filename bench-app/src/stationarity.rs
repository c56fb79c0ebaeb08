//! When a visit's batches have settled: the one rule of warm-up, the same in every mode.

use serde::{Deserialize, Serialize};

/// Fewest batches of which a third says anything.
const JUDGED: usize = 9;
/// How far the first third's median may lie from the rest's.
const MARGIN: f64 = 0.05;

/// Whether the batches of a visit came out alike from first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// They did.
    Yes,
    /// They did once more of them were discarded.
    AfterMore,
    /// They did not, and are kept all the same: nothing is deleted for looking odd.
    NotStationary,
    /// They are too few to tell.
    TooFew,
}

/// How many more batches than the `warm_up` already left out of `ns` are to be discarded, and what then is left.
///
/// Batches have settled where the median of the first third lies within 5 % of that of the rest; where it does not, twice
/// the warm-up is discarded, once.
#[must_use]
pub fn settle(ns: &[u64], warm_up: u32) -> (usize, Settled) {
    if ns.len() < JUDGED {
        return (0, Settled::TooFew);
    }
    if is_stationary(ns) {
        return (0, Settled::Yes);
    }
    let more = (2 * warm_up as usize).min(ns.len() - JUDGED);
    let settled = if is_stationary(&ns[more..]) { Settled::AfterMore } else { Settled::NotStationary };
    (more, settled)
}

fn is_stationary(ns: &[u64]) -> bool {
    let (first, rest) = ns.split_at(ns.len() / 3);
    let (first, rest) = (median(first), median(rest));
    (first - rest).abs() <= MARGIN * rest
}

/// Median, NaN of nothing.
#[must_use]
pub fn median(ns: &[u64]) -> f64 {
    let mut sorted = ns.to_vec();
    sorted.sort_unstable();
    let middle = |at: usize| sorted.get(at).map_or(f64::NAN, |ns| *ns as f64);
    (middle(sorted.len().saturating_sub(1) / 2) + middle(sorted.len() / 2)) / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn the_rule_discards_once_and_then_only_says_so() {
        let check = |ns: &[u64], expected: (usize, Settled)| assert_eq!(settle(ns, 2), expected, "{ns:?}");
        let flat = [100; 30];
        check(&flat, (0, Settled::Yes));
        check(&flat[..8], (0, Settled::TooFew));
        check(&[vec![100; 10], vec![104; 20]].concat(), (0, Settled::Yes));
        check(&[vec![200; 5], vec![100; 13]].concat(), (4, Settled::AfterMore));
        check(&[vec![200; 10], vec![100; 10]].concat(), (4, Settled::NotStationary));
        check(&[vec![200; 4], vec![100; 6]].concat(), (1, Settled::NotStationary));
    }

    #[test]
    fn a_single_outlier_unsettles_nothing() {
        let mut ns = vec![100; 30];
        ns[3] = 100_000;
        assert_eq!(settle(&ns, 2), (0, Settled::Yes));
    }

    proptest! {
        #[test]
        fn enough_is_always_kept(ns in proptest::collection::vec(1..1000_u64, 0..200), warm_up in any::<u16>()) {
            let (more, settled) = settle(&ns, warm_up.into());
            prop_assert!(more == 0 || ns.len() - more >= JUDGED);
            prop_assert_eq!(ns.len() < JUDGED, settled == Settled::TooFew);
        }
    }
}
