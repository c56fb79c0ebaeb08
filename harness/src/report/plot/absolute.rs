//! Times or rates by size: both axes logarithmic, a line a case.

use bench_app::{Bytes, Kernel, kernel::Reading};

use crate::report::{CaseReport, CellReport, CellStatus, Figure, Report, units, words};

use super::{
    Picture, Series, Sheet, Style,
    axis::{Axis, Sizes, extent},
    mark::Mark,
    panel::{self, Drawn, Frame, Panel},
    sizes,
};

const SIZE: (i32, i32) = (380, 300);

/// A figure as it is drawn: rates for bandwidth, else times.
struct Value {
    middle: f64,
    ends: Option<[f64; 2]>,
}

fn value(figure: &Figure) -> Value {
    match &figure.rate {
        Some(rate) => Value { middle: rate.median, ends: rate.interval },
        None => {
            let ends = figure.time.interval.map(|interval| [interval.lo, interval.hi]);
            Value { middle: figure.time.median, ends }
        }
    }
}

fn name(kernel: Kernel, value: f64) -> String {
    match kernel.row().reading {
        Reading::Rate => units::rate(value),
        Reading::Time => units::time(value),
    }
}

/// A sheet's cases in one kernel; none where nothing was measured.
pub(in crate::report) fn absolute(report: &Report, sheet: &Sheet<'_>, kernel: Kernel) -> Option<Picture> {
    let everywhere = report.cases.iter().flat_map(|case| case.figures());
    let values = everywhere.filter(|(cell, _)| cell.kernel == kernel).map(|(_, figure)| value(figure));
    let range = extent(values.flat_map(|value| {
        [Some(value.middle), value.ends.map(|e| e[0]), value.ends.map(|e| e[1])].into_iter().flatten()
    }))?;
    let y = Axis::logarithmic(range, |value| match kernel.row().reading {
        Reading::Rate => units::round_rate(value),
        Reading::Time => units::round_time(value),
    });
    let x = Sizes::logarithmic(kernel, &sizes(report, kernel));
    let above = match kernel.row().reading {
        Reading::Rate => "rate: higher is better",
        Reading::Time => "time: lower is better",
    };
    let frame = Frame { size: SIZE, left: 60, right: 8, x: &x.axis, y: &y, above };
    let elements = panel::draw(&frame, |panel| {
        // The baseline last: it lies on top.
        sheet.series.iter().rev().try_for_each(|series| line(panel, series, kernel, &x, &y))
    });
    let of_case = |series: &Series<'_>| format!("{}: {}", series.case.name, numbers(series.case, kernel));
    let cases: Vec<String> = sheet.series.iter().map(of_case).collect();
    let names: Vec<&str> = sheet.series.iter().map(|series| &*series.case.name).collect();
    let by_size = if kernel == Kernel::Program { "" } else { " by message size" };
    Some(Picture {
        title: format!("{kernel}{by_size}: {}", names.join(", ")),
        description: cases.join(". "),
        size: SIZE,
        elements,
    })
}

/// A case's line, broken where there is no figure, its intervals and markers. An empty message has no place on the scale:
/// no line leads to it.
fn line(panel: &Panel<'_, '_>, series: &Series<'_>, kernel: Kernel, x: &Sizes, y: &Axis) -> Drawn {
    let Style { ink, .. } = series.style;
    let mut run: Vec<(f64, f64)> = Vec::new();
    let mut figures = Vec::new();
    for (bytes, at) in x.iter() {
        match series.case.status(kernel, bytes) {
            Some(CellStatus::Figure(figure)) => {
                let value = value(figure);
                if bytes > Bytes(0) {
                    run.push((at, value.middle.log10()));
                }
                figures.push((at, value));
            }
            Some(CellStatus::Failed { outcome, .. }) if words::was_tried(outcome) => {
                panel.line(&std::mem::take(&mut run), ink, 12)?;
                panel.mark((at, y.lo + y.part(0.03)), Style { mark: Mark::Cross, ink })?;
            }
            Some(CellStatus::Failed { .. } | CellStatus::Ran) | None => {
                panel.line(&std::mem::take(&mut run), ink, 12)?;
            }
        }
    }
    panel.line(&run, ink, 12)?;
    figures.iter().try_for_each(|(at, value)| {
        value.ends.map_or(Ok(()), |ends| panel.interval(*at, ends.map(f64::log10), ink))?;
        panel.open_mark((*at, value.middle.log10()), series.style)
    })
}

fn numbers(case: &CaseReport, kernel: Kernel) -> String {
    let cells = case.cells.iter().filter(|cell| cell.kernel == kernel);
    let size = |cell: &CellReport| units::size(kernel, cell.bytes);
    let said = cells.map(|cell| match &cell.status {
        CellStatus::Figure(figure) => {
            let Value { middle, ends } = value(figure);
            let ends = ends.map(|[lo, hi]| format!(" ({} to {})", name(kernel, lo), name(kernel, hi)));
            format!("{} {}{}", size(cell), name(kernel, middle), ends.unwrap_or_default())
        }
        CellStatus::Ran => format!("{} ran", size(cell)),
        CellStatus::Failed { outcome, .. } => format!("{} {outcome}", size(cell)),
    });
    said.collect::<Vec<_>>().join("; ")
}
