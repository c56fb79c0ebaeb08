//! A gate that two jobs of one node pass in turns, between their batches: a page that the harness and all ranks map.
//!
//! The harness gives a job its turn for a slice of time; the job looks at the end of each batch, and once the slice is over
//! all its ranks sleep until the next. A turn is given only to a job whose ranks all sleep, and only while the other job has
//! none, so the two never run at once. Each thing the harness does renews a lease. When that has run out the harness is
//! gone, and ranks that wait are told so.
//!
//! The page, in words of 32 bits: a magic, the version, whether the gate is closed, the lease's end, the slice's end, two
//! words of the moment from which those two count (ns of `CLOCK_MONOTONIC`, which is one clock on a node; the ends are
//! ms after it), then for each job its phase, its ranks that sleep, and the turns it was given. The harness sleeps on a
//! phase, ranks sleep on their job's turns.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire, Release},
    },
    time::Duration,
};

use crate::{
    clock::{self, Start},
    shared::{Shared, wait, wake},
};

/// How long a harness may do nothing before it counts as gone, if it has no reason for another time.
pub const LEASE: Duration = Duration::from_secs(10);

const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"gate");
const VERSION_VALUE: u32 = 1;

const MAGIC: usize = 0;
const VERSION: usize = 1;
const CLOSED: usize = 2;
const LEASE_END: usize = 3;
const SLICE_END: usize = 4;
const EPOCH: [usize; 2] = [5, 6];
/// Offset of the first job's words, and within a job's.
const JOBS: usize = 7;
const PHASE: usize = 0;
const ASLEEP: usize = 1;
const TURNS: usize = 2;
const WORDS: usize = JOBS + 2 * 3;

/// A job's phases, after 0: the ranks have not all come yet. All sleep; they have their turn; they have ended.
const WAITING: u32 = 1;
const RUNNING: u32 = 2;
const GONE: u32 = 3;

/// One of the two that take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Job 0.
    First,
    /// Job 1.
    Second,
}

impl Job {
    /// The one that it takes turns with.
    #[must_use]
    pub const fn other(self) -> Job {
        match self {
            Job::First => Job::Second,
            Job::Second => Job::First,
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Job::First => "0",
            Job::Second => "1",
        })
    }
}

/// Where a job finds its gate, written `FILE:JOB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    /// The gate's file, as the job sees it.
    pub path: PathBuf,
    /// Which of the two jobs it is.
    pub job: Job,
}

impl fmt::Display for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.job)
    }
}

impl FromStr for Entrance {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (path, job) = s.rsplit_once(':').filter(|(path, _)| !path.is_empty()).ok_or("hint: FILE:0 or FILE:1")?;
        let job = match job {
            "0" => Job::First,
            "1" => Job::Second,
            _ => return Err(format!("`{job}` is no job; hint: 0 or 1")),
        };
        Ok(Entrance { path: path.into(), job })
    }
}

/// A gate cannot be used, or not so.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// It cannot be made or mapped.
    #[error("gate {path}: {source}; hint: is it bind-mounted where this process runs?", path = path.display())]
    Unreachable {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The file holds something else, or a gate of another version of this program.
    #[error("{path} is no gate of version {VERSION_VALUE}; hint: harness and bench-app of one version", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A turn was to be given while the other job has one.
    #[error("job {0} still has its turn")]
    Taken(Job),
    /// A turn was to be given to a job that does not wait for one.
    #[error("job {0} does not wait for a turn")]
    NotWaiting(Job),
}

/// The mapped page.
#[derive(Debug)]
struct Page {
    words: Shared,
    epoch: u64,
}

impl Page {
    fn word(&self, at: usize) -> &AtomicU32 {
        &self.words.words()[at]
    }

    fn of(&self, job: Job, at: usize) -> &AtomicU32 {
        let base = match job {
            Job::First => JOBS,
            Job::Second => JOBS + 3,
        };
        self.word(base + at)
    }

    /// Time until the moment in word `end`, if it is still to come.
    fn until(&self, end: usize) -> Option<Duration> {
        let left = self.word(end).load(Acquire).checked_sub(self.after(Duration::ZERO))?;
        (left > 0).then(|| Duration::from_millis(left.into()))
    }

    /// The moment `time` from now, as the page counts.
    fn after(&self, time: Duration) -> u32 {
        let since = Duration::from_nanos(clock::now().saturating_sub(self.epoch));
        u32::try_from(since.saturating_add(time).as_millis()).unwrap_or(u32::MAX)
    }
}

/// The harness's side. Dropped, the gate is closed.
#[derive(Debug)]
pub struct Gate {
    page: Page,
    lease: Duration,
}

impl Gate {
    /// Makes a gate in a new file at `path`, for its owner alone. It counts as left alone when nothing was done with it for
    /// `lease` ([`LEASE`] where nothing speaks for another time).
    ///
    /// # Errors
    /// The file exists already or cannot be made.
    pub fn create(path: &Path, lease: Duration) -> Result<Gate, GateError> {
        let words =
            Shared::create(path, WORDS).map_err(|source| GateError::Unreachable { path: path.to_owned(), source })?;
        let gate = Gate { page: Page { words, epoch: clock::now() }, lease };
        let [high, low] = EPOCH.map(|at| gate.page.word(at));
        high.store((gate.page.epoch >> 32) as u32, Release);
        low.store(gate.page.epoch as u32, Release);
        gate.page.word(VERSION).store(VERSION_VALUE, Release);
        gate.renew();
        gate.page.word(MAGIC).store(MAGIC_VALUE, Release);
        Ok(gate)
    }

    /// Says that there is still somebody who gives turns. All else that is done with a gate says so too.
    pub fn renew(&self) {
        self.page.word(LEASE_END).store(self.page.after(self.lease), Release);
    }

    /// Whether all ranks of `job` sleep and wait for its turn; sleeps until they do, at most for `longest`.
    #[must_use]
    pub fn waiting(&self, job: Job, longest: Duration) -> bool {
        let (begun, phase) = (Start::now(), self.page.of(job, PHASE));
        loop {
            self.renew();
            let seen = phase.load(Acquire);
            if seen == WAITING {
                return true;
            }
            let Some(left) = longest.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { return false };
            wait(phase, seen, left.min(self.lease / 4));
        }
    }

    /// Gives `job` its turn, for `slice` and what is left of a batch then.
    ///
    /// # Errors
    /// The other job has not given its turn back, or this one does not wait for one.
    pub fn give(&self, job: Job, slice: Duration) -> Result<(), GateError> {
        self.renew();
        if self.page.of(job.other(), PHASE).load(Acquire) == RUNNING {
            return Err(GateError::Taken(job.other()));
        }
        if self.page.of(job, PHASE).load(Acquire) != WAITING {
            return Err(GateError::NotWaiting(job));
        }
        self.page.word(SLICE_END).store(self.page.after(slice), Release);
        self.page.of(job, ASLEEP).store(0, Release);
        self.page.of(job, PHASE).store(RUNNING, Release);
        self.turn(job);
        Ok(())
    }

    /// Takes note that the processes of `job` have ended, whatever they last said: the other may have all turns.
    pub fn retire(&self, job: Job) {
        self.renew();
        self.page.of(job, PHASE).store(GONE, Release);
    }

    /// Gives no turn any more: ranks that wait, and those that come to the end of their slice, are told so.
    pub fn close(&self) {
        self.page.word(CLOSED).store(1, Release);
        // A rank that was about to sleep must not miss it.
        self.turn(Job::First);
        self.turn(Job::Second);
    }

    fn turn(&self, job: Job) {
        let turns = self.page.of(job, TURNS);
        turns.fetch_add(1, AcqRel);
        wake(turns);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close();
    }
}

/// How a wait for a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The job has its turn.
    Granted,
    /// Nobody gives turns any more: the lease has run out, or the gate is closed.
    Expired,
}

/// A job's side, on one of its ranks.
#[derive(Debug)]
pub struct Turns {
    page: Page,
    job: Job,
}

impl Turns {
    /// Comes to the gate.
    ///
    /// # Errors
    /// It is not there, or the file is something else.
    pub fn join(entrance: &Entrance) -> Result<Turns, GateError> {
        let path = || entrance.path.clone();
        let words = match Shared::open(&entrance.path, WORDS) {
            Ok(words) => words,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(GateError::Foreign { path: path() });
            }
            Err(source) => return Err(GateError::Unreachable { path: path(), source }),
        };
        let read = |at: usize| words.words()[at].load(Acquire);
        if [MAGIC, VERSION].map(read) != [MAGIC_VALUE, VERSION_VALUE] {
            return Err(GateError::Foreign { path: path() });
        }
        let [high, low] = EPOCH.map(read).map(u64::from);
        Ok(Turns { page: Page { words, epoch: high << 32 | low }, job: entrance.job })
    }

    /// Whether the job has no turn (any more). Does not wait.
    #[inline]
    #[must_use]
    pub fn over(&self) -> bool {
        let running = self.page.of(self.job, PHASE).load(Acquire) == RUNNING;
        !running || self.page.word(CLOSED).load(Acquire) != 0 || self.page.until(SLICE_END).is_none()
    }

    /// Gives the turn back and sleeps until the job has the next. All `ranks` that took part in the turn do so: it is given
    /// back when the last of them sleeps.
    #[must_use]
    pub fn wait_for_turn(&self, ranks: u32) -> Admission {
        let [phase, asleep, turns] = [PHASE, ASLEEP, TURNS].map(|at| self.page.of(self.job, at));
        // No turn is given before the last rank sleeps, so none can pass between this look and the next.
        let seen = turns.load(Acquire);
        if asleep.fetch_add(1, AcqRel) + 1 == ranks {
            phase.store(WAITING, Release);
            wake(phase);
        }
        loop {
            if self.page.word(CLOSED).load(Acquire) != 0 {
                return Admission::Expired;
            }
            if turns.load(Acquire) != seen {
                return Admission::Granted;
            }
            let Some(left) = self.page.until(LEASE_END) else { return Admission::Expired };
            wait(turns, seen, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: Duration = Duration::from_secs(60);

    fn gate(directory: &tempfile::TempDir) -> (Gate, [Turns; 2]) {
        let path = directory.path().join("gate");
        let gate = Gate::create(&path, LEASE).unwrap();
        (gate, [Job::First, Job::Second].map(|job| Turns::join(&Entrance { path: path.clone(), job }).unwrap()))
    }

    /// Both sides' words of a job that waits, without a process that does.
    fn sleep(turns: &Turns) {
        turns.page.of(turns.job, PHASE).store(WAITING, Release);
    }

    #[test]
    fn entrances_are_files_and_jobs() {
        let check = |text: &str, path: &str, job: Job| {
            let entrance = Entrance { path: path.into(), job };
            assert_eq!((text.parse(), entrance.to_string()), (Ok(entrance), text.to_owned()));
        };
        check("/tmp/gate:0", "/tmp/gate", Job::First);
        check("a:b:1", "a:b", Job::Second);
        let refused = ["gate", ":0", "gate:2", "gate:", ""].map(|text| text.parse::<Entrance>().unwrap_err());
        assert!(refused.iter().all(|error| error.contains("hint:")), "{refused:?}");
    }

    #[test]
    fn a_turn_is_given_to_who_waits_while_the_other_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let (gate, [first, second]) = gate(&directory);
        assert!(matches!(gate.give(Job::First, SLICE), Err(GateError::NotWaiting(Job::First))));
        assert!(first.over() && !gate.waiting(Job::First, Duration::ZERO));
        sleep(&first);
        sleep(&second);
        assert!(gate.waiting(Job::First, Duration::ZERO));
        gate.give(Job::First, SLICE).unwrap();
        assert!(!first.over() && second.over());
        assert!(matches!(gate.give(Job::Second, SLICE), Err(GateError::Taken(Job::First))));
        gate.retire(Job::First);
        gate.give(Job::Second, Duration::ZERO).unwrap();
        assert!(second.over());
    }

    #[test]
    fn a_closed_gate_is_passed_by_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let (gate, [first, second]) = gate(&directory);
        sleep(&first);
        gate.give(Job::First, SLICE).unwrap();
        drop(gate);
        assert!(first.over());
        assert_eq!([first, second].map(|turns| turns.wait_for_turn(1)), [Admission::Expired; 2]);
    }

    #[test]
    fn a_file_of_something_else_is_no_gate() {
        let directory = tempfile::tempdir().unwrap();
        let join = |name: &str| Turns::join(&Entrance { path: directory.path().join(name), job: Job::First });
        assert!(matches!(join("absent"), Err(GateError::Unreachable { .. })));
        std::fs::write(directory.path().join("short"), "x").unwrap();
        std::fs::write(directory.path().join("long"), "x".repeat(4096)).unwrap();
        assert!(["short", "long"].map(join).iter().all(|joined| matches!(joined, Err(GateError::Foreign { .. }))));
    }
}
