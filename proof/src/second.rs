//! bench-app's ping-pong under criterion: the same loop, but how often it runs, what is kept and what is made of it is
//! criterion's. `scripts/fidelity` launches it beside bench-app.
//!
//! Rank 0 measures. Before each sample it tells rank 1 for how many round trips to follow, and 0 when a size is done. What
//! criterion finds lies in CRITERION_HOME.
#![allow(dead_code, unused_imports, reason = "of bench-app's rooms only the ping-pong is used")]

mod buffers;
mod check;
mod ending;
mod kernels;
mod mpi_ffi;

use std::{env::args, time::Duration};

use bench_app::{Kernel, clock};
use criterion::Criterion;

use crate::{
    buffers::Buffers,
    ending::{fail, give_up, said_by},
    kernels::{family, peer},
    mpi_ffi::{Comm, Mpi, MpiError},
};

/// Time that criterion may take for a size.
const WARM_UP: Duration = Duration::from_millis(100);
const MEASUREMENT: Duration = Duration::from_millis(400);
const SAMPLES: usize = 40;

fn main() {
    let sizes: Result<Vec<usize>, _> = args().skip(1).map(|arg| arg.parse()).collect();
    let Some(sizes) = sizes.ok().filter(|sizes| !sizes.is_empty()) else {
        fail("usage: mpirun -n 2 second-opinion BYTES..")
    };
    let mpi = Mpi::initialize();
    if let Err(error) = mpi.world().and_then(|world| measure(&world, &sizes)) {
        give_up(&error.into());
    }
    mpi.finalize();
}

fn measure(world: &Comm, sizes: &[usize]) -> Result<(), MpiError> {
    if world.size != 2 {
        fail("exactly two ranks are needed");
    }
    let control = world.duplicate()?;
    let mut buffers = Buffers::new(sizes.iter().copied().max().unwrap_or(0), said_by(world.rank));
    for len in sizes {
        if world.rank == 0 {
            lead(world, &control, &mut buffers, *len)?;
        } else {
            follow(world, &control, &mut buffers, *len)?;
        }
    }
    Ok(())
}

fn lead(world: &Comm, control: &Comm, buffers: &mut Buffers, len: usize) -> Result<(), MpiError> {
    let mut work = (family(Kernel::Latency).part)(world, buffers, len);
    let peer = peer(world);
    let mut sample = |times: u64| -> Result<Duration, MpiError> {
        control.send_word(times, peer)?;
        control.nudge(peer, peer)?;
        let start = clock::Start::now();
        work.repeat(round_trips(times))?;
        Ok(start.elapsed())
    };
    let criterion = Criterion::default().without_plots().sample_size(SAMPLES);
    criterion.warm_up_time(WARM_UP).measurement_time(MEASUREMENT).bench_function(&len.to_string(), |bencher| {
        bencher.iter_custom(|times| sample(times).unwrap_or_else(|error| give_up(&error.into())));
    });
    control.send_word(0, peer)
}

fn follow(world: &Comm, control: &Comm, buffers: &mut Buffers, len: usize) -> Result<(), MpiError> {
    let mut work = (family(Kernel::Latency).part)(world, buffers, len);
    let peer = peer(world);
    loop {
        let times = control.receive_word(peer)?;
        if times == 0 {
            return Ok(());
        }
        control.nudge(peer, peer)?;
        work.repeat(round_trips(times))?;
    }
}

/// Rank 1 follows for exactly as many as rank 0 makes.
fn round_trips(times: u64) -> u32 {
    u32::try_from(times).unwrap_or_else(|_| fail("criterion asks for too many round trips"))
}
