//! Makes two launches that take turns: the baseline, and what is compared with it.

use std::time::Instant;

use bench_app::gate::{Entrance, Gate, Job, LEASE};

use crate::{
    compose::Commands,
    id::AttemptId,
    plan::{Launch, Runs, Step},
    process::{self, Attempt, Ended, Part, ProcessError, Ranks, duet, stop_and_go},
    record::Outcome,
    site::nodes::Nodes,
    store::Store,
};

use super::{Kept, Made, Making, RunError, Runner, clock, elsewhere::Found, words};

/// One of the two: all that is its own.
struct Side<'s, 'room> {
    attempt: Attempt<'room>,
    making: Making<'s>,
    /// Its commands; none where there are none.
    commands: Option<Commands>,
    /// Why it is not launched.
    refused: Option<Outcome>,
}

impl Runner<'_> {
    /// Both launches of a duet, each with a record, a log and an end of its own. The first has the first turn.
    pub(super) fn duet(
        &self,
        ids: [AttemptId; 2],
        (step, partner): (&Step<'_>, &Launch<'_>),
        nodes: &Nodes,
        store: &Store,
    ) -> Result<[Kept; 2], RunError> {
        let [first, second] = [self.room.attempt(&ids[0].to_string())?, self.room.attempt(&ids[1].to_string())?];
        let path = first.scratch().join("gate");
        // A program knows of no gate.
        let gate = match step.launch.runs {
            Runs::BenchApp | Runs::World => Some(Gate::create(&path, LEASE).map_err(ProcessError::Gate)?),
            Runs::Program => None,
        };
        let side = |at: usize, job, launch, mut attempt| -> Result<Side<'_, '_>, RunError> {
            let entrance = Entrance { path: path.clone(), job };
            let entrance = gate.as_ref().map(|_| &entrance);
            let (making, composed) = self.begin(ids[at], (launch, &step.cells), nodes, entrance);
            let mut making = Making { partner: Some(ids[1 - at]), ..making };
            // Instances before both launches, for no turn is given meanwhile.
            let (commands, refused) = match composed {
                Ok(commands) => {
                    making.command = commands.launch.clone();
                    let refused = self.start(&mut attempt, &commands)?;
                    (Some(commands), refused)
                }
                Err(reason) => (None, Some(Outcome::Unsupported { reason })),
            };
            Ok(Side { attempt, making, commands, refused })
        };
        let mut first = side(0, Job::First, &step.launch, first)?;
        let mut second = side(1, Job::Second, partner, second)?;

        let begun = clock();
        let [one, other] = self.in_turns([&mut first, &mut second], gate.as_ref(), store)?;
        drop(gate);
        for side in [&mut first, &mut second] {
            side.commands.iter().for_each(|commands| self.stop(&mut side.attempt, commands));
        }
        Ok([first.conclude(one, begun)?, second.conclude(other, begun)?])
    }

    /// Launches those that nothing refuses; how they ended.
    fn in_turns(
        &self,
        sides: [&mut Side<'_, '_>; 2],
        gate: Option<&Gate>,
        store: &Store,
    ) -> Result<[Option<Result<Ended, ProcessError>>; 2], RunError> {
        let ranks = sides.each_ref().map(|side| ranks(side.making.launch));
        let [first, second] = sides.map(|side| {
            let Side { attempt, making, commands, refused } = side;
            let commands = commands.as_ref().filter(|_| refused.is_none());
            (attempt, commands.map(|commands| self.supervised(commands, making, store)), making)
        });
        let ((attempt, launch, making), (other_attempt, other_launch, other)) = (first, second);
        let mut observe = |stream, line: &str| making.watch.line(stream, line);
        let mut observe_other = |stream, line: &str| other.watch.line(stream, line);
        let part = launch.map(|launch| Part { attempt, launch, observe: &mut observe, look: None });
        let other =
            other_launch.map(|launch| Part { attempt: other_attempt, launch, observe: &mut observe_other, look: None });
        Ok(match gate {
            Some(gate) => duet([part, other], gate)?,
            None => stop_and_go([part, other], ranks)?,
        })
    }
}

/// A launch of a program for which turns are meant, alone: whether its ranks are found is known before it is ever paired.
pub(super) fn alone(
    attempt: &mut Attempt<'_>,
    launch: process::Launch<'_>,
    making: &mut Making<'_>,
    look: &mut dyn FnMut(),
) -> Result<Result<Ended, ProcessError>, ProcessError> {
    let ranks = ranks(making.launch);
    let mut observe = |stream, line: &str| making.watch.line(stream, line);
    let part = Part { attempt, launch, observe: &mut observe, look: Some(look) };
    let [end, _] = stop_and_go([Some(part), None], [ranks, ranks])?;
    Ok(end.unwrap_or_else(|| unreachable!("it was there")))
}

/// What to know the ranks of a program by.
fn ranks<'a>(launch: &Launch<'a>) -> Ranks<'a> {
    let program = launch.case.program.as_ref().and_then(|program| program.argv.first());
    Ranks { program: program.map_or("", String::as_str), count: launch.case.ranks }
}

impl Side<'_, '_> {
    fn conclude(self, end: Option<Result<Ended, ProcessError>>, begun: Instant) -> Result<Kept, RunError> {
        let Side { attempt, making, refused, .. } = self;
        let made = match (end, refused) {
            (Some(ended), _) => making.made(ended, begun)?,
            (None, Some(outcome)) => Made::without(begun.elapsed(), outcome),
            (None, None) => unreachable!("what is not refused is launched"),
        };
        Ok(making.into_kept(made, Found { words: words(&attempt.close()), ..Found::default() }))
    }
}
