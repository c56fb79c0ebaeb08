//! Launches of more than one kind: a narrow interval about the centre says nothing of those that lie far from it.

use crate::stats;

use super::{CaseReport, Figure, LaunchFigure, Report, Role, pairs::pairs, units};

/// A pair is of another kind where its ratio is more than so many times the one that is shown, or less than its inverse.
const APART: f64 = 2.0;
/// The smallest share of a case's pairs that is told of, which has to be two pairs at least.
const SHARE: f64 = 0.05;
/// Canaries that differ so much are of different places.
const ANOTHER_PLACE: f64 = 1.5;

/// The pairs of one figure that are of another kind than most.
struct Kind<'r> {
    cell: String,
    /// What is shown.
    estimate: f64,
    /// Their ratios, sorted.
    ratios: Vec<f64>,
    /// Of so many pairs.
    of: usize,
    /// The launches of these, and of the others.
    launches: [Vec<&'r LaunchFigure>; 2],
}

/// In words, for each case the figure of which most pairs lie far from what is shown.
pub(super) fn kinds(report: &Report) -> Vec<String> {
    let compared = report.cases.iter().filter(|case| case.role != Role::Baseline);
    let of_case = |case: &CaseReport| {
        let reference = report.reference(case)?;
        let kinds = case.figures().filter_map(|(cell, figure)| {
            let other = reference.cell(cell.kernel, cell.bytes)?.figure()?;
            kind(units::place(cell.kernel, cell.bytes), figure, other)
        });
        kinds.max_by_key(|kind| kind.ratios.len()).map(|kind| words(&case.name, &kind))
    };
    compared.filter_map(of_case).collect()
}

fn kind<'r>(cell: String, figure: &'r Figure, other: &'r Figure) -> Option<Kind<'r>> {
    let estimate = figure.ratio.as_ref()?.estimate;
    let is_apart =
        |(one, other): &(&LaunchFigure, &LaunchFigure)| (one.median / other.median / estimate).ln().abs() > APART.ln();
    let (apart, rest): (Vec<_>, Vec<_>) = pairs(&figure.launches, &other.launches).into_iter().partition(is_apart);
    let of = apart.len() + rest.len();
    let ratios = stats::sorted(&apart.iter().map(|(one, other)| one.median / other.median).collect::<Vec<_>>());
    let told = ratios.len() >= 2 && ratios.len() as f64 >= SHARE * of as f64;
    let launches = [apart, rest].map(|pairs| pairs.into_iter().map(|(one, _)| one).collect());
    told.then_some(Kind { cell, estimate, ratios, of, launches })
}

fn words(case: &str, kind: &Kind<'_>) -> String {
    let Kind { cell, estimate, ratios, of, launches } = kind;
    let (least, most) = (ratios.first().copied().unwrap_or_default(), ratios.last().copied().unwrap_or_default());
    let [least, most, shown] = [least, most, *estimate].map(units::ratio);
    let canary = |launches: &Vec<&LaunchFigure>| {
        stats::median(&launches.iter().filter_map(|launch| launch.canary).collect::<Vec<_>>())
    };
    let place = match launches.each_ref().map(canary) {
        [Some(there), Some(here)] if (there / here).ln().abs() > ANOTHER_PLACE.ln() => {
            let [there, here] = [there, here].map(units::time);
            format!(" In these the canary took {there}, else {here}: another state of the machine.")
        }
        _ => String::new(),
    };
    let count = ratios.len();
    if 2 * count > *of {
        return format!(
            "{case}: {shown} at {cell} describes few of its pairs: {count} of {of} lie far from it, {least} to {most} times."
        );
    }
    format!(
        "{case}: {count} of {of} pairs are of another kind, {least} to {most} times at {cell}, where {shown} is shown.{place}"
    )
}
