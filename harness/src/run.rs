//! Makes the launches of a run, one after the other or two in turns, and commits them before the next.

mod duet;
mod elsewhere;
mod expected;
mod gone;
mod instance;
pub mod pmi;
pub mod staging;
pub mod watch;

use std::time::{Duration, Instant};

use bench_app::{Cell, Workload, gate::Entrance};

use crate::{
    command::CommandSpec,
    compose::{self, Commands, Ground, apptainer::Runtime},
    decision::Pairs,
    id::AttemptId,
    medians::Medians,
    plan::{self, Runs, Step},
    process::{Attempt, Captured, Deadlines, Ended, Env, Launch, ProcessError, Room, Swept},
    record::{Design, Limits, Outcome, Record, Sample, SampleRange, lost::Lost},
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// All launches were made.
    Complete,
    /// The user stopped it; it can be resumed.
    Interrupted,
    /// Too few nodes are left that can be trusted; it can be resumed on others.
    OutOfNodes {
        /// Those that cannot.
        lost: Vec<String>,
    },
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
    /// The run has looked at how wide its intervals are, and goes on.
    fn looked(&mut self, look: &plan::Look);
    /// An attempt is committed: two a step where launches take turns.
    fn ended(&mut self, launch: &plan::Launch<'_>, record: &Record);
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
        let mut since = clock();
        while let Some(step) = plan::next(self.design, &records, &medians) {
            if self.room.stopping() {
                return Ok(Finish::Interrupted);
            }
            if nodes.list.len() < self.design.nodes() as usize {
                let lost = self.nodes.list.iter().filter(|node| !nodes.list.contains(node));
                return Ok(Finish::OutOfNodes { lost: lost.map(|node| node.host.clone()).collect() });
            }
            let made = records.last().map_or(0, |last| last.block);
            // Probes follow once nothing is looked at any more.
            if made < step.launch.block && plan::is_analysed(step.launch.purpose) {
                plan::look(self.design, &records, &medians, made).iter().for_each(|look| listener.looked(look));
            }
            listener.begins(&step, &records);
            let number = records.last().map_or(1, |last| last.attempt.0 + 1);
            let made = match &step.partner {
                None => vec![self.attempt(AttemptId(number), &step, &nodes, store)?],
                Some(partner) => {
                    self.duet([number, number + 1].map(AttemptId), (&step, partner), &nodes, store)?.into()
                }
            };
            let (launches, longest) = (made.len(), made.iter().map(|(record, ..)| record.wall_ns).max());
            let beside = nanos(since.elapsed()).saturating_sub(longest.unwrap_or_default()) / launches as u64;
            since = clock();
            for ((mut record, samples, lost), launch) in made.into_iter().zip(step.launches()) {
                record.beside_ns = Some(beside);
                nodes.list.retain(|node| !lost.contains(&node.host));
                record.samples = store.append(&record, &samples)?;
                medians.add(&samples);
                listener.ended(launch, &record);
                records.push(record);
            }
        }
        Ok(Finish::Complete)
    }

    /// Makes one launch, the next of `store`, and commits it. The nodes that are returned must not be used after it.
    ///
    /// # Errors
    /// Only the harness's own: a launch that fails is a record.
    pub fn make(
        &self,
        id: AttemptId,
        step: &Step<'_>,
        nodes: &Nodes,
        store: &mut Store,
    ) -> Result<(Record, Vec<Sample>, Vec<String>), RunError> {
        let (mut record, samples, lost) = self.attempt(id, step, nodes, store)?;
        record.samples = store.append(&record, &samples)?;
        Ok((record, samples, lost))
    }

    /// One launch.
    fn attempt(&self, id: AttemptId, step: &Step<'_>, nodes: &Nodes, store: &Store) -> Result<Kept, RunError> {
        let (mut making, composed) = self.begin(id, (&step.launch, &step.cells), nodes, None);
        let commands = match composed {
            Ok(commands) => commands,
            Err(reason) => {
                return Ok(making.into_kept(Made::nothing(Outcome::Unsupported { reason }), Found::default()));
            }
        };
        let (made, found) = self.on_nodes(id, &commands, nodes, store, &mut making)?;
        making.command = commands.launch;
        Ok(making.into_kept(made, found))
    }

    /// Everything of a launch but the launch itself.
    fn begin<'s>(
        &self,
        id: AttemptId,
        (launch, cells): (&'s plan::Launch<'s>, &[Cell]),
        nodes: &Nodes,
        gate: Option<&Entrance>,
    ) -> (Making<'s>, Result<Commands, String>) {
        let workload = plan::workload(launch, cells.to_vec(), self.design.seed);
        let ground = Ground { runtime: self.runtime, nodes, instance: &format!("sifbench-{id}"), gate };
        let composed = commands(launch, &workload, &ground);
        let watch = Watch::new(id, launch.case.ranks, &workload.cells, workload.rounds);
        let watch = match (launch.runs, &launch.case.program) {
            (Runs::Program, Some(program)) => watch.of_program(program),
            (Runs::Program, None) | (Runs::BenchApp | Runs::World, _) => watch,
        };
        let (cells, command, started) = (cells.to_vec(), CommandSpec::new(""), (self.now)());
        (Making { launch, partner: None, cells, command, started, watch }, composed)
    }

    /// One launch between the preparation of its nodes and their sweep.
    fn on_nodes(
        &self,
        id: AttemptId,
        commands: &Commands,
        nodes: &Nodes,
        store: &Store,
        making: &mut Making<'_>,
    ) -> Result<(Made, Found), RunError> {
        let elsewhere = Elsewhere { nodes, hosts: &commands.elsewhere, env: self.env.scheduled };
        let mut attempt = self.room.attempt(&id.to_string())?;
        let made = match elsewhere.prepare(&mut attempt, deadlines(&self.design.limits).total) {
            Ok(None) => self.launch(&mut attempt, (commands, &elsewhere), store, making),
            Ok(Some(outcome)) => Ok(Made::nothing(outcome)),
            Err(error) => Err(error),
        };
        // Also after a failure of our own: what runs there would go on.
        let found = elsewhere.close(self.room, attempt)?;
        Ok((made?, found))
    }

    /// One launch, with its instance around it where the mode has one.
    fn launch(
        &self,
        attempt: &mut Attempt<'_>,
        (commands, elsewhere): (&Commands, &Elsewhere<'_>),
        store: &Store,
        making: &mut Making<'_>,
    ) -> Result<Made, RunError> {
        let started = clock();
        if let Some(outcome) = self.start(attempt, commands)? {
            return Ok(Made::without(started.elapsed(), outcome));
        }
        let (launch, begun) = (self.supervised(commands, making, store), clock());
        let (marker, mut seen) = (attempt.marker().to_owned(), None);
        let takes_turns = self.design.pairs == Pairs::Duet && making.launch.runs == Runs::Program;
        let mut look = || seen = Some(elsewhere.look(self.room, &marker));
        let ended = if takes_turns {
            duet::alone(attempt, launch, making, &mut look)?
        } else {
            attempt.supervise_and_look(&launch, &mut |stream, line| making.watch.line(stream, line), &mut look)
        };
        seen.iter().for_each(|(seen, silent)| making.watch.looked(seen, silent));
        let made = making.made(ended, begun)?;
        self.stop(attempt, commands);
        Ok(made)
    }

    fn supervised<'l>(&self, commands: &'l Commands, making: &Making<'_>, store: &Store) -> Launch<'l>
    where
        Self: 'l,
    {
        let limits = deadlines(&self.design.limits);
        let deadlines = match making.launch.runs {
            Runs::BenchApp | Runs::World => limits,
            // It says what it likes, when it likes.
            Runs::Program => Deadlines { first: Duration::MAX, silence: Duration::MAX, ..limits },
        };
        let log = Some(store.log_path(making.watch.attempt));
        Launch { command: &commands.launch, env: self.env.of(commands), deadlines, log }
    }

    /// Starts the instance, where there is one; else why it does not live.
    fn start(&self, attempt: &mut Attempt<'_>, commands: &Commands) -> Result<Option<Outcome>, RunError> {
        let Some(instance) = &commands.instance else { return Ok(None) };
        instance::start(attempt, instance, self.env.of(commands))
    }

    fn stop(&self, attempt: &mut Attempt<'_>, commands: &Commands) {
        if let Some(instance) = &commands.instance {
            instance::stop(attempt, instance, self.env.of(commands));
        }
    }
}

/// The commands of a planned launch whose bench-app measures `workload`.
///
/// # Errors
/// The combination cannot exist there, and why.
pub fn commands(launch: &plan::Launch<'_>, workload: &Workload, ground: &Ground<'_>) -> Result<Commands, String> {
    let program = (launch.runs == Runs::Program).then(|| compose::program(launch.case, ground)).flatten();
    program.unwrap_or_else(|| compose::compose(launch.case, workload, ground))
}

/// What is kept of a launch, and the nodes that must not be used after it.
type Kept = (Record, Vec<Sample>, Vec<String>);

/// A launch while it is made.
struct Making<'s> {
    launch: &'s plan::Launch<'s>,
    partner: Option<AttemptId>,
    cells: Vec<Cell>,
    command: CommandSpec,
    started: String,
    watch: Watch,
}

/// How long it took, and how it ended.
struct Made {
    wall: Duration,
    /// Of that, how long it was stopped.
    asleep: Duration,
    /// From its own start to hello.
    hello: Option<Duration>,
    outcome: Outcome,
    /// What was gone by then.
    lost: Vec<Lost>,
}

impl Made {
    /// No launch at all.
    fn nothing(outcome: Outcome) -> Self {
        Self::without(Duration::ZERO, outcome)
    }

    /// None that came to a word.
    fn without(wall: Duration, outcome: Outcome) -> Self {
        Self { wall, asleep: Duration::ZERO, hello: None, outcome, lost: Vec::new() }
    }
}

impl Making<'_> {
    fn made(&self, ended: Result<Ended, ProcessError>, begun: Instant) -> Result<Made, RunError> {
        Ok(match ended {
            Ok(ended) => {
                let expected = self.launch.case.ranks;
                // The first word that counts is hello, where there is one.
                let hello = ended.first.filter(|_| self.watch.hello.is_some());
                let outcome = match (self.watch.outcome(ended.exit, ended.reason), ended.ranks) {
                    (Outcome::Completed, Some(seen)) if seen < expected => Outcome::NoTurns { expected, seen },
                    (outcome, _) => outcome,
                };
                let lost = self.watch.lost(ended.exit, ended.reason);
                Made { wall: ended.wall, asleep: ended.asleep, hello, outcome, lost }
            }
            Err(error) => Made::without(begun.elapsed(), not_started(error)?),
        })
    }

    fn into_kept(self, made: Made, swept: Found) -> Kept {
        let Making { launch, partner, cells, command, started, mut watch } = self;
        let ran = (launch.runs == Runs::Program).then(|| made.wall.saturating_sub(made.asleep));
        if let (Some(ran), Outcome::Completed) = (ran, &made.outcome) {
            watch.samples.push(Sample::of_program(watch.attempt, nanos(ran)));
        }
        let record = Record {
            attempt: watch.attempt,
            case: launch.case.id(),
            purpose: launch.purpose,
            block: launch.block,
            slot: launch.slot,
            partner,
            command,
            cells,
            started,
            wall_ns: nanos(made.wall),
            beside_ns: None,
            stopped_ns: ran.filter(|_| partner.is_some()).map(|_| nanos(made.asleep)),
            hello_ns: made.hello.map(nanos),
            outcome: made.outcome,
            lost: made.lost,
            said: watch.said(),
            hello: watch.hello.take(),
            facts: watch.facts.take(),
            observed: std::mem::take(&mut watch.observed),
            swept: swept.words,
            samples: SampleRange::empty(),
        };
        (record, watch.samples, swept.lost)
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

/// Why a helper failed: the line in which it says so, before the help it gives; else the end of what it said, where Apptainer
/// has its reason in the line before the last.
fn last_words(captured: &Captured) -> String {
    let lines = captured.stderr.lines().chain(captured.stdout.lines()).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("INFO:")).collect();
    let complains = |line: &&&str| ["FATAL", "ERROR", "Error"].iter().any(|word| line.starts_with(word));
    match (lines.iter().find(complains), lines.as_slice()) {
        (Some(line), _) => (*line).to_owned(),
        (None, []) => "no reason given".to_owned(),
        (None, lines) => lines[lines.len().saturating_sub(2)..].join(" | "),
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
