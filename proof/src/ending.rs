//! How a rank of the proofs ends that cannot go on: aloud, and with its world.

use std::fmt::Display;

use crate::mpi_ffi::{self, MpiError};

/// Why this rank cannot go on, as `mpi_ffi` says it.
pub(crate) struct Failure(MpiError);

impl From<MpiError> for Failure {
    fn from(error: MpiError) -> Failure {
        Failure(error)
    }
}

pub(crate) fn give_up(Failure(error): &Failure) -> ! {
    fail(error)
}

pub(crate) fn fail(why: impl Display) -> ! {
    say(format_args!("error: {why}"));
    mpi_ffi::abort(1)
}

#[expect(clippy::print_stderr, reason = "standard error is talk")]
pub(crate) fn say(words: impl Display) {
    eprintln!("{words}");
}

/// What a rank's messages are made of.
pub(crate) fn said_by(rank: mpi_ffi::Rank) -> [u8; 8] {
    (f64::from(rank) + 1.5).to_ne_bytes()
}
