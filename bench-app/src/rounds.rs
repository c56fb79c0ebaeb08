//! Collectives: repetitions that all ranks begin together, timed one by one, each as long as its slowest rank.
//!
//! On one node all ranks read the same clock. Rank 0 says when the next repetition begins, a little ahead; everybody spins
//! until then, and where a rank hears of it too late the repetition does not count (Round-Time, Hunold and Carpen-Amarie).
//! Across nodes a barrier of messages comes before each repetition, and each rank's time counts from its own exit: what the
//! ranks are apart when they leave the barrier is then part of the figure.

use bench_app::{clock, event::Sync};

use crate::{kernels::Repeat, mpi_ffi::MpiError, team::Team};

/// What a late rank says its repetition took: longer than any.
const LATE: u64 = u64::MAX;
/// How far ahead a start is said, at first and at most, ns.
const SLACK: u64 = 2_000;
const MOST_SLACK: u64 = 256_000;

/// Repetitions of one collective on one rank.
pub(crate) struct Rounds<'a> {
    team: &'a Team<'a>,
    work: &'a mut dyn Repeat,
    /// How the next repetitions begin.
    pub(crate) sync: Sync,
    slack: u64,
    /// This rank's times of the repetitions of one take.
    own: Vec<u64>,
    /// Repetitions so far that rank 0 knows of, and those among them that do not count.
    pub(crate) made: u32,
    pub(crate) late: u32,
}

impl<'a> Rounds<'a> {
    /// Repetitions of `work`, begun as `sync` says.
    pub(crate) fn new(team: &'a Team<'a>, work: &'a mut dyn Repeat, sync: Sync) -> Rounds<'a> {
        Rounds { team, work, sync, slack: SLACK * u64::from(levels(team)), own: Vec::new(), made: 0, late: 0 }
    }

    /// Makes `k` repetitions. On rank 0: how long each took that counts, ns; nothing on the others. Collective.
    pub(crate) fn take(&mut self, k: u32) -> Result<Vec<u64>, MpiError> {
        self.own.clear();
        self.own.reserve(k as usize);
        for _ in 0..k {
            let ns = match self.sync {
                Sync::RoundTime => self.together()?,
                Sync::Batch | Sync::Barrier => self.after_a_barrier()?,
            };
            self.own.push(ns);
        }
        let mut slowest = self.team.slowest(&self.own)?;
        slowest.retain(|ns| *ns != LATE);
        if self.team.leads() {
            let late = k - slowest.len() as u32;
            self.made += k;
            self.late += late;
            if late * 10 > k {
                self.slack = (self.slack * 2).min(MOST_SLACK);
            }
        }
        Ok(slowest)
    }

    /// What is repeated, for batches that are not timed.
    pub(crate) fn work(&mut self) -> &mut dyn Repeat {
        self.work
    }

    /// Whether starting together has failed so often that a barrier is the better way. Only rank 0 knows.
    pub(crate) fn hopeless(&self) -> bool {
        self.sync == Sync::RoundTime && self.slack == MOST_SLACK && self.late * 2 > self.made
    }

    /// Repetitions begin after a barrier from now on; what was so far does not count.
    pub(crate) fn fall_back(&mut self) {
        self.sync = Sync::Barrier;
    }

    #[inline]
    fn together(&mut self) -> Result<u64, MpiError> {
        let start = self.team.announce(if self.team.leads() { clock::now() + self.slack } else { 0 })?;
        let heard = clock::now();
        while clock::now() < start {}
        self.work.repeat(1)?;
        let end = clock::now();
        Ok(if heard < start { end - start } else { LATE })
    }

    #[inline]
    fn after_a_barrier(&mut self) -> Result<u64, MpiError> {
        self.team.synchronise()?;
        let start = clock::now();
        self.work.repeat(1)?;
        Ok(clock::now() - start)
    }
}

/// Messages one after the other until the last rank has heard from rank 0.
fn levels(team: &Team) -> u32 {
    team.data.size.unsigned_abs().next_power_of_two().ilog2().max(1)
}
