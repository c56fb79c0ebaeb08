//! bench-app's ping-pong against the same loop in C: one process, one communicator, the same buffers, in turn.
//!
//! The Rust side is not a copy: `mpi_ffi`, `kernels` and `check` are links to bench-app's own files. Each round makes one
//! batch of every contestant in a new random order, so that whatever the machine does meanwhile meets all of them.
//! Standard output is a table of pairs for `harness`'s example `ratios`.
#![allow(dead_code, unused_imports, reason = "of bench-app's rooms only the ping-pong is used")]

mod buffers;
mod check;
mod kernels;
mod mpi_ffi;
mod twin;

use std::{env::args, fmt::Display};

use bench_app::{Kernel, clock};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    buffers::Buffers,
    kernels::{Repeat, family},
    mpi_ffi::{Comm, Mpi, MpiError},
    twin::Twin,
};

/// Message sizes with the round trips of a batch, about a millisecond each.
const SIZES: [(usize, u32); 5] = [(8, 1000), (1 << 10, 800), (8 << 10, 200), (64 << 10, 50), (1 << 20, 8)];
/// Rounds that are not counted, at each size.
const WARM_UP: usize = 3;

/// Ways of making the same round trips.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contestant {
    /// bench-app's loop.
    Rust,
    /// Its twin.
    C,
    /// The twin again: what no difference looks like.
    SameC,
    /// bench-app's loop with the clock read around each round trip, as other benchmarks do.
    EachTimed,
}

impl Contestant {
    const ALL: [Contestant; 4] = [Contestant::Rust, Contestant::C, Contestant::SameC, Contestant::EachTimed];

    const fn words(self) -> &'static str {
        match self {
            Contestant::Rust => "Rust / C",
            Contestant::C => "C",
            Contestant::SameC => "C / C",
            Contestant::EachTimed => "clock read each trip / C",
        }
    }
}

fn main() {
    let mut numbers = args().skip(1).map(|arg| arg.parse::<u64>());
    let (Some(Ok(seed)), Some(Ok(rounds)), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        fail("usage: mpirun -n 2 twin SEED ROUNDS")
    };
    let mpi = Mpi::initialize();
    if let Err(error) = mpi.world().and_then(|world| compete(&world, seed, rounds as usize)) {
        give_up(&error.into());
    }
    mpi.finalize();
}

fn compete(world: &Comm, seed: u64, rounds: usize) -> Result<(), MpiError> {
    if world.size != 2 {
        fail("exactly two ranks are needed");
    }
    let control = world.duplicate()?;
    let largest = SIZES.iter().map(|(len, _)| *len).max().unwrap_or(0);
    let mut buffers = Buffers::new(largest, said_by(world.rank));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for (len, k) in SIZES {
        prove(world, &mut buffers, len)?;
        for round in 0..WARM_UP + rounds {
            let mut order = Contestant::ALL;
            order.shuffle(&mut rng);
            let mut ns = [0.0; Contestant::ALL.len()];
            for contestant in order {
                ns[contestant as usize] = batch(contestant, (world, &control), &mut buffers, (len, k))?;
            }
            if world.rank == 0 && round >= WARM_UP {
                report(len, seed, &ns);
            }
        }
    }
    if world.rank == 0 {
        say(format_args!("launch {seed}: one reading of the clock after another takes {} ns", clock::cost()));
    }
    Ok(())
}

/// One batch, ns a message. The ranks begin together, outside the timestamps.
fn batch(
    contestant: Contestant,
    (world, control): (&Comm, &Comm),
    buffers: &mut Buffers,
    (len, k): (usize, u32),
) -> Result<f64, MpiError> {
    let mut work: Box<dyn Repeat + '_> = match contestant {
        Contestant::Rust | Contestant::EachTimed => (family(Kernel::Latency).part)(world, buffers, len),
        Contestant::C | Contestant::SameC => Box::new(Twin::new(world, buffers, len)),
    };
    let peer = kernels::peer(world);
    control.nudge(peer, peer)?;
    let ns = if contestant == Contestant::EachTimed {
        each_timed(&mut *work, k)?
    } else {
        let start = clock::Start::now();
        work.repeat(k)?;
        start.ns()
    };
    Ok(ns as f64 / f64::from(2 * k))
}

/// The sum of `k` round trips timed one by one.
fn each_timed(work: &mut dyn Repeat, k: u32) -> Result<u64, MpiError> {
    let mut sum = 0;
    for _ in 0..k {
        let start = clock::Start::now();
        work.repeat(1)?;
        sum += start.ns();
    }
    Ok(sum)
}

/// Both loops bring what the other rank sent.
fn prove(world: &Comm, buffers: &mut Buffers, len: usize) -> Result<(), MpiError> {
    let expected = said_by(kernels::peer(world));
    let arrived = |buffers: &Buffers| buffers.incoming.head(len).chunks(8).all(|word| word == &expected[..word.len()]);
    buffers.incoming.fill(len, [0; 8]);
    (family(Kernel::Latency).part)(world, buffers, len).repeat(1)?;
    let rust = arrived(buffers);
    buffers.incoming.fill(len, [0; 8]);
    Twin::new(world, buffers, len).repeat(1)?;
    if !(rust && arrived(buffers)) {
        fail("a message arrived changed");
    }
    Ok(())
}

/// What a rank's messages are made of.
fn said_by(rank: mpi_ffi::Rank) -> [u8; 8] {
    (f64::from(rank) + 1.5).to_ne_bytes()
}

#[expect(clippy::print_stdout, reason = "standard output is the table of pairs")]
fn report(len: usize, launch: u64, ns: &[f64; Contestant::ALL.len()]) {
    for contestant in Contestant::ALL.into_iter().filter(|contestant| *contestant != Contestant::C) {
        let (cost, baseline) = (ns[contestant as usize], ns[Contestant::C as usize]);
        println!("{len} B: {},{launch},{cost:.3},{baseline:.3}", contestant.words());
    }
}

#[expect(clippy::print_stderr, reason = "standard error is talk")]
fn say(words: impl Display) {
    eprintln!("{words}");
}

/// Why this rank cannot go on, as `mpi_ffi` says it.
struct Failure(MpiError);

impl From<MpiError> for Failure {
    fn from(error: MpiError) -> Failure {
        Failure(error)
    }
}

fn give_up(Failure(error): &Failure) -> ! {
    fail(error)
}

fn fail(why: impl Display) -> ! {
    say(format_args!("error: {why}"));
    mpi_ffi::abort(1)
}
