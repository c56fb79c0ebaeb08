//! Times over the baseline's times, a panel a case and kernel, all on one scale.

use bench_app::Kernel;

use crate::{
    against::Against,
    report::{CaseReport, CellReport, CellStatus, Ratio, Report, Role, units, words},
    stats::Margin,
};

use super::{
    FAILED, Picture,
    axis::{Axis, Sizes, extent, ratio_place},
    ink::Ink,
    panel::{self, Drawn, Frame, Panel},
    sizes, verdict_style,
};

const SIZE: (i32, i32) = (340, 150);

/// Whether the baseline's repetition has intervals for the band behind the other cases.
pub(in crate::report) fn band_is_drawn(report: &Report) -> bool {
    report.twin().is_some_and(|twin| ratios(twin).any(|ratio| ratio.interval.is_some()))
}

fn ratios(case: &CaseReport) -> impl Iterator<Item = &Ratio> {
    case.figures().filter_map(|(_, figure)| figure.ratio.as_ref())
}

/// A case in one kernel; none where it has nothing of it.
pub(in crate::report) fn ratio(report: &Report, case: &CaseReport, kernel: Kernel) -> Option<Picture> {
    let reference = report.reference(case)?;
    if !case.cells.iter().any(|cell| cell.kernel == kernel) {
        return None;
    }
    let ends = |ratio: &Ratio| {
        let interval = ratio.interval.as_ref();
        [Some(ratio.estimate), interval.map(|i| i.lo), interval.map(|i| i.hi)].into_iter().flatten()
    };
    let range = extent(report.cases.iter().flat_map(ratios).flat_map(ends)).unwrap_or((1.0, 1.0));
    let (x, y) = (Sizes::even(kernel, &sizes(report, kernel)), Axis::ratios(range, 0.125));
    let frame = Frame { size: SIZE, left: 36, right: 8, x: &x.axis, y: &y, above: "" };
    let elements = panel::draw(&frame, |panel| {
        if case.role != Role::Twin {
            band(panel, report, kernel, &x)?;
        }
        panel.line(&[(x.axis.lo, 0.0), (x.axis.hi, 0.0)], Ink::Text, 10)?;
        x.iter().try_for_each(|(bytes, at)| match case.status(kernel, bytes) {
            Some(CellStatus::Figure(figure)) => figure.ratio.as_ref().map_or(Ok(()), |ratio| point(panel, ratio, at)),
            Some(CellStatus::Failed { outcome, .. }) if !words::was_tried(outcome) => {
                panel.words_upwards(&words::short(outcome), (at, y.lo + y.part(0.05)), Ink::Faint)
            }
            Some(CellStatus::Failed { outcome, .. }) => {
                panel.mark((at, y.lo + y.part(0.05)), FAILED)?;
                panel.words_upwards(&words::short(outcome), (at, y.lo + y.part(0.13)), Ink::Failed)
            }
            Some(CellStatus::Ran) | None => Ok(()),
        })
    });
    Some(Picture {
        title: format!("{kernel}: {} over {}", case.name, reference.name),
        description: format!(
            "Times as long as {reference}: {}.",
            numbers(case, kernel, report.margin),
            reference = as_long_as(report, reference)
        ),
        size: SIZE,
        elements,
    })
}

/// Where the baseline lies against itself.
fn band(panel: &Panel<'_, '_>, report: &Report, kernel: Kernel, x: &Sizes) -> Drawn {
    let Some(twin) = report.twin() else { return Ok(()) };
    x.iter().try_for_each(|(bytes, at)| {
        let Some(CellStatus::Figure(figure)) = twin.status(kernel, bytes) else { return Ok(()) };
        let Some(interval) = figure.ratio.as_ref().and_then(|ratio| ratio.interval) else { return Ok(()) };
        panel.fill([(at - 0.5, ratio_place(interval.lo)), (at + 0.5, ratio_place(interval.hi))], Ink::Band)
    })
}

fn point(panel: &Panel<'_, '_>, ratio: &Ratio, at: f64) -> Drawn {
    let style = verdict_style(ratio.verdict);
    if let Some(interval) = &ratio.interval {
        panel.interval(at, [ratio_place(interval.lo), ratio_place(interval.hi)], style.ink)?;
    }
    panel.mark((at, ratio_place(ratio.estimate)), style)
}

fn numbers(case: &CaseReport, kernel: Kernel, margin: Margin) -> String {
    let cells = case.cells.iter().filter(|cell| cell.kernel == kernel);
    let size = |cell: &CellReport| units::size(kernel, cell.bytes);
    let said = cells.map(|cell| match &cell.status {
        CellStatus::Figure(figure) => match &figure.ratio {
            Some(ratio) => format!("{} {}", size(cell), in_words(ratio, margin)),
            None => format!("{} without a figure to compare with", size(cell)),
        },
        CellStatus::Ran => format!("{} ran", size(cell)),
        CellStatus::Failed { outcome, .. } => format!("{} {outcome}", size(cell)),
    });
    said.collect::<Vec<_>>().join("; ")
}

fn as_long_as<'r>(report: &Report, reference: &'r CaseReport) -> &'r str {
    match report.against {
        Against::Baseline => "the baseline",
        Against::OwnVersion => &reference.name,
    }
}

fn in_words(ratio: &Ratio, margin: Margin) -> String {
    let ends = ratio.interval.map(|i| format!(" ({} to {})", units::ratio(i.lo), units::ratio(i.hi)));
    format!("{}{} {}", units::ratio(ratio.estimate), ends.unwrap_or_default(), ratio.words(margin))
}
