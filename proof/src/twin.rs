//! The loop in C, as one more way of doing a batch.
#![expect(unsafe_code, reason = "the twin is C")]

use std::ffi::{c_int, c_uint, c_void};

use bench_app::Kernel;

use crate::{
    buffers::Buffers,
    ending::fail,
    kernels::{Repeat, family, peer},
    mpi_ffi::{Comm, MpiError},
};

type Loop = unsafe extern "C" fn(*const c_void, *mut c_void, c_int, c_int, c_uint) -> c_int;

unsafe extern "C" {
    fn pingpong_ping(out: *const c_void, into: *mut c_void, bytes: c_int, peer: c_int, k: c_uint) -> c_int;
    fn pingpong_pong(out: *const c_void, into: *mut c_void, bytes: c_int, peer: c_int, k: c_uint) -> c_int;
}

/// This rank's part in C, on the same places that the Rust loop uses.
pub(crate) struct Twin<'a> {
    run: Loop,
    out: &'a [u8],
    into: &'a mut [u8],
    bytes: c_int,
    peer: c_int,
}

impl<'a> Twin<'a> {
    /// `world` has to be the world: the C loop names it.
    pub(crate) fn new(world: &Comm, buffers: &'a mut Buffers, len: usize) -> Twin<'a> {
        let (from, into) = buffers.lanes((family(Kernel::Latency).room)(world, len));
        let run: Loop = if world.rank == 0 { pingpong_ping } else { pingpong_pong };
        let bytes = c_int::try_from(len).unwrap_or_else(|_| fail("a message is longer than a C int"));
        Twin { run, out: from.memory, into: into.memory, bytes, peer: peer(world) }
    }
}

impl Repeat for Twin<'_> {
    #[inline]
    fn repeat(&mut self, k: u32) -> Result<(), MpiError> {
        let (out, into) = (self.out.as_ptr().cast(), self.into.as_mut_ptr().cast());
        // SAFETY: both places hold `bytes` bytes, borrowed for as long as `self` lives; MPI is initialised.
        let failed = unsafe { (self.run)(out, into, self.bytes, self.peer, k) };
        if failed == 0 { Ok(()) } else { fail("an MPI call of the C loop failed") }
    }
}
