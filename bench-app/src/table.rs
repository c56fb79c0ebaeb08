//! The small table a person gets who runs bench-app by hand.

use std::{collections::BTreeMap, fmt};

use crate::{
    bytes::Bytes,
    event::Measurement,
    kernel::{Kernel, Reading},
    stationarity::median,
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
        writeln!(f, "{:<18} {:>9} {:>5} {:>8} {:>14}", "kernel", "size", "K", "batches", "median")?;
        for ((kernel, bytes, k), ns) in &self.0 {
            let figure = figure(*kernel, *bytes, kernel.operation_ns(1, *k) * median(ns));
            writeln!(f, "{kernel:<18} {bytes:>9} {k:>5} {:>8} {figure:>14}", ns.len())?;
        }
        Ok(())
    }
}

/// An operation of `ns` as people read it.
fn figure(kernel: Kernel, bytes: Bytes, ns: f64) -> String {
    match kernel.row().reading {
        Reading::Time => format!("{:.3} us", ns / 1e3),
        Reading::Rate => format!("{:.1} MB/s", bytes.0 as f64 / ns * 1e3),
    }
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
kernel                  size     K  batches         median
latency                  8 B   100        4       0.275 us
bandwidth              1 MiB     1        1    1000.0 MB/s
allreduce                8 B    10        3       0.700 us
";
        assert_eq!(table.to_string(), expected);
    }
}
