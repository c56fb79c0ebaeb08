//! Two launches of programs that know nothing of turns: the ranks of one are stopped by signals while the other runs.
//!
//! Only ranks are stopped, with what they have started, and only what is provably a launch's (`process/ours.rs`). Launchers
//! are not: mpirun passes a SIGCONT on to its ranks, at a time of its own, and Apptainer does not bear to be stopped while it
//! sets up a container. So a launch keeps its first turn until all its ranks run, its last one from when none is left; the
//! second launch is started when its first turn comes. One whose ranks are never found takes no turns, and its end says how
//! many were: what was measured beside it is no pair with it. What is stopped goes on by itself wherever this loop is left: when a
//! launch ends or is asked to end, when its attempt is closed, also by an error or a panic. If this process is killed, its guard
//! ends all of it (`process/guard.rs`).

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    Ended, ProcessError,
    duet::{Part, Player, SLICE, step},
    now,
    procfs::Identity,
    supervise::{Watch, wait},
};

/// How often to look whether all ranks of a launch run.
const GLANCE: Duration = Duration::from_millis(10);

/// What the ranks of a launch run, and how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Ranks<'a> {
    /// The first word of their command.
    pub program: &'a str,
    /// How many.
    pub count: u32,
}

/// Runs two launches to their ends, in turns; the first has the first turn. One may be missing: then the other's ranks are
/// looked for all the same. A request to stop ends both.
///
/// The error of a launch tells why it could not be started; the other one runs all the same.
///
/// # Errors
/// When the harness itself fails. What still runs ends with its attempt.
pub fn stop_and_go(
    mut parts: [Option<Part<'_, '_>>; 2],
    ranks: [Ranks<'_>; 2],
) -> Result<[Option<Result<Ended, ProcessError>>; 2], ProcessError> {
    let bell = parts.iter().flatten().next().and_then(|part| part.attempt.room.bell.as_ref());
    let mut players: [Option<Player<'_, '_>>; 2] = [None, None];
    let mut turns = Turns { holder: 0, until: now(), jobs: ranks.map(Job::of) };
    loop {
        let is_open = |at: usize| parts[at].is_some() || players[at].as_ref().is_some_and(|p| p.watch.is_some());
        let open = [0, 1].map(is_open);
        if open == [false; 2] {
            break;
        }
        turns.give(open, &mut parts, &mut players);
        let mut watches = players.each_mut().map(|player| player.as_mut()?.watch.as_mut());
        wait(&mut watches.iter_mut().flatten().map(|watch| &mut **watch).collect::<Vec<_>>(), bell, Some(turns.until))?;
        let [first, second] = &mut players;
        step(first, second, bell, &mut || {})?;
        step(second, first, bell, &mut || {})?;
    }
    let [one, other] = players;
    let end = |player: Option<Player<'_, '_>>, job: &Job<'_>| {
        Some(player?.end?.map(|ended| Ended { ranks: Some(job.found), ..ended }))
    };
    Ok([end(one, &turns.jobs[0]), end(other, &turns.jobs[1])])
}

/// Whose turn it is, and when to look again.
struct Turns<'r> {
    holder: usize,
    until: Instant,
    jobs: [Job<'r>; 2],
}

/// The ranks of a launch, as far as they are known.
struct Job<'r> {
    wanted: Ranks<'r>,
    /// Once all of them run.
    ranks: BTreeSet<Identity>,
    /// Most of them that were there at once.
    found: u32,
    /// Who was stopped last time, most likely all that belongs to them.
    before: BTreeSet<Identity>,
}

impl<'r> Job<'r> {
    fn of(wanted: Ranks<'r>) -> Self {
        Self { wanted, ranks: BTreeSet::new(), found: 0, before: BTreeSet::new() }
    }

    /// Stops its ranks; tells whether there were any.
    fn stop(&mut self, player: &mut Player<'_, '_>) -> bool {
        let (Some(watch), Some(scope)) = (&mut player.watch, player.scope) else { return false };
        // None once it was asked to end: it shall.
        if self.ranks.is_empty() || watch.is_ending() {
            return false;
        }
        let ours = &mut player.attempt.ours;
        let told = ours.stop(scope, &self.ranks, &self.before);
        let any = ours.are_stopped();
        if any {
            watch.sleeps_since(told);
        } else {
            // They have ended, or were not yet the ranks themselves.
            self.ranks.clear();
            if !self.had_turns() {
                self.found = 0;
            }
        }
        any
    }

    /// Whether it was ever stopped and let go on.
    fn had_turns(&self) -> bool {
        !self.before.is_empty()
    }

    fn go_on(&mut self, player: &mut Player<'_, '_>) {
        let stopped = player.attempt.ours.go_on();
        if !stopped.is_empty() {
            self.before = stopped;
        }
        player.watch.iter_mut().for_each(Watch::wakes);
    }

    /// Whether all its ranks run.
    fn is_begun(&mut self, player: &mut Player<'_, '_>) -> bool {
        if let (true, Some(scope)) = (self.ranks.is_empty(), player.scope) {
            let running = player.attempt.ours.ranks(scope, self.wanted.program);
            let numbers = running.values().collect::<BTreeSet<_>>().len();
            self.found = self.found.max(u32::try_from(numbers).unwrap_or(u32::MAX));
            if numbers >= self.wanted.count as usize {
                self.ranks = running.into_keys().collect();
            }
        }
        !self.ranks.is_empty()
    }
}

impl Turns<'_> {
    /// Gives the next turn where it is time to; `open` are the launches that have not ended.
    fn give<'a, 'room>(
        &mut self,
        open: [bool; 2],
        parts: &mut [Option<Part<'a, 'room>>; 2],
        players: &mut [Option<Player<'a, 'room>>; 2],
    ) {
        if now() < self.until && open[self.holder] {
            return;
        }
        let holder = self.holder;
        if let (true, Some(player)) = (open[holder], &mut players[holder]) {
            let job = &mut self.jobs[holder];
            // The other is let go on alone, or started, once this one's ranks are stopped.
            if !job.is_begun(player) {
                // Of one that comes to its end nothing is to be found any more.
                self.until = now() + if job.had_turns() { SLICE } else { GLANCE };
                return;
            }
            if open[1 - holder] && !job.stop(player) {
                self.until = now() + SLICE;
                return;
            }
        }
        let next = if open[1 - holder] && (players[holder].is_some() || !open[holder]) { 1 - holder } else { holder };
        match (parts[next].take(), &mut players[next]) {
            (Some(part), player) => *player = Some(Player::start(part)),
            (None, Some(player)) => self.jobs[next].go_on(player),
            (None, None) => {}
        }
        (self.holder, self.until) = (next, now() + SLICE);
    }
}
