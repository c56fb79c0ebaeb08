//! Kernels: one row each, holding all that the harness, the command line and the tables have to know of it.
//!
//! The last is none of bench-app's: a program of the user's, which sifbench times from outside. It has a row because its
//! figures go through the same tables.
//!
//! A further kernel is a row here and a file (or a type in its family's file) under `src/kernels/`, which the compiler
//! then asks for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;

/// Messages in flight per window, as in the OSU benchmarks.
pub const WINDOW: usize = 64;

/// What is known of a kernel before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The word used in campaigns, CSV files and on command lines.
    pub name: &'static str,
    /// What its figure is, in a table's words.
    pub summary: &'static str,
    /// Who takes part.
    pub ranks: Ranks,
    /// Which message sizes it can run.
    pub sizes: Sizes,
    /// Operations in one repetition: a repetition's time divided by this is the figure.
    pub operations: u32,
    /// What people read off the figure.
    pub reading: Reading,
    /// How the default K is found.
    pub batch: Batch,
}

/// Who takes part in a kernel. At least two ranks do, whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranks {
    /// Ranks 0 and 1; rank 0 times a batch of K repetitions.
    Pair,
    /// Rank i and rank i + n/2, for all i below n/2; a batch of K repetitions lasts as long as the slowest pair's.
    Pairs,
    /// All. Repetitions begin together and are timed one by one; each lasts as long as its slowest rank.
    All,
}

/// The message sizes of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// Any, empty messages included.
    Any,
    /// Any but 0: an empty message has no rate, or does not communicate.
    Positive,
    /// Whole f64, at least one.
    Doubles,
    /// 0: there is no message.
    Nothing,
}

/// What people read off a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The time itself: less is better.
    Time,
    /// Bytes per second, derived from it: more is better.
    Rate,
}

/// The default K of a size is `budget / (bytes + overhead)`, at least 1 and at most `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    budget: u64,
    overhead: u64,
    most: u64,
}

macro_rules! kernels {
    ($($(#[$doc:meta])* $kernel:ident { $($row:tt)* })*) => {
        /// One measured communication pattern.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kernel {
            $($(#[$doc])* $kernel,)*
        }

        impl Kernel {
            /// Everything that has figures, in the order of tables and reports.
            pub const EVERY: [Kernel; [$(stringify!($kernel)),*].len()] = [$(Kernel::$kernel),*];

            /// What is known of it.
            #[must_use]
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Kernel::$kernel => &Row { $($row)* },)*
                }
            }
        }
    };
}

// Budgets: a batch of a pair lasts 50 us or more on shared memory (0.14 us for 8 bytes one way) without one batch of the
// largest messages being longer than a visit. Collectives are timed one by one, so that a batch need not be long.
kernels! {
    /// Ping-pong. A repetition is a round trip; latency is half of it.
    Latency {
        name: "latency",
        summary: "half round trip of one message",
        ranks: Ranks::Pair,
        sizes: Sizes::Any,
        operations: 2,
        reading: Reading::Time,
        batch: Batch { budget: 512 << 10, overhead: 2048, most: 200 },
    }
    /// A window of messages from rank 0 to rank 1, then one empty reply.
    Bandwidth {
        name: "bandwidth",
        summary: "64 messages in flight, one way",
        ranks: Ranks::Pair,
        sizes: Sizes::Positive,
        operations: WINDOW as u32,
        reading: Reading::Rate,
        batch: Batch { budget: 128 << 10, overhead: 8192, most: 15 },
    }
    /// A window of messages in each direction at once, then an empty message each way. The rate counts both directions.
    Bibw {
        name: "bibw",
        summary: "64 messages in flight each way, both ways together",
        ranks: Ranks::Pair,
        sizes: Sizes::Positive,
        operations: 2 * WINDOW as u32,
        reading: Reading::Rate,
        batch: Batch { budget: 64 << 10, overhead: 4096, most: 8 },
    }
    /// The bandwidth test between all pairs at once. The rate is that of the slowest pair; all together move n/2 times as
    /// much, and the number of messages per second is the inverse of the time.
    Mbw {
        name: "mbw",
        summary: "64 messages in flight in all pairs at once, the slowest pair's",
        ranks: Ranks::Pairs,
        sizes: Sizes::Positive,
        operations: WINDOW as u32,
        reading: Reading::Rate,
        batch: Batch { budget: 128 << 10, overhead: 8192, most: 15 },
    }
    /// `MPI_Barrier`.
    Barrier {
        name: "barrier",
        summary: "all ranks wait for all ranks, slowest rank",
        ranks: Ranks::All,
        sizes: Sizes::Nothing,
        operations: 1,
        reading: Reading::Time,
        batch: Batch { budget: 40 << 10, overhead: 1024, most: 40 },
    }
    /// `MPI_Bcast` of bytes from rank 0.
    Bcast {
        name: "bcast",
        summary: "one message from rank 0 to all ranks, slowest rank",
        ranks: Ranks::All,
        sizes: Sizes::Positive,
        operations: 1,
        reading: Reading::Time,
        batch: Batch { budget: 80 << 10, overhead: 1024, most: 40 },
    }
    /// `MPI_Allreduce` of f64 sums.
    Allreduce {
        name: "allreduce",
        summary: "sum of f64 over all ranks, slowest rank",
        ranks: Ranks::All,
        sizes: Sizes::Doubles,
        operations: 1,
        reading: Reading::Time,
        batch: Batch { budget: 40 << 10, overhead: 1016, most: 40 },
    }
    /// `MPI_Allreduce` with `MPI_IN_PLACE`.
    AllreduceInPlace {
        name: "allreduce-in-place",
        summary: "sum of f64 over all ranks in one buffer, slowest rank",
        ranks: Ranks::All,
        sizes: Sizes::Doubles,
        operations: 1,
        reading: Reading::Time,
        batch: Batch { budget: 40 << 10, overhead: 1016, most: 40 },
    }
    /// `MPI_Alltoall`; the size is that of the message for one rank.
    Alltoall {
        name: "alltoall",
        summary: "one message from every rank to every rank, slowest rank",
        ranks: Ranks::All,
        sizes: Sizes::Positive,
        operations: 1,
        reading: Reading::Time,
        batch: Batch { budget: 40 << 10, overhead: 1016, most: 40 },
    }
    /// A program of the user's, timed by sifbench from the start of its launcher to its end, less the time for which
    /// sifbench had stopped it. bench-app does not know it.
    Program {
        name: "program",
        summary: "one launch from start to end, less the time for which it was stopped",
        ranks: Ranks::All,
        sizes: Sizes::Nothing,
        operations: 1,
        reading: Reading::Time,
        batch: Batch { budget: 0, overhead: 1, most: 1 },
    }
}

impl Kernel {
    /// Every kernel of bench-app, in the order of tables and reports: all but the last of [`Kernel::EVERY`].
    pub const ALL: [Kernel; Kernel::EVERY.len() - 1] = match Kernel::EVERY.first_chunk() {
        Some(kernels) => *kernels,
        None => unreachable!(),
    };
    /// What is measured where nobody says what.
    pub const USUAL: [Kernel; 3] = [Kernel::Latency, Kernel::Bandwidth, Kernel::Allreduce];

    /// The word used in campaigns, CSV files and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Default K for a message of `bytes`.
    #[must_use]
    pub fn default_k(self, bytes: Bytes) -> u32 {
        let Batch { budget, overhead, most } = self.row().batch;
        (budget / (bytes.0 + overhead)).clamp(1, most).try_into().unwrap_or(1)
    }

    /// Time of one operation in a batch of `k` repetitions that took `ns`, ns.
    #[must_use]
    pub fn operation_ns(self, ns: u64, k: u32) -> f64 {
        ns as f64 / f64::from(k) / f64::from(self.row().operations)
    }

    /// Whether `bytes` is a size this kernel can run, else why not.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self, bytes: Bytes) -> Result<(), &'static str> {
        match self.row().sizes {
            Sizes::Any => Ok(()),
            Sizes::Positive if bytes.0 == 0 => Err("empty messages have no rate; hint: a size above 0"),
            Sizes::Positive => Ok(()),
            Sizes::Doubles if bytes.0 == 0 || !bytes.0.is_multiple_of(8) => {
                Err("sums of f64 need a positive multiple of 8 bytes")
            }
            Sizes::Doubles => Ok(()),
            Sizes::Nothing if bytes.0 == 0 => Ok(()),
            Sizes::Nothing => Err("there is no message; hint: its only size is 0"),
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kernel {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Kernel::ALL.into_iter().find(|k| k.name() == s).ok_or_else(|| {
            let known: Vec<_> = Kernel::ALL.iter().map(|k| k.name()).collect();
            format!("unknown kernel `{s}`; hint: one of {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_has_one_name_everywhere() {
        for kernel in Kernel::ALL {
            assert_eq!(kernel.name().parse(), Ok(kernel));
            assert_eq!(serde_json::to_string(&kernel).unwrap(), format!("\"{kernel}\""));
        }
    }

    /// It is a word of results, and of no workload.
    #[test]
    fn a_program_is_none_of_bench_apps_kernels() {
        assert_eq!(Kernel::EVERY.len(), Kernel::ALL.len() + 1);
        assert!(!Kernel::ALL.contains(&Kernel::Program) && "program".parse::<Kernel>().is_err());
        assert_eq!(serde_json::from_str::<Kernel>("\"program\"").unwrap(), Kernel::Program);
        assert_eq!(Kernel::Program.operation_ns(7, 1), 7.0);
    }

    #[test]
    fn default_batches_are_short_for_large_messages_and_long_for_small_ones() {
        let check = |kernel: Kernel, expected: [u32; 3]| {
            assert_eq!([8, 64 << 10, 4 << 20].map(|bytes| kernel.default_k(Bytes(bytes))), expected, "{kernel}");
        };
        check(Kernel::Latency, [200, 7, 1]);
        check(Kernel::Bandwidth, [15, 1, 1]);
        check(Kernel::Allreduce, [40, 1, 1]);
    }

    #[test]
    fn kernels_refuse_sizes_they_cannot_run() {
        let check = |kernel: Kernel, fine: &[u64], bad: &[u64]| {
            assert!(fine.iter().all(|bytes| kernel.check(Bytes(*bytes)).is_ok()), "{kernel} {fine:?}");
            assert!(bad.iter().all(|bytes| kernel.check(Bytes(*bytes)).is_err()), "{kernel} {bad:?}");
        };
        check(Kernel::Latency, &[0, 1], &[]);
        check(Kernel::Bandwidth, &[1], &[0]);
        check(Kernel::Allreduce, &[8, 16], &[0, 12]);
        check(Kernel::Barrier, &[0], &[8]);
    }

    #[test]
    fn an_operation_is_what_people_name() {
        let per_operation = Kernel::ALL.map(|kernel| (kernel.name(), kernel.operation_ns(12_800, 10)));
        let expected = [1280.0 / 2.0, 1280.0 / 64.0, 1280.0 / 128.0, 1280.0 / 64.0];
        assert_eq!(per_operation.map(|(_, ns)| ns)[..4], expected, "{per_operation:?}");
        assert!(per_operation[4..].iter().all(|(_, ns)| *ns == 1280.0), "{per_operation:?}");
    }
}
