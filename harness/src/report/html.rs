//! The report as one HTML page that needs nothing else: no script, no network, light and dark, on paper and on a telephone.
//!
//! Answers first, then pictures, then figures, then what one needs to repeat the run. Every picture says in words what it
//! shows, and colour only repeats what a word or a marker says.

mod advice;
mod appendix;
mod matrix;
mod pictures;
mod summary;
mod tables;

use bench_app::Kernel;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{explain::Explanation, id::CaseId, recommend::Recommendation, record::Outcome};

use super::{
    CaseReport, Report, Verdict,
    plot::{
        self, Picture, Sheet, Style,
        ink::{self, Theme},
    },
    words,
};

/// What other commands say of the same run; what is not there has no section.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'r> {
    /// What to type.
    pub recommendation: Option<&'r Recommendation>,
    /// Why cases fail or are slow.
    pub explanation: Option<&'r Explanation>,
}

/// The report as a page. Equal reports give equal pages, byte for byte.
#[must_use]
pub fn render(report: &Report, beside: Beside<'_>) -> String {
    let page = Page { report, beside, sheets: plot::sheets(report) };
    let kernels: Vec<Kernel> = Kernel::EVERY.into_iter().filter(|kernel| !report.sizes(*kernel).is_empty()).collect();
    let sections: Vec<Section> = [
        matrix::matrices(&page),
        Some(summary::answers(&page)),
        advice::recommendation(&page),
        summary::grid(&page, &kernels),
        pictures::ratios(&page, &kernels),
        pictures::absolute(&page, &kernels),
        pictures::launches(&page, &kernels),
        pictures::costs(&page),
        tables::figures(&page, &kernels),
        advice::causes(&page),
        appendix::failures(report),
        appendix::probes(report),
        Some(appendix::method(report)),
        Some(appendix::rules(report)),
        Some(appendix::environment(&page)),
        appendix::commands(report),
    ]
    .into_iter()
    .flatten()
    .collect();
    lines(&visible(&document(report, &sections).into_string()))
}

/// What every section sees.
struct Page<'r> {
    report: &'r Report,
    beside: Beside<'r>,
    sheets: Vec<Sheet<'r>>,
}

/// A part of the page with a heading of its own.
struct Section {
    /// Its name within the page.
    id: &'static str,
    heading: &'static str,
    body: Markup,
}

fn document(report: &Report, sections: &[Section]) -> Markup {
    let title = format!("{} on {}", report.campaign, report.site);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // The page can fetch nothing, whatever ended up in it.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "sifbench " (env!("CARGO_PKG_VERSION")) };
                title { (title) " – sifbench" }
                link rel="icon" href="data:,";
                style { (PreEscaped(style_sheet())) }
            }
            body {
                (summary::header(report, &title))
                nav aria-label="Sections" {
                    ul { @for section in sections { li { a href={ "#" (section.id) } { (section.heading) } } } }
                }
                main {
                    @for section in sections {
                        section id=(section.id) aria-labelledby={ (section.id) "-heading" } {
                            h2 id={ (section.id) "-heading" } { (section.heading) }
                            (section.body)
                        }
                    }
                }
            }
        }
    }
}

/// The colours of both themes, then everything that uses them.
fn style_sheet() -> String {
    let [light, dark] = [Theme::Light, Theme::Dark].map(ink::properties);
    format!(
        ":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{}",
        include_str!("html/style.css")
    )
}

impl Page<'_> {
    /// A link of these words to where a case is explained, for those that are.
    fn why(&self, case: &CaseId, words: &str) -> Option<Markup> {
        let explained = self.beside.explanation?.cases.iter().any(|explained| explained.id == *case);
        explained.then(|| html! { a href={ "#" (advice::anchor(case)) } { (words) } })
    }

    /// A case's name with its marker.
    fn name(&self, case: &CaseReport) -> Markup {
        html! { span.name { (swatch(plot::style(&self.sheets, case), false)) (case.name) } }
    }
}

/// A marker, for keys and names: the words beside it say what it stands for.
fn swatch(style: Style, with_line: bool) -> Markup {
    let (width, height) = plot::SWATCH;
    html! {
        svg.swatch viewBox=(view_box((width, height))) width=(width) height=(height) aria-hidden="true" {
            (PreEscaped(plot::swatch(style, with_line)))
        }
    }
}

/// A picture with its caption and its text alternative.
fn figure(picture: &Picture, caption: &Markup) -> Markup {
    html! {
        figure {
            figcaption { (caption) }
            svg.plot role="img" viewBox=(view_box(picture.size)) font-size=(plot::LETTERS * plot::UNIT) {
                title { (picture.title) }
                desc { (picture.description) }
                (PreEscaped(&picture.elements))
            }
        }
    }
}

fn view_box((width, height): (i32, i32)) -> String {
    format!("0 0 {} {}", width * plot::UNIT, height * plot::UNIT)
}

/// A command, to be copied as it is. Lines break between words, not after the hyphen of an option.
fn command(text: &str) -> Markup {
    html! {
        pre.command { code { @for (word, number) in text.split(' ').zip(0..) { @if number > 0 { " " } span { (word) } } } }
    }
}

/// A box within which a wide table scrolls, also by keyboard.
fn scrolling(name: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}

/// How a verdict looks in tables: a class, and a sign that says the same.
const fn sign(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Slower => ("slower", "▲"),
        Verdict::Faster => ("faster", "▼"),
        Verdict::Equivalent => ("same", "="),
        Verdict::BelowMargin => ("same", "~"),
        Verdict::Undecided => ("undecided", "?"),
        Verdict::NotComparable => ("none", "≠"),
    }
}

/// How an outcome looks in tables: a class.
const fn tone(outcome: &Outcome) -> &'static str {
    if words::was_tried(outcome) { "failed" } else { "none" }
}

/// Control characters, and those that turn the direction of text, as visible signs: what programs printed is shown, not
/// obeyed.
fn visible(page: &str) -> String {
    let sign = |c: char| match c {
        '\n' | '\t' => c,
        '\u{7f}' => '\u{2421}',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    };
    page.chars().map(sign).collect()
}

/// Elements that begin a line of the page's source, so that people can read it and compare two of them.
const BLOCKS: [&str; 22] = [
    "meta", "title", "link", "style", "body", "header", "h1", "h2", "h3", "p", "dl", "div", "nav", "ul", "li", "main",
    "section", "figure", "table", "tr", "details", "pre",
];

fn lines(page: &str) -> String {
    let mut text = String::with_capacity(page.len() + page.len() / 64);
    for (number, part) in page.split('<').enumerate() {
        let name = part.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if BLOCKS.contains(&name) {
            text.push('\n');
        }
        if number > 0 {
            text.push('<');
        }
        text.push_str(part);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_printed_is_shown_not_obeyed() {
        assert_eq!(visible("a\u{1b}[31mb\n\u{0}\u{202e}\u{7f}é"), "a␛[31mb\n␀\u{fffd}␡é");
    }

    #[test]
    fn braces_of_the_style_sheet_match() {
        let sheet = style_sheet();
        assert_eq!(sheet.matches('{').count(), sheet.matches('}').count());
        assert!(!sheet.contains("url(") && !sheet.contains("@import"));
    }
}
