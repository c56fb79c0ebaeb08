//! A panel: axes, and what is drawn between them.

use std::{fmt::Write as _, io};

use plotters::{
    backend::SVGBackend,
    coord::{Shift, cartesian::Cartesian2d, types::RangedCoordf64},
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _},
    element::{PathElement, Rectangle, Text},
    style::{
        Color as _, FontTransform, IntoFont as _, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    axis::Axis,
    ink::Ink,
    mark::{self, Body, Style},
};

/// plotters draws in whole numbers: ten of them are a unit, and a unit is about a pixel.
pub(in crate::report) const UNIT: i32 = 10;
/// Size of words, in units.
pub(in crate::report) const LETTERS: i32 = 11;
/// Room above the axes, for the name of the upright one if it has one, and below them for two lines of names.
const ABOVE: i32 = 8;
const ABOVE_NAMED: i32 = 20;
const BELOW: i32 = 30;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
/// Drawing into a string does not fail; plotters does not know.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// What a panel is like before anything is drawn in it.
pub(super) struct Frame<'a> {
    /// Width and height in units.
    pub(super) size: (i32, i32),
    /// Room for the names of the upright axis.
    pub(super) left: i32,
    /// Room for what hangs over at the other end.
    pub(super) right: i32,
    pub(super) x: &'a Axis,
    pub(super) y: &'a Axis,
    /// What the upright axis shows; nothing where the page says it.
    pub(super) above: &'a str,
}

/// An area between axes.
pub(super) struct Panel<'a, 'f> {
    area: Area<'a>,
    frame: &'f Frame<'f>,
}

/// Draws axes, then what `body` draws between them: elements within an `<svg>` of the frame's size.
pub(super) fn draw(frame: &Frame<'_>, body: impl FnOnce(&Panel<'_, '_>) -> Drawn) -> String {
    let (width, height) = frame.size;
    let above = if frame.above.is_empty() { ABOVE } else { ABOVE_NAMED };
    let across = (frame.left * UNIT)..((width - frame.right) * UNIT);
    let upwards = ((height - BELOW) * UNIT)..(above * UNIT);
    on_paper(frame.size, |root| {
        let ranges = (frame.x.lo..frame.x.hi, frame.y.lo..frame.y.hi);
        let area = root.apply_coord_spec(Cartesian2d::new(ranges.0, ranges.1, (across, upwards)));
        let panel = Panel { area, frame };
        panel.axes()?;
        body(&panel)
    })
}

/// Draws without axes, in units from the top left.
pub(super) fn bare(size: (i32, i32), body: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let (width, height) = size;
    on_paper(size, |root| {
        let limits = (0..width * UNIT, 0..height * UNIT);
        let coordinates = Cartesian2d::new(0.0..f64::from(width), 0.0..f64::from(height), limits);
        body(&root.apply_coord_spec(coordinates))
    })
}

fn on_paper(
    (width, height): (i32, i32),
    body: impl for<'a> FnOnce(&DrawingArea<SVGBackend<'a>, Shift>) -> Drawn,
) -> String {
    let size = [width, height].map(|units| (units * UNIT) as u32);
    let mut written = String::new();
    let root = SVGBackend::with_string(&mut written, (size[0], size[1])).into_drawing_area();
    let drawn = body(&root).and_then(|()| root.present());
    drawn.unwrap_or_else(|error| unreachable!("a string takes every drawing: {error}"));
    drop(root);
    themed(&written)
}

impl Panel<'_, '_> {
    fn axes(&self) -> Drawn {
        let Frame { left, x, y, above, .. } = self.frame;
        let grid = Ink::Grid.colour().stroke_width(UNIT as u32);
        for tick in &x.ticks {
            self.area.draw(&PathElement::new(vec![(tick.at, y.lo), (tick.at, y.hi)], grid))?;
            let (column, foot) = self.area.map_coordinate(&(tick.at, y.lo));
            for (line, place) in tick.name.iter().zip(0..) {
                self.write(line, (column, foot + (4 + place * 12) * UNIT), (HPos::Center, VPos::Top), Ink::Faint)?;
            }
        }
        for tick in &y.ticks {
            self.area.draw(&PathElement::new(vec![(x.lo, tick.at), (x.hi, tick.at)], grid))?;
            let (_, row) = self.area.map_coordinate(&(x.lo, tick.at));
            let name = tick.name.join(" ");
            self.write(&name, ((left - 5) * UNIT, row), (HPos::Right, VPos::Center), Ink::Faint)?;
        }
        if above.is_empty() {
            return Ok(());
        }
        self.write(above, (UNIT, 3 * UNIT), (HPos::Left, VPos::Top), Ink::Faint)
    }

    /// Words at a place counted from the picture's corner.
    fn write(&self, words: &str, place: (i32, i32), (across, upright): (HPos, VPos), ink: Ink) -> Drawn {
        let style = letters(ink).pos(Pos::new(across, upright));
        self.area.strip_coord_spec().draw(&Text::new(words.to_owned(), place, style))
    }

    /// The place, or the nearest on the axes: a time of 0 has no logarithm, and stands at the foot.
    fn within(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let Frame { x: across, y: upright, .. } = self.frame;
        (x.clamp(across.lo, across.hi), y.clamp(upright.lo, upright.hi))
    }

    /// A line through points, some tenths of a unit thick; nothing for fewer than two points.
    pub(super) fn line(&self, points: &[(f64, f64)], ink: Ink, tenths: u32) -> Drawn {
        if points.len() < 2 {
            return Ok(());
        }
        let points: Vec<(f64, f64)> = points.iter().map(|place| self.within(*place)).collect();
        self.area.draw(&PathElement::new(points, ink.colour().stroke_width(tenths)))
    }

    /// An upright bar from one value to another.
    pub(super) fn interval(&self, at: f64, [lo, hi]: [f64; 2], ink: Ink) -> Drawn {
        self.line(&[(at, lo), (at, hi)], ink, 16)
    }

    /// A filled box.
    pub(super) fn fill(&self, [from, to]: [(f64, f64); 2], ink: Ink) -> Drawn {
        self.area.draw(&Rectangle::new([self.within(from), self.within(to)], ink.colour().filled()))
    }

    /// A marker.
    pub(super) fn mark(&self, place: (f64, f64), style: Style) -> Drawn {
        mark::draw(&self.area, self.within(place), style, Body::Full)
    }

    /// A marker's outline: those of equal figures are still seen one through the other.
    pub(super) fn open_mark(&self, place: (f64, f64), style: Style) -> Drawn {
        mark::draw(&self.area, self.within(place), style, Body::Open)
    }

    /// Words that start at a place and go right.
    pub(super) fn words(&self, words: &str, place: (f64, f64), ink: Ink) -> Drawn {
        let style = letters(ink).pos(Pos::new(HPos::Left, VPos::Center));
        self.area.draw(&Text::new(words.to_owned(), place, style))
    }

    /// Words that start at a place and go up.
    pub(super) fn words_upwards(&self, words: &str, place: (f64, f64), ink: Ink) -> Drawn {
        let style = letters(ink).pos(Pos::new(HPos::Left, VPos::Center)).transform(FontTransform::Rotate270);
        self.area.draw(&Text::new(words.to_owned(), place, style))
    }
}

fn letters(ink: Ink) -> TextStyle<'static> {
    // The SVG backend divides by 1.24.
    ("sans-serif", f64::from(LETTERS * UNIT) * 1.24).into_font().color(&ink.colour())
}

/// What plotters wrote, without the `<svg>` around it, with roles for colours, and without what is the default anyway or
/// the page's business.
fn themed(written: &str) -> String {
    let mut elements = String::new();
    for line in written.lines() {
        if line.starts_with("<svg") || line.starts_with("</svg") {
            continue;
        }
        let Some(tag) = line.strip_prefix('<').filter(|tag| !tag.starts_with('/')) else {
            elements.push_str(line);
            continue;
        };
        let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        elements.push('<');
        elements.push_str(name);
        let mut rest = rest;
        while let Some((key, value, after)) = attribute(rest) {
            let role = Ink::property(value).filter(|_| matches!(key, "fill" | "stroke"));
            let said = match (key, value, role) {
                (_, _, Some(role)) => write!(elements, " {key}=\"var(--{role})\""),
                ("opacity", "1", _) | ("stroke", "none", _) | ("font-family" | "font-size", _, _) => Ok(()),
                (_, _, None) => write!(elements, " {key}=\"{}\"", value.trim_end()),
            };
            said.unwrap_or_else(|error| unreachable!("a string takes all text: {error}"));
            rest = after;
        }
        elements.push_str(rest.trim_start());
    }
    elements
}

/// The first `key="value"`, and what comes after it.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.trim_start().split_once("=\"")?;
    let (value, rest) = rest.split_once('"')?;
    Some((key, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_follow_the_page_and_escape_words() {
        let axis = Axis { lo: 0.0, hi: 1.0, ticks: Vec::new() };
        let frame = Frame { size: (100, 100), left: 20, right: 8, x: &axis, y: &axis, above: "<time> & \"rate\"" };
        let elements = draw(&frame, |panel| {
            panel.line(&[(0.0, 0.0), (1.0, 1.0)], Ink::Text, 10)?;
            panel.fill([(0.0, 0.0), (0.5, 1.0)], Ink::Band)?;
            panel.words_upwards("hang", (0.5, 0.5), Ink::Failed)
        });
        let expected = [
            "<text x=\"10\" y=\"30\" dy=\"0.76em\" text-anchor=\"start\" fill=\"var(--faint)\">",
            "&lt;time&gt; &amp; &quot;rate&quot;</text>",
            "<polyline fill=\"none\" stroke=\"var(--text)\" stroke-width=\"10\" points=\"200,700 920,200\"/>",
            "<rect x=\"200\" y=\"200\" width=\"360\" height=\"500\" fill=\"var(--band)\"/>",
            "fill=\"var(--failed)\" transform=\"rotate(270, 560, 450)\">hang</text>",
        ];
        for part in expected {
            assert!(elements.contains(part), "{part} in {elements}");
        }
        assert!(!elements.contains('#') && !elements.contains("http"), "{elements}");
    }
}
