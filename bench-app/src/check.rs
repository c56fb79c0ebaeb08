//! The check pass of a cell: every byte it transfers, in each direction it uses, before its first visit.
//!
//! It comes cell by cell and not before all measuring: where one size hangs, the sizes below it keep their figures.

use bench_app::{
    Cell, Kernel,
    kernel::WINDOW,
    payload::{first_difference, term, total},
};

use crate::{
    buffers::Buffers,
    mpi_ffi::{Comm, MpiError},
};

/// Ping-pongs that are checked.
const EXCHANGES: usize = 2;

/// Transfers what a visit of `cell` would and returns where this rank first saw a difference, if it did. Wrong data end
/// nothing here: the other ranks still get every message they wait for.
pub(crate) fn check(cell: &Cell, comm: &Comm, buffers: &mut Buffers) -> Result<Option<u64>, MpiError> {
    let len = cell.bytes.0 as usize;
    match cell.kernel {
        Kernel::Latency => ping_pong(comm, buffers, len),
        Kernel::Bandwidth => window(comm, buffers, len),
        Kernel::Allreduce => sum(comm, buffers, len / size_of::<f64>()),
    }
}

fn ping_pong(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    let mut wrong = None;
    for index in 0..EXCHANGES {
        if comm.rank == 0 {
            send(comm, buffers, index, len)?;
            wrong = wrong.or(receive(comm, buffers, index, len)?);
        } else {
            wrong = wrong.or(receive(comm, buffers, index, len)?);
            send(comm, buffers, index, len)?;
        }
    }
    Ok(wrong)
}

/// One window from rank 0 with distinct messages; instead of the empty reply a full one, so that both ranks see bytes.
fn window(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    if comm.rank == 0 {
        let messages = std::array::from_fn(|index| buffers.pattern.message(0, index, len));
        comm.outgoing_window(messages, 1).send();
        return receive(comm, buffers, 0, len);
    }
    buffers.incoming.messages_mut(WINDOW, len).for_each(|message| message.fill(0));
    comm.incoming_window(buffers.incoming.messages_mut(WINDOW, len), 0).receive();
    let Buffers { incoming, pattern, .. } = buffers;
    let differs = |(index, got): (usize, &mut [u8])| difference(got, pattern.message(0, index, len));
    let wrong = incoming.messages_mut(WINDOW, len).enumerate().find_map(differs);
    send(comm, buffers, 0, len)?;
    Ok(wrong)
}

fn sum(comm: &Comm, buffers: &mut Buffers, count: usize) -> Result<Option<u64>, MpiError> {
    let (rank, ranks) = (comm.rank.unsigned_abs(), comm.size.unsigned_abs());
    let Buffers { terms, sums, .. } = buffers;
    terms.head_mut(count).iter_mut().enumerate().for_each(|(at, value)| *value = term(rank, at));
    sums.head_mut(count).fill(0.0);
    comm.sum(terms.head(count), sums.head_mut(count)).allreduce()?;
    Ok(first_difference(sums.head(count), (0..count).map(|at| total(ranks, at))))
}

fn send(comm: &Comm, buffers: &Buffers, index: usize, len: usize) -> Result<(), MpiError> {
    let message = buffers.pattern.message(comm.rank as usize, index, len);
    comm.outgoing(message, 1 - comm.rank).send()
}

fn receive(comm: &Comm, buffers: &mut Buffers, index: usize, len: usize) -> Result<Option<u64>, MpiError> {
    let Buffers { incoming, pattern, .. } = buffers;
    let peer = 1 - comm.rank;
    incoming.head_mut(len).fill(0);
    comm.incoming(incoming.head_mut(len), peer).receive()?;
    Ok(difference(incoming.head(len), pattern.message(peer as usize, index, len)))
}

/// Compares at the speed of memory, and looks for the place only where there is one.
fn difference(got: &[u8], sent: &[u8]) -> Option<u64> {
    if got == sent { None } else { first_difference(got, sent.iter().copied()) }
}
