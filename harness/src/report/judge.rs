//! Compares every case with the baseline, launch by launch within blocks.
//!
//! All figures of all compared cases are one family: each of them may be what a reader takes away. The twin is a family of
//! its own, for it is a control and nobody's finding.

use crate::stats::{self, Margin};

use super::{
    CaseReport, CellReport, CellStatus, Figure, LaunchFigure, Role,
    fields::{confounder, repetitions},
    verdict::{Contrast, ratios},
};

/// Gives every figure beside the baseline's its ratio; says how many comparisons make up the family of the compared.
pub(super) fn judge(cases: &mut [CaseReport], margin: Margin) -> usize {
    let Some(baseline) = cases.iter().find(|case| case.role == Role::Baseline).cloned() else { return 0 };
    let [_, family] = [Role::Twin, Role::Compared].map(|role| {
        let of_role = cases.iter().filter(|case| case.role == role);
        let comparisons: Vec<Option<Contrast>> =
            of_role.flat_map(|case| case.cells.iter().map(|cell| compare(case, cell, &baseline))).collect();
        let mut judged = ratios(comparisons.iter().flatten(), margin).into_iter();
        let cells = cases.iter_mut().filter(|case| case.role == role).flat_map(|case| &mut case.cells);
        for (cell, comparison) in cells.zip(&comparisons) {
            if let (CellStatus::Figure(figure), Some(_)) = (&mut cell.status, comparison) {
                figure.ratio = judged.next();
            }
        }
        comparisons.iter().flatten().filter(|comparison| comparison.differs.is_none()).count()
    });
    family
}

/// A cell against the baseline's, where both have figures with launches in common blocks.
fn compare(case: &CaseReport, cell: &CellReport, baseline: &CaseReport) -> Option<Contrast> {
    let other = baseline.cell(cell.kernel, cell.bytes)?;
    let evidence = stats::paired(&log_ratios(cell.figure()?, other.figure()?))?;
    Some(Contrast { evidence, differs: confounder(case, baseline).or(repetitions(cell, other)) })
}

/// The logarithms of one figure's launches over another's: of those that took turns with each other, or else by block.
pub(crate) fn log_ratios(figure: &Figure, reference: &Figure) -> Vec<f64> {
    let took_turns = |one: &LaunchFigure, other: &LaunchFigure| {
        one.partner == Some(other.attempt) && other.partner == Some(one.attempt)
    };
    let duets = figure.launches.iter().any(|one| reference.launches.iter().any(|other| took_turns(one, other)));
    let is_pair = |one: &LaunchFigure, other: &LaunchFigure| match duets {
        true => took_turns(one, other),
        false => one.block == other.block,
    };
    let partner = |launch: &LaunchFigure| reference.launches.iter().find(|other| is_pair(launch, other));
    let pairs = figure.launches.iter().filter_map(|launch| Some((launch.median, partner(launch)?.median)));
    stats::log_ratios(&pairs.collect::<Vec<_>>())
}
