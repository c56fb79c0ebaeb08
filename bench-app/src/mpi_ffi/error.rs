//! Return codes as errors with a class, so that what the standard tells apart stays apart.

use std::{ffi::c_int, fmt};

use mpi::ffi;

/// An MPI call that did not succeed. Boxed, so that the result of a call stays one register in the hot loops.
#[derive(Debug)]
pub(crate) struct MpiError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    call: &'static str,
    class: Class,
    words: String,
}

/// What kind of failure it was, in the standard's division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A handle or an argument that bench-app should not have passed.
    Argument,
    /// A message longer than the buffer that was to take it.
    Truncated,
    /// No memory, file space or other resource.
    Resources,
    /// The peer or the way to it is gone.
    Peer,
    /// The library's own trouble.
    Internal,
}

impl Class {
    fn of(code: c_int) -> Class {
        let mut class = 0;
        // SAFETY: a pure function of the code; the result is an int of ours.
        let known = unsafe { ffi::MPI_Error_class(code, &raw mut class) };
        match class.unsigned_abs() {
            _ if known != ffi::MPI_SUCCESS as c_int => Class::Internal,
            ffi::MPI_ERR_BUFFER
            | ffi::MPI_ERR_COUNT
            | ffi::MPI_ERR_TYPE
            | ffi::MPI_ERR_TAG
            | ffi::MPI_ERR_COMM
            | ffi::MPI_ERR_REQUEST
            | ffi::MPI_ERR_ROOT
            | ffi::MPI_ERR_OP
            | ffi::MPI_ERR_ARG => Class::Argument,
            ffi::MPI_ERR_TRUNCATE => Class::Truncated,
            ffi::MPI_ERR_NO_MEM | ffi::MPI_ERR_NO_SPACE | ffi::MPI_ERR_QUOTA => Class::Resources,
            ffi::MPI_ERR_RANK | ffi::MPI_ERR_PENDING | ffi::MPI_ERR_IN_STATUS => Class::Peer,
            _ => Class::Internal,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Argument => "argument",
            Class::Truncated => "message cut",
            Class::Resources => "out of resources",
            Class::Peer => "peer lost",
            Class::Internal => "inside the library",
        })
    }
}

impl fmt::Display for MpiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { call, class, words } = &*self.0;
        write!(f, "{call}: {words} ({class})")
    }
}

impl std::error::Error for MpiError {}

#[inline(always)]
pub(super) fn check(call: &'static str, code: c_int) -> Result<(), MpiError> {
    if code == ffi::MPI_SUCCESS as c_int { Ok(()) } else { Err(failure(call, code)) }
}

/// What cannot be returned from: MPI still holds buffers that the caller would give back. So the world ends here.
#[inline(always)]
pub(super) fn settle(call: &'static str, code: c_int) {
    if let Err(error) = check(call, code) {
        crate::give_up(&error.into());
    }
}

#[cold]
fn failure(call: &'static str, code: c_int) -> MpiError {
    let mut text = [0_u8; ffi::MPI_MAX_ERROR_STRING as usize];
    let mut len = 0;
    // SAFETY: `text` has the room the standard demands, and MPI writes no more.
    let known = unsafe { ffi::MPI_Error_string(code, text.as_mut_ptr().cast(), &raw mut len) };
    let words = usize::try_from(len).ok().and_then(|len| text.get(..len)).unwrap_or_default();
    let words = if known == ffi::MPI_SUCCESS as c_int {
        String::from_utf8_lossy(words).into_owned()
    } else {
        format!("error code {code}")
    };
    MpiError(Box::new(Failure { call, class: Class::of(code), words }))
}
