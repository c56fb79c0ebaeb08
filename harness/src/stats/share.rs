//! How often something happens, from how often it did.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// So many of so many independent trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Trials in which it happened.
    pub count: usize,
    /// Trials.
    pub of: usize,
}

impl Share {
    /// One trial.
    #[must_use]
    pub const fn once(happened: bool) -> Self {
        Self { count: happened as usize, of: 1 }
    }

    /// As a fraction; none of no trials.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// The largest probability that so few are not too few for, at `level` one-sided (Clopper and Pearson 1934).
    #[must_use]
    pub fn upper(self, level: f64) -> f64 {
        if self.count >= self.of {
            return 1.0;
        }
        // At most `count` become less likely as the probability grows.
        bisect(|p| at_most(self.count, self.of, p) > 1.0 - level)
    }

    /// The smallest probability that so many are not too many for, at `level` one-sided.
    #[must_use]
    pub fn lower(self, level: f64) -> f64 {
        let others = Self { count: self.of - self.count.min(self.of), of: self.of };
        1.0 - others.upper(level)
    }
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.of += other.of;
    }
}

/// Where `holds`, true at 0 and false at 1, ends.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut inside, mut outside) = (0.0, 1.0);
    // Halving an interval of length 1 reaches the resolution of f64 within 60 steps.
    for _ in 0..60 {
        let middle = f64::midpoint(inside, outside);
        if holds(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    inside
}

/// P(X <= count) of a binomial X; in logarithms, which do not underflow.
pub(super) fn at_most(count: usize, of: usize, p: f64) -> f64 {
    let odds = (p / (1.0 - p)).ln();
    let mut term = of as f64 * (1.0 - p).ln();
    let mut sum = 0.0;
    for i in 0..=count {
        sum += term.exp();
        term += ((of - i) as f64 / (i + 1) as f64).ln() + odds;
    }
    sum
}
