//! Figures in full.

use bench_app::{Bytes, Kernel};
use maud::{Markup, html};

use super::{Page, Section, scrolling, sign, tone};
use crate::report::{
    CaseReport, CellReport, CellStatus, Cost, Figure, Report, Role,
    plot::Sheet,
    units::{self, Unit},
    words,
};

/// A table a kernel, and below it everything that is known of each figure.
pub(super) fn figures(page: &Page<'_>, kernels: &[Kernel]) -> Option<Section> {
    let report = page.report;
    if report.cases.is_empty() || kernels.is_empty() {
        return None;
    }
    let body = html! {
        p {
            "First column: the baseline's median of launch medians and its interval. Others: times as long as the baseline, "
            "the interval, and the case's own median."
        }
        @for kernel in kernels {
            h3 { (kernel) span.what { (kernel.row().summary) } }
            @for (sheet, number) in page.sheets.iter().zip(0..) {
                @let name = format!("{kernel}, {}", sheet.series.iter().map(|s| &*s.case.name).collect::<Vec<_>>().join(", "));
                (scrolling(&name, &compared(page, &columns(page, sheet, number == 0), *kernel)))
            }
            details {
                summary { "Every figure of " (kernel) ", with quantiles of its batches" }
                (scrolling(&format!("Quantiles of {kernel}"), &quantiles(page, *kernel)))
            }
        }
    };
    Some(Section { id: "figures", heading: "Figures", body })
}

/// A sheet's cases, the baseline's repetition among the first.
fn columns<'r>(page: &Page<'r>, sheet: &Sheet<'r>, first: bool) -> Vec<&'r CaseReport> {
    let twin = page.report.twin().filter(|_| first);
    let mut cases: Vec<&CaseReport> = sheet.series.iter().map(|series| series.case).collect();
    cases.splice(1..1, twin);
    cases
}

fn compared(page: &Page<'_>, cases: &[&CaseReport], kernel: Kernel) -> Markup {
    html! {
        table.figures {
            caption.unseen { (kernel) @if kernel != Kernel::Program { " by message size and" } @else { " by" } " case" }
            thead { tr { th scope="col" { (size_head(kernel)) } @for case in cases { th scope="col" { (page.name(case)) } } } }
            tbody {
                @for bytes in page.report.sizes(kernel) {
                    tr { th scope="row" { (units::size(kernel, bytes)) } @for case in cases { (cell(page.report, case, kernel, bytes)) } }
                }
            }
        }
    }
}

fn cell(report: &Report, case: &CaseReport, kernel: Kernel, bytes: Bytes) -> Markup {
    match case.status(kernel, bytes) {
        None => html! { td.none { "–" } },
        Some(CellStatus::Ran) => html! { td { "ran" } },
        Some(CellStatus::Failed { outcome, measured }) => html! {
            td.(tone(outcome)) {
                strong { (words::short(outcome)) }
                span { (outcome) }
                @if let Some(cause) = report.cause(&case.id, outcome) { span { (cause) } }
                @if *measured > 0 { span { "after " (measured) " launches" } }
            }
        },
        Some(CellStatus::Figure(figure)) => match (&figure.ratio, case.role) {
            (Some(ratio), Role::Twin | Role::Compared) => {
                let (class, sign) = sign(ratio.verdict);
                let (estimate, below) = match &ratio.interval {
                    Some(interval) => {
                        let [estimate, lo, hi] = units::ratios([ratio.estimate, interval.lo, interval.hi]);
                        (estimate, format!("{lo}–{hi}"))
                    }
                    None => (units::ratio(ratio.estimate), format!("{} pairs", ratio.k)),
                };
                html! {
                    td.(class) {
                        strong { span aria-hidden="true" { (sign) " " } (estimate) }
                        span { (below) }
                        span { (Median::of(figure).with_unit()) }
                        span.unseen { (ratio.words(report.margin)) }
                    }
                }
            }
            (None, _) | (Some(_), Role::Baseline) => {
                let median = Median::of(figure);
                html! {
                    td {
                        strong { (median.with_unit()) }
                        span { @match median.interval() { Some(ends) => (ends), None => { (figure.time.k) " launches" } } }
                    }
                }
            }
        },
    }
}

/// What the first column tells apart: of a program nothing.
fn size_head(kernel: Kernel) -> &'static str {
    if kernel == Kernel::Program { "" } else { "size" }
}

/// The figure that a kernel is read by, in the unit that suits it.
struct Median {
    unit: Unit,
    middle: f64,
    ends: Option<[f64; 2]>,
}

impl Median {
    fn of(figure: &Figure) -> Self {
        match &figure.rate {
            Some(rate) => Self { unit: Unit::of_rate(rate.median), middle: rate.median, ends: rate.interval },
            None => {
                let ends = figure.time.interval.map(|interval| [interval.lo, interval.hi]);
                Self { unit: Unit::of_time(figure.time.median), middle: figure.time.median, ends }
            }
        }
    }

    fn with_unit(&self) -> String {
        self.unit.with_name(self.middle)
    }

    fn interval(&self) -> Option<String> {
        self.ends.map(|[lo, hi]| format!("{}–{}", self.unit.number(lo), self.unit.number(hi)))
    }
}

fn quantiles(page: &Page<'_>, kernel: Kernel) -> Markup {
    html! {
        table.plain {
            caption.unseen { "Every figure of " (kernel) }
            thead {
                tr {
                    th scope="col" { "case" }
                    @for name in [size_head(kernel), "median", "interval", "launches", "10 % below", "90 % below", "fastest", "batches"] {
                        th.number scope="col" { (name) }
                    }
                }
            }
            @for case in &page.report.cases {
                @let cells: Vec<&CellReport> = case.cells.iter().filter(|cell| cell.kernel == kernel).collect();
                tbody {
                    @for (cell, first) in cells.iter().zip(std::iter::once(true).chain(std::iter::repeat(false))) {
                        tr {
                            @if first { th scope="rowgroup" rowspan=(cells.len()) { (page.name(case)) } }
                            th.number scope="row" { (units::size(kernel, cell.bytes)) }
                            (quantile_cells(&cell.status))
                        }
                    }
                }
            }
        }
        p.what { "Median and interval over launches; quantiles and the fastest over all batches, as times. Batches describe, they decide nothing." }
    }
}

fn quantile_cells(status: &CellStatus) -> Markup {
    match status {
        CellStatus::Figure(figure) => {
            let (median, time) = (Median::of(figure), &figure.time);
            html! {
                td.number { (median.with_unit()) }
                td.number { (median.interval().unwrap_or_else(|| "–".to_owned())) }
                td.number { (time.k) }
                td.number { (units::time(time.p10)) }
                td.number { (units::time(time.p90)) }
                td.number { (units::time(time.min)) }
                td.number { (time.batches) }
            }
        }
        CellStatus::Ran => html! { td colspan="7" { "ran" } },
        CellStatus::Failed { outcome, .. } => html! { td.(tone(outcome)) colspan="7" { (outcome) } },
    }
}

/// What a launch of each case costs.
pub(super) fn costs(page: &Page<'_>) -> Markup {
    let report = page.report;
    let median = |cost: &Option<Cost>| cost.as_ref().map_or_else(|| "–".to_owned(), |cost| units::time(cost.median));
    let baseline = report.baseline().map_or("baseline", |case| case.mode.name());
    let table = html! {
        table.plain {
            caption.unseen { "Launches and their costs" }
            thead {
                tr {
                    th scope="col" { "case" }
                    @for name in ["completed", "whole launch", "to hello", "MPI_Init"] { th.number scope="col" { (name) } }
                    th.number scope="col" { "to hello beyond " (baseline) "'s" }
                }
            }
            tbody {
                @for case in &report.cases {
                    tr {
                        th scope="row" { (page.name(case)) }
                        td.number { (case.launches.completed) " of " (case.launches.made) }
                        td.number { (median(&case.costs.wall)) }
                        td.number { (median(&case.costs.hello)) }
                        td.number { (median(&case.costs.init)) }
                        td.number { (extra(case)) }
                    }
                }
            }
        }
    };
    scrolling("Launches and their costs", &table)
}

/// Time to hello beyond the baseline's, with its interval.
fn extra(case: &CaseReport) -> String {
    let Some(interval) = case.costs.hello_extra else { return "–".into() };
    let unit = Unit::of_time(interval.estimate.abs().max(1e6));
    let [lo, hi] = [interval.lo, interval.hi].map(|ns| unit.number(ns));
    format!("{} ({lo} to {hi}) {}", unit.signed(interval.estimate), unit.name)
}
