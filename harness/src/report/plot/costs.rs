//! What a launch costs before it measures anything, a row a case.

use crate::report::{Cost, Report, units};

use super::{
    Picture, Sheet, Style,
    axis::{Axis, Tick},
    ink::Ink,
    mark::Mark,
    panel::{self, Frame},
    style,
};

const WIDTH: i32 = 380;
const ROW: i32 = 30;

/// Time from start to hello, and `MPI_Init` within it, of every case; none where no launch completed.
pub(in crate::report) fn costs(report: &Report, sheets: &[Sheet<'_>]) -> Option<Picture> {
    let rows: Vec<_> = report.cases.iter().filter_map(|case| Some((case, case.costs.hello?))).collect();
    let longest = rows.iter().map(|(_, cost)| cost.max).max_by(f64::total_cmp).filter(|longest| *longest > 0.0)?;
    let x = Axis::linear((0.0, longest * 1.05), 5, units::round_time);
    let y = Axis { lo: -(rows.len() as f64), hi: 0.0, ticks: Vec::<Tick>::new() };
    let size = (WIDTH, ROW * rows.len() as i32 + 38);
    let frame = Frame { size, left: 16, right: 28, x: &x, y: &y, above: "" };
    let elements = panel::draw(&frame, |panel| {
        rows.iter().zip(0..).try_for_each(|((case, cost), row)| {
            let own = style(sheets, case);
            let (name, bar) = (-f64::from(row) - 0.3, -f64::from(row) - 0.72);
            panel.words(&case.name, (x.part(0.01), name), Ink::Text)?;
            panel.line(&[(cost.min, bar), (cost.max, bar)], own.ink, 16)?;
            if let Some(init) = &case.costs.init {
                panel.line(&[(cost.median - init.median, bar), (cost.median, bar)], own.ink, 40)?;
            }
            panel.mark((cost.median, bar), Style { mark: Mark::Disc, ink: own.ink })
        })
    });
    let said = |(case, cost): &(&crate::report::CaseReport, Cost)| {
        let of = |cost: &Cost| {
            format!("{} ({} to {})", units::time(cost.median), units::time(cost.min), units::time(cost.max))
        };
        let init = case.costs.init.as_ref().map(|init| format!(", of which MPI_Init {}", of(init)));
        format!("{}: {}{}", case.name, of(cost), init.unwrap_or_default())
    };
    Some(Picture {
        title: "From the start of a launch to the first word after MPI_Init".to_owned(),
        description: format!("Median (shortest to longest). {}.", rows.iter().map(said).collect::<Vec<_>>().join("; ")),
        size,
        elements,
    })
}
