//! What weakens the figures of a report, in words.

use crate::{
    decision::Pairs,
    stats::{ALPHA, Method},
};

use super::{Blocks, CaseReport, LEVEL, Launches, Report, Role, fields, kinds::kinds, units, words::percent};

/// All that a reader should mind.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let once = report.cases.iter().filter(|case| case.role != Role::Twin);
    let doubts = report.cases.iter().flat_map(|case| doubts(case, report.reference(case)));
    let whole = [unfinished(report), too_few(report), imprecise(report), rested(report)]
        .into_iter()
        .flatten()
        .chain(duets(report));
    whole.chain(doubts).chain(kinds(report)).chain(once.filter_map(other_library)).collect()
}

/// What differs from launches that have the machine to themselves.
fn duets(report: &Report) -> Vec<String> {
    if report.pairs == Pairs::Blocks {
        return Vec::new();
    }
    let alone = if report.is_of_programs() {
        "The ranks of every launch were stopped while its partner had its turns. A figure is the time of a launch less that: \
         also what a program waits for while it is stopped, such as a timer, does not count."
            .to_owned()
    } else {
        "Every launch took turns with another: ratios compare the two of a duet, and times are those of launches that \
                 are not alone. What a launch costs is not told: both of a duet start at once, on the same cores."
            .to_owned()
    };
    let cache =
        report.facts.get("l2").and_then(|size| size.strip_suffix('K')?.parse::<u64>().ok()).map(|kib| kib << 10);
    let sizes = report.cases.iter().flat_map(CaseReport::figures).map(|(cell, _)| cell.bytes);
    let shared = cache.and_then(|cache| sizes.filter(|bytes| bytes.0 >= cache / 2).min());
    let caches = shared.map(|bytes| {
        format!(
            "From {bytes} on messages fill half of a core's L2 cache, out of which the two launches of a duet push each \
             other's: where it matters measure those sizes in blocks too."
        )
    });
    std::iter::once(alone).chain(caches).collect()
}

fn unfinished(report: &Report) -> Option<String> {
    let (begun, planned) = (report.blocks.begun, report.blocks.planned);
    let stopped = format!("The run stopped before its end, in block {begun} of {planned}: it can be resumed.");
    (!report.blocks.complete).then_some(stopped)
}

/// Blocks that could not show a difference, however large.
fn too_few(report: &Report) -> Option<String> {
    let Blocks { planned, begun, complete, .. } = report.blocks;
    let (blocks, family) = (if complete { begun } else { planned } as usize, report.family);
    if blocks < report.launches_needed {
        let (needed, percent) = (report.launches_needed, LEVEL * 100.0);
        return Some(format!(
            "With {blocks} blocks nothing can be decided: an interval at {percent} % takes {needed} launches."
        ));
    }
    let needed = Method::SignedRank.fewest(ALPHA / family.max(1) as f64);
    (blocks < needed).then(|| {
        format!("With {blocks} blocks no difference can be shown among {family} comparisons: that takes {needed}.")
    })
}

/// A precision that was aimed at and not reached, and the interval that is furthest from it.
fn imprecise(report: &Report) -> Option<String> {
    let target = report.decision.precision.filter(|_| report.blocks.complete)?;
    let intervals = report.cases.iter().filter(|case| case.role != Role::Baseline).flat_map(|case| {
        let primary = case.figures().filter(|(cell, _)| report.decision.is_primary(cell.kernel));
        primary.filter_map(move |(cell, figure)| Some((case, cell, figure.ratio.as_ref()?.interval?)))
    });
    let widths = intervals.map(|(case, cell, interval)| (case, cell, (interval.hi / interval.lo).sqrt() - 1.0));
    let (case, cell, width) = widths.max_by(|a, b| a.2.total_cmp(&b.2)).filter(|(_, _, width)| *width > target)?;
    Some(format!(
        "The intervals were to reach ±{} %; the widest reaches ±{:.1} %: {}, {}.",
        percent(target),
        width * 100.0,
        case.name,
        units::place(cell.kernel, cell.bytes)
    ))
}

/// The cases that were launched no more once their intervals were narrow enough.
fn rested(report: &Report) -> Option<String> {
    let last = |case: &CaseReport| case.figures().flat_map(|(_, figure)| &figure.launches).map(|made| made.block).max();
    let at_rest = report.cases.iter().filter(|case| case.launches.at_rest);
    let at_rest: Vec<String> =
        at_rest.filter_map(|case| Some(format!("{} after {} blocks", case.name, last(case)?))).collect();
    (!at_rest.is_empty()).then(|| format!("Launched no more, once told well enough: {}.", at_rest.join(", ")))
}

/// What makes one case's figures doubtful.
fn doubts(case: &CaseReport, reference: Option<&CaseReport>) -> Vec<String> {
    let Launches { made, completed, .. } = case.launches;
    let lost = (completed < made).then(|| format!("{}: {completed} of {made} analysed launches completed.", case.name));
    let place = |case: &CaseReport| case.seen.placement.join(" or ");
    let elsewhere =
        reference.filter(|r| completed > 0 && r.launches.completed > 0 && place(r) != place(case)).map(|r| {
            let (name, other) = (&case.name, &r.name);
            format!("{name}: placed differently from {other} ({}; {other}: {}).", place(case), place(r))
        });
    lost.into_iter().chain(elsewhere).collect()
}

fn other_library(case: &CaseReport) -> Option<String> {
    let (expected, other) = fields::undeclared(case)?;
    Some(format!("{}: expected to load {expected}, but loaded {other}.", case.name))
}
