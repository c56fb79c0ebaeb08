//! One output stream of a launch: its pipe, its log file, its lines.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use super::lines::Lines;

/// Bytes of one stream kept in its log file.
const LOG_CAP: u64 = 1 << 20;
const CHUNK: usize = 64 << 10;

/// Which of a launch's two streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What reading a pipe came to.
pub(super) enum Flow {
    Data,
    Empty,
    Closed,
}

/// The reading end of a stream.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) stream: Stream,
    pipe: File,
    lines: Lines,
    log: Option<CappedLog>,
    chunk: Vec<u8>,
}

impl Tap {
    /// Reads `pipe`, which must not block, into lines of at most `limit` bytes and, when named, a log file.
    pub(super) fn new(stream: Stream, pipe: OwnedFd, limit: usize, log: Option<PathBuf>) -> Self {
        Self {
            stream,
            pipe: pipe.into(),
            lines: Lines::new(limit),
            log: log.map(CappedLog::new),
            chunk: vec![0; CHUNK],
        }
    }

    /// Reads once and delivers the lines completed by it.
    pub(super) fn pump(&mut self, deliver: &mut dyn FnMut(Stream, &str)) -> Result<Flow, LogFailed> {
        let count = match self.pipe.read(&mut self.chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flow::Empty),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Flow::Data),
            // A pipe has no other error to give; without it there is nothing more to read.
            Err(_) => 0,
        };
        if count == 0 {
            return Ok(Flow::Closed);
        }
        let bytes = &self.chunk[..count];
        let stream = self.stream;
        self.lines.push(bytes, &mut |line| deliver(stream, line));
        self.log.as_mut().map_or(Ok(()), |log| log.write(bytes))?;
        Ok(Flow::Data)
    }

    /// Delivers an unfinished last line and completes the log.
    pub(super) fn finish(mut self, deliver: &mut dyn FnMut(Stream, &str)) -> Result<(), LogFailed> {
        let stream = self.stream;
        self.lines.finish(&mut |line| deliver(stream, line));
        self.log.map_or(Ok(()), CappedLog::finish)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// A log file could not be written.
#[derive(Debug)]
pub(super) struct LogFailed {
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

/// A file that takes the first bytes of a stream and counts the rest. It exists once there is something to write.
#[derive(Debug)]
struct CappedLog {
    path: PathBuf,
    file: Option<File>,
    written: u64,
    beyond: u64,
}

impl CappedLog {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, written: 0, beyond: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LogFailed> {
        let room = usize::try_from(LOG_CAP - self.written).unwrap_or(usize::MAX).min(bytes.len());
        self.beyond += (bytes.len() - room) as u64;
        if room == 0 {
            return Ok(());
        }
        self.written += room as u64;
        self.append(&bytes[..room])
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), LogFailed> {
        let Self { path, file, .. } = self;
        let opened = match file.take() {
            Some(file) => Ok(file),
            None => File::create(&*path),
        };
        opened
            .and_then(|mut opened| opened.write_all(bytes).map(|()| *file = Some(opened)))
            .map_err(|source| LogFailed { path: path.clone(), source })
    }

    fn finish(mut self) -> Result<(), LogFailed> {
        match self.beyond {
            0 => Ok(()),
            beyond => self.append(format!("\n... {beyond} bytes more\n").as_bytes()),
        }
    }
}
