//! `MPI_Alltoall`, K times.

use bench_app::pages::{Lane, LaneMut, Pages};

use super::{Family, Repeat, Room};
use crate::{
    buffers::{Buffers, NEUTRAL},
    check::difference,
    mpi_ffi::{Alltoall, Comm, MpiError},
};

pub(super) const ALLTOALL: Family = Family { room, part, check };

fn room(comm: &Comm, len: usize) -> Room {
    Room::pair(len * comm.size as usize)
}

fn part<'a>(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a> {
    let (from, into) = buffers.lanes(room(comm, len));
    Box::new(comm.alltoall(from, into, len))
}

/// The message to each rank differs, and so does each rank's.
fn check(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    let (whole, here) = (len * comm.size as usize, comm.rank as usize);
    let Buffers { incoming, pattern, .. } = buffers;
    let mut sent = Pages::new(whole, NEUTRAL);
    for (to, message) in sent.head_mut(whole).chunks_exact_mut(len).enumerate() {
        message.copy_from_slice(pattern.message(here, to, len));
    }
    incoming.fill(whole, [0; 8]);
    comm.alltoall(Lane::of(sent.head(whole)), LaneMut::of(incoming.head_mut(whole)), len).alltoall()?;
    let mut received = incoming.head(whole).chunks_exact(len).enumerate();
    let wrong =
        received.find_map(|(from, got)| Some((from * len) as u64 + difference(got, pattern.message(from, here, len))?));
    Ok(wrong)
}

impl Repeat for Alltoall<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.alltoall()?;
        }
        Ok(())
    }
}
