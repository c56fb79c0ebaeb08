//! Two programs in turns by signals, with real processes that know nothing of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    cell::RefCell,
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

/// Starts two ranks of this program, each with its number, as launchers do: it takes a while to begin and to end, and passes
/// on what it is asked.
fn launcher(program: &str) -> CommandSpec {
    let rank = |number: u32| format!("OMPI_COMM_WORLD_RANK={number} setsid {program}");
    let ask = "trap 'kill $A $B; wait $A; exit $?' TERM; sleep 0.1; ";
    let [one, other] = [0, 1].map(rank);
    let text = format!("{ask}{one} & A=$!; {other} & B=$!; wait $A; E=$?; wait $B; sleep 0.1; exit $E");
    CommandSpec::new("sh").args(["-c", &text])
}

/// Two ranks a launcher, of these scripts, in turns: how they ended, and what they wrote.
fn in_turns(dir: &Path, room: &Room, scripts: [&str; 2], total: Duration) -> [(Ended, Vec<String>); 2] {
    // As one may name them where they lie.
    seen_in_turns(dir, room, scripts, ["./first", "second"], total, &mut |_, _| {})
}

/// The same where their programs are known by these names, and somebody sees every line of either.
fn seen_in_turns(
    dir: &Path,
    room: &Room,
    scripts: [&str; 2],
    names: [&str; 2],
    total: Duration,
    see: &mut dyn FnMut(usize, &str),
) -> [(Ended, Vec<String>); 2] {
    let (mut attempt, mut other_attempt) = (room.attempt("one").unwrap(), room.attempt("other").unwrap());
    let programs = [script(dir, "first", scripts[0]), script(dir, "second", scripts[1])];
    let commands = programs.each_ref().map(|program| launcher(program));
    let ranks = names.map(|program| Ranks { program, count: 2 });
    let (env, deadlines) = (env(), Deadlines { grace: Duration::from_secs(2), ..Deadlines::total(total) });
    let [launch, other] = commands.each_ref().map(|command| Launch { command, env: &env, deadlines, log: None });
    let (lines, see) = (RefCell::new([Vec::new(), Vec::new()]), RefCell::new(see));
    let [mut observe, mut observe_other] = [0, 1].map(|which| {
        let (lines, see) = (&lines, &see);
        move |_: Stream, line: &str| {
            lines.borrow_mut()[which].push(line.to_owned());
            (see.borrow_mut())(which, line);
            Pulse::Quiet
        }
    });
    let part = Part { attempt: &mut attempt, launch, observe: &mut observe, look: None };
    let other = Part { attempt: &mut other_attempt, launch: other, observe: &mut observe_other, look: None };
    let [end, other_end] = stop_and_go([Some(part), Some(other)], ranks).unwrap().map(|end| end.unwrap().unwrap());
    for swept in [attempt.close(), other_attempt.close()] {
        assert!(swept.left.is_empty(), "{swept:?}");
    }
    let [lines, other_lines] = lines.into_inner();
    [(end, lines), (other_end, other_lines)]
}

/// When the ticks of each came, and whose each of all is, in the order of time, as long as both ran.
fn changes(ticks: &[Vec<u64>; 2]) -> usize {
    let last = ticks.each_ref().map(|ticks| *ticks.iter().max().unwrap()).into_iter().min().unwrap();
    let mut merged: Vec<(u64, usize)> =
        ticks.iter().zip(0..).flat_map(|(ticks, whose)| ticks.iter().map(move |tick| (*tick, whose))).collect();
    merged.retain(|(tick, _)| *tick <= last);
    merged.sort_unstable();
    merged.windows(2).filter(|pair| pair[0].1 != pair[1].1).count()
}

fn numbers(ends: &[(Ended, Vec<String>); 2]) -> [Vec<u64>; 2] {
    ends.each_ref().map(|(ended, lines)| {
        assert_eq!((ended.exit, ended.reason), (Exit::Code(0), Reason::Itself));
        lines.iter().map(|line| line.parse().unwrap()).collect()
    })
}

#[test]
fn one_is_stopped_with_all_its_processes_while_the_other_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (room, begun) = (Room::guest(place(dir.path())), now());
    let ends = in_turns(dir.path(), &room, [TICKS; 2], Duration::from_secs(60));
    let elapsed = begun.elapsed();
    let ticks = numbers(&ends);
    assert_eq!(ticks.each_ref().map(Vec::len), [500; 2], "nothing is lost");
    let switches = changes(&ticks);
    let turns = elapsed.as_nanos() / SLICE.as_nanos();
    assert!(switches >= 2 && switches as u128 <= turns + 2, "{switches} changes in {turns} turns of {elapsed:?}");
    // What one waits is what the other has, but for the end of the slower one.
    let ran = ends.each_ref().map(|(ended, _)| ended.wall - ended.asleep);
    assert!(ends[0].0.asleep > SLICE, "{ends:?}");
    assert!(ran[0] + ran[1] <= elapsed, "{ran:?} in {elapsed:?}");
    assert!(ends.iter().all(|(ended, _)| ended.ranks == Some(2)), "{ends:?}");
    assert!(!dir.path().join("scratch").exists());
}

/// A library by the name of an MPI, which programs can be made to load: one that this test has loaded.
fn library(dir: &Path) -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut files = maps.lines().filter_map(|line| line.split_ascii_whitespace().nth(5));
    let own = files.find(|file| file.contains("/libgcc_s.so")).unwrap();
    let copy = dir.join("libmpi.so.40");
    fs::copy(own, &copy).unwrap();
    copy.to_str().unwrap().to_owned()
}

#[test]
fn ranks_under_any_name_are_known_by_the_mpi_that_they_load() {
    let dir = tempfile::tempdir().unwrap();
    let wrapper = format!("sleep 0.2; LD_PRELOAD={} exec /bin/sh -c '{TICKS}'", library(dir.path()));
    let (room, names) = (Room::guest(place(dir.path())), ["wrapper"; 2]);
    let ends = seen_in_turns(dir.path(), &room, [&wrapper; 2], names, Duration::from_secs(60), &mut |_, _| {});
    assert!(ends.iter().all(|(ended, _)| ended.ranks == Some(2) && ended.asleep > SLICE), "{ends:?}");
    let switches = changes(&numbers(&ends));
    assert!(switches >= 2, "{switches} changes");
}

#[test]
fn a_launch_whose_ranks_are_not_found_has_no_turns_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (room, total) = (Room::guest(place(dir.path())), Duration::from_secs(60));
    // They have numbers, and neither a name nor an MPI.
    let ends = seen_in_turns(dir.path(), &room, [TICKS; 2], ["wrapper", "second"], total, &mut |_, _| {});
    assert_eq!(ends.each_ref().map(|(ended, _)| ended.ranks), [Some(0), Some(2)]);
    assert_eq!(changes(&numbers(&ends)), 0, "one after the other");
    assert!(ends.iter().all(|(ended, _)| ended.asleep.is_zero()), "{ends:?}");

    // One that has ended before it could be stopped.
    let ends = seen_in_turns(dir.path(), &room, [TICKS, "true"], ["first", "second"], total, &mut |_, _| {});
    let ([ended, other], ticks) = (ends.each_ref().map(|(ended, _)| ended), ends[0].1.len());
    assert_eq!((ended.ranks, ticks), (Some(2), 500));
    assert!(other.ranks < Some(2) && ended.asleep >= other.wall, "{ends:?}");
}

/// Who is stopped would hear nothing of its end, and be killed without a word.
#[test]
fn a_panic_of_the_observer_leaves_nobody_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    // With the panic nobody reads any more what the shell says of a child that ends.
    let hears = format!(
        "exec 2> /dev/null; cd {path}; trap ': > heard-$OMPI_COMM_WORLD_RANK; exit' TERM; \
         echo $$ > rank-$OMPI_COMM_WORLD_RANK; while :; do sleep 0.01; done"
    );
    let ranks = || [0, 1].map(|rank| fs::read_to_string(dir.path().join(format!("rank-{rank}"))).unwrap_or_default());
    let mut see = |which, _: &str| {
        let are_stopped = ranks().iter().all(|rank| state(rank.trim()) == Some('T'));
        assert!(which == 1 || !are_stopped, "on purpose");
    };
    let (room, scripts) = (Room::guest(place(dir.path())), [TICKS, &hears]);
    let run = || seen_in_turns(dir.path(), &room, scripts, ["first", "second"], Duration::from_secs(60), &mut see);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    assert!([0, 1].iter().all(|rank| dir.path().join(format!("heard-{rank}")).exists()), "both ranks hear of it");
    assert!(ranks().iter().all(|rank| state(rank.trim()).is_none()));
}

/// A total of time is of time that it had.
#[test]
fn a_partner_that_hangs_has_its_deadline_and_the_other_its_whole_time() {
    let dir = tempfile::tempdir().unwrap();
    let hangs = "trap 'echo asked; exit 3' TERM; while :; do sleep 0.01; done";
    let [(good, ticks), (hung, said)] =
        in_turns(dir.path(), &Room::guest(place(dir.path())), [TICKS, hangs], Duration::from_secs(4));
    assert_eq!((good.exit, ticks.len()), (Exit::Code(0), 500));
    assert_eq!((hung.exit, hung.reason), (Exit::Code(3), Reason::TotalDeadline));
    assert!(said.iter().any(|line| line == "asked"), "who is stopped hears of nothing: {said:?}");
    assert!(hung.wall - hung.asleep >= Duration::from_secs(4), "{hung:?}");
}

/// What is then seen is of ranks as they were, and tells which of them is gone.
#[test]
fn who_hangs_alone_is_looked_at_before_it_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::guest(place(dir.path()));
    let mut attempt = room.attempt("one").unwrap();
    let hangs = format!("echo $$ > {}/rank-$OMPI_COMM_WORLD_RANK; exec sleep 60", dir.path().display());
    let (command, env) = (launcher(&script(dir.path(), "hangs", &hangs)), env());
    let deadlines = Deadlines { grace: Duration::from_secs(2), ..Deadlines::total(Duration::from_secs(2)) };
    let mut seen = Vec::new();
    let mut look = || {
        let ranks = [0, 1].map(|rank| fs::read_to_string(dir.path().join(format!("rank-{rank}"))).unwrap());
        seen.extend(ranks.map(|rank| state(rank.trim())));
    };
    let launch = Launch { command: &command, env: &env, deadlines, log: None };
    let part = Part { attempt: &mut attempt, launch, observe: &mut |_, _| Pulse::Quiet, look: Some(&mut look) };
    let [end, _] = stop_and_go([Some(part), None], [Ranks { program: "hangs", count: 2 }; 2]).unwrap();
    assert_eq!(end.unwrap().unwrap().reason, Reason::TotalDeadline);
    assert_eq!(seen, [Some('S'); 2]);
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
    // The launchers run what is called so too.
    let (scripts, total) = ([&*scripts[0], &*scripts[1]], Duration::from_secs(60));
    seen_in_turns(Path::new(&dir), &room, scripts, ["sh"; 2], total, &mut |_, _| {});
}

/// State and parent.
fn stat(pid: &str) -> Option<(char, String)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.to_owned()))
}

fn state(pid: &str) -> Option<char> {
    stat(pid).map(|(state, _)| state).filter(|state| !matches!(state, 'Z' | 'X'))
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
        let (_, launcher) = stat(rank).unwrap();
        assert!(matches!(state(&launcher), Some('S' | 'R')), "a launcher is never stopped: {:?}", state(&launcher));
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
