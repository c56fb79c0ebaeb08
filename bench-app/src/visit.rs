//! A visit: warm-up, then batches of K until its time is over, each between two timestamps.

use std::time::Duration;

use bench_app::{Cell, Kernel};

use crate::{
    buffers::Buffers,
    clock::Start,
    kernels::{
        Repeat,
        bandwidth::{Sink, Source},
        latency::{Ping, Pong},
    },
    mpi_ffi::MpiError,
    team::Team,
};

/// Batches kept in a visit, however long one takes.
const AT_LEAST: usize = 3;

/// Visits `cell` for `time`: durations of its batches in ns, warm-up left out, which only rank 0 may use.
pub(crate) fn visit(cell: &Cell, time: Duration, team: &Team, buffers: &mut Buffers) -> Result<Vec<u64>, MpiError> {
    let (len, comm) = (cell.bytes.0 as usize, team.data);
    let Buffers { outgoing, incoming, terms, sums, .. } = buffers;
    match cell.kernel {
        Kernel::Latency if team.leads() => {
            let (there, back) = (comm.outgoing(outgoing.head(len), 1), comm.incoming(incoming.head_mut(len), 1));
            batches(cell, time, team, &mut Ping { there, back })
        }
        Kernel::Latency => {
            let (there, back) = (comm.incoming(incoming.head_mut(len), 0), comm.outgoing(outgoing.head(len), 0));
            batches(cell, time, team, &mut Pong { there, back })
        }
        Kernel::Bandwidth if team.leads() => {
            let window = comm.outgoing_window(std::array::from_fn(|_| outgoing.head(len)), 1);
            batches(cell, time, team, &mut Source { window, reply: comm.incoming(&mut [], 1) })
        }
        Kernel::Bandwidth => {
            let window = comm.incoming_window(incoming.messages_mut(bench_app::kernel::WINDOW, len), 0);
            batches(cell, time, team, &mut Sink { window, reply: comm.outgoing(&[], 0) })
        }
        Kernel::Allreduce => {
            let count = len / size_of::<f64>();
            let mut sum = comm.sum(terms.head(count), sums.head_mut(count));
            // A collective lasts as long as its slowest rank.
            team.slowest(&batches(cell, time, team, &mut sum)?)
        }
    }
}

fn batches(cell: &Cell, time: Duration, team: &Team, work: &mut impl Repeat) -> Result<Vec<u64>, MpiError> {
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
fn batch(k: u32, team: &Team, work: &mut impl Repeat) -> Result<u64, MpiError> {
    team.synchronise()?;
    let start = Start::now();
    work.repeat(k)?;
    Ok(start.ns())
}
