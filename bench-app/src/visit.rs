//! A visit: warm-up, then batches of K until its time is over, each between two timestamps.

use std::time::Duration;

use bench_app::{Cell, kernel::Ranks};

use crate::{
    buffers::Buffers,
    clock::Start,
    kernels::{Repeat, family},
    mpi_ffi::MpiError,
    team::Team,
};

/// Batches kept in a visit, however long one takes.
const AT_LEAST: usize = 3;

/// Visits `cell` for `time`: durations of its batches in ns, warm-up left out, which only rank 0 may use.
pub(crate) fn visit(cell: &Cell, time: Duration, team: &Team, buffers: &mut Buffers) -> Result<Vec<u64>, MpiError> {
    let mut part = (family(cell.kernel).part)(&team.data, buffers, cell.bytes.0 as usize);
    let ns = batches(cell, time, team, &mut *part)?;
    match cell.kernel.row().ranks {
        Ranks::Pair => Ok(ns),
        Ranks::Pairs | Ranks::All => team.slowest(&ns),
    }
}

fn batches(cell: &Cell, time: Duration, team: &Team, work: &mut dyn Repeat) -> Result<Vec<u64>, MpiError> {
    let k = cell.k.get();
    for _ in 0..cell.warm_up() {
        batch(k, team, work)?;
    }
    let mut taken = Vec::new();
    let begun = Start::now();
    while team.agree(taken.len() < AT_LEAST || begun.elapsed() < time)? {
        taken.push(batch(k, team, work)?);
    }
    Ok(taken)
}

/// One batch, in ns. All ranks are ready when it begins, so its first message neither waits nor comes unexpected.
fn batch(k: u32, team: &Team, work: &mut dyn Repeat) -> Result<u64, MpiError> {
    team.synchronise()?;
    let start = Start::now();
    work.repeat(k)?;
    Ok(start.ns())
}
