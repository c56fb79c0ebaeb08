//! Follows one launch by what it says, and decides how it ended.

use std::num::NonZeroU32;

use bench_app::{
    Cell, Decoded, Event, PROTOCOL, decode,
    event::{Begin, Facts, Hello, Measurement, WrongData},
};

use super::{expected::Expected, gone::gone};
use crate::{
    case::Program,
    id::AttemptId,
    process::{Exit, NO_INSTANCE, Pulse, Reason, SeenNode, Stream},
    record::{
        Observed, Outcome, Phase, Sample,
        lost::{Fate, Lost, Part, Words},
        plain, ranks_of,
    },
};

/// Foreign lines kept of each stream.
const SAID: usize = 12;

/// What is known of a launch so far.
#[derive(Debug)]
pub struct Watch {
    /// Which launch this is.
    pub attempt: AttemptId,
    ranks: u32,
    cells: Vec<Cell>,
    rounds: NonZeroU32,
    /// The world, once it has formed.
    pub hello: Option<Hello>,
    /// Its surroundings.
    pub facts: Option<Facts>,
    /// What else it told.
    pub observed: Observed,
    /// Batches so far.
    pub samples: Vec<Sample>,
    last: Option<Begin>,
    visits: usize,
    seen_world: Option<u32>,
    wrong: Option<WrongData>,
    garbled: Option<String>,
    /// Whether nothing came after that: a launch that was ended from outside may end within a frame.
    torn: bool,
    refused: Option<String>,
    done: bool,
    /// What is expected of a program, whose words are no frames.
    program: Option<Expected>,
    words: Words,
    /// What was found gone when a deadline passed.
    gone: Vec<Lost>,
    stderr: Vec<String>,
    stdout: Vec<String>,
}

impl Watch {
    /// Watches a launch of `ranks` ranks that visits each of `cells` `rounds` times.
    #[must_use]
    pub fn new(attempt: AttemptId, ranks: u32, cells: &[Cell], rounds: NonZeroU32) -> Self {
        Self {
            attempt,
            ranks,
            cells: cells.to_vec(),
            rounds,
            hello: None,
            facts: None,
            observed: Observed::default(),
            samples: Vec::new(),
            last: None,
            visits: 0,
            seen_world: None,
            wrong: None,
            garbled: None,
            torn: false,
            refused: None,
            done: false,
            program: None,
            words: Words::default(),
            gone: Vec::new(),
            stderr: Vec::new(),
            stdout: Vec::new(),
        }
    }

    /// The same of a launch of `program`.
    #[must_use]
    pub(super) fn of_program(self, program: &Program) -> Self {
        Self { program: Some(Expected::of(program)), ..self }
    }

    /// Takes one line of output.
    pub fn line(&mut self, stream: Stream, line: &str) -> Pulse {
        let line = &*plain(line);
        self.torn &= stream != Stream::Out;
        self.program.iter_mut().for_each(|program| program.line(line));
        match (stream, if self.program.is_some() { Decoded::Text } else { decode(line) }) {
            (Stream::Out, Decoded::Event { event, before }) => {
                self.keep(stream, &before);
                self.event(*event)
            }
            (Stream::Out, Decoded::Garbled(why)) => {
                self.torn = self.garbled.is_none();
                self.garbled.get_or_insert_with(|| format!("{why}: {}", cut(line)));
                Pulse::Quiet
            }
            (Stream::Out, Decoded::Text) | (Stream::Err, _) => {
                self.keep(stream, line);
                let Some(reason) = line.strip_prefix(NO_INSTANCE) else { return Pulse::Quiet };
                self.refused.get_or_insert_with(|| format!("instance: {reason}"));
                Pulse::Enough
            }
        }
    }

    fn keep(&mut self, stream: Stream, line: &str) {
        let kept = match stream {
            Stream::Out => &mut self.stdout,
            Stream::Err => {
                self.words.line(line);
                &mut self.stderr
            }
        };
        // What Apptainer remarks in passing, and the rules that mpirun draws, would crowd out the reason.
        let says_nothing = line.starts_with("INFO:    ") || line.trim().bytes().all(|byte| byte == b'-');
        if kept.len() < SAID && !says_nothing {
            kept.push(cut(line));
        }
    }

    fn event(&mut self, event: Event) -> Pulse {
        match event {
            Event::Boot(boot) => {
                self.observed.boot.get_or_insert(boot);
                return Pulse::Quiet;
            }
            Event::Hello(hello) => return self.hello(hello),
            Event::Facts(facts) => self.facts = Some(facts),
            Event::MoreFacts(more) => {
                if let Some(facts) = &mut self.facts {
                    facts.differing.extend(more.differing);
                }
            }
            Event::Late(late) => self.observed.late = Some(late),
            Event::Begin(begin) => {
                self.last = Some(begin);
                self.visits += 1;
            }
            Event::Measurement(measurement) => self.measurement(&measurement),
            Event::Trace(trace) => self.observed.tails.push(trace),
            Event::Visited(visited) => {
                self.observed.add(&visited);
                self.last = None;
            }
            Event::WrongData(wrong) => self.wrong = Some(wrong),
            Event::Failed(failed) => self.stderr.insert(0, format!("rank {}: {}", failed.rank, failed.message)),
            Event::Done(_) => {
                self.done = true;
                self.last = None;
            }
        }
        Pulse::Progress
    }

    fn hello(&mut self, hello: Hello) -> Pulse {
        if hello.protocol != PROTOCOL {
            let reason = format!("bench-app {} speaks protocol {}, not {PROTOCOL}", hello.version, hello.protocol);
            self.refused = Some(reason);
            return Pulse::Enough;
        }
        let world = hello.world;
        self.hello.get_or_insert(hello);
        if world == self.ranks {
            return Pulse::Progress;
        }
        self.seen_world = Some(world);
        // A lone rank ends by itself; what a world of another size measured would be no figure of this case.
        if world == 1 { Pulse::Astray } else { Pulse::Enough }
    }

    fn measurement(&mut self, m: &Measurement) {
        let sample = |(batch, ns): (u32, &u64)| Sample {
            attempt: self.attempt,
            kernel: m.kernel,
            bytes: m.bytes,
            visit: m.visit,
            batch,
            k: m.k,
            ns: *ns,
        };
        self.samples.extend((m.first..).zip(&m.ns).map(sample));
    }

    /// Lines that were no frames, standard error first.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let missed = self.program.as_ref().and_then(Expected::missed);
        missed.iter().chain(&self.stderr).chain(&self.stdout).cloned().collect()
    }

    /// Takes what was seen on its nodes when a deadline passed, and which of them did not answer.
    pub fn looked(&mut self, seen: &[SeenNode], silent: &[String]) {
        self.gone = gone(self.facts.as_ref(), seen, silent);
    }

    /// What was lost: in the launcher's words, by how it ended itself, and where it hung by what was seen.
    #[must_use]
    pub fn lost(&self, exit: Exit, reason: Reason) -> Vec<Lost> {
        let ranks = self.facts.iter().flat_map(ranks_of).map(|rank| (rank.rank, rank.host.as_str()));
        match (exit, reason) {
            (Exit::Signal(signal), Reason::Itself) => {
                vec![Lost { what: Part::Launcher, rank: None, host: None, how: Fate::Signal(signal) }]
            }
            (Exit::Code(_), Reason::Itself) if self.whole() => Vec::new(),
            (Exit::Code(_), Reason::Itself) => self.words.lost(self.ranks, &ranks.collect::<Vec<_>>()),
            (_, Reason::FirstDeadline | Reason::SilenceDeadline | Reason::TotalDeadline) => {
                let told = |lost: &Lost| self.words.signal_of(lost).map_or(lost.how, Fate::Signal);
                self.gone.iter().map(|lost| Lost { how: told(lost), ..lost.clone() }).collect()
            }
            (_, Reason::Interrupted | Reason::Enough) => Vec::new(),
        }
    }

    /// Whether everything was measured.
    fn whole(&self) -> bool {
        match &self.program {
            Some(program) => program.is_met(),
            None => self.done && self.visits == self.cells.len() * self.rounds.get() as usize,
        }
    }

    /// How the launch ended. An exit code of 0 is never evidence of a working run.
    #[must_use]
    pub fn outcome(&self, exit: Exit, reason: Reason) -> Outcome {
        let of_program = || self.program.as_ref()?.world(self.ranks).filter(|_| reason == Reason::Itself);
        if let Some(seen) = self.seen_world.or_else(of_program) {
            return Outcome::Singletons { expected: self.ranks, seen };
        }
        if let Some(reason) = &self.refused {
            return Outcome::NotStarted { reason: reason.clone() };
        }
        if let Some(wrong) = self.wrong {
            return Outcome::WrongData(wrong);
        }
        let last = self.last;
        // Also where a deadline was faster than the launcher, which takes seconds to notice.
        let ended = self.lost(exit, reason).into_iter().find_map(|lost| match lost {
            Lost { what: Part::Rank, how: Fate::Signal(signal), .. } => Some(signal),
            _ => None,
        });
        if let Some(signal) = ended {
            return Outcome::Signaled { signal, last };
        }
        match reason {
            Reason::Interrupted => return Outcome::Interrupted,
            Reason::FirstDeadline => return Outcome::TimedOut { phase: Phase::Hello, last },
            Reason::SilenceDeadline => return Outcome::TimedOut { phase: Phase::Silence, last },
            Reason::TotalDeadline => return Outcome::TimedOut { phase: Phase::Total, last },
            Reason::Itself | Reason::Enough => {}
        }
        if let Some(line) = self.garbled.as_ref().filter(|_| exit == Exit::Code(0) || !self.torn) {
            return Outcome::Garbled { line: line.clone() };
        }
        match exit {
            Exit::Code(0) if self.whole() => Outcome::Completed,
            Exit::Code(code) => Outcome::Exited { code, last },
            Exit::Signal(signal) => Outcome::Signaled { signal, last },
        }
    }
}

fn cut(line: &str) -> String {
    line.chars().take(300).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use bench_app::{
        Bytes, Kernel, encode,
        event::{Boot, Done, RankFacts, Settled, Sync, Visited},
    };

    use super::*;
    use crate::process::Seen;

    fn cell() -> Cell {
        Cell { kernel: Kernel::Latency, bytes: Bytes(8), k: NonZeroU32::new(10).unwrap() }
    }

    fn hello(world: u32) -> Event {
        let (version, library) = ("0.1.0".into(), "Open MPI v4.1.8".into());
        Event::Hello(Hello { protocol: PROTOCOL, version, world, launcher_size: Some(2), library, init_ns: 5 })
    }

    fn begin() -> Event {
        Event::Begin(Begin { kernel: Kernel::Latency, bytes: Bytes(8), visit: 0 })
    }

    fn measured() -> Event {
        let (kernel, bytes) = (Kernel::Latency, Bytes(8));
        Event::Measurement(Measurement { kernel, bytes, visit: 0, k: 10, discarded: 2, first: 0, ns: vec![100, 120] })
    }

    fn done() -> Event {
        Event::Done(Done { visits: 1, wall_ns: 1 })
    }

    fn play(events: &[Event]) -> Watch {
        let mut watch = Watch::new(AttemptId(3), 2, &[cell()], NonZeroU32::MIN);
        for event in events {
            watch.line(Stream::Out, encode(event).trim_end());
        }
        watch
    }

    #[test]
    fn a_whole_launch_is_complete_and_its_batches_are_samples() {
        let watch = play(&[hello(2), begin(), measured(), done()]);
        assert_eq!(watch.outcome(Exit::Code(0), Reason::Itself), Outcome::Completed);
        let batches: Vec<_> = watch.samples.iter().map(|s| (s.attempt.0, s.batch, s.k, s.ns)).collect();
        assert_eq!(batches, [(3, 0, 10, 100), (3, 1, 10, 120)]);
    }

    #[test]
    fn how_it_ended_is_told_apart() {
        let check = |events: &[Event], exit: Exit, reason: Reason, expected: &str| {
            assert_eq!(play(events).outcome(exit, reason).to_string(), expected);
        };
        let zero = Exit::Code(0);
        check(&[hello(1), hello(1)], zero, Reason::Itself, "2 singletons");
        check(&[hello(2), begin()], Exit::Signal(9), Reason::SilenceDeadline, "hang at latency 8 B");
        check(&[], Exit::Signal(15), Reason::FirstDeadline, "no start in time");
        check(&[hello(2), begin(), measured()], zero, Reason::Itself, "exit code 0 at latency 8 B");
        check(&[hello(2), done()], zero, Reason::Itself, "exit code 0");
        check(&[hello(2), begin()], Exit::Signal(11), Reason::Itself, "killed by signal 11 at latency 8 B");
        check(&[hello(2), begin()], Exit::Code(1), Reason::Interrupted, "interrupted");
        let wrong = Event::WrongData(WrongData { kernel: Kernel::Latency, bytes: Bytes(8), rank: 1, at: 3 });
        check(&[hello(2), begin(), wrong], Exit::Code(4), Reason::Itself, "wrong data at latency 8 B");
    }

    #[test]
    fn the_signal_that_ended_a_rank_is_named_whatever_ended_the_launcher() {
        let rank = |rank: u32, host: &str, pid| RankFacts { rank, host: host.to_owned(), pid, ..RankFacts::default() };
        let facts = Facts { ranks: 2, first: rank(0, "n1", 7), differing: vec![rank(1, "n2", 8)], ..Facts::default() };
        let app = |pid| Seen { pid, name: "bench-app".into(), stopped: false };
        let check = |exit: Exit, reason: Reason, seen: u32, outcome: &str, lost: &[&str]| {
            let mut watch = play(&[hello(2), Event::Facts(facts.clone()), begin()]);
            let said = "mpirun noticed that process rank 1 with PID 292 on node n2 exited on signal 9 (Killed).";
            watch.line(Stream::Err, said);
            let node = |host: &str, pid| SeenNode { host: host.to_owned(), processes: vec![app(pid)] };
            watch.looked(&[node("n1", 7), node("n2", seen)], &[]);
            assert_eq!(watch.outcome(exit, reason).to_string(), outcome);
            assert_eq!(watch.lost(exit, reason).iter().map(ToString::to_string).collect::<Vec<_>>(), lost);
        };
        let (rank, killed) = ("rank 1 on n2 was ended by signal 9", "killed by signal 9 at latency 8 B");
        check(Exit::Code(137), Reason::Itself, 8, killed, &[rank]);
        check(Exit::Code(1), Reason::SilenceDeadline, 0, killed, &[rank]);
        // It was alive when the deadline passed: that was us.
        check(Exit::Code(1), Reason::SilenceDeadline, 8, "hang at latency 8 B", &[]);
        check(Exit::Code(1), Reason::Interrupted, 8, "interrupted", &[]);
        let watch = play(&[hello(2), begin()]);
        let lost = watch.lost(Exit::Signal(9), Reason::Itself);
        assert_eq!(
            lost.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["the launcher itself was ended by signal 9"]
        );
        assert!(watch.lost(Exit::Signal(9), Reason::SilenceDeadline).is_empty());
    }

    #[test]
    fn a_world_of_another_size_is_stopped_and_a_lone_rank_is_let_end() {
        let mut watch = Watch::new(AttemptId(1), 4, &[cell()], NonZeroU32::MIN);
        assert_eq!(watch.line(Stream::Out, encode(&hello(2)).trim_end()), Pulse::Enough);
        assert_eq!(watch.outcome(Exit::Code(1), Reason::Enough).to_string(), "worlds of 2 instead of 4");
        let mut watch = Watch::new(AttemptId(1), 2, &[cell()], NonZeroU32::MIN);
        assert_eq!(watch.line(Stream::Out, encode(&hello(1)).trim_end()), Pulse::Astray);
    }

    #[test]
    fn damage_is_seen_and_foreign_words_are_kept() {
        let mut watch = play(&[hello(2), begin(), measured()]);
        let frame = encode(&done());
        watch.line(Stream::Out, &frame[..frame.len() / 2]);
        watch.line(Stream::Err, "INFO:    gocryptfs not found, will not be able to use gocryptfs");
        watch.line(Stream::Err, "\x1b[34mINFO:    \x1b[0m in colour");
        watch.line(Stream::Err, "\x1b[93mWARNING: something\x1b[0m");
        watch.line(Stream::Out, "hello from a library");
        assert!(matches!(watch.outcome(Exit::Code(0), Reason::Itself), Outcome::Garbled { .. }));
        assert_eq!(watch.said(), ["WARNING: something", "hello from a library"]);
    }

    #[test]
    fn a_launch_that_is_ended_within_a_frame_has_ended_and_is_not_garbled() {
        let check = |behind: &str, exit: Exit, garbled: bool| {
            let frame = encode(&Event::Begin(Begin { kernel: Kernel::Latency, bytes: Bytes(8), visit: 0 }));
            let mut watch = Watch::new(AttemptId(1), 2, &[cell()], NonZeroU32::MIN);
            watch.line(Stream::Out, &frame[..frame.len() / 2]);
            watch.line(Stream::Err, "mpirun: killed by somebody");
            if !behind.is_empty() {
                watch.line(Stream::Out, behind);
            }
            let outcome = watch.outcome(exit, Reason::Itself);
            assert_eq!(matches!(outcome, Outcome::Garbled { .. }), garbled, "{behind:?}, {exit:?}: {outcome:?}");
        };
        check("", Exit::Code(1), false);
        check("", Exit::Signal(9), false);
        check("", Exit::Code(0), true);
        check("more", Exit::Code(1), true);
    }

    #[test]
    fn a_boot_is_no_progress() {
        let boot = Event::Boot(Boot { protocol: PROTOCOL, launcher_rank: Some(0), ..Boot::default() });
        let mut watch = Watch::new(AttemptId(1), 2, &[cell()], NonZeroU32::MIN);
        assert_eq!(watch.line(Stream::Out, encode(&boot).trim_end()), Pulse::Quiet);
        assert_eq!(watch.observed.boot.unwrap().launcher_rank, Some(0));
    }

    #[test]
    fn visits_are_kept_in_compact_form() {
        let visited = |visit, settled, canary| {
            let cell = (Kernel::Allreduce, Bytes(1024), Sync::RoundTime);
            let (kernel, bytes, sync) = cell;
            let (copy_ns, stream_ns) = (Some(100.0 + f64::from(visit)), Some(900.04 - f64::from(visit)));
            let (canary_trips, made, late) = (50, 40, 3);
            Event::Visited(Visited {
                kernel,
                bytes,
                visit,
                settled,
                sync,
                made,
                late,
                canary,
                canary_trips,
                copy_ns,
                stream_ns,
            })
        };
        let reading = Some([[3000; 9], [15_000; 9]]);
        let events = [hello(2), begin(), visited(0, Settled::Yes, None), visited(1, Settled::NotStationary, reading)];
        let watch = play(&events);
        let Observed { canary, copies, streams, not_stationary, rounds, visits, .. } = &watch.observed;
        assert_eq!((canary.as_slice(), copies.as_slice()), (&[(1, 60.0, 300.0)][..], &[(Bytes(1024), 100.0)][..]));
        assert_eq!(streams.as_slice(), [(Bytes(1024), 899.0)]);
        let unsettled = Begin { kernel: Kernel::Allreduce, bytes: Bytes(1024), visit: 1 };
        assert_eq!((not_stationary.as_slice(), *visits), (&[unsettled][..], 2));
        assert_eq!((rounds[0].made, rounds[0].late), (80, 6));
        // What hangs after a visit hangs at none.
        assert_eq!(watch.outcome(Exit::Signal(9), Reason::SilenceDeadline).to_string(), "hang");
    }

    #[test]
    fn facts_of_many_ranks_come_together_again() {
        let rank = |rank: u32| RankFacts { rank, host: "n".repeat(120), ..RankFacts::default() };
        let facts = Facts { ranks: 32, first: rank(0), differing: (1..32).map(rank).collect(), ..Facts::default() };
        let frames = facts.clone().into_frames();
        assert!(frames.len() > 1);
        assert_eq!(play(&frames).facts, Some(facts));
    }
}
