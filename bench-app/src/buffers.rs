//! The memory of a rank: allocated and touched once, only as much as its part in the workload needs.

use bench_app::{
    Workload,
    pages::{Lane, LaneMut, Pages},
    payload::Pattern,
};

use crate::{
    kernels::{Room, family},
    team::Crew,
};

/// What is sent: bytes that are also f64 whose sums stay ordinary numbers.
const SENT: [u8; 8] = 1.0_f64.to_ne_bytes();
/// What is received into: the f64 that addition leaves alone, and whose bits are not all zero.
pub(crate) const NEUTRAL: [u8; 8] = (-0.0_f64).to_ne_bytes();

/// Everything a rank sends from and receives into.
pub(crate) struct Buffers {
    /// Messages that go out. Never written to.
    outgoing: Pages,
    /// Messages that come in.
    pub(crate) incoming: Pages,
    /// What the check pass sends and expects.
    pub(crate) pattern: Pattern,
}

impl Buffers {
    /// The buffers of this rank for `workload`.
    pub(crate) fn new(workload: &Workload, crew: &Crew) -> Buffers {
        let rooms = || {
            workload.cells.iter().filter_map(|cell| {
                let team = crew.team(cell.kernel)?;
                Some((family(cell.kernel).room)(&team.data, cell.bytes.0 as usize))
            })
        };
        let largest = |bytes: fn(Room) -> usize| rooms().map(bytes).max().unwrap_or(0);
        let message = largest(|room| room.outgoing.len.max(room.incoming.len));
        Buffers {
            outgoing: Pages::new(largest(|room| room.outgoing.bytes()), SENT),
            incoming: Pages::new(largest(|room| room.incoming.bytes()), NEUTRAL),
            pattern: Pattern::new(message),
        }
    }

    /// Where messages go out from and come in to.
    pub(crate) fn lanes(&mut self, room: Room) -> (Lane<'_>, LaneMut<'_>) {
        (self.outgoing.lane(room.outgoing), self.incoming.lane_mut(room.incoming))
    }
}
