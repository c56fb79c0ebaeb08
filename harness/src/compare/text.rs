//! A comparison on a terminal, at most 80 columns wide: absolute values first, then ratios with intervals and verdicts.

use bench_app::Kernel;

use crate::report::{
    Ratio, Verdict,
    layout::{Cell, Page, Style, Tone, WIDTH, cell, clipped, wrapped},
    units,
    units::Unit,
};

use super::{CellPair, Comparison, Measured, Outcome, Pair, Penalty};

const SIZE: usize = 9;
const FIGURE: usize = 12;
const RATIO: usize = 12;
const WORDS: usize = WIDTH - SIZE - 2 * FIGURE - RATIO;

/// The comparison as text.
#[must_use]
pub fn render(comparison: &Comparison, style: Style) -> String {
    let mut table = Table { page: Page::new(style), comparison };
    table.head();
    for pair in &comparison.pairs {
        table.pair(pair);
    }
    table.key();
    table.facts();
    table.notes();
    table.page.into_text()
}

struct Table<'a> {
    page: Page,
    comparison: &'a Comparison,
}

impl Table<'_> {
    fn head(&mut self) {
        let mut sides: Vec<(&str, String)> = Vec::new();
        for pair in &self.comparison.pairs {
            for side in [&pair.reference, &pair.compared] {
                let words = match pair.paired {
                    true => format!("{} in {}", side.case, side.run),
                    false => format!("{}, begun {}", side.run, side.started),
                };
                if !sides.iter().any(|(name, _)| *name == side.name) {
                    sides.push((&side.name, words));
                }
            }
        }
        let width = sides.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, words) in &sides {
            self.page.entry(name, words, width);
        }
        self.page.line(&[]);
        let names: Vec<String> = self.comparison.pairs.iter().map(|pair| self.title(pair)).collect();
        let width = names.iter().map(String::len).max().unwrap_or(0).min(30);
        for (pair, name) in self.comparison.pairs.iter().zip(&names) {
            self.page.entry(name, &pair.answer, width);
        }
    }

    /// The case, or both where they are not the same; and which run, where there are several.
    fn title(&self, pair: &Pair) -> String {
        let (reference, compared) = (&pair.reference, &pair.compared);
        let several = self.comparison.pairs.iter().any(|other| other.compared.run != compared.run);
        match (pair.paired, reference.case == compared.case, several) {
            (true, _, _) => compared.name.clone(),
            (false, true, false) => compared.case.clone(),
            (false, true, true) => format!("{} in {}", compared.case, compared.name),
            (false, false, _) => format!("{} in {}, {}", reference.case, reference.name, compared.case),
        }
    }

    fn pair(&mut self, pair: &Pair) {
        for kernel in Kernel::EVERY {
            let cells: Vec<&CellPair> = pair.cells.iter().filter(|cell| cell.kernel == kernel).collect();
            if !cells.is_empty() {
                self.kernel(pair, kernel, &cells);
            }
        }
    }

    fn kernel(&mut self, pair: &Pair, kernel: Kernel, cells: &[&CellPair]) {
        self.page.line(&[]);
        let title = format!("{kernel}, {}", self.title(pair));
        self.page.line(&[(cell(title, Tone::Strong), 0)]);
        let (a, b) = (pair.reference.name.as_str(), pair.compared.name.as_str());
        let heads = [a, b, "ratio"].map(|name| cell(clipped(name, FIGURE - 1), Tone::Strong));
        self.row("", heads.into(), cell("", Tone::Plain));
        for pair in cells {
            let columns = [figure(&pair.reference), figure(&pair.compared), ratio(pair.ratio.as_ref())];
            let (words, tone) = (pair.words(self.comparison.margin), tone(pair));
            self.entry(&units::size(kernel, pair.bytes), columns, &words, tone);
        }
        let penalties: Vec<(&CellPair, &Penalty)> =
            cells.iter().filter_map(|cell| Some((*cell, cell.penalty.as_ref()?))).collect();
        if penalties.is_empty() {
            return;
        }
        self.page.line(&[(cell("over what its own run compares it with", Tone::Dim), 0)]);
        for (pair, penalty) in penalties {
            let times =
                |estimate: f64| (cell(format!("{}x", units::digits(estimate)), Tone::Plain), cell("", Tone::Dim));
            let columns = [times(penalty.reference), times(penalty.compared), ratio(Some(&penalty.ratio))];
            let words = penalty.ratio.words(self.comparison.margin);
            self.entry(&units::size(kernel, pair.bytes), columns, &words, tone_of(&penalty.ratio));
        }
    }

    /// Figures with their intervals below, and words beside both.
    fn entry(&mut self, size: &str, columns: [(Cell, Cell); 3], words: &str, tone: Tone) {
        let (above, below): (Vec<Cell>, Vec<Cell>) = columns.into_iter().unzip();
        let below = Some(below).filter(|below| below.iter().any(|cell| !cell.is_empty()));
        let mut rows = std::iter::once((size, above)).chain(below.map(|below| ("", below)));
        let mut words = wrapped(words, WORDS).into_iter();
        loop {
            let (row, beside) = (rows.next(), words.next());
            if row.is_none() && beside.is_none() {
                break;
            }
            let (size, cells) = row.unwrap_or_default();
            self.row(size, cells, cell(beside.unwrap_or_default(), tone));
        }
    }

    fn row(&mut self, size: &str, cells: Vec<Cell>, words: Cell) {
        let blanks = std::iter::repeat_with(|| cell("", Tone::Plain));
        let cells = cells.into_iter().chain(blanks).zip([FIGURE, FIGURE, RATIO]);
        let cells = std::iter::once((cell(size, Tone::Plain), SIZE)).chain(cells).chain([(words, WORDS)]);
        self.page.line(&cells.collect::<Vec<_>>());
    }

    fn key(&mut self) {
        let Comparison { level, margin, family, .. } = self.comparison;
        let outcome = match self.comparison.outcome {
            Outcome::NotWorse => "Nothing is worse.",
            Outcome::Undecided => "Nothing is worse for sure, and not everything is decided.",
            Outcome::Worse => "Something is worse.",
        };
        self.page.line(&[]);
        self.page.paragraph(&format!(
            "Figures: median of the launches' medians. Ratio: time over time, so above 1 is slower, for bandwidth too. Below \
             each its {} % interval. Decided in a family of {family} comparisons with a margin of {} %. {outcome}",
            level * 100.0,
            margin.percent()
        ));
    }

    fn facts(&mut self) {
        if self.comparison.facts.is_empty() {
            return;
        }
        self.page.line(&[]);
        self.page.line(&[(cell("what differs besides", Tone::Strong), 0)]);
        let width = self.comparison.facts.iter().map(|fact| fact.what.len()).max().unwrap_or(0).min(30);
        let known = |value: &str| if value.is_empty() { "not known".to_owned() } else { value.to_owned() };
        for fact in &self.comparison.facts {
            let text = format!("{} -> {}", known(&fact.reference), known(&fact.compared));
            self.page.entry(&fact.what, &text, width);
        }
    }

    fn notes(&mut self) {
        for note in &self.comparison.notes {
            self.page.line(&[]);
            self.page.paragraph(note);
        }
    }
}

fn figure(measured: &Measured) -> (Cell, Cell) {
    let (unit, median, ends, k) = match measured {
        Measured::Failed { outcome } => return (cell(clipped(outcome, FIGURE - 1), Tone::Failed), cell("", Tone::Dim)),
        Measured::Absent => return (cell("-", Tone::Dim), cell("", Tone::Dim)),
        Measured::Figure { time, rate: Some(rate) } => (Unit::of_rate(rate.median), rate.median, rate.interval, time.k),
        Measured::Figure { time, rate: None } => {
            let ends = time.interval.map(|interval| [interval.lo, interval.hi]);
            (Unit::of_time(time.median), time.median, ends, time.k)
        }
    };
    (cell(unit.with_name(median), Tone::Plain), cell(interval(ends, k, |end| unit.number(end)), Tone::Dim))
}

fn ratio(ratio: Option<&Ratio>) -> (Cell, Cell) {
    let Some(ratio) = ratio else { return (cell("-", Tone::Dim), cell("", Tone::Dim)) };
    let ends = ratio.interval.map(|interval| [interval.lo, interval.hi]);
    (cell(units::ratio(ratio.estimate), tone_of(ratio)), cell(interval(ends, ratio.k, units::ratio), Tone::Dim))
}

fn interval(ends: Option<[f64; 2]>, k: usize, number: impl Fn(f64) -> String) -> String {
    ends.map_or_else(|| format!("k={k}"), |[lo, hi]| format!("{}-{}", number(lo), number(hi)))
}

fn tone(pair: &CellPair) -> Tone {
    match (&pair.ratio, pair.outcome()) {
        (Some(ratio), _) => tone_of(ratio),
        (None, Outcome::Worse) => Tone::Failed,
        (None, Outcome::NotWorse | Outcome::Undecided) => Tone::Plain,
    }
}

const fn tone_of(ratio: &Ratio) -> Tone {
    match ratio.verdict {
        Verdict::Slower => Tone::Slower,
        Verdict::Faster => Tone::Faster,
        Verdict::NotComparable => Tone::Failed,
        Verdict::Equivalent | Verdict::BelowMargin | Verdict::Undecided => Tone::Plain,
    }
}
