//! What a launch is to be, and what became of it: what is said to who watches over it (`process/supervise.rs`), and by it.

use std::{fmt, path::PathBuf, time::Duration};

use super::{Env, lines::Excerpt};
use crate::command::CommandSpec;

/// What is to be run.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The program, its arguments, its own variables.
    pub command: &'a CommandSpec,
    /// What it inherits.
    pub env: &'a Env,
    /// When to give up on it.
    pub deadlines: Deadlines,
    /// Where its output is kept: `<stem>.out` and `<stem>.err`, at most 1 MiB each; files without content are not made.
    pub log: Option<PathBuf>,
}

/// How long a launch may take, by phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the start to the first progress.
    pub first: Duration,
    /// Between two signs of progress.
    pub silence: Duration,
    /// From the start to the end.
    pub total: Duration,
    /// Between asking a launch to end and killing it.
    pub grace: Duration,
}

impl Deadlines {
    /// A cap on the whole, and none on silence.
    #[must_use]
    pub fn total(limit: Duration) -> Self {
        Self { first: Duration::MAX, silence: Duration::MAX, total: limit, grace: Duration::from_secs(2) }
    }
}

/// What a line of output means for the deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// The launch has got on.
    Progress,
    /// It has, and to no good: nothing of it will count, and it is let end.
    Astray,
    /// It has only spoken.
    Quiet,
    /// All that is wanted is known: it is to be ended now.
    Enough,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// Code 0, which for an `mpirun` proves nothing.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Why a launch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// By itself.
    Itself,
    /// No progress at all in time.
    FirstDeadline,
    /// Progress ceased.
    SilenceDeadline,
    /// It took too long as a whole.
    TotalDeadline,
    /// The user or the scheduler asked the harness to stop.
    Interrupted,
    /// The observer had seen enough.
    Enough,
}

/// The end of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How the leading program (`mpirun`, `apptainer`) ended.
    pub exit: Exit,
    /// Who ended it.
    pub reason: Reason,
    /// From its start to its end.
    pub wall: Duration,
    /// Of that, how long it slept, or was stopped, until others let it go on.
    pub asleep: Duration,
    /// From its start to the first line that was progress, or enough; none where there was no such line.
    pub first: Option<Duration>,
    /// The beginning and end of its standard error.
    pub stderr: Excerpt,
    /// Most of its ranks that were found at once, where they were looked for so that it could take turns.
    pub ranks: Option<u32>,
}
