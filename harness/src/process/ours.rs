//! Which processes are provably ours, and how they are ended. Never by name: nodes are shared, and the same user's
//! other job must survive.
//!
//! Proofs, each enough alone: it was seen to be ours before; the attempt's marker stands in its environment; its parent
//! or its session's leader is ours; it was handed to us as its subreaper. The chain matters: Apptainer starts
//! `squashfuse_ll` with an empty environment in a session of its own, so only its parent tells whose it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bench_app::launcher::LauncherView;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal, waitid,
};
use serde::{Deserialize, Serialize};

use super::{
    now,
    procfs::{self, Identity, Process},
    shm::Shm,
};

/// How the file of every shared MPI begins: `libmpi.so.40`, `libmpich.so`, `libmpi_gnu_91.so.12`.
const MPI: &str = "libmpi";
/// The variable every process of an attempt inherits.
pub const MARKER: &str = "SIFBENCH_ATTEMPT";

const GLANCE: Duration = Duration::from_millis(20);
/// What ends in its own time is not disturbed: a container's processes unmount after their rank is gone.
const SETTLE: Duration = Duration::from_millis(500);
const TERMINATE: Duration = Duration::from_secs(1);
const KILL: Duration = Duration::from_secs(8);
/// How often to look for processes that were just being started.
const LOOKS: u32 = 3;

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// One launch: its leader and what descends from it.
    Launch(Identity),
    /// Everything of the attempt.
    Attempt,
    /// Everything of the attempt, and every child handed to us when its own parent died.
    AttemptAndOrphans,
}

/// What belongs to one attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ours {
    marker: String,
    /// When the first launch started, in clock ticks since boot: nothing older can be ours.
    since: Option<u64>,
    known: BTreeSet<Identity>,
    #[serde(skip)]
    signalled: BTreeSet<Identity>,
    /// A child of this process that is no orphan.
    #[serde(skip)]
    guard: Option<Identity>,
    /// Those that are stopped until they are let go on.
    #[serde(skip)]
    stopped: BTreeSet<Identity>,
    shm: Shm,
    /// Directories that it has made besides its private one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    directories: BTreeSet<PathBuf>,
}

impl Ours {
    pub(super) fn new(marker: String) -> Self {
        Self {
            marker,
            since: None,
            known: BTreeSet::new(),
            signalled: BTreeSet::new(),
            guard: None,
            stopped: BTreeSet::new(),
            shm: Shm::now(),
            directories: BTreeSet::new(),
        }
    }

    /// The same, beside the guard of this process.
    pub(super) fn guarded_by(self, guard: Option<Identity>) -> Self {
        Self { guard, ..self }
    }

    pub(super) fn marker(&self) -> &str {
        &self.marker
    }

    /// A directory, from before it is made until it is removed.
    pub(super) fn own(&mut self, directory: PathBuf) {
        self.directories.insert(directory);
    }

    /// No directory of it after all.
    pub(super) fn disown(&mut self, directory: &Path) {
        self.directories.remove(directory);
    }

    /// What it has made besides its private directory.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories.iter().map(PathBuf::as_path)
    }

    /// A launch begins with this process.
    pub(super) fn begin(&mut self, leader: Identity) {
        self.since.get_or_insert(leader.start);
        self.known.insert(leader);
    }

    /// Its launches were begun elsewhere: no process here is too old to be one's.
    pub(super) fn begin_before_all(&mut self) {
        self.since = Some(0);
    }

    /// Takes down who lives and what is mapped, because both can only be proved while they do.
    pub(super) fn take_stock(&mut self, scope: Scope) {
        let members = self.members(scope);
        self.note(&members);
    }

    /// What they map is known to be theirs only while they live.
    fn note(&mut self, members: &[Process]) {
        self.shm.note(members.iter().map(|process| process.id.pid));
    }

    /// The living processes in `scope`.
    fn members(&mut self, scope: Scope) -> Vec<Process> {
        let Some(since) = self.since else { return Vec::new() };
        let own = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
        let all = procfs::processes();
        let mark = format!("{MARKER}={}", self.marker);
        let proved = |process: &Process| match scope {
            Scope::Launch(leader) => process.id == leader,
            Scope::Attempt | Scope::AttemptAndOrphans => {
                let orphan =
                    scope == Scope::AttemptAndOrphans && process.parent == own && Some(process.id) != self.guard;
                self.known.contains(&process.id)
                    || process.id.start >= since && (orphan || procfs::environment_holds(process.id.pid, &mark))
            }
        };
        let mut ours: BTreeMap<i32, &Process> =
            all.iter().filter(|process| process.id.pid != own && proved(process)).map(|p| (p.id.pid, p)).collect();
        loop {
            let related = |p: &&Process| ours.contains_key(&p.parent) || ours.contains_key(&p.session);
            let more: Vec<&Process> =
                all.iter().filter(|p| p.id.pid != own && !ours.contains_key(&p.id.pid)).filter(related).collect();
            if more.is_empty() {
                break;
            }
            ours.extend(more.into_iter().map(|process| (process.id.pid, process)));
        }
        self.known.extend(ours.values().map(|process| process.id));
        ours.into_values().filter(|process| !process.zombie).cloned().collect()
    }

    /// Ends every process in `scope`: waits a moment, asks, then kills until none is left. `pause` passes the time.
    /// Returns what would not end.
    pub(super) fn end(&mut self, scope: Scope, pause: &mut dyn FnMut(Duration)) -> Vec<String> {
        for (signal, patience) in [(None, SETTLE), (Some(Signal::TERM), TERMINATE), (Some(Signal::KILL), KILL)] {
            let until = now() + patience;
            let mut asked = BTreeSet::new();
            loop {
                let mut members = self.members(scope);
                if members.is_empty() {
                    return Vec::new();
                }
                // Some die by themselves meanwhile.
                self.note(&members);
                if now() >= until {
                    break;
                }
                if let Some(signal) = signal {
                    members.retain(|process| asked.insert(process.id));
                    self.signal(&members, signal);
                }
                pause(GLANCE);
            }
        }
        named(&self.members(scope))
    }

    /// Ends every process in `scope` of a harness that was killed. All are stopped before the first is ended: none may make
    /// anything after the last look at what is theirs. Returns what would not end.
    pub(super) fn end_at_once(&mut self, scope: Scope) -> Vec<String> {
        let (until, mut stopped) = (now() + KILL, BTreeSet::new());
        loop {
            let members = self.members(scope);
            if members.is_empty() || now() >= until {
                return named(&members);
            }
            let new: BTreeSet<Identity> = members.iter().map(|p| p.id).filter(|id| !stopped.contains(id)).collect();
            if new.is_empty() {
                self.note(&members);
                self.signal(&members, Signal::KILL);
                std::thread::sleep(GLANCE);
            } else {
                tell(new.iter().copied(), Signal::STOP);
                stopped.extend(new);
            }
        }
    }

    /// The ranks in `scope` by now, each with the number that its launcher gave it: processes that have one, and that have
    /// loaded an MPI or run `program`, itself or as a script.
    ///
    /// Neither alone would do. What launches has no number, and nothing of it is ever stopped. What enters a container has
    /// the rank's, before it hides it, and loads no MPI: it does not bear to be stopped. The name is for programs with
    /// their MPI linked in, and without its directory, for Apptainer and shells call what they find by another path than
    /// they were given; it is not enough, for a wrapper makes way for a program of another.
    pub(super) fn ranks(&mut self, scope: Scope, program: &str) -> BTreeMap<Identity, u32> {
        let is_named = |word: &String| word.rsplit('/').next() == program.rsplit('/').next();
        let runs = |pid: i32| procfs::command(pid).iter().take(2).any(is_named) || procfs::maps(pid, MPI);
        let rank = |Process { id, .. }: Process| {
            let number = LauncherView::detect(procfs::environment(id.pid)).rank.filter(|_| runs(id.pid))?;
            Some((id, number))
        };
        self.members(scope).into_iter().filter_map(rank).collect()
    }

    /// Stops those of `ranks` that live, and what they have started in `scope`: first `earlier`, who most likely are all of
    /// them, for a look at every process of a machine takes milliseconds. The moment at which the last was told is returned.
    pub(super) fn stop(&mut self, scope: Scope, ranks: &BTreeSet<Identity>, earlier: &BTreeSet<Identity>) -> Instant {
        self.stopped.extend(tell(earlier.iter().copied(), Signal::STOP));
        let mut told = now();
        // A process that is stopped starts no other: the second look mostly finds nothing new.
        for _ in 0..LOOKS {
            let mut new = family(&self.members(scope), ranks);
            new.retain(|id| !self.stopped.contains(id));
            if new.is_empty() {
                break;
            }
            self.stopped.extend(tell(new.into_iter(), Signal::STOP));
            told = now();
        }
        told
    }

    /// Whether anything is stopped until it is let go on.
    pub(super) fn are_stopped(&self) -> bool {
        !self.stopped.is_empty()
    }

    /// Lets go on what was stopped, and says who that was.
    pub(super) fn go_on(&mut self) -> BTreeSet<Identity> {
        let stopped = std::mem::take(&mut self.stopped);
        tell(stopped.iter().copied(), Signal::CONT);
        stopped
    }

    /// Kills everything in `scope` once, without waiting.
    pub(super) fn kill(&mut self, scope: Scope) {
        let members = self.members(scope);
        self.note(&members);
        self.signal(&members, Signal::KILL);
    }

    fn signal(&mut self, members: &[Process], signal: Signal) {
        let reached = members.iter().map(|process| process.id).filter(|&id| send(id, signal));
        self.signalled.extend(reached);
    }

    /// How many processes had to be ended.
    pub(super) fn signalled(&self) -> u32 {
        u32::try_from(self.signalled.len()).unwrap_or(u32::MAX)
    }

    /// Collects the dead that are our children: leaders, kept until now so that their numbers stayed theirs, and
    /// orphans.
    pub(super) fn reap(&self) {
        self.collect(self.known.iter());
    }

    /// The same while `spare` are watched, whose status somebody still wants to read.
    pub(super) fn reap_all_but(&self, spare: &[Identity]) {
        self.collect(self.known.iter().filter(|id| !spare.contains(id)));
    }

    fn collect<'a>(&self, candidates: impl Iterator<Item = &'a Identity>) {
        let dead =
            candidates.filter(|&&id| procfs::process(id.pid).is_some_and(|process| process.id == id && process.zombie));
        for pid in dead.filter_map(|id| Pid::from_raw(id.pid)) {
            // Fails for a child of somebody else's, who will collect it.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }

    /// Removes the shared-memory files of processes that are gone: segments, then `--sharens` locks.
    pub(super) fn clear_shm(&self, left: &mut Vec<String>) -> (u32, u32) {
        let (segments, locks) = self.shm.remove(left);
        (segments, locks + super::shm::remove_locks(self.known.iter().map(|id| id.pid), left))
    }
}

fn named(processes: &[Process]) -> Vec<String> {
    processes.iter().map(|process| format!("process {} ({})", process.id.pid, process.name)).collect()
}

/// Ends the guard of a node, whose work somebody else does now.
pub(super) fn relieve(guard: Identity) {
    let own = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    if guard.pid == own || !send(guard, Signal::KILL) {
        return;
    }
    let until = now() + TERMINATE;
    while guard.lives() && now() < until {
        std::thread::sleep(GLANCE);
    }
}

/// Those of `processes` that are among `heads`, or descend from one.
fn family(processes: &[Process], heads: &BTreeSet<Identity>) -> BTreeSet<Identity> {
    let mut family: BTreeSet<Identity> = processes.iter().map(|p| p.id).filter(|id| heads.contains(id)).collect();
    loop {
        let is_child = |process: &&Process| family.iter().any(|id| id.pid == process.parent);
        let more: Vec<Identity> =
            processes.iter().filter(|p| !family.contains(&p.id)).filter(is_child).map(|p| p.id).collect();
        if more.is_empty() {
            return family;
        }
        family.extend(more);
    }
}

/// Signals exactly these processes, all within microseconds; those that it reached.
fn tell(ids: impl Iterator<Item = Identity>, signal: Signal) -> Vec<Identity> {
    let handles: Vec<(Identity, Handle)> = ids.filter_map(|id| Some((id, handle(id)?))).collect();
    handles.into_iter().filter(|(_, handle)| handle.send(signal)).map(|(id, _)| id).collect()
}

/// Signals exactly this process. Tells whether it arrived.
fn send(id: Identity, signal: Signal) -> bool {
    handle(id).is_some_and(|handle| handle.send(signal))
}

/// A process, not whoever has its number by now.
enum Handle {
    Descriptor(OwnedFd),
    /// Kernels before 5.3: the number is all there is.
    Number(Pid),
}

fn handle(id: Identity) -> Option<Handle> {
    let pid = Pid::from_raw(id.pid)?;
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(descriptor) => Handle::Descriptor(descriptor),
        Err(rustix::io::Errno::NOSYS) => Handle::Number(pid),
        Err(_) => return None,
    };
    procfs::process(id.pid).is_some_and(|process| process.id == id).then_some(handle)
}

impl Handle {
    fn send(&self, signal: Signal) -> bool {
        match self {
            Self::Descriptor(descriptor) => pidfd_send_signal(descriptor, signal).is_ok(),
            Self::Number(pid) => kill_process(*pid, signal).is_ok(),
        }
    }
}
