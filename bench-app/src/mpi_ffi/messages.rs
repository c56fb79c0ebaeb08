//! Messages between two ranks, prepared once and transferred again and again.

use std::{
    ffi::{c_int, c_void},
    marker::PhantomData,
};

use bench_app::{
    kernel::WINDOW,
    pages::{Lane, LaneMut, Slots},
};
use mpi::ffi;

use super::{
    Comm, MpiError, Rank, TAG,
    error::{check, settle},
};

/// All of a message but its memory.
struct Endpoint {
    count: c_int,
    datatype: ffi::MPI_Datatype,
    peer: Rank,
    comm: ffi::MPI_Comm,
    ignore: *mut ffi::MPI_Status,
    ignore_all: *mut ffi::MPI_Status,
}

impl Endpoint {
    fn new(comm: &Comm, peer: Rank, bytes: usize) -> Endpoint {
        // Sizes above a C int are refused when the arguments are read; a shorter message would still be sound.
        let count = c_int::try_from(bytes).unwrap_or(c_int::MAX);
        // SAFETY: reads constants that the bindings initialise at load time.
        let (datatype, ignore, ignore_all) =
            unsafe { (ffi::RSMPI_UINT8_T, ffi::RSMPI_STATUS_IGNORE, ffi::RSMPI_STATUSES_IGNORE) };
        Endpoint { count, datatype, peer, comm: comm.raw, ignore, ignore_all }
    }
}

/// The places of a lane as pointers, one after the other and round again: one place is a hot buffer, many are a rotating
/// set. Both run the same instructions.
pub(super) struct Ring<'a> {
    first: *mut u8,
    end: *mut u8,
    next: *mut u8,
    stride: usize,
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> Ring<'a> {
    fn new(first: *mut u8, len: usize, slots: Slots) -> Ring<'a> {
        let Slots { len: message, stride, count } = slots;
        assert!(count > 0 && (count - 1) * stride + message <= len, "all of {slots:?} lie in {len} bytes");
        Ring { first, end: first.wrapping_add(slots.bytes()), next: first, stride, memory: PhantomData }
    }

    /// Places that MPI only reads from.
    pub(super) fn reading(lane: Lane<'a>) -> Ring<'a> {
        Ring::new(lane.memory.as_ptr().cast_mut(), lane.memory.len(), lane.slots)
    }

    /// Places that MPI writes to.
    pub(super) fn writing(lane: LaneMut<'a>) -> Ring<'a> {
        Ring::new(lane.memory.as_mut_ptr(), lane.memory.len(), lane.slots)
    }

    /// The next place: `slots.len` bytes that are borrowed as long as the ring lives.
    #[inline(always)]
    pub(super) fn next(&mut self) -> *mut c_void {
        let at = self.next;
        let next = at.wrapping_add(self.stride);
        self.next = if next == self.end { self.first } else { next };
        at.cast()
    }
}

/// A message that can be sent again and again.
pub(crate) struct Outgoing<'a> {
    to: Endpoint,
    from: Ring<'a>,
}

impl Outgoing<'_> {
    /// `MPI_Send`. The next place is found while the message is under way: an answer waits for nothing but its send.
    #[inline(always)]
    pub(crate) fn send(&mut self) -> Result<(), MpiError> {
        let Endpoint { count, datatype, peer, comm, .. } = self.to;
        // SAFETY: the place holds `count` bytes borrowed for as long as `self` lives.
        let code = unsafe { ffi::MPI_Send(self.from.next.cast(), count, datatype, peer, TAG, comm) };
        self.from.next();
        check("MPI_Send", code)
    }
}

/// A place that can be received into again and again.
pub(crate) struct Incoming<'a> {
    from: Endpoint,
    into: Ring<'a>,
}

impl Incoming<'_> {
    /// `MPI_Recv`.
    #[inline(always)]
    pub(crate) fn receive(&mut self) -> Result<(), MpiError> {
        let Endpoint { count, datatype, peer, comm, ignore, .. } = self.from;
        // SAFETY: the place holds `count` bytes borrowed mutably for as long as `self` lives.
        check("MPI_Recv", unsafe { ffi::MPI_Recv(self.into.next(), count, datatype, peer, TAG, comm, ignore) })
    }
}

/// Requests of a window: null, or owned by MPI within one call of the window's methods.
struct Requests([ffi::MPI_Request; WINDOW]);

impl Requests {
    fn new() -> Requests {
        // SAFETY: reads a constant that the bindings initialise at load time.
        Requests([unsafe { ffi::RSMPI_REQUEST_NULL }; WINDOW])
    }

    #[inline(always)]
    fn wait(&mut self, endpoint: &Endpoint) {
        // SAFETY: all requests are null or posted by the calling window, whose memory outlives this call.
        let code = unsafe { ffi::MPI_Waitall(WINDOW as c_int, self.0.as_mut_ptr(), endpoint.ignore_all) };
        settle("MPI_Waitall", code);
    }
}

/// A window of messages to one peer.
pub(crate) struct OutgoingWindow<'a> {
    to: Endpoint,
    from: Ring<'a>,
    requests: Requests,
}

impl OutgoingWindow<'_> {
    #[inline(always)]
    fn post(&mut self) {
        let Endpoint { count, datatype, peer, comm, .. } = self.to;
        for request in &mut self.requests.0 {
            // SAFETY: `count` bytes are borrowed while `self` lives, and who posts also waits before returning.
            settle("MPI_Isend", unsafe { ffi::MPI_Isend(self.from.next(), count, datatype, peer, TAG, comm, request) });
        }
    }

    /// `MPI_Isend` for each message, then `MPI_Waitall`.
    #[inline(always)]
    pub(crate) fn send(&mut self) {
        self.post();
        self.requests.wait(&self.to);
    }
}

/// A window of buffers for messages from one peer.
pub(crate) struct IncomingWindow<'a> {
    from: Endpoint,
    into: Ring<'a>,
    requests: Requests,
}

impl IncomingWindow<'_> {
    #[inline(always)]
    fn post(&mut self) {
        let Endpoint { count, datatype, peer, comm, .. } = self.from;
        for request in &mut self.requests.0 {
            // SAFETY: as in `OutgoingWindow::post`; the places of one window are distinct, there are enough of them.
            settle("MPI_Irecv", unsafe { ffi::MPI_Irecv(self.into.next(), count, datatype, peer, TAG, comm, request) });
        }
    }

    /// `MPI_Irecv` for each buffer, then `MPI_Waitall`.
    #[inline(always)]
    pub(crate) fn receive(&mut self) {
        self.post();
        self.requests.wait(&self.from);
    }
}

/// A window in each direction.
pub(crate) struct Exchange<'a> {
    outgoing: OutgoingWindow<'a>,
    incoming: IncomingWindow<'a>,
}

impl Exchange<'_> {
    /// Posts both windows, the incoming one first, then waits for both.
    #[inline(always)]
    pub(crate) fn exchange(&mut self) {
        self.incoming.post();
        self.outgoing.post();
        self.incoming.requests.wait(&self.incoming.from);
        self.outgoing.requests.wait(&self.outgoing.to);
    }
}

impl Comm {
    /// The messages of `lane`, made ready to be sent to `peer`.
    pub(crate) fn outgoing<'a>(&self, lane: Lane<'a>, peer: Rank) -> Outgoing<'a> {
        Outgoing { to: Endpoint::new(self, peer, lane.slots.len), from: Ring::reading(lane) }
    }

    /// The places of `lane`, made ready to receive from `peer`.
    pub(crate) fn incoming<'a>(&self, lane: LaneMut<'a>, peer: Rank) -> Incoming<'a> {
        Incoming { from: Endpoint::new(self, peer, lane.slots.len), into: Ring::writing(lane) }
    }

    /// Windows of messages from `lane` to `peer`. One place may be sent several times in one window.
    pub(crate) fn outgoing_window<'a>(&self, lane: Lane<'a>, peer: Rank) -> OutgoingWindow<'a> {
        let to = Endpoint::new(self, peer, lane.slots.len);
        OutgoingWindow { to, from: Ring::reading(lane), requests: Requests::new() }
    }

    /// Windows of messages from `peer` into `lane`, which has a place for each message of a window: receives into one
    /// place would let the library overlap what no program can.
    pub(crate) fn incoming_window<'a>(&self, lane: LaneMut<'a>, peer: Rank) -> IncomingWindow<'a> {
        let Slots { len, stride, count } = lane.slots;
        assert!(count >= WINDOW && stride >= len, "a window has a buffer for each of its messages");
        let from = Endpoint::new(self, peer, lane.slots.len);
        IncomingWindow { from, into: Ring::writing(lane), requests: Requests::new() }
    }

    /// Windows both ways between this rank and `peer`.
    pub(crate) fn exchange<'a>(&self, outgoing: Lane<'a>, incoming: LaneMut<'a>, peer: Rank) -> Exchange<'a> {
        Exchange { outgoing: self.outgoing_window(outgoing, peer), incoming: self.incoming_window(incoming, peer) }
    }
}
