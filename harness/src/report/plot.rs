//! Pictures of a report: small SVG panels, drawn by plotters, each with a text alternative that says the same in numbers.
//!
//! A panel is about as wide as a telephone, so pages place several side by side instead of shrinking one. Colours are
//! custom properties of the page ([`ink`]), so pictures follow its theme; every colour has a marker beside it.

mod absolute;
mod axis;
mod costs;
pub(super) mod ink;
mod launches;
mod mark;
mod panel;
mod ratio;
mod series;

pub(super) use absolute::absolute;
pub(super) use costs::costs;
pub(super) use launches::{chosen, launches};
pub(super) use mark::{SWATCH, Style, swatch};
pub(super) use panel::{LETTERS, UNIT};
pub(super) use ratio::{band_is_drawn, ratio};
pub(super) use series::{Series, Sheet, sheets, style};

use bench_app::{Bytes, Kernel};

use super::{Report, Verdict};
use ink::Ink;
use mark::Mark;

/// A drawing and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// What is drawn.
    pub(super) title: String,
    /// What it shows, in numbers.
    pub(super) description: String,
    /// Width and height of the view box.
    pub(super) size: (i32, i32),
    /// Elements within `<svg>`.
    pub(super) elements: String,
}

/// The sizes at which any case was to run `kernel`, ascending; what only a probe ran has no place in a picture.
fn sizes(report: &Report, kernel: Kernel) -> Vec<Bytes> {
    let cells = report.cases.iter().flat_map(|case| &case.cells).filter(|cell| cell.kernel == kernel);
    let mut sizes: Vec<Bytes> = cells.map(|cell| cell.bytes).collect();
    sizes.sort();
    sizes.dedup();
    sizes
}

/// How a missing figure is drawn.
pub(super) const FAILED: Style = Style { mark: Mark::Cross, ink: Ink::Failed };

/// How a verdict is drawn.
pub(super) const fn verdict_style(verdict: Verdict) -> Style {
    let (mark, ink) = match verdict {
        Verdict::Slower => (Mark::Up, Ink::Slower),
        Verdict::Faster => (Mark::Down, Ink::Faster),
        Verdict::Equivalent => (Mark::Disc, Ink::Same),
        Verdict::BelowMargin => (Mark::Diamond, Ink::Same),
        Verdict::Undecided => (Mark::Ring, Ink::Same),
        Verdict::NotComparable => (Mark::Square, Ink::Same),
    };
    Style { mark, ink }
}
