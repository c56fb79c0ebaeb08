//! A rank that enters an instance: `sifbench __in-rank <n> <n words that start it> <m> <m words that stop it> <words that enter
//! it>`.
//!
//! Where nothing but a rank can start what lives beside the ranks, the first of each node starts the instance, the others
//! wait for it, and all enter it. The first leaves last, and stops it. Whoever waits sleeps: beside a rank that is measured
//! nothing runs.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::{net::UnixStream, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2},
    flag, low_level,
};

use super::{now, owner, procfs};

pub(super) const WORD: &str = "__in-rank";

/// What a rank says that has no instance to enter; the reason follows.
pub const NO_INSTANCE: &str = "sifbench: no instance: ";

/// Which rank of its node a process is: what is nearest to it first.
const LOCAL_RANK: [&str; 2] = ["OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"];
/// For the start of an instance.
const PATIENCE: Duration = Duration::from_secs(30);
/// For the other ranks to leave it, and for one that was asked to end.
const LEAVE: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(20);
/// mpirun drops what a rank has said in the moment in which it ends.
const LINGER: Duration = Duration::from_secs(1);

/// Why a rank does not enter an instance.
#[derive(Debug, thiserror::Error)]
enum InRankError {
    #[error("no launcher tells which rank of its node this is: none of {} is set", LOCAL_RANK.join(", "))]
    NoRank,
    #[error("TMPDIR is not set, in which the ranks of a node would meet")]
    NoDirectory,
    #[error("the first rank of the node cannot start it: {said}")]
    Start { said: String },
    #[error("the first rank of the node has not started it within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("asked to end before it was entered")]
    Asked,
    #[error("cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> InRankError {
    move |source| InRankError::System { what, source }
}

/// The commands of an instance's life, as words.
struct Call {
    start: Vec<OsString>,
    stop: Vec<OsString>,
    enter: Vec<OsString>,
}

impl Call {
    fn parse(words: Vec<OsString>) -> Option<Self> {
        let mut words = words.into_iter();
        let mut counted = || {
            let count: usize = words.next()?.to_str()?.parse().ok()?;
            let taken: Vec<OsString> = words.by_ref().take(count).collect();
            (count > 0 && taken.len() == count).then_some(taken)
        };
        let (start, stop) = (counted()?, counted()?);
        let enter: Vec<OsString> = words.collect();
        (!enter.is_empty()).then_some(Self { start, stop, enter })
    }
}

pub(super) fn enter_instance(words: Vec<OsString>) -> ExitCode {
    let Some(call) = Call::parse(words) else { return ExitCode::from(2) };
    let entered = Meeting::of_process().and_then(|meeting| meeting.enter(&call));
    match entered {
        Ok(status) => {
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
        }
        Err(error) => {
            // Nobody is left to tell when standard error is gone.
            drop(writeln!(io::stderr(), "{NO_INSTANCE}{}: {error}", owner::host()));
            sleep(LINGER);
            ExitCode::FAILURE
        }
    }
}

/// Where the ranks of a node meet, and which of them this is.
struct Meeting {
    first: bool,
    /// How the start went: empty where it went well.
    state: PathBuf,
    /// Held by every rank that may be in the instance.
    lock: File,
    asked: Asked,
}

impl Meeting {
    #[expect(clippy::disallowed_methods, reason = "a rank is told by its launcher which one it is")]
    fn of_process() -> Result<Self, InRankError> {
        let asked = Asked::listen().map_err(failed("handle signals"))?;
        let variable = |name: &str| std::env::var(name).ok();
        let rank = LOCAL_RANK.into_iter().find_map(variable).and_then(|rank| rank.parse::<u32>().ok());
        let directory = PathBuf::from(variable("TMPDIR").ok_or(InRankError::NoDirectory)?);
        Self::at(&directory, rank.ok_or(InRankError::NoRank)? == 0, asked)
    }

    /// `directory` may be shared by nodes.
    fn at(directory: &Path, first: bool, asked: Asked) -> Result<Self, InRankError> {
        let file = |end: &str| directory.join(format!("instance-{}.{end}", owner::host()));
        let lock = File::options().create(true).append(true).open(file("lock")).map_err(failed("open a lock"))?;
        lock.lock_shared().map_err(failed("take a lock"))?;
        Ok(Self { first, state: file("state"), lock, asked })
    }

    fn enter(&self, call: &Call) -> Result<ExitStatus, InRankError> {
        if !self.first {
            self.wait()?;
            return self.see(&call.enter);
        }
        let started = self.start(&call.start);
        let said = started.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let published = self.publish(&said);
        started?;
        let entered = published.and_then(|()| self.see(&call.enter));
        self.stop(&call.stop);
        entered
    }

    fn start(&self, words: &[OsString]) -> Result<(), InRankError> {
        // Its processes stay below this rank, which collects them when they end.
        set_child_subreaper(Some(getpid())).map_err(|error| failed("adopt it")(error.into()))?;
        let errors = self.state.with_extension("err");
        let to = File::create(&errors).map_err(failed("keep what the start says"))?;
        // What stays of it must hold no pipe that the launcher waits for.
        let spawned = command(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(to).status();
        let status = match spawned {
            Ok(status) => status,
            Err(error) => return Err(InRankError::Start { said: format!("{}: {error}", words[0].display()) }),
        };
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(errors).unwrap_or_default();
        let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("INFO:"));
        let last = lines.next_back().unwrap_or("no reason given");
        Err(InRankError::Start { said: format!("{last} ({status})") })
    }

    /// Tells the others how the start went.
    fn publish(&self, said: &str) -> Result<(), InRankError> {
        let draft = self.state.with_extension("new");
        let written = fs::write(&draft, said).and_then(|()| fs::rename(&draft, &self.state));
        written.map_err(failed("tell the other ranks"))
    }

    fn wait(&self) -> Result<(), InRankError> {
        let until = now() + PATIENCE;
        loop {
            match fs::read_to_string(&self.state) {
                Ok(said) if said.is_empty() => return Ok(()),
                Ok(said) => return Err(InRankError::Start { said }),
                Err(_) if self.asked.flag.load(Relaxed) => return Err(InRankError::Asked),
                Err(_) if now() >= until => return Err(InRankError::TimedOut),
                Err(_) => sleep(GLANCE),
            }
        }
    }

    /// Runs what enters the instance to its end; one that is asked to end gets some time for it.
    fn see(&self, words: &[OsString]) -> Result<ExitStatus, InRankError> {
        if self.asked.flag.load(Relaxed) {
            return Err(InRankError::Asked);
        }
        let mut child = command(words).spawn().map_err(failed("enter it"))?;
        self.asked.see(&mut child).map_err(failed("wait for what is in it"))
    }

    /// Stops the instance once nobody is in it any more, or the others have had their time. What comes of that is seen by the
    /// sweep of the node.
    fn stop(&self, words: &[OsString]) {
        let until = now() + if self.asked.flag.load(Relaxed) { GLANCE } else { LEAVE };
        let mut left = self.lock.unlock().is_err();
        while !left && now() < until {
            left = !matches!(self.lock.try_lock(), Err(TryLockError::WouldBlock));
            if !left {
                sleep(GLANCE);
            }
        }
        let spawned = command(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let stopped = spawned.and_then(|mut child| {
            loop {
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
                collect_orphans(child.id());
                sleep(GLANCE);
            }
        });
        if !stopped.is_ok_and(|status| status.success()) {
            super::tell(&format!("{}: the instance was not stopped", owner::host()));
        }
    }
}

/// Collects the dead that were handed to this process, but not `child`: a dead instance that nobody collects is waited for
/// by the command that stops it.
fn collect_orphans(child: u32) {
    let own = getpid().as_raw_nonzero().get();
    let orphan = |process: &procfs::Process| {
        process.parent == own && process.zombie && u32::try_from(process.id.pid) != Ok(child)
    };
    for pid in procfs::processes().iter().filter(|p| orphan(p)).filter_map(|p| Pid::from_raw(p.id.pid)) {
        // What it was is of no interest, and nobody else collects it.
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

fn command(words: &[OsString]) -> Command {
    let (program, args) =
        words.split_first().map_or((OsStr::new(""), &[][..]), |(first, rest)| (first.as_os_str(), rest));
    #[expect(clippy::disallowed_methods, reason = "this room starts processes, and hands its own environment on")]
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Hears that this process is asked to end, and that its child has.
struct Asked {
    flag: Arc<AtomicBool>,
    bell: UnixStream,
}

impl Asked {
    fn listen() -> io::Result<Self> {
        let (bell, ring) = UnixStream::pair()?;
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            flag::register(signal, Arc::clone(&flag))?;
            low_level::pipe::register(signal, ring.try_clone()?)?;
        }
        low_level::pipe::register(SIGCHLD, ring)?;
        // By these Apptainer tells the parent of a starting instance how that went, and this process may have become it.
        for signal in [SIGUSR1, SIGUSR2] {
            flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        // The launcher's daemon may be killed: nobody would ask any more.
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        Ok(Self { flag, bell })
    }

    fn see(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut until = None;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.flag.load(Relaxed) && until.is_none() {
                until = Some(now() + LEAVE);
                // One that has just ended is seen in the next round.
                let _ = rustix::process::kill_process(Pid::from_child(child), Signal::TERM);
            }
            if until.is_some_and(|until| now() >= until) {
                child.kill()?;
                return child.wait();
            }
            self.bell.set_read_timeout(until.map(|_| GLANCE))?;
            match (&self.bell).read(&mut [0; 16]) {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
