//! The report of a run as data: everything that tables, plots and pages show, and nothing that they would have to compute.
//!
//! [`model()`] derives it from what a run has stored; it does no I/O and reads no clock, so equal input gives an equal
//! report. Renderers turn it into text for a terminal, one HTML page, or JSON.

pub(crate) mod answer;
pub(crate) mod fields;
pub mod html;
pub(crate) mod judge;
mod kinds;
pub(crate) mod layout;
pub(crate) mod matrix;
mod model;
mod notes;
pub(crate) mod pairs;
mod plot;
mod rules;
pub mod table;
pub(crate) mod units;
pub(crate) mod verdict;
mod words;

use std::collections::BTreeMap;

use bench_app::{Bytes, Kernel, workload::BufferKind};
use serde::{Deserialize, Serialize};

use crate::{
    against::Against,
    case::{Mode, Mpi},
    decision::{Decision, Pairs},
    id::{AttemptId, CaseId, Sha256, SiteId},
    plan::Ended,
    record::{FileFact, Outcome, Purpose},
    stats::{Interval, Margin},
};

pub use fields::Field;
pub use matrix::{Crossing, Failed, Matrix, Telling};
pub use model::model;
pub use verdict::{Ratio, Verdict};
pub(crate) use words::short;

/// Version of the report as JSON; it changes when a field changes its meaning.
pub const SCHEMA: u32 = 1;
/// Confidence of every interval.
pub const LEVEL: f64 = 0.95;

/// A run, analysed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of sifbench that measured.
    pub tool: String,
    /// The measuring place.
    pub site: SiteId,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// Name of the campaign.
    pub campaign: String,
    /// Digest of the design.
    pub design: Sha256,
    /// Seed of the order of launches.
    pub seed: u64,
    /// Confidence of every interval.
    pub level: f64,
    /// The relative difference that matters.
    pub margin: Margin,
    /// How launches make pairs.
    #[serde(default)]
    pub pairs: Pairs,
    /// All that was agreed on before the run.
    pub decision: Decision,
    /// What cases are compared with.
    #[serde(default)]
    pub against: Against,
    /// Launches without which there is no interval at that confidence.
    pub launches_needed: usize,
    /// Comparisons that were decided together, as one family.
    pub family: usize,
    /// Blocks.
    pub blocks: Blocks,
    /// What weakens the figures as a whole, in words.
    pub notes: Vec<String>,
    /// The baseline, the baseline again, then every other case in the design's order.
    pub cases: Vec<CaseReport>,
    /// What the machine allows without any MPI.
    pub bounds: Bounds,
    /// Hosts crossed with images, a mode at a time; none where a run crosses no versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matrices: Vec<Matrix>,
    /// Combinations tried for their outcome alone.
    pub probes: Vec<ProbeReport>,
    /// Every attempt that did not complete, in the order made.
    pub failures: Vec<Failure>,
    /// Facts of the host.
    pub facts: BTreeMap<String, String>,
    /// Files that were run.
    pub files: Vec<FileFact>,
    /// Where settings came from.
    pub origins: BTreeMap<String, String>,
}

/// What the machine allows without any MPI, over all completed analysed launches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The fastest copy within one rank's memory, by size, ns: no message of a node that is copied at all takes less.
    pub copies: Vec<(Bytes, f64)>,
    /// The fastest half round trip between two nodes over TCP, by size, ns; none where the measuring ranks share memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<(Bytes, f64)>,
    /// The shortest round trips of the two measuring ranks.
    pub canary: Option<Canary>,
}

/// Where the canary's medians lie over all visits, ns. States of a machine that change every latency show here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Between nodes it is a byte over TCP, else a flag between the ranks' cores.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub between_nodes: bool,
    /// 10 % were shorter.
    pub p10: f64,
    /// Half were shorter.
    pub median: f64,
    /// 90 % were shorter.
    pub p90: f64,
    /// Readings: two a visit.
    pub k: usize,
}

/// How far the run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// Analysed blocks of the design: all of them, or the most there may be.
    pub planned: u32,
    /// Blocks in which at least one analysed launch was made.
    pub begun: u32,
    /// Whether nothing of the design is left to do.
    pub complete: bool,
    /// Why no more blocks are made; none where some are still to come.
    pub ended: Option<Ended>,
}

/// What a case is compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What the others are compared with.
    Baseline,
    /// The baseline launched again in every block: what differs here differs by chance or by the machine.
    Twin,
    /// Compared with the baseline.
    Compared,
}

/// One case, as it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseReport {
    /// Which. The baseline and its twin share theirs.
    pub id: CaseId,
    /// What it is compared as.
    pub role: Role,
    /// Its mode.
    pub mode: Mode,
    /// Mode and versions.
    pub label: String,
    /// The label, without what all cases of the run have in common.
    pub name: String,
    /// The host's MPI, where one takes part.
    pub host: Option<Mpi>,
    /// The image's MPI, where one takes part.
    pub image: Option<Mpi>,
    /// What its times are compared with; none for the baseline.
    #[serde(default)]
    pub reference: Option<CaseId>,
    /// Number of ranks.
    pub ranks: u32,
    /// Which memory messages lie in.
    pub buffers: BufferKind,
    /// What came out, in one sentence.
    pub answer: String,
    /// Kernel by kernel and size by size.
    pub cells: Vec<CellReport>,
    /// Analysed launches.
    pub launches: Launches,
    /// What a launch costs.
    pub costs: Costs,
    /// What the launches found around them.
    pub seen: Seen,
    /// The command of one launch, quoted for a shell.
    pub command: Option<String>,
}

/// One kernel at one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellReport {
    /// What is measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Repetitions in a batch.
    pub repetitions: u32,
    /// A figure, or why there is none.
    pub status: CellStatus,
}

/// A figure, or why there is none: the one answer that tables, plots and grids share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "nearly every cell holds a figure")]
pub enum CellStatus {
    /// Measured and analysed.
    Figure(Figure),
    /// Ran through, tried for its outcome alone.
    Ran,
    /// No figure.
    Failed {
        /// Why.
        outcome: Outcome,
        /// Analysed launches that had measured it before it was given up.
        measured: usize,
    },
}

/// What was measured in one cell, over all analysed launches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Time of one operation, as the kernel's row defines it: a half round trip, one message of a window, one call. ns.
    pub time: Time,
    /// The rate that follows from the time, for kernels that are read as one.
    pub rate: Option<Rate>,
    /// Time over the baseline's time, pair by pair; none for the baseline, and where the baseline has no figure.
    pub ratio: Option<Ratio>,
    /// Every launch.
    pub launches: Vec<LaunchFigure>,
}

/// Where the times of a cell lie, ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Median of the launches' medians.
    pub median: f64,
    /// Its interval; none where launches are too few.
    pub interval: Option<Interval>,
    /// Launches.
    pub k: usize,
    /// 10 % of all batches were faster. Batches describe; they decide nothing.
    pub p10: f64,
    /// 90 % of all batches were faster.
    pub p90: f64,
    /// 99 % of all batches were faster.
    pub p99: f64,
    /// The fastest batch: a floor, never a comparison.
    pub min: f64,
    /// Batches in all.
    pub batches: usize,
}

/// Bytes per second, derived from times: rates are never averaged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// From the median time.
    pub median: f64,
    /// From the ends of its interval, lower rate first.
    pub interval: Option<[f64; 2]>,
}

/// One launch in one cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LaunchFigure {
    /// Which.
    pub attempt: AttemptId,
    /// Its block, by which it is paired.
    pub block: u32,
    /// The launch with which it took turns: then that is its pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<AttemptId>,
    /// Median over the kept batches of all its visits, ns.
    pub median: f64,
    /// Median of its canary's round trips, ns, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<f64>,
}

/// Analysed launches of a case. Those that did not complete are set aside whole, and listed under failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launches {
    /// Made.
    pub made: usize,
    /// Completed, hence analysed.
    pub completed: usize,
    /// Whether no more of them were made in the last block, for all that they are compared for was narrow enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_rest: bool,
}

/// What a launch costs besides what is measured; of launches that took turns nothing is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// From start to end.
    pub wall: Option<Cost>,
    /// From start to the first word after `MPI_Init`.
    pub hello: Option<Cost>,
    /// `MPI_Init` on rank 0.
    pub init: Option<Cost>,
    /// Time to hello beyond the baseline's, ns, pair by pair; none where pairs are too few.
    pub hello_extra: Option<Interval>,
}

/// A duration over launches, ns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Median.
    pub median: f64,
    /// Shortest.
    pub min: f64,
    /// Longest.
    pub max: f64,
    /// Launches.
    pub k: usize,
}

/// What launches of a case found around them: one entry each, more where launches differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The MPI library as loaded.
    pub libraries: Vec<String>,
    /// Version of the contract with bench-app.
    pub protocols: Vec<u32>,
    /// The CPUs of each rank as obtained.
    pub placement: Vec<String>,
    /// Which namespaces ranks of a host share.
    pub isolation: Vec<String>,
    /// What carried the messages between ranks 0 and 1: memory, the network, the fabric.
    pub transport: Vec<String>,
    /// Control variables of the library, such as its switch points, by name.
    pub variables: BTreeMap<String, Vec<String>>,
}

/// A combination that was tried for its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Which.
    pub id: CaseId,
    /// Its mode.
    pub mode: Mode,
    /// Mode and versions.
    pub label: String,
    /// What came out, in one sentence.
    pub answer: String,
    /// Kernel by kernel and size by size.
    pub cells: Vec<CellReport>,
    /// What the launches found around them.
    pub seen: Seen,
    /// The command, quoted for a shell; none where it was not launched yet.
    pub command: Option<String>,
}

/// An attempt that did not complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub attempt: AttemptId,
    /// Its case.
    pub case: CaseId,
    /// Its case, as people read it.
    pub label: String,
    /// Why it was made.
    pub purpose: Purpose,
    /// Its block.
    pub block: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in a line, where a rule knows it.
    #[serde(default)]
    pub cause: Option<String>,
    /// What it said.
    pub said: Vec<String>,
    /// What had to be cleared away after it.
    pub swept: Vec<String>,
}

impl CellReport {
    /// The figure, where there is one.
    #[must_use]
    pub fn figure(&self) -> Option<&Figure> {
        match &self.status {
            CellStatus::Figure(figure) => Some(figure),
            CellStatus::Ran | CellStatus::Failed { .. } => None,
        }
    }
}

impl CaseReport {
    /// The status of a cell, where the case has it.
    #[must_use]
    pub fn status(&self, kernel: Kernel, bytes: Bytes) -> Option<&CellStatus> {
        self.cell(kernel, bytes).map(|cell| &cell.status)
    }

    /// A cell, where the case has it.
    #[must_use]
    pub fn cell(&self, kernel: Kernel, bytes: Bytes) -> Option<&CellReport> {
        self.cells.iter().find(|cell| (cell.kernel, cell.bytes) == (kernel, bytes))
    }

    /// The cells that hold figures.
    pub fn figures(&self) -> impl Iterator<Item = (&CellReport, &Figure)> {
        self.cells.iter().filter_map(|cell| Some((cell, cell.figure()?)))
    }
}

/// The case that `case` is compared with, among those of its report.
pub(crate) fn referred<'r>(cases: &'r [CaseReport], case: &CaseReport) -> Option<&'r CaseReport> {
    let id = case.reference.as_ref()?;
    cases.iter().find(|other| other.role != Role::Twin && other.id == *id)
}

impl Report {
    /// The case that `case` is compared with; none for the baseline.
    #[must_use]
    pub fn reference(&self, case: &CaseReport) -> Option<&CaseReport> {
        referred(&self.cases, case)
    }

    /// Whether a case is a cell of a matrix, where it is shown among its like.
    #[must_use]
    pub fn is_crossed(&self, case: &CaseReport) -> bool {
        case.role != Role::Twin && self.matrices.iter().any(|matrix| matrix.mode == case.mode)
    }

    /// The baseline, where the design has one.
    #[must_use]
    pub fn baseline(&self) -> Option<&CaseReport> {
        self.cases.iter().find(|case| case.role == Role::Baseline)
    }

    /// The baseline's twin.
    #[must_use]
    pub fn twin(&self) -> Option<&CaseReport> {
        self.cases.iter().find(|case| case.role == Role::Twin)
    }

    /// Why launches of a case ended as `outcome` says, in a line, where that is known. What was not tried because of a
    /// failure shares its cause.
    #[must_use]
    pub fn cause(&self, case: &CaseId, outcome: &Outcome) -> Option<&str> {
        let words = match outcome {
            Outcome::Skipped { reason } => reason.clone(),
            other => other.to_string(),
        };
        let of_case = self.failures.iter().filter(|failure| failure.case == *case);
        of_case.filter(|failure| failure.outcome.to_string() == words).find_map(|failure| failure.cause.as_deref())
    }

    /// The sizes at which any case or probe was to run `kernel`, ascending.
    #[must_use]
    pub fn sizes(&self, kernel: Kernel) -> Vec<Bytes> {
        let cells = self.cases.iter().flat_map(|c| &c.cells).chain(self.probes.iter().flat_map(|p| &p.cells));
        let mut sizes: Vec<Bytes> = cells.filter(|cell| cell.kernel == kernel).map(|cell| cell.bytes).collect();
        sizes.sort();
        sizes.dedup();
        sizes
    }

    /// Whether what was measured is programs, whole, and no messages.
    #[must_use]
    pub fn is_of_programs(&self) -> bool {
        let cells = self.cases.iter().flat_map(|c| &c.cells).chain(self.probes.iter().flat_map(|p| &p.cells));
        cells.into_iter().any(|cell| cell.kernel == Kernel::Program)
    }

    /// The report as JSON, newline included.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.unwrap_or_else(|error| unreachable!("a report is plain data: {error}")) + "\n"
    }
}
