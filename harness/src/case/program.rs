//! A program of the user's in place of bench-app: what is launched, and by what it is known to have worked.
//!
//! Its figure is the time of a launch. Whether the ranks of a case find each other no such time tells: a launch of bench-app
//! in the same case comes before it (`plan::Runs::World`).

use std::num::NonZeroU32;

use bench_app::{
    Bytes, Cell, Kernel, Workload,
    workload::{BufferKind, Order},
};
use serde::{Deserialize, Serialize};

/// What a case launches instead of bench-app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Program and arguments, as they are where the ranks are: on the host, or in the image.
    pub argv: Vec<String>,
    /// What one world says in exactly one line when all has worked; empty where exit code 0 is taken for that.
    pub expect: String,
}

impl Program {
    /// The one figure of a launch.
    pub const CELL: Cell = Cell { kernel: Kernel::Program, bytes: Bytes(0), k: NonZeroU32::MIN };

    /// The workload of a case that has it.
    #[must_use]
    pub fn workload(seed: u64) -> Workload {
        Workload { cells: vec![Self::CELL], visit_ms: 0, order: Order::Shuffled, seed, ..Self::world() }
    }

    /// What bench-app does in such a case before it: a few small messages.
    #[must_use]
    pub fn world() -> Workload {
        let cell = |kernel: Kernel| {
            let bytes = Bytes(8);
            Cell { kernel, bytes, k: NonZeroU32::new(kernel.default_k(bytes)).unwrap_or(NonZeroU32::MIN) }
        };
        Workload {
            cells: [Kernel::Latency, Kernel::Allreduce].map(cell).to_vec(),
            rounds: NonZeroU32::MIN,
            visit_ms: 2,
            order: Order::Ascending,
            seed: 1,
            buffers: BufferKind::Hot,
        }
    }

    /// Its words without the place where it lies: equal on all sites.
    pub(super) fn words(&self) -> Vec<&str> {
        let first = self.argv.first().map(|word| word.rsplit('/').next().unwrap_or(word));
        first.into_iter().chain(self.argv.iter().skip(1).map(String::as_str)).collect()
    }
}
