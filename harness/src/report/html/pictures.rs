//! Sections made of pictures.

use bench_app::Kernel;
use maud::{Markup, html};

use super::{Page, Section, figure, matrix, summary, swatch, tables};
use crate::{
    against::Against,
    decision::Pairs,
    report::{
        CaseReport, CellStatus, Role, Verdict,
        plot::{self, verdict_style},
        units,
    },
};

/// A row a case, a panel a kernel.
pub(super) fn ratios(page: &Page<'_>, kernels: &[Kernel]) -> Option<Section> {
    let report = page.report;
    let cases = report.cases.iter().filter(|case| case.role != Role::Baseline);
    let rows: Vec<Markup> = cases
        .map(|case| {
            let panels = kernels.iter().filter_map(|kernel| Some((kernel, plot::ratio(report, case, *kernel)?)));
            html! {
                div.row id=[report.is_crossed(case).then(|| matrix::anchor(case))] {
                    div { h3 { (page.name(case)) } (counts(case)) }
                    div.panels {
                        @if report.is_crossed(case) { p.whole { (case.answer) "." } }
                        @for (kernel, picture) in panels { (figure(&picture, &html! { (kernel) })) }
                    }
                }
            }
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let paired = match report.pairs {
        Pairs::Blocks => "block",
        Pairs::Duet => "duet",
    };
    let body = html! {
        p {
            "Time over " (summary::over(report)) ", paired by " (paired) "; above 1 is slower, for bandwidth too. Bars are "
            (report.level * 100.0) " % intervals, and all panels share one scale, which is finer near 1. The first row is the baseline against "
            "itself: what “no difference” looks like on this machine"
            @if plot::band_is_drawn(report) { "; its intervals are the grey band in the other rows" }
            "."
        }
        ul.key {
            @for verdict in Verdict::ALL { li { (swatch(verdict_style(verdict), false)) (verdict.words()) } }
            li { (swatch(plot::FAILED, false)) "no figure" }
        }
        @for row in rows { (row) }
    };
    let heading = match report.against {
        Against::Baseline => "Compared with the baseline",
        Against::OwnVersion => "Compared case by case",
    };
    Some(Section { id: "ratios", heading, body })
}

/// How many of a case's cells came out how.
fn counts(case: &CaseReport) -> Markup {
    let ratios: Vec<Verdict> = case.figures().filter_map(|(_, f)| f.ratio.as_ref()).map(|r| r.verdict).collect();
    let failed = case.cells.iter().filter(|cell| matches!(cell.status, CellStatus::Failed { .. })).count();
    let lines = Verdict::ALL.map(|verdict| {
        let count = ratios.iter().filter(|other| **other == verdict).count();
        (verdict_style(verdict), count, verdict.words())
    });
    let lines = lines.into_iter().chain([(plot::FAILED, failed, "without a figure")]);
    html! {
        ul.counts {
            @for (style, count, words) in lines.filter(|(_, count, _)| *count > 0) {
                li { (swatch(style, false)) (count) " " (words) }
            }
        }
    }
}

/// A sheet of cases a group, a panel a kernel.
pub(super) fn absolute(page: &Page<'_>, kernels: &[Kernel]) -> Option<Section> {
    let report = page.report;
    let several = page.sheets.len() > 1;
    let groups: Vec<Markup> = page
        .sheets
        .iter()
        .filter_map(|sheet| {
            let panels = kernels.iter().filter_map(|kernel| Some((*kernel, plot::absolute(report, sheet, *kernel)?)));
            let panels: Vec<_> = panels.collect();
            (!panels.is_empty()).then(|| {
                html! {
                    @if several { h3 { "Cases of " (sheet.versions()) ", and the baseline" } }
                    ul.key { @for series in &sheet.series { li { (swatch(series.style, true)) (series.case.name) } } }
                    div.panels {
                        @for (kernel, picture) in panels {
                            (figure(&picture, &html! { (kernel) span.what { (kernel.row().summary) } }))
                        }
                    }
                }
            })
        })
        .collect();
    if groups.is_empty() {
        return None;
    }
    let body = html! {
        p {
            "Medians of launches with their " (report.level * 100.0) " % intervals, on logarithmic axes. Markers are "
            "hollow, so that equal figures are seen through one another. "
            @if report.is_of_programs() { "Who has no figure has ✕ at the foot." }
            @else { "A line ends where a size has no figure, and ✕ stands at the foot of that size." }
        }
        @for group in groups { (group) }
    };
    let heading = if report.is_of_programs() { "Times of launches" } else { "By message size" };
    Some(Section { id: "sizes", heading, body })
}

/// A panel a case, for one cell of every kernel.
pub(super) fn launches(page: &Page<'_>, kernels: &[Kernel]) -> Option<Section> {
    let report = page.report;
    let cells = kernels.iter().filter_map(|kernel| Some((*kernel, plot::chosen(report, *kernel)?)));
    let groups: Vec<(String, Markup)> = cells
        .map(|(kernel, bytes)| {
            let panels = report.cases.iter().filter_map(|case| {
                let style = plot::style(&page.sheets, case);
                Some((case, plot::launches(report, (case, style), (kernel, bytes))?))
            });
            let panels = html! {
                div.panels { @for (case, picture) in panels { (figure(&picture, &page.name(case))) } }
            };
            (units::place(kernel, bytes), panels)
        })
        .collect();
    let (first, others) = groups.split_first()?;
    let body = html! {
        p {
            "A dot is a launch, from left to right in the order made; its height is the median of its batches. Grey dots are the baseline's, for what the machine did meanwhile; "
            "the line is the case's median. Steps, bands and drifts are the machine's own states, and no interval removes them."
        }
        h3 { (first.0) }
        (first.1)
        @for (name, panels) in others {
            details { summary { h3 { (name) } } (panels) }
        }
    };
    Some(Section { id: "launches", heading: "Every launch in the order made", body })
}

/// What a launch costs beside what it measures.
pub(super) fn costs(page: &Page<'_>) -> Option<Section> {
    let picture = plot::costs(page.report, &page.sheets)?;
    let caption =
        html! { "time to the first word" span.what { "dot: median; thin: shortest to longest; thick: MPI_Init" } };
    let body = html! {
        div.beside {
            (tables::costs(page))
            (figure(&picture, &caption))
        }
    };
    Some(Section { id: "costs", heading: "What a launch costs", body })
}
