//! One place to send from and one to receive into, as bench-app's hot buffers are.

use bench_app::{
    pages::{Lane, LaneMut, Pages},
    payload::Pattern,
};

use crate::kernels::Room;

/// As in bench-app: the f64 that addition leaves alone.
pub(crate) const NEUTRAL: [u8; 8] = (-0.0_f64).to_ne_bytes();

/// What both loops send from and receive into.
pub(crate) struct Buffers {
    outgoing: Pages,
    pub(crate) incoming: Pages,
    pub(crate) pattern: Pattern,
}

impl Buffers {
    /// For messages of up to `len` bytes, made of `sent` again and again.
    pub(crate) fn new(len: usize, sent: [u8; 8]) -> Buffers {
        Buffers { outgoing: Pages::new(len, sent), incoming: Pages::new(len, NEUTRAL), pattern: Pattern::new(len) }
    }

    /// Where messages go out from and come in to.
    pub(crate) fn lanes(&mut self, room: Room) -> (Lane<'_>, LaneMut<'_>) {
        (self.outgoing.lane(room.outgoing), self.incoming.lane_mut(room.incoming))
    }
}
