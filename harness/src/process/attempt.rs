//! An attempt: the room and lifetime of one measurement's commands, ending in a sweep of everything that is theirs.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::{
    Env, ProcessError, Room,
    bell::Bell,
    capture::{self, Captured},
    guard::Guard,
    launch::{Deadlines, Ended, Launch, Pulse},
    now,
    ours::{MARKER, Ours, Scope},
    procfs::{self, Identity},
    scratch::{self, Scratch},
    stage::{self, Child, Tie},
    supervise::{Around, Watch, linger},
    tap::{Stream, Tap},
};
use crate::command::CommandSpec;

/// How directories begin that an attempt makes beside its private one.
pub const OWNED: &str = "sifbench-";

/// What had to be cleared away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// Processes that did not end by themselves.
    pub processes: u32,
    /// Shared-memory files they had left.
    pub segments: u32,
    /// Locks of `--sharens`.
    pub locks: u32,
    /// Mounts in the private directory.
    pub mounts: u32,
    /// Private directories of harnesses that are gone.
    pub directories: u32,
    /// What could not be cleared, each with the reason. Later figures from this node cannot be trusted.
    pub left: Vec<String>,
}

impl Swept {
    /// Nothing had been left behind.
    #[must_use]
    pub fn nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.processes += other.processes;
        self.segments += other.segments;
        self.locks += other.locks;
        self.mounts += other.mounts;
        self.directories += other.directories;
        self.left.extend(other.left);
    }
}

/// Whether Apptainer keeps its state in the attempt's directory or in the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ApptainerState {
    Private,
    Users,
}

/// Commands that share a marker, a private directory and an end.
#[derive(Debug)]
pub struct Attempt<'room> {
    pub(super) room: &'room Room,
    pub(super) scratch: Scratch,
    pub(super) ours: Ours,
    state: ApptainerState,
    held: Vec<Held>,
    guards: Vec<Held>,
    open: bool,
    /// It is there beside others.
    lasting: bool,
}

/// A command that stays. Its pipes are kept open, so that it may go on saying things to nobody.
#[derive(Debug)]
struct Held {
    id: Identity,
    pid: Pid,
    _taps: Vec<Tap>,
}

/// How much of a command's doing is over when the command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Everything: what is left of it is ended.
    WholeLaunch,
    /// Only its leading process: the rest may be meant to stay.
    LeaderOnly,
}

/// A protocol line is under 4 KiB.
pub(super) const LONGEST_LINE: usize = 64 << 10;

impl Care {
    /// A helper may write a whole document in one line.
    fn longest_line(self) -> usize {
        match self {
            Self::WholeLaunch => LONGEST_LINE,
            Self::LeaderOnly => capture::CAP,
        }
    }
}

impl<'room> Attempt<'room> {
    pub(super) fn open(room: &'room Room, id: &str, state: ApptainerState) -> Result<Self, ProcessError> {
        let ours = Ours::new(scratch::marker(id)).guarded_by(room.guard.get().map(Guard::id));
        let scratch = Scratch::create(&room.place.scratch, &ours)?;
        room.open.set(room.open.get() + 1);
        Ok(Self { room, scratch, ours, state, held: Vec::new(), guards: Vec::new(), open: true, lasting: false })
    }

    /// One that others are opened and closed beside. What it starts comes before they do, and so is none of their orphans.
    pub(super) fn beside_others(mut self) -> Self {
        self.room.open.set(self.room.open.get() - 1);
        self.lasting = true;
        self
    }

    /// Makes a directory in `place` that is the attempt's for as long as it is open, here and on the nodes that are guarded
    /// from now on. It has a name of its own, and is closed to others.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_directory(&mut self, place: &Path) -> Result<PathBuf, ProcessError> {
        let user = rustix::process::geteuid().as_raw();
        let directory = place.join(format!("{OWNED}{user}-{}", scratch::digits(&self.ours.marker())));
        self.ours.own(directory.clone());
        self.scratch.save(&self.ours)?;
        scratch::make_owned(&mut self.ours)?;
        Ok(directory)
    }

    /// The directories that it has made so.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.ours.directories()
    }

    /// The private directory, there until the attempt is closed.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The value of the marker in the environment of everything it starts.
    #[must_use]
    pub fn marker(&self) -> &str {
        self.ours.marker()
    }

    /// Runs a launch to its end; `observe` sees every line, in order within a stream, and says which are progress.
    ///
    /// A request to stop ends it, also one that came before. Afterwards nothing of this launch runs any more, while
    /// what earlier commands of the attempt have started (an instance) does.
    ///
    /// # Errors
    /// When the program cannot be started, and when the harness itself fails (a log that cannot be written).
    pub fn supervise(
        &mut self,
        launch: &Launch<'_>,
        observe: &mut dyn FnMut(Stream, &str) -> Pulse,
    ) -> Result<Ended, ProcessError> {
        self.run(launch, Care::WholeLaunch, observe, None)
    }

    /// The same; at a deadline `look` is called before anything of the launch is ended.
    ///
    /// # Errors
    /// As of [`Attempt::supervise`].
    pub fn supervise_and_look(
        &mut self,
        launch: &Launch<'_>,
        observe: &mut dyn FnMut(Stream, &str) -> Pulse,
        look: &mut dyn FnMut(),
    ) -> Result<Ended, ProcessError> {
        self.run(launch, Care::WholeLaunch, observe, Some(look))
    }

    /// Runs a short command to its end and returns what it wrote. What it leaves running stays until the attempt is
    /// closed: this is how an instance is started.
    ///
    /// Works after a request to stop too, so that an instance can still be stopped; a new request ends it.
    ///
    /// # Errors
    /// When the program cannot be started, exceeds `limit`, or is interrupted.
    pub fn capture(&mut self, command: &CommandSpec, env: &Env, limit: Duration) -> Result<Captured, ProcessError> {
        capture::collect(&command.program, limit, |observe| {
            let launch = Launch { command, env, deadlines: Deadlines::total(limit), log: None };
            self.run(&launch, Care::LeaderOnly, observe, None)
        })
    }

    /// The same for commands that run side by side. `limit` is of all of them together.
    pub fn capture_all(
        &mut self,
        commands: &[CommandSpec],
        env: &Env,
        limit: Duration,
    ) -> Vec<Result<Captured, ProcessError>> {
        let heard = self.heard();
        let until = now() + limit;
        let launch = |command| Launch { command, env, deadlines: Deadlines::total(limit), log: None };
        let begun: Vec<_> = commands.iter().map(|command| self.begin(&launch(command))).collect();
        let ids: Vec<Identity> = begun.iter().flatten().map(|child| child.id).collect();
        let captured = commands.iter().zip(begun).map(|(command, child)| {
            let child = child?;
            // The last moment is long enough to read what has been said meanwhile.
            let left = until.saturating_duration_since(now()).max(Duration::from_millis(100));
            let launch = Launch { deadlines: Deadlines::total(left), ..launch(command) };
            capture::collect(&command.program, limit, |observe| {
                self.see(child, &launch, (Care::LeaderOnly, heard, &ids), observe, None)
            })
        });
        captured.collect()
    }

    /// Starts a command that stays until it is let go or the attempt is closed, and returns once it has said enough: none
    /// then, else how it ended.
    ///
    /// # Errors
    /// When it cannot be started, or takes longer than `limit` to say it.
    pub fn hold(
        &mut self,
        command: &CommandSpec,
        env: &Env,
        limit: Duration,
        observe: &mut dyn FnMut(Stream, &str) -> Pulse,
    ) -> Result<Option<Ended>, ProcessError> {
        let heard = self.heard();
        let launch = Launch { command, env, deadlines: Deadlines::total(limit), log: None };
        let child = self.begin(&launch)?;
        let beside = [child.id];
        let (ended, held) = self.until_held(child, &launch, (heard, &beside), observe)?;
        self.held.extend(held);
        Ok(ended)
    }

    /// Lets go what is held: asks it to end, and gives it `patience` to do so.
    pub fn let_go(&mut self, patience: Duration) {
        let held = std::mem::take(&mut self.held);
        self.release(held, patience);
    }

    /// Starts commands that guard other nodes side by side, until they are dismissed or the attempt is closed, and returns
    /// once each has said enough; each result is none then, else how it ended. `observe` is told whose line it is.
    pub fn guard(
        &mut self,
        commands: &[CommandSpec],
        env: &Env,
        limit: Duration,
        observe: &mut dyn FnMut(usize, &str) -> Pulse,
    ) -> Vec<Result<Option<Ended>, ProcessError>> {
        let (heard, until) = (self.heard(), now() + limit);
        let launch = |command, limit| Launch { command, env, deadlines: Deadlines::total(limit), log: None };
        let begun: Vec<_> = commands.iter().map(|command| self.begin(&launch(command, limit))).collect();
        let ids: Vec<Identity> = begun.iter().flatten().map(|child| child.id).collect();
        let each = begun.into_iter().zip(commands).enumerate().map(|(at, (child, command))| {
            let left = until.saturating_duration_since(now()).max(Duration::from_millis(100));
            let (ended, held) =
                self.until_held(child?, &launch(command, left), (heard, &ids), &mut |_, line| observe(at, line))?;
            self.guards.extend(held);
            Ok(ended)
        });
        each.collect()
    }

    /// Asks guards to end that have not done so yet.
    pub fn dismiss(&mut self, patience: Duration) {
        let guards = std::mem::take(&mut self.guards);
        self.release(guards, patience);
    }

    /// Sees `child` until it has said enough: then it is held. Else how it ended.
    fn until_held(
        &mut self,
        child: Child,
        launch: &Launch<'_>,
        (heard, beside): (u32, &[Identity]),
        observe: &mut dyn FnMut(Stream, &str) -> Pulse,
    ) -> Result<(Option<Ended>, Option<Held>), ProcessError> {
        let (id, pid) = (child.id, child.pid);
        let mut watch = Watch::new(child, launch, capture::CAP, observe);
        let (scope, bell, spare) = (Scope::Launch(id), self.room.bell.as_ref(), Some(beside));
        let around =
            &mut Around { bell, heard, ours: &mut self.ours, scratch: &self.scratch, scope, spare, look: None };
        let exit = watch.until_enough(around)?;
        let Some(exit) = exit else {
            self.ours.take_stock(Scope::Attempt);
            self.scratch.save(&self.ours)?;
            return Ok((None, Some(Held { id, pid, _taps: watch.into_taps() })));
        };
        self.ours.end(scope, &mut |pause| linger(&mut [&mut watch], pause));
        let wall = watch.wall();
        Ok((Some(watch.conclude(exit, wall)?), None))
    }

    fn release(&mut self, held: Vec<Held>, patience: Duration) {
        for held in held {
            let until = now() + patience;
            if held.id.lives() {
                let _ = rustix::process::kill_process_group(held.pid, rustix::process::Signal::TERM);
            }
            while held.id.lives() && now() < until {
                thread::sleep(Duration::from_millis(20));
            }
            self.ours.end(Scope::Launch(held.id), &mut thread::sleep);
        }
    }

    /// Ends and removes everything that is the attempt's, good end or not.
    #[must_use]
    pub fn close(mut self) -> Swept {
        self.finish()
    }

    fn run(
        &mut self,
        launch: &Launch<'_>,
        care: Care,
        observe: &mut dyn FnMut(Stream, &str) -> Pulse,
        look: Option<&mut dyn FnMut()>,
    ) -> Result<Ended, ProcessError> {
        let heard = if care == Care::LeaderOnly { self.heard() } else { 0 };
        let child = self.begin(launch)?;
        let ids = [child.id];
        self.see(child, launch, (care, heard, &ids), observe, look)
    }

    /// Requests to stop that are old news by now.
    fn heard(&self) -> u32 {
        self.room.bell.as_ref().map_or(0, Bell::count)
    }

    /// Starts a launch, and takes down that it is ours.
    pub(super) fn begin(&mut self, launch: &Launch<'_>) -> Result<Child, ProcessError> {
        let patience = launch.deadlines.first.min(launch.deadlines.total);
        let tie = if self.room.guard.get().is_some() { Tie::Guard } else { Tie::Parent };
        let child = stage::spawn(&self.room.place.stage, tie, launch.command, &self.child_env(launch), patience)?;
        self.ours.begin(child.id);
        self.scratch.save(&self.ours)?;
        Ok(child)
    }

    /// Sees `child` to its end; the status of those in `beside` is somebody's to read.
    fn see(
        &mut self,
        child: Child,
        launch: &Launch<'_>,
        (care, heard, beside): (Care, u32, &[Identity]),
        observe: &mut dyn FnMut(Stream, &str) -> Pulse,
        mut look: Option<&mut dyn FnMut()>,
    ) -> Result<Ended, ProcessError> {
        let mut look = || look.iter_mut().for_each(|look| look());
        let (scope, bell) = (Scope::Launch(child.id), self.room.bell.as_ref());
        let mut watch = Watch::new(child, launch, care.longest_line(), observe);
        let spare = (care == Care::LeaderOnly).then_some(beside);
        let around = &mut Around {
            bell,
            heard,
            ours: &mut self.ours,
            scratch: &self.scratch,
            scope,
            spare,
            look: Some(&mut look),
        };
        let exit = watch.until_end(around)?;
        let wall = watch.wall();
        if care == Care::WholeLaunch || watch.was_cut_short() {
            // What could not be ended is tried again, and reported, when the attempt closes.
            self.ours.end(scope, &mut |pause| linger(&mut [&mut watch], pause));
        } else {
            self.ours.take_stock(Scope::Attempt);
            self.scratch.save(&self.ours)?;
        }
        watch.conclude(exit, wall)
    }

    /// Inherited < the attempt's own < the command's; the marker is nobody's to change.
    fn child_env(&self, launch: &Launch<'_>) -> BTreeMap<String, String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> =
            launch.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.insert("TMPDIR".to_owned(), text(self.scratch.tmp()));
        if self.state == ApptainerState::Private {
            // The second is what Singularity calls it. Equal, they are no reason for Apptainer to warn.
            for name in ["APPTAINER_CONFIGDIR", "SINGULARITY_CONFIGDIR"] {
                env.insert(name.to_owned(), text(self.scratch.config()));
            }
        }
        env.extend(launch.command.env.clone());
        env.insert(MARKER.to_owned(), self.ours.marker().to_owned());
        env
    }

    fn finish(&mut self) -> Swept {
        if !std::mem::take(&mut self.open) {
            return Swept::default();
        }
        // Also after an error or a panic.
        self.ours.go_on();
        // With a second attempt open, nobody could tell whose orphan it is.
        let alone = self.room.sole && self.room.open.get() == 1 && !self.lasting;
        let scope = if alone { Scope::AttemptAndOrphans } else { Scope::Attempt };
        let left = self.ours.end(scope, &mut thread::sleep);
        let swept = clear_away(self.room, &self.scratch, &mut self.ours, left);
        self.room.open.set(self.room.open.get() - u32::from(!self.lasting));
        swept
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Removes what processes that have ended left; `left` are those that would not end.
pub(super) fn clear_away(room: &Room, scratch: &Scratch, ours: &mut Ours, mut left: Vec<String>) -> Swept {
    let (segments, locks) = ours.clear_shm(&mut left);
    ours.reap();
    let mounts = unmount_below(room, scratch.path());
    scratch::remove_owned(ours, &mut left);
    scratch.remove(&mut left);
    Swept { processes: ours.signalled(), segments, locks, mounts, directories: 0, left }
}

/// Unmounts what is mounted in `dir`. What resists shows when the directory is to be removed.
fn unmount_below(room: &Room, dir: &Path) -> u32 {
    let points = procfs::mounts_below(&dir.to_string_lossy());
    let tools: [&[&str]; 3] = [&["fusermount3", "-u", "-z"], &["fusermount", "-u", "-z"], &["umount", "-l"]];
    let unmount = |point: &String| {
        tools.iter().any(|tool| {
            let command = CommandSpec::new(tool[0]).args(tool[1..].iter().copied()).arg(point);
            let command = command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
            room.capture(&command, &Env::default(), Duration::from_secs(10)).is_ok_and(|done| done.exit.success())
        })
    };
    u32::try_from(points.into_iter().filter(unmount).count()).unwrap_or(u32::MAX)
}
