//! Axes: where values lie, and which of them are named.

use bench_app::{Bytes, Kernel};

use crate::report::units;

/// A range with its ticks. Logarithmic axes hold logarithms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) lo: f64,
    pub(super) hi: f64,
    pub(super) ticks: Vec<Tick>,
}

/// A place with a grid line, and its name in one line or two; without a name where there is no room.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) name: Vec<String>,
}

/// Multiples of a power of ten that may be named, coarse to fine.
const STEPS: [&[f64]; 4] = [&[1.0], &[1.0, 3.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0]];
/// Ratios that may be named: the first that has room wins.
const RATIOS: [f64; 31] = [
    1.0, 2.0, 0.5, 1.1, 0.9, 5.0, 0.2, 10.0, 0.1, 1.05, 0.95, 1.02, 0.98, 1.2, 0.8, 1.5, 0.7, 20.0, 0.05, 50.0, 0.02,
    100.0, 0.01, 1000.0, 0.001, 1.01, 0.99, 3.0, 0.3, 1.3, 0.6,
];
/// Up to about this logarithm a ratio's place is proportional to it; beyond, places crowd together.
const NEAR: f64 = 0.05;

/// Where a ratio stands: finer near 1, so that 2 % can be seen beside a factor of 7.
pub(super) fn ratio_place(ratio: f64) -> f64 {
    (ratio.ln() / NEAR).asinh()
}

/// The smallest and the largest of positive values.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let positive = values.into_iter().filter(|value| *value > 0.0 && value.is_finite());
    positive.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((lo, hi)) => Some((value.min(lo), value.max(hi))),
    })
}

impl Axis {
    /// Positive values on a logarithmic scale: at least three names where `STEPS` has them.
    pub(super) fn logarithmic((lo, hi): (f64, f64), name: impl Fn(f64) -> String) -> Self {
        let pad = ((hi / lo).log10() * 0.05).max(0.02);
        let (lo, hi) = (lo.log10() - pad, hi.log10() + pad);
        let named = |steps: &[f64]| -> Vec<f64> {
            let decades = lo.floor() as i32..=hi.ceil() as i32;
            let all = decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
            all.filter(|value| (lo..=hi).contains(&value.log10())).collect()
        };
        let enough = STEPS.iter().map(|steps| named(steps)).find(|values| values.len() >= 3);
        let values = enough.unwrap_or_else(|| linear_steps((10f64.powf(lo), 10f64.powf(hi)), 6));
        let tick = |value: f64| Tick { at: value.log10(), name: vec![name(value)] };
        Self { lo, hi, ticks: values.into_iter().map(tick).collect() }
    }

    /// Ratios around 1 at their [`ratio_place`], as many names as have `room` (the share of the axis that one takes).
    pub(super) fn ratios((lo, hi): (f64, f64), room: f64) -> Self {
        let (lo, hi) = (ratio_place(lo.min(0.95)), ratio_place(hi.max(1.05)));
        let pad = (hi - lo) * 0.07;
        let (lo, hi) = (lo - pad, hi + pad);
        let mut ticks: Vec<Tick> = Vec::new();
        for ratio in RATIOS {
            let at = ratio_place(ratio);
            if (lo..=hi).contains(&at) && ticks.iter().all(|tick| (tick.at - at).abs() >= room * (hi - lo)) {
                ticks.push(Tick { at, name: vec![ratio.to_string()] });
            }
        }
        ticks.sort_by(|a, b| a.at.total_cmp(&b.at));
        Self { lo, hi, ticks }
    }

    /// Values on an even scale.
    pub(super) fn linear((lo, hi): (f64, f64), most: usize, name: impl Fn(f64) -> String) -> Self {
        let tick = |at: f64| Tick { at, name: vec![name(at)] };
        Self { lo, hi, ticks: linear_steps((lo, hi), most).into_iter().map(tick).collect() }
    }

    /// Part of the whole axis that `share` of it is.
    pub(super) fn part(&self, share: f64) -> f64 {
        (self.hi - self.lo) * share
    }
}

/// At most `most` round values.
fn linear_steps((lo, hi): (f64, f64), most: usize) -> Vec<f64> {
    let rough = (hi - lo).max(f64::MIN_POSITIVE) / most.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(power * 10.0);
    let numbers = (lo / step).ceil() as i64..=(hi / step).floor() as i64;
    numbers.map(|number| number as f64 * step).collect()
}

/// Message sizes along an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sizes {
    sizes: Vec<Bytes>,
    places: Vec<f64>,
    pub(super) axis: Axis,
}

/// Least share of an axis between two named sizes: `128` over `KiB`.
const SIZE_ROOM: f64 = 0.07;

impl Sizes {
    /// On a logarithmic scale. An empty message has no place there: it stands before the others, apart.
    pub(super) fn logarithmic(kernel: Kernel, sizes: &[Bytes]) -> Self {
        let places: Vec<f64> = sizes.iter().filter(|size| size.0 > 0).map(|size| (size.0 as f64).log2()).collect();
        let first = places.first().copied().unwrap_or(0.0);
        let apart = (places.last().copied().unwrap_or(0.0) - first).max(4.0) * 0.1;
        let before = sizes.iter().filter(|size| size.0 == 0).map(|_| first - apart);
        Self::at(kernel, sizes, before.chain(places.iter().copied()).collect())
    }

    /// Evenly, whatever lies between them.
    pub(super) fn even(kernel: Kernel, sizes: &[Bytes]) -> Self {
        Self::at(kernel, sizes, (0..sizes.len()).map(|place| place as f64).collect())
    }

    fn at(kernel: Kernel, sizes: &[Bytes], places: Vec<f64>) -> Self {
        let (first, last) = (places.first().copied().unwrap_or(0.0), places.last().copied().unwrap_or(0.0));
        let pad = if last > first { (last - first) / (places.len() as f64 * 1.6).max(6.0) } else { 1.0 };
        let (lo, hi) = (first - pad, last + pad);
        let mut named_to = f64::NEG_INFINITY;
        let ticks = sizes.iter().zip(&places).map(|(size, &at)| {
            let named = at - named_to >= SIZE_ROOM * (hi - lo);
            if named {
                named_to = at;
            }
            let name = || units::size(kernel, *size).split(' ').map(str::to_owned).collect();
            Tick { at, name: if named { name() } else { Vec::new() } }
        });
        let axis = Axis { lo, hi, ticks: ticks.collect() };
        Self { sizes: sizes.to_vec(), places, axis }
    }

    /// Every size with its place, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Bytes, f64)> {
        self.sizes.iter().copied().zip(self.places.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|tick| tick.name.join(" ")).collect()
    }

    #[test]
    fn logarithmic_axes_name_round_values() {
        let check = |range: (f64, f64), expected: &[&str]| {
            assert_eq!(names(&Axis::logarithmic(range, |value| value.to_string())), expected, "{range:?}");
        };
        check((293.0, 469_000.0), &["1000", "10000", "100000"]);
        check((290.0, 3500.0), &["300", "1000", "3000"]);
        check((281.0, 352.0), &["280", "300", "320", "340", "360"]);
        check((300.0, 300.0), &["290", "295", "300", "305", "310"]);
    }

    #[test]
    fn ratios_are_named_as_finely_as_there_is_room() {
        let check = |range: (f64, f64), expected: &[&str]| {
            assert_eq!(names(&Axis::ratios(range, 0.12)), expected, "{range:?}");
        };
        check((0.99, 1.01), &["0.95", "0.98", "1", "1.02", "1.05"]);
        check((0.62, 2.1), &["0.5", "0.9", "1", "1.1", "1.3", "2"]);
        check((0.3, 7.0), &["0.5", "0.9", "1", "1.1", "2", "10"]);
    }

    #[test]
    fn sizes_keep_their_order_and_are_named_where_there_is_room() {
        let bytes = [0, 8, 1 << 10, 2 << 10, 3 << 10, 8 << 10, 1 << 20, 4 << 20].map(Bytes);
        let log = Sizes::logarithmic(Kernel::Latency, &bytes);
        assert!(log.places.is_sorted() && log.places[0] < 3.0);
        assert_eq!(names(&log.axis), ["0 B", "8 B", "1 KiB", "", "", "8 KiB", "1 MiB", "4 MiB"]);
        assert!(names(&Sizes::even(Kernel::Latency, &bytes).axis).iter().all(|name| !name.is_empty()));
        let whole = [Sizes::logarithmic(Kernel::Program, &bytes[..1]), Sizes::even(Kernel::Program, &bytes[..1])];
        assert!(whole.iter().all(|sizes| names(&sizes.axis) == ["launch"]), "a program has no size");
        assert_eq!(names(&Sizes::logarithmic(Kernel::Latency, &[Bytes(64)]).axis), ["64 B"]);
        assert!(Sizes::logarithmic(Kernel::Latency, &[]).axis.ticks.is_empty());
    }
}
