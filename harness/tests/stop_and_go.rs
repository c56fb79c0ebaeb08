//! Two programs in turns by signals, with real processes that know nothing of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use harness::{
    command::CommandSpec,
    process::{Deadlines, Ended, Env, Exit, Launch, Part, Place, Pulse, Ranks, Reason, Room, Stream, stop_and_go},
};

/// Tells a copy of this test program to be a harness (see `a_harness_of_its_own`).
const ROLE: &str = "SIFBENCH_TEST_STOPPER";
/// One of the two turns.
const SLICE: Duration = Duration::from_millis(50);
/// Says what time it is, again and again, by a new process each time.
const TICKS: &str = "i=0; while [ $i -lt 250 ]; do date +%s%N; i=$((i+1)); done";

fn place(dir: &Path) -> Place {
    Place { stage: env!("CARGO_BIN_EXE_sifbench").into(), scratch: dir.join("scratch") }
}

fn env() -> Env {
    Env::from_parent(&BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]), &[])
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a test's patience")]
    Instant::now()
}

/// A program of these words.
fn script(dir: &Path, name: &str, words: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{words}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Two ranks a launcher, of these scripts, in turns: how they ended, and what they wrote.
fn in_turns(dir: &Path, room: &Room, scripts: [&str; 2], total: Duration) -> [(Ended, Vec<String>); 2] {
    let (mut attempt, mut other_attempt) = (room.attempt("one").unwrap(), room.attempt("other").unwrap());
    let programs = [script(dir, "first", scripts[0]), script(dir, "second", scripts[1])];
    // It takes a while to begin and to end, and passes on what it is asked.
    let launcher = |program: &String| {
        let ask = "trap 'kill $A $B; wait $A; exit $?' TERM; sleep 0.1; ";
        format!("{ask}setsid {program} & A=$!; setsid {program} & B=$!; wait $A; E=$?; wait $B; sleep 0.1; exit $E")
    };
    let commands = programs.each_ref().map(|program| CommandSpec::new("sh").args(["-c", &launcher(program)]));
    // As one may name them where they lie.
    let ranks = ["./first", "second"].map(|program| Ranks { program, count: 2 });
    let (env, deadlines) = (env(), Deadlines { grace: Duration::from_secs(2), ..Deadlines::total(total) });
    let [launch, other] = commands.each_ref().map(|command| Launch { command, env: &env, deadlines, log: None });
    let (mut lines, mut other_lines) = (Vec::new(), Vec::new());
    let mut observe = |_: Stream, line: &str| {
        lines.push(line.to_owned());
        Pulse::Quiet
    };
    let mut observe_other = |_: Stream, line: &str| {
        other_lines.push(line.to_owned());
        Pulse::Quiet
    };
    let part = Part { attempt: &mut attempt, launch, observe: &mut observe };
    let other = Part { attempt: &mut other_attempt, launch: other, observe: &mut observe_other };
    let [end, other_end] = stop_and_go([Some(part), Some(other)], ranks).unwrap().map(|end| end.unwrap().unwrap());
    for swept in [attempt.close(), other_attempt.close()] {
        assert!(swept.left.is_empty(), "{swept:?}");
    }
    [(end, lines), (other_end, other_lines)]
}

#[test]
fn one_is_stopped_with_all_its_processes_while_the_other_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (room, begun) = (Room::guest(place(dir.path())), now());
    let ends = in_turns(dir.path(), &room, [TICKS; 2], Duration::from_secs(60));
    let elapsed = begun.elapsed();
    let mut ticks = ends.each_ref().map(|(ended, lines)| {
        assert_eq!((ended.exit, ended.reason), (Exit::Code(0), Reason::Itself));
        lines.iter().map(|line| line.parse::<u64>().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(ticks.each_ref().map(Vec::len), [500; 2], "nothing is lost");
    ticks.iter_mut().for_each(|ticks| ticks.sort_unstable());
    let last = ticks.each_ref().map(|ticks| *ticks.last().unwrap()).into_iter().min().unwrap();
    let mut merged: Vec<(u64, usize)> =
        ticks.iter().zip(0..).flat_map(|(ticks, whose)| ticks.iter().map(move |tick| (*tick, whose))).collect();
    merged.retain(|(tick, _)| *tick <= last);
    merged.sort_unstable();
    let switches = merged.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    let turns = elapsed.as_nanos() / SLICE.as_nanos();
    assert!(switches >= 2 && switches as u128 <= turns + 2, "{switches} changes in {turns} turns of {elapsed:?}");
    // What one waits is what the other has, but for the end of the slower one.
    let ran = ends.each_ref().map(|(ended, _)| ended.wall - ended.asleep);
    assert!(ends[0].0.asleep > SLICE, "{ends:?}");
    assert!(ran[0] + ran[1] <= elapsed, "{ran:?} in {elapsed:?}");
    assert!(!dir.path().join("scratch").exists());
}

/// A total of time is of time that it had.
#[test]
fn a_partner_that_hangs_has_its_deadline_and_the_other_its_whole_time() {
    let dir = tempfile::tempdir().unwrap();
    let hangs = "trap 'echo asked; exit 3' TERM; while :; do sleep 0.01; done";
    let [(good, ticks), (hung, said)] =
        in_turns(dir.path(), &Room::guest(place(dir.path())), [TICKS, hangs], Duration::from_millis(1500));
    assert_eq!((good.exit, ticks.len()), (Exit::Code(0), 500));
    assert_eq!((hung.exit, hung.reason), (Exit::Code(3), Reason::TotalDeadline));
    assert!(said.iter().any(|line| line == "asked"), "who is stopped hears of nothing: {said:?}");
    assert!(hung.wall - hung.asleep >= Duration::from_millis(1500), "{hung:?}");
}

/// Not a test of its own: the program that the test below ends.
#[test]
fn a_harness_of_its_own() {
    #[expect(clippy::disallowed_methods, reason = "a test program's way to tell a copy of itself what to do")]
    let Ok(dir) = std::env::var(ROLE) else { return };
    let room = Room::take_charge(place(Path::new(&dir))).unwrap();
    // A rank leaves its launcher's group, and takes no notice of its end.
    let stubborn = |name: &str| format!("trap '' TERM HUP; echo $$ > {dir}/{name}; while :; do sleep 0.01; done");
    let scripts = [stubborn("one"), stubborn("other")];
    in_turns(Path::new(&dir), &room, [&scripts[0], &scripts[1]], Duration::from_secs(60));
}

fn state(pid: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next().filter(|state| !matches!(state, 'Z' | 'X'))
}

fn signal(pid: &str, name: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test signals what it has started")]
    let status = std::process::Command::new("kill").args(["-s", name, pid]).status();
    assert!(status.unwrap().success());
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = now() + Duration::from_secs(20);
    while !condition() {
        assert!(now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A harness in the middle of a duet, and its two ranks.
fn begun(dir: &Path) -> (Child, [String; 2]) {
    let own = std::env::current_exe().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a second harness, to be signalled and killed")]
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_sifbench"))
        .args(["__exec", &std::process::id().to_string(), own.to_str().unwrap()])
        .args(["--exact", "a_harness_of_its_own", "--nocapture"])
        .env(ROLE, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default().trim().to_owned();
    eventually("both ranks", || ["one", "other"].iter().all(|name| !read(name).is_empty()));
    let ranks = ["one", "other"].map(read);
    for rank in &ranks {
        eventually("a stopped rank", || state(rank) == Some('T'));
    }
    (child, ranks)
}

#[test]
fn nothing_is_left_stopped_whatever_ends_the_harness() {
    for how in ["INT", "TERM", "KILL"] {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, ranks) = begun(dir.path());
        signal(&child.id().to_string(), how);
        child.wait().unwrap();
        if how == "KILL" {
            eventually("the guard has cleared", || !dir.path().join("scratch").exists());
        }
        assert!(ranks.iter().all(|rank| state(rank).is_none()), "{how}");
    }
}
