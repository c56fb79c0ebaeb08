//! A run on disk: only ever added to, and readable up to its last commit whatever happens to whoever writes it.
//!
//! results/README.md is the specification. An append syncs the attempt's rows, then its line, which says where the rows
//! lie and what their digest is: the line is the commit. What an interrupted append leaves behind the last line is a
//! tail, which readers pass over and [`Store::resume`] cuts off. Anything else that does not fit is an error.

mod closed;
mod disk;
mod error;
mod find;
mod line;
mod lock;
mod logs;
mod packed;
mod read;

use std::{
    fs,
    io::{self, ErrorKind},
    iter,
    path::{Path, PathBuf},
};

use self::{
    closed::{CLOSED, Closed},
    disk::Ledger,
    error::failed,
    lock::Lock,
    read::Committed,
};
pub use self::{
    error::StoreError,
    find::{attempts, is_closed, manifest, resolve},
    logs::said,
    read::{Run, Tail, load},
};
use crate::{
    id::{AttemptId, Sha256},
    record::{Design, Manifest, Record, Sample, SampleRange, Staging},
};

const MANIFEST: &str = "manifest.json";
const DESIGN: &str = "design.json";
const ATTEMPTS: &str = "attempts.jsonl";
const SAMPLES: &str = "samples.csv";
const LOGS: &str = "logs";
/// First line of `samples.csv`: the names of [`Sample`]'s fields.
const HEADER: &str = "attempt,kernel,bytes,visit,batch,k,ns\n";

/// Runs of one design that may start in the same second.
const NAMES: u32 = 1000;

/// A run that is being written, by this process alone.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    attempts: Ledger,
    samples: Ledger,
    /// Attempts committed.
    made: usize,
    lock: Lock,
}

/// The digest of `design.json` as it is written.
#[must_use]
pub fn design_digest(design: &Design) -> Sha256 {
    Sha256::of(json(design).as_bytes())
}

fn json<T: serde::Serialize>(document: &T) -> String {
    serde_json::to_string_pretty(document).unwrap_or_else(|error| unreachable!("plain data: {error}")) + "\n"
}

impl Store {
    /// Makes a run below `root`, in `<site>/<time>-<digits of the design's digest>`. It appears whole or not at all.
    /// What the manifest says of the design is replaced by the digest of what is written.
    ///
    /// # Errors
    /// When `root` cannot be written.
    pub fn create(root: &Path, manifest: &Manifest, design: &Design) -> Result<Self, StoreError> {
        let site = root.join(manifest.site.to_string());
        disk::make_dirs(&site)?;
        let site = fs::canonicalize(&site).map_err(failed("find", &site))?;
        let draft = draft(&site)?;
        let made = Self::fill(&draft, manifest, design).and_then(|lock| {
            let dir = publish(&draft, &site, manifest, design)?;
            let nothing = Committed { attempts: 0, samples: HEADER.len() as u64 };
            Self::open(&dir, nothing, 0, lock.moved_to(&dir))
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&draft);
        }
        made
    }

    /// Writes all that a new run consists of, with its lock: nobody can come between its appearance and its use.
    fn fill(draft: &Path, manifest: &Manifest, design: &Design) -> Result<Lock, StoreError> {
        let lock = Lock::take(draft)?;
        let design = json(design);
        let manifest = Manifest { design: Sha256::of(design.as_bytes()), ..manifest.clone() };
        let files =
            [(MANIFEST, json(&manifest)), (DESIGN, design), (ATTEMPTS, String::new()), (SAMPLES, HEADER.into())];
        for (name, text) in files {
            let path = draft.join(name);
            disk::write_new(&path, text.as_bytes()).map_err(failed("write", &path))?;
        }
        let logs = draft.join(LOGS);
        fs::create_dir(&logs).and_then(|()| disk::sync_dir(draft)).map_err(failed("create", &logs))?;
        Ok(lock)
    }

    /// Goes on with a run that was stopped: takes its lock, proves what is committed, and cuts off the tail. The run that
    /// is returned still says how long that tail was.
    ///
    /// # Errors
    /// When another harness writes it, it is closed, or not what was committed.
    pub fn resume(dir: &Path) -> Result<(Self, Run), StoreError> {
        let dir = fs::canonicalize(dir).map_err(failed("find", dir))?;
        if !dir.join(MANIFEST).is_file() {
            return Err(StoreError::NotARun { dir });
        }
        // Before the lock: a closed run is not touched, be it for an instant.
        if dir.join(CLOSED).exists() {
            return Err(StoreError::Closed { dir });
        }
        let lock = Lock::take(&dir)?;
        let (run, committed) = read::read(&dir)?;
        if run.closed {
            return Err(StoreError::Closed { dir });
        }
        Ok((Self::open(&dir, committed, run.records.len(), lock)?, run))
    }

    fn open(dir: &Path, committed: Committed, made: usize, lock: Lock) -> Result<Self, StoreError> {
        let attempts = Ledger::open(dir.join(ATTEMPTS), committed.attempts)?;
        let samples = Ledger::open(dir.join(SAMPLES), committed.samples)?;
        Ok(Self { dir: dir.to_owned(), attempts, samples, made, lock })
    }

    /// Adds to the manifest what was brought to the nodes for what follows.
    ///
    /// # Errors
    /// When the file system refuses, or somebody else writes here too. The manifest is then as it was.
    pub fn staged(&mut self, staging: Staging) -> Result<(), StoreError> {
        self.lock.check()?;
        let path = self.dir.join(MANIFEST);
        let (mut manifest, _) = read::document::<Manifest>(&path)?;
        manifest.staged.push(staging);
        disk::replace(&path, json(&manifest).as_bytes())
    }

    /// The run's directory, absolute.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where what an attempt writes is kept, without the extension that tells its streams apart.
    #[must_use]
    pub fn log_path(&self, attempt: AttemptId) -> PathBuf {
        self.dir.join(LOGS).join(attempt.to_string())
    }

    /// Commits an attempt with its rows, and says where these lie. On return both are on disk; after an error neither is.
    ///
    /// # Errors
    /// When the file system refuses, or somebody else writes here too.
    pub fn append(&mut self, record: &Record, samples: &[Sample]) -> Result<SampleRange, StoreError> {
        self.in_order(record, samples)?;
        self.lock.check()?;
        let rows = rows(samples);
        let offset = self.samples.committed();
        let range = SampleRange { offset, bytes: rows.len() as u64, sha256: Sha256::of(&rows) };
        self.samples.extend(&rows)?;
        let line = line::encode(&Record { samples: range.clone(), ..record.clone() });
        // Rows without their line are a tail.
        self.attempts.extend(line.as_bytes()).inspect_err(|_| self.samples.back_to(offset))?;
        self.made += 1;
        Ok(range)
    }

    /// Attempt N is line N, and a row belongs to the attempt it is committed with: readers rely on both.
    fn in_order(&self, record: &Record, samples: &[Sample]) -> Result<(), StoreError> {
        let (given, due) = (record.attempt.0, self.made + 1);
        let what = if given as usize != due {
            format!("attempt {given} is to be committed where {due} is due")
        } else if let Some(stray) = samples.iter().find(|sample| sample.attempt != record.attempt) {
            format!("a sample of attempt {} is to be committed with attempt {given}", stray.attempt.0)
        } else {
            return Ok(());
        };
        Err(StoreError::OutOfOrder { what })
    }

    /// Closes a complete run: proves it once more and seals it. Nothing in its directory changes afterwards.
    ///
    /// # Errors
    /// When it is not what was committed, or cannot be written. It is then still open.
    pub fn close(self) -> Result<(), StoreError> {
        self.lock.check()?;
        self.attempts.check()?;
        self.samples.check()?;
        let run = load(&self.dir)?;
        Closed::of(&self.dir, run.records.len())?.write(&self.dir)
    }
}

fn rows(samples: &[Sample]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let written = samples.iter().try_for_each(|sample| writer.serialize(sample));
    written.unwrap_or_else(|error| unreachable!("plain data: {error}"));
    writer.into_inner().unwrap_or_else(|error| unreachable!("memory takes all: {error}"))
}

/// Makes a directory in which a run is prepared.
fn draft(site: &Path) -> Result<PathBuf, StoreError> {
    let names = (0..NAMES).map(|n| format!(".new-{}-{n}", std::process::id()));
    // A name may be taken by a process of another host, or by what a killed one left.
    first_free(site, names, |draft| fs::create_dir(draft))
}

/// Gives the run its name: from here on it exists.
fn publish(draft: &Path, site: &Path, manifest: &Manifest, design: &Design) -> Result<PathBuf, StoreError> {
    let name = format!("{}-{}", find::stamp(&manifest.started), design_digest(design).short(8));
    let again = (2..NAMES).map(|n| format!("{name}-{n}"));
    // A run is never empty, and a directory cannot be renamed onto one that is not.
    let dir = first_free(site, iter::once(name.clone()).chain(again), |dir| fs::rename(draft, dir))?;
    disk::sync_dir(site).map_err(failed("create", &dir))?;
    Ok(dir)
}

/// Makes what is called by the first of `names` that nothing in `site` has yet.
fn first_free(
    site: &Path,
    names: impl Iterator<Item = String>,
    make: impl Fn(&Path) -> io::Result<()>,
) -> Result<PathBuf, StoreError> {
    let taken =
        |kind| matches!(kind, ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory);
    for path in names.map(|name| site.join(name)) {
        match make(&path) {
            Ok(()) => return Ok(path),
            Err(error) if taken(error.kind()) => {}
            Err(error) => return Err(failed("create", &path)(error)),
        }
    }
    Err(failed("create a run in", site)(io::Error::from(ErrorKind::AlreadyExists)))
}
