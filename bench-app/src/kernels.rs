//! The hot loops, one file a family. Between two timestamps runs one [`Repeat::repeat`] and nothing else: MPI calls, no
//! allocation, no branch on the kind of work.

mod allreduce;
mod alltoall;
mod barrier;
mod bcast;
mod latency;
mod window;

use bench_app::{Kernel, pages::Slots};

use crate::{
    buffers::Buffers,
    mpi_ffi::{Comm, MpiError, Rank},
};

/// One rank's part in a batch.
pub(crate) trait Repeat {
    /// Does it `k` times.
    fn repeat(&mut self, k: u32) -> Result<(), MpiError>;
}

/// Everything of a kernel that speaks MPI. `len` is the message size in bytes, `Comm` that of the ranks that take part.
pub(crate) struct Family {
    /// The memory that a rank needs, with hot buffers.
    pub(crate) room: fn(comm: &Comm, len: usize) -> Room,
    /// A rank's part in the batches of a visit.
    pub(crate) part: for<'a> fn(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a>,
    /// Transfers what a repetition does, with contents that the receivers know, and returns where this rank first saw a
    /// difference, if it did. Wrong data end nothing here: the other ranks still get every message they wait for.
    pub(crate) check: fn(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError>,
}

/// What a rank sends from and receives into.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) outgoing: Slots,
    pub(crate) incoming: Slots,
}

impl Room {
    /// One place each for messages of `len` bytes.
    const fn pair(len: usize) -> Room {
        Room { outgoing: Slots::new(len, 1), incoming: Slots::new(len, 1) }
    }
}

/// The MPI side of `kernel`, which is one of [`Kernel::ALL`]: no word of a command line stands for another.
pub(crate) const fn family(kernel: Kernel) -> &'static Family {
    match kernel {
        Kernel::Latency => &latency::LATENCY,
        Kernel::Bandwidth | Kernel::Mbw => &window::BANDWIDTH,
        Kernel::Bibw => &window::BIBW,
        Kernel::Barrier => &barrier::BARRIER,
        Kernel::Bcast => &bcast::BCAST,
        Kernel::Allreduce => &allreduce::ALLREDUCE,
        Kernel::AllreduceInPlace => &allreduce::IN_PLACE,
        Kernel::Alltoall => &alltoall::ALLTOALL,
        Kernel::Program => unreachable!(),
    }
}

/// The rank that this one exchanges messages with: n/2 away.
pub(crate) fn peer(comm: &Comm) -> Rank {
    (comm.rank + comm.size / 2) % comm.size
}

/// Whether this rank is the one of its pair that begins.
fn begins(comm: &Comm) -> bool {
    comm.rank < comm.size / 2
}
