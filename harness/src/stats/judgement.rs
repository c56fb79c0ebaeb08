//! From evidence to decisions, for a whole family of comparisons at once.
//!
//! Two questions are kept apart. *Is there a difference?* The exact p, adjusted by Holm over the family, at 5 %. *Does it
//! matter?* The margin, agreed on before anything ran: the 95 % interval lies wholly beyond it, or the 90 % interval wholly
//! within it (two one-sided tests at 5 %, Schuirmann 1987), or neither.

use serde::{Deserialize, Serialize};

use super::{Evidence, holm};

/// Probability of being wrong, of each decision; over a family, of being wrong about any difference in it.
pub const ALPHA: f64 = 0.05;
/// Estimates of launches beyond this mean only that more launches are no way to decide.
const OUT_OF_REACH: f64 = 10_000.0;

/// The relative difference that matters, such as 0.05: 1.05 times as long, or 1/1.05 times.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Margin(f64);

impl Margin {
    /// What is usual, and the default.
    pub const FIVE_PERCENT: Self = Self(0.05);

    /// On the scale of logarithms, where it is the same in both directions.
    #[must_use]
    pub fn log(self) -> f64 {
        self.0.ln_1p()
    }

    /// In percent.
    #[must_use]
    pub fn percent(self) -> f64 {
        // 0.07 * 100 is 7.000000000000001.
        (self.0 * 1e6).round() / 1e4
    }
}

impl Default for Margin {
    fn default() -> Self {
        Self::FIVE_PERCENT
    }
}

impl TryFrom<f64> for Margin {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        let good = value > 0.0 && value <= 1.0;
        good.then_some(Self(value))
            .ok_or_else(|| format!("{value} is not a margin; hint: such as 0.05 for 5 %, at most 1"))
    }
}

impl From<Margin> for f64 {
    fn from(margin: Margin) -> f64 {
        margin.0
    }
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Larger than nothing.
    Above,
    /// Smaller than nothing.
    Below,
}

/// Where an effect lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Beyond the margin, on this side.
    Beyond(Side),
    /// Within the margins.
    Within,
    /// On neither side of a margin for sure.
    Open {
        /// About how many more launches would be as likely as not to decide it; none where they would not.
        ///
        /// It takes the estimate and the scatter of these launches for the truth and lets intervals shrink with the square
        /// root of the launches, so it is an order of magnitude, not a promise. Where there are too few launches for any
        /// interval, it is how many are missing to the fewest that can show a difference in this family.
        more: Option<usize>,
    },
}

/// What was decided about one member of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Two-sided p of no effect.
    pub p: f64,
    /// The same, adjusted over the family.
    pub adjusted_p: f64,
    /// The side on which a difference is shown, of whatever size.
    pub shown: Option<Side>,
    /// Where the effect lies.
    pub finding: Finding,
}

/// Decides about every member of a family, in its order.
#[must_use]
pub fn judge(family: &[&Evidence], margin: Margin) -> Vec<Judgement> {
    let ps: Vec<f64> = family.iter().map(|evidence| evidence.p()).collect();
    let adjusted = holm(&ps);
    let judgement = |((evidence, p), adjusted_p): ((&&Evidence, f64), f64)| {
        let side = if evidence.estimate() < 0.0 { Side::Below } else { Side::Above };
        let shown = (adjusted_p <= ALPHA).then_some(side);
        let finding = decide(evidence, shown, margin, family.len());
        Judgement { p, adjusted_p, shown, finding }
    };
    family.iter().zip(ps).zip(adjusted).map(judgement).collect()
}

fn decide(evidence: &Evidence, shown: Option<Side>, margin: Margin, family: usize) -> Finding {
    let wide = evidence.interval(1.0 - ALPHA);
    let beyond = wide.filter(|interval| interval.lo > margin.log() || interval.hi < -margin.log());
    match (shown, beyond) {
        (Some(side), Some(_)) => Finding::Beyond(side),
        _ if evidence.p_beyond(margin.log()) <= ALPHA => Finding::Within,
        _ => Finding::Open { more: more(evidence, margin, family) },
    }
}

fn more(evidence: &Evidence, margin: Margin, family: usize) -> Option<usize> {
    let k = evidence.k();
    let share = ALPHA / family.max(1) as f64;
    let fewest = evidence.method().fewest(share);
    let half = |level: f64| evidence.interval(level).map(|interval| (interval.hi - interval.lo) / 2.0);
    let shrunk = |half: f64, to: f64| k as f64 * (half / to).powi(2);
    let (size, past) = (evidence.estimate().abs(), evidence.estimate().abs() - margin.log());
    let needed = match half(1.0 - ALPHA).zip(half(1.0 - 2.0 * ALPHA)) {
        None => fewest as f64,
        Some((wide, _)) if past > 0.0 => {
            // Two conditions: past the margin, and shown in this family.
            let of_family = half(1.0 - share).map_or(0.0, |half| shrunk(half, size));
            shrunk(wide, past).max(of_family).max(fewest as f64)
        }
        Some((_, narrow)) => shrunk(narrow, past),
    };
    (needed < OUT_OF_REACH).then(|| (needed.ceil() as usize).saturating_sub(k).max(1))
}
