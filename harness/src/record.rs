//! What is kept of a run: its manifest, its design, one record an attempt, one sample a batch.
//!
//! Readers ignore fields they do not know; [`SCHEMA`] changes when a known field changes its meaning.

pub mod lost;
mod plain;
mod staged;

use std::{collections::BTreeMap, fmt, path::PathBuf};

use bench_app::{
    Bytes, Cell, Kernel,
    event::{Begin, Boot, Facts, Hello, Late, RankFacts, Settled, Sync, Trace, Visited, WrongData},
    stationarity::median,
};
use serde::{Deserialize, Serialize};

use crate::{
    against::Against,
    app::Compilation,
    case::{Case, Program},
    command::CommandSpec,
    decision::{Decision, Pairs},
    id::{AttemptId, CaseId, Sha256, SiteId},
    profile::Deadline,
};
use lost::Lost;
pub use plain::plain;
pub use staged::{StagedFile, Staging};

/// Version of everything under a run's directory.
pub const SCHEMA: u32 = 1;

/// `manifest.json`: where, when, with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of sifbench.
    pub tool: String,
    /// The measuring place.
    pub site: SiteId,
    /// Start, RFC 3339 in UTC, whole seconds.
    pub started: String,
    /// Digest of `design.json`.
    pub design: Sha256,
    /// Facts of the host, by name (`cpu`, `cores`, `kernel`, `apptainer`, ..), as text.
    pub facts: BTreeMap<String, String>,
    /// Files that were run, with their digests.
    pub files: Vec<FileFact>,
    /// Where each setting came from: flag, environment, campaign, profile or built-in.
    pub origins: BTreeMap<String, String>,
    /// The profile of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileFact>,
    /// What was brought to the nodes' own disks: once for each time that the run was begun or gone on with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staged: Vec<Staging>,
}

/// The profile that a run was begun with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileFact {
    /// Its name.
    pub name: String,
    /// Why it was taken.
    pub why: String,
    /// All that it says, after `extends`, as TOML.
    pub text: String,
    /// What the setup of an MPI of the place changed in the environment, by version and variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub setup: BTreeMap<String, BTreeMap<String, String>>,
}

/// A file that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFact {
    /// What it is: `image 4.1.8`, `bench-app`, ..
    pub name: String,
    /// Where it lay.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
}

/// `design.json`: everything decided before the first launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the campaign.
    pub campaign: String,
    /// Seed of the order of launches.
    pub seed: u64,
    /// Analysed blocks. Block 0 comes before them and is not analysed.
    pub blocks: u32,
    /// How often bench-app was compiled. Only what is not usual is written.
    #[serde(default, skip_serializing_if = "Compilation::is_shared")]
    pub app: Compilation,
    /// How launches are paired. Only what is not usual is written.
    #[serde(default, skip_serializing_if = "Pairs::is_blocks")]
    pub pairs: Pairs,
    /// What cases are compared with. Only what is not usual is written.
    #[serde(default, skip_serializing_if = "Against::is_baseline")]
    pub against: Against,
    /// Cases of every block. The first is the baseline, which is launched twice a block.
    pub cases: Vec<Case>,
    /// Cases tried once for their outcome, outside the blocks.
    pub probes: Vec<Case>,
    /// Deadlines of every launch.
    pub limits: Limits,
    /// What is decided.
    #[serde(default)]
    pub decision: Decision,
}

impl Design {
    /// Nodes that its largest case takes.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        let cases = self.cases.iter().chain(&self.probes);
        cases.filter_map(|case| case.placement.spread(case.ranks).ok()).map(|s| s.nodes.get()).max().unwrap_or(1)
    }
}

/// Deadlines of a launch, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// From the start to the first hello.
    pub hello_s: f64,
    /// Longest silence between two frames.
    pub silence_s: f64,
    /// The whole launch.
    pub total_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hello_s: 30.0, silence_s: 10.0, total_s: 300.0 }
    }
}

impl Limits {
    /// The first that is no time to wait for, which a campaign could not have said: its key, what is wrong, and a hint.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let all = [("hello_s", self.hello_s), ("silence_s", self.silence_s), ("total_s", self.total_s)];
        all.into_iter().find_map(|(key, seconds)| Some((key, Deadline::try_from(seconds).err()?)))
    }
}

/// Why a launch is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Block 0: finds cells that hang or fail. Not analysed.
    Discovery,
    /// A cell that hung or failed, once more and alone: a starved machine looks like a hang. Not analysed.
    Recheck,
    /// A block: analysed.
    Measure,
    /// The baseline once more in the same block: the permanent A/A pair.
    MeasureTwin,
    /// Tried once for its outcome. Not analysed.
    Probe,
}

/// One line of `attempts.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in the run.
    pub attempt: AttemptId,
    /// What was launched.
    pub case: CaseId,
    /// Why.
    pub purpose: Purpose,
    /// The block, from 1 for analysed ones.
    pub block: u32,
    /// Place in the block, from 0: the order in which launches were really made.
    pub slot: u32,
    /// The attempt with which it took turns. They are a pair where each names the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<AttemptId>,
    /// The command, as executed.
    pub command: CommandSpec,
    /// The cells asked for: fewer than the case's where some have been retired.
    pub cells: Vec<Cell>,
    /// Start, RFC 3339 in UTC, whole milliseconds.
    pub started: String,
    /// Duration of the whole launch, ns.
    pub wall_ns: u64,
    /// What the run took for it besides, ns: instances, other nodes, clean-up, the store; of a duet half of that. Not kept
    /// before there was a budget that counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside_ns: Option<u64>,
    /// Of `wall_ns`, the time for which it was stopped so that its partner had a turn, ns: only of a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_ns: Option<u64>,
    /// From the start to hello, ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello_ns: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The world as it formed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello: Option<Hello>,
    /// What its ranks found around them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// What else the ranks told besides batches.
    #[serde(default)]
    pub observed: Observed,
    /// What was gone, or did not answer, when it ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// First meaningful lines that were not frames, standard error before standard output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// What had to be cleared away after it, in words; nothing for a clean end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swept: Vec<String>,
    /// Where its rows lie in `samples.csv`.
    pub samples: SampleRange,
}

impl Record {
    /// What it took of the time of its run, s: who took turns did so in one and the same time.
    #[must_use]
    pub fn spent(&self) -> f64 {
        let shared = if self.partner.is_some() { 0.5 } else { 1.0 };
        (shared * self.wall_ns as f64 + self.beside_ns.unwrap_or_default() as f64) * 1e-9
    }
}

/// What a launch told besides its world, its facts and its batches.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// What the first rank that was heard knew before `MPI_Init`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
    /// What was found out after everything was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// How single repetitions of each cell are distributed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tails: Vec<Trace>,
    /// The canary around visits: the visit's number in the launch, from 0, and the median round trip before and after
    /// it, ns. Between two nodes it is a byte over TCP (`late.canary_over`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub canary: Vec<(u32, f64, f64)>,
    /// Time of copying as many bytes as a message has within one rank's memory: size, and the shortest over visits, ns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<(Bytes, f64)>,
    /// Half the round trip of as long a message between two nodes over TCP without MPI: size, and the shortest over
    /// visits, ns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<(Bytes, f64)>,
    /// Visits whose batches did not come out alike from first to last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_stationary: Vec<Begin>,
    /// Kernels whose repetitions are begun together one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<Rounds>,
    /// Visits so far.
    pub visits: u32,
}

/// How the repetitions of a cell were begun together, over all its visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// What was measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// How they began.
    pub sync: Sync,
    /// Repetitions.
    pub made: u64,
    /// Those in which a rank was late: they do not count.
    pub late: u64,
}

impl Observed {
    /// What the canary took before and after each visit, ns.
    pub fn canary_readings(&self) -> impl Iterator<Item = f64> {
        self.canary.iter().flat_map(|(_, before, after)| [*before, *after])
    }

    /// Adds a visit.
    pub fn add(&mut self, visited: &Visited) {
        let Visited { kernel, bytes, visit, sync, .. } = *visited;
        if let Some(readings) = &visited.canary {
            let [before, after] = readings.map(|batches| tenths(median(&batches) / f64::from(visited.canary_trips)));
            self.canary.push((self.visits, before, after));
        }
        for (kept, ns) in [(&mut self.copies, visited.copy_ns), (&mut self.streams, visited.stream_ns)] {
            let Some(ns) = ns.map(tenths) else { continue };
            match kept.iter_mut().find(|(known, _)| *known == bytes) {
                // The fastest of all visits: what slows a copy is not the memory.
                Some((_, least)) => *least = least.min(ns),
                None => kept.push((bytes, ns)),
            }
        }
        if visited.settled == Settled::NotStationary {
            self.not_stationary.push(Begin { kernel, bytes, visit });
        }
        if sync != Sync::Batch {
            let (made, late) = (u64::from(visited.made), u64::from(visited.late));
            match self.rounds.iter_mut().find(|r| (r.kernel, r.bytes, r.sync) == (kernel, bytes, sync)) {
                Some(known) => (known.made, known.late) = (known.made + made, known.late + late),
                None => self.rounds.push(Rounds { kernel, bytes, sync, made, late }),
            }
        }
        self.visits += 1;
    }
}

fn tenths(ns: f64) -> f64 {
    (ns * 10.0).round() / 10.0
}

/// Rows of one attempt in `samples.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRange {
    /// Byte offset of the first row.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Digest of those bytes.
    pub sha256: Sha256,
}

impl SampleRange {
    /// No rows, nowhere: what a record says before it is committed.
    #[must_use]
    pub fn empty() -> Self {
        Self { offset: 0, bytes: 0, sha256: Sha256::of(b"") }
    }
}

/// How an attempt ended. A hang is a result, not an error of the harness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// Every cell was measured.
    Completed,
    /// The ranks did not find each other: worlds of `seen` instead of `expected` ranks.
    Singletons {
        /// Ranks asked for.
        expected: u32,
        /// Size of the worlds that formed.
        seen: u32,
    },
    /// A deadline passed.
    TimedOut {
        /// Which.
        phase: Phase,
        /// The visit during which it passed.
        last: Option<Begin>,
    },
    /// The launcher ended with an exit code before everything was measured.
    Exited {
        /// The code.
        code: i32,
        /// The visit during which it ended.
        last: Option<Begin>,
    },
    /// A signal ended the launcher, or by its own words a rank.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// The visit during which it ended.
        last: Option<Begin>,
    },
    /// A program ended well, and was to be stopped while its partner ran; but its ranks were never found together.
    NoTurns {
        /// Ranks asked for.
        expected: u32,
        /// Most of them that were found at once.
        seen: u32,
    },
    /// Nothing could be started.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// A payload arrived changed.
    WrongData(WrongData),
    /// A frame was cut or mixed.
    Garbled {
        /// The line.
        line: String,
    },
    /// This combination cannot exist here.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// Not tried.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The user stopped the run during this launch: it is made again on resume.
    Interrupted,
}

impl Outcome {
    /// The cell at which it happened, where that is known.
    #[must_use]
    pub fn at(&self) -> Option<(Kernel, Bytes)> {
        match self {
            Outcome::TimedOut { last, .. } | Outcome::Exited { last, .. } | Outcome::Signaled { last, .. } => {
                last.map(|begin| (begin.kernel, begin.bytes))
            }
            Outcome::WrongData(wrong) => Some((wrong.kernel, wrong.bytes)),
            Outcome::Completed
            | Outcome::Singletons { .. }
            | Outcome::NoTurns { .. }
            | Outcome::NotStarted { .. }
            | Outcome::Garbled { .. }
            | Outcome::Unsupported { .. }
            | Outcome::Skipped { .. }
            | Outcome::Interrupted => None,
        }
    }
}

/// In a table's words: `hang at latency 4 MiB`, `2 singletons`, `exit code 1`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Completed => f.write_str("completed")?,
            Outcome::Singletons { expected, seen: 1 } => write!(f, "{expected} singletons")?,
            Outcome::Singletons { expected, seen } => write!(f, "worlds of {seen} instead of {expected}")?,
            Outcome::TimedOut { phase: Phase::Hello, .. } => f.write_str("no start in time")?,
            Outcome::TimedOut { phase: Phase::Silence, .. } => f.write_str("hang")?,
            Outcome::TimedOut { phase: Phase::Total, .. } => f.write_str("over time")?,
            Outcome::Exited { code, .. } => write!(f, "exit code {code}")?,
            Outcome::Signaled { signal, .. } => write!(f, "killed by signal {signal}")?,
            Outcome::NoTurns { expected, seen } => write!(f, "no turns: {seen} of {expected} ranks found")?,
            Outcome::NotStarted { reason } => write!(f, "not started: {reason}")?,
            Outcome::WrongData(_) => f.write_str("wrong data")?,
            Outcome::Garbled { .. } => f.write_str("garbled output")?,
            Outcome::Unsupported { reason } => write!(f, "unsupported: {reason}")?,
            Outcome::Skipped { reason } => write!(f, "not tried: {reason}")?,
            Outcome::Interrupted => f.write_str("interrupted")?,
        }
        match self.at() {
            Some((kernel, bytes)) => write!(f, " at {kernel} {bytes}"),
            None => Ok(()),
        }
    }
}

/// The deadline that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before hello.
    Hello,
    /// Between two frames.
    Silence,
    /// Over all.
    Total,
}

/// One row of `samples.csv`: one batch, raw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The attempt.
    pub attempt: AttemptId,
    /// What was measured.
    pub kernel: Kernel,
    /// The message size, bytes.
    pub bytes: Bytes,
    /// Visit of the cell within the launch, from 0.
    pub visit: u32,
    /// Batch within the visit, from 0, warm-up not counted.
    pub batch: u32,
    /// Repetitions in the batch.
    pub k: u32,
    /// Duration of the batch, ns.
    pub ns: u64,
}

impl Sample {
    /// The one row of a program: a launch that took `ns`.
    #[must_use]
    pub fn of_program(attempt: AttemptId, ns: u64) -> Self {
        let Cell { kernel, bytes, k } = Program::CELL;
        Self { attempt, kernel, bytes, visit: 0, batch: 0, k: k.get(), ns }
    }
}

/// The ranks that facts tell of: rank 0 and those that differ from it.
pub fn ranks_of(facts: &Facts) -> impl Iterator<Item = &RankFacts> {
    std::iter::once(&facts.first).chain(&facts.differing)
}
