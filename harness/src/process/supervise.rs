//! A launch from start to end: a single poll loop over its pipes, its end, our signals and the next deadline. What is to
//! be done next is the launch's own state, so that one loop can follow two launches (`process/duet.rs`).

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use super::{
    ProcessError,
    bell::Bell,
    failed,
    launch::{Deadlines, Ended, Exit, Launch, Pulse, Reason},
    lines::Excerpt,
    now,
    ours::{Ours, Scope},
    procfs::Identity,
    scratch::Scratch,
    stage::Child,
    tap::{Flow, LogFailed, Stream, Tap},
    timespec,
};

/// How long a killed program may take to vanish.
const VANISH: Duration = Duration::from_secs(10);
/// How often to look where the kernel offers no descriptor for a process's end.
const GLANCE: Duration = Duration::from_millis(50);
/// How often to take stock of a launch that has gone astray.
const STOCK: Duration = Duration::from_millis(20);

/// Where a launch takes place: the attempt it belongs to and the harness around that.
pub(super) struct Around<'a> {
    pub(super) bell: Option<&'a Bell>,
    /// Requests to stop that are old news.
    pub(super) heard: u32,
    pub(super) ours: &'a mut Ours,
    pub(super) scratch: &'a Scratch,
    pub(super) scope: Scope,
    /// Where this command may be waiting for the end of what an earlier one of the attempt has started: those whose status
    /// somebody still wants to read.
    pub(super) spare: Option<&'a [Identity]>,
    /// Looks at a launch that is to be ended at a deadline, while it is as it is.
    pub(super) look: Option<&'a mut dyn FnMut()>,
}

impl Around<'_> {
    fn stops(&self) -> u32 {
        self.bell.map_or(0, Bell::count)
    }

    /// Takes down what is ours while it lives, in memory and on disk.
    fn take_stock(&mut self) -> Result<(), ProcessError> {
        self.ours.take_stock(self.scope);
        self.scratch.save(self.ours)
    }
}

/// A launch being watched.
pub(super) struct Watch<'a> {
    id: Identity,
    pid: Pid,
    pidfd: Option<OwnedFd>,
    taps: Vec<Tap>,
    deadlines: Deadlines,
    observe: &'a mut dyn FnMut(Stream, &str) -> Pulse,
    started: Instant,
    progress: Option<Instant>,
    first: Option<Duration>,
    /// Whether what is ours has been taken down since the first progress.
    noted: bool,
    /// Of one that has gone astray, when that is to be done again.
    again: Option<Instant>,
    phase: Phase,
    /// Since when it sleeps until others let it go on, and how long it did before.
    asleep: Option<Instant>,
    slept: Duration,
    enough: bool,
    reason: Reason,
    stderr: Excerpt,
    log_failed: Option<LogFailed>,
}

/// How far the ending of a launch has got; each step has its own time.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    Asked { until: Instant, stops: u32 },
    Killed { until: Instant },
}

impl<'a> Watch<'a> {
    /// `line` is the longest line delivered whole, in bytes.
    pub(super) fn new(
        child: Child,
        launch: &Launch<'_>,
        line: usize,
        observe: &'a mut dyn FnMut(Stream, &str) -> Pulse,
    ) -> Self {
        let Child { id, pid, pidfd, out, err } = child;
        let log = |extension: &str| {
            launch.log.as_ref().map(|stem| {
                let mut path = stem.clone().into_os_string();
                path.push(extension);
                path.into()
            })
        };
        let taps = vec![Tap::new(Stream::Out, out, line, log(".out")), Tap::new(Stream::Err, err, line, log(".err"))];
        Self {
            id,
            pid,
            pidfd,
            taps,
            deadlines: launch.deadlines,
            observe,
            started: now(),
            progress: None,
            first: None,
            noted: false,
            again: None,
            phase: Phase::Running,
            asleep: None,
            slept: Duration::ZERO,
            enough: false,
            reason: Reason::Itself,
            stderr: Excerpt::default(),
            log_failed: None,
        }
    }

    /// Watches until the leading program has ended.
    pub(super) fn until_end(&mut self, around: &mut Around<'_>) -> Result<Exit, ProcessError> {
        self.until(around, false)?.map_or_else(|| unreachable!("nobody has asked for less"), Ok)
    }

    /// Watches until the observer has seen enough (none then), or the leading program has ended.
    pub(super) fn until_enough(&mut self, around: &mut Around<'_>) -> Result<Option<Exit>, ProcessError> {
        self.until(around, true)
    }

    fn until(&mut self, around: &mut Around<'_>, stays: bool) -> Result<Option<Exit>, ProcessError> {
        loop {
            if let Some(spare) = around.spare {
                // `instance stop` asks the kernel whether the instance lives, and a zombie of ours would pass for alive.
                around.ours.reap_all_but(spare);
            }
            let glance = around.spare.map(|_| now() + GLANCE);
            wait(&mut [&mut *self], around.bell, glance)?;
            self.note(around)?;
            if let Some(exit) = self.exit()? {
                return Ok(Some(exit));
            }
            if stays && self.enough && matches!(self.phase, Phase::Running) {
                return Ok(None);
            }
            self.phase = self.advance(around)?;
        }
    }

    /// What follows from what has been read and from the time: the end, once it has come, or the next step towards it.
    pub(super) fn step(&mut self, around: &mut Around<'_>) -> Result<Option<Exit>, ProcessError> {
        self.note(around)?;
        let exit = self.exit()?;
        if exit.is_none() {
            self.phase = self.advance(around)?;
        }
        Ok(exit)
    }

    /// Takes stock once it runs: not again while it is measured. Of worlds of one rank each the first to end may have the others
    /// killed, and a singleton of Open MPI 5 never removes the segment that it has made.
    fn note(&mut self, around: &mut Around<'_>) -> Result<(), ProcessError> {
        let again = self.again.is_some_and(|again| again <= now());
        if again || !self.noted && self.progress.is_some() {
            around.take_stock()?;
            self.noted = true;
            self.again = self.again.map(|_| now() + STOCK);
        }
        Ok(())
    }

    /// When something is to be done although nothing happens.
    fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Running => self.next_deadline().map(|(when, _)| when).into_iter().chain(self.again).min(),
            Phase::Asked { until, .. } | Phase::Killed { until } => Some(until),
        }
    }

    /// Says whether the launch sleeps until others let it go on. That is no silence, and takes none of its time; and who
    /// goes to sleep with all its ranks has got on.
    pub(super) fn sleeps(&mut self, asleep: bool) {
        match (self.asleep, asleep) {
            (None, true) => self.asleep = Some(now()),
            (Some(_), false) => self.wakes(),
            (None, false) | (Some(_), true) => {}
        }
    }

    /// It sleeps since this moment.
    pub(super) fn sleeps_since(&mut self, moment: Instant) {
        self.asleep.get_or_insert(moment);
    }

    /// It goes on now, if it slept.
    pub(super) fn wakes(&mut self) {
        if let Some(since) = self.asleep.take() {
            self.slept += now().saturating_duration_since(since);
            self.progress = self.progress.map(|_| now());
        }
    }

    fn advance(&mut self, around: &mut Around<'_>) -> Result<Phase, ProcessError> {
        let (moment, stops) = (now(), around.stops());
        match self.phase {
            Phase::Running => {
                let due = self.next_deadline().filter(|&(when, _)| when <= moment).map(|(_, reason)| reason);
                let interrupted = (stops > around.heard).then_some(Reason::Interrupted);
                let enough = self.enough.then_some(Reason::Enough);
                let Some(reason) = interrupted.or(enough).or(due) else { return Ok(self.phase) };
                self.reason = reason;
                match reason {
                    Reason::FirstDeadline | Reason::SilenceDeadline | Reason::TotalDeadline => {
                        around.look.iter_mut().for_each(|look| look());
                    }
                    Reason::Itself | Reason::Interrupted | Reason::Enough => {}
                }
                around.take_stock()?;
                // The leader and its own group; mpirun passes it on to the ranks, which have groups of their own.
                let _ = kill_process_group(self.pid, Signal::TERM);
                // Who is stopped hears of nothing.
                around.ours.go_on();
                Ok(Phase::Asked { until: now() + self.deadlines.grace, stops })
            }
            Phase::Asked { until, stops: before } if moment >= until || stops > before => {
                around.ours.kill(around.scope);
                Ok(Phase::Killed { until: moment + VANISH })
            }
            Phase::Killed { until } if moment >= until => Err(ProcessError::Unkillable { pid: self.id.pid }),
            Phase::Asked { .. } | Phase::Killed { .. } => Ok(self.phase),
        }
    }

    /// The deadline that comes first, `None` if none ever does.
    fn next_deadline(&self) -> Option<(Instant, Reason)> {
        if self.asleep.is_some() {
            return None;
        }
        let Deadlines { first, silence, total, .. } = self.deadlines;
        let phase = match self.progress {
            None => (self.started.checked_add(first), Reason::FirstDeadline),
            Some(last) => (last.checked_add(silence), Reason::SilenceDeadline),
        };
        let total = (self.started.checked_add(total.saturating_add(self.slept)), Reason::TotalDeadline);
        [phase, total].into_iter().filter_map(|(when, reason)| Some((when?, reason))).min_by_key(|&(when, _)| when)
    }

    /// Reads once from each stream. Tells whether there was anything.
    fn pump(&mut self) -> bool {
        let mut any = false;
        for mut tap in std::mem::take(&mut self.taps) {
            match self.deliver(|deliver| tap.pump(deliver)) {
                Some(Flow::Closed) => {
                    self.deliver(|deliver| tap.finish(deliver));
                }
                Some(Flow::Empty) => self.taps.push(tap),
                // A log that cannot be written must not block the launch: its stream is read on.
                Some(Flow::Data) | None => {
                    any = true;
                    self.taps.push(tap);
                }
            }
        }
        any
    }

    /// Lets `read` deliver lines to the observer, and takes down what they mean.
    fn deliver<T>(&mut self, read: impl FnOnce(&mut dyn FnMut(Stream, &str)) -> Result<T, LogFailed>) -> Option<T> {
        let (observe, stderr, enough) = (&mut self.observe, &mut self.stderr, &mut self.enough);
        let (mut progress, mut astray) = (false, false);
        let result = read(&mut |stream, line| {
            if stream == Stream::Err {
                stderr.push(line);
            }
            match observe(stream, line) {
                Pulse::Progress => progress = true,
                Pulse::Astray => (progress, astray) = (true, true),
                Pulse::Quiet => {}
                Pulse::Enough => *enough = true,
            }
        });
        if progress {
            self.progress = Some(now());
        }
        if astray {
            self.again.get_or_insert_with(now);
        }
        if self.first.is_none() && (progress || self.enough) {
            self.first = Some(self.wall());
        }
        result.map_err(|error| self.log_failed.get_or_insert(error)).ok()
    }

    /// The leader's end, once it has come. It stays unreaped, so that its number names nobody else's session.
    fn exit(&self) -> Result<Option<Exit>, ProcessError> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::Pid(self.pid), options).map_err(failed("learn how the launch ended"))?;
        Ok(status.and_then(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Some(Exit::Code(code)),
            (None, Some(signal)) => Some(Exit::Signal(signal)),
            (None, None) => None,
        }))
    }

    /// Reads what is still in the pipes and concludes.
    pub(super) fn conclude(mut self, exit: Exit, wall: Duration) -> Result<Ended, ProcessError> {
        // Bounded: somebody who is not ours may hold the other end and go on writing.
        for _ in 0..64 {
            if !self.pump() {
                break;
            }
        }
        for tap in std::mem::take(&mut self.taps) {
            self.deliver(|deliver| tap.finish(deliver));
        }
        match self.log_failed {
            Some(LogFailed { path, source }) => Err(ProcessError::Log { path, source }),
            None => {
                // Whoever ends asleep was ended by others.
                let asleep =
                    self.slept + self.asleep.map_or(Duration::ZERO, |since| now().saturating_duration_since(since));
                let (reason, first, stderr) = (self.reason, self.first, self.stderr);
                Ok(Ended { exit, reason, wall, asleep: asleep.min(wall), first, stderr, ranks: None })
            }
        }
    }

    /// Its pipes, of a program that goes on.
    pub(super) fn into_taps(self) -> Vec<Tap> {
        self.taps
    }

    /// Whether it was asked to end.
    pub(super) fn is_ending(&self) -> bool {
        !matches!(self.phase, Phase::Running)
    }

    /// Whether the harness ended it.
    pub(super) fn was_cut_short(&self) -> bool {
        self.reason != Reason::Itself
    }

    /// Since the start.
    pub(super) fn wall(&self) -> Duration {
        now().saturating_duration_since(self.started)
    }
}

/// Waits for output or the end of any of `watches`, for a signal, for the next of their deadlines or `until`; reads what
/// there is.
pub(super) fn wait(
    watches: &mut [&mut Watch<'_>],
    bell: Option<&Bell>,
    until: Option<Instant>,
) -> Result<(), ProcessError> {
    let blind = watches.iter().any(|watch| watch.pidfd.is_none()).then(|| now() + GLANCE);
    let next = watches.iter().filter_map(|watch| watch.due()).chain(until).chain(blind).min();
    let timeout = next.map(|next| timespec(next.saturating_duration_since(now())));
    let taps = watches.iter().flat_map(|watch| &watch.taps);
    let mut fds: Vec<PollFd<'_>> = taps.map(|tap| PollFd::new(tap, PollFlags::IN)).collect();
    let ends = watches.iter().filter_map(|watch| watch.pidfd.as_ref());
    fds.extend(ends.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
    fds.extend(bell.map(|bell| PollFd::new(bell, PollFlags::IN)));
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(failed("wait for output")(error)),
    }
    for watch in watches {
        watch.pump();
    }
    Ok(())
}

/// Reads on for `pause` while what is left of a launch is being ended.
pub(super) fn linger(watches: &mut [&mut Watch<'_>], pause: Duration) {
    let until = now() + pause;
    while let Some(left) = until.checked_duration_since(now()).filter(|left| !left.is_zero()) {
        let taps = watches.iter().flat_map(|watch| &watch.taps);
        let mut fds: Vec<PollFd<'_>> = taps.map(|tap| PollFd::new(tap, PollFlags::IN)).collect();
        if poll(&mut fds, Some(&timespec(left))).is_ok() {
            for watch in &mut *watches {
                watch.pump();
            }
        }
    }
}
