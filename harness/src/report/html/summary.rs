//! What was measured, what came out, and how far to trust it: all that a hurried reader reads.

use bench_app::{Bytes, Kernel};
use maud::{Markup, html};

use super::{Page, Section, scrolling, sign, tone};
use crate::{
    against::Against,
    report::{CaseReport, CellReport, CellStatus, Figure, Report, Role, Verdict, units, words},
    stats::Margin,
};

/// Facts that stand at the head, by name, where they are known.
const FACTS: [(&str, &str); 6] = [
    ("cpu", "CPU"),
    ("cores", "Cores"),
    ("hypervisor", "Virtual machine"),
    ("os", "System"),
    ("kernel", "Kernel"),
    ("container_runtime", "Container runtime"),
];

/// A link to causes and remedies.
const WHY: &str = "Why, and what helps";

pub(super) fn header(report: &Report, title: &str) -> Markup {
    let known = FACTS.iter().filter_map(|(key, name)| Some((*name, report.facts.get(*key)?)));
    html! {
        header {
            p.kind { "sifbench report" }
            h1 { (title) }
            p.lead { (words::measured(report)) "." }
            dl.facts { @for (name, value) in known { div { dt { (name) } dd { (value) } } } }
        }
    }
}

/// Each case's answer, and what weakens all of them.
pub(super) fn answers(page: &Page<'_>) -> Section {
    let report = page.report;
    let body = html! {
        @if !report.notes.is_empty() {
            div.mind {
                h3 { "Mind" }
                ul { @for note in &report.notes { li { (note) } } }
            }
        }
        dl.answers {
            // What is crossed has its heat map.
            @for case in report.cases.iter().filter(|case| !report.is_crossed(case)) {
                div {
                    dt { (page.name(case)) span.what { (what(case)) } }
                    dd { (case.answer) "." @if let Some(why) = page.why(&case.id, WHY) { " " (why) "." } }
                }
            }
            @for probe in &report.probes {
                div {
                    dt { span.name { (probe.label) } span.what { "tried for its outcome alone" } }
                    dd { (probe.answer) "." @if let Some(why) = page.why(&probe.id, WHY) { " " (why) "." } }
                }
            }
        }
        @if let Some(sanity) = words::sanity(report) { p.sanity { (sanity) } }
    };
    Section { id: "answers", heading: "What came out", body }
}

fn what(case: &CaseReport) -> &'static str {
    match case.role {
        Role::Twin => "the baseline once more in every block",
        Role::Baseline => case.mode.summary(),
        // Another version's native case is not what the others are compared with.
        Role::Compared => case.mode.summary().trim_end_matches(": the baseline"),
    }
}

/// Every case in every cell: a ratio, or how it ended.
pub(super) fn grid(page: &Page<'_>, kernels: &[Kernel]) -> Option<Section> {
    let report = page.report;
    if report.cases.is_empty() || kernels.is_empty() {
        return None;
    }
    let columns: Vec<(Kernel, Vec<Bytes>)> = kernels.iter().map(|kernel| (*kernel, report.sizes(*kernel))).collect();
    let count: usize = columns.iter().map(|(_, sizes)| sizes.len()).sum();
    let tables = if count > ABREAST { columns.chunks(1) } else { columns.chunks(columns.len()) };
    let body = html! {
        p {
            "Times over " (over(report)) ", or how it ended; in " (report.cases[0].name) "'s own row, its times and rates."
        }
        @for columns in tables {
            @let names: Vec<&str> = columns.iter().map(|(kernel, _)| kernel.name()).collect();
            (scrolling(&format!("Every case in {}", names.join(", ")), &grid_of(page, columns)))
        }
        (key(report))
    };
    Some(Section { id: "outcomes", heading: "Every case in every cell", body })
}

/// Whose times figures are compared with.
pub(super) fn over(report: &Report) -> String {
    match report.against {
        Against::Baseline => format!("{}'s times", report.cases[0].name),
        Against::OwnVersion => {
            "the times of native of the same version; where host and image differ, of the image's own version \
                                under its own host in the same mode"
                .to_owned()
        }
    }
}

/// Columns of figures that a screen has room for side by side.
const ABREAST: usize = 20;

fn grid_of(page: &Page<'_>, columns: &[(Kernel, Vec<Bytes>)]) -> Markup {
    let report = page.report;
    let width = columns.iter().map(|(_, sizes)| sizes.len()).sum::<usize>() + 1;
    html! {
        table.grid {
            thead {
                tr {
                    td {}
                    @for (kernel, sizes) in columns { th.group scope="colgroup" colspan=(sizes.len()) { (kernel) } }
                }
                tr {
                    th scope="col" { "case" }
                    @for (kernel, sizes) in columns {
                        @for (bytes, first) in sizes.iter().zip(firsts()) {
                            th class=[first.then_some("first")] scope="col" { (units::size(*kernel, *bytes)) }
                        }
                    }
                }
            }
            tbody {
                @for case in &report.cases {
                    tr { th scope="row" { (page.name(case)) } (row(columns, &case.cells, report.margin)) }
                }
            }
            @if !report.probes.is_empty() {
                tbody {
                    tr { th.between scope="rowgroup" colspan=(width) { "tried for the outcome alone" } }
                    @for probe in &report.probes {
                        tr { th scope="row" { span.name { (probe.label) } } (row(columns, &probe.cells, report.margin)) }
                    }
                }
            }
        }
    }
}

fn firsts() -> impl Iterator<Item = bool> {
    std::iter::once(true).chain(std::iter::repeat(false))
}

/// Cells in order; neighbours of one kernel that ended alike, without figures, are one cell.
fn row(columns: &[(Kernel, Vec<Bytes>)], cells: &[CellReport], margin: Margin) -> Markup {
    let status = |kernel: Kernel, bytes: Bytes| {
        cells.iter().find(|cell| (cell.kernel, cell.bytes) == (kernel, bytes)).map(|cell| &cell.status)
    };
    let mut groups: Vec<(Option<&CellStatus>, usize, bool)> = Vec::new();
    for (kernel, sizes) in columns {
        for (bytes, first) in sizes.iter().zip(firsts()) {
            let status = status(*kernel, *bytes);
            match groups.last_mut() {
                Some((before, count, _)) if !first && merges(*before, status) => *count += 1,
                Some(_) | None => groups.push((status, 1, first)),
            }
        }
    }
    html! { @for (status, count, first) in groups { (cell(status, count, first, margin)) } }
}

fn merges(before: Option<&CellStatus>, status: Option<&CellStatus>) -> bool {
    match (before, status) {
        (Some(CellStatus::Failed { outcome: a, .. }), Some(CellStatus::Failed { outcome: b, .. })) => a == b,
        (Some(CellStatus::Ran), Some(CellStatus::Ran)) | (None, None) => true,
        _ => false,
    }
}

/// Cells that stand for `columns` columns; the first of a kernel stands apart.
fn cell(status: Option<&CellStatus>, columns: usize, first: bool, margin: Margin) -> Markup {
    let columns = (columns > 1).then_some(columns);
    let class = |class: &str| if first { format!("{class} first") } else { class.to_owned() };
    match status {
        None => html! { td class=(class("none")) colspan=[columns] { "–" } },
        Some(CellStatus::Ran) => html! { td class=(class("ran")) colspan=[columns] { "ran" } },
        Some(CellStatus::Failed { outcome, .. }) => html! {
            td class=(class(tone(outcome))) colspan=[columns] title=(outcome) { (words::short(outcome)) }
        },
        Some(CellStatus::Figure(figure)) => match &figure.ratio {
            None => {
                let absolute = absolute(figure);
                let (number, unit) = absolute.split_once(' ').unwrap_or((&absolute, ""));
                html! { td class=(class("absolute")) { (number) " " span.unit { (unit) } } }
            }
            Some(ratio) => {
                let (verdict, sign) = sign(ratio.verdict);
                html! {
                    td class=(class(verdict)) title=(ratio.words(margin)) {
                        span aria-hidden="true" { (sign) " " } (units::digits(ratio.estimate))
                        span.unseen { " " (ratio.words(margin)) }
                    }
                }
            }
        },
    }
}

fn absolute(figure: &Figure) -> String {
    figure.rate.as_ref().map_or_else(|| units::time(figure.time.median), |rate| units::rate(rate.median))
}

/// What the signs mean.
fn key(report: &Report) -> Markup {
    html! {
        ul.key {
            @for verdict in Verdict::ALL {
                @let (class, sign) = sign(verdict);
                li { span.chip.(class) aria-hidden="true" { (sign) } " " (verdict.meaning(report.margin)) }
            }
            li { span.chip.failed aria-hidden="true" { "hang" } " no figure, and why" }
        }
    }
}
