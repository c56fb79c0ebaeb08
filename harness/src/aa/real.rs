//! Trials from runs that were made: the baseline and its permanent twin, and what is found of slowdowns that are added to
//! the twin's times.

use std::collections::BTreeMap;

use crate::{
    id::AttemptId,
    record::{Purpose, Record, Sample},
    report::{self, Report},
    store::Run,
};

use super::{Assessment, Cells, SLOWDOWNS, Source, tally::Tally};

/// The blocks of a run, cut into trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slices {
    /// A run is one trial.
    Whole,
    /// So many consecutive blocks are one; what is left over at the end is not used.
    Of(u32),
}

/// Tries the method on the twins of `runs`; none where no run has a block to offer.
#[must_use]
pub fn real(runs: &[Run], slices: Slices) -> Option<Assessment> {
    let mut tally = Tally::default();
    let (mut blocks, mut family, mut margin) = (0, 0, None);
    for run in runs {
        for (first, last) in cut(run, slices) {
            (blocks, margin) = (last - first + 1, Some(run.design.decision.margin));
            let slice = slice(run, first, last);
            let report = model(run, &slice, 0.0);
            tally.add_twin(&report);
            tally.add_family(report.twin().into_iter());
            family = report.twin().map_or(0, |twin| twin.figures().count());
            for slowdown in SLOWDOWNS {
                model(run, &slice, slowdown).twin().into_iter().for_each(|twin| tally.add_slowed(slowdown, twin));
            }
        }
    }
    let words = match runs.len() {
        1 => "the baseline and its twin in a run".to_owned(),
        several => format!("the baseline and its twin in {several} runs"),
    };
    let source = Source { words, blocks, margin: margin?, family, cells: Cells::Pooled };
    let mut assessment = Assessment::new(source, tally);
    assessment.notes.push(
        "Cells of one run share its launches, so the bounds are somewhat too good: with few trials take them as a sign."
            .to_owned(),
    );
    Some(assessment)
}

/// First and last block of each trial of a run.
fn cut(run: &Run, slices: Slices) -> Vec<(u32, u32)> {
    let last = run.records.iter().filter(|record| is_twin(record)).map(|record| record.block).max().unwrap_or(0);
    match slices {
        Slices::Whole if last == 0 => Vec::new(),
        Slices::Whole => vec![(1, last)],
        Slices::Of(length) => {
            let firsts = (1..=last).step_by(length.max(1) as usize);
            firsts.map(|first| (first, first + length - 1)).filter(|(_, end)| *end <= last).collect()
        }
    }
}

fn is_twin(record: &Record) -> bool {
    record.purpose == Purpose::MeasureTwin
}

/// The records of some blocks, and those of no block that say which cells are not measured any more.
fn slice(run: &Run, first: u32, last: u32) -> Vec<Record> {
    let within = |record: &&Record| match record.purpose {
        Purpose::Measure | Purpose::MeasureTwin => (first..=last).contains(&record.block),
        Purpose::Discovery | Purpose::Recheck | Purpose::Probe => true,
    };
    run.records.iter().filter(within).cloned().collect()
}

/// The report of some records, the twin slowed down.
fn model(run: &Run, records: &[Record], slowdown: f64) -> Report {
    let factor = |record: &Record| if is_twin(record) { 1.0 + slowdown } else { 1.0 };
    let factors: BTreeMap<AttemptId, f64> = records.iter().map(|record| (record.attempt, factor(record))).collect();
    let samples = run.samples.iter().filter_map(|sample| {
        let factor = factors.get(&sample.attempt)?;
        Some(Sample { ns: (sample.ns as f64 * factor).round() as u64, ..*sample })
    });
    report::model(&run.manifest, &run.design, records, &samples.collect::<Vec<_>>())
}
