//! A/A: the whole pipeline, from records to verdicts, asked about things that do not differ, and about slowdowns that are
//! known.
//!
//! Trials come from a machine that is made up ([`synthetic`]), as many as one likes, or from the baseline and its twin of
//! runs that were made ([`real`]), as many as there are. Either way every launch passes through [`crate::report::model()`],
//! and what counts is what the report says of it.

mod machine;
mod real;
mod synthetic;
mod tally;
mod text;

use serde::{Deserialize, Serialize};

pub use real::{Slices, real};
pub use synthetic::{Setup, synthetic};
pub use tally::{CellTally, Found, Tally};
pub use text::render;

use crate::stats::{self, Margin, Method, Share};

/// One-sided confidence of the bounds that are held against the limits.
pub const LEVEL: f64 = 0.95;
/// A cell's 95 % interval excludes 1 although nothing differs: the most that is accepted.
pub const CELL_LIMIT: Limit = Limit::AtMost(0.08);
/// Any comparison of a family is called different although none is.
pub const FAMILY_LIMIT: Limit = Limit::AtMost(0.07);
/// Any comparison of a family is called slower or faster, hence different by more than the margin, although none is.
pub const CHANGED_LIMIT: Limit = Limit::AtMost(0.01);
/// A slowdown of 10 % is found: the least that is accepted.
pub const FOUND_LIMIT: Limit = Limit::AtLeast(0.90);
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
    /// How often it happened.
    pub share: Share,
    /// The bound of its probability that is held against the limit (Clopper and Pearson).
    pub bound: f64,
    /// The limit.
    pub limit: Limit,
    /// What follows. Doubt counts against the method: what is not sure has not passed.
    pub verdict: Verdict,
}

impl Requirement {
    fn new(what: impl Into<String>, share: Share, limit: Limit) -> Self {
        let (lower, upper) = (share.lower(LEVEL), share.upper(LEVEL));
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

/// What was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Where the launches come from, in words.
    pub words: String,
    /// Blocks of a trial.
    pub blocks: u32,
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
    /// One share for all cells, of which those with the largest `badness` are the worst.
    fn share(self, shares: impl Iterator<Item = Share> + Clone, badness: fn(Share) -> usize) -> Share {
        let pooled = |shares: &mut dyn Iterator<Item = Share>| {
            shares.fold(Share::default(), |mut sum, share| {
                sum += share;
                sum
            })
        };
        match self {
            Cells::Worst => shares.max_by_key(|share| badness(*share)).unwrap_or_default(),
            Cells::Pooled => pooled(&mut shares.clone()),
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
        let excluded = tally.cells.iter().map(|cell| cell.excluded);
        let excluded = source.cells.share(excluded, |share| share.count);
        let percent = source.margin.percent();
        let requirements = vec![
            Requirement::new("false alarms of a cell's 95 % interval", excluded, CELL_LIMIT),
            Requirement::new("false alarms of a whole family (Holm)", tally.families, FAMILY_LIMIT),
            Requirement::new(
                format!("false claims of more than {percent} %, of a family"),
                tally.changed,
                CHANGED_LIMIT,
            ),
            Requirement::new(FOUND, source.found(&tally, TO_FIND, |found| found.shown), FOUND_LIMIT),
        ];
        let verdict = Verdict::all(requirements.iter().map(|requirement| requirement.verdict));
        let later = stats::median(&tally.later);
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
    fn found(&self, tally: &Tally, slowdown: f64, share: fn(&Found) -> Share) -> Share {
        let found = tally.found.iter().filter(|found| found.slowdown == slowdown).map(share);
        self.cells.share(found, |share| share.of - share.count)
    }
}
