//! The report on a terminal, at most 80 columns wide.
//!
//! A block a kernel: rows are sizes; the first column is the baseline's figure, the others are times as a ratio to it.
//! Every figure has its interval below it. Colour only repeats what a word or sign says.

use bench_app::{Bytes, Kernel};
use unicode_width::UnicodeWidthStr as _;

use crate::{against::Against, stats::Side};

use super::{
    CaseReport, CellStatus, Cost, Costs, Crossing, Figure, Matrix, Ratio, Report, Role, Verdict,
    layout::{Cell, Page, Tone, cell, clipped, wrapped},
    units,
    units::Unit,
    words,
};

pub use super::layout::{Style, WIDTH};

/// Columns beside the baseline's: what fits.
const COLUMNS: usize = 6;
const SIZE: usize = 8;
const BASELINE: usize = 11;
const COLUMN: usize = 10;
const NAME: usize = 30;
/// Images of a matrix beside each other: what fits beside the hosts.
const ABREAST: usize = 7;
const HOST: usize = 9;

/// The report as text.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut table = Table { page: Page::new(style), footnotes: Vec::new() };
    table.head(report);
    for matrix in &report.matrices {
        table.matrix(matrix);
    }
    table.matrix_key(report);
    for kernel in Kernel::EVERY {
        table.kernel(report, kernel);
    }
    table.key(report);
    table.launches(report);
    table.probes(report);
    table.failures(report);
    table.notes(report);
    table.page.into_text()
}

struct Table {
    page: Page,
    footnotes: Vec<String>,
}

impl Table {
    fn head(&mut self, report: &Report) {
        let title = format!("{} on {}", report.campaign, report.site);
        self.page.line(&[(cell(title, Tone::Strong), 0)]);
        self.page.paragraph(&words::measured(report));
        self.page.line(&[]);
        // What is crossed stands in its matrix.
        let alone = || report.cases.iter().filter(|case| !report.is_crossed(case));
        let names = alone().map(|case| case.name.width()).max().unwrap_or(0).min(NAME);
        for case in alone() {
            self.page.entry(&case.name, &case.answer, names);
        }
        if let Some(sanity) = words::sanity(report) {
            self.page.line(&[]);
            self.page.paragraph(&sanity);
        }
    }

    /// A mode over hosts and images, as many images side by side as fit.
    fn matrix(&mut self, matrix: &Matrix) {
        let mut first = 0;
        for images in matrix.images.chunks(ABREAST) {
            self.page.line(&[]);
            let name = cell(matrix.mode.name(), Tone::Strong);
            let (width, summary) = (matrix.mode.name().width() + 1, "host below each other, image beside each other");
            self.page.line(&[(name, width), (cell(summary, Tone::Dim), 0)]);
            let heads = images.iter().map(|image| (cell(image.to_string(), Tone::Strong), COLUMN));
            self.page.line(&std::iter::once((cell("", Tone::Plain), HOST)).chain(heads).collect::<Vec<_>>());
            for (host, crossings) in matrix.rows() {
                let words = crossings[first..first + images.len()].iter().map(crossed);
                let (upper, lower): (Vec<Cell>, Vec<Cell>) = words.map(|[upper, lower]| (upper, lower)).unzip();
                for (head, line) in [(host.to_string(), upper), (String::new(), lower)] {
                    if line.iter().any(|cell| !cell.is_empty()) {
                        let cells = line.into_iter().map(|cell| (cell, COLUMN));
                        let head = (cell(head, Tone::Strong), HOST);
                        self.page.line(&std::iter::once(head).chain(cells).collect::<Vec<_>>());
                    }
                }
            }
            first += images.len();
        }
    }

    fn matrix_key(&mut self, report: &Report) {
        if !report.matrices.is_empty() {
            self.page.line(&[]);
            self.page.paragraph(&words::matrix(report));
        }
    }

    /// A kernel's blocks: more than one where there are more cases than columns.
    fn kernel(&mut self, report: &Report, kernel: Kernel) {
        let sizes = report.sizes(kernel);
        let (baseline, others): (Vec<&CaseReport>, Vec<_>) =
            report.cases.iter().filter(|case| !report.is_crossed(case)).partition(|case| case.role == Role::Baseline);
        if sizes.is_empty() || baseline.is_empty() {
            return;
        }
        for columns in others.chunks(COLUMNS) {
            self.page.line(&[]);
            let name = cell(kernel.name(), Tone::Strong);
            self.page.line(&[(name, kernel.name().width() + 1), (cell(kernel.row().summary, Tone::Dim), 0)]);
            let columns: Vec<&CaseReport> = baseline.iter().chain(columns).copied().collect();
            self.header(&columns);
            for bytes in &sizes {
                self.size(report, &columns, kernel, *bytes);
            }
        }
    }

    fn header(&mut self, columns: &[&CaseReport]) {
        let names: Vec<Vec<String>> = columns.iter().map(|case| stacked(&case.name, COLUMN - 1)).collect();
        let height = names.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..height {
            let name = |lines: &Vec<String>| cell(lines.get(row).cloned().unwrap_or_default(), Tone::Strong);
            self.row(cell("", Tone::Plain), names.iter().map(name).collect());
        }
    }

    fn size(&mut self, report: &Report, columns: &[&CaseReport], kernel: Kernel, bytes: Bytes) {
        let cells: Vec<[Cell; 2]> =
            columns.iter().map(|case| self.status(report, case, case.status(kernel, bytes))).collect();
        let (figures, ends): (Vec<Cell>, Vec<Cell>) = cells.into_iter().map(|[figure, ends]| (figure, ends)).unzip();
        self.row(cell(units::size(kernel, bytes), Tone::Plain), figures);
        self.row(cell("", Tone::Plain), ends);
    }

    /// A row of a kernel's block: the size, the baseline, the others.
    fn row(&mut self, first: Cell, cells: Vec<Cell>) {
        let widths = std::iter::once(BASELINE).chain(std::iter::repeat(COLUMN));
        let cells = std::iter::once((first, SIZE)).chain(cells.into_iter().zip(widths));
        self.page.line(&cells.collect::<Vec<_>>());
    }

    /// What a cell says, and its interval or what else belongs below.
    fn status(&mut self, report: &Report, case: &CaseReport, status: Option<&CellStatus>) -> [Cell; 2] {
        match status {
            None => [cell("-", Tone::Dim), cell("", Tone::Dim)],
            Some(CellStatus::Ran) => [cell("ran", Tone::Plain), cell("", Tone::Dim)],
            Some(CellStatus::Failed { outcome, .. }) => {
                let cause = report.cause(&case.id, outcome).map_or(String::new(), |cause| format!(": {cause}"));
                let note = self.footnote(format!("{outcome}{cause}"));
                [cell(words::short(outcome), Tone::Failed), cell(format!("see [{note}]"), Tone::Dim)]
            }
            Some(CellStatus::Figure(figure)) => match (&figure.ratio, case.role) {
                (Some(ratio), Role::Twin | Role::Compared) => relative(ratio),
                (None, _) | (Some(_), Role::Baseline) => absolute(figure),
            },
        }
    }

    fn footnote(&mut self, text: String) -> usize {
        let known = self.footnotes.iter().position(|note| *note == text);
        known.unwrap_or_else(|| {
            self.footnotes.push(text);
            self.footnotes.len() - 1
        }) + 1
    }

    fn key(&mut self, report: &Report) {
        let (level, percent, family) = (report.level * 100.0, report.margin.percent(), report.family);
        let over = match report.against {
            Against::Baseline => "the baseline's time",
            Against::OwnVersion => "native's time of the same version, of another native over the first",
        };
        self.page.line(&[]);
        self.page.paragraph(&format!(
            "First column: median of the launches' medians. Others: time over {over}, so above 1 is slower, \
             for bandwidth too. Below each its {level} % interval. Decided in a family of {family} comparisons: slow, fast: \
             by more than {percent} %; = the same within {percent} %; ~ different, by less; ? undecided; >? slower, <? \
             faster, by {percent} % or not is open; n/c not comparable."
        ));
        for (note, number) in std::mem::take(&mut self.footnotes).iter().zip(1..) {
            self.page.entry(&format!("[{number}]"), note, 4);
        }
    }

    fn launches(&mut self, report: &Report) {
        let Some(baseline) = report.baseline() else { return };
        let alone = || report.cases.iter().filter(|case| !report.is_crossed(case));
        let names = alone().map(|case| case.name.width()).max().unwrap_or(0).clamp(8, NAME) + 1;
        let row = |name: Cell, rest: [String; 5], tone: Tone| {
            let cells = rest.into_iter().zip([7, 8, 9, 9, 0]).map(|(text, width)| (cell(text, tone), width));
            std::iter::once((name, names)).chain(cells).collect::<Vec<_>>()
        };
        self.page.line(&[]);
        let heads = ["done", "launch", "to hello", "MPI_Init", &format!("beyond {}'s", baseline.mode)];
        self.page.line(&row(cell("launches", Tone::Strong), heads.map(str::to_owned), Tone::Dim));
        for case in alone() {
            let count = format!("{}/{}", case.launches.completed, case.launches.made);
            let median = |cost: &Option<Cost>| cost.as_ref().map_or("-".into(), |cost| units::time(cost.median));
            let Costs { wall, hello, init, .. } = &case.costs;
            let rest = [count, median(wall), median(hello), median(init), extra(case)];
            self.page.line(&row(cell(clipped(&case.name, NAME), Tone::Plain), rest, Tone::Plain));
        }
    }

    fn probes(&mut self, report: &Report) {
        if report.probes.is_empty() {
            return;
        }
        self.page.line(&[]);
        self.page.line(&[(cell("tried for the outcome alone", Tone::Strong), 0)]);
        let names = report.probes.iter().map(|probe| probe.label.width()).max().unwrap_or(0).min(NAME);
        for probe in &report.probes {
            self.page.entry(&probe.label, &probe.answer, names);
        }
    }

    fn failures(&mut self, report: &Report) {
        let failures = words::failures(report);
        if failures.is_empty() {
            return;
        }
        self.page.line(&[]);
        self.page.line(&[(cell("launches that did not complete", Tone::Strong), 0)]);
        let names = failures.iter().map(|(label, _)| label.width()).max().unwrap_or(0).min(NAME);
        for (label, text) in &failures {
            self.page.entry(label, text, names);
        }
    }

    fn notes(&mut self, report: &Report) {
        if !report.notes.is_empty() {
            self.page.line(&[]);
            self.page.line(&[(cell("mind", Tone::Strong), 0)]);
        }
        for note in &report.notes {
            self.page.entry("-", note, 1);
        }
    }
}

fn crossed(crossing: &Option<Crossing>) -> [Cell; 2] {
    let Some(crossing) = crossing else { return [cell("-", Tone::Dim), cell("", Tone::Dim)] };
    let tone = match crossing.telling.map(|telling| telling.verdict) {
        Some(Verdict::Slower) => Tone::Slower,
        Some(Verdict::Faster) => Tone::Faster,
        None if crossing.is_broken() => Tone::Failed,
        Some(Verdict::Equivalent | Verdict::BelowMargin | Verdict::Undecided | Verdict::NotComparable) | None => {
            Tone::Plain
        }
    };
    let below = if crossing.failed.is_some() { Tone::Failed } else { Tone::Dim };
    let [upper, lower] = crossing.words();
    [cell(upper, tone), cell(lower, below)]
}

fn relative(ratio: &Ratio) -> [Cell; 2] {
    let (word, tone) = match (ratio.verdict, ratio.shown) {
        (Verdict::Slower, _) => ("slow", Tone::Slower),
        (Verdict::Faster, _) => ("fast", Tone::Faster),
        (Verdict::Equivalent, _) => ("=", Tone::Plain),
        (Verdict::BelowMargin, _) => ("~", Tone::Plain),
        (Verdict::Undecided, None) => ("?", Tone::Plain),
        (Verdict::Undecided, Some(Side::Above)) => (">?", Tone::Slower),
        (Verdict::Undecided, Some(Side::Below)) => ("<?", Tone::Faster),
        (Verdict::NotComparable, _) => ("n/c", Tone::Failed),
    };
    let below = match &ratio.interval {
        Some(interval) => format!("{}-{}", units::digits(interval.lo), units::digits(interval.hi)),
        None => format!("k={}", ratio.k),
    };
    [cell(format!("{} {word}", units::digits(ratio.estimate)), tone), cell(below, Tone::Dim)]
}

fn absolute(figure: &Figure) -> [Cell; 2] {
    let (unit, median, ends) = match &figure.rate {
        Some(rate) => (Unit::of_rate(rate.median), rate.median, rate.interval),
        None => {
            let ends = figure.time.interval.map(|interval| [interval.lo, interval.hi]);
            (Unit::of_time(figure.time.median), figure.time.median, ends)
        }
    };
    let below = match ends {
        Some([lo, hi]) => format!("{}-{}", unit.number(lo), unit.number(hi)),
        None => format!("k={}", figure.time.k),
    };
    [cell(unit.with_name(median), Tone::Plain), cell(below, Tone::Dim)]
}

/// What a launch of `case` takes to hello beyond the baseline's, with its interval.
fn extra(case: &CaseReport) -> String {
    let Some(interval) = case.costs.hello_extra else { return "-".into() };
    let unit = Unit::of_time(interval.estimate.abs().max(1e6));
    let [lo, hi] = [interval.lo, interval.hi].map(|ns| unit.number(ns));
    format!("{} ({lo}..{hi}) {}", unit.signed(interval.estimate), unit.name)
}

/// A case's name over several lines of a narrow column: `hybrid-`, `instance`, `5.0.11`, `> 4.1.8`.
fn stacked(name: &str, width: usize) -> Vec<String> {
    wrapped(&name.replace('-', "- ").replace("> ", ">\u{a0}"), width)
}
