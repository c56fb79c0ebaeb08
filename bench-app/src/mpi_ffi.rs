//! The one room of bench-app that calls MPI. Everything it hands out is safe and typed.
//!
//! rsmpi's own sends and receives discard return codes and look up the communicator's size for each message, so hot loops
//! go through its raw bindings instead: count, datatype, communicator and peer are put together once, and each message is
//! then nothing but the C call and a look at its return code.
#![expect(unsafe_code, reason = "MPI is a C library; every unsafe block that calls it is in this room")]

mod collectives;
mod error;
mod messages;
mod tool;

use std::{ffi::c_int, mem::ManuallyDrop, ptr};

use mpi::{environment::Universe, ffi, traits::AsRaw};

use error::check;

pub(crate) use {
    collectives::{Alltoall, Bcast, Sum},
    error::MpiError,
    messages::{Exchange, Incoming, IncomingWindow, Outgoing, OutgoingWindow},
    tool::control_variables,
};

/// A rank or a number of ranks, as MPI counts them.
pub(crate) type Rank = c_int;

/// bench-app needs no tags: its communicators tell data from control.
const TAG: c_int = 0;

/// Whether handles are ints, as in MPICH and its kin. In Open MPI and in the ABI of MPI 5 they are pointers.
const INT_HANDLES: bool = size_of::<ffi::MPI_Comm>() == size_of::<c_int>();

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

    /// Rank 0's `words`, on every rank. Collective.
    pub(crate) fn broadcast<const N: usize>(&self, mut words: [u8; N]) -> Result<[u8; N], MpiError> {
        // SAFETY: the buffer is `N` bytes.
        let code = unsafe { ffi::MPI_Bcast(words.as_mut_ptr().cast(), N as c_int, ffi::RSMPI_UINT8_T, 0, self.raw) };
        check("MPI_Bcast", code).map(|()| words)
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
    #[inline]
    pub(crate) fn nudge(&self, to: Rank, from: Rank) -> Result<(), MpiError> {
        // SAFETY: no byte is read or written, so null pointers are fine.
        let code = unsafe {
            let (byte, ignore) = (ffi::RSMPI_UINT8_T, ffi::RSMPI_STATUS_IGNORE);
            ffi::MPI_Sendrecv(ptr::null(), 0, byte, to, TAG, ptr::null_mut(), 0, byte, from, TAG, self.raw, ignore)
        };
        check("MPI_Sendrecv", code)
    }

    /// `MPI_Barrier`. Collective.
    #[inline]
    pub(crate) fn barrier(&self) -> Result<(), MpiError> {
        // SAFETY: the communicator is live.
        check("MPI_Barrier", unsafe { ffi::MPI_Barrier(self.raw) })
    }

    /// Sends `outgoing` to `to` and receives as many bytes from `from`, both at once.
    pub(crate) fn swap<const N: usize>(&self, outgoing: &[u8; N], to: Rank, from: Rank) -> Result<[u8; N], MpiError> {
        let mut incoming = [0; N];
        let (out, into, len) = (outgoing.as_ptr().cast(), incoming.as_mut_ptr().cast(), N as c_int);
        // SAFETY: both buffers are `N` bytes, distinct, and live until the call returns.
        let code = unsafe {
            let (byte, ignore) = (ffi::RSMPI_UINT8_T, ffi::RSMPI_STATUS_IGNORE);
            ffi::MPI_Sendrecv(out, len, byte, to, TAG, into, len, byte, from, TAG, self.raw, ignore)
        };
        check("MPI_Sendrecv", code).map(|()| incoming)
    }

    /// Sends one word to `to`.
    #[inline]
    pub(crate) fn send_word(&self, word: u64, to: Rank) -> Result<(), MpiError> {
        // SAFETY: one value is read.
        let code = unsafe { ffi::MPI_Send((&raw const word).cast(), 1, ffi::RSMPI_UINT64_T, to, TAG, self.raw) };
        check("MPI_Send", code)
    }

    /// Receives one word from `from`.
    #[inline]
    pub(crate) fn receive_word(&self, from: Rank) -> Result<u64, MpiError> {
        let mut word = 0_u64;
        // SAFETY: one value is written.
        let code = unsafe {
            let (kind, ignore) = (ffi::RSMPI_UINT64_T, ffi::RSMPI_STATUS_IGNORE);
            ffi::MPI_Recv((&raw mut word).cast(), 1, kind, from, TAG, self.raw, ignore)
        };
        check("MPI_Recv", code).map(|()| word)
    }

    /// Receives a message of up to `N` bytes from whichever rank sends one.
    pub(crate) fn receive_any<const N: usize>(&self) -> Result<[u8; N], MpiError> {
        let mut incoming = [0; N];
        // SAFETY: `N` bytes of ours are written at most.
        let code = unsafe {
            let (any, ignore) = (ffi::RSMPI_ANY_SOURCE, ffi::RSMPI_STATUS_IGNORE);
            ffi::MPI_Recv(incoming.as_mut_ptr().cast(), N as c_int, ffi::RSMPI_UINT8_T, any, TAG, self.raw, ignore)
        };
        check("MPI_Recv", code).map(|()| incoming)
    }

    /// The ranks with the same `colour`, in their order. Collective.
    pub(crate) fn split(&self, colour: u32) -> Result<Comm, MpiError> {
        let mut raw = self.raw;
        let colour = (colour & i32::MAX.unsigned_abs()) as c_int;
        // SAFETY: as in `duplicate`.
        check("MPI_Comm_split", unsafe { ffi::MPI_Comm_split(self.raw, colour, self.rank, &raw mut raw) })?;
        Comm::new(raw)
    }

    /// Gives the communicator back. Collective.
    pub(crate) fn free(self) -> Result<(), MpiError> {
        let mut raw = self.raw;
        // SAFETY: the handle is live; whoever copied it has promised not to use it again by ending `self`.
        check("MPI_Comm_free", unsafe { ffi::MPI_Comm_free(&raw mut raw) })
    }

    /// The bits that any rank has set, on every rank. Collective.
    pub(crate) fn any_bits<const N: usize>(&self, bits: &[u64; N]) -> Result<[u64; N], MpiError> {
        let mut all = [0; N];
        let (from, into) = (bits.as_ptr().cast(), all.as_mut_ptr().cast());
        // SAFETY: `N` values are read and as many written.
        let code = unsafe { ffi::MPI_Allreduce(from, into, N as c_int, ffi::RSMPI_UINT64_T, ffi::RSMPI_BOR, self.raw) };
        check("MPI_Allreduce", code).map(|()| all)
    }

    /// The sums of all ranks' numbers, place by place, on every rank. Collective.
    pub(crate) fn total<const N: usize>(&self, numbers: &[u64; N]) -> Result<[u64; N], MpiError> {
        let mut all = [0; N];
        let (from, into) = (numbers.as_ptr().cast(), all.as_mut_ptr().cast());
        // SAFETY: as in `any_bits`.
        let code = unsafe { ffi::MPI_Allreduce(from, into, N as c_int, ffi::RSMPI_UINT64_T, ffi::RSMPI_SUM, self.raw) };
        check("MPI_Allreduce", code).map(|()| all)
    }

    /// The sum of the numbers of the ranks before this one. Collective.
    pub(crate) fn before(&self, number: u64) -> Result<u64, MpiError> {
        let mut sum = 0_u64;
        let (from, into) = ((&raw const number).cast(), (&raw mut sum).cast());
        // SAFETY: one value is read and one written; rank 0's result stays the 0 that it is.
        let code = unsafe { ffi::MPI_Exscan(from, into, 1, ffi::RSMPI_UINT64_T, ffi::RSMPI_SUM, self.raw) };
        check("MPI_Exscan", code).map(|()| if self.rank == 0 { 0 } else { sum })
    }

    /// Whether a message from `from` can be received without waiting.
    pub(crate) fn has_message(&self, from: Rank) -> Result<bool, MpiError> {
        let mut flag = 0;
        // SAFETY: the flag is an int of ours and the status is ignored.
        let code = unsafe { ffi::MPI_Iprobe(from, TAG, self.raw, &raw mut flag, ffi::RSMPI_STATUS_IGNORE) };
        check("MPI_Iprobe", code).map(|()| flag != 0)
    }
}
