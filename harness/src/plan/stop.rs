//! When a run has measured enough: a function of what it has recorded, and of no clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    against::reference,
    case::Case,
    medians::Medians,
    record::{Design, Outcome, Purpose, Record},
    stats,
};

use super::{paired_medians, remaining};

/// Why no more blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// All blocks of the design have been made.
    Blocks,
    /// Every primary interval was narrow enough at a look.
    Precision,
    /// Another block would not have fitted into the budget.
    Budget,
}

/// Why no block follows the first `made`, all of whose launches have been made; none where one does.
///
/// Precision is looked at only where the design says so, and the blocks before a look that was passed play no part: a run
/// that is asked again gives the same answer.
#[must_use]
pub fn after(design: &Design, records: &[Record], medians: &Medians, made: u32) -> Option<Ended> {
    let decision = &design.decision;
    let narrow = |target: f64| {
        decision.looks_after(made) && widest(design, records, medians).is_some_and(|half| half <= target.ln_1p())
    };
    match (decision.precision, decision.budget_min) {
        (Some(target), _) if narrow(target) => Some(Ended::Precision),
        _ if made >= design.blocks => Some(Ended::Blocks),
        (_, Some(minutes)) if another_would_exceed(records, minutes) => Some(Ended::Budget),
        _ => None,
    }
}

/// The largest half-width of the primary ratios' intervals, on a logarithmic scale; none where one has no interval yet, or
/// where nothing is compared.
fn widest(design: &Design, records: &[Record], medians: &Medians) -> Option<f64> {
    let mut widest = None;
    for case in &design.cases {
        let Some(other) = reference(design, case) else { continue };
        let (reference, measured) = (completed(other, records), remaining(other, records));
        let launches = completed(case, records);
        let primary = |cell: &&bench_app::Cell| design.decision.is_primary(cell.kernel) && measured.contains(cell);
        for cell in remaining(case, records).iter().filter(primary) {
            let pairs = paired_medians(&launches, &reference, *cell, medians);
            let interval = stats::paired(&stats::log_ratios(&pairs))?.interval(1.0 - stats::ALPHA)?;
            let half = (interval.hi - interval.lo) / 2.0;
            widest = Some(widest.map_or(half, |widest: f64| widest.max(half)));
        }
    }
    widest
}

/// Completed launches by their places, as the report takes them: the last where one was made again.
fn completed<'a>(case: &Case, records: &'a [Record]) -> Vec<&'a Record> {
    let id = case.id();
    let of_case = records.iter().filter(|r| r.case == id && r.purpose == Purpose::Measure);
    let completed = of_case.filter(|r| r.outcome == Outcome::Completed).map(|r| ((r.block, r.slot), r));
    completed.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Whether one more block, as long as the blocks so far were on average, would take longer than there is.
fn another_would_exceed(records: &[Record], minutes: f64) -> bool {
    // Who took turns did so in one and the same time.
    let shared = |r: &Record| if r.partner.is_some() { 0.5 } else { 1.0 };
    let seconds =
        |records: &mut dyn Iterator<Item = &Record>| records.map(|r| shared(r) * r.wall_ns as f64 * 1e-9).sum::<f64>();
    let in_blocks = |record: &&Record| super::is_analysed(record.purpose);
    let blocks: std::collections::BTreeSet<u32> = records.iter().filter(in_blocks).map(|r| r.block).collect();
    let spent = seconds(&mut records.iter());
    let another = seconds(&mut records.iter().filter(in_blocks)) / blocks.len().max(1) as f64;
    spent + another > minutes * 60.0
}
