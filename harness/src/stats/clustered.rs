//! How often something happens where trials come in clusters that share their luck.
//!
//! Comparisons of several cells rest on the same launches, so a hundred of them say less than a hundred independent ones. The
//! *design effect* (Kish 1965) is by how much: the variance over clusters, over that of as many independent trials. A bound
//! is that of Clopper and Pearson for as many trials as are left after division by it (Korn and Graubard 1998).

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::Share;

/// Below so many clusters their scatter says nothing: each then counts as a single trial.
const FEWEST_CLUSTERS: usize = 30;

/// So many of so many trials, which are independent between clusters and not within.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clustered {
    /// All trials, whatever their cluster.
    pub share: Share,
    /// Clusters with a trial.
    pub clusters: usize,
    /// Clusters in which it happened at all.
    pub touched: usize,
    /// Over clusters, with what happened in one and its trials: the sums of squares of both, and of their product.
    squares: [usize; 3],
}

impl Clustered {
    /// One cluster; nothing where it has no trial.
    #[must_use]
    pub fn once(share: Share) -> Self {
        let Share { count, of } = share;
        let (clusters, touched) = (usize::from(of > 0), usize::from(count > 0));
        Self { share, clusters, touched, squares: [count * count, of * of, count * of] }
    }

    /// By how much less the trials say than independent ones would, at least 1; none where that cannot be seen: of few
    /// clusters, and where it happened always or never.
    #[must_use]
    pub fn design_effect(&self) -> Option<f64> {
        let p = self.share.rate().filter(|p| *p > 0.0 && *p < 1.0)?;
        if self.clusters < FEWEST_CLUSTERS {
            return None;
        }
        // The ratio estimator's variance, from the residuals of clusters.
        let [happened, trials, both] = self.squares.map(|sum| sum as f64);
        let residuals = happened - 2.0 * p * both + p * p * trials;
        let clusters = self.clusters as f64;
        let independent = p * (1.0 - p) * self.share.of as f64;
        Some((clusters / (clusters - 1.0) * residuals / independent).max(1.0))
    }

    /// The largest probability that is not too large for what happened, at `level` one-sided.
    ///
    /// `seen` is the design effect of something else in the same clusters. The larger of the two counts; where neither
    /// can be seen, the trials of a cluster count as one.
    #[must_use]
    pub fn upper(&self, level: f64, seen: Option<f64>) -> f64 {
        bound(self.share, self.effect(seen), level)
    }

    /// The smallest probability that is not too small for what happened, at `level` one-sided; `seen` as above.
    #[must_use]
    pub fn lower(&self, level: f64, seen: Option<f64>) -> f64 {
        let Share { count, of } = self.share;
        1.0 - bound(Share { count: of - count, of }, self.effect(seen), level)
    }

    fn effect(&self, seen: Option<f64>) -> f64 {
        let own = self.design_effect();
        let known = own.into_iter().chain(seen).reduce(f64::max);
        known.unwrap_or_else(|| self.share.of as f64 / self.clusters.max(1) as f64).max(1.0)
    }
}

/// Rounded so that the bound is never better than it should be.
fn bound(share: Share, effect: f64, level: f64) -> f64 {
    let of = (share.of as f64 / effect).floor() as usize;
    let count = (share.count as f64 / effect).ceil() as usize;
    Share { count, of }.upper(level)
}

impl AddAssign for Clustered {
    fn add_assign(&mut self, other: Self) {
        self.share += other.share;
        self.clusters += other.clusters;
        self.touched += other.touched;
        self.squares.iter_mut().zip(other.squares).for_each(|(sum, more)| *sum += more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(clusters: impl IntoIterator<Item = (usize, usize)>) -> Clustered {
        clusters.into_iter().fold(Clustered::default(), |mut sum, (count, of)| {
            sum += Clustered::once(Share { count, of });
            sum
        })
    }

    #[test]
    fn trials_that_go_together_count_as_one() {
        // In every tenth cluster of four it happens to all four.
        let together = sum((0..100).map(|i| (if i % 10 == 0 { 4 } else { 0 }, 4)));
        let effect = together.design_effect().unwrap();
        assert!((effect - 4.0).abs() < 0.05, "{effect}");
        assert_eq!((together.touched, together.share), (10, Share { count: 40, of: 400 }));
        let one_each = Share { count: 10, of: 100 };
        assert!((together.upper(0.95, None) - one_each.upper(0.95)).abs() < 0.01);
        let lower = together.lower(0.95, None);
        assert!(lower <= one_each.lower(0.95) && lower > one_each.lower(0.95) - 0.015, "{lower}");
        // Spread over as many clusters as there are, they are as good as independent.
        let apart = sum((0..100).map(|i| (usize::from(i % 5 < 2), 4)));
        assert_eq!(apart.design_effect(), Some(1.0));
        assert_eq!(apart.upper(0.95, None), Share { count: 40, of: 400 }.upper(0.95));
    }

    #[test]
    fn what_cannot_be_seen_is_taken_for_the_worst() {
        let nothing = sum([(0, 4); 100]);
        assert_eq!(nothing.design_effect(), None);
        assert_eq!(nothing.upper(0.95, None), Share { count: 0, of: 100 }.upper(0.95));
        assert_eq!(nothing.upper(0.95, Some(1.6)), Share { count: 0, of: 250 }.upper(0.95));
        assert_eq!(sum([(1, 4); 5]).design_effect(), None, "five clusters");
        assert_eq!(sum([(4, 4); 5]).lower(0.95, None), Share { count: 5, of: 5 }.lower(0.95));
        assert_eq!(Clustered::default().upper(0.95, None), 1.0);
    }

    /// The bound misses the truth about as often as it may, however the trials of a cluster go together.
    #[test]
    fn bounds_hold_as_often_as_they_say() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for alike in [0.0, 0.3, 0.9] {
            let missed = (0..400).filter(|_| {
                let seen = sum((0..150).map(|_| {
                    let common = rng.random::<f64>() < 0.05;
                    let mut trial = || if rng.random::<f64>() < alike { common } else { rng.random::<f64>() < 0.05 };
                    ((0..4).filter(|_| trial()).count(), 4)
                }));
                seen.upper(0.95, None) < 0.05
            });
            let missed = missed.count();
            assert!(missed <= 32, "alike {alike}: {missed} of 400 where 20 are promised");
        }
    }
}
