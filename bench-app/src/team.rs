//! Who takes part in a visit, and how its ranks agree outside the timed part.
//!
//! Rank 0 leads; the others learn by a control message what comes next. A communicator of its own carries control, so
//! that it never meets a data message.

use std::{thread, time::Duration};

use bench_app::{
    Kernel,
    clock::Start,
    gate::{Admission, Turns},
    kernel::Ranks,
    pages::{Lane, LaneMut},
};

use crate::{
    census::Place,
    mpi_ffi::{Comm, MpiError},
    session::Failure,
};

/// How long a rank that waits for its turn sleeps between two looks. MPI's own waiting would spin on a core that the
/// measuring ranks' launcher, or their clock frequency, could use.
const NAP: Duration = Duration::from_micros(200);

/// The ranks of a visit.
#[derive(Clone, Copy)]
pub(crate) struct Team<'g> {
    /// Carries what is measured.
    pub(crate) data: Comm,
    control: Comm,
    /// Whether its ranks read one clock and have a core each, so that they can begin at a moment said ahead.
    pub(crate) one_clock: bool,
    /// Where it takes turns with another launch, if it does.
    gate: Option<&'g Turns>,
}

impl<'g> Team<'g> {
    fn new(ranks: &Comm, one_clock: bool, gate: Option<&'g Turns>) -> Result<Team<'g>, MpiError> {
        Ok(Team { data: ranks.duplicate()?, control: ranks.duplicate()?, one_clock, gate })
    }

    /// Whether this rank is the one that decides and times.
    pub(crate) fn leads(&self) -> bool {
        self.data.rank == 0
    }

    /// Rank 0's `word`, on all ranks, along a tree of messages of our own. Collective.
    #[inline]
    pub(crate) fn announce(&self, mut word: u64) -> Result<u64, MpiError> {
        let Comm { rank, size, .. } = self.control;
        let mut distance = 1;
        while distance < size {
            if rank & distance != 0 {
                word = self.control.receive_word(rank - distance)?;
                break;
            }
            distance *= 2;
        }
        while distance > 1 {
            distance /= 2;
            if rank + distance < size {
                self.control.send_word(word, rank + distance)?;
            }
        }
        Ok(word)
    }

    /// Rank 0's answer to whether there is another batch, on all ranks.
    pub(crate) fn agree(&self, another: bool) -> Result<bool, MpiError> {
        self.control.broadcast([u8::from(another)]).map(|[word]| word != 0)
    }

    /// Where a gate says that the turn is over, sleeps until the next, and returns for how long. Collective: rank 0 decides,
    /// and no rank waits in a receive for one that sleeps.
    pub(crate) fn pass(&self) -> Result<Option<Duration>, Failure> {
        let Some(gate) = self.gate else { return Ok(None) };
        if !self.agree(gate.over())? {
            return Ok(None);
        }
        let asleep = Start::now();
        match gate.wait_for_turn(self.control.size.unsigned_abs()) {
            Admission::Granted => Ok(Some(asleep.elapsed())),
            Admission::Expired => Err(Failure::Expired),
        }
    }

    /// Dissemination barrier of empty messages: the library's own would be part of what is compared.
    ///
    /// Between two ranks the other one leaves first: it already waits for the batch's first message when rank 0 starts.
    pub(crate) fn synchronise(&self) -> Result<(), MpiError> {
        let Comm { rank, size, .. } = self.control;
        let mut distance = 1;
        while distance < size {
            self.control.nudge((rank + distance) % size, (rank + size - distance) % size)?;
            distance *= 2;
        }
        Ok(())
    }

    /// The slowest rank's time of each batch, on rank 0.
    pub(crate) fn slowest(&self, ns: &[u64]) -> Result<Vec<u64>, MpiError> {
        self.control.largest(ns)
    }

    /// The number each rank found, by rank, on rank 0.
    pub(crate) fn collect(&self, found: Option<u64>) -> Result<Vec<Option<u64>>, MpiError> {
        let all = self.control.gather(&found.unwrap_or(u64::MAX).to_le_bytes())?;
        let number = |bytes: &[u8; 8]| Some(u64::from_le_bytes(*bytes)).filter(|number| *number != u64::MAX);
        Ok(all.as_chunks().0.iter().map(number).collect())
    }
}

/// What a rank hears when it waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The next check or visit of its teams begins.
    Go,
    /// The pair finds out what may disturb or crash what it asks.
    Late,
    /// All is done.
    End,
    /// Stop: a payload arrived changed.
    WrongData,
}

impl Turn {
    const ALL: [Turn; 4] = [Turn::Go, Turn::Late, Turn::End, Turn::WrongData];
}

/// All ranks of the world.
pub(crate) struct Crew<'g> {
    turns: Comm,
    all: Team<'g>,
    /// All ranks that have a partner: one stays out where the number is odd.
    pairs: Option<Team<'g>>,
    pair: Option<Team<'g>>,
}

impl<'g> Crew<'g> {
    /// Makes the communicators. Collective over `world`.
    pub(crate) fn new(world: &Comm, place: Place, gate: Option<&'g Turns>) -> Result<Crew<'g>, MpiError> {
        let one_clock = place.one_node && !place.crowded;
        let first = |count| world.first(count)?.as_ref().map(|ranks| Team::new(ranks, one_clock, gate)).transpose();
        let (pair, pairs) = (first(2)?, first(world.size / 2 * 2)?);
        Ok(Crew { turns: world.duplicate()?, all: Team::new(world, one_clock, gate)?, pairs, pair })
    }

    /// All ranks wait for the launch's first turn, where it takes turns. Collective.
    pub(crate) fn assemble(&self) -> Result<(), Failure> {
        self.all.pass().map(drop)
    }

    /// The team of `kernel`, if this rank is in it.
    pub(crate) fn team(&self, kernel: Kernel) -> Option<Team<'g>> {
        match kernel.row().ranks {
            Ranks::Pair => self.pair,
            Ranks::Pairs => self.pairs,
            Ranks::All => Some(self.all),
        }
    }

    /// Rank 0 gives `team` its turn.
    pub(crate) fn start(&self, team: &Team) -> Result<(), MpiError> {
        self.tell(team.data.size, Turn::Go)
    }

    /// Ranks 0 and 1.
    pub(crate) fn pair(&self) -> Option<Team<'g>> {
        self.pair
    }

    /// Rank 0 lets rank 1 know that the end begins.
    pub(crate) fn begin_late(&self) -> Result<(), MpiError> {
        self.tell(2, Turn::Late)
    }

    /// Rank 0 sends everybody home.
    pub(crate) fn dismiss(&self, turn: Turn) -> Result<(), MpiError> {
        self.tell(self.turns.size, turn)
    }

    fn tell(&self, ranks: i32, turn: Turn) -> Result<(), MpiError> {
        (1..ranks).try_for_each(|rank| self.turns.outgoing(Lane::of(&[turn as u8]), rank).send())
    }

    /// The other ranks sleep until rank 0 tells them something.
    pub(crate) fn wait(&self) -> Result<Turn, MpiError> {
        while !self.turns.has_message(0)? {
            thread::sleep(NAP);
        }
        let mut word = [0];
        self.turns.incoming(LaneMut::of(&mut word), 0).receive()?;
        Ok(Turn::ALL.into_iter().find(|turn| *turn as u8 == word[0]).unwrap_or(Turn::End))
    }
}
