//! Every launch as a dot in the order made: what no average shows, such as a machine that changes its state.

use bench_app::{Bytes, Kernel};

use crate::{
    record::Purpose,
    report::{CaseReport, CellStatus, Figure, Report, Role, units},
};

use super::{
    FAILED, Picture, Style,
    axis::{Axis, extent},
    ink::Ink,
    mark::Mark,
    panel::{self, Frame},
    sizes,
};

const SIZE: (i32, i32) = (340, 136);

/// The size at which launches of `kernel` are shown: the smallest among those that the most cases have figures of, for
/// there the state of a machine shows most.
pub(in crate::report) fn chosen(report: &Report, kernel: Kernel) -> Option<Bytes> {
    let count = |bytes: Bytes| report.cases.iter().filter(|case| figure(case, kernel, bytes).is_some()).count();
    let sizes = sizes(report, kernel);
    let most = sizes.iter().map(|bytes| count(*bytes)).max().filter(|most| *most > 0)?;
    sizes.into_iter().find(|bytes| count(*bytes) == most)
}

fn figure(case: &CaseReport, kernel: Kernel, bytes: Bytes) -> Option<&Figure> {
    match case.status(kernel, bytes) {
        Some(CellStatus::Figure(figure)) => Some(figure),
        Some(CellStatus::Ran | CellStatus::Failed { .. }) | None => None,
    }
}

/// A case's launches in one cell, before the baseline's; none where it has no figure.
pub(in crate::report) fn launches(
    report: &Report,
    (case, style): (&CaseReport, Style),
    (kernel, bytes): (Kernel, Bytes),
) -> Option<Picture> {
    let own = figure(case, kernel, bytes)?;
    let everyone = || report.cases.iter().filter_map(|case| figure(case, kernel, bytes));
    let medians = everyone().flat_map(|figure| &figure.launches).map(|launch| launch.median);
    let y = Axis::logarithmic(extent(medians)?, units::round_time);
    let lost = lost(report, case);
    let measured = everyone().flat_map(|figure| &figure.launches).map(|launch| launch.attempt.0);
    let last = measured.chain(report.failures.iter().map(|failure| failure.attempt.0)).max()?;
    let x = Axis::linear((0.0, f64::from(last) + 1.0), 6, |attempt| format!("{attempt:.0}"));
    let frame = Frame { size: SIZE, left: 52, right: 14, x: &x, y: &y, above: "" };
    let elements = panel::draw(&frame, |panel| {
        let context = report.cases.iter().filter(|other| other.role != Role::Compared && other.role != case.role);
        for launch in context.filter_map(|other| figure(other, kernel, bytes)).flat_map(|figure| &figure.launches) {
            panel.mark((f64::from(launch.attempt.0), launch.median.log10()), CONTEXT)?;
        }
        let level = own.time.median.log10();
        panel.line(&[(x.lo, level), (x.hi, level)], style.ink, 8)?;
        for launch in &own.launches {
            panel.mark((f64::from(launch.attempt.0), launch.median.log10()), style)?;
        }
        lost.iter().try_for_each(|attempt| panel.mark((f64::from(*attempt), y.hi - y.part(0.05)), FAILED))
    });
    Some(Picture {
        title: match kernel == Kernel::Program {
            true => format!("{}: every launch", case.name),
            false => format!("{}: every launch at {}", case.name, units::place(kernel, bytes)),
        },
        description: numbers(own, lost.len()),
        size: SIZE,
        elements,
    })
}

/// The baseline's launches, as context.
const CONTEXT: Style = Style { mark: Mark::Disc, ink: Ink::Context };

/// Analysed launches of a case that did not complete.
fn lost(report: &Report, case: &CaseReport) -> Vec<u32> {
    let purpose = match case.role {
        Role::Baseline | Role::Compared => Purpose::Measure,
        Role::Twin => Purpose::MeasureTwin,
    };
    let own = report.failures.iter().filter(|failure| failure.purpose == purpose && failure.case == case.id);
    own.map(|failure| failure.attempt.0).collect()
}

fn numbers(figure: &Figure, lost: usize) -> String {
    let medians = || figure.launches.iter().map(|launch| launch.median);
    let ends = extent(medians()).map(|(lo, hi)| format!("between {} and {}", units::time(lo), units::time(hi)));
    let each: Vec<String> =
        figure.launches.iter().map(|launch| format!("{} {}", launch.attempt, units::time(launch.median))).collect();
    let lost = if lost > 0 { format!(" {lost} more did not complete.") } else { String::new() };
    format!(
        "{} launches {}, median {}.{lost} In the order made: {}.",
        figure.launches.len(),
        ends.unwrap_or_default(),
        units::time(figure.time.median),
        each.join(", ")
    )
}
