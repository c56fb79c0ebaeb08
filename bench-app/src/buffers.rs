//! The memory of a rank: allocated and touched once, only as much as its part in the workload needs.

use bench_app::{
    Workload,
    pages::{Lane, LaneMut, Pages},
    payload::Pattern,
    system::last_level_cache,
    workload::BufferKind,
};

use crate::{
    census::Place,
    kernels::{Room, family},
    team::Crew,
};

/// What is sent: bytes that are also f64 whose sums stay ordinary numbers.
const SENT: [u8; 8] = 1.0_f64.to_ne_bytes();
/// What is received into: the f64 that addition leaves alone, and whose bits are not all zero.
pub(crate) const NEUTRAL: [u8; 8] = (-0.0_f64).to_ne_bytes();

/// A last-level cache that is not known is taken to be as large as any.
const UNKNOWN_CACHE: u64 = 512 << 20;

/// Everything a rank sends from and receives into.
pub(crate) struct Buffers {
    /// Messages that go out. Never written to.
    outgoing: Pages,
    /// Messages that come in.
    pub(crate) incoming: Pages,
    /// What the check pass sends and expects.
    pub(crate) pattern: Pattern,
    /// Bytes that the places of each lane take at least: 0 for hot buffers.
    set: usize,
}

impl Buffers {
    /// The buffers of this rank for `workload`, on a node that it shares with others.
    pub(crate) fn new(workload: &Workload, crew: &Crew, place: Place) -> Buffers {
        let set = match workload.buffers {
            BufferKind::Hot => 0,
            BufferKind::Rotating => set(place.neighbours),
        };
        let rooms = || {
            workload.cells.iter().filter_map(|cell| {
                let team = crew.team(cell.kernel)?;
                Some((family(cell.kernel).room)(&team.data, cell.bytes.0 as usize))
            })
        };
        let largest = |bytes: &dyn Fn(Room) -> usize| rooms().map(bytes).max().unwrap_or(0);
        let message = largest(&|room| room.outgoing.len.max(room.incoming.len));
        Buffers {
            outgoing: Pages::new(largest(&|room| room.outgoing.over(set).bytes()), SENT),
            incoming: Pages::new(largest(&|room| room.incoming.over(set).bytes()), NEUTRAL),
            pattern: Pattern::new(message),
            set,
        }
    }

    /// Bytes that messages rotate through, sent and received; none for hot buffers.
    pub(crate) fn rotating(&self) -> Option<u64> {
        (self.set > 0).then_some(2 * self.set as u64)
    }

    /// Where messages go out from and come in to.
    pub(crate) fn lanes(&mut self, room: Room) -> (Lane<'_>, LaneMut<'_>) {
        (self.outgoing.lane(room.outgoing.over(self.set)), self.incoming.lane_mut(room.incoming.over(self.set)))
    }
}

/// Bytes of a rotating lane: those of all ranks of a node together are twice as large as its last-level cache.
fn set(ranks: u32) -> usize {
    let cache = last_level_cache().unwrap_or(UNKNOWN_CACHE);
    cache.div_ceil(ranks.max(1).into()) as usize
}
