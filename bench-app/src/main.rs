//! The MPI benchmark that is measured in every mode. The library says what it is asked and what it answers.

mod buffers;
mod census;
mod check;
mod instruments;
mod kernels;
mod mpi_ffi;
mod output;
mod rounds;
mod session;
mod team;
mod visit;

use std::{
    io::{IsTerminal, stderr},
    path::Path,
    process::ExitCode,
    thread,
    time::Duration,
};

use bench_app::{
    Event, Workload,
    clock::Start,
    event::{Boot, Failed},
    exit,
    table::Table,
    workload::Args,
};
use clap::{CommandFactory, Parser, error::ErrorKind};

use crate::{
    output::Output,
    session::{Ending, Failure, Session},
};

/// Launcher ranks below this one say that they exist before `MPI_Init`.
const BOOTING_RANKS: u32 = 16;
/// How long a singleton lingers, also one that does not know of others, for the launcher's variables may have been lost.
/// Launchers end a job with the first rank that leaves with an error, and every singleton is to be heard, and seen to map the
/// segment that it leaves.
const LINGER: Duration = Duration::from_millis(500);
/// How long rank 0 alone may say what all ranks know: a launcher may silence it once another has aborted the world.
const PRECEDENCE: Duration = Duration::from_millis(500);
/// Longest message of a failure that is passed on: a frame has room for it.
const MESSAGE_MAX: usize = 600;

fn main() -> ExitCode {
    let boot = boot();
    let (args, workload) = match arguments() {
        Ok(asked) => asked,
        Err(error) => return refuse(&error, &boot),
    };
    match start(&args, &workload, &boot) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => give_up(&failure),
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: only here does bench-app read its environment")]
fn boot() -> Boot {
    Boot::detect(|name| std::env::var(name).ok(), Path::is_dir)
}

fn arguments() -> Result<(Args, Workload), clap::Error> {
    let args = Args::try_parse()?;
    let workload = args.workload().map_err(|why| Args::command().error(ErrorKind::ValueValidation, why))?;
    Ok((args, workload))
}

/// Help, version or a complaint, said once. The other ranks leave without an error: a launcher that reacts to the first
/// one could silence the rank that speaks.
fn refuse(error: &clap::Error, boot: &Boot) -> ExitCode {
    if !boot.speaks() {
        return ExitCode::SUCCESS;
    }
    match error.print() {
        Ok(()) if !error.use_stderr() => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::from(exit::USAGE),
    }
}

fn start(args: &Args, workload: &Workload, boot: &Boot) -> Result<u8, Failure> {
    let mut output = Output::open()?;
    if boot.launcher_rank.is_none_or(|rank| rank < BOOTING_RANKS) {
        output.say(&Event::Boot(boot.clone()))?;
    }
    let init = Start::now();
    let mpi = mpi_ffi::Mpi::initialize();
    let init_ns = init.ns();
    let table = (args.table || stderr().is_terminal()).then(Table::default);
    let mut session = Session { world: mpi.world()?, workload, gate: args.gate.as_ref(), output, table };
    let ending = session.run(boot.launcher_size, init_ns)?;
    show(&session);
    if ending == Ending::Singleton {
        thread::sleep(LINGER);
    }
    mpi.finalize();
    Ok(match ending {
        Ending::Measured => exit::MEASURED,
        Ending::WrongData => exit::WRONG_DATA,
        Ending::Singleton => exit::SINGLETON,
    })
}

#[expect(clippy::print_stderr, reason = "standard error is for the person who runs bench-app by hand")]
fn show(session: &Session) {
    if session.world.rank == 0
        && let Some(table) = &session.table
    {
        eprint!("{table}");
    }
}

/// Says why this rank cannot go on and ends the world, so that no rank is left spinning.
#[cold]
fn give_up(failure: &Failure) -> ! {
    let rank = mpi_ffi::world_rank();
    if failure.is_common() && rank != 0 {
        thread::sleep(PRECEDENCE);
    }
    let message = failure.to_string().chars().take(MESSAGE_MAX).collect();
    let failed = Event::Failed(Failed { rank, message });
    // Where even this cannot be written there is nobody to tell.
    Output::open().and_then(|mut output| output.say(&failed)).ok();
    mpi_ffi::abort(failure.code())
}
