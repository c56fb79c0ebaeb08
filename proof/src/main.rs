//! bench-app's ping-pong against the same loop in C: one process, one communicator, the same buffers, in turn.
//!
//! The Rust side is not a copy: `mpi_ffi`, `kernels` and `check` are links to bench-app's own files. A pair is four batches,
//! C X X C or X C C X, each as often and in random order: what came before, and a machine that becomes slower or faster
//! meanwhile, meet both alike. Standard output is a table of pairs for `harness`'s example `ratios`.
#![allow(dead_code, unused_imports, reason = "of bench-app's rooms only the ping-pong is used")]

mod buffers;
mod check;
mod ending;
mod kernels;
mod mpi_ffi;
mod twin;

use std::env::args;

use bench_app::{Kernel, clock};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    buffers::Buffers,
    ending::{fail, give_up, said_by, say},
    kernels::{Repeat, family},
    mpi_ffi::{Comm, Mpi, MpiError},
    twin::Twin,
};

/// Message sizes with the round trips of a batch, about a millisecond each.
const SIZES: [(usize, u32); 5] = [(8, 1000), (1 << 10, 800), (8 << 10, 200), (64 << 10, 50), (1 << 20, 4)];
/// Rounds that are not counted, at each size.
const WARM_UP: usize = 3;

/// Ways of making the same round trips, each compared with C.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contestant {
    /// bench-app's loop.
    Rust,
    /// The C loop: what no difference looks like.
    C,
    /// bench-app's loop with the clock read around each round trip, as other benchmarks do.
    EachTimed,
}

impl Contestant {
    const ALL: [Contestant; 3] = [Contestant::Rust, Contestant::C, Contestant::EachTimed];

    const fn words(self) -> &'static str {
        match self {
            Contestant::Rust => "Rust / C",
            Contestant::C => "C / C",
            Contestant::EachTimed => "clock each trip / C",
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
        // Half of each contestant's pairs begin with C, in an order of their own.
        let mut begins_with_c = Contestant::ALL.map(|_| {
            let mut halves: Vec<bool> = (0..rounds).map(|round| round % 2 == 0).collect();
            halves.shuffle(&mut rng);
            halves
        });
        let mut pairs = Vec::new();
        for round in 0..WARM_UP + rounds {
            let mut order = Contestant::ALL;
            order.shuffle(&mut rng);
            for contestant in order {
                let counts = round >= WARM_UP;
                let c_first = if counts { begins_with_c[contestant as usize].pop() == Some(true) } else { true };
                let pair = pair(contestant, c_first, (world, &control), &mut buffers, (len, k))?;
                if counts {
                    pairs.push((contestant, pair));
                }
            }
        }
        pairs.sort_by_key(|(contestant, _)| *contestant as usize);
        if world.rank == 0 {
            pairs.into_iter().for_each(|(contestant, pair)| report(len, seed, contestant, pair));
        }
    }
    if world.rank == 0 {
        say(format_args!("launch {seed}: one reading of the clock after another takes {} ns", clock::cost()));
    }
    Ok(())
}

/// Four batches after one that is not kept. Costs of the contestant and of C, ns a message.
fn pair(
    contestant: Contestant,
    c_first: bool,
    comms: (&Comm, &Comm),
    buffers: &mut Buffers,
    cell: (usize, u32),
) -> Result<(f64, f64), MpiError> {
    let (outer, inner) = if c_first { (Contestant::C, contestant) } else { (contestant, Contestant::C) };
    let mut take = |who| batch(who, comms, buffers, cell);
    take(outer)?;
    let [first, second, third, fourth] = [take(outer)?, take(inner)?, take(inner)?, take(outer)?];
    let (outer, inner) = ((first + fourth) / 2.0, (second + third) / 2.0);
    Ok(if c_first { (inner, outer) } else { (outer, inner) })
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
        Contestant::C => Box::new(Twin::new(world, buffers, len)),
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

#[expect(clippy::print_stdout, reason = "standard output is the table of pairs")]
fn report(len: usize, launch: u64, contestant: Contestant, (cost, baseline): (f64, f64)) {
    println!("{len} B: {},{launch},{cost:.3},{baseline:.3}", contestant.words());
}
