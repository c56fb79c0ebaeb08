//! Makes the launches of a run, one after the other or two in turns, and commits them before the next.

mod duet;
pub mod watch;

use std::time::{Duration, Instant};

use bench_app::{Cell, gate::Entrance};

use crate::{
    command::CommandSpec,
    compose::{self, Around, Commands, apptainer::Runtime},
    id::AttemptId,
    medians::Medians,
    plan::{self, Step},
    process::{Attempt, Captured, Deadlines, Ended, Env, Launch, ProcessError, Pulse, Room, Stream, Swept},
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
    /// An attempt is committed: two a step where launches take turns.
    fn ended(&mut self, launch: &plan::Launch<'_>, record: &Record);
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
            let number = records.last().map_or(1, |last| last.attempt.0 + 1);
            let made = match &step.partner {
                None => vec![self.attempt(AttemptId(number), &step, store)?],
                Some(partner) => self.duet([number, number + 1].map(AttemptId), (&step, partner), store)?.into(),
            };
            for ((mut record, samples), launch) in made.into_iter().zip(step.launches()) {
                record.samples = store.append(&record, &samples)?;
                medians.add(&samples);
                listener.ended(launch, &record);
                records.push(record);
            }
        }
        Ok(Finish::Complete)
    }

    fn attempt(&self, id: AttemptId, step: &Step<'_>, store: &Store) -> Result<(Record, Vec<Sample>), RunError> {
        let mut making = self.begin(id, (&step.launch, &step.cells), None);
        let mut attempt = self.room.attempt(&id.to_string())?;
        let made = self.launch(&mut attempt, &mut making, store)?;
        Ok(making.into_record(made, words(&attempt.close())))
    }

    /// Everything of a launch but the launch itself.
    fn begin<'s>(
        &self,
        id: AttemptId,
        (launch, cells): (&'s plan::Launch<'s>, &[Cell]),
        gate: Option<&Entrance>,
    ) -> Making<'s> {
        let workload = plan::workload(launch, cells.to_vec(), self.design.seed);
        let around = Around { runtime: self.runtime, instance: &format!("sifbench-{id}"), gate };
        let commands = compose::compose(launch.case, &workload, around);
        let watch = Watch::new(id, launch.case.ranks, &workload.cells, workload.rounds);
        Making { launch, partner: None, cells: workload.cells, commands, started: (self.now)(), watch, hello: None }
    }

    /// One launch, with its instance around it where the mode has one.
    fn launch(&self, attempt: &mut Attempt<'_>, making: &mut Making<'_>, store: &Store) -> Result<Made, RunError> {
        let started = clock();
        if let Some(outcome) = self.start(attempt, &making.commands)? {
            return Ok(Made { wall: started.elapsed(), outcome });
        }
        let command = making.commands.launch.clone();
        let (launch, begun) = (self.supervised(&command, making, store), clock());
        let ended = attempt.supervise(&launch, &mut |stream, line| making.line(begun, stream, line));
        let made = making.made(ended, begun)?;
        self.stop(attempt, &making.commands);
        Ok(made)
    }

    fn supervised<'l>(&'l self, command: &'l CommandSpec, making: &Making<'_>, store: &Store) -> Launch<'l> {
        let (deadlines, log) = (deadlines(&self.design.limits), Some(store.log_path(making.watch.attempt)));
        Launch { command, env: self.env, deadlines, log }
    }

    /// Starts the instance, where there is one, and proves that it lives; else why not.
    fn start(&self, attempt: &mut Attempt<'_>, commands: &Commands) -> Result<Option<Outcome>, RunError> {
        let Some(instance) = &commands.instance else { return Ok(None) };
        for (what, command) in [("start", &instance.start), ("probe", &instance.probe)] {
            match attempt.capture(command, self.env, INSTANCE) {
                Ok(captured) if captured.exit.success() => {}
                Ok(captured) => {
                    let reason = format!("instance {what} failed: {}", last_line(&captured));
                    return Ok(Some(Outcome::NotStarted { reason }));
                }
                Err(error) => return not_started(error).map(Some),
            }
        }
        Ok(None)
    }

    /// Whatever it says, closing the attempt ends what is left of the instance.
    fn stop(&self, attempt: &mut Attempt<'_>, commands: &Commands) {
        if let Some(instance) = &commands.instance {
            drop(attempt.capture(&instance.stop, self.env, INSTANCE));
        }
    }
}

/// A launch while it is made.
struct Making<'s> {
    launch: &'s plan::Launch<'s>,
    partner: Option<AttemptId>,
    cells: Vec<Cell>,
    commands: Commands,
    started: String,
    watch: Watch,
    /// From the start to hello.
    hello: Option<Duration>,
}

/// How long it took, and how it ended.
struct Made {
    wall: Duration,
    outcome: Outcome,
}

impl Making<'_> {
    fn line(&mut self, begun: Instant, stream: Stream, line: &str) -> Pulse {
        let pulse = self.watch.line(stream, line);
        if self.hello.is_none() && self.watch.hello.is_some() {
            self.hello = Some(begun.elapsed());
        }
        pulse
    }

    fn made(&self, ended: Result<Ended, ProcessError>, begun: Instant) -> Result<Made, RunError> {
        Ok(match ended {
            Ok(ended) => Made { wall: ended.wall, outcome: self.watch.outcome(ended.exit, ended.reason) },
            Err(error) => Made { wall: begun.elapsed(), outcome: not_started(error)? },
        })
    }

    fn into_record(self, made: Made, swept: Vec<String>) -> (Record, Vec<Sample>) {
        let Making { launch, partner, cells, commands, started, mut watch, hello } = self;
        let record = Record {
            attempt: watch.attempt,
            case: launch.case.id(),
            purpose: launch.purpose,
            block: launch.block,
            slot: launch.slot,
            partner,
            command: commands.launch,
            cells,
            started,
            wall_ns: nanos(made.wall),
            hello_ns: hello.map(nanos),
            outcome: made.outcome,
            said: watch.said(),
            hello: watch.hello.take(),
            facts: watch.facts.take(),
            observed: std::mem::take(&mut watch.observed),
            swept,
            samples: SampleRange::empty(),
        };
        (record, watch.samples)
    }
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
        | ProcessError::Gate(_)
        | ProcessError::System { .. } => Err(error.into()),
    }
}

fn last_line(captured: &Captured) -> &str {
    let lines = captured.stderr.lines().chain(captured.stdout.lines());
    lines.map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason given")
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
