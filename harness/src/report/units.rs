//! Figures for people: three significant digits, a unit that suits them, one unit for a figure and its interval.

use bench_app::{Bytes, Kernel};

/// A message size as a row's name. A program has none.
pub(crate) fn size(kernel: Kernel, bytes: Bytes) -> String {
    if kernel == Kernel::Program { "launch".to_owned() } else { bytes.to_string() }
}

/// A cell: `latency 8 B`, `program`.
pub(crate) fn place(kernel: Kernel, bytes: Bytes) -> String {
    if kernel == Kernel::Program { kernel.to_string() } else { format!("{kernel} {bytes}") }
}

/// A unit: its name, and how many of the base unit (ns, bytes per second) it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    /// `µs`, `GB/s`, ..
    pub(crate) name: &'static str,
    scale: f64,
}

const TIMES: [Unit; 4] = [unit("ns", 1.0), unit("µs", 1e3), unit("ms", 1e6), unit("s", 1e9)];
const RATES: [Unit; 4] = [unit("B/s", 1.0), unit("kB/s", 1e3), unit("MB/s", 1e6), unit("GB/s", 1e9)];

const fn unit(name: &'static str, scale: f64) -> Unit {
    Unit { name, scale }
}

impl Unit {
    /// The unit in which a time in ns reads best.
    pub(crate) fn of_time(ns: f64) -> Self {
        Self::of(&TIMES, ns)
    }

    /// The unit in which a rate in bytes per second reads best.
    pub(crate) fn of_rate(bytes_per_s: f64) -> Self {
        Self::of(&RATES, bytes_per_s)
    }

    /// The largest unit of which there is at least one, after rounding to three digits.
    fn of(units: &[Unit; 4], value: f64) -> Self {
        let fits = |unit: &&Unit| value.abs() >= 0.9995 * unit.scale;
        units.iter().rev().find(fits).copied().unwrap_or(units[0])
    }

    /// `value`, given in the base unit, as a bare number.
    pub(crate) fn number(self, value: f64) -> String {
        digits(value / self.scale)
    }

    /// `value`, given in the base unit, as a bare number with its sign.
    pub(crate) fn signed(self, value: f64) -> String {
        format!("{}{}", if value < 0.0 { "" } else { "+" }, self.number(value))
    }

    /// `value`, given in the base unit, with the unit's name.
    pub(crate) fn with_name(self, value: f64) -> String {
        format!("{} {}", self.number(value), self.name)
    }
}

/// A time in ns with its unit.
pub(crate) fn time(ns: f64) -> String {
    Unit::of_time(ns).with_name(ns)
}

/// A rate in bytes per second with its unit.
pub(crate) fn rate(bytes_per_s: f64) -> String {
    Unit::of_rate(bytes_per_s).with_name(bytes_per_s)
}

/// A round time in ns, as an axis names it: `1 µs`, `1.5 ms`.
pub(crate) fn round_time(ns: f64) -> String {
    round(&TIMES, ns)
}

/// A round rate in bytes per second, as an axis names it: `200 MB/s`.
pub(crate) fn round_rate(bytes_per_s: f64) -> String {
    round(&RATES, bytes_per_s)
}

fn round(units: &[Unit; 4], value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let unit = Unit::of(units, value);
    let number = format!("{:.3}", value / unit.scale);
    format!("{} {}", number.trim_end_matches('0').trim_end_matches('.'), unit.name)
}

/// Three significant digits, down to two decimals.
pub(crate) fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        x if x >= 99.95 => 0,
        x if x >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// A ratio; near 1 with a third decimal, so that an interval which just excludes 1 is seen to do so.
pub(crate) fn ratio(value: f64) -> String {
    if (0.9..1.1).contains(&value) || value < 0.1 { format!("{value:.3}") } else { digits(value) }
}

/// A ratio and the ends of its interval, all with the decimals of the one that needs most.
pub(crate) fn ratios<const N: usize>(values: [f64; N]) -> [String; N] {
    let decimals = |value: f64| ratio(value).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let most = values.iter().map(|value| decimals(*value)).max().unwrap_or(0);
    values.map(|value| format!("{value:.most$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_fitting_unit() {
        let check = |ns: f64, expected: &str| assert_eq!(time(ns), expected);
        check(0.0, "0.00 ns");
        check(307.2, "307 ns");
        check(999.6, "1.00 µs");
        check(1234.0, "1.23 µs");
        check(99_960.0, "100 µs");
        check(1.3e9, "1.30 s");
        check(-2500.0, "-2.50 µs");
        assert_eq!(rate(12.382e9), "12.4 GB/s");
        assert_eq!(rate(18.2e6), "18.2 MB/s");
    }

    #[test]
    fn round_figures_have_no_idle_digits() {
        assert_eq!([0.0, 1000.0, 1500.0, 2e8].map(round_time), ["0", "1 µs", "1.5 µs", "200 ms"]);
        assert_eq!([5e6, 2.5e9].map(round_rate), ["5 MB/s", "2.5 GB/s"]);
    }

    #[test]
    fn ratios_near_one_show_which_side_they_are_on() {
        assert_eq!([1.0017, 0.95, 1.94, 12.3].map(ratio), ["1.002", "0.950", "1.94", "12.3"]);
        assert_eq!(ratios([0.98, 0.87, 1.2]), ["0.980", "0.870", "1.200"]);
    }
}
