//! What ratios say: decided for a whole family at once, in words that stand here alone.

use serde::{Deserialize, Serialize};

use crate::stats::{self, Evidence, Finding, Interval, Judgement, Margin, Side};

use super::{LEVEL, fields::Field};

/// A time over another time. Above 1 is slower, whatever the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Hodges-Lehmann estimate.
    pub estimate: f64,
    /// Pairs of launches; where launches cannot be paired, those of the side that has fewer.
    pub k: usize,
    /// The same estimate with its interval; none where launches are too few.
    pub interval: Option<Interval>,
    /// What follows.
    pub verdict: Verdict,
    /// The side of 1 on which it lies for sure, by however little: its family taken into account.
    pub shown: Option<Side>,
    /// Exact two-sided p of no difference.
    pub p: f64,
    /// The same after Holm's adjustment for its family; none where it belongs to none because nothing may be compared.
    pub adjusted_p: Option<f64>,
    /// Where undecided, about how many more launches are as likely as not to decide; none where no number in reach is.
    pub more: Option<usize>,
    /// The fact that forbids a verdict.
    pub differs: Option<Field>,
}

/// What follows from a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Slower by more than the margin: the interval lies wholly beyond it, and a difference is shown in the family.
    Slower,
    /// Faster by more than the margin.
    Faster,
    /// Within the margin for sure (two one-sided tests), and no difference shown.
    Equivalent,
    /// A difference is shown, and for sure it is smaller than the margin.
    BelowMargin,
    /// None of these is sure yet.
    Undecided,
    /// The two differ in a fact that nobody asked for, which [`Ratio::differs`] names.
    NotComparable,
}

impl Verdict {
    /// Every verdict, in the order of keys.
    pub const ALL: [Verdict; 6] = [
        Verdict::Slower,
        Verdict::Faster,
        Verdict::Equivalent,
        Verdict::BelowMargin,
        Verdict::Undecided,
        Verdict::NotComparable,
    ];

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::Slower => "slower",
            Verdict::Faster => "faster",
            Verdict::Equivalent => "equivalent",
            Verdict::BelowMargin => "different, below the margin",
            Verdict::Undecided => "undecided",
            Verdict::NotComparable => "not comparable",
        }
    }

    /// What has to be the case for it, for keys.
    #[must_use]
    pub fn meaning(self, margin: Margin) -> String {
        let (percent, level) = (margin.percent(), LEVEL * 100.0);
        match self {
            Verdict::Slower => format!("slower by more than {percent} %: the {level} % interval lies wholly beyond"),
            Verdict::Faster => format!("faster by more than {percent} %: the {level} % interval lies wholly beyond"),
            Verdict::Equivalent => format!("the same within {percent} %: the 90 % interval lies wholly within"),
            Verdict::BelowMargin => format!("different, but by less than {percent} %"),
            Verdict::Undecided => "more launches are needed".to_owned(),
            Verdict::NotComparable => "the two differ in a fact that nobody asked for".to_owned(),
        }
    }
}

impl Ratio {
    fn new(contrast: &Contrast, judgement: Option<Judgement>) -> Self {
        let Contrast { evidence, differs } = contrast;
        let shown = judgement.and_then(|judgement| judgement.shown);
        let (verdict, more) = match judgement.map(|judgement| judgement.finding) {
            None => (Verdict::NotComparable, None),
            Some(Finding::Beyond(Side::Above)) => (Verdict::Slower, None),
            Some(Finding::Beyond(Side::Below)) => (Verdict::Faster, None),
            Some(Finding::Within) if shown.is_some() => (Verdict::BelowMargin, None),
            Some(Finding::Within) => (Verdict::Equivalent, None),
            Some(Finding::Open { more }) => (Verdict::Undecided, more),
        };
        Self {
            estimate: evidence.estimate().exp(),
            k: evidence.k(),
            interval: evidence.interval(LEVEL).map(|interval| interval.rescaled(f64::exp)),
            verdict,
            shown,
            p: evidence.p(),
            adjusted_p: judgement.map(|judgement| judgement.adjusted_p),
            more,
            differs: *differs,
        }
    }

    /// The verdict with what belongs to it: `undecided, slower or not (about 12 more launches)`.
    #[must_use]
    pub fn words(&self, margin: Margin) -> String {
        let percent = margin.percent();
        match (self.verdict, self.shown) {
            (Verdict::Undecided, Some(Side::Above)) => {
                format!("slower, by {percent} % or not is open{}", self.effort())
            }
            (Verdict::Undecided, Some(Side::Below)) => {
                format!("faster, by {percent} % or not is open{}", self.effort())
            }
            (Verdict::Undecided, None) => format!("undecided{}", self.effort()),
            (Verdict::NotComparable, _) => {
                let field = self.differs.map_or("a fact", Field::words);
                format!("not comparable: {field} differs")
            }
            (Verdict::Slower | Verdict::Faster | Verdict::Equivalent | Verdict::BelowMargin, _) => {
                self.verdict.words().to_owned()
            }
        }
    }

    fn effort(&self) -> String {
        match self.more {
            Some(1) => " (about 1 more launch)".to_owned(),
            Some(more) => format!(" (about {more} more launches)"),
            None => " (too near the margin)".to_owned(),
        }
    }
}

/// Two costs, compared on a logarithmic scale.
#[derive(Debug, Clone)]
pub(crate) struct Contrast {
    /// What launches say about one over the other.
    pub(crate) evidence: Evidence,
    /// The fact, if any, that forbids a verdict.
    pub(crate) differs: Option<Field>,
}

/// The ratios of a family of comparisons. One that must not be made decides nothing, so it does not make it harder for the
/// others either.
pub(crate) fn ratios<'a>(family: impl Iterator<Item = &'a Contrast> + Clone, margin: Margin) -> Vec<Ratio> {
    let comparable = family.clone().filter(|contrast| contrast.differs.is_none());
    let evidence: Vec<&Evidence> = comparable.map(|contrast| &contrast.evidence).collect();
    let mut judged = stats::judge(&evidence, margin).into_iter();
    let ratio = |contrast: &Contrast| {
        let judgement = if contrast.differs.is_none() { judged.next() } else { None };
        Ratio::new(contrast, judgement)
    };
    family.map(ratio).collect()
}
