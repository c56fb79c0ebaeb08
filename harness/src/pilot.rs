//! What a first, short run teaches a campaign: K of every cell, visits a launch, and how many blocks a precision takes.
//!
//! Pure functions of what a run has stored. The run itself is an ordinary one of a few blocks; nothing of it is analysed
//! together with what comes after, and what it fixes is written into the campaign before that starts.

mod rewrite;
mod scatter;

use std::{collections::BTreeMap, num::NonZeroU32};

use bench_app::{Cell, Kernel};
use serde::Serialize;

use crate::{
    against,
    case::Case,
    decision::Pairs,
    id::AttemptId,
    medians::Medians,
    plan,
    record::{Design, Outcome, Purpose, Record, Sample},
    stats,
};

pub use rewrite::{NotRewritten, rewrite};
use scatter::Scatter;

/// Shortest batch, ns: far above the clock's tick and the 20 to 30 ns that reading it takes.
pub const BATCH_NS: f64 = 50_000.0;
/// Fewest and most visits of a cell in a launch.
const ROUNDS: (f64, f64) = (3.0, 30.0);
/// Fewest launches a case from which a scatter can be told.
pub const FEWEST_LAUNCHES: u32 = 3;
/// What warm-up and the passes for payloads and tails add to the batches of a launch, as a factor.
const BESIDE_BATCHES: f64 = 2.0;
/// Launches that a Hodges-Lehmann interval takes for one of the mean of normal values: pi / 3.
const EFFICIENCY: f64 = std::f64::consts::FRAC_PI_3;
/// Two-sided 95 % of a normal distribution.
const Z: f64 = 1.96;

/// What to write into a campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// Every cell with its K, equal in all modes.
    pub cells: Vec<Cell>,
    /// Visits of a cell in a launch.
    pub rounds: NonZeroU32,
    /// Analysed blocks, or the most of them where the campaign stops on precision.
    pub blocks: u32,
    /// What that rests on.
    pub grounds: Grounds,
}

impl Advice {
    /// What the campaign will cost by the pilot's own clock, where [`plan::estimate`] can only suppose.
    #[must_use]
    pub fn cost(&self, tuned: &Design) -> plan::Estimate {
        let supposed = plan::estimate(tuned);
        let each = self.grounds.launch_s + f64::from(self.rounds.get()) * self.grounds.round_s;
        plan::Estimate { seconds: supposed.launches.map(|launches| launches as f64 * each), ..supposed }
    }
}

/// What a pilot run has shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grounds {
    /// Completed launches.
    pub launches: usize,
    /// What scatters: launches, or duets, of which that is the ratio of the two launches.
    pub pairs: Pairs,
    /// Relative standard deviation of a cell between visits of one launch, or duet.
    pub between_visits: f64,
    /// The same between launches, or duets, of one case, visits taken out.
    pub between_launches: f64,
    /// What a launch costs before and after its visits, s.
    pub launch_s: f64,
    /// What one visit of every cell costs, s.
    pub round_s: f64,
    /// The comparison that scatters most from block to block, as `case, kernel size`, and the relative standard deviation of
    /// its ratio; none where nothing is compared.
    pub widest: Option<(String, f64)>,
    /// The half-width, relative, that `blocks` is for; none where the campaign names no precision: then `blocks` is the fewest
    /// that can show a difference in its family.
    pub precision: Option<f64>,
}

/// Why a run gives no advice.
#[derive(Debug, thiserror::Error)]
pub enum NoAdvice {
    /// Scatter takes several launches.
    #[error("no case completed {FEWEST_LAUNCHES} launches; hint: `sifbench report` shows how they ended")]
    TooFewLaunches,
    /// Scatter within a launch takes several visits.
    #[error("a cell was visited once a launch; hint: a pilot takes `rounds = 2` or more in [workload]")]
    OneVisit,
}

/// What the launches of a run say about the campaign they were made for.
///
/// K is the smallest of 1, 2, 5, 10, 20, .. that makes a batch of the fastest case last [`BATCH_NS`]. Visits a launch
/// follow from the costs and variances of both levels, n = sqrt(c_launch/c_round * var_visit/var_launch), which gives the
/// narrowest interval for the time it takes (Kalibera and Jones, ISMM 2013), between 3 and 30.
///
/// # Errors
/// Too few launches or visits to tell.
pub fn advise(design: &Design, records: &[Record], samples: &[Sample]) -> Result<Advice, NoAdvice> {
    let completed: Vec<&Record> =
        records.iter().filter(|r| plan::is_analysed(r.purpose) && r.outcome == Outcome::Completed).collect();
    let medians = Medians::of(samples);
    let cells = cells(design, &completed, &medians);
    let scatter = Scatter::of(design, &completed, samples)?;
    let (launch_s, round_s) = costs(&completed, samples);
    let optimum = (launch_s / round_s * scatter.visit / scatter.launch).sqrt();
    let rounds = optimum.clamp(ROUNDS.0, ROUNDS.1).round() as u32;
    // Fewer or more visits change the part of the scatter that is theirs.
    let shrunk = scatter.with_visits(f64::from(rounds)) / scatter.as_made();
    let widest = widest(design, &completed, &medians).map(|(name, sd)| (name, sd * shrunk.sqrt()));
    let (blocks, precision) = (blocks(design, widest.as_ref().map(|(_, sd)| *sd)), design.decision.precision);
    let grounds = Grounds {
        launches: completed.len(),
        pairs: design.pairs,
        between_visits: scatter.visit.sqrt(),
        between_launches: scatter.launch.sqrt(),
        launch_s,
        round_s,
        widest,
        precision,
    };
    Ok(Advice { cells, rounds: NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN), blocks, grounds })
}

/// Every cell of the design; what no launch measured keeps its K.
fn cells(design: &Design, completed: &[&Record], medians: &Medians) -> Vec<Cell> {
    let planned = design.cases.first().map_or(&[][..], |case| &case.workload.cells);
    let fastest = |cell: &Cell| {
        let times = completed.iter().filter_map(|record| Some((&record.case, medians.get(record.attempt, *cell)?)));
        let mut by_case: BTreeMap<_, Vec<f64>> = BTreeMap::new();
        times.for_each(|(case, time)| by_case.entry(case).or_default().push(time));
        by_case.values().filter_map(|times| stats::median(times)).min_by(f64::total_cmp)
    };
    planned
        .iter()
        .map(|cell| Cell { k: fastest(cell).map_or(cell.k, |ns| repetitions(cell.kernel, ns)), ..*cell })
        .collect()
}

/// The K for which a batch of operations of `ns` each lasts [`BATCH_NS`].
fn repetitions(kernel: Kernel, ns: f64) -> NonZeroU32 {
    let one = ns * f64::from(kernel.row().operations);
    let steps = (0..7).flat_map(|power| [1, 2, 5].map(|step| step * 10_u32.pow(power)));
    let enough = steps.into_iter().find(|k| f64::from(*k) * one >= BATCH_NS).unwrap_or(5_000_000);
    NonZeroU32::new(enough).unwrap_or(NonZeroU32::MIN)
}

/// Seconds of a launch beside its visits, and of one visit to every cell.
fn costs(completed: &[&Record], samples: &[Sample]) -> (f64, f64) {
    let mut batches: BTreeMap<_, (u64, u32)> = BTreeMap::new();
    for sample in samples {
        let (ns, rounds) = batches.entry(sample.attempt).or_default();
        (*ns, *rounds) = (*ns + sample.ns, (*rounds).max(sample.visit + 1));
    }
    let visits = |attempt: &AttemptId| batches.get(attempt).map_or(0.0, |(ns, _)| *ns as f64 * 1e-9 * BESIDE_BATCHES);
    let of = |record: &&Record| {
        let (_, rounds) = batches.get(&record.attempt)?;
        let own = visits(&record.attempt);
        // The time of a duet is that of two launches.
        let (both, launches) = record.partner.as_ref().map_or((own, 1.0), |partner| (own + visits(partner), 2.0));
        let around = record.beside_ns.unwrap_or_default() as f64 * 1e-9;
        let beside = (record.wall_ns as f64 * 1e-9 - both) / launches + around;
        Some((beside.max(0.01), own / f64::from(*rounds)))
    };
    let (launch, round): (Vec<f64>, Vec<f64>) = completed.iter().filter_map(of).unzip();
    (stats::median(&launch).unwrap_or(1.0), stats::median(&round).unwrap_or(1.0).max(1e-6))
}

/// The primary comparison whose logarithmic ratio scatters most from block to block.
fn widest(design: &Design, completed: &[&Record], medians: &Medians) -> Option<(String, f64)> {
    let of_case = |case: &Case| -> Vec<&Record> {
        let id = case.id();
        completed.iter().filter(|r| r.case == id && r.purpose == Purpose::Measure).copied().collect()
    };
    let mut widest: Option<(String, f64)> = None;
    for case in &design.cases {
        let Some(reference) = against::reference(design, case) else { continue };
        let (launches, reference) = (of_case(case), of_case(reference));
        for cell in case.workload.cells.iter().filter(|cell| design.decision.is_primary(cell.kernel)) {
            let straight = stats::log_ratios(&plan::paired_medians(&launches, &reference, *cell, medians));
            let met = !straight.is_empty() || design.pairs == Pairs::Blocks;
            // Two cases of duets that never met are compared by what each takes over its own partner (`report/pairs.rs`).
            let ratios = if met { straight } else { apart(completed, [&launches, &reference], *cell, medians) };
            let Some(variance) = scatter::variance(&ratios) else { continue };
            let sd = variance.sqrt();
            if widest.as_ref().is_none_or(|(_, known)| sd > *known) {
                widest = Some((format!("{}, {} {}", case.label(), cell.kernel, cell.bytes), sd));
            }
        }
    }
    widest
}

/// The logarithm of what one case takes over its partner, less that of another over its own, in every block.
fn apart(completed: &[&Record], cases: [&[&Record]; 2], cell: Cell, medians: &Medians) -> Vec<f64> {
    let over_partner = |record: &&Record| {
        let partner = completed.iter().find(|other| plan::are_partners(record, other))?;
        let ratio = medians.get(record.attempt, cell)? / medians.get(partner.attempt, cell)?;
        Some((record.block, ratio.ln())).filter(|(_, log)| log.is_finite())
    };
    let [ratios, others] = cases.map(|launches| launches.iter().filter_map(over_partner).collect::<BTreeMap<_, _>>());
    ratios.into_iter().filter_map(|(block, log)| Some(log - others.get(&block)?)).collect()
}

/// Blocks for the precision that the design asks for, and at least those that can show a difference in its family.
fn blocks(design: &Design, sd: Option<f64>) -> u32 {
    let fewest = plan::fewest_blocks(design) as u32;
    let decision = &design.decision;
    let Some((precision, sd)) = decision.precision.zip(sd) else { return fewest };
    let wanted = EFFICIENCY * (Z * sd / precision.ln_1p()).powi(2);
    let wanted = (wanted.ceil() as u32).max(fewest);
    // A run stops at looks only.
    let later = wanted.saturating_sub(decision.first_look).div_ceil(decision.look_every.max(1));
    decision.first_look + later * decision.look_every
}

#[cfg(test)]
mod tests;
