//! Message buffers: page-aligned and touched, so that no batch pays for a page fault or for where an allocator put it.

const PAGE: usize = 4096;
/// Messages of a window begin on cache lines of their own.
const LINE: usize = 64;

/// `len` elements that start on a page boundary and whose pages have all been written by the calling thread.
#[derive(Debug)]
pub struct Pages<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy> Pages<T> {
    /// Allocates and fills with `value`, which must not be all zero bits: zeroed memory is mapped, not written.
    #[must_use]
    pub fn new(len: usize, value: T) -> Self {
        let page = PAGE / size_of::<T>();
        let memory = vec![value; if len == 0 { 0 } else { len + page }];
        let start = if len == 0 { 0 } else { memory.as_ptr().align_offset(PAGE).min(page) };
        Pages { memory, start, len }
    }

    /// The first `len` elements.
    #[must_use]
    pub fn head(&self, len: usize) -> &[T] {
        &self.memory[self.start..self.start + self.len][..len]
    }

    /// The first `len` elements, to write to.
    #[must_use]
    pub fn head_mut(&mut self, len: usize) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.len][..len]
    }
}

impl Pages<u8> {
    /// `count` separate messages of `len` bytes.
    pub fn messages_mut(&mut self, count: usize, len: usize) -> impl Iterator<Item = &mut [u8]> {
        let stride = stride(len);
        self.head_mut(count * stride).chunks_exact_mut(stride).map(move |message| &mut message[..len])
    }
}

/// Bytes one message of `len` takes in a window.
#[must_use]
pub fn stride(len: usize) -> usize {
    len.next_multiple_of(LINE).max(LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_page_and_are_written() {
        for len in [1, 7, 4096, 100_000] {
            let (bytes, sums) = (Pages::new(len, 1_u8), Pages::new(len, 1.0_f64));
            assert_eq!((bytes.head(len).as_ptr().addr() % PAGE, sums.head(len).as_ptr().addr() % PAGE), (0, 0));
            assert!(bytes.head(len).iter().all(|b| *b == 1) && sums.head(len).iter().all(|s| *s == 1.0));
        }
        assert_eq!(Pages::new(0, 1_u8).head(0), b"");
    }

    #[test]
    fn messages_of_a_window_share_no_cache_line() {
        for (len, apart) in [(1, 64), (64, 64), (65, 128), (4096, 4096)] {
            let mut pages = Pages::new(64 * stride(len), 1_u8);
            let starts: Vec<_> = pages.messages_mut(64, len).map(|m| (m.as_ptr().addr(), m.len())).collect();
            assert_eq!(starts.len(), 64);
            assert!(starts.iter().all(|(start, l)| start % LINE == 0 && *l == len));
            assert!(starts.windows(2).all(|pair| pair[1].0 - pair[0].0 == apart));
        }
    }
}
