//! A step that holds an instance: `sifbench __hold <n> <n words that start it> <words that stop it>`.
//!
//! Where a scheduler kills what a step has started as soon as the step ends, the step must not end. This word starts the
//! instance, says so, and waits to be asked to end.

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{Command, ExitCode, ExitStatus},
};

use rustix::process::Signal;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level,
};

use crate::compose::HELD;

pub(super) const WORD: &str = "__hold";

pub(super) fn hold(words: Vec<OsString>) -> ExitCode {
    let count = words.first().and_then(|count| count.to_str()?.parse::<usize>().ok()).unwrap_or(0);
    let Some((start, stop)) = words.get(1..).and_then(|words| words.split_at_checked(count)) else {
        return ExitCode::from(2);
    };
    let held = (|| {
        let (mut asked, bell) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            low_level::pipe::register(signal, bell.try_clone()?)?;
        }
        // The step's daemon may be killed: nobody would ask any more.
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        if !run(start)?.success() {
            return Ok(ExitCode::FAILURE);
        }
        writeln!(std::io::stdout(), "{HELD}")?;
        asked.read_exact(&mut [0])?;
        Ok(if run(stop)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })();
    held.unwrap_or_else(|error: std::io::Error| {
        super::tell(&format!("cannot hold an instance: {error}"));
        ExitCode::FAILURE
    })
}

fn run(words: &[OsString]) -> std::io::Result<ExitStatus> {
    let (program, args) = words.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    #[expect(clippy::disallowed_methods, reason = "this room starts processes, and hands its own environment on")]
    Command::new(program).args(args).status()
}
