//! How far visits and launches scatter: variances of logarithms, pooled over cells and cases.

use std::collections::BTreeMap;

use bench_app::{Bytes, Kernel};

use super::{FEWEST_LAUNCHES, NoAdvice};
use crate::{
    id::{AttemptId, CaseId},
    record::{Record, Sample},
    stats,
};

/// Variances of logarithms, that is of relative differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scatter {
    /// Between visits of one launch.
    pub(super) visit: f64,
    /// Between launches, visits taken out.
    pub(super) launch: f64,
    /// Visits a launch in these data.
    visits: f64,
}

/// Below this a variance is nothing that could be measured (1e-5 is 0.001 %): it keeps quotients finite.
const LEAST: f64 = 1e-10;

type Place<'a> = (&'a CaseId, Kernel, Bytes);

impl Scatter {
    /// That of completed launches: one-way analysis of variance with launches as groups, pooled.
    pub(super) fn of(completed: &[&Record], samples: &[Sample]) -> Result<Self, NoAdvice> {
        let launches = launches(completed, samples);
        let (mut within, mut between, mut visits) = (Pool::default(), Pool::default(), Vec::new());
        for launches in launches.values() {
            let means: Vec<f64> = launches.values().map(|visits| mean(visits)).collect();
            for of_launch in launches.values() {
                within.add(of_launch);
                visits.push(of_launch.len() as f64);
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

    /// Variance of a launch with so many visits.
    pub(super) fn with_visits(&self, visits: f64) -> f64 {
        self.launch + self.visit / visits
    }

    /// Variance of a launch as these were made.
    pub(super) fn as_made(&self) -> f64 {
        self.with_visits(self.visits)
    }
}

/// The logarithms of visits' medians, by cell of a case and launch.
fn launches<'a>(completed: &[&'a Record], samples: &[Sample]) -> BTreeMap<Place<'a>, BTreeMap<AttemptId, Vec<f64>>> {
    let cases: BTreeMap<AttemptId, &CaseId> = completed.iter().map(|record| (record.attempt, &record.case)).collect();
    let mut batches: BTreeMap<(Place<'_>, AttemptId, u32), Vec<f64>> = BTreeMap::new();
    for sample in samples {
        let Some(case) = cases.get(&sample.attempt) else { continue };
        let place = (*case, sample.kernel, sample.bytes);
        let time = sample.kernel.operation_ns(sample.ns, sample.k);
        batches.entry((place, sample.attempt, sample.visit)).or_default().push(time);
    }
    let mut launches: BTreeMap<Place<'_>, BTreeMap<AttemptId, Vec<f64>>> = BTreeMap::new();
    for ((place, attempt, _), times) in batches {
        let visit = stats::median(&times).filter(|time| *time > 0.0).map(f64::ln);
        launches.entry(place).or_default().entry(attempt).or_default().extend(visit);
    }
    launches
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
