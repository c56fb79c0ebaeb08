//! Runs, or cases, against each other.
//!
//! Launches of one run make the pairs that they make in its report: by block, or by duet. Two cases that took turns with the
//! baseline, and not with each other, are compared by what each takes over its own partner. Runs share no blocks, so their
//! launches are compared unpaired, and beside the figures stands each case's penalty: its ratio in its own run's report (to
//! the baseline, or in a matrix to the image's own version), there against here. A penalty survives a change of the machine
//! that slows everything down; a figure does not.
//!
//! All ratios together are one family, all penalties another. Everything comes from reports, so that what is compared is what
//! was reported.

mod facts;
mod pairs;
mod rows;
pub mod text;

use bench_app::{Bytes, Kernel};
use serde::{Deserialize, Serialize};

pub use facts::Difference;
pub use pairs::{Operand, compare};

use crate::{
    report::{Field, Rate, Ratio, Time, Verdict},
    stats::Margin,
};

/// Version of a comparison as JSON.
pub const SCHEMA: u32 = 1;

/// What cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// The run has no such case.
    #[error("{run} has no case `{case}`; hint: it has {known}")]
    NoCase {
        /// The run.
        run: String,
        /// What was asked for.
        case: String,
        /// What there is.
        known: String,
    },
    /// Some operands name a case, others do not.
    #[error("{run} and {reference} do not both name a case; hint: RUN:CASE for all of them, or for none")]
    Mixed {
        /// The run.
        run: String,
        /// What it is to be compared with.
        reference: String,
    },
    /// The runs have no case in common.
    #[error("{run} has no case in common with {reference}; hint: {reference} has {known}")]
    NothingInCommon {
        /// The run.
        run: String,
        /// What it is compared with.
        reference: String,
        /// What that has.
        known: String,
    },
}

/// Several cases against a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Confidence of every interval.
    pub level: f64,
    /// The relative difference that matters.
    pub margin: Margin,
    /// Ratios that were decided together.
    pub family: usize,
    /// Every case against its reference.
    pub pairs: Vec<Pair>,
    /// Facts in which what is compared differs.
    pub facts: Vec<Difference>,
    /// What a reader should mind.
    pub notes: Vec<String>,
    /// What a pipeline wants to know.
    pub outcome: Outcome,
}

/// A case against its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The reference.
    pub reference: Side,
    /// What is compared with it.
    pub compared: Side,
    /// Whether launches make pairs: those of one run do.
    pub paired: bool,
    /// What came out, in one sentence.
    pub answer: String,
    /// Kernel by kernel and size by size.
    pub cells: Vec<CellPair>,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What it is called in tables: `A` for a run, `hybrid` for a case of one run.
    pub name: String,
    /// The run, as it was asked for.
    pub run: String,
    /// When it was begun, RFC 3339.
    pub started: String,
    /// The case.
    pub case: String,
}

/// One cell on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellPair {
    /// What is measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// The reference's figure.
    pub reference: Measured,
    /// The other's figure.
    pub compared: Measured,
    /// The other's time over the reference's.
    pub ratio: Option<Ratio>,
    /// What either loses against what its own run compares it with.
    pub penalty: Option<Penalty>,
}

/// A figure, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Measured {
    /// There is one.
    Figure {
        /// Its time.
        time: Time,
        /// Its rate, for bandwidth alone.
        rate: Option<Rate>,
    },
    /// It hangs, fails, or was not reached.
    Failed {
        /// Why, in words.
        outcome: String,
    },
    /// Nobody asked for it.
    Absent,
}

/// A ratio to the reference there, over that here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Penalty {
    /// Times as long as its reference, on the reference's side.
    pub reference: f64,
    /// Times as long as its reference, on the other side.
    pub compared: f64,
    /// The latter over the former.
    pub ratio: Ratio,
}

/// What a pipeline wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything is equivalent, faster, or different by less than the margin.
    NotWorse,
    /// Something is undecided or must not be compared, and nothing is worse.
    Undecided,
    /// Something is slower by more than the margin, or does not work any more.
    Worse,
}

impl CellPair {
    /// What it means for a pipeline.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (&self.reference, &self.compared, &self.ratio) {
            (Measured::Figure { .. }, Measured::Failed { .. }, _) => Outcome::Worse,
            (Measured::Failed { .. }, Measured::Figure { .. } | Measured::Failed { .. }, _) => Outcome::NotWorse,
            (Measured::Absent, _, _) | (_, Measured::Absent, _) => Outcome::Undecided,
            (Measured::Figure { .. }, Measured::Figure { .. }, None) => Outcome::Undecided,
            (Measured::Figure { .. }, Measured::Figure { .. }, Some(ratio)) => match ratio.verdict {
                Verdict::Slower => Outcome::Worse,
                Verdict::Faster | Verdict::Equivalent | Verdict::BelowMargin => Outcome::NotWorse,
                Verdict::Undecided | Verdict::NotComparable => Outcome::Undecided,
            },
        }
    }

    /// What came out, in words.
    #[must_use]
    pub fn words(&self, margin: Margin) -> String {
        match (&self.reference, &self.compared, &self.ratio) {
            (_, _, Some(ratio)) => ratio.words(margin),
            (Measured::Figure { .. }, Measured::Failed { .. }, None) => "only the reference works".to_owned(),
            (Measured::Failed { .. }, Measured::Figure { .. }, None) => {
                "the reference does not work, this does".to_owned()
            }
            (Measured::Failed { .. }, Measured::Failed { .. }, None) => "neither works".to_owned(),
            (Measured::Absent, _, None) | (_, Measured::Absent, None) => {
                format!("not comparable: {} differs", Field::Sizes.words())
            }
            (Measured::Figure { .. }, Measured::Figure { .. }, None) => "no launches to compare".to_owned(),
        }
    }
}

impl Comparison {
    /// The comparison as JSON, newline included.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.unwrap_or_else(|error| unreachable!("a comparison is plain data: {error}")) + "\n"
    }
}
