//! A visit: warm-up, then batches of K until its time is over, each between two timestamps.

use std::time::Duration;

use bench_app::{
    Cell,
    clock::{self, Start},
    event::Sync,
    kernel::Ranks,
    stationarity::{Settled, median, settle},
    tails::{self, Trace},
};

use crate::{kernels::Repeat, mpi_ffi::MpiError, rounds::Rounds, session::Failure, team::Team};

/// Batches kept in a visit, however long one takes.
const AT_LEAST: usize = 3;
/// How many times a visit's time may pass before starts that fail are given up.
const OVERTIME: u32 = 4;

/// What a visit brought. Only rank 0's is of use.
pub(crate) struct Visit {
    /// Durations of the kept batches, ns.
    pub(crate) ns: Vec<u64>,
    /// Batches before them.
    pub(crate) discarded: u32,
    pub(crate) settled: Settled,
    pub(crate) sync: Sync,
    /// Repetitions begun together, and those in which a rank was late.
    pub(crate) made: u32,
    pub(crate) late: u32,
}

/// Visits `cell` for `time` with this rank's part `work` in it. Collective over the team.
pub(crate) fn visit(cell: &Cell, time: Duration, team: &Team, work: &mut dyn Repeat) -> Result<Visit, Failure> {
    let mut visit = match cell.kernel.row().ranks {
        Ranks::Pair => of_batches(batches(cell, time, team, work)?),
        Ranks::Pairs => of_batches(team.slowest(&batches(cell, time, team, work)?)?),
        Ranks::All => rounds(cell, time, team, work)?,
    };
    let (more, settled) = settle(&visit.ns, cell.warm_up());
    visit.ns.drain(..more);
    Ok(Visit { discarded: cell.warm_up() + more as u32, settled, ..visit })
}

fn of_batches(ns: Vec<u64>) -> Visit {
    Visit { ns, discarded: 0, settled: Settled::TooFew, sync: Sync::Batch, made: 0, late: 0 }
}

fn batches(cell: &Cell, time: Duration, team: &Team, work: &mut dyn Repeat) -> Result<Vec<u64>, Failure> {
    warm_up(cell, team, work)?;
    let (mut taken, mut asleep) = (Vec::new(), Duration::ZERO);
    let begun = Start::now();
    while team.agree(taken.len() < AT_LEAST || begun.elapsed() < time + asleep)? {
        asleep += pass(cell, team, work)?;
        taken.push(batch(cell.k.get(), team, work)?);
    }
    Ok(taken)
}

/// Batches that are not kept: the first ones after something else are slower.
fn warm_up(cell: &Cell, team: &Team, work: &mut dyn Repeat) -> Result<(), MpiError> {
    (0..cell.warm_up()).try_for_each(|_| batch(cell.k.get(), team, work).map(drop))
}

/// Sleeps where the turn is over, and is warm again afterwards. Returns how long it slept.
fn pass(cell: &Cell, team: &Team, work: &mut dyn Repeat) -> Result<Duration, Failure> {
    let Some(asleep) = team.pass()? else { return Ok(Duration::ZERO) };
    warm_up(cell, team, work)?;
    Ok(asleep)
}

/// One batch, in ns. All ranks are ready when it begins, so its first message neither waits nor comes unexpected.
fn batch(k: u32, team: &Team, work: &mut dyn Repeat) -> Result<u64, MpiError> {
    team.synchronise()?;
    let start = Start::now();
    work.repeat(k)?;
    Ok(start.ns())
}

/// Batches of repetitions that are timed one by one: a batch is the sum of K that count, one after the other.
fn rounds(cell: &Cell, time: Duration, team: &Team, work: &mut dyn Repeat) -> Result<Visit, Failure> {
    let k = cell.k.get();
    let sync = if team.one_clock { Sync::RoundTime } else { Sync::Barrier };
    let mut rounds = Rounds::new(team, work, sync);
    for _ in 0..cell.warm_up() {
        rounds.take(k)?;
    }
    (rounds.made, rounds.late) = (0, 0);
    let (mut taken, mut asleep) = (Vec::new(), Duration::ZERO);
    let begun = Start::now();
    loop {
        let enough = taken.len() >= AT_LEAST * k as usize;
        if !team.agree(!enough || begun.elapsed() < time + asleep)? {
            break;
        }
        asleep += pass(cell, team, rounds.work())?;
        let hopeless = rounds.hopeless() || !enough && begun.elapsed() > OVERTIME * time + asleep;
        if rounds.sync == Sync::RoundTime && team.agree(hopeless)? {
            rounds.fall_back();
            taken.clear();
        }
        taken.extend(rounds.take(k)?);
    }
    let ns = taken.chunks_exact(k as usize).map(|batch| batch.iter().sum()).collect();
    let Rounds { sync, made, late, .. } = rounds;
    Ok(Visit { sync, made, late, ..of_batches(ns) })
}

/// Repetitions of `cell` timed one by one for about `time`, after a `visit` has shown how many that are. The trace is
/// rank 0's. Collective over the team.
pub(crate) fn trace(
    cell: &Cell,
    time: Duration,
    team: &Team,
    (visit, work): (&Visit, &mut dyn Repeat),
) -> Result<Option<Trace>, Failure> {
    pass(cell, team, work)?;
    let repetition = if visit.ns.is_empty() { f64::MAX } else { median(&visit.ns) / f64::from(cell.k.get()) };
    let count = team.announce(tails::count(repetition, time.as_nanos() as f64).into())? as u32;
    let single = |work: &mut dyn Repeat| -> Result<_, MpiError> {
        let mut singles = Vec::with_capacity(count as usize);
        team.synchronise()?;
        for _ in 0..count {
            let start = Start::now();
            work.repeat(1)?;
            singles.push(start.ns());
        }
        Ok(singles)
    };
    let singles = match cell.kernel.row().ranks {
        Ranks::Pair => single(work)?,
        Ranks::Pairs => team.slowest(&single(work)?)?,
        Ranks::All => Rounds::new(team, work, visit.sync).take(count)?,
    };
    Ok(Trace::of(cell.kernel, cell.bytes, &singles, clock::cost()))
}
