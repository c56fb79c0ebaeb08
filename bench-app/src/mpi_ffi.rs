//! The one room of bench-app that calls C. Everything it hands out is safe and typed.
//!
//! rsmpi's own sends and receives discard return codes and look up the communicator's size for each message, so hot loops
//! go through its raw bindings instead: pointer, count, datatype, communicator and peer are put together once, and each
//! message is then nothing but the C call and a look at its return code.
#![expect(unsafe_code, reason = "MPI is a C library; every unsafe block of bench-app is in this file")]

use std::{
    ffi::{c_int, c_void},
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr,
};

use bench_app::kernel::WINDOW;
use mpi::{environment::Universe, ffi, traits::AsRaw};

/// A rank or a number of ranks, as MPI counts them.
pub(crate) type Rank = c_int;

/// An MPI call that did not succeed. Boxed, so that the result of a call stays one register in the hot loops.
#[derive(Debug)]
pub(crate) struct MpiError(Box<(&'static str, String)>);

impl fmt::Display for MpiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, words) = &*self.0;
        write!(f, "{call}: {words}")
    }
}

impl std::error::Error for MpiError {}

#[inline(always)]
fn check(call: &'static str, code: c_int) -> Result<(), MpiError> {
    if code == ffi::MPI_SUCCESS as c_int { Ok(()) } else { Err(failure(call, code)) }
}

#[cold]
fn failure(call: &'static str, code: c_int) -> MpiError {
    let mut text = [0_u8; ffi::MPI_MAX_ERROR_STRING as usize];
    let mut len = 0;
    // SAFETY: `text` has the room the standard demands, and MPI writes no more.
    let known = unsafe { ffi::MPI_Error_string(code, text.as_mut_ptr().cast(), &raw mut len) };
    let words = usize::try_from(len).ok().and_then(|len| text.get(..len)).unwrap_or_default();
    let words = String::from_utf8_lossy(words).into_owned();
    MpiError(Box::new((call, if known == 0 { words } else { format!("error code {code}") })))
}

/// MPI, initialised. Ended only by [`Mpi::finalize`]: a rank that unwinds must not wait in `MPI_Finalize` for the others.
pub(crate) struct Mpi(ManuallyDrop<Universe>);

impl Mpi {
    /// Calls `MPI_Init_thread`, once in a process.
    pub(crate) fn initialize() -> Mpi {
        let universe = mpi::initialize().unwrap_or_else(|| unreachable!("only main initialises MPI"));
        Mpi(ManuallyDrop::new(universe))
    }

    /// The world, with errors returned instead of fatal. Communicators made from it inherit that.
    pub(crate) fn world(&self) -> Result<Comm, MpiError> {
        let raw = self.0.world().as_raw();
        // SAFETY: `raw` is MPI_COMM_WORLD and MPI is initialised; the handler is a predefined constant.
        check("MPI_Comm_set_errhandler", unsafe { ffi::MPI_Comm_set_errhandler(raw, ffi::RSMPI_ERRORS_RETURN) })?;
        Comm::new(raw)
    }

    /// Ends MPI; waits for all ranks.
    pub(crate) fn finalize(self) {
        drop(ManuallyDrop::into_inner(self.0));
    }
}

/// Rank in the world, 0 before there is one.
pub(crate) fn world_rank() -> u32 {
    let mut rank = 0;
    if mpi::environment::is_initialized() {
        // SAFETY: MPI is initialised; a failure leaves the rank 0.
        unsafe { ffi::MPI_Comm_rank(ffi::RSMPI_COMM_WORLD, &raw mut rank) };
    }
    rank.unsigned_abs()
}

/// Ends all ranks of the world at once, with `code` as exit code.
pub(crate) fn abort(code: u8) -> ! {
    if mpi::environment::is_initialized() && !mpi::environment::is_finalized() {
        // SAFETY: MPI is initialised and not finalised.
        unsafe { ffi::MPI_Abort(ffi::RSMPI_COMM_WORLD, code.into()) };
    }
    std::process::exit(code.into())
}

/// A communicator, its size and the rank in it. Lives until `MPI_Finalize`.
#[derive(Clone, Copy)]
pub(crate) struct Comm {
    raw: ffi::MPI_Comm,
    pub(crate) rank: Rank,
    pub(crate) size: Rank,
}

impl Comm {
    fn new(raw: ffi::MPI_Comm) -> Result<Comm, MpiError> {
        let (mut rank, mut size) = (0, 0);
        // SAFETY: `raw` is a live communicator; both results are ints of ours.
        check("MPI_Comm_rank", unsafe { ffi::MPI_Comm_rank(raw, &raw mut rank) })?;
        // SAFETY: as above.
        check("MPI_Comm_size", unsafe { ffi::MPI_Comm_size(raw, &raw mut size) })?;
        Ok(Comm { raw, rank, size })
    }

    /// A communicator of the same ranks whose messages never mix with this one's. Collective.
    pub(crate) fn duplicate(&self) -> Result<Comm, MpiError> {
        let mut raw = self.raw;
        // SAFETY: `self.raw` is live, and the result is a handle of ours.
        check("MPI_Comm_dup", unsafe { ffi::MPI_Comm_dup(self.raw, &raw mut raw) })?;
        Comm::new(raw)
    }

    /// A communicator of the first `count` ranks: `None` on the others. Collective.
    pub(crate) fn first(&self, count: Rank) -> Result<Option<Comm>, MpiError> {
        let mut raw = self.raw;
        let inside = self.rank < count;
        // SAFETY: reads a constant that the bindings initialise at load time.
        let colour = if inside { 0 } else { unsafe { ffi::RSMPI_UNDEFINED } };
        // SAFETY: as in `duplicate`.
        check("MPI_Comm_split", unsafe { ffi::MPI_Comm_split(self.raw, colour, self.rank, &raw mut raw) })?;
        inside.then(|| Comm::new(raw)).transpose()
    }

    /// Rank 0's `word`, on every rank. Collective.
    pub(crate) fn broadcast(&self, mut word: u8) -> Result<u8, MpiError> {
        // SAFETY: the buffer is one byte and the count is 1.
        let code = unsafe { ffi::MPI_Bcast((&raw mut word).cast(), 1, ffi::RSMPI_UINT8_T, 0, self.raw) };
        check("MPI_Bcast", code).map(|()| word)
    }

    /// Every rank's `record` one after the other on rank 0, nothing on the others. Records are equally long. Collective.
    pub(crate) fn gather(&self, record: &[u8]) -> Result<Vec<u8>, MpiError> {
        let room = if self.rank == 0 { record.len() * self.size as usize } else { 0 };
        let mut all = vec![0; room];
        let (from, into, len) = (record.as_ptr().cast(), all.as_mut_ptr().cast(), record.len() as c_int);
        // SAFETY: rank 0, the only one to receive, has room for `len` bytes of each rank.
        let code = unsafe {
            let byte = ffi::RSMPI_UINT8_T;
            ffi::MPI_Gather(from, len, byte, into, len, byte, 0, self.raw)
        };
        check("MPI_Gather", code).map(|()| all)
    }

    /// The largest of all ranks' values, place by place, on rank 0; nothing on the others. Collective.
    pub(crate) fn largest(&self, values: &[u64]) -> Result<Vec<u64>, MpiError> {
        let mut all = if self.rank == 0 { values.to_vec() } else { Vec::new() };
        let (from, into, len) = (values.as_ptr().cast(), all.as_mut_ptr().cast(), values.len() as c_int);
        // SAFETY: `len` values are read, and written on rank 0 only, which has room for them.
        let code = unsafe { ffi::MPI_Reduce(from, into, len, ffi::RSMPI_UINT64_T, ffi::RSMPI_MAX, 0, self.raw) };
        check("MPI_Reduce", code).map(|()| all)
    }

    /// Sends nothing to `to` and receives nothing from `from`, both at once.
    pub(crate) fn nudge(&self, to: Rank, from: Rank) -> Result<(), MpiError> {
        // SAFETY: no byte is read or written, so null pointers are fine.
        let code = unsafe {
            let (byte, ignore) = (ffi::RSMPI_UINT8_T, ffi::RSMPI_STATUS_IGNORE);
            ffi::MPI_Sendrecv(ptr::null(), 0, byte, to, TAG, ptr::null_mut(), 0, byte, from, TAG, self.raw, ignore)
        };
        check("MPI_Sendrecv", code)
    }

    /// Whether a message from `from` can be received without waiting.
    pub(crate) fn has_message(&self, from: Rank) -> Result<bool, MpiError> {
        let mut flag = 0;
        // SAFETY: the flag is an int of ours and the status is ignored.
        let code = unsafe { ffi::MPI_Iprobe(from, TAG, self.raw, &raw mut flag, ffi::RSMPI_STATUS_IGNORE) };
        check("MPI_Iprobe", code).map(|()| flag != 0)
    }

    /// `buffer` made ready to be sent to `peer`.
    pub(crate) fn outgoing<'a>(&self, buffer: &'a [u8], peer: Rank) -> Outgoing<'a> {
        Outgoing { to: Endpoint::new(self, peer, buffer.len()), pointer: buffer.as_ptr().cast(), buffer: PhantomData }
    }

    /// `buffer` made ready to receive from `peer`.
    pub(crate) fn incoming<'a>(&self, buffer: &'a mut [u8], peer: Rank) -> Incoming<'a> {
        let from = Endpoint::new(self, peer, buffer.len());
        Incoming { from, pointer: buffer.as_mut_ptr().cast(), buffer: PhantomData }
    }

    /// Messages of equal length to `peer`, one for each place of the window.
    pub(crate) fn outgoing_window<'a>(&self, messages: [&'a [u8]; WINDOW], peer: Rank) -> OutgoingWindow<'a> {
        let shortest = messages.iter().map(|message| message.len()).min().unwrap_or(0);
        let (to, pointers) = (Endpoint::new(self, peer, shortest), messages.map(|m| m.as_ptr().cast()));
        OutgoingWindow { to, pointers, requests: Requests::new(), buffers: PhantomData }
    }

    /// Buffers of equal length for messages from `peer`. At most [`WINDOW`] of them are used.
    pub(crate) fn incoming_window<'a>(
        &self,
        buffers: impl Iterator<Item = &'a mut [u8]>,
        peer: Rank,
    ) -> IncomingWindow<'a> {
        let mut shortest = usize::MAX;
        let mut pointers = [ptr::null_mut(); WINDOW];
        let mut places = 0;
        for (pointer, buffer) in pointers.iter_mut().zip(buffers) {
            shortest = shortest.min(buffer.len());
            *pointer = buffer.as_mut_ptr().cast();
            places += 1;
        }
        assert_eq!(places, WINDOW, "a window has a buffer for each of its messages");
        let from = Endpoint::new(self, peer, shortest);
        IncomingWindow { from, pointers, requests: Requests::new(), buffers: PhantomData }
    }

    /// `terms` of this rank and room for the sums over all ranks, equally many.
    pub(crate) fn sum<'a>(&self, terms: &'a [f64], sums: &'a mut [f64]) -> Sum<'a> {
        let count = terms.len().min(sums.len()) as c_int;
        // SAFETY: reads constants that the bindings initialise at load time.
        let (datatype, operation) = unsafe { (ffi::RSMPI_DOUBLE, ffi::RSMPI_SUM) };
        let (terms, sums) = (terms.as_ptr().cast(), sums.as_mut_ptr().cast());
        Sum { terms, sums, count, datatype, operation, comm: self.raw, buffers: PhantomData }
    }
}

/// bench-app needs no tags: its two communicators tell data from control.
const TAG: c_int = 0;

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

/// A message that can be sent again and again.
pub(crate) struct Outgoing<'a> {
    to: Endpoint,
    pointer: *const c_void,
    buffer: PhantomData<&'a [u8]>,
}

impl Outgoing<'_> {
    /// `MPI_Send`.
    #[inline(always)]
    pub(crate) fn send(&self) -> Result<(), MpiError> {
        let Endpoint { count, datatype, peer, comm, .. } = self.to;
        // SAFETY: `pointer` is a slice of `count` bytes borrowed for as long as `self` lives.
        check("MPI_Send", unsafe { ffi::MPI_Send(self.pointer, count, datatype, peer, TAG, comm) })
    }
}

/// A place that can be received into again and again.
pub(crate) struct Incoming<'a> {
    from: Endpoint,
    pointer: *mut c_void,
    buffer: PhantomData<&'a mut [u8]>,
}

impl Incoming<'_> {
    /// `MPI_Recv`.
    #[inline(always)]
    pub(crate) fn receive(&mut self) -> Result<(), MpiError> {
        let Endpoint { count, datatype, peer, comm, ignore, .. } = self.from;
        // SAFETY: `pointer` is a slice of `count` bytes borrowed mutably for as long as `self` lives.
        check("MPI_Recv", unsafe { ffi::MPI_Recv(self.pointer, count, datatype, peer, TAG, comm, ignore) })
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

/// A window that fails half-way cannot be returned from: MPI still holds its buffers. So the world ends here.
#[inline(always)]
fn settle(call: &'static str, code: c_int) {
    if let Err(error) = check(call, code) {
        crate::give_up(&error.into());
    }
}

/// A window of messages to one peer.
pub(crate) struct OutgoingWindow<'a> {
    to: Endpoint,
    pointers: [*const c_void; WINDOW],
    requests: Requests,
    buffers: PhantomData<&'a [u8]>,
}

impl OutgoingWindow<'_> {
    /// `MPI_Isend` for each message, then `MPI_Waitall`.
    #[inline(always)]
    pub(crate) fn send(&mut self) {
        let Endpoint { count, datatype, peer, comm, .. } = self.to;
        for (pointer, request) in self.pointers.iter().zip(&mut self.requests.0) {
            // SAFETY: `count` bytes are borrowed while `self` lives, and `wait` below returns only when MPI is done.
            settle("MPI_Isend", unsafe { ffi::MPI_Isend(*pointer, count, datatype, peer, TAG, comm, request) });
        }
        self.requests.wait(&self.to);
    }
}

/// A window of buffers for messages from one peer.
pub(crate) struct IncomingWindow<'a> {
    from: Endpoint,
    pointers: [*mut c_void; WINDOW],
    requests: Requests,
    buffers: PhantomData<&'a mut [u8]>,
}

impl IncomingWindow<'_> {
    /// `MPI_Irecv` for each buffer, then `MPI_Waitall`.
    #[inline(always)]
    pub(crate) fn receive(&mut self) {
        let Endpoint { count, datatype, peer, comm, .. } = self.from;
        for (pointer, request) in self.pointers.iter().zip(&mut self.requests.0) {
            // SAFETY: as in `OutgoingWindow::send`, with distinct buffers borrowed mutably.
            settle("MPI_Irecv", unsafe { ffi::MPI_Irecv(*pointer, count, datatype, peer, TAG, comm, request) });
        }
        self.requests.wait(&self.from);
    }
}

/// A sum over all ranks that can be made again and again.
pub(crate) struct Sum<'a> {
    terms: *const c_void,
    sums: *mut c_void,
    count: c_int,
    datatype: ffi::MPI_Datatype,
    operation: ffi::MPI_Op,
    comm: ffi::MPI_Comm,
    buffers: PhantomData<(&'a [f64], &'a mut [f64])>,
}

impl Sum<'_> {
    /// `MPI_Allreduce`.
    #[inline(always)]
    pub(crate) fn allreduce(&mut self) -> Result<(), MpiError> {
        let Sum { terms, sums, count, datatype, operation, comm, .. } = *self;
        // SAFETY: both are slices of `count` f64 borrowed, the sums mutably, for as long as `self` lives.
        check("MPI_Allreduce", unsafe { ffi::MPI_Allreduce(terms, sums, count, datatype, operation, comm) })
    }
}
