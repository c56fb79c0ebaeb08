//! Payloads whose every byte is known to the receiver: what the check pass sends.

use crate::kernel::WINDOW;

/// Distance between the starts of two messages in the pattern: a cache line, so that all are aligned alike.
const SHIFT: usize = 64;
/// Messages per sender that are distinct.
const PER_SENDER: usize = WINDOW;
const SENDERS: usize = 2;

/// Bytes that look random, none of them 0: a receive buffer filled with zeros shows each byte that was not written.
///
/// Messages are windows into one pattern, each at an offset of its own. Checking is then a plain comparison.
#[derive(Debug)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// A pattern for messages of up to `largest` bytes.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        let words = (largest + SHIFT * PER_SENDER * SENDERS).div_ceil(8);
        Pattern((0..words as u64).flat_map(|at| (mix(at) | 0x0101_0101_0101_0101).to_le_bytes()).collect())
    }

    /// Message `index` (below [`WINDOW`]) of `sender` (0 or 1), `len` bytes.
    #[must_use]
    pub fn message(&self, sender: usize, index: usize, len: usize) -> &[u8] {
        let start = SHIFT * (sender * PER_SENDER + index);
        &self.0[start..start + len]
    }
}

/// The finalizer of splitmix64: neighbouring positions get unrelated bytes.
fn mix(at: u64) -> u64 {
    let z = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Index of the first place where `got` differs from `sent`, if any.
pub fn first_difference<T: PartialEq>(got: &[T], sent: impl IntoIterator<Item = T>) -> Option<u64> {
    got.iter().zip(sent).position(|(got, sent)| *got != sent).map(|at| at as u64)
}

/// What `rank` contributes to element `at` of a checked sum: whole numbers, so that the sum is exact in f64.
#[must_use]
pub fn term(rank: u32, at: usize) -> f64 {
    f64::from(rank + 1) * element(at)
}

/// The sum of the [`term`]s of `ranks` ranks (exact up to 2^18 of them).
#[must_use]
pub fn total(ranks: u32, at: usize) -> f64 {
    f64::from(ranks) * f64::from(ranks + 1) / 2.0 * element(at)
}

fn element(at: usize) -> f64 {
    (at % 65536 + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_differ_from_each_other_and_from_an_unwritten_buffer() {
        let pattern = Pattern::new(8);
        let all: Vec<_> = (0..SENDERS)
            .flat_map(|s| (0..WINDOW).map(move |i| (s, i)))
            .map(|(s, i)| pattern.message(s, i, 8))
            .collect();
        assert!(all.iter().all(|message| message.iter().all(|byte| *byte != 0)));
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_last_message_of_the_largest_size_is_inside() {
        assert_eq!(Pattern::new(4097).message(1, WINDOW - 1, 4097).len(), 4097);
        assert_eq!(Pattern::new(0).message(1, WINDOW - 1, 0), b"");
    }

    #[test]
    fn the_first_changed_byte_is_named() {
        let pattern = Pattern::new(1000);
        let mut got = pattern.message(0, 3, 1000).to_vec();
        let sent = || pattern.message(0, 3, 1000).iter().copied();
        assert_eq!(first_difference(&got, sent()), None);
        got[999] = 0;
        assert_eq!(first_difference(&got, sent()), Some(999));
        got[17] ^= 1;
        assert_eq!(first_difference(&got, sent()), Some(17));
    }

    #[test]
    fn totals_are_the_exact_sums_of_terms() {
        for ranks in [2, 3, 1000] {
            for at in [0, 1, 65535, 65536, 1 << 20] {
                let sum: f64 = (0..ranks).map(|rank| term(rank, at)).sum();
                assert_eq!(sum.to_bits(), total(ranks, at).to_bits(), "{ranks} ranks, element {at}");
            }
        }
    }
}
