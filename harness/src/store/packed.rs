//! Files of a run as they are, or packed by gzip: a closed run may be published packed, and reads as if it were not.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

/// What `path` holds, or what `path` with `.gz` behind it unpacks to where that alone is there.
///
/// # Errors
/// Neither can be opened: the error is that of `path`.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    match File::open(path) {
        Ok(file) => Ok(Box::new(BufReader::new(file))),
        Err(error) if error.kind() == ErrorKind::NotFound => match File::open(packed(path)) {
            Ok(file) => Ok(Box::new(MultiGzDecoder::new(BufReader::new(file)))),
            Err(_) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn packed(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".gz");
    name.into()
}

/// Counts what is read.
pub(super) struct Counted<R> {
    reader: R,
    /// Bytes so far.
    pub(super) bytes: u64,
}

impl<R> Counted<R> {
    /// Nothing yet.
    pub(super) fn new(reader: R) -> Self {
        Self { reader, bytes: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}
