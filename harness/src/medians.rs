//! One number a launch and cell: the median time of an operation over the batches of all its visits.

use std::collections::BTreeMap;

use bench_app::{Bytes, Cell, Kernel};

use crate::{id::AttemptId, record::Sample, stats};

/// The medians of launches, by attempt and cell, ns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Medians(BTreeMap<(AttemptId, Kernel, Bytes), f64>);

impl Medians {
    /// Those of all launches of which `samples` holds every batch.
    #[must_use]
    pub fn of(samples: &[Sample]) -> Self {
        let mut medians = Self::default();
        medians.add(samples);
        medians
    }

    /// Adds launches of which `samples` holds every batch.
    pub fn add(&mut self, samples: &[Sample]) {
        let mut times: BTreeMap<(AttemptId, Kernel, Bytes), Vec<f64>> = BTreeMap::new();
        for sample in samples {
            let time = sample.kernel.operation_ns(sample.ns, sample.k);
            times.entry((sample.attempt, sample.kernel, sample.bytes)).or_default().push(time);
        }
        self.0.extend(times.into_iter().filter_map(|(cell, times)| Some((cell, stats::median(&times)?))));
    }

    /// The median of a launch in a cell, where it has measured it.
    #[must_use]
    pub fn get(&self, attempt: AttemptId, cell: Cell) -> Option<f64> {
        self.0.get(&(attempt, cell.kernel, cell.bytes)).copied()
    }
}
