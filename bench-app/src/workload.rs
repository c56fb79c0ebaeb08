//! What one launch is asked to measure, as data and as bench-app's arguments.
//!
//! Parameters travel by argv alone: environments are filtered on the way into containers and across nodes.

use std::{num::NonZeroU32, str::FromStr};

use clap::{Parser, ValueEnum};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{
    bytes::Bytes,
    gate::Entrance,
    kernel::{Kernel, Ranks, Sizes},
};

/// Sizes of a launch by hand.
const USUAL_SIZES: [u64; 4] = [8, 1 << 10, 64 << 10, 1 << 20];

/// One kernel at one message size, with K fixed before the experiment so that it is equal in all modes.
///
/// Written `KERNEL@BYTES:K`, for instance `latency@8:200`. By hand `KERNEL@` and `:K` may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// What is measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Repetitions in a batch (round trips, windows, calls).
    pub k: NonZeroU32,
}

impl Cell {
    /// Batches discarded at the start of each visit: two, or as many as it takes to pass 32 messages.
    #[must_use]
    pub fn warm_up(&self) -> u32 {
        // Each rank of a collective both sends and receives.
        let messages = match self.kernel.row().ranks {
            Ranks::Pair | Ranks::Pairs => self.kernel.row().operations,
            Ranks::All => 2,
        };
        32_u32.div_ceil(messages * self.k.get().min(32)).max(2)
    }
}

/// The order of the cells within a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// A new seeded permutation each round, the same on every rank: neighbours do not favour each other.
    Shuffled,
    /// By size: a launch that is meant to find where a mode hangs keeps everything below that size.
    Ascending,
}

/// Which memory messages are sent from and received into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BufferKind {
    /// The same places for each message: they stay in the caches.
    #[default]
    Hot,
    /// One place after the other, in sets larger than the last-level cache.
    Rotating,
}

impl BufferKind {
    fn is_hot(&self) -> bool {
        *self == BufferKind::Hot
    }
}

/// All that one launch measures.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// Cells, each visited once a round. The first visit of a cell is preceded by its payload check.
    pub cells: Vec<Cell>,
    /// Rounds, hence visits a cell.
    pub rounds: NonZeroU32,
    /// Time for which batches are taken in one visit, in milliseconds (at least three batches are).
    pub visit_ms: u32,
    /// Order within a round.
    pub order: Order,
    /// Seed of that order.
    pub seed: u64,
    /// Memory of the messages. Left out where it is the usual one: the identity of a case is what is written of it.
    #[serde(default, skip_serializing_if = "BufferKind::is_hot")]
    pub buffers: BufferKind,
}

impl Workload {
    /// bench-app's arguments for this workload; [`Args::workload`] reads them back.
    #[must_use]
    pub fn to_args(&self) -> Vec<String> {
        let mut args: Vec<String> = self.cells.iter().flat_map(|cell| ["--size".into(), cell.to_string()]).collect();
        args.extend(["--rounds".into(), self.rounds.to_string(), "--visit-ms".into(), self.visit_ms.to_string()]);
        let order = match self.order {
            Order::Shuffled => "shuffled",
            Order::Ascending => "ascending",
        };
        args.extend(["--order".into(), order.into(), "--seed".into(), self.seed.to_string()]);
        match self.buffers {
            BufferKind::Hot => {}
            BufferKind::Rotating => args.extend(["--buffers".into(), "rotating".into()]),
        }
        args
    }

    /// The cells of round `round` (from 0) in the order they are visited: a pure function, so that all ranks agree.
    #[must_use]
    pub fn round(&self, round: u32) -> Vec<Cell> {
        let mut cells = self.cells.clone();
        match self.order {
            Order::Ascending => cells.sort_by_key(|cell| (cell.bytes, cell.kernel)),
            Order::Shuffled => {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(u64::from(round));
                cells.shuffle(&mut rng);
            }
        }
        cells
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}:{}", self.kernel, self.bytes.0, self.k)
    }
}

/// A `--size` value before the kernels are known: `[KERNEL@]BYTES[:K]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SizeArg {
    kernel: Option<Kernel>,
    bytes: Bytes,
    k: Option<NonZeroU32>,
}

impl FromStr for SizeArg {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (kernel, rest) = match s.split_once('@') {
            Some((kernel, rest)) => (Some(kernel.parse()?), rest),
            None => (None, s),
        };
        let (bytes, k) = match rest.split_once(':') {
            Some((bytes, k)) => {
                let k = k.parse().map_err(|_| format!("`{k}` in `{s}` is not a K; hint: a positive whole number"))?;
                (bytes, Some(k))
            }
            None => (rest, None),
        };
        Ok(SizeArg { kernel, bytes: bytes.parse()?, k })
    }
}

/// Measure what MPI's messages and collectives take, by batches that are kept, not averaged.
///
/// Start it under any launcher with two or more ranks. Latency, bandwidth and bibw run between ranks 0 and 1 (the others
/// sleep), mbw between rank i and rank i + n/2, the others over all ranks. The first visit of a cell follows a check of
/// every byte it transfers.
/// Results are lines on standard output, `@sifbench <length> <crc32> <json>`; `ns` holds the raw batches.
#[derive(Debug, Parser)]
#[command(
    name = "bench-app",
    version,
    after_help = "Examples:\n  \
        mpirun -np 2 bench-app --table\n  \
        mpirun -np 2 bench-app --kernel latency --size 8 --size 4Mi:1\n  \
        mpirun -np 4 bench-app --size latency@8:200 --size allreduce@1Ki:20 --rounds 10\n  \
        mpirun -np 8 bench-app --kernel mbw,barrier,bcast,alltoall --table\n\n\
        Exit codes:\n  \
        0  everything was measured\n  \
        2  bad arguments (said by launcher rank 0; the other ranks leave with 0)\n  \
        3  the world has one rank only, nothing was measured\n  \
        4  wrong data: a payload arrived changed\n  \
        5  an MPI call failed, the gate cannot be used or the output is closed; the world was aborted\n  \
        6  nobody gives turns at the gate any more (lease run out, or closed); the world was aborted"
)]
pub struct Args {
    /// Kernels that sizes without a kernel of their own apply to: latency, bandwidth, bibw, mbw, barrier, bcast,
    /// allreduce, allreduce-in-place, alltoall
    #[arg(long, value_delimiter = ',', default_values_t = Kernel::USUAL)]
    kernel: Vec<Kernel>,
    /// A message size as [KERNEL@]BYTES[:K]; K is the number of repetitions in a batch (may be repeated)
    /// [default: 8 1Ki 64Ki 1Mi, or 0 where there is no message]
    #[arg(long, value_name = "SIZE")]
    size: Vec<SizeArg>,
    /// Visits a cell
    #[arg(long, default_value = "3")]
    rounds: NonZeroU32,
    /// Time for batches in one visit, in milliseconds
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    visit_ms: u32,
    /// Order of the cells in a round
    #[arg(long, value_enum, default_value = "shuffled")]
    order: Order,
    /// Seed of that order
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Memory that messages are sent from and received into
    #[arg(long, value_enum, default_value = "hot")]
    buffers: BufferKind,
    /// Take turns with another job of this node at the gate FILE, as its job 0 or 1: between batches all ranks sleep until
    /// the harness that made the gate gives the job its next turn
    #[arg(long, value_name = "FILE:JOB")]
    pub gate: Option<Entrance>,
    /// Print medians as a table on standard error at the end (always done where that is a terminal)
    #[arg(long)]
    pub table: bool,
}

impl Args {
    /// The workload these arguments ask for.
    ///
    /// # Errors
    /// A cell that its kernel cannot run, or that is asked for twice.
    pub fn workload(&self) -> Result<Workload, String> {
        let mut cells: Vec<Cell> = Vec::new();
        for (kernel, bytes, k) in self.asked() {
            kernel.check(bytes).map_err(|why| format!("--size {kernel}@{}: {why}", bytes.0))?;
            if cells.iter().any(|cell| cell.kernel == kernel && cell.bytes == bytes) {
                return Err(format!("--size {kernel}@{}: given twice", bytes.0));
            }
            let k = k.or(NonZeroU32::new(kernel.default_k(bytes))).unwrap_or(NonZeroU32::MIN);
            cells.push(Cell { kernel, bytes, k });
        }
        let Args { rounds, visit_ms, order, seed, buffers, .. } = *self;
        Ok(Workload { cells, rounds, visit_ms, order, seed, buffers })
    }
}

impl Args {
    /// Every kernel and size that was asked for, or is usual.
    fn asked(&self) -> Vec<(Kernel, Bytes, Option<NonZeroU32>)> {
        if self.size.is_empty() {
            let usual = |kernel: &Kernel| {
                let sizes = if kernel.row().sizes == Sizes::Nothing { &[0][..] } else { &USUAL_SIZES };
                sizes.iter().map(|bytes| (*kernel, Bytes(*bytes), None)).collect::<Vec<_>>()
            };
            return self.kernel.iter().flat_map(usual).collect();
        }
        let of = |size: &SizeArg| {
            let kernels = size.kernel.map_or_else(|| self.kernel.clone(), |kernel| vec![kernel]);
            kernels.into_iter().map(|kernel| (kernel, size.bytes, size.k)).collect::<Vec<_>>()
        };
        self.size.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn parse(args: &[String]) -> Result<Workload, String> {
        let argv = std::iter::once("bench-app".to_owned()).chain(args.iter().cloned());
        Args::try_parse_from(argv).map_err(|e| e.to_string())?.workload()
    }

    fn workloads() -> impl Strategy<Value = Workload> {
        let cell = (0..Kernel::ALL.len(), 1..4096_u64, 1..1000_u32).prop_map(|(kernel, units, k)| {
            let kernel = Kernel::ALL[kernel];
            let bytes = Bytes(if kernel.row().sizes == Sizes::Nothing { 0 } else { units * 8 });
            Cell { kernel, bytes, k: NonZeroU32::new(k).unwrap() }
        });
        let cells = proptest::collection::vec(cell, 1..20).prop_map(|mut cells| {
            let mut seen = std::collections::HashSet::new();
            cells.retain(|c| seen.insert((c.kernel, c.bytes)));
            cells
        });
        let order = prop_oneof![Just(Order::Shuffled), Just(Order::Ascending)];
        let buffers = prop_oneof![Just(BufferKind::Hot), Just(BufferKind::Rotating)];
        (cells, 1..100_u32, 1..1000_u32, order, any::<u64>(), buffers).prop_map(
            |(cells, rounds, visit_ms, order, seed, buffers)| {
                let rounds = NonZeroU32::new(rounds).unwrap();
                Workload { cells, rounds, visit_ms, order, seed, buffers }
            },
        )
    }
    use proptest::prelude::Just;

    proptest! {
        #[test]
        fn arguments_round_trip(workload in workloads()) {
            prop_assert_eq!(parse(&workload.to_args()).unwrap(), workload);
        }

        #[test]
        fn every_round_visits_every_cell_once(workload in workloads(), round in 0..50_u32) {
            let mut visited = workload.round(round);
            let mut cells = workload.cells.clone();
            visited.sort();
            cells.sort();
            prop_assert_eq!(visited, cells);
        }
    }

    #[test]
    fn sizes_apply_to_the_named_kernels() {
        let args = ["--kernel", "latency,bandwidth", "--size", "8", "--size", "allreduce@16:3"].map(String::from);
        let cells: Vec<_> = parse(&args).unwrap().cells.iter().map(ToString::to_string).collect();
        assert_eq!(cells, ["latency@8:200", "bandwidth@8:15", "allreduce@16:3"]);
    }

    #[test]
    fn kernels_without_sizes_get_the_usual_ones() {
        let check = |args: &[&str], expected: &[&str]| {
            let args: Vec<_> = args.iter().map(|s| (*s).to_owned()).collect();
            let cells: Vec<_> = parse(&args).unwrap().cells.iter().map(ToString::to_string).collect();
            assert_eq!(cells, expected);
        };
        check(
            &["--kernel", "barrier,bcast"],
            &["barrier@0:40", "bcast@8:40", "bcast@1024:40", "bcast@65536:1", "bcast@1048576:1"],
        );
        assert_eq!(parse(&[]).unwrap().cells.len(), 12);
    }

    #[test]
    fn warm_up_passes_two_batches_and_32_messages() {
        let check = |cell: &str, batches: u32| {
            let workload = parse(&["--size".to_owned(), cell.to_owned()]).unwrap();
            assert_eq!(workload.cells[0].warm_up(), batches, "{cell}");
        };
        check("latency@8:200", 2);
        check("latency@8:16", 2);
        check("latency@8:5", 4);
        check("latency@4Mi:1", 16);
        check("bandwidth@8:1", 2);
        check("allreduce@8:4000000000", 2);
    }

    #[test]
    fn impossible_cells_are_named() {
        let check = |args: &[&str], expected: &str| {
            let args: Vec<_> = args.iter().map(|s| (*s).to_owned()).collect();
            let error = parse(&args).unwrap_err();
            assert!(error.contains(expected), "{args:?}: {error}");
        };
        check(&["--size", "bandwidth@0"], "bandwidth@0: empty messages have no rate");
        check(&["--size", "allreduce@12"], "multiple of 8");
        check(&["--size", "latency@8", "--size", "latency@8"], "given twice");
        check(&["--size", "jitter@8"], "unknown kernel `jitter`");
        check(&["--size", "8:0"], "is not a K");
    }
}
