//! Text in columns: lines of styled pieces, at most 80 columns wide as a terminal counts them.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects};
use unicode_width::UnicodeWidthStr as _;

/// Widest line.
pub const WIDTH: usize = 80;

/// Whether to colour. Who writes to a terminal decides, not this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With ANSI colours.
    Coloured,
}

/// What a cell means, beside what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Dim,
    Slower,
    Faster,
    Failed,
}

impl Tone {
    fn style(self) -> anstyle::Style {
        match self {
            Tone::Plain => anstyle::Style::new(),
            Tone::Strong => Effects::BOLD.into(),
            Tone::Dim => Effects::DIMMED.into(),
            Tone::Slower => AnsiColor::Yellow.on_default(),
            Tone::Faster => AnsiColor::Cyan.on_default(),
            Tone::Failed => AnsiColor::Red.on_default(),
        }
    }
}

/// A piece of a line.
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// A piece of a line with its tone.
pub(crate) fn cell(text: impl Into<String>, tone: Tone) -> Cell {
    Cell { text: text.into(), tone }
}

/// Lines so far.
pub(crate) struct Page {
    text: String,
    style: Style,
}

impl Page {
    /// None yet.
    pub(crate) fn new(style: Style) -> Self {
        Self { text: String::new(), style }
    }

    /// All of them.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// A name, padded to `width`, with a text beside it.
    pub(crate) fn entry(&mut self, name: &str, text: &str, width: usize) {
        let indent = width + 2;
        for (line, number) in wrapped(text, WIDTH - indent).into_iter().zip(0..) {
            let name = if number == 0 { clipped(name, width) } else { String::new() };
            self.line(&[(cell(name, Tone::Plain), indent), (cell(line, Tone::Plain), 0)]);
        }
    }

    /// A text in full lines.
    pub(crate) fn paragraph(&mut self, text: &str) {
        for line in wrapped(text, WIDTH) {
            self.line(&[(cell(line, Tone::Plain), 0)]);
        }
    }

    /// Cells, each padded to its width, except the last that says anything.
    pub(crate) fn line(&mut self, cells: &[(Cell, usize)]) {
        let last = cells.iter().rposition(|(cell, _)| !cell.text.is_empty());
        for (number, (cell, width)) in cells.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
            let pad = if Some(number) == last { 0 } else { width.saturating_sub(cell.text.width()) };
            let style = cell.tone.style();
            let written = match self.style {
                Style::Coloured if !cell.text.is_empty() => write!(self.text, "{style}{}{style:#}", cell.text),
                Style::Coloured | Style::Plain => write!(self.text, "{}", cell.text),
            };
            written.unwrap_or_else(|error| unreachable!("a string takes all text: {error}"));
            self.text.push_str(&" ".repeat(pad));
        }
        self.text.push('\n');
    }
}

/// `text` in lines of at most `width` columns, broken between words, and within a word only where it is longer itself.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap_or_else(|| unreachable!("never empty"));
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.iter().flat_map(|line| pieces(line, width)).collect()
}

/// `line` cut into pieces of at most `width` columns.
fn pieces(line: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in line.chars() {
        let piece = pieces.last_mut().unwrap_or_else(|| unreachable!("never empty"));
        if piece.width() + c.to_string().width() > width {
            pieces.push(c.to_string());
        } else {
            piece.push(c);
        }
    }
    pieces
}

/// `text`, cut with an ellipsis where it is wider than `width`.
pub(crate) fn clipped(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    pieces(text, width.saturating_sub(1)).swap_remove(0) + "…"
}
