//! Ping-pong: one message there, one back, K times.

use super::{Family, Repeat, Room, begins, peer};
use crate::{
    buffers::Buffers,
    check::{receive, send},
    mpi_ffi::{Comm, Incoming, MpiError, Outgoing},
};

pub(super) const LATENCY: Family = Family { room: |_, len| Room::pair(len), part, check };

/// Ping-pongs that are checked.
const EXCHANGES: usize = 2;

fn part<'a>(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a> {
    let (from, into) = buffers.lanes(Room::pair(len));
    let (outgoing, incoming) = (comm.outgoing(from, peer(comm)), comm.incoming(into, peer(comm)));
    if begins(comm) { Box::new(Ping { outgoing, incoming }) } else { Box::new(Pong { incoming, outgoing }) }
}

fn check(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    let mut wrong = None;
    for index in 0..EXCHANGES {
        if begins(comm) {
            send(comm, buffers, index, len)?;
            wrong = wrong.or(receive(comm, buffers, index, len)?);
        } else {
            wrong = wrong.or(receive(comm, buffers, index, len)?);
            send(comm, buffers, index, len)?;
        }
    }
    Ok(wrong)
}

/// Rank 0: sends first.
struct Ping<'a> {
    outgoing: Outgoing<'a>,
    incoming: Incoming<'a>,
}

impl Repeat for Ping<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.outgoing.send()?;
            self.incoming.receive()?;
        }
        Ok(())
    }
}

/// Rank 1: answers.
struct Pong<'a> {
    incoming: Incoming<'a>,
    outgoing: Outgoing<'a>,
}

impl Repeat for Pong<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.incoming.receive()?;
            self.outgoing.send()?;
        }
        Ok(())
    }
}
