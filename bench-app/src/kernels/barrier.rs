//! `MPI_Barrier`, K times.

use super::{Family, Repeat, Room};
use crate::mpi_ffi::{Comm, MpiError};

pub(super) const BARRIER: Family = Family {
    room: |_, _| Room::pair(0),
    part: |comm, _, _| Box::new(Barrier(*comm)),
    check: |comm, _, _| comm.barrier().map(|()| None),
};

struct Barrier(Comm);

impl Repeat for Barrier {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.0.barrier()?;
        }
        Ok(())
    }
}
