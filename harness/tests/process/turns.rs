//! Two launches at once, that take turns.

use std::time::Duration;

use bench_app::gate::{Admission, Entrance, Gate, Job, LEASE, Turns};
use harness::{
    command::CommandSpec,
    process::{Deadlines, Exit, Launch, Part, Reason, duet},
};

use crate::{Bench, env, patient, pulse};

/// Tells a copy of this test program to be a rank, at which gate (see `a_rank_of_its_own`).
const RANK: &str = "SIFBENCH_TEST_RANK";

/// A duet of two behaviours of the fixture, none of which comes to the gate; how each ended.
fn in_turns(first: &str, second: &str) -> [(Exit, Reason); 2] {
    let (bench, second_bench) = (Bench::new(), Bench::new());
    let room = bench.room();
    let (mut attempt, mut other_attempt) = (room.attempt("one").unwrap(), room.attempt("other").unwrap());
    let gate = Gate::create(&attempt.scratch().join("gate"), LEASE).unwrap();
    let commands = [bench.mpirun(first), second_bench.mpirun(second)];
    let deadlines = Deadlines { silence: Duration::from_millis(600), ..patient() };
    let env = env();
    let [launch, other] = commands.each_ref().map(|command| Launch { command, env: &env, deadlines, log: None });
    let (mut observe, mut observe_other) = (|_, line: &str| pulse(line), |_, line: &str| pulse(line));
    let part = Part { attempt: &mut attempt, launch, observe: &mut observe, look: None };
    let other = Part { attempt: &mut other_attempt, launch: other, observe: &mut observe_other, look: None };
    let ends = duet([Some(part), Some(other)], &gate).unwrap();
    assert_eq!([attempt, other_attempt].map(|attempt| attempt.close().left), [const { Vec::<String>::new() }; 2]);
    assert!(bench.is_tidy());
    ends.map(|end| end.unwrap().map(|ended| (ended.exit, ended.reason)).unwrap())
}

#[test]
fn of_two_launches_at_once_each_has_its_own_end() {
    let good = (Exit::Code(0), Reason::Itself);
    assert_eq!(in_turns("good", "good"), [good; 2]);
    assert_eq!(in_turns("good", "hangs"), [good, (Exit::Signal(15), Reason::SilenceDeadline)]);
    assert_eq!(in_turns("crashes", "good"), [(Exit::Signal(11), Reason::Itself), good]);
}

/// The rank waits longer than its silence may last, for a partner that never comes.
#[test]
fn who_sleeps_at_the_gate_is_not_silent_and_goes_on_when_the_other_is_gone() {
    let bench = Bench::new();
    let room = bench.room();
    let (mut attempt, mut other_attempt) = (room.attempt("one").unwrap(), room.attempt("other").unwrap());
    let path = attempt.scratch().join("gate");
    let gate = Gate::create(&path, LEASE).unwrap();
    let own = std::env::current_exe().unwrap();
    let rank = CommandSpec::new(own.to_str().unwrap())
        .args(["--exact", "turns::a_rank_of_its_own", "--nocapture"])
        .env(RANK, path.to_str().unwrap());
    let never = bench.mpirun("never");
    let short = Deadlines { silence: Duration::from_millis(600), ..patient() };
    let late = Deadlines { first: Duration::from_secs(3), ..patient() };
    let (env, mut turns) = (env(), 0);
    let mut observe = |_, line: &str| {
        turns += usize::from(line == "turn");
        pulse(line)
    };
    let mut observe_other = |_, line: &str| pulse(line);
    let launch = |command, deadlines| Launch { command, env: &env, deadlines, log: None };
    let part = Part { attempt: &mut attempt, launch: launch(&rank, short), observe: &mut observe, look: None };
    let other =
        Part { attempt: &mut other_attempt, launch: launch(&never, late), observe: &mut observe_other, look: None };
    let [end, other_end] = duet([Some(part), Some(other)], &gate).unwrap().map(|end| end.unwrap().unwrap());
    assert_eq!(other_end.reason, Reason::FirstDeadline);
    assert_eq!((end.exit, end.reason, turns), (Exit::Code(0), Reason::Itself, 3), "{:?}", end.stderr);
    assert!(other_end.first.is_none() && end.first.is_some_and(|first| first < Duration::from_secs(3)), "{end:?}");
}

/// Not a test of its own: a job of one rank that waits for three turns.
#[test]
fn a_rank_of_its_own() {
    #[expect(clippy::disallowed_methods, reason = "a test program's way to tell a copy of itself what to do")]
    let Ok(path) = std::env::var(RANK) else { return };
    let turns = Turns::join(&Entrance { path: path.into(), job: Job::First }).unwrap();
    println!("\nprogress");
    for _ in 0..3 {
        assert_eq!(turns.wait_for_turn(1), Admission::Granted);
        println!("\nturn");
    }
}
