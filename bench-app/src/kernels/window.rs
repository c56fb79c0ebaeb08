//! Windows of messages, one way with an empty reply or both ways at once, K times.

use bench_app::{
    kernel::WINDOW,
    pages::{Lane, LaneMut, Slots},
};

use super::{Family, Repeat, Room, begins, peer};
use crate::{
    buffers::Buffers,
    check::{difference, receive, send},
    mpi_ffi::{Comm, Exchange, Incoming, IncomingWindow, MpiError, Outgoing, OutgoingWindow, Rank},
};

pub(super) const BANDWIDTH: Family = Family { room: one_way_room, part: one_way, check: one_way_check };
pub(super) const BIBW: Family = Family { room: |_, len| window_room(len), part: both_ways, check: both_ways_check };

fn window_room(len: usize) -> Room {
    Room { outgoing: Slots::new(len, 1), incoming: Slots::new(len, WINDOW) }
}

fn one_way_room(comm: &Comm, len: usize) -> Room {
    if begins(comm) { Room::pair(len) } else { window_room(len) }
}

fn one_way<'a>(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a> {
    let (from, into) = buffers.lanes(one_way_room(comm, len));
    let peer = peer(comm);
    if begins(comm) {
        Box::new(Source { window: comm.outgoing_window(from, peer), reply: comm.incoming(LaneMut::of(&mut []), peer) })
    } else {
        Box::new(Sink { window: comm.incoming_window(into, peer), reply: comm.outgoing(Lane::of(&[]), peer) })
    }
}

fn both_ways<'a>(comm: &Comm, buffers: &'a mut Buffers, len: usize) -> Box<dyn Repeat + 'a> {
    let (from, into) = buffers.lanes(window_room(len));
    Box::new(Both { windows: comm.exchange(from, into, peer(comm)), peer: peer(comm), comm: *comm })
}

/// One window with distinct messages; instead of the empty reply a full one, so that both ranks see bytes.
fn one_way_check(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    if begins(comm) {
        let messages = buffers.pattern.window(comm.rank as usize, len);
        comm.outgoing_window(messages, peer(comm)).send();
        return receive(comm, buffers, 0, len);
    }
    let slots = Slots::new(len, WINDOW);
    buffers.incoming.fill(slots.bytes(), [0; 8]);
    comm.incoming_window(buffers.incoming.lane_mut(slots), peer(comm)).receive();
    let wrong = compare(buffers, slots, peer(comm));
    send(comm, buffers, 0, len)?;
    Ok(wrong)
}

fn both_ways_check(comm: &Comm, buffers: &mut Buffers, len: usize) -> Result<Option<u64>, MpiError> {
    let slots = Slots::new(len, WINDOW);
    buffers.incoming.fill(slots.bytes(), [0; 8]);
    let Buffers { incoming, pattern, .. } = buffers;
    comm.exchange(pattern.window(comm.rank as usize, len), incoming.lane_mut(slots), peer(comm)).exchange();
    Ok(compare(buffers, slots, peer(comm)))
}

fn compare(buffers: &mut Buffers, slots: Slots, sender: Rank) -> Option<u64> {
    let Buffers { incoming, pattern, .. } = buffers;
    let sent = |index| pattern.message(sender as usize, index, slots.len);
    incoming.lane_mut(slots).messages().enumerate().find_map(|(index, got)| difference(got, sent(index)))
}

/// Sends windows.
struct Source<'a> {
    window: OutgoingWindow<'a>,
    reply: Incoming<'a>,
}

impl Repeat for Source<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.window.send();
            self.reply.receive()?;
        }
        Ok(())
    }
}

/// Receives them.
struct Sink<'a> {
    window: IncomingWindow<'a>,
    reply: Outgoing<'a>,
}

impl Repeat for Sink<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.window.receive();
            self.reply.send()?;
        }
        Ok(())
    }
}

/// Sends and receives them at once. The empty messages prove that the peer has what was sent: a small message counts as
/// sent as soon as it is copied.
struct Both<'a> {
    windows: Exchange<'a>,
    peer: Rank,
    comm: Comm,
}

impl Repeat for Both<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        for _ in 0..k {
            self.windows.exchange();
            self.comm.nudge(self.peer, self.peer)?;
        }
        Ok(())
    }
}
