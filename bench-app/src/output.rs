//! Frames on their way out: one `write` each, past the buffers of std, so that no launcher sees half a line.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
};

use bench_app::{Event, encode};

/// Standard output, unbuffered.
pub(crate) struct Output(File);

impl Output {
    /// A second handle on standard output.
    pub(crate) fn open() -> io::Result<Output> {
        io::stdout().as_fd().try_clone_to_owned().map(|fd| Output(File::from(fd)))
    }

    /// Writes one frame.
    pub(crate) fn say(&mut self, event: &Event) -> io::Result<()> {
        self.0.write_all(encode(event).as_bytes())
    }
}
