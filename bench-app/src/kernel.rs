//! Kernels and message sizes: the two words every table, plot and command line is made of.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One measured communication pattern. Adding one: a variant, a row in [`Kernel::ALL`], a file in `src/kernels/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// Ping-pong between ranks 0 and 1. A batch is K round trips; latency is the batch divided by 2K (half round trip).
    Latency,
    /// A window of 64 messages from rank 0 to rank 1, then one empty reply. A batch is K windows.
    Bandwidth,
    /// `MPI_Allreduce` of f64 sums over all ranks. A batch is K calls; its time is that of the slowest rank.
    Allreduce,
}

/// Messages in flight per window of [`Kernel::Bandwidth`], as in the OSU benchmarks.
pub const WINDOW: usize = 64;

impl Kernel {
    /// Every kernel, in the order of tables and reports.
    pub const ALL: [Kernel; 3] = [Kernel::Latency, Kernel::Bandwidth, Kernel::Allreduce];

    /// The word used in campaigns, CSV files and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kernel::Latency => "latency",
            Kernel::Bandwidth => "bandwidth",
            Kernel::Allreduce => "allreduce",
        }
    }

    /// Default K for a message of `bytes`: so that a batch lasts 50 us or more on shared memory (0.14 us for 8 bytes one
    /// way, 0.19 us for an allreduce of two ranks) without making one batch of the largest messages longer than a visit.
    #[must_use]
    pub fn default_k(self, bytes: Bytes) -> u32 {
        let size = bytes.0.max(1);
        match self {
            Kernel::Latency => (512 * 1024 / (size + 2048)).clamp(1, 200),
            Kernel::Bandwidth => (128 * 1024 / (size + 8192)).clamp(1, 15),
            Kernel::Allreduce => (300 * 1024 / (size + 1016)).clamp(1, 300),
        }
        .try_into()
        .unwrap_or(1)
    }

    /// Whether `bytes` is a size this kernel can run, else why not.
    ///
    /// # Errors
    /// An empty bandwidth message has no rate; an allreduce counts in whole f64.
    pub fn check(self, bytes: Bytes) -> Result<(), &'static str> {
        match self {
            Kernel::Latency => Ok(()),
            Kernel::Bandwidth if bytes.0 == 0 => Err("bandwidth of empty messages is undefined"),
            Kernel::Bandwidth => Ok(()),
            Kernel::Allreduce if bytes.0 == 0 || !bytes.0.is_multiple_of(8) => {
                Err("allreduce sums f64: the size must be a positive multiple of 8 bytes")
            }
            Kernel::Allreduce => Ok(()),
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

/// A message size in bytes. Reads `8`, `1Ki`, `64KiB`, `4Mi`, `1GiB`; prints `8 B`, `1 KiB`, `3072 B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u32); 3] = [("Gi", 30), ("Mi", 20), ("Ki", 10)];
/// Counts of MPI calls are C ints: a larger message could not be sent in one call.
const LARGEST: u64 = i32::MAX as u64;

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, shift)| self.0 != 0 && self.0.is_multiple_of(1 << shift));
        f.pad(&match whole {
            Some((unit, shift)) => format!("{} {unit}B", self.0 >> shift),
            None => format!("{} B", self.0),
        })
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let trimmed = s.trim();
        let bare = trimmed.strip_suffix('B').unwrap_or(trimmed).trim_end();
        let (digits, shift) = UNITS
            .iter()
            .find_map(|(unit, shift)| bare.strip_suffix(unit).map(|digits| (digits.trim_end(), *shift)))
            .unwrap_or((bare, 0));
        let number: u64 =
            digits.parse().map_err(|_| format!("`{s}` is not a size; hint: bytes, or 1Ki, 64KiB, 4Mi"))?;
        number
            .checked_mul(1 << shift)
            .filter(|n| *n <= LARGEST)
            .map(Bytes)
            .ok_or_else(|| format!("`{s}` is more than one MPI call can send (2 GiB less one byte)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_and_print() {
        let check = |text: &str, bytes: u64, printed: &str| {
            let size: Bytes = text.parse().unwrap();
            assert_eq!((size.0, size.to_string()), (bytes, printed.to_owned()), "{text}");
        };
        check("0", 0, "0 B");
        check("8", 8, "8 B");
        check("3072", 3072, "3 KiB");
        check("1000", 1000, "1000 B");
        check("1Ki", 1024, "1 KiB");
        check("64 KiB", 65536, "64 KiB");
        check("4Mi", 4 << 20, "4 MiB");
        check("1024Ki", 1 << 20, "1 MiB");
    }

    #[test]
    fn bad_sizes_are_named() {
        for bad in ["", "-1", "1K", "eight", "1.5Mi", "3Gi", "99999999999999999999"] {
            let error = bad.parse::<Bytes>().unwrap_err();
            assert!(error.contains(bad), "{bad}: {error}");
        }
    }

    #[test]
    fn kernels_refuse_sizes_they_cannot_run() {
        assert!(Kernel::Latency.check(Bytes(0)).is_ok());
        assert!(Kernel::Bandwidth.check(Bytes(0)).is_err());
        assert!(Kernel::Allreduce.check(Bytes(12)).is_err());
        assert!(Kernel::Allreduce.check(Bytes(16)).is_ok());
    }
}
