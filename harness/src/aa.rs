//! A/A: the whole pipeline, from records to verdicts, asked about things that do not differ, and about slowdowns that are
//! known.
//!
//! Trials come from a machine that is made up ([`synthetic`]), as many as one likes, or from the baseline and its twin of
//! runs that were made ([`real`]), as many as there are. Either way every launch passes through [`crate::report::model()`],
//! and what counts is what the report says of it.
//!
//! The unit of independence is the *trial*: a set of pairs of launches that no other trial shares, in which chance alone has
//! drawn which of two equal launches is called the twin. Comparisons of one trial rest on the same launches, so where cells
//! are counted together the bounds are those of clusters ([`stats::Clustered`]). Five things have to hold:
//!
//! - a cell's 95 % interval excludes 1 in at most 8 % of trials;
//! - any comparison of a family is called different (Holm) in at most 7 % of families;
//! - a comparison is called slower or faster, by the margin rule, at most once in a hundred;
//! - +10 % is called different in at least 90 %;
//! - over all trials neither the twin nor the later of two launches takes longer or shorter by 1 %. Since labels and order are
//!   drawn, a bias of order would not show in the four above: it widens intervals. A bias of labels does show, but the more
//!   the longer a trial is.
//!
//! Each by the bound of 95 % confidence that is worse for the method. False alarms of real runs are asked in trials of as few
//! pairs as can show a difference in their family, since there are the most of those and the rank test is exact with any
//! number; power is asked in trials of the length that campaigns have.

mod machine;
mod real;
mod synthetic;
mod tally;
mod text;

use serde::{Deserialize, Serialize};

pub use real::real;
pub use synthetic::{Setup, synthetic};
pub use tally::{CellTally, Found, FoundInAll, Tally};
pub use text::render;

use crate::stats::{self, Clustered, Margin, Method, Share};

/// One-sided confidence of the bounds that are held against the limits.
pub const LEVEL: f64 = 0.95;
/// A cell's 95 % interval excludes 1 although nothing differs: the most that is accepted.
pub const CELL_LIMIT: Limit = Limit::AtMost(0.08);
/// Any comparison of a family is called different although none is.
pub const FAMILY_LIMIT: Limit = Limit::AtMost(0.07);
/// A comparison is called slower or faster, hence different by more than the margin, although it is not.
pub const CHANGED_LIMIT: Limit = Limit::AtMost(0.01);
/// A slowdown of 10 % is found: the least that is accepted.
pub const FOUND_LIMIT: Limit = Limit::AtLeast(0.90);
/// What the twin, or the later of two equal launches, takes longer or shorter, as a share.
pub const BIAS_LIMIT: Limit = Limit::AtMost(0.01);
/// The slowdowns that are injected.
pub const SLOWDOWNS: [f64; 3] = [0.05, TO_FIND, 0.20];
/// The slowdown that has to be found.
const TO_FIND: f64 = 0.10;
const FOUND: &str = "+10 % is called a difference (Holm)";

/// What became of one requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds for sure.
    Passed,
    /// It does not hold for sure.
    Failed,
    /// The trials are too few to say.
    TooFew,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::TooFew => "open",
        }
    }

    /// Of several: failed where any failed, passed where all passed.
    #[must_use]
    pub fn all(verdicts: impl Iterator<Item = Verdict> + Clone) -> Self {
        let any = |wanted: Verdict| verdicts.clone().any(|verdict| verdict == wanted);
        match (any(Verdict::Failed), any(Verdict::TooFew)) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::TooFew,
            (false, false) => Verdict::Passed,
        }
    }
}

/// What a probability must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The upper bound may be this at most.
    AtMost(f64),
    /// The lower bound has to be this at least.
    AtLeast(f64),
}

/// One requirement on the method, and what the trials say of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// What is counted.
    pub what: String,
    /// How often it happened, where it is something that happens.
    pub share: Option<Share>,
    /// The bound that is held against the limit.
    pub bound: f64,
    /// The limit.
    pub limit: Limit,
    /// What follows. Doubt counts against the method: what is not sure has not passed.
    pub verdict: Verdict,
}

impl Requirement {
    fn new(what: impl Into<String>, limit: Limit, seen: Bounds) -> Self {
        let Bounds { share, lower, upper } = seen;
        let (bound, passed, failed) = match limit {
            Limit::AtMost(most) => (upper, upper <= most, lower > most),
            Limit::AtLeast(least) => (lower, lower >= least, upper < least),
        };
        let verdict = match (passed, failed) {
            (true, _) => Verdict::Passed,
            (false, true) => Verdict::Failed,
            (false, false) => Verdict::TooFew,
        };
        Self { what: what.into(), share, bound, limit, verdict }
    }
}

/// Between what something lies, each end at [`LEVEL`].
#[derive(Debug, Clone, Copy)]
struct Bounds {
    share: Option<Share>,
    lower: f64,
    upper: f64,
}

impl From<Share> for Bounds {
    fn from(share: Share) -> Self {
        Self { share: Some(share), lower: share.lower(LEVEL), upper: share.upper(LEVEL) }
    }
}

impl Bounds {
    /// Of clusters, in which something else had the design effect `seen`.
    fn of(clustered: &Clustered, seen: Option<f64>) -> Self {
        let (lower, upper) = (clustered.lower(LEVEL, seen), clustered.upper(LEVEL, seen));
        Self { share: Some(clustered.share), lower, upper }
    }

    /// How far the median of logarithms lies from 0, whichever way, in the cell where it lies farthest. That it lies near
    /// enough in every cell takes no correction for their number; a cell without an interval may be anywhere.
    fn of_bias<'t>(cells: impl Iterator<Item = &'t Vec<f64>>) -> Self {
        let of_cell = |logs: &Vec<f64>| {
            stats::sign(logs, 2.0 * LEVEL - 1.0).map_or((0.0, 1.0), |interval| {
                let (near, far) = (interval.lo.max(-interval.hi).max(0.0), interval.hi.max(-interval.lo));
                (near.exp_m1(), far.exp_m1())
            })
        };
        let widest = |(lower, upper): (f64, f64), (near, far): (f64, f64)| (lower.max(near), upper.max(far));
        let (lower, upper) = cells.map(of_cell).reduce(widest).unwrap_or((0.0, 1.0));
        Self { share: None, lower, upper }
    }
}

/// What was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Where the launches come from, in words.
    pub words: String,
    /// Blocks of a trial with a slowdown.
    pub blocks: u32,
    /// Blocks of a trial in which nothing differs.
    pub alike: u32,
    /// The relative difference that matters.
    pub margin: Margin,
    /// Comparisons that are decided together.
    pub family: usize,
    /// Which cells stand for all.
    pub cells: Cells,
}

/// Which cells stand for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cells {
    /// The worst: there are trials enough for each.
    Worst,
    /// All together: there are so few trials that cells have to stand in for them.
    Pooled,
}

impl Cells {
    /// Of cells one by one, of which those with the largest `badness` are the worst, or of all together.
    fn bounds(
        self,
        cells: impl Iterator<Item = Share>,
        (all, seen): (&Clustered, Option<f64>),
        badness: fn(&Share) -> usize,
    ) -> Bounds {
        match self {
            Cells::Worst => cells.max_by_key(badness).unwrap_or_default().into(),
            Cells::Pooled => Bounds::of(all, seen),
        }
    }
}

/// What the trials say about the method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// What was tried.
    pub source: Source,
    /// What was counted.
    pub tally: Tally,
    /// How many times as long the later of two equal launches of a block took.
    pub later: Option<f64>,
    /// What had to hold.
    pub requirements: Vec<Requirement>,
    /// All of them together.
    pub verdict: Verdict,
    /// What a reader should mind.
    pub notes: Vec<String>,
}

impl Assessment {
    fn new(source: Source, tally: Tally) -> Self {
        let percent = source.margin.percent();
        // What is rare cannot tell how much the comparisons of a trial go together: alarms are more frequent, and do.
        let seen = tally.alarms.design_effect();
        let excluded = tally.cells.iter().map(|cell| cell.excluded);
        let excluded = source.cells.bounds(excluded, (&tally.alarms, None), |share| share.count);
        let claims = Bounds::of(&tally.claims, seen);
        let twin = Bounds::of_bias(tally.cells.iter().map(|cell| &cell.twin));
        let later = Bounds::of_bias(tally.cells.iter().map(|cell| &cell.later));
        let found = source.found(&tally, TO_FIND, Finding::Shown);
        let requirements = vec![
            Requirement::new("false alarms of a cell's 95 % interval", CELL_LIMIT, excluded),
            Requirement::new("false alarms of a whole family (Holm)", FAMILY_LIMIT, tally.families.into()),
            Requirement::new(format!("false claims of more than {percent} %"), CHANGED_LIMIT, claims),
            Requirement::new(FOUND, FOUND_LIMIT, found),
            Requirement::new("bias for or against the twin", BIAS_LIMIT, twin),
            Requirement::new("bias for or against the later launch", BIAS_LIMIT, later),
        ];
        let verdict = Verdict::all(requirements.iter().map(|requirement| requirement.verdict));
        let later: Vec<f64> = tally.cells.iter().flat_map(|cell| &cell.later).copied().collect();
        let later = stats::median(&later).map(f64::exp);
        let notes = source.too_few_blocks().into_iter().collect();
        Self { source, tally, later, requirements, verdict, notes }
    }
}

impl Source {
    fn too_few_blocks(&self) -> Option<String> {
        let Self { blocks, family, .. } = self;
        let fewest = Method::SignedRank.fewest(stats::ALPHA / (*family).max(1) as f64);
        ((*blocks as usize) < fewest).then(|| {
            format!("No difference can be shown among {family} comparisons with {blocks} blocks: that takes {fewest}.")
        })
    }

    /// How often a slowdown was found.
    fn found(&self, tally: &Tally, slowdown: f64, by: Finding) -> Bounds {
        let of_cell = |found: &Found| match by {
            Finding::Shown => found.shown,
            Finding::Slower => found.slower,
        };
        let of_all = |found: &FoundInAll| match by {
            Finding::Shown => found.shown,
            Finding::Slower => found.slower,
        };
        let cells = tally.found.iter().filter(|found| found.slowdown == slowdown).map(of_cell);
        let all = tally.found_in_all.iter().find(|found| found.slowdown == slowdown).map(of_all).unwrap_or_default();
        self.cells.bounds(cells, (&all, tally.alarms.design_effect()), |share| share.of - share.count)
    }
}

/// What a slowdown may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// A difference.
    Shown,
    /// Slower, by more than the margin.
    Slower,
}
