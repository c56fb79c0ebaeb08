//! How far visits and what decides scatter: variances of logarithms, pooled over cells and cases.
//!
//! What decides is a launch, or where launches take turns the ratio of the two of a duet: what both have in common, as the
//! state of the machine in those seconds, is no scatter of it.

use std::collections::BTreeMap;

use bench_app::{Bytes, Kernel};

use super::{FEWEST_LAUNCHES, NoAdvice};
use crate::{
    case::Case,
    decision::Pairs,
    id::{AttemptId, CaseId},
    plan,
    record::{Design, Purpose, Record, Sample},
    stats,
};

/// Variances of logarithms, that is of relative differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scatter {
    /// Between visits of one launch, or of one duet.
    pub(super) visit: f64,
    /// Between launches, or duets, visits taken out.
    pub(super) launch: f64,
    /// Visits a launch in these data.
    visits: f64,
}

/// Below this a variance is nothing that could be measured (1e-5 is 0.001 %): it keeps quotients finite.
const LEAST: f64 = 1e-10;

type Place = (CaseId, Kernel, Bytes);
/// The logarithms of visits' medians, by visit.
type Visits = BTreeMap<u32, f64>;
/// The same of a launch, by cell.
type Cells = BTreeMap<(Kernel, Bytes), Visits>;

impl Scatter {
    /// That of completed launches: one-way analysis of variance with launches, or duets, as groups, pooled.
    pub(super) fn of(design: &Design, completed: &[&Record], samples: &[Sample]) -> Result<Self, NoAdvice> {
        let launches = launches(samples);
        let groups = match design.pairs {
            Pairs::Blocks => alone(completed, &launches),
            Pairs::Duet => duets(design, completed, &launches),
        };
        let (mut within, mut between, mut visits) = (Pool::default(), Pool::default(), Vec::new());
        for groups in groups.values() {
            let means: Vec<f64> = groups.iter().map(|visits| mean(visits)).collect();
            for of_group in groups {
                within.add(of_group);
                visits.push(of_group.len() as f64);
            }
            if means.len() >= FEWEST_LAUNCHES as usize {
                between.add(&means);
            }
        }
        let visit = within.variance().ok_or(NoAdvice::OneVisit);
        let means = between.variance().ok_or(NoAdvice::TooFewLaunches)?;
        let (visit, visits) = (visit?.max(LEAST), mean(&visits));
        Ok(Self { visit, launch: (means - visit / visits).max(LEAST), visits })
    }

    /// Variance of a launch, or duet, with so many visits.
    pub(super) fn with_visits(&self, visits: f64) -> f64 {
        self.launch + self.visit / visits
    }

    /// Variance of one as these were made.
    pub(super) fn as_made(&self) -> f64 {
        self.with_visits(self.visits)
    }
}

/// The visits of each launch.
fn launches(samples: &[Sample]) -> BTreeMap<AttemptId, Cells> {
    let mut batches: BTreeMap<(AttemptId, Kernel, Bytes, u32), Vec<f64>> = BTreeMap::new();
    for sample in samples {
        let time = sample.kernel.operation_ns(sample.ns, sample.k);
        batches.entry((sample.attempt, sample.kernel, sample.bytes, sample.visit)).or_default().push(time);
    }
    let mut launches: BTreeMap<AttemptId, Cells> = BTreeMap::new();
    for ((attempt, kernel, bytes, visit), times) in batches {
        if let Some(time) = stats::median(&times).filter(|time| *time > 0.0) {
            let cells = launches.entry(attempt).or_default();
            cells.entry((kernel, bytes)).or_default().insert(visit, time.ln());
        }
    }
    launches
}

/// The visits of every launch, each for itself.
fn alone(completed: &[&Record], launches: &BTreeMap<AttemptId, Cells>) -> BTreeMap<Place, Vec<Vec<f64>>> {
    let mut groups: BTreeMap<Place, Vec<Vec<f64>>> = BTreeMap::new();
    for record in completed {
        for ((kernel, bytes), visits) in launches.get(&record.attempt).into_iter().flatten() {
            let place = (record.case.clone(), *kernel, *bytes);
            groups.entry(place).or_default().push(visits.values().copied().collect());
        }
    }
    groups
}

/// The visits of every duet: of each what the case takes over the baseline in the visit beside it.
fn duets(
    design: &Design,
    completed: &[&Record],
    launches: &BTreeMap<AttemptId, Cells>,
) -> BTreeMap<Place, Vec<Vec<f64>>> {
    let baseline = design.cases.first().map(Case::id);
    let is_compared =
        |record: &Record| record.purpose == Purpose::MeasureTwin || Some(&record.case) != baseline.as_ref();
    let mut groups: BTreeMap<Place, Vec<Vec<f64>>> = BTreeMap::new();
    for record in completed.iter().filter(|record| is_compared(record)) {
        let partner = completed.iter().find(|other| plan::are_partners(record, other));
        let Some(others) = partner.and_then(|partner| launches.get(&partner.attempt)) else { continue };
        for (cell, visits) in launches.get(&record.attempt).into_iter().flatten() {
            let Some(beside) = others.get(cell) else { continue };
            let ratios: Vec<f64> = visits.iter().filter_map(|(visit, time)| Some(time - beside.get(visit)?)).collect();
            // Of none the mean would pass for that of equals.
            if !ratios.is_empty() {
                groups.entry((record.case.clone(), cell.0, cell.1)).or_default().push(ratios);
            }
        }
    }
    groups
}

/// Sums of squares over several groups, each about its own mean.
#[derive(Debug, Default)]
struct Pool {
    squares: f64,
    freedom: f64,
}

impl Pool {
    fn add(&mut self, values: &[f64]) {
        let mean = mean(values);
        self.squares += values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        self.freedom += values.len().saturating_sub(1) as f64;
    }

    fn variance(&self) -> Option<f64> {
        (self.freedom > 0.0).then(|| self.squares / self.freedom)
    }
}

/// Variance of a sample of two or more.
pub(super) fn variance(values: &[f64]) -> Option<f64> {
    let mut pool = Pool::default();
    pool.add(values);
    pool.variance()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
