//! Two launches alive at once, which take turns at a gate: one poll loop for both.
//!
//! Neither is signalled for the other's sake. A turn is given once the ranks of every launch that still runs sleep at the
//! gate; a launch that ends, hangs or dies gives up its turns, and the other has all of them. Who sleeps at the gate is not
//! silent: its deadlines wait with it.

use std::time::{Duration, Instant};

use bench_app::gate::{Gate, GateError, Job};

use super::{
    Attempt, Ended, Exit, Launch, ProcessError, Pulse, Stream,
    attempt::LONGEST_LINE,
    bell::Bell,
    now,
    ours::Scope,
    supervise::{Around, Watch, linger, wait},
};

/// A turn: short beside the seconds in which a machine changes its state, long beside a batch.
pub(super) const SLICE: Duration = Duration::from_millis(50);
/// How long the loop sleeps on the gate for the end of a batch before it looks at the pipes again.
const BRIEFLY: Duration = Duration::from_millis(5);
/// How often to look whether both have come to the gate.
const GLANCE: Duration = Duration::from_millis(20);
const JOBS: [Job; 2] = [Job::First, Job::Second];

/// One of the two launches.
pub struct Part<'a, 'room> {
    /// The attempt that it is of: a private directory, a marker and a sweep of its own.
    pub attempt: &'a mut Attempt<'room>,
    /// What is to be run. Its ranks come to the gate as the job of its place.
    pub launch: Launch<'a>,
    /// Sees every line, in order within a stream, and says which are progress.
    pub observe: &'a mut dyn FnMut(Stream, &str) -> Pulse,
    /// Looks at it at a deadline, before it is ended.
    pub look: Option<&'a mut dyn FnMut()>,
}

/// Runs two launches to their ends, in turns at `gate`; the first has the first turn. One may be missing, so that the other
/// passes the gate alone. A request to stop ends both.
///
/// The error of a launch tells why it could not be started; the other one runs all the same.
///
/// # Errors
/// When the harness itself fails. What still runs ends with its attempt.
pub fn duet(
    parts: [Option<Part<'_, '_>>; 2],
    gate: &Gate,
) -> Result<[Option<Result<Ended, ProcessError>>; 2], ProcessError> {
    let bell = parts.iter().flatten().next().and_then(|part| part.attempt.room.bell.as_ref());
    let mut players = parts.map(|part| part.map(Player::start));
    let mut turns = Turns { gate, holder: None, next: Job::First, gone: [false; 2] };
    loop {
        let mut watches = players.each_mut().map(|player| player.as_mut()?.watch.as_mut());
        let alive = watches.each_ref().map(Option::is_some);
        if alive == [false; 2] {
            break;
        }
        let Cue { asleep, again } = turns.cue(alive)?;
        for (watch, asleep) in watches.iter_mut().zip(asleep) {
            watch.iter_mut().for_each(|watch| watch.sleeps(asleep));
        }
        wait(&mut watches.into_iter().flatten().collect::<Vec<_>>(), bell, Some(again))?;
        let [first, second] = &mut players;
        step(first, second, bell, &mut || gate.renew())?;
        step(second, first, bell, &mut || gate.renew())?;
    }
    Ok(players.map(|player| player?.end))
}

/// Takes one of the two a step further. `meanwhile` is called again and again where that is its end.
pub(super) fn step<'a>(
    one: &mut Option<Player<'a, '_>>,
    other: &mut Option<Player<'a, '_>>,
    bell: Option<&Bell>,
    meanwhile: &mut dyn FnMut(),
) -> Result<(), ProcessError> {
    let Some(player) = one else { return Ok(()) };
    match player.step(bell)? {
        Some(exit) => player.end(exit, meanwhile, other.as_mut().and_then(|other| other.watch.as_mut())),
        None => Ok(()),
    }
}

/// A launch of the two, and how far it is.
pub(super) struct Player<'a, 'room> {
    pub(super) attempt: &'a mut Attempt<'room>,
    pub(super) watch: Option<Watch<'a>>,
    pub(super) scope: Option<Scope>,
    look: Option<&'a mut dyn FnMut()>,
    pub(super) end: Option<Result<Ended, ProcessError>>,
}

impl<'a, 'room> Player<'a, 'room> {
    pub(super) fn start(part: Part<'a, 'room>) -> Self {
        let Part { attempt, launch, observe, look } = part;
        match attempt.begin(&launch) {
            Ok(child) => {
                let scope = Some(Scope::Launch(child.id));
                let watch = Some(Watch::new(child, &launch, LONGEST_LINE, observe));
                Self { attempt, watch, scope, look, end: None }
            }
            Err(error) => Self { attempt, watch: None, scope: None, look, end: Some(Err(error)) },
        }
    }

    fn step(&mut self, bell: Option<&Bell>) -> Result<Option<Exit>, ProcessError> {
        let (Some(watch), Some(scope)) = (&mut self.watch, self.scope) else { return Ok(None) };
        let Attempt { ours, scratch, .. } = &mut *self.attempt;
        let look = self.look.as_mut().map(|look| &mut **look as &mut dyn FnMut());
        watch.step(&mut Around { bell, heard: 0, ours, scratch, scope, spare: None, look })
    }

    /// Ends what is left of the launch; meanwhile nobody is given a turn, and the other one is read on.
    fn end(
        &mut self,
        exit: Exit,
        meanwhile: &mut dyn FnMut(),
        mut other: Option<&mut Watch<'a>>,
    ) -> Result<(), ProcessError> {
        let (Some(mut watch), Some(scope)) = (self.watch.take(), self.scope) else { return Ok(()) };
        let wall = watch.wall();
        self.attempt.ours.go_on();
        // What could not be ended is tried again, and reported, when the attempt closes.
        self.attempt.ours.end(scope, &mut |pause| {
            meanwhile();
            let other = other.as_deref_mut();
            linger(&mut std::iter::once(&mut watch).chain(other).collect::<Vec<_>>(), pause);
        });
        self.end = Some(Ok(watch.conclude(exit, wall)?));
        Ok(())
    }
}

/// Who may run, and when to look again.
struct Cue {
    asleep: [bool; 2],
    again: Instant,
}

/// Whose turn it is.
struct Turns<'g> {
    gate: &'g Gate,
    /// Who has the turn, and until when.
    holder: Option<(Job, Instant)>,
    next: Job,
    gone: [bool; 2],
}

impl Turns<'_> {
    /// Gives the next turn where it is time to; `alive` are the jobs that still run.
    fn cue(&mut self, alive: [bool; 2]) -> Result<Cue, GateError> {
        self.gate.renew();
        for (job, alive) in JOBS.into_iter().zip(alive) {
            if !alive && !self.gone[job as usize] {
                self.gone[job as usize] = true;
                self.gate.retire(job);
                self.holder = self.holder.filter(|(holder, _)| *holder != job);
            }
        }
        if let Some((job, until)) = self.holder {
            if now() < until {
                return Ok(self.wait_until(until));
            }
            if !self.gate.waiting(job, BRIEFLY) {
                return Ok(self.wait_until(now()));
            }
            self.holder = None;
        }
        // A job that comes to the gate only now would be there during the other's turn.
        if !JOBS.iter().all(|job| self.gone[*job as usize] || self.gate.waiting(*job, Duration::ZERO)) {
            return Ok(self.wait_until(now() + GLANCE));
        }
        let job = if self.gone[self.next as usize] { self.next.other() } else { self.next };
        self.gate.give(job, SLICE)?;
        let until = now() + SLICE;
        (self.holder, self.next) = (Some((job, until)), job.other());
        Ok(self.wait_until(until))
    }

    fn wait_until(&self, again: Instant) -> Cue {
        let holds = |job: Job| self.holder.is_some_and(|(holder, _)| holder == job);
        Cue { asleep: JOBS.map(|job| !holds(job) && self.gate.waiting(job, Duration::ZERO)), again }
    }
}
