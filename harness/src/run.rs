//! Makes the launches of a run, one after the other, and commits each before the next.

pub mod watch;

use std::time::{Duration, Instant};

use crate::{
    compose::{self, Commands, InstanceCommands, apptainer::Runtime},
    id::AttemptId,
    medians::Medians,
    plan::{self, Step},
    process::{Attempt, Captured, Deadlines, Env, Launch, ProcessError, Room, Swept},
    record::{Design, Limits, Outcome, Record, Sample, SampleRange},
    store::{Store, StoreError},
};
use watch::Watch;

/// From the deadline to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// For each command of an instance's life.
const INSTANCE: Duration = Duration::from_secs(30);

/// The harness itself failed: nothing that a launch does is an error.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store could not be written.
    #[error("the results cannot be written")]
    Store(#[from] StoreError),
    /// Processes could not be supervised.
    #[error("the launch cannot be supervised")]
    Process(#[from] ProcessError),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// All launches were made.
    Complete,
    /// The user stopped it; it can be resumed.
    Interrupted,
}

/// What a run has stored before it goes on.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Its attempts.
    pub records: Vec<Record>,
    /// The medians of their samples.
    pub medians: Medians,
}

/// Hears of a run's progress.
pub trait Listener {
    /// `step` begins; `made` attempts lie behind it.
    fn begins(&mut self, step: &Step<'_>, made: &[Record]);
    /// The attempt is committed.
    fn ended(&mut self, step: &Step<'_>, record: &Record);
}

/// What a run needs besides its design.
#[derive(Debug)]
pub struct Runner<'a> {
    /// What is to be launched.
    pub design: &'a Design,
    /// The container runtime.
    pub runtime: &'a Runtime,
    /// What launches see of the environment.
    pub env: &'a Env,
    /// Where they are started.
    pub room: &'a Room,
    /// Reads the wall clock, RFC 3339.
    pub now: fn() -> String,
}

impl Runner<'_> {
    /// Makes every launch that `past` (what is in `store`) lacks.
    ///
    /// # Errors
    /// Only the harness's own: a launch that fails is a record.
    pub fn run(&self, store: &mut Store, past: Past, listener: &mut dyn Listener) -> Result<Finish, RunError> {
        let Past { mut records, mut medians } = past;
        while let Some(step) = plan::next(self.design, &records, &medians) {
            if self.room.stopping() {
                return Ok(Finish::Interrupted);
            }
            listener.begins(&step, &records);
            let id = AttemptId(records.last().map_or(1, |last| last.attempt.0 + 1));
            let (record, samples) = self.make(id, &step, store)?;
            medians.add(&samples);
            listener.ended(&step, &record);
            records.push(record);
        }
        Ok(Finish::Complete)
    }

    /// Makes one launch, the next of `store`, and commits it.
    ///
    /// # Errors
    /// Only the harness's own: a launch that fails is a record.
    pub fn make(&self, id: AttemptId, step: &Step<'_>, store: &mut Store) -> Result<(Record, Vec<Sample>), RunError> {
        let (mut record, samples) = self.attempt(id, step, store)?;
        record.samples = store.append(&record, &samples)?;
        Ok((record, samples))
    }

    fn attempt(&self, id: AttemptId, step: &Step<'_>, store: &Store) -> Result<(Record, Vec<Sample>), RunError> {
        let launch = &step.launch;
        let workload = plan::workload(launch, step.cells.clone(), self.design.seed);
        let commands = compose::compose(launch.case, &workload, self.runtime, &format!("sifbench-{id}"));
        let started = (self.now)();
        let mut watch = Watch::new(id, launch.case.ranks, &workload.cells, workload.rounds);
        let mut attempt = self.room.attempt(&id.to_string())?;
        let made = self.launch(&mut attempt, &commands, store, &mut watch)?;
        let swept = words(&attempt.close());
        let record = Record {
            attempt: id,
            case: launch.case.id(),
            purpose: launch.purpose,
            block: launch.block,
            slot: launch.slot,
            command: commands.launch,
            cells: workload.cells,
            started,
            wall_ns: nanos(made.wall),
            hello_ns: made.hello.map(nanos),
            outcome: made.outcome,
            said: watch.said(),
            hello: watch.hello.take(),
            facts: watch.facts.take(),
            observed: std::mem::take(&mut watch.observed),
            swept,
            samples: SampleRange::empty(),
        };
        Ok((record, watch.samples))
    }

    /// One launch, with its instance around it where the mode has one.
    fn launch(
        &self,
        attempt: &mut Attempt<'_>,
        commands: &Commands,
        store: &Store,
        watch: &mut Watch,
    ) -> Result<Made, RunError> {
        let started = clock();
        if let Some(instance) = &commands.instance
            && let Some(outcome) = self.start(attempt, instance)?
        {
            return Ok(Made { wall: started.elapsed(), hello: None, outcome });
        }
        let launch = Launch {
            command: &commands.launch,
            env: self.env,
            deadlines: deadlines(&self.design.limits),
            log: Some(store.log_path(watch.attempt)),
        };
        let (begun, mut hello) = (clock(), None);
        let ended = attempt.supervise(&launch, &mut |stream, line| {
            let pulse = watch.line(stream, line);
            if hello.is_none() && watch.hello.is_some() {
                hello = Some(begun.elapsed());
            }
            pulse
        });
        let made = match ended {
            Ok(ended) => Made { wall: ended.wall, hello, outcome: watch.outcome(ended.exit, ended.reason) },
            Err(error) => Made { wall: begun.elapsed(), hello, outcome: not_started(error)? },
        };
        if let Some(instance) = &commands.instance {
            // Whatever stop says, closing the attempt ends what is left of the instance.
            drop(attempt.capture(&instance.stop, self.env, INSTANCE));
        }
        Ok(made)
    }

    /// Starts an instance and proves that it lives; else why not.
    fn start(&self, attempt: &mut Attempt<'_>, instance: &InstanceCommands) -> Result<Option<Outcome>, RunError> {
        for (what, command) in [("start", &instance.start), ("probe", &instance.probe)] {
            match attempt.capture(command, self.env, INSTANCE) {
                Ok(captured) if captured.exit.success() => {}
                Ok(captured) => {
                    let reason = format!("instance {what} failed: {}", reason(&captured));
                    return Ok(Some(Outcome::NotStarted { reason }));
                }
                Err(error) => return not_started(error).map(Some),
            }
        }
        Ok(None)
    }
}

struct Made {
    wall: Duration,
    hello: Option<Duration>,
    outcome: Outcome,
}

/// A program that is not there or hangs before the launch is a result; anything else is the harness's own failure.
pub(crate) fn not_started(error: ProcessError) -> Result<Outcome, RunError> {
    match error {
        ProcessError::NotStarted { program, source } => {
            Ok(Outcome::NotStarted { reason: format!("`{program}`: {source}") })
        }
        ProcessError::TimedOut { .. } => Ok(Outcome::NotStarted { reason: error.to_string() }),
        ProcessError::Interrupted { .. } => Ok(Outcome::Interrupted),
        ProcessError::NoDirectory { .. }
        | ProcessError::Unkillable { .. }
        | ProcessError::Scratch { .. }
        | ProcessError::Untrusted { .. }
        | ProcessError::Log { .. }
        | ProcessError::System { .. } => Err(error.into()),
    }
}

/// Why a command failed: the line in which it says so, before the help it gives; else its last.
fn reason(captured: &Captured) -> &str {
    let lines =
        || captured.stderr.lines().chain(captured.stdout.lines()).map(str::trim).filter(|line| !line.is_empty());
    let complains = |line: &&str| ["FATAL", "ERROR", "Error"].iter().any(|word| line.starts_with(word));
    lines().find(complains).or_else(|| lines().next_back()).unwrap_or("no reason given")
}

/// What had to be cleared away, in words.
#[must_use]
pub fn words(swept: &Swept) -> Vec<String> {
    let counts = [
        (swept.processes, "processes"),
        (swept.segments, "shared-memory segments"),
        (swept.locks, "sharens locks"),
        (swept.mounts, "mounts"),
        (swept.directories, "private directories"),
    ];
    let counted = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    counted.chain(swept.left.iter().map(|left| format!("LEFT: {left}"))).collect()
}

pub(crate) fn deadlines(limits: &Limits) -> Deadlines {
    let seconds = Duration::from_secs_f64;
    Deadlines {
        first: seconds(limits.hello_s),
        silence: seconds(limits.silence_s),
        total: seconds(limits.total_s),
        grace: GRACE,
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a launch takes is a figure")]
fn clock() -> Instant {
    Instant::now()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
