//! The order of launches, which cells are still worth launching, and when there are enough: pure functions of the design and
//! of what happened.

mod estimate;
mod stop;

pub use estimate::{Estimate, doubts, estimate, fewest_blocks};
pub(crate) use stop::rests;
pub use stop::{Ended, Look, after, look};

use bench_app::{Cell, Workload, workload::Order};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    case::{Case, Program},
    decision::Pairs,
    medians::Medians,
    record::{Design, Outcome, Purpose, Record},
};

/// What a launch runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// bench-app, which measures the cells.
    BenchApp,
    /// bench-app where a program is measured, for whether ranks find each other there: exit code 0 of a program is no proof.
    World,
    /// The program of the case.
    Program,
}

/// One planned launch.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch<'a> {
    /// What is launched.
    pub case: &'a Case,
    /// And what that runs.
    pub runs: Runs,
    /// Why.
    pub purpose: Purpose,
    /// The block; 0 for discovery, one past the last for probes.
    pub block: u32,
    /// Place in the block, from 0.
    pub slot: u32,
    /// Place of the launch with which it takes turns, where it does.
    pub partner: Option<u32>,
}

/// The launches of block `block`: discovery for 0, an analysed block for `1..=design.blocks`, the probes after that.
///
/// An analysed block holds every case once, and the baseline twice, in an order drawn from the design's seed and the
/// block's number: never one mode after the other. In duets it holds a duet of the baseline with every other case and one
/// with itself, in such an order, and which of a duet begins is drawn likewise.
///
/// Where a case has a program, a launch of bench-app comes before the program's first one, outside the analysed blocks.
#[must_use]
pub fn block(design: &Design, block: u32) -> Vec<Launch<'_>> {
    let analysed = (1..=design.blocks).contains(&block);
    let planned: Vec<(&Case, Purpose)> = if block == 0 {
        design.cases.iter().map(|case| (case, Purpose::Discovery)).collect()
    } else if analysed {
        shuffled(design, block)
    } else {
        design.probes.iter().map(|case| (case, Purpose::Probe)).collect()
    };
    let runs = |case: &Case| match (&case.program, analysed) {
        (None, _) => &[Runs::BenchApp][..],
        (Some(_), false) => &[Runs::World, Runs::Program],
        (Some(_), true) => &[Runs::Program],
    };
    let planned =
        planned.into_iter().flat_map(|(case, purpose)| runs(case).iter().map(move |runs| (case, purpose, *runs)));
    let partner = |slot: u32| (analysed && design.pairs == Pairs::Duet).then_some(slot ^ 1);
    let launch = |((case, purpose, runs), slot)| Launch { case, runs, purpose, block, slot, partner: partner(slot) };
    planned.zip(0..).map(launch).collect()
}

fn shuffled(design: &Design, block: u32) -> Vec<(&Case, Purpose)> {
    let Some((baseline, others)) = design.cases.split_first() else { return Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(design.seed);
    rng.set_stream(u64::from(block));
    let (baseline, twin) = ((baseline, Purpose::Measure), (baseline, Purpose::MeasureTwin));
    let others = others.iter().map(|case| (case, Purpose::Measure));
    match design.pairs {
        Pairs::Blocks => {
            let mut launches: Vec<_> = std::iter::once(baseline).chain(others).chain([twin]).collect();
            launches.shuffle(&mut rng);
            launches
        }
        Pairs::Duet => {
            let mut duets: Vec<_> = others.chain([twin]).map(|other| [baseline, other]).collect();
            duets.shuffle(&mut rng);
            duets.iter_mut().for_each(|duet| duet.shuffle(&mut rng));
            duets.concat()
        }
    }
}

/// The workload of a launch: the case's, restricted to `cells`, in an order that suits its purpose.
///
/// Launches that may hang go by size, so that everything below the size that hangs is kept. Analysed launches of one
/// block share their seed: the order of sizes then differs between blocks and not between modes.
#[must_use]
pub fn workload(launch: &Launch<'_>, cells: Vec<Cell>, seed: u64) -> Workload {
    if launch.runs == Runs::World {
        return Program::world();
    }
    let order = match launch.purpose {
        Purpose::Discovery | Purpose::Recheck | Purpose::Probe => Order::Ascending,
        Purpose::Measure | Purpose::MeasureTwin => Order::Shuffled,
    };
    let seed = seed.wrapping_add(u64::from(launch.block));
    Workload { cells, order, seed, ..launch.case.workload.clone() }
}

/// A cell that is not launched any more, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Retired {
    /// The cell.
    pub cell: Cell,
    /// What happened to it; `Skipped` where a smaller size hung and this one was not tried.
    pub outcome: Outcome,
}

/// The cells of `case` that its rechecks confirmed to fail, from the records of a run.
///
/// A failure in any launch is only a suspicion (a starved machine looks like a hang): the recheck of the suspected
/// cells, alone, decides.
#[must_use]
pub fn retired(case: &Case, records: &[Record]) -> Vec<Retired> {
    let id = case.id();
    let mut retired: Vec<Retired> = Vec::new();
    for record in records.iter().filter(|r| r.case == id && r.purpose == Purpose::Recheck) {
        for cell in &record.cells {
            let known = retired.iter().any(|r| r.cell == *cell);
            if let (false, Some(outcome)) = (known, verdict(*cell, &record.outcome)) {
                retired.push(Retired { cell: *cell, outcome });
            }
        }
    }
    retired
}

/// What the outcome of a recheck means for one of its cells: nothing, or the end.
fn verdict(cell: Cell, outcome: &Outcome) -> Option<Outcome> {
    match (outcome, outcome.at()) {
        (Outcome::Completed | Outcome::Interrupted, _) => None,
        (_, None) => Some(outcome.clone()),
        // A program has no other cells: where not even a message of bench-app's gets through, it is not tried.
        (_, Some(_)) if cell == Program::CELL => Some(outcome.clone()),
        (_, Some((kernel, bytes))) if (kernel, bytes) == (cell.kernel, cell.bytes) => Some(outcome.clone()),
        (_, Some((kernel, bytes))) if kernel == cell.kernel && bytes < cell.bytes => {
            Some(Outcome::Skipped { reason: format!("{outcome}") })
        }
        (_, Some(_)) => None,
    }
}

/// The cells of `case` that are still launched.
#[must_use]
pub fn remaining(case: &Case, records: &[Record]) -> Vec<Cell> {
    let gone = retired(case, records);
    case.workload.cells.iter().copied().filter(|cell| gone.iter().all(|r| r.cell != *cell)).collect()
}

/// The cells that `record` gives reason to doubt, to be rechecked alone; none where it ended well.
///
/// Where the failing cell is known these are that cell and the larger ones of its kernel, else all that were asked for.
#[must_use]
pub fn suspects(record: &Record) -> Vec<Cell> {
    record.cells.iter().copied().filter(|cell| verdict(*cell, &record.outcome).is_some()).collect()
}

/// What is to be done next: a launch, or a duet of two, with the cells it is restricted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    /// The launch; of a duet the one that has the first turn.
    pub launch: Launch<'a>,
    /// The launch with which it takes turns.
    pub partner: Option<Launch<'a>>,
    /// The cells that it measures, or that both do: never empty.
    pub cells: Vec<Cell>,
}

impl<'a> Step<'a> {
    /// The launches of this step, in the order of their places.
    pub fn launches(&self) -> impl Iterator<Item = &Launch<'a>> {
        std::iter::once(&self.launch).chain(&self.partner)
    }
}

/// The next launch of a run of which `records` have been made, with the `medians` of their samples; none when it is
/// complete.
///
/// The whole state of a run is in what it has stored: resuming one is asking again.
#[must_use]
pub fn next<'a>(design: &'a Design, records: &[Record], medians: &Medians) -> Option<Step<'a>> {
    let of_block = |number: u32| open(design, number, records, medians);
    let analysed = || match progress(design, records, medians) {
        Progress::At(number) => of_block(number),
        Progress::Ended(_) => None,
    };
    // Discovery is over when a block was begun.
    let discovery = if begun(records) == 0 { of_block(0) } else { None };
    discovery.or_else(analysed).or_else(|| of_block(design.blocks + 1))
}

/// Why no more blocks are made; none while there is something to do in one.
#[must_use]
pub fn ended(design: &Design, records: &[Record], medians: &Medians) -> Option<Ended> {
    match progress(design, records, medians) {
        Progress::At(_) => None,
        Progress::Ended(why) => Some(why),
    }
}

/// Where a run is among its analysed blocks.
enum Progress {
    /// In this block there is something to do.
    At(u32),
    /// In none.
    Ended(Ended),
}

fn progress(design: &Design, records: &[Record], medians: &Medians) -> Progress {
    let begun = begun(records);
    // No block is begun before the one before it has nothing left to do.
    for number in begun.max(1)..=design.blocks {
        // A block that was begun proves that the run was to go on at every look before it.
        let looks = number > 1 && number > begun;
        if let Some(why) = looks.then(|| after(design, records, medians, number - 1)).flatten() {
            return Progress::Ended(why);
        }
        if open(design, number, records, medians).is_some() {
            return Progress::At(number);
        }
    }
    Progress::Ended(after(design, records, medians, design.blocks).unwrap_or(Ended::Blocks))
}

/// The last block of which there is an analysed launch; 0 where there is none.
pub(crate) fn begun(records: &[Record]) -> u32 {
    records.iter().filter(|r| is_analysed(r.purpose)).map(|r| r.block).max().unwrap_or(0)
}

pub(crate) const fn is_analysed(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Measure | Purpose::MeasureTwin)
}

/// What is still to be done in a block.
fn open<'a>(design: &'a Design, number: u32, records: &[Record], medians: &Medians) -> Option<Step<'a>> {
    units(design, number).into_iter().find_map(|unit| {
        let step = match unit.as_slice() {
            [first, second] => pending_duet(first, second, records),
            launches => launches.iter().find_map(|launch| pending(launch.clone(), records)),
        };
        step.filter(|_| !is_at_rest(design, &unit, records, medians))
    })
}

/// The launches of a block that are made, in units of one launch or of the two that take turns: without what rests.
#[must_use]
pub fn launches<'a>(design: &'a Design, number: u32, records: &[Record], medians: &Medians) -> Vec<Vec<Launch<'a>>> {
    let mut units = units(design, number);
    units.retain(|unit| !is_at_rest(design, unit, records, medians));
    units
}

fn is_at_rest(design: &Design, unit: &[Launch<'_>], records: &[Record], medians: &Medians) -> bool {
    unit.iter().any(|launch| rests(design, (launch.case, launch.purpose), launch.block, records, medians))
}

fn units(design: &Design, number: u32) -> Vec<Vec<Launch<'_>>> {
    let launches = block(design, number);
    launches.chunk_by(|one, next| one.partner == Some(next.slot)).map(<[_]>::to_vec).collect()
}

/// What is still to be done of a duet: both launches, where they have not been made together, then as of any launch.
fn pending_duet<'a>(first: &Launch<'a>, second: &Launch<'a>, records: &[Record]) -> Option<Step<'a>> {
    let here = |launch: &Launch<'_>| {
        let (block, slot) = (launch.block, launch.slot);
        records.iter().filter(move |r| (r.block, r.slot) == (block, slot) && r.outcome != Outcome::Interrupted)
    };
    if here(first).any(|record| here(second).any(|other| are_partners(record, other))) {
        return [first, second].into_iter().find_map(|launch| pending(launch.clone(), records));
    }
    // What one of them does not measure has nothing to be compared with.
    let mut cells = remaining(first.case, records);
    let others = remaining(second.case, records);
    cells.retain(|cell| others.contains(cell));
    (!cells.is_empty()).then(|| Step { launch: first.clone(), partner: Some(second.clone()), cells })
}

/// Whether two attempts took turns with each other. What was left alone by a harness that was killed names an attempt that
/// does not name it.
#[must_use]
pub fn are_partners(one: &Record, other: &Record) -> bool {
    one.partner == Some(other.attempt) && other.partner == Some(one.attempt)
}

/// The launch, among those of another case, with which `record` makes a pair: the one with which it took turns, or else
/// that of its block.
#[must_use]
pub fn pair_of<'r>(record: &Record, others: &[&'r Record]) -> Option<&'r Record> {
    let is_pair = |other: &&&Record| match record.partner {
        Some(_) => are_partners(record, other),
        None => other.block == record.block,
    };
    others.iter().rfind(is_pair).copied()
}

/// The pairs that the launches of a case make with those of another, as medians of `cell`; without those that did not
/// measure it.
#[must_use]
pub fn paired_medians(launches: &[&Record], others: &[&Record], cell: Cell, medians: &Medians) -> Vec<(f64, f64)> {
    let pair = |record: &&Record| {
        let other = pair_of(record, others)?;
        Some((medians.get(record.attempt, cell)?, medians.get(other.attempt, cell)?))
    };
    launches.iter().filter_map(pair).collect()
}

/// What is still to be done of one planned launch.
fn pending<'a>(launch: Launch<'a>, records: &[Record]) -> Option<Step<'a>> {
    let case = launch.case.id();
    let here = |r: &&Record| {
        (&r.case, r.block, r.slot) == (&case, launch.block, launch.slot) && r.outcome != Outcome::Interrupted
    };
    let (rechecks, made): (Vec<&Record>, Vec<&Record>) =
        records.iter().filter(here).partition(|r| r.purpose == Purpose::Recheck);
    let remaining = remaining(launch.case, records);
    let step = |launch: Launch<'a>, cells: Vec<Cell>| {
        let partner = None;
        (!cells.is_empty()).then_some(Step { launch, partner, cells })
    };

    if made.is_empty() {
        return step(launch, remaining);
    }
    let unchecked = made.iter().find_map(|record| {
        let checked = rechecks.iter().any(|recheck| recheck.attempt > record.attempt);
        let doubtful: Vec<Cell> = suspects(record).into_iter().filter(|cell| remaining.contains(cell)).collect();
        (!checked && !doubtful.is_empty()).then_some(doubtful)
    });
    if let Some(cells) = unchecked {
        return step(Launch { purpose: Purpose::Recheck, ..launch }, cells);
    }
    match launch.purpose {
        // A hang leaves the larger cells of the other kernels untried.
        Purpose::Discovery | Purpose::Probe => {
            let tried = |cell: &Cell| made.iter().chain(&rechecks).any(|record| was_tried(record, *cell));
            step(launch, remaining.into_iter().filter(|cell| !tried(cell)).collect())
        }
        Purpose::Measure | Purpose::MeasureTwin | Purpose::Recheck => None,
    }
}

/// Whether a launch in ascending order got as far as `cell`.
fn was_tried(record: &Record, cell: Cell) -> bool {
    let before_the_end = |(kernel, bytes)| (cell.bytes, cell.kernel) <= (bytes, kernel);
    record.cells.contains(&cell) && record.outcome.at().is_none_or(before_the_end)
}

/// Launches of a run without failures, for estimates of the time left.
#[must_use]
pub fn length(design: &Design) -> usize {
    (0..=design.blocks + 1).map(|number| block(design, number).len()).sum()
}

#[cfg(test)]
mod tests;
