//! `MPI_Bcast` from rank 0, K times.

use bench_app::pages::{Lane, LaneMut};

use super::{Family, Repeat, Room};
use crate::{
    buffers::Buffers,
    check::difference,
    mpi_ffi::{Bcast, Comm, MpiError},
};

pub(super) const BCAST: Family = Family { room: |_, len| Room::pair(len), part, check };

fn part<'a>(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a> {
    let (from, into) = buffers.lanes(Room::pair(len));
    Box::new(if comm.rank == 0 { comm.bcast_from(from) } else { comm.bcast_into(into) })
}

fn check(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    let Buffers { incoming, pattern, .. } = buffers;
    let sent = pattern.message(0, 0, len);
    if comm.rank == 0 {
        return comm.bcast_from(Lane::of(sent)).bcast().map(|()| None);
    }
    incoming.fill(len, [0; 8]);
    comm.bcast_into(LaneMut::of(incoming.head_mut(len))).bcast()?;
    Ok(difference(incoming.head(len), sent))
}

impl Repeat for Bcast<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.bcast()?;
        }
        Ok(())
    }
}
