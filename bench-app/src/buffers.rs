//! The memory of a rank: allocated and touched once, only as much as its part in the workload needs.

use bench_app::{
    Kernel, Workload,
    kernel::WINDOW,
    pages::{Pages, stride},
    payload::Pattern,
};

use crate::mpi_ffi::Rank;

/// Everything a rank sends from and receives into.
pub(crate) struct Buffers {
    /// Messages that go out.
    pub(crate) outgoing: Pages<u8>,
    /// Messages that come in; on rank 1 with room for a window of the largest bandwidth cell.
    pub(crate) incoming: Pages<u8>,
    /// This rank's part of the sums.
    pub(crate) terms: Pages<f64>,
    /// The sums.
    pub(crate) sums: Pages<f64>,
    /// What the check pass sends and expects.
    pub(crate) pattern: Pattern,
}

impl Buffers {
    /// The buffers of `rank` for `workload`.
    pub(crate) fn new(workload: &Workload, rank: Rank) -> Buffers {
        let largest = |kernel: Kernel| {
            let cells = workload.cells.iter().filter(|cell| cell.kernel == kernel);
            cells.map(|cell| cell.bytes.0 as usize).max().unwrap_or(0)
        };
        let window = WINDOW * stride(largest(Kernel::Bandwidth));
        let message = largest(Kernel::Latency).max(largest(Kernel::Bandwidth));
        let (outgoing, incoming) = match rank {
            0 => (message, message),
            1 => (message, message.max(window)),
            _ => (0, 0),
        };
        let sums = largest(Kernel::Allreduce) / size_of::<f64>();
        Buffers {
            outgoing: Pages::new(outgoing, 1),
            incoming: Pages::new(incoming, 1),
            terms: Pages::new(sums, 1.0),
            sums: Pages::new(sums, 1.0),
            pattern: Pattern::new(outgoing),
        }
    }
}
