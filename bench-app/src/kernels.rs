//! The hot loops, one file a kernel. Between two timestamps runs one [`Repeat::repeat`] and nothing else: MPI calls,
//! no allocation, no branch on the kind of work (each visit is compiled for its loop).

pub(crate) mod allreduce;
pub(crate) mod bandwidth;
pub(crate) mod latency;

use crate::mpi_ffi::MpiError;

/// One rank's part in a batch.
pub(crate) trait Repeat {
    /// Does it `k` times.
    fn repeat(&mut self, k: u32) -> Result<(), MpiError>;
}
