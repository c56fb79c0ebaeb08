//! Message buffers: page-aligned and touched, so that no batch pays for a page fault or for where an allocator put it.

const PAGE: usize = 4096;
/// Messages begin on cache lines of their own.
const LINE: usize = 64;

/// Bytes that start on a page boundary and whose pages have all been written by the calling thread.
#[derive(Debug)]
pub struct Pages {
    memory: Vec<u8>,
    start: usize,
}

impl Pages {
    /// Allocates `len` bytes and fills them with `word` again and again.
    #[must_use]
    pub fn new(len: usize, word: [u8; 8]) -> Self {
        let memory = vec![0; if len == 0 { 0 } else { len + PAGE }];
        let start = if len == 0 { 0 } else { memory.as_ptr().align_offset(PAGE).min(PAGE) };
        let mut pages = Pages { memory, start };
        pages.fill(len, word);
        pages
    }

    /// Writes `word` again and again over the first `len` bytes.
    pub fn fill(&mut self, len: usize, word: [u8; 8]) {
        for chunk in self.head_mut(len).chunks_mut(word.len()) {
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    /// The first `len` bytes.
    #[must_use]
    pub fn head(&self, len: usize) -> &[u8] {
        &self.memory[self.start..][..len]
    }

    /// The first `len` bytes, to write to.
    #[must_use]
    pub fn head_mut(&mut self, len: usize) -> &mut [u8] {
        &mut self.memory[self.start..][..len]
    }

    /// The first bytes as `slots`.
    #[must_use]
    pub fn lane(&self, slots: Slots) -> Lane<'_> {
        Lane { memory: self.head(slots.bytes()), slots }
    }

    /// The first bytes as `slots`, to write to.
    #[must_use]
    pub fn lane_mut(&mut self, slots: Slots) -> LaneMut<'_> {
        LaneMut { memory: self.head_mut(slots.bytes()), slots }
    }
}

/// Equally long places at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// Bytes of a message.
    pub len: usize,
    /// From the start of one place to that of the next, bytes.
    pub stride: usize,
    /// Places.
    pub count: usize,
}

impl Slots {
    /// `count` places for messages of `len` bytes, side by side, each on cache lines of its own.
    #[must_use]
    pub const fn new(len: usize, count: usize) -> Self {
        let stride = if len == 0 { LINE } else { len.next_multiple_of(LINE) };
        Slots { len, stride, count }
    }

    /// All places, bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.count * self.stride
    }

    /// The same, or as many places more as it takes to pass `bytes`.
    #[must_use]
    pub fn over(self, bytes: usize) -> Self {
        Slots { count: self.count.max(bytes.div_ceil(self.stride)), ..self }
    }
}

/// Places to send from.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a> {
    /// Where they lie.
    pub memory: &'a [u8],
    /// How.
    pub slots: Slots,
}

/// Places to receive into.
#[derive(Debug)]
pub struct LaneMut<'a> {
    /// Where they lie.
    pub memory: &'a mut [u8],
    /// How.
    pub slots: Slots,
}

impl<'a> Lane<'a> {
    /// One place: all of `message`.
    #[must_use]
    pub fn of(message: &'a [u8]) -> Self {
        Lane { slots: Slots::new(message.len(), 1), memory: message }
    }
}

impl<'a> LaneMut<'a> {
    /// One place: all of `message`.
    #[must_use]
    pub fn of(message: &'a mut [u8]) -> Self {
        LaneMut { slots: Slots::new(message.len(), 1), memory: message }
    }

    /// The places, one after the other.
    pub fn messages(self) -> impl Iterator<Item = &'a mut [u8]> {
        let Slots { len, stride, count } = self.slots;
        self.memory.chunks_exact_mut(stride).take(count).map(move |place| &mut place[..len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_page_and_are_written() {
        for len in [1, 7, 4096, 100_000] {
            let pages = Pages::new(len, 1.0_f64.to_ne_bytes());
            assert_eq!(pages.head(len).as_ptr().addr() % PAGE, 0);
            let whole = pages.head(len).as_chunks::<8>().0;
            assert!(whole.iter().all(|word| f64::from_ne_bytes(*word).to_bits() == 1.0_f64.to_bits()), "{len}");
        }
        assert_eq!(Pages::new(0, [1; 8]).head(0), b"");
    }

    #[test]
    fn messages_share_no_cache_line() {
        for (len, apart) in [(0, 64), (1, 64), (64, 64), (65, 128), (4096, 4096)] {
            let slots = Slots::new(len, 64);
            let mut pages = Pages::new(slots.bytes(), [1; 8]);
            let starts: Vec<_> = pages.lane_mut(slots).messages().map(|m| (m.as_ptr().addr(), m.len())).collect();
            assert_eq!(starts.len(), 64);
            assert!(starts.iter().all(|(start, l)| start % LINE == 0 && *l == len));
            assert!(starts.windows(2).all(|pair| pair[1].0 - pair[0].0 == apart));
        }
    }

    #[test]
    fn a_rotating_set_is_larger_than_asked() {
        let check = |len: usize, count: usize, over: usize, expected: usize| {
            let slots = Slots::new(len, count).over(over);
            assert_eq!(slots.count, expected);
            assert!(slots.bytes() >= over);
        };
        check(8, 1, 0, 1);
        check(8, 1, 1000, 16);
        check(8, 64, 1000, 64);
        check(1 << 20, 1, (3 << 20) + 1, 4);
    }
}
