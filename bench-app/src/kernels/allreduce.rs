//! `MPI_Allreduce` of f64 sums, from one buffer into another or in place, K times.

use bench_app::{
    pages::{Lane, LaneMut, Pages, Slots},
    payload::{first_difference, term, total},
};

use super::{Family, Repeat, Room};
use crate::{
    buffers::{Buffers, NEUTRAL},
    mpi_ffi::{Comm, MpiError, Sum},
};

pub(super) const ALLREDUCE: Family = Family { room: |_, len| Room::pair(len), part, check };
pub(super) const IN_PLACE: Family = Family { room: in_place_room, part: in_place, check: in_place_check };

fn in_place_room(_: &Comm, len: usize) -> Room {
    Room { outgoing: Slots::new(0, 1), incoming: Slots::new(len, 1) }
}

fn part<'a>(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a> {
    let (from, into) = buffers.lanes(Room::pair(len));
    Box::new(comm.sum(Some(from), into))
}

/// The sums are the next call's terms, so they begin as what addition leaves alone: they would soon be infinite.
fn in_place<'a>(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a> {
    let (_, into) = buffers.lanes(in_place_room(comm, len));
    into.memory.as_chunks_mut().0.fill(NEUTRAL);
    Box::new(comm.sum(None, into))
}

fn check(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    let terms = terms(comm, len);
    let sums = &mut buffers.incoming;
    sums.fill(len, [0; 8]);
    comm.sum(Some(Lane::of(terms.head(len))), LaneMut::of(sums.head_mut(len))).allreduce()?;
    Ok(wrong(comm, sums.head(len)))
}

fn in_place_check(comm: &Comm, _: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    let mut sums = terms(comm, len);
    comm.sum(None, LaneMut::of(sums.head_mut(len))).allreduce()?;
    Ok(wrong(comm, sums.head(len)))
}

fn terms(comm: &Comm, len: usize) -> Pages {
    let mut terms = Pages::new(len, NEUTRAL);
    for (at, word) in terms.head_mut(len).as_chunks_mut().0.iter_mut().enumerate() {
        *word = term(comm.rank.unsigned_abs(), at).to_ne_bytes();
    }
    terms
}

fn wrong(comm: &Comm, sums: &[u8]) -> Option<u64> {
    let expected = (0..).map(|at| total(comm.size.unsigned_abs(), at).to_ne_bytes());
    first_difference(sums.as_chunks().0, expected)
}

impl Repeat for Sum<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.allreduce()?;
        }
        Ok(())
    }
}
