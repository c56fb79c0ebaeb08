//! Bytes to whole lines, in bounded memory.

use std::collections::VecDeque;

/// Cuts a byte stream into lines. A line over the limit keeps its beginning and says how much was cut.
#[derive(Debug)]
pub(super) struct Lines {
    limit: usize,
    partial: Vec<u8>,
    cut: u64,
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, partial: Vec::new(), cut: 0 }
    }

    /// Takes the next bytes and delivers every line they complete, without its newline.
    pub(super) fn push(&mut self, mut bytes: &[u8], deliver: &mut dyn FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.keep(&bytes[..end]);
            self.flush(deliver);
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// Delivers a last line that had no newline.
    pub(super) fn finish(&mut self, deliver: &mut dyn FnMut(&str)) {
        if !self.partial.is_empty() {
            self.flush(deliver);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.limit - self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
        self.cut += (bytes.len() - room) as u64;
    }

    fn flush(&mut self, deliver: &mut dyn FnMut(&str)) {
        let mut line = String::from_utf8_lossy(&self.partial);
        if self.cut > 0 {
            line.to_mut().push_str(&format!(" [line cut: {} bytes more]", self.cut));
        }
        deliver(&line);
        self.partial.clear();
        self.cut = 0;
    }
}

const FIRST: usize = 20;
const LAST: usize = 40;
const EXCERPT_LINE: usize = 2048;

/// The beginning and the end of a stream: the first lines usually name the cause, the last ones the victim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The first lines, at most 20.
    pub first: Vec<String>,
    /// How many lines between `first` and `last` are not kept.
    pub omitted: u64,
    /// The last lines after `first`, at most 40.
    pub last: VecDeque<String>,
}

impl Excerpt {
    pub(super) fn push(&mut self, line: &str) {
        let whole = (0..=EXCERPT_LINE.min(line.len())).rev().find(|&end| line.is_char_boundary(end));
        let line = line[..whole.unwrap_or(0)].to_owned();
        if self.first.len() < FIRST {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > LAST {
            self.last.pop_front();
            self.omitted += 1;
        }
    }

    /// All lines kept, in order.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.first.iter().chain(&self.last).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limit: usize, chunks: &[&[u8]], expected: &[&str]) {
        let mut lines = Lines::new(limit);
        let mut seen = Vec::new();
        let mut deliver = |line: &str| seen.push(line.to_owned());
        for chunk in chunks {
            lines.push(chunk, &mut deliver);
        }
        lines.finish(&mut deliver);
        assert_eq!(seen, expected);
    }

    #[test]
    fn lines_come_whole_however_the_bytes_arrive() {
        check(100, &[b"a\nb", b"c", b"\n\nlast"], &["a", "bc", "", "last"]);
        check(100, &[b"bad \xff byte\n"], &["bad \u{fffd} byte"]);
        check(100, &[b"", b"\n"], &[""]);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        check(4, &[b"abcd\nabc", b"defg", b"h\nnext\n"], &["abcd", "abcd [line cut: 4 bytes more]", "next"]);
    }

    #[test]
    fn an_excerpt_keeps_both_ends() {
        let mut excerpt = Excerpt::default();
        (0..100).for_each(|n| excerpt.push(&n.to_string()));
        assert_eq!((excerpt.first[19].as_str(), excerpt.omitted), ("19", 40));
        assert_eq!((excerpt.last[0].as_str(), excerpt.last[39].as_str()), ("60", "99"));
        excerpt.push(&"é".repeat(EXCERPT_LINE));
        assert!(excerpt.last[39].len() <= EXCERPT_LINE);
    }
}
