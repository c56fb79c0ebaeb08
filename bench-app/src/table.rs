//! The small table a person gets who runs bench-app by hand.

use std::{collections::BTreeMap, fmt};

use crate::{
    event::Measurement,
    kernel::{Bytes, Kernel, WINDOW},
};

/// Batches by cell, in the order of kernels and sizes.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<(Kernel, Bytes, u32), Vec<u64>>);

impl Table {
    /// Adds the batches of one frame.
    pub fn add(&mut self, measurement: &Measurement) {
        let Measurement { kernel, bytes, k, ns, .. } = measurement;
        self.0.entry((*kernel, *bytes, *k)).or_default().extend(ns);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:>9} {:>5} {:>8} {:>20}", "kernel", "size", "K", "batches", "median")?;
        for ((kernel, bytes, k), ns) in &self.0 {
            let figure = figure(*kernel, *bytes, *k, median(ns));
            writeln!(f, "{kernel:<10} {bytes:>9} {k:>5} {:>8} {figure:>20}", ns.len())?;
        }
        Ok(())
    }
}

/// A batch of `ns` as people name it: time of half a round trip, rate of a window, time of a call.
fn figure(kernel: Kernel, bytes: Bytes, k: u32, ns: f64) -> String {
    let k = f64::from(k);
    match kernel {
        Kernel::Latency => format!("{:.3} us one way", ns / (2.0 * k) / 1e3),
        Kernel::Bandwidth => format!("{:.1} MB/s", bytes.0 as f64 * WINDOW as f64 * k / ns * 1e3),
        Kernel::Allreduce => format!("{:.3} us a call", ns / k / 1e3),
    }
}

fn median(ns: &[u64]) -> f64 {
    let mut sorted = ns.to_vec();
    sorted.sort_unstable();
    let middle = |at: usize| sorted.get(at).map_or(f64::NAN, |ns| *ns as f64);
    (middle(sorted.len().saturating_sub(1) / 2) + middle(sorted.len() / 2)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_in_the_units_people_use() {
        let mut table = Table::default();
        let mut add = |kernel, bytes, k, ns: &[u64]| {
            let (bytes, ns) = (Bytes(bytes), ns.to_vec());
            table.add(&Measurement { kernel, bytes, visit: 0, k, discarded: 2, first: 0, ns });
        };
        add(Kernel::Bandwidth, 1 << 20, 1, &[64 << 20]);
        add(Kernel::Latency, 8, 100, &[40_000, 60_000]);
        add(Kernel::Latency, 8, 100, &[1_000_000, 50_000]);
        add(Kernel::Allreduce, 8, 10, &[7_000, 9_000, 1]);
        let expected = "\
kernel          size     K  batches               median
latency          8 B   100        4     0.275 us one way
bandwidth      1 MiB     1        1          1000.0 MB/s
allreduce        8 B    10        3      0.700 us a call
";
        assert_eq!(table.to_string(), expected);
    }
}
