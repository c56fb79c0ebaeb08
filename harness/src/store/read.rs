//! Reads a run, whole or growing, and proves that what is read is what was committed.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    ATTEMPTS, DESIGN, HEADER, MANIFEST, SAMPLES,
    closed::Closed,
    error::{StoreError, failed},
    line, packed,
};
use crate::{
    id::Sha256,
    record::{Design, Manifest, Record, SCHEMA, Sample},
};

pub(super) const RESTORE: &str = "restore it from a copy of the run";

/// A run as it was committed.
#[derive(Debug)]
pub struct Run {
    /// Its directory.
    pub dir: PathBuf,
    /// Where, when, with what.
    pub manifest: Manifest,
    /// What was to be launched.
    pub design: Design,
    /// The attempts, in the order in which they were made: attempt N is the Nth.
    pub records: Vec<Record>,
    /// Their batches, in the same order.
    pub samples: Vec<Sample>,
    /// Whether it is complete, and sealed.
    pub closed: bool,
    /// What lies behind the last commit: an append that goes on just now, or was interrupted.
    pub tail: Tail,
}

/// Bytes behind the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    /// Of `attempts.jsonl`.
    pub attempts: u64,
    /// Of `samples.csv`.
    pub samples: u64,
}

/// How long the files of a run are up to its last commit, bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Committed {
    pub(super) attempts: u64,
    pub(super) samples: u64,
}

/// Reads a run. One that is being written is read up to its last commit.
///
/// # Errors
/// Whatever is not as it was committed, with file, line and what to do.
pub fn load(dir: &Path) -> Result<Run, StoreError> {
    read(dir).map(|(run, _)| run)
}

pub(super) fn read(dir: &Path) -> Result<(Run, Committed), StoreError> {
    if !dir.join(MANIFEST).is_file() {
        return Err(StoreError::NotARun { dir: dir.to_owned() });
    }
    // First, because a run that is closed does not change any more, while one that is not may be closed as it is read.
    let closed = Closed::read(dir)?;
    let (manifest, _) = document::<Manifest>(&dir.join(MANIFEST))?;
    let (design, digest) = document::<Design>(&dir.join(DESIGN))?;
    if let Some((key, fault)) = design.limits.fault() {
        let (what, hint) = fault.split_once("; hint: ").unwrap_or((&fault, RESTORE));
        let (what, hint) = (format!("limits.{key}: {what}"), hint.to_owned());
        return Err(StoreError::Damaged { file: dir.join(DESIGN), line: line_of(dir, key), what, hint });
    }
    if digest != manifest.design {
        let what = "the design differs from the one in manifest.json".to_owned();
        return Err(StoreError::Damaged { file: dir.join(DESIGN), line: 1, what, hint: RESTORE.to_owned() });
    }
    // Attempts before samples, because they are written the other way round.
    let path = dir.join(ATTEMPTS);
    let mut text = Vec::new();
    packed::open(&path).and_then(|mut file| file.read_to_end(&mut text)).map_err(failed("read", &path))?;
    let (lines, torn) = text.split_at(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    let remedy = Remedy { resumable: closed.is_none() };
    let records = records(&path, lines, torn, remedy)?;
    let rows = Rows::read(dir, &records, remedy)?;
    if let Some(closed) = &closed {
        closed.verify(dir, records.len())?;
    }
    let committed = Committed { attempts: lines.len() as u64, samples: rows.end };
    let tail = Tail { attempts: torn.len() as u64, samples: rows.tail };
    let (dir, samples, closed) = (dir.to_owned(), rows.samples, closed.is_some());
    Ok((Run { dir, manifest, design, records, samples, closed, tail }, committed))
}

/// A JSON file with a schema, and its digest.
pub(super) fn document<T: DeserializeOwned>(path: &Path) -> Result<(T, Sha256), StoreError> {
    /// What every version of every document has.
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
        tool: Option<String>,
    }
    let text = fs::read(path).map_err(failed("read", path))?;
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        file: path.to_owned(),
        line: error.line(),
        what: error.to_string(),
        hint: RESTORE.to_owned(),
    };
    // Before the rest, which another schema may have changed.
    let head: Head = serde_json::from_slice(&text).map_err(damaged)?;
    if head.schema != SCHEMA {
        let writer = head.tool.map_or("the sifbench that wrote it".to_owned(), |tool| format!("sifbench {tool}"));
        return Err(StoreError::Schema { file: path.to_owned(), found: head.schema, writer });
    }
    let document = serde_json::from_slice(&text).map_err(damaged)?;
    Ok((document, Sha256::of(&text)))
}

/// The line of the design that holds `key`; the first where it cannot be told.
fn line_of(dir: &Path, key: &str) -> usize {
    let text = fs::read_to_string(dir.join(DESIGN)).unwrap_or_default();
    text.lines().position(|line| line.contains(&format!("\"{key}\""))).map_or(1, |at| at + 1)
}

/// The records of whole lines. Line N is attempt N.
fn records(path: &Path, lines: &[u8], torn: &[u8], remedy: Remedy) -> Result<Vec<Record>, StoreError> {
    let damaged = |line, what| StoreError::Damaged { file: path.to_owned(), line, what, hint: remedy.of(line) };
    let mut records = Vec::new();
    for (at, line) in lines.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        let record = line::decode(&line[..line.len() - 1]).map_err(|what| damaged(number, what))?;
        if record.attempt.0 as usize != number {
            return Err(damaged(number, format!("attempt {} where {number} belongs", record.attempt.0)));
        }
        records.push(record);
    }
    if line::is_torn(torn) {
        Ok(records)
    } else {
        Err(damaged(records.len() + 1, "something else where the line should end".to_owned()))
    }
}

/// What can be done about damage.
#[derive(Clone, Copy)]
struct Remedy {
    resumable: bool,
}

impl Remedy {
    /// For an attempt.
    fn of(self, attempt: usize) -> String {
        if attempt == 1 || !self.resumable {
            return RESTORE.to_owned();
        }
        format!(
            "{RESTORE}; without one, the attempts before it can be kept: delete line {attempt} of {ATTEMPTS} and all that \
             follow, then resume"
        )
    }
}

/// What `samples.csv` holds.
struct Rows {
    samples: Vec<Sample>,
    /// Where the committed rows end, bytes.
    end: u64,
    /// Bytes behind that.
    tail: u64,
}

impl Rows {
    /// Reads the ranges of `records`, one after the other, each against its digest.
    fn read(dir: &Path, records: &[Record], remedy: Remedy) -> Result<Self, StoreError> {
        let path = dir.join(SAMPLES);
        let mut file = packed::open(&path).map_err(failed("read", &path))?;
        let mut next = |bytes: u64| -> Result<Vec<u8>, StoreError> {
            let mut piece = Vec::new();
            file.by_ref().take(bytes).read_to_end(&mut piece).map_err(failed("read", &path))?;
            Ok(piece)
        };
        let damaged = |line, what, hint| StoreError::Damaged { file: path.clone(), line, what, hint };
        if next(HEADER.len() as u64)? != HEADER.as_bytes() {
            return Err(damaged(1, format!("not the header {}", HEADER.trim_end()), RESTORE.to_owned()));
        }
        let (mut samples, mut end) = (Vec::new(), HEADER.len() as u64);
        for (record, number) in records.iter().zip(1..) {
            let (range, first) = (&record.samples, samples.len() + 2);
            if range.offset != end {
                let what = format!("its rows begin at byte {} where byte {end} is due", range.offset);
                return Err(StoreError::Damaged {
                    file: dir.join(ATTEMPTS),
                    line: number,
                    what,
                    hint: remedy.of(number),
                });
            }
            let rows = next(range.bytes)?;
            if rows.len() as u64 != range.bytes || Sha256::of(&rows) != range.sha256 {
                let what = format!("the rows of attempt {number} differ from what was committed");
                return Err(damaged(first, what, remedy.of(number)));
            }
            parse(&rows, record, &mut samples).map_err(|what| damaged(samples.len() + 2, what, remedy.of(number)))?;
            end += range.bytes;
        }
        let tail = io::copy(&mut file, &mut io::sink()).map_err(failed("read", &path))?;
        Ok(Self { samples, end, tail })
    }
}

/// Adds the rows of one attempt to `samples`; else what is wrong with the next.
fn parse(rows: &[u8], record: &Record, samples: &mut Vec<Sample>) -> Result<(), String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(rows);
    let mut row = csv::ByteRecord::new();
    while reader.read_byte_record(&mut row).map_err(|error| error.to_string())? {
        let sample: Sample = row.deserialize(None).map_err(|error| error.to_string())?;
        if sample.attempt != record.attempt {
            return Err(format!("a row of attempt {} among those of {}", sample.attempt.0, record.attempt.0));
        }
        samples.push(sample);
    }
    Ok(())
}
