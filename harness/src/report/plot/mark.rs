//! Markers: every line and dot has a shape of its own beside its colour.

use plotters::{
    element::{Circle, EmptyElement, PathElement, Polygon},
    style::Color as _,
};

use super::{
    ink::Ink,
    panel::{self, Area, Drawn, UNIT},
};

/// A shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Mark {
    /// ●
    Disc,
    /// ○
    Ring,
    /// ▲
    Up,
    /// ▼
    Down,
    /// ▶
    Right,
    /// ✕
    Cross,
    /// ■
    Square,
    /// ◆
    Diamond,
    /// ✚
    Plus,
    /// ★
    Star,
    /// ⬟
    Pentagon,
}

/// A shape and its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Style {
    pub(in crate::report) mark: Mark,
    pub(in crate::report) ink: Ink,
}

/// Whether a marker is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Full,
    Open,
}

/// What a marker is made of.
enum Shape {
    Round,
    Cornered(Vec<(i32, i32)>),
}

impl Mark {
    fn shape(self) -> (Shape, Body) {
        let full = |corners| (Shape::Cornered(corners), Body::Full);
        match self {
            Mark::Disc => (Shape::Round, Body::Full),
            Mark::Ring => (Shape::Round, Body::Open),
            Mark::Up => full(corners(3, 50, 90)),
            Mark::Down => full(corners(3, 50, 270)),
            Mark::Right => full(corners(3, 50, 0)),
            Mark::Square => full(corners(4, 46, 45)),
            Mark::Diamond => full(corners(4, 48, 90)),
            Mark::Star => full(star()),
            Mark::Pentagon => full(corners(5, 43, 90)),
            Mark::Plus => full(plus(44, 15)),
            Mark::Cross => full(turned(&plus(46, 11))),
        }
    }
}

/// Draws a marker at a place.
pub(super) fn draw(area: &Area<'_>, place: (f64, f64), style: Style, body: Body) -> Drawn {
    let colour = style.ink.colour();
    let (fill, line) = (colour.filled(), colour.stroke_width(UNIT as u32 * 7 / 5));
    let (shape, own) = style.mark.shape();
    match (shape, own, body) {
        (Shape::Round, Body::Full, Body::Full) => area.draw(&Circle::new(place, UNIT * 18 / 5, fill)),
        (Shape::Round, ..) => area.draw(&Circle::new(place, UNIT * 33 / 10, line)),
        (Shape::Cornered(corners), Body::Full, Body::Full) => {
            area.draw(&(EmptyElement::at(place) + Polygon::new(corners, fill)))
        }
        (Shape::Cornered(mut corners), ..) => {
            // Twice the first side, so that the last corner is joined like the others.
            corners.extend_from_within(..2);
            area.draw(&(EmptyElement::at(place) + PathElement::new(corners, line)))
        }
    }
}

/// Corners of a regular polygon, the first at `turn` degrees above the x axis; `radius` in tenths of a unit.
fn corners(count: u32, radius: i32, turn: i32) -> Vec<(i32, i32)> {
    (0..count).map(|corner| around(radius, turn + (corner * 360 / count) as i32)).collect()
}

fn star() -> Vec<(i32, i32)> {
    (0..10).map(|corner| around(if corner % 2 == 0 { 52 } else { 22 }, 90 + corner * 36)).collect()
}

fn around(radius: i32, degrees: i32) -> (i32, i32) {
    let (radius, angle) = (f64::from(radius * UNIT) / 10.0, f64::from(degrees).to_radians());
    ((radius * angle.cos()).round() as i32, -(radius * angle.sin()).round() as i32)
}

/// A cross of bars, `long` from its middle to each end and `thick` from a bar's middle to its side.
fn plus(long: i32, thick: i32) -> Vec<(i32, i32)> {
    let (l, t) = (long * UNIT / 10, thick * UNIT / 10);
    vec![(-t, -l), (t, -l), (t, -t), (l, -t), (l, t), (t, t), (t, l), (-t, l), (-t, t), (-l, t), (-l, -t), (-t, -t)]
}

/// The shape, turned by an eighth.
fn turned(shape: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let part = |value: i32| (f64::from(value) * std::f64::consts::FRAC_1_SQRT_2).round() as i32;
    shape.iter().map(|(x, y)| (part(x - y), part(x + y))).collect()
}

/// A short line with its marker, for keys: elements within an `<svg>` of [`SWATCH`] units.
pub(in crate::report) fn swatch(style: Style, with_line: bool) -> String {
    panel::bare(SWATCH, |area| {
        let (width, middle) = (f64::from(SWATCH.0), f64::from(SWATCH.1) / 2.0);
        let body = if with_line { Body::Open } else { Body::Full };
        if with_line {
            let line = style.ink.colour().stroke_width(UNIT as u32 * 3 / 2);
            area.draw(&PathElement::new(vec![(1.0, middle), (width - 1.0, middle)], line))?;
        }
        draw(area, (width / 2.0, middle), style, body)
    })
}

/// Width and height of a swatch.
pub(in crate::report) const SWATCH: (i32, i32) = (26, 12);
