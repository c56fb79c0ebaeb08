//! Trials from runs that were made: the baseline and its permanent twin, and what is found of slowdowns that are added to
//! the twin's times.

use std::collections::BTreeMap;

use crate::{
    id::AttemptId,
    record::{Purpose, Record, Sample},
    report::{self, Report},
    stats::{self, Method},
    store::Run,
};

use super::{Assessment, Cells, SLOWDOWNS, Source, tally::Tally};

/// Blocks of a trial with a slowdown, where nothing else is asked for: a usual campaign.
const USUAL: u32 = 20;

/// Tries the method on the twins of `runs`, in trials of `blocks` blocks, or of the usual number or as many as a run has. None
/// where no run has so many.
///
/// Trials are consecutive blocks; what is left over at the end is not used. Those without a slowdown have the fewest blocks
/// that can show a difference.
#[must_use]
pub fn real(runs: &[Run], blocks: Option<u32>) -> Option<Assessment> {
    let mut tally = Tally::default();
    let mut source: Option<Source> = None;
    for run in runs {
        let last = run.records.iter().filter(|record| is_twin(record)).map(|record| record.block).max().unwrap_or(0);
        let long = blocks.unwrap_or(USUAL.min(last));
        if long == 0 || long > last {
            continue;
        }
        let family = run.design.cases.first().map_or(0, |baseline| baseline.workload.cells.len());
        let short = long.min(fewest(family));
        let launches = Launches::of(run);
        for trial in cut(last, short) {
            let report = launches.model(trial, 0.0);
            tally.add_twin(&report);
            tally.add_family(report.twin().into_iter());
        }
        for trial in cut(last, long) {
            for slowdown in SLOWDOWNS {
                let report = launches.model(trial, slowdown);
                report.twin().into_iter().for_each(|twin| tally.add_slowed(slowdown, twin));
            }
        }
        let words = match runs.len() {
            1 => "the baseline and its twin in a run".to_owned(),
            several => format!("the baseline and its twin in {several} runs"),
        };
        let margin = run.design.decision.margin;
        source = Some(Source { words, blocks: long, alike: short, margin, family, cells: Cells::Pooled });
    }
    Some(Assessment::new(source?, tally))
}

/// The fewest blocks that can show a difference in a family.
fn fewest(family: usize) -> u32 {
    u32::try_from(Method::SignedRank.fewest(stats::ALPHA / family.max(1) as f64)).unwrap_or(u32::MAX)
}

/// First and last block of each trial.
fn cut(last: u32, length: u32) -> impl Iterator<Item = (u32, u32)> {
    (1..=last / length).map(move |number| ((number - 1) * length + 1, number * length))
}

fn is_twin(record: &Record) -> bool {
    record.purpose == Purpose::MeasureTwin
}

/// A run, with the samples of each launch at hand.
struct Launches<'r> {
    run: &'r Run,
    samples: BTreeMap<AttemptId, &'r [Sample]>,
}

impl<'r> Launches<'r> {
    fn of(run: &'r Run) -> Self {
        let of_launch = run.samples.chunk_by(|one, next| one.attempt == next.attempt);
        Self { run, samples: of_launch.map(|samples| (samples[0].attempt, samples)).collect() }
    }

    /// The report of some blocks, the twin slowed down. What belongs to no block says which cells are not measured any more.
    fn model(&self, (first, last): (u32, u32), slowdown: f64) -> Report {
        let within = |record: &&Record| match record.purpose {
            Purpose::Measure | Purpose::MeasureTwin => (first..=last).contains(&record.block),
            Purpose::Discovery | Purpose::Recheck | Purpose::Probe => true,
        };
        let records: Vec<Record> = self.run.records.iter().filter(within).cloned().collect();
        let mut samples = Vec::new();
        for record in &records {
            let factor = if is_twin(record) { 1.0 + slowdown } else { 1.0 };
            let slowed = |sample: &Sample| Sample { ns: (sample.ns as f64 * factor).round() as u64, ..*sample };
            samples
                .extend(self.samples.get(&record.attempt).into_iter().flat_map(|samples| samples.iter().map(slowed)));
        }
        report::model(&self.run.manifest, &self.run.design, &records, &samples)
    }
}
