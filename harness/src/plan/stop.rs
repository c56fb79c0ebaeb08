//! When a run has measured enough: a function of what it has recorded, and of no clock.

use std::collections::BTreeMap;

use bench_app::Cell;
use serde::{Deserialize, Serialize};

use crate::{
    against::reference,
    case::Case,
    id::CaseId,
    medians::Medians,
    record::{Design, Outcome, Purpose, Record},
    stats,
};

use super::{Launch, fewest_blocks, launches, paired_medians, remaining};

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
        decision.looks_after(made) && {
            let widths: Vec<_> = comparisons(design).flat_map(|of| half_widths(design, of, records, medians)).collect();
            !widths.is_empty() && all_within(target, &widths)
        }
    };
    match (decision.precision, decision.budget_min) {
        (Some(target), _) if narrow(target) => Some(Ended::Precision),
        _ if made >= design.blocks => Some(Ended::Blocks),
        (_, Some(minutes)) if another_would_exceed(design, records, medians, made, minutes) => Some(Ended::Budget),
        _ => None,
    }
}

/// How wide intervals are at a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// After how many blocks.
    pub block: u32,
    /// The widest of the primary intervals: whose, of what, and its half-width on a logarithmic scale; none of one that does
    /// not exist yet.
    pub widest: Option<(String, Cell, Option<f64>)>,
    /// The cases that are launched no more.
    pub at_rest: Vec<String>,
}

/// What the run sees at the look after the first `made` blocks; none where it does not look.
#[must_use]
pub fn look(design: &Design, records: &[Record], medians: &Medians, made: u32) -> Option<Look> {
    design.decision.precision.filter(|_| design.decision.looks_after(made))?;
    let name = |(case, purpose, _): &Comparison<'_>| match purpose {
        Purpose::MeasureTwin => format!("{} again", case.label()),
        _ => case.label(),
    };
    let of = |of: Comparison<'_>| {
        let widths = half_widths(design, of, records, medians).into_iter();
        widths.map(|(cell, half)| (name(&of), cell, half)).collect::<Vec<_>>()
    };
    let size = |half: Option<f64>| half.unwrap_or(f64::INFINITY);
    let widest = comparisons(design).flat_map(of).max_by(|a, b| size(a.2).total_cmp(&size(b.2)));
    let at_rest = comparisons(design).filter(|of| rests(design, (of.0, of.1), made + 1, records, medians));
    let at_rest = at_rest.map(|of| name(&of)).collect();
    Some(Look { block: made, widest, at_rest })
}

/// Whether the launches of a case for this purpose are not made in `block`, because all that they serve was narrow enough at
/// the last look before it.
///
/// What rests has no launches after that look, so that the next look finds the same: once at rest, always at rest. No case
/// rests before it has as many blocks as it takes to show a difference, and none rests that is compared with nothing.
pub(crate) fn rests(
    design: &Design,
    (case, purpose): (&Case, Purpose),
    block: u32,
    records: &[Record],
    medians: &Medians,
) -> bool {
    let decision = &design.decision;
    let looked = decision.last_look(block).filter(|look| *look as usize >= fewest_blocks(design));
    // The baseline is launched while anything else is.
    let is_baseline = purpose == Purpose::Measure && design.cases.first() == Some(case);
    let may = decision.rest && block <= design.blocks && !is_baseline;
    let (true, Some(target), Some(look)) = (may, decision.precision, looked) else { return false };
    let (id, by_then) = (case.id(), &records[..records.partition_point(|record| record.block <= look)]);
    let served = |(other, of, reference): &Comparison<'_>| {
        (*of == purpose && other.id() == id) || (purpose == Purpose::Measure && reference.id() == id)
    };
    let mut served = comparisons(design).filter(served).peekable();
    served.peek().is_some() && served.all(|of| all_within(target, &half_widths(design, of, by_then, medians)))
}

/// A case, which of its launches, and the case with whose launches they are compared.
type Comparison<'a> = (&'a Case, Purpose, &'a Case);

/// All comparisons of a design, that of the baseline with itself among them.
fn comparisons(design: &Design) -> impl Iterator<Item = Comparison<'_>> {
    let cases = design.cases.iter().filter_map(|case| Some((case, Purpose::Measure, reference(design, case)?)));
    cases.chain(design.cases.first().map(|baseline| (baseline, Purpose::MeasureTwin, baseline)))
}

/// The half-widths of a comparison's primary intervals, on a logarithmic scale, by every cell that both sides measure; none
/// where a cell has no interval yet.
fn half_widths(
    design: &Design,
    (case, purpose, other): Comparison<'_>,
    records: &[Record],
    medians: &Medians,
) -> Vec<(Cell, Option<f64>)> {
    let (launches, reference) = (completed(case, purpose, records), completed(other, Purpose::Measure, records));
    let measured = remaining(other, records);
    let mut cells = remaining(case, records);
    cells.retain(|cell| design.decision.is_primary(cell.kernel) && measured.contains(cell));
    let half = |cell: Cell| {
        let pairs = paired_medians(&launches, &reference, cell, medians);
        let interval = stats::paired(&stats::log_ratios(&pairs))?.interval(1.0 - stats::ALPHA)?;
        Some((interval.hi - interval.lo) / 2.0)
    };
    cells.into_iter().map(|cell| (cell, half(cell))).collect()
}

fn all_within(target: f64, widths: &[(Cell, Option<f64>)]) -> bool {
    widths.iter().all(|(_, half)| half.is_some_and(|half| half <= target.ln_1p()))
}

/// Completed launches by their places, as the report takes them: the last where one was made again.
fn completed<'a>(case: &Case, purpose: Purpose, records: &'a [Record]) -> Vec<&'a Record> {
    let id = case.id();
    let of_case = records.iter().filter(|r| r.case == id && r.purpose == purpose);
    let completed = of_case.filter(|r| r.outcome == Outcome::Completed).map(|r| ((r.block, r.slot), r));
    completed.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Whether the block after the first `made`, each of its launches as long as those of its case so far, would take longer
/// than there is.
fn another_would_exceed(design: &Design, records: &[Record], medians: &Medians, made: u32, minutes: f64) -> bool {
    let mut usual: BTreeMap<(&CaseId, bool), (f64, u32)> = BTreeMap::new();
    for record in records.iter().filter(|r| super::is_analysed(r.purpose)) {
        let (sum, launches) = usual.entry((&record.case, record.purpose == Purpose::Measure)).or_default();
        (*sum, *launches) = (*sum + record.spent(), *launches + 1);
    }
    let spent: f64 = records.iter().map(Record::spent).sum();
    // What is retired takes no time any more, however long it took to fail.
    let is_made = |unit: &Vec<Launch<'_>>| unit.iter().all(|launch| !remaining(launch.case, records).is_empty());
    let units = launches(design, made + 1, records, medians).into_iter().filter(is_made);
    let another = units.flatten().map(|launch| {
        let id = launch.case.id();
        usual.get(&(&id, launch.purpose == Purpose::Measure)).map_or(0.0, |(sum, launches)| sum / f64::from(*launches))
    });
    spent + another.sum::<f64>() > minutes * 60.0
}
