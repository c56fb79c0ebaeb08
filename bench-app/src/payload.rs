//! Payloads whose every byte is known to the receiver: what the check pass sends.

use crate::{
    kernel::WINDOW,
    pages::{Lane, Slots},
};

/// Distance between the starts of two messages in the pattern: a cache line, so that all are aligned alike.
const SHIFT: usize = 64;
/// Messages that begin at places of their own.
const DISTINCT: usize = 2 * WINDOW;
/// From one sender's first message to the next one's: an odd number of places, so that neighbours differ in whatever they
/// send to whom; rank 0's and rank 1's windows do not overlap.
const SENDER: usize = WINDOW + 1;

/// Bytes that look random, none of them 0: a receive buffer filled with zeros shows each byte that was not written.
///
/// Messages are windows into one pattern, each at an offset of its own. Checking is then a plain comparison.
#[derive(Debug)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// A pattern for messages of up to `largest` bytes.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        let words = (largest + SHIFT * (DISTINCT + WINDOW)).div_ceil(8);
        Pattern((0..words as u64).flat_map(|at| (mix(at) | 0x0101_0101_0101_0101).to_le_bytes()).collect())
    }

    /// Message `index` of `sender`, `len` bytes. The first [`WINDOW`] messages of a sender are distinct, and so are those
    /// of neighbours.
    #[must_use]
    pub fn message(&self, sender: usize, index: usize, len: usize) -> &[u8] {
        &self.0[SHIFT * (place(sender) + index % WINDOW)..][..len]
    }

    /// The first [`WINDOW`] messages of `sender`. They overlap, as what is only read may.
    #[must_use]
    pub fn window(&self, sender: usize, len: usize) -> Lane<'_> {
        let memory = &self.0[SHIFT * place(sender)..][..SHIFT * (WINDOW - 1) + len];
        Lane { memory, slots: Slots { len, stride: SHIFT, count: WINDOW } }
    }
}

/// Where a sender's first message begins.
fn place(sender: usize) -> usize {
    sender * SENDER % DISTINCT
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
        let pairs = (0..2).flat_map(|sender| (0..WINDOW).map(move |index| (sender, index)));
        let all: Vec<_> = pairs.map(|(sender, index)| pattern.message(sender, index, 8)).collect();
        assert!(all.iter().all(|message| message.iter().all(|byte| *byte != 0)));
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_last_message_of_the_largest_size_is_inside() {
        let pattern = Pattern::new(4097);
        for sender in 0..2 * DISTINCT {
            let (first, last) = (pattern.message(sender, 0, 4097), pattern.message(sender, WINDOW - 1, 4097));
            let window = pattern.window(sender, 4097).memory;
            assert!(window.starts_with(first) && window.ends_with(last), "{sender}");
        }
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
