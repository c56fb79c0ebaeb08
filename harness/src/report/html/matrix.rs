//! Hosts crossed with images as heat maps: a word and a figure in every cell, the colour beside them, and a link from each
//! cell to what is known of it.

use maud::{Markup, html};

use super::{Page, Section, scrolling, sign};
use crate::report::{CaseReport, Crossing, Matrix, Verdict, matrix::word, units, words};

/// A heat map a mode.
pub(super) fn matrices(page: &Page<'_>) -> Option<Section> {
    let report = page.report;
    if report.matrices.is_empty() {
        return None;
    }
    let body = html! {
        p { (words::matrix(report)) }
        @for matrix in &report.matrices {
            h3 { (matrix.mode) span.what { (matrix.mode.summary()) } }
            (scrolling(&format!("{}: host by image", matrix.mode), &heat_map(page, matrix)))
        }
    };
    Some(Section { id: "matrix", heading: "Hosts crossed with images", body })
}

/// The place on the page with all that is known of a case.
pub(super) fn anchor(case: &CaseReport) -> String {
    format!("case-{}", case.id)
}

fn heat_map(page: &Page<'_>, matrix: &Matrix) -> Markup {
    html! {
        table.heat {
            caption.unseen { (matrix.mode) ": host by image" }
            thead {
                tr {
                    th scope="col" { "host" }
                    @for image in &matrix.images { th scope="col" { span.what { "image" } (image) } }
                }
            }
            tbody {
                @for (host, crossings) in matrix.rows() {
                    tr {
                        th scope="row" { (host) }
                        @for crossing in crossings { (cell(page, crossing.as_ref())) }
                    }
                }
            }
        }
    }
}

fn cell(page: &Page<'_>, crossing: Option<&Crossing>) -> Markup {
    let known = crossing.and_then(|crossing| {
        let case = page.report.cases.iter().find(|case| case.id == crossing.case)?;
        Some((crossing, case))
    });
    let Some((crossing, case)) = known else { return html! { td.none { "–" } } };
    let [_, below] = crossing.words();
    let (class, first) = match &crossing.telling {
        Some(telling) => {
            let (class, sign) = sign(telling.verdict);
            (
                class,
                html! { span aria-hidden="true" { (sign) } " " (units::digits(telling.estimate)) " " (spelt(telling.verdict)) },
            )
        }
        None if crossing.is_broken() => ("failed", html! { (crossing.words()[0]) }),
        None => ("ran", html! { (crossing.words()[0]) }),
    };
    let is_slow = crossing.telling.is_some_and(|telling| telling.verdict == Verdict::Slower);
    let is_bad = is_slow || crossing.failed.is_some();
    let class = if crossing.matched { format!("{class} matched") } else { class.to_owned() };
    html! {
        td class=(class) {
            a href={ "#" (anchor(case)) } title=(case.answer) {
                strong { (first) }
                @if !below.is_empty() { span { (below) } }
            }
            @if let Some(why) = is_bad.then(|| page.why(&case.id, "why")).flatten() { (why) }
        }
    }
}

/// A verdict as a word, where the sign before it is not read out.
const fn spelt(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Slower | Verdict::Faster | Verdict::NotComparable => word(verdict),
        Verdict::Equivalent => "same",
        Verdict::BelowMargin => "differs",
        Verdict::Undecided => "open",
    }
}
