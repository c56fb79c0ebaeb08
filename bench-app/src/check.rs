//! What the check passes of the kernels share. Every byte a cell transfers is checked before its first visit.
//!
//! It comes cell by cell and not before all measuring: where one size hangs, the sizes below it keep their figures.

use bench_app::{
    pages::{Lane, LaneMut},
    payload::first_difference,
};

use crate::{
    buffers::Buffers,
    kernels::peer,
    mpi_ffi::{Comm, MpiError},
};

/// Sends message `index` of this rank to its peer.
pub(crate) fn send(comm: &Comm, buffers: &Buffers, index: usize, len: usize) -> Result<(), MpiError> {
    let message = buffers.pattern.message(comm.rank as usize, index, len);
    comm.outgoing(Lane::of(message), peer(comm)).send()
}

/// Receives message `index` of this rank's peer and compares.
pub(crate) fn receive(comm: &Comm, buffers: &mut Buffers, index: usize, len: usize) -> Result<Option<u64>, MpiError> {
    let Buffers { incoming, pattern, .. } = buffers;
    incoming.fill(len, [0; 8]);
    comm.incoming(LaneMut::of(incoming.head_mut(len)), peer(comm)).receive()?;
    Ok(difference(incoming.head(len), pattern.message(peer(comm) as usize, index, len)))
}

/// Compares at the speed of memory, and looks for the place only where there is one.
pub(crate) fn difference(got: &[u8], sent: &[u8]) -> Option<u64> {
    if got == sent { None } else { first_difference(got, sent.iter().copied()) }
}
