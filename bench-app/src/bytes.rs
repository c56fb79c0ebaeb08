//! Message sizes, as people write and read them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

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
}
