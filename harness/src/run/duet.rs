//! Makes two launches that take turns: the baseline, and what is compared with it.

use std::time::Instant;

use bench_app::gate::{Entrance, Gate, Job, LEASE};

use crate::{
    id::AttemptId,
    plan::{Launch, Step},
    process::{Attempt, Ended, Part, ProcessError, duet},
    record::{Outcome, Record, Sample},
    store::Store,
};

use super::{Made, Making, RunError, Runner, clock, words};

/// One of the two: all that is its own.
struct Side<'s, 'room> {
    attempt: Attempt<'room>,
    making: Making<'s>,
    /// Why it is not launched.
    refused: Option<Outcome>,
}

impl Runner<'_> {
    /// Both launches of a duet, each with a record, a log and an end of its own. The first has the first turn.
    pub(super) fn duet(
        &self,
        ids: [AttemptId; 2],
        (step, partner): (&Step<'_>, &Launch<'_>),
        store: &Store,
    ) -> Result<[(Record, Vec<Sample>); 2], RunError> {
        let attempts = [self.room.attempt(&ids[0].to_string())?, self.room.attempt(&ids[1].to_string())?];
        let path = attempts[0].scratch().join("gate");
        let gate = Gate::create(&path, LEASE).map_err(ProcessError::Gate)?;
        let [first, second] = attempts;
        let side = |at: usize, job, launch, mut attempt| -> Result<Side<'_, '_>, RunError> {
            let entrance = Entrance { path: path.clone(), job };
            let making = self.begin(ids[at], (launch, &step.cells), Some(&entrance));
            let making = Making { partner: Some(ids[1 - at]), ..making };
            // Instances before both launches, for no turn is given meanwhile.
            let refused = self.start(&mut attempt, &making.commands)?;
            Ok(Side { attempt, making, refused })
        };
        let mut first = side(0, Job::First, &step.launch, first)?;
        let mut second = side(1, Job::Second, partner, second)?;

        let begun = clock();
        let [one, other] = self.in_turns([&mut first, &mut second], &gate, (store, begun))?;
        drop(gate);
        self.stop(&mut first.attempt, &first.making.commands);
        self.stop(&mut second.attempt, &second.making.commands);
        Ok([first.conclude(one, begun)?, second.conclude(other, begun)?])
    }

    /// Launches those that nothing refuses; how they ended.
    fn in_turns(
        &self,
        sides: [&mut Side<'_, '_>; 2],
        gate: &Gate,
        (store, begun): (&Store, Instant),
    ) -> Result<[Option<Result<Ended, ProcessError>>; 2], RunError> {
        let commands = sides.each_ref().map(|side| side.making.commands.launch.clone());
        let [first, second] = sides;
        let launches =
            [self.supervised(&commands[0], &first.making, store), self.supervised(&commands[1], &second.making, store)];
        let [launch, other_launch] = launches;
        let mut observe = |stream, line: &str| first.making.line(begun, stream, line);
        let mut observe_other = |stream, line: &str| second.making.line(begun, stream, line);
        let part = Part { attempt: &mut first.attempt, launch, observe: &mut observe };
        let other = Part { attempt: &mut second.attempt, launch: other_launch, observe: &mut observe_other };
        let parts = [first.refused.is_none().then_some(part), second.refused.is_none().then_some(other)];
        Ok(duet(parts, gate)?)
    }
}

impl Side<'_, '_> {
    fn conclude(
        self,
        end: Option<Result<Ended, ProcessError>>,
        begun: Instant,
    ) -> Result<(Record, Vec<Sample>), RunError> {
        let Side { attempt, making, refused } = self;
        let made = match (end, refused) {
            (Some(ended), _) => making.made(ended, begun)?,
            (None, Some(outcome)) => Made { wall: begun.elapsed(), outcome },
            (None, None) => unreachable!("what is not refused is launched"),
        };
        Ok(making.into_record(made, words(&attempt.close())))
    }
}
