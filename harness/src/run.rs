//! Makes the launches of a run, one after the other, and commits each before the next.

mod elsewhere;
mod instance;
pub mod watch;

use std::time::{Duration, Instant};

use crate::{
    command::CommandSpec,
    compose::{self, Commands, Ground, apptainer::Runtime},
    id::AttemptId,
    medians::Medians,
    plan::{self, Step},
    process::{Attempt, Captured, Deadlines, Env, Launch, ProcessError, Room, Swept},
    record::{Design, Limits, Outcome, Record, Sample, SampleRange},
    site::nodes::Nodes,
    store::{Store, StoreError},
};
use elsewhere::{Elsewhere, Found};
use watch::Watch;

/// From the deadline to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

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
    /// Too few nodes are left that can be trusted; it can be resumed on others.
    OutOfNodes,
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

/// What launches see of the environment.
#[derive(Debug, Clone, Copy)]
pub struct Envs<'a> {
    /// Most of them: nothing of a scheduler.
    pub plain: &'a Env,
    /// Those whose launcher takes part in a job.
    pub scheduled: &'a Env,
}

impl<'a> Envs<'a> {
    fn of(self, commands: &Commands) -> &'a Env {
        if commands.scheduled { self.scheduled } else { self.plain }
    }
}

/// What a run needs besides its design.
#[derive(Debug)]
pub struct Runner<'a> {
    /// What is to be launched.
    pub design: &'a Design,
    /// The container runtime.
    pub runtime: &'a Runtime,
    /// The nodes there are.
    pub nodes: &'a Nodes,
    /// What launches see of the environment.
    pub env: Envs<'a>,
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
        let mut nodes = self.nodes.clone();
        while let Some(step) = plan::next(self.design, &records, &medians) {
            if self.room.stopping() {
                return Ok(Finish::Interrupted);
            }
            if nodes.list.len() < self.design.nodes() as usize {
                return Ok(Finish::OutOfNodes);
            }
            listener.begins(&step, &records);
            let attempt = AttemptId(records.last().map_or(1, |last| last.attempt.0 + 1));
            let (mut record, samples, lost) = self.attempt(attempt, &step, &nodes, store)?;
            nodes.list.retain(|node| !lost.contains(&node.host));
            record.samples = store.append(&record, &samples)?;
            medians.add(&samples);
            listener.ended(&step, &record);
            records.push(record);
        }
        Ok(Finish::Complete)
    }

    /// One launch, with the nodes that must not be used after it.
    fn attempt(
        &self,
        id: AttemptId,
        step: &Step<'_>,
        nodes: &Nodes,
        store: &Store,
    ) -> Result<(Record, Vec<Sample>, Vec<String>), RunError> {
        let launch = &step.launch;
        let workload = plan::workload(launch, step.cells.clone(), self.design.seed);
        let ground = Ground { runtime: self.runtime, nodes, instance: &format!("sifbench-{id}") };
        let composed = compose::compose(launch.case, &workload, &ground);
        let started = (self.now)();
        let mut watch = Watch::new(id, launch.case.ranks, &workload.cells, workload.rounds);
        let (made, command, swept) = match composed {
            Ok(commands) => {
                let (made, found) = self.on_nodes(id, &commands, nodes, store, &mut watch)?;
                (made, commands.launch, found)
            }
            Err(reason) => (Made::nothing(Outcome::Unsupported { reason }), CommandSpec::new(""), Found::default()),
        };
        let record = Record {
            attempt: id,
            case: launch.case.id(),
            purpose: launch.purpose,
            block: launch.block,
            slot: launch.slot,
            command,
            cells: workload.cells,
            started,
            wall_ns: nanos(made.wall),
            hello_ns: made.hello.map(nanos),
            outcome: made.outcome,
            said: watch.said(),
            hello: watch.hello.take(),
            facts: watch.facts.take(),
            observed: std::mem::take(&mut watch.observed),
            swept: swept.words,
            samples: SampleRange::empty(),
        };
        Ok((record, watch.samples, swept.lost))
    }

    /// One launch between the preparation of its nodes and their sweep.
    fn on_nodes(
        &self,
        id: AttemptId,
        commands: &Commands,
        nodes: &Nodes,
        store: &Store,
        watch: &mut Watch,
    ) -> Result<(Made, Found), RunError> {
        let elsewhere = Elsewhere { nodes, hosts: &commands.elsewhere, env: self.env.scheduled };
        let mut attempt = self.room.attempt(&id.to_string())?;
        let (marker, scratch) = (attempt.marker().to_owned(), attempt.scratch().to_owned());
        let made = match elsewhere.prepare(&mut attempt) {
            Ok(None) => self.launch(&mut attempt, commands, store, watch),
            Ok(Some(outcome)) => Ok(Made::nothing(outcome)),
            Err(error) => Err(error),
        };
        let here = words(&attempt.close());
        // Also after a failure of our own: what runs there would go on.
        let mut found = elsewhere.sweep(self.room, &marker, &scratch)?;
        found.words = [here, found.words].concat();
        Ok((made?, found))
    }

    /// One launch, with its instance around it where the mode has one.
    fn launch(
        &self,
        attempt: &mut Attempt<'_>,
        commands: &Commands,
        store: &Store,
        watch: &mut Watch,
    ) -> Result<Made, RunError> {
        let (started, env) = (clock(), self.env.of(commands));
        if let Some(instance) = &commands.instance
            && let Some(outcome) = instance::start(attempt, instance, env)?
        {
            return Ok(Made { wall: started.elapsed(), hello: None, outcome });
        }
        let launch = Launch {
            command: &commands.launch,
            env,
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
            instance::stop(attempt, instance, env);
        }
        Ok(made)
    }
}

struct Made {
    wall: Duration,
    hello: Option<Duration>,
    outcome: Outcome,
}

impl Made {
    /// No launch at all.
    fn nothing(outcome: Outcome) -> Self {
        Self { wall: Duration::ZERO, hello: None, outcome }
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
        | ProcessError::System { .. } => Err(error.into()),
    }
}

/// The end of what a helper said: there stands the reason, with Apptainer in the line before the last.
fn last_words(captured: &Captured) -> String {
    let lines = captured.stdout.lines().chain(captured.stderr.lines()).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("INFO:")).collect();
    match lines.as_slice() {
        [] => "no reason given".to_owned(),
        lines => lines[lines.len().saturating_sub(2)..].join(" | "),
    }
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
