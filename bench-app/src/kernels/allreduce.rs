//! `MPI_Allreduce` of f64 sums, K times, the same on every rank.

use super::Repeat;
use crate::mpi_ffi::{MpiError, Sum};

impl Repeat for Sum<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.allreduce()?;
        }
        Ok(())
    }
}
