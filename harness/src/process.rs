//! The only room that starts processes, and the only one that ends them.
//!
//! A [`Room`] is taken once, in `main`. Each measurement opens an [`Attempt`] in it: a private directory, a marker in
//! the environment of everything it starts, and a sweep at its end, good or bad. A launch is supervised by one poll
//! loop without threads; at a deadline or on Ctrl-C it is asked to end, then killed.
//!
//! What may be killed or deleted is what is provably ours (`process/ours.rs`, `process/shm.rs`), never by name.

mod agent;
mod attempt;
mod bell;
mod capture;
mod copy;
mod duet;
mod env;
mod guard;
mod guest;
mod hidden;
mod hold;
mod in_rank;
mod launch;
mod lines;
mod look;
mod ours;
mod owner;
mod procfs;
mod scratch;
mod shm;
mod stage;
mod stop_and_go;
mod supervise;
mod tap;

use std::{
    cell::{Cell, OnceCell},
    io::{self, Write as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use bench_app::gate::GateError;
use rustix::{event::Timespec, process::getpid};

use self::{
    attempt::{ApptainerState, clear_away},
    bell::Bell,
    guard::Guard,
    ours::Scope,
};
pub use self::{
    attempt::{Attempt, OWNED, Swept},
    capture::Captured,
    copy::{COPY, Copied, Fault, FaultKind, Order, Shape},
    duet::{Part, duet},
    env::Env,
    guest::{GUARD, GUARDED, SWEEP, SweptNode},
    hidden::hidden_word,
    in_rank::NO_INSTANCE,
    launch::{Deadlines, Ended, Exit, Launch, Pulse, Reason},
    lines::Excerpt,
    look::{LOOK, Seen, SeenNode, here as look_here},
    ours::MARKER,
    owner::{Owner, Standing},
    stop_and_go::{Ranks, stop_and_go},
    tap::Stream,
};
use crate::command::CommandSpec;

/// The harness itself fails here; a launch that hangs or crashes is not an error but an [`Ended`].
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A program does not exist or may not be executed.
    #[error("cannot start `{program}`; hint: is it installed, executable and on PATH?")]
    NotStarted {
        /// As the command names it.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A command is to run where nothing is.
    #[error("cannot enter {}; hint: does the directory exist?", dir.display())]
    NoDirectory {
        /// The command's directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A helper command took too long.
    #[error("`{program}` did not end within {} s", limit.as_secs())]
    TimedOut {
        /// As the command names it.
        program: String,
        /// What it was given.
        limit: Duration,
    },
    /// A helper command was ended by a request to stop.
    #[error("`{program}` was interrupted")]
    Interrupted {
        /// As the command names it.
        program: String,
    },
    /// A killed process does not go away.
    #[error("process {pid} survives SIGKILL; hint: a hanging file system or driver holds it, see /proc/{pid}/stack")]
    Unkillable {
        /// The leader of the launch.
        pid: i32,
    },
    /// The private directory cannot be made or written.
    #[error("cannot use the private directory {}; hint: is the file system full or read-only?", path.display())]
    Scratch {
        /// What was being made or written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else may have prepared the private directory.
    #[error("{} {why}; hint: remove it, or ask its owner to", path.display())]
    Untrusted {
        /// The directory all private directories lie in.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A launch's output cannot be kept.
    #[error("cannot write the log {}; hint: is the file system full?", path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Turns cannot be given.
    #[error("two launches cannot take turns")]
    Gate(#[from] GateError),
    /// A system call that should not fail did.
    #[error("cannot {what}")]
    System {
        /// What was being done.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Variables of an attempt, and the path to programs, which its processes on other nodes get too.
pub const CARRIED: [&str; 4] = [ours::MARKER, "APPTAINER_CONFIGDIR", "PATH", "TMPDIR"];

/// Where a room finds its own program and keeps its private directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The binary that knows the hidden word `__exec`.
    pub stage: PathBuf,
    /// The directory of the private directories. Short, local, visible in containers.
    pub scratch: PathBuf,
}

impl Default for Place {
    /// This program itself, and `/tmp/sifbench-<uid>`.
    fn default() -> Self {
        let scratch = format!("/tmp/sifbench-{}", rustix::process::geteuid().as_raw());
        Self { stage: "/proc/self/exe".into(), scratch: scratch.into() }
    }
}

/// Where processes are started.
#[derive(Debug)]
pub struct Room {
    place: Place,
    bell: Option<Bell>,
    /// Every child of this process is started here, so an unknown one is an orphan handed to us.
    sole: bool,
    open: Cell<u32>,
    guard: OnceCell<Guard>,
}

impl Room {
    /// Takes charge of this process: SIGINT, SIGTERM and SIGHUP become requests to stop, orphans come to us. Once, in
    /// `main`, before anything else is started.
    ///
    /// # Errors
    /// When the kernel refuses one of these.
    pub fn take_charge(place: Place) -> Result<Self, ProcessError> {
        let bell = Bell::install().map_err(failed("handle signals"))?;
        rustix::process::set_child_subreaper(Some(getpid())).map_err(failed("become a subreaper"))?;
        // A script that ends in `exec sifbench` may leave us children of its own.
        let own = getpid().as_raw_nonzero().get();
        let sole = procfs::processes().iter().all(|process| process.parent != own);
        Ok(Self { bell: Some(bell), sole, ..Self::guest(place) })
    }

    /// Uses the room from a process that handles its own signals and has other children: a test, a library's user.
    #[must_use]
    pub fn guest(place: Place) -> Self {
        Self { place, bell: None, sole: false, open: Cell::new(0), guard: OnceCell::new() }
    }

    /// Whether the harness has been asked to stop: to be looked at between launches.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.bell.as_ref().is_some_and(|bell| bell.count() > 0)
    }

    /// Opens an attempt; `id` becomes part of its marker. From the first on this process has a guard.
    ///
    /// # Errors
    /// When its private directory cannot be made, or the guard not started.
    pub fn attempt(&self, id: &str) -> Result<Attempt<'_>, ProcessError> {
        self.be_guarded()?;
        Attempt::open(self, id, ApptainerState::Private)
    }

    /// Opens one that lasts while others are opened and closed.
    ///
    /// # Errors
    /// When its private directory cannot be made.
    pub fn lasting(&self, id: &str) -> Result<Attempt<'_>, ProcessError> {
        Attempt::open(self, id, ApptainerState::Users).map(Attempt::beside_others)
    }

    /// Runs a short helper command (`apptainer --version`) and returns what it wrote. Any exit code is a result.
    /// Its `TMPDIR` is private unless the command sets one; Apptainer's configuration and cache are the user's.
    ///
    /// # Errors
    /// When the program cannot be started, exceeds `limit`, or is interrupted.
    pub fn capture(&self, command: &CommandSpec, env: &Env, limit: Duration) -> Result<Captured, ProcessError> {
        let mut attempt = Attempt::open(self, "helper", ApptainerState::Users)?;
        let captured = attempt.capture(command, env, limit);
        let _ = attempt.close();
        captured
    }

    /// Runs short helper commands side by side.
    ///
    /// # Errors
    /// When the private directory cannot be made; each command has a result of its own.
    pub fn capture_all(
        &self,
        commands: &[CommandSpec],
        env: &Env,
        limit: Duration,
    ) -> Result<Vec<Result<Captured, ProcessError>>, ProcessError> {
        let mut attempt = Attempt::open(self, "helper", ApptainerState::Users)?;
        let captured = attempt.capture_all(commands, env, limit);
        let _ = attempt.close();
        Ok(captured)
    }

    /// Runs a long helper command (an image build) whose lines are shown while it runs; otherwise like `capture`.
    ///
    /// # Errors
    /// When the program cannot be started, or the harness itself fails.
    pub fn run(
        &self,
        launch: &Launch<'_>,
        observe: &mut dyn FnMut(Stream, &str) -> Pulse,
    ) -> Result<(Ended, Swept), ProcessError> {
        self.be_guarded()?;
        let mut attempt = Attempt::open(self, "helper", ApptainerState::Users)?;
        let ended = attempt.supervise(launch, observe)?;
        Ok((ended, attempt.close()))
    }

    /// Has somebody clear up after this process, should it be killed.
    fn be_guarded(&self) -> Result<(), ProcessError> {
        if self.guard.get().is_none() {
            let guard = Guard::begin(&self.place)?;
            // A second one cannot have come meanwhile: a room is used by one thread.
            drop(self.guard.set(guard));
        }
        Ok(())
    }

    /// Clears what harnesses of this user left on this machine when they were killed. Living ones are not touched.
    ///
    /// # Errors
    /// When the directory of the private directories cannot be trusted or read.
    pub fn clear_stale(&self) -> Result<Swept, ProcessError> {
        let mut swept = Swept::default();
        for (scratch, standing, record) in scratch::stale(&self.place.scratch)? {
            match (standing, record) {
                (Standing::Dead, Some(mut record)) => {
                    // The last launch may not be on record yet: its marker tells.
                    record.ours.begin_before_all();
                    let left = record.ours.end_at_once(Scope::Attempt);
                    swept.add(clear_away(self, &scratch, &mut record.ours, left));
                    swept.directories += 1;
                }
                // After a boot the recorded numbers name other processes and files.
                (Standing::Dead | Standing::BeforeBoot, record) => {
                    record.iter().for_each(|record| scratch::remove_owned(&record.ours, &mut swept.left));
                    swept.directories += u32::from(scratch.remove(&mut swept.left));
                }
                (Standing::Leave, _) => {}
            }
        }
        Ok(swept)
    }
}

/// A word of a hidden one, for whoever reads its standard error.
fn tell(text: &str) {
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(io::stderr(), "sifbench: {text}"));
}

/// An error of a system call, with what it was for.
fn failed<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> ProcessError {
    move |source| ProcessError::System { what, source: source.into() }
}

#[expect(clippy::disallowed_methods, reason = "deadlines are this room's business")]
fn now() -> Instant {
    Instant::now()
}

fn timespec(duration: Duration) -> Timespec {
    // A day is for ever, and fits every field.
    let duration = duration.min(Duration::from_secs(86_400));
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}
