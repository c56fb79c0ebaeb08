//! Short helper commands whose output is the result.

use std::time::Duration;

use super::{
    ProcessError,
    launch::{Ended, Exit, Pulse, Reason},
    tap::Stream,
};

/// Bytes of one stream that are kept; what comes after them is dropped.
pub(super) const CAP: usize = 4 << 20;

/// What a helper command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its standard output, lines ending in `\n`, at most 4 MiB.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// How it ended.
    pub exit: Exit,
}

/// Lets `run` run `program` and collects its lines.
pub(super) fn collect(
    program: &str,
    limit: Duration,
    run: impl FnOnce(&mut dyn FnMut(Stream, &str) -> Pulse) -> Result<Ended, ProcessError>,
) -> Result<Captured, ProcessError> {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let ended = run(&mut |stream, line| {
        let kept = match stream {
            Stream::Out => &mut stdout,
            Stream::Err => &mut stderr,
        };
        if kept.len() + line.len() < CAP {
            kept.push_str(line);
            kept.push('\n');
        }
        Pulse::Quiet
    })?;
    let program = program.to_owned();
    match ended.reason {
        Reason::Itself | Reason::Enough => Ok(Captured { stdout, stderr, exit: ended.exit }),
        Reason::FirstDeadline | Reason::SilenceDeadline | Reason::TotalDeadline => {
            Err(ProcessError::TimedOut { program, limit })
        }
        Reason::Interrupted => Err(ProcessError::Interrupted { program }),
    }
}
