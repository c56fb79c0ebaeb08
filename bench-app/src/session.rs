//! From the world's first word to its last: hello, facts, rounds of visits, done.

use std::{io, time::Duration};

use bench_app::{
    Cell, Event, PROTOCOL, Workload,
    clock::Start,
    event::{BATCHES_PER_FRAME, Begin, Done, Facts, Hello, Late, Measurement, Visited, WrongData},
    exit,
    gate::{Entrance, GateError, Turns},
    table::Table,
};

use crate::{
    buffers::Buffers,
    census::{self, Place},
    instruments::Instruments,
    kernels::family,
    mpi_ffi::{Comm, MpiError},
    output::Output,
    team::{Crew, Team, Turn},
    visit::{Visit, trace, visit},
};

/// Longest first line of a library's version that is passed on: a frame has room for it.
const LIBRARY_MAX: usize = 240;

/// Why a rank cannot go on. Its world then has to be aborted: the others would wait for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An MPI call failed.
    #[error(transparent)]
    Mpi(#[from] MpiError),
    /// Nobody reads the frames.
    #[error("standard output: {0}; hint: is the reader of bench-app's output still there?")]
    Output(#[from] io::Error),
    /// The gather of facts brought something else.
    #[error("facts of the ranks: {0}")]
    Facts(#[from] serde_json::Error),
    /// The gate is not there, or no gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A gate is a file in memory and a clock that all ranks share.
    #[error("--gate: the ranks are on several nodes; hint: jobs take turns on one node only")]
    GateOfSeveralNodes,
    /// The harness is gone, or wants no more.
    #[error("--gate: nobody gives turns any more; hint: is the harness that made the gate still there?")]
    Expired,
}

impl Failure {
    /// Whether all ranks come to it by themselves.
    pub(crate) fn is_common(&self) -> bool {
        match self {
            Failure::Gate(_) | Failure::GateOfSeveralNodes | Failure::Expired => true,
            Failure::Mpi(_) | Failure::Output(_) | Failure::Facts(_) => false,
        }
    }

    /// The exit code that says so.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Expired => exit::EXPIRED,
            Failure::Mpi(_)
            | Failure::Output(_)
            | Failure::Facts(_)
            | Failure::Gate(_)
            | Failure::GateOfSeveralNodes => exit::FAILED,
        }
    }
}

/// What a rank measures with.
struct Tools {
    buffers: Buffers,
    instruments: Instruments,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With everything measured.
    Measured,
    /// With a world of one rank.
    Singleton,
    /// With wrong data.
    WrongData,
}

/// One launch, on one rank.
pub(crate) struct Session<'a> {
    pub(crate) world: Comm,
    pub(crate) workload: &'a Workload,
    /// Where it takes turns with another launch, if it does.
    pub(crate) gate: Option<&'a Entrance>,
    pub(crate) output: Output,
    /// Where rank 0 adds what it measures, if a person wants to see it.
    pub(crate) table: Option<Table>,
}

impl Session<'_> {
    /// Says who and where we are, then measures if there is anybody to measure with.
    pub(crate) fn run(&mut self, launcher_size: Option<u32>, init_ns: u64) -> Result<Ending, Failure> {
        let begun = Start::now();
        if self.world.rank == 0 {
            self.output.say(&Event::Hello(self.hello(launcher_size, init_ns)))?;
        }
        let (place, facts) = census::facts(&self.world)?;
        for frame in facts.map(Facts::into_frames).into_iter().flatten() {
            self.output.say(&frame)?;
        }
        if self.world.size < 2 {
            return Ok(Ending::Singleton);
        }
        let turns = self.turns(place)?;
        let crew = Crew::new(&self.world, place, turns.as_ref())?;
        let mut tools = Tools {
            buffers: Buffers::new(self.workload, &crew, place),
            instruments: Instruments::new(crew.pair().map(|pair| pair.data).as_ref(), self.workload)?,
        };
        crew.assemble()?;
        if self.world.rank == 0 { self.lead(&crew, &mut tools, begun) } else { self.follow(&crew, &mut tools) }
    }

    fn turns(&self, place: Place) -> Result<Option<Turns>, Failure> {
        let Some(entrance) = self.gate else { return Ok(None) };
        if !place.one_node {
            return Err(Failure::GateOfSeveralNodes);
        }
        Ok(Some(Turns::join(entrance)?))
    }

    fn hello(&self, launcher_size: Option<u32>, init_ns: u64) -> Hello {
        let library = mpi::environment::library_version().unwrap_or_else(|_| "not UTF-8".into());
        // Open MPI 4.1 counts the terminating NUL as part of the text.
        let line = library.lines().next().unwrap_or_default().trim_end_matches('\0');
        let library = line.chars().take(LIBRARY_MAX).collect();
        let (world, version) = (self.world.size.unsigned_abs(), env!("CARGO_PKG_VERSION").into());
        Hello { protocol: PROTOCOL, version, world, launcher_size, library, init_ns }
    }

    fn lead(&mut self, crew: &Crew, tools: &mut Tools, begun: Start) -> Result<Ending, Failure> {
        let mut visits = 0;
        for round in 0..self.workload.rounds.get() {
            for cell in self.workload.round(round) {
                let Some(team) = crew.team(cell.kernel) else { continue };
                let Cell { kernel, bytes, .. } = cell;
                self.output.say(&Event::Begin(Begin { kernel, bytes, visit: round }))?;
                if round == 0 && !self.check(&cell, crew, &team, &mut tools.buffers)? {
                    crew.dismiss(Turn::WrongData)?;
                    return Ok(Ending::WrongData);
                }
                crew.start(&team)?;
                self.perform(&cell, round, &team, tools)?;
                visits += 1;
            }
        }
        crew.begin_late()?;
        if let Some(late) = crew.pair().map(late).transpose()?.flatten() {
            let no_canary = tools.instruments.silent_because().map(str::to_owned);
            let canary_over = tools.instruments.wire();
            self.output.say(&Event::Late(Late {
                no_canary,
                canary_over,
                rotating: tools.buffers.rotating(),
                ..late
            }))?;
        }
        crew.dismiss(Turn::End)?;
        self.output.say(&Event::Done(Done { visits, wall_ns: begun.ns() }))?;
        Ok(Ending::Measured)
    }

    /// One visit of `cell` with everything around it. Collective over the team; rank 0 says what came of it.
    fn perform(&mut self, cell: &Cell, round: u32, team: &Team, tools: &mut Tools) -> Result<(), Failure> {
        let Tools { buffers, instruments } = tools;
        let (Cell { kernel, bytes, .. }, len) = (*cell, cell.bytes.0 as usize);
        let time = Duration::from_millis(self.workload.visit_ms.into());
        team.pass()?;
        let copy_ns = instruments.copy_ns(len);
        team.synchronise()?;
        let before = instruments.canary();
        let stream_ns = instruments.stream_ns(len);
        let mut part = (family(kernel).part)(&team.data, buffers, len);
        let made = visit(cell, time, team, &mut *part)?;
        team.synchronise()?;
        let after = instruments.canary();
        if team.leads() {
            self.report(cell, round, &made)?;
        }
        if round == 0 {
            let trace = trace(cell, time, team, (&made, &mut *part))?;
            if let Some(trace) = trace.filter(|_| team.leads()) {
                self.output.say(&Event::Trace(trace))?;
            }
        }
        if team.leads() {
            let Visit { settled, sync, made, late, .. } = made;
            let canary = before.zip(after).map(|(before, after)| [before, after]);
            let (visit, canary_trips) = (round, instruments.trips());
            let visited =
                Visited { kernel, bytes, visit, settled, sync, made, late, canary, canary_trips, copy_ns, stream_ns };
            self.output.say(&Event::Visited(visited))?;
        }
        Ok(())
    }

    /// Rank 0's side of the check pass: whether all ranks saw what had been sent; says who did not.
    fn check(&mut self, cell: &Cell, crew: &Crew, team: &Team, buffers: &mut Buffers) -> Result<bool, Failure> {
        crew.start(team)?;
        let found = team.collect(check(cell, team, buffers)?)?;
        let Cell { kernel, bytes, .. } = *cell;
        let wrong = (0..).zip(&found).filter_map(|(rank, at)| at.map(|at| WrongData { kernel, bytes, rank, at }));
        for event in wrong {
            self.output.say(&Event::WrongData(event))?;
        }
        Ok(found.iter().all(Option::is_none))
    }

    /// The other ranks: the same sequence, each step when rank 0 says so.
    fn follow(&mut self, crew: &Crew, tools: &mut Tools) -> Result<Ending, Failure> {
        for round in 0..self.workload.rounds.get() {
            for cell in self.workload.round(round) {
                let Some(team) = crew.team(cell.kernel) else { continue };
                if round == 0 {
                    if let Some(ending) = ending(crew.wait()?) {
                        return Ok(ending);
                    }
                    team.collect(check(&cell, &team, &mut tools.buffers)?)?;
                }
                if let Some(ending) = ending(crew.wait()?) {
                    return Ok(ending);
                }
                self.perform(&cell, round, &team, tools)?;
            }
        }
        loop {
            match (crew.wait()?, crew.pair()) {
                (Turn::Late, Some(pair)) => late(pair)?.map_or((), drop),
                (turn, _) => return Ok(ending(turn).unwrap_or(Ending::Measured)),
            }
        }
    }

    fn report(&mut self, cell: &Cell, visit: u32, made: &Visit) -> io::Result<()> {
        let (Cell { kernel, bytes, k }, discarded) = (*cell, made.discarded);
        for (first, ns) in (0..).step_by(BATCHES_PER_FRAME).zip(made.ns.chunks(BATCHES_PER_FRAME)) {
            let (k, ns) = (k.get(), ns.to_vec());
            let measurement = Measurement { kernel, bytes, visit, k, discarded, first, ns };
            if let Some(table) = &mut self.table {
                table.add(&measurement);
            }
            self.output.say(&Event::Measurement(measurement))?;
        }
        Ok(())
    }
}

fn check(cell: &Cell, team: &Team, buffers: &mut Buffers) -> Result<Option<u64>, Failure> {
    team.pass()?;
    Ok((family(cell.kernel).check)(&team.data, buffers, cell.bytes.0 as usize)?)
}

fn late(pair: Team) -> Result<Option<Late>, Failure> {
    pair.pass()?;
    census::late(&pair.data)
}

fn ending(turn: Turn) -> Option<Ending> {
    match turn {
        Turn::Go | Turn::Late => None,
        Turn::End => Some(Ending::Measured),
        Turn::WrongData => Some(Ending::WrongData),
    }
}
