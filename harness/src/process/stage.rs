//! The step between fork and the real program: `sifbench __exec <harness pid, or -> <program> <args..>`.
//!
//! A session of its own, a parent's death signal, default signal actions and no descriptors but the standard three must be
//! set inside the new process. Doing it in a second start of our own binary needs no unsafe code after fork.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::retry_on_intr,
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions},
};

use super::{ProcessError, failed, procfs::Identity};
use crate::command::CommandSpec;

pub(super) const WORD: &str = "__exec";
/// In place of the number of the harness.
const UNTIED: &str = "-";

/// What ends a launch when its harness is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// It is told so itself.
    Parent,
    /// A guard, which must find all of it as it was: a launcher that is told first may end ranks of which only their maps
    /// prove what they have made.
    Guard,
}

/// Becomes the named program; returns only when that failed, and the parent has been told why.
pub(super) fn exec_stage(words: Vec<OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let (harness, program) = (words.next(), words.next());
    let parse = |word: OsString| match word.to_str()? {
        UNTIED => Some(None),
        pid => pid.parse().ok().map(Some),
    };
    let (Some(harness), Some(program)) = (harness.and_then(parse), program) else { return ExitCode::from(2) };
    if let Ok(mut status) = take_status() {
        let error = become_program(harness, program, words.collect());
        // Nobody left to tell when this fails: the parent is gone.
        let _ = status.write_all(&error.raw_os_error().unwrap_or(0).to_ne_bytes());
    }
    ExitCode::from(127)
}

/// Standard input arrives as the pipe on which to report a failed start. It closes itself when exec succeeds.
fn take_status() -> io::Result<File> {
    let status: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(status.into())
}

fn become_program(harness: Option<i32>, program: OsString, args: Vec<OsString>) -> io::Error {
    let prepared = (|| {
        rustix::process::setsid()?;
        reset_signals()?;
        let told = harness.map(|_| Signal::TERM);
        rustix::process::set_parent_process_death_signal(told)?;
        // What the shell that started the harness has open (a lock, a pipe) is not held open by ranks.
        close_fds::set_fds_cloexec(3, &[]);
        io::Result::Ok(())
    })();
    if let Err(error) = prepared {
        return error;
    }
    // The harness died before the death signal was armed: nobody would ever end this launch.
    if harness.is_some_and(|harness| Pid::as_raw(rustix::process::getppid()) != harness) {
        return io::ErrorKind::Interrupted.into();
    }
    #[expect(clippy::disallowed_methods, reason = "this room starts processes")]
    Command::new(program).args(args).exec()
}

/// `nohup` and background jobs leave signals ignored, and that survives exec; a *handled* signal falls back to its
/// default on exec. So a handler, of whatever kind, is the way to reset them without unsafe code. (std unblocks all
/// signals and resets SIGPIPE by itself.)
fn reset_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
    for signal in [SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// A started program: the leader of its own session.
pub(super) struct Child {
    pub(super) id: Identity,
    pub(super) pid: Pid,
    /// Readable once the program has ended; absent on kernels before 5.3.
    pub(super) pidfd: Option<OwnedFd>,
    /// Both ends to read from, not blocking.
    pub(super) out: OwnedFd,
    pub(super) err: OwnedFd,
}

/// Starts `command` with exactly `env`, and returns once it runs, or after `patience` if it is still on its way.
pub(super) fn spawn(
    stage: &Path,
    tie: Tie,
    command: &CommandSpec,
    env: &BTreeMap<String, String>,
    patience: Duration,
) -> Result<Child, ProcessError> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(failed("create a pipe"));
    let ((out, child_out), (err, child_err), (status, child_status)) = (pipe()?, pipe()?, pipe()?);
    for end in [&out, &err] {
        rustix::io::ioctl_fionbio(end, true).map_err(failed("configure a pipe"))?;
    }
    let pid = {
        #[expect(clippy::disallowed_methods, reason = "this room starts processes")]
        let mut starter = Command::new(stage);
        let parent = match tie {
            Tie::Parent => std::process::id().to_string(),
            Tie::Guard => UNTIED.to_owned(),
        };
        starter.arg(WORD).arg(parent).arg(&command.program).args(&command.args);
        starter.env_clear().envs(env).stdin(child_status).stdout(Stdio::from(child_out)).stderr(child_err);
        if let Some(dir) = &command.cwd {
            starter.current_dir(dir);
        }
        let started = starter.spawn();
        let child = started.map_err(|source| match &command.cwd {
            Some(dir) if !dir.is_dir() => ProcessError::NoDirectory { dir: dir.clone(), source },
            Some(_) | None => ProcessError::NotStarted { program: stage.display().to_string(), source },
        })?;
        Pid::from_child(&child)
    };
    if let Some(source) = start_failure(status, patience)? {
        // Only this one: other children's states are other launches' business.
        let _ = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
        return Err(ProcessError::NotStarted { program: command.program.clone(), source });
    }
    let number = pid.as_raw_nonzero().get();
    let id = Identity::of(number);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok();
    Ok(Child { id, pid, pidfd, out, err })
}

/// The error the stage reports, `None` when the program runs.
fn start_failure(status: OwnedFd, patience: Duration) -> Result<Option<io::Error>, ProcessError> {
    let timeout = super::timespec(patience);
    // A signal that asks for an end is answered once it is known what was started.
    let ready = retry_on_intr(|| poll(&mut [PollFd::new(&status, PollFlags::IN)], Some(&timeout)));
    let ready = ready.map_err(failed("wait for a start"))?;
    if ready == 0 {
        return Ok(None);
    }
    let mut code = [0; 4];
    Ok(File::from(status).read_exact(&mut code).is_ok().then(|| io::Error::from_raw_os_error(i32::from_ne_bytes(code))))
}
