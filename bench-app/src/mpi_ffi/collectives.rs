//! Collective calls, prepared once and made again and again.

use std::ffi::{c_int, c_void};

use bench_app::pages::{Lane, LaneMut};
use mpi::ffi;

use super::{Comm, INT_HANDLES, MpiError, error::check, messages::Ring};

/// `MPI_IN_PLACE`, which is a cast macro and therefore not in the bindings. MPICH's handles are ints and its value is
/// `(void *)-1`; where handles are pointers (Open MPI, the ABI of MPI 5) it is `(void *)1`. The check pass proves it.
const IN_PLACE: usize = if INT_HANDLES { usize::MAX } else { 1 };

/// A sum of f64 over all ranks that can be made again and again.
pub(crate) struct Sum<'a> {
    /// None: the terms are where the sums go.
    terms: Option<Ring<'a>>,
    sums: Ring<'a>,
    count: c_int,
    datatype: ffi::MPI_Datatype,
    operation: ffi::MPI_Op,
    comm: ffi::MPI_Comm,
}

impl Sum<'_> {
    /// `MPI_Allreduce`.
    #[inline(always)]
    pub(crate) fn allreduce(&mut self) -> Result<(), MpiError> {
        let terms: *const c_void = match &mut self.terms {
            Some(terms) => terms.next(),
            None => std::ptr::without_provenance(IN_PLACE),
        };
        let (count, datatype, operation, comm) = (self.count, self.datatype, self.operation, self.comm);
        // SAFETY: both are places for `count` f64 borrowed, the sums mutably, for as long as `self` lives.
        check("MPI_Allreduce", unsafe { ffi::MPI_Allreduce(terms, self.sums.next(), count, datatype, operation, comm) })
    }
}

/// A message from rank 0 to all that can be sent again and again.
pub(crate) struct Bcast<'a> {
    place: Ring<'a>,
    count: c_int,
    datatype: ffi::MPI_Datatype,
    comm: ffi::MPI_Comm,
}

impl Bcast<'_> {
    /// `MPI_Bcast`.
    #[inline(always)]
    pub(crate) fn bcast(&mut self) -> Result<(), MpiError> {
        let (count, datatype, comm) = (self.count, self.datatype, self.comm);
        // SAFETY: the place holds `count` bytes, borrowed mutably on every rank that MPI writes on.
        check("MPI_Bcast", unsafe { ffi::MPI_Bcast(self.place.next(), count, datatype, 0, comm) })
    }
}

/// A message from every rank to every rank that can be sent again and again.
pub(crate) struct Alltoall<'a> {
    from: Ring<'a>,
    into: Ring<'a>,
    count: c_int,
    datatype: ffi::MPI_Datatype,
    comm: ffi::MPI_Comm,
}

impl Alltoall<'_> {
    /// `MPI_Alltoall`.
    #[inline(always)]
    pub(crate) fn alltoall(&mut self) -> Result<(), MpiError> {
        let (count, byte, comm) = (self.count, self.datatype, self.comm);
        let (from, into) = (self.from.next(), self.into.next());
        // SAFETY: both are places for `count` bytes of each rank borrowed, the second mutably, while `self` lives.
        check("MPI_Alltoall", unsafe { ffi::MPI_Alltoall(from, count, byte, into, count, byte, comm) })
    }
}

impl Comm {
    /// `terms` of this rank (none: they lie where the sums go) and room for the sums over all ranks, both whole f64.
    pub(crate) fn sum<'a>(&self, terms: Option<Lane<'a>>, sums: LaneMut<'a>) -> Sum<'a> {
        let len = terms.map_or(sums.slots.len, |terms| terms.slots.len.min(sums.slots.len));
        let aligned = |memory: &[u8]| memory.as_ptr().cast::<f64>().is_aligned();
        assert!(aligned(sums.memory) && terms.is_none_or(|terms| aligned(terms.memory)), "f64 lie on their boundaries");
        // SAFETY: reads constants that the bindings initialise at load time.
        let (datatype, operation) = unsafe { (ffi::RSMPI_DOUBLE, ffi::RSMPI_SUM) };
        let count = (len / size_of::<f64>()) as c_int;
        let (terms, sums) = (terms.map(Ring::reading), Ring::writing(sums));
        Sum { terms, sums, count, datatype, operation, comm: self.raw }
    }

    /// Rank 0's side of a broadcast.
    pub(crate) fn bcast_from<'a>(&self, lane: Lane<'a>) -> Bcast<'a> {
        assert_eq!(self.rank, 0, "only rank 0's buffer stays as it is");
        self.bcast(lane.slots.len, Ring::reading(lane))
    }

    /// The other ranks' side of a broadcast.
    pub(crate) fn bcast_into<'a>(&self, lane: LaneMut<'a>) -> Bcast<'a> {
        self.bcast(lane.slots.len, Ring::writing(lane))
    }

    fn bcast<'a>(&self, len: usize, place: Ring<'a>) -> Bcast<'a> {
        // SAFETY: reads a constant that the bindings initialise at load time.
        let datatype = unsafe { ffi::RSMPI_UINT8_T };
        Bcast { place, count: len as c_int, datatype, comm: self.raw }
    }

    /// `from` and `into` hold one message of `len` bytes for each rank, side by side in each place.
    pub(crate) fn alltoall<'a>(&self, from: Lane<'a>, into: LaneMut<'a>, len: usize) -> Alltoall<'a> {
        let whole = len * self.size as usize;
        assert!(from.slots.len >= whole && into.slots.len >= whole, "a message for each of {} ranks", self.size);
        // SAFETY: reads a constant that the bindings initialise at load time.
        let datatype = unsafe { ffi::RSMPI_UINT8_T };
        let (from, into) = (Ring::reading(from), Ring::writing(into));
        Alltoall { from, into, count: len as c_int, datatype, comm: self.raw }
    }
}
