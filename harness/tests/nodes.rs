//! What sifbench asks of itself on other nodes, with real processes: the agent, the sweep, the step that holds an instance.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the tool as a remote shell does")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use harness::{
    command::CommandSpec,
    process::{Env, GUARDED, Place, ProcessError, Pulse, Room, SweptNode},
};

const SIFBENCH: &str = env!("CARGO_BIN_EXE_sifbench");
const MPIRUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mpirun");

fn sifbench(words: &[&str]) -> Output {
    Command::new(SIFBENCH).args(words).env_remove("SHELL").output().unwrap()
}

/// A guard that has said that it is one, and what it is heard by.
fn guard(marker: &str, directory: &Path, seconds: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let words = ["__guard", marker, directory.to_str().unwrap(), seconds];
    let mut guard = Command::new(SIFBENCH).args(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(guard.stdout.take().unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), GUARDED);
    (guard, heard)
}

/// Ranks of an attempt, detached in every way, that leave their numbers in `place`.
fn ranks(place: &Path, marker: &str) {
    fs::create_dir(place).unwrap();
    let mut launch = Command::new(MPIRUN);
    launch.arg("orphans").arg(place).env("SIFBENCH_ATTEMPT", marker).stdout(Stdio::null()).stderr(Stdio::null());
    launch.status().unwrap();
}

fn pid(place: &Path, name: &str) -> String {
    fs::read_to_string(place.join(name)).unwrap()
}

/// Those of them that bear the marker.
const MARKED: [&str; 3] = ["group", "session", "stubborn"];

/// Ends the rank that lost its environment: it is known only by whose child it is, and here its parent has gone before.
fn end_the_bare(places: &[&Path]) {
    for place in places {
        let _ = Command::new("kill").args(["-9", pid(place, "bare").trim()]).stderr(Stdio::null()).status();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn room(dir: &Path) -> Room {
    Room::guest(Place { stage: SIFBENCH.into(), scratch: dir.join("scratch") })
}

fn env() -> Env {
    Env::from_parent(&BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]), &[])
}

fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_agent_hands_the_attempt_on_and_nothing_else() {
    let output = Command::new(SIFBENCH)
        .args(["__agent", "3", "printf", "%s\n", "-x", "n2", "orted", "--daemonize"])
        .env_clear()
        .envs([
            ("PATH", "/usr/bin:/bin"),
            ("SIFBENCH_ATTEMPT", "a0001.7.8.9."),
            ("TMPDIR", "/tmp/a b"),
            ("SECRET", "1"),
        ])
        .output()
        .unwrap();
    let words = text(&output.stdout);
    let remote = "SIFBENCH_ATTEMPT=a0001.7.8.9.; export SIFBENCH_ATTEMPT; PATH=/usr/bin:/bin; export PATH; \
                  TMPDIR='/tmp/a b'; export TMPDIR;";
    assert_eq!(words.lines().collect::<Vec<_>>(), ["-x", "n2", remote, "orted", "--daemonize"]);
    let missing = sifbench(&["__agent", "1", "no-such-shell", "n2", "true"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(text(&missing.stderr).contains("no-such-shell"));
}

#[test]
fn a_node_is_swept_of_what_bears_the_marker_and_of_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (base, marker, other) = (dir.path().join("base"), "a0001.1.2.3.", "a0001.1.2.30.");
    let scratch = base.join("0123abcd");
    let (mut guard, _heard) = guard(marker, &scratch, "600");
    assert!(scratch.join("t").is_dir() && scratch.join("c").is_dir());

    // Ranks, and the same of another attempt of the same user.
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    ranks(&ours, marker);
    ranks(&theirs, other);
    MARKED.iter().for_each(|name| assert!(runs(&pid(&ours, name)) && runs(&pid(&theirs, name)), "{name}"));

    let sweep = |marker: &str| -> SweptNode {
        let swept = sifbench(&["__sweep", marker, scratch.to_str().unwrap()]);
        assert!(swept.status.success(), "{}", text(&swept.stderr));
        serde_json::from_slice(&swept.stdout).unwrap()
    };
    let node = sweep(marker);
    assert!(!guard.wait().unwrap().success(), "the guard is relieved");
    assert_eq!(node.host, fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    assert!(node.swept.processes >= 3 && node.swept.left.is_empty(), "{node:?}");
    MARKED.iter().for_each(|name| assert!(!runs(&pid(&ours, name)), "{name} survived"));
    MARKED.iter().for_each(|name| assert!(runs(&pid(&theirs, name)), "the other attempt's {name} was killed"));
    assert!(!scratch.exists());
    assert!(sweep(marker).swept.nothing(), "a clean node is clean");
    assert!(sweep(other).swept.processes >= 3);
    end_the_bare(&[&ours, &theirs]);
    for bad in ["", "a0001", "a0001.1.2.3"] {
        assert_eq!(sifbench(&["__sweep", bad, scratch.to_str().unwrap()]).status.code(), Some(2), "part of a marker");
    }
}

#[test]
fn a_guard_that_is_left_alone_sweeps_its_node() {
    let dir = tempfile::tempdir().unwrap();
    let (base, theirs) = (dir.path().join("base"), dir.path().join("theirs"));
    ranks(&theirs, "a0002.1.2.30.");
    // Its harness is gone, which closes the connection; it is asked to end; or it has waited for too long.
    let check = |what: &str, seconds: &str, leave: &dyn Fn(&Child, BufReader<std::process::ChildStdout>)| {
        let (scratch, ours) = (base.join("0123abcd"), dir.path().join(what));
        let (mut guard, heard) = guard("a0002.1.2.3.", &scratch, seconds);
        ranks(&ours, "a0002.1.2.3.");
        leave(&guard, heard);
        assert!(guard.wait().unwrap().success(), "{what}");
        MARKED.iter().for_each(|name| assert!(!runs(&pid(&ours, name)), "{what}: {name} survived"));
        assert!(!scratch.exists(), "{what}");
        end_the_bare(&[&ours]);
    };
    check("alone", "600", &|_, heard| drop(heard));
    check("asked", "600", &|guard, _heard| {
        rustix::process::kill_process(rustix::process::Pid::from_child(guard), rustix::process::Signal::TERM).unwrap();
    });
    check("late", "1", &|guard, heard| {
        eventually("its time is over", || !runs(&guard.id().to_string()));
        drop(heard);
    });
    MARKED.iter().for_each(|name| assert!(runs(&pid(&theirs, name)), "another attempt's {name} was killed"));
    sifbench(&["__sweep", "a0002.1.2.30.", base.join("x").to_str().unwrap()]);
    end_the_bare(&[&theirs]);
}

#[test]
fn the_next_guard_of_a_node_clears_what_one_left_that_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (base, ours) = (dir.path().join("base"), dir.path().join("ours"));
    let (mut killed, _heard) = guard("a0003.1.2.3.", &base.join("0123abcd"), "600");
    ranks(&ours, "a0003.1.2.3.");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let (mut next, heard) = guard("a0003.4.5.6.", &base.join("4567abcd"), "600");
    MARKED.iter().for_each(|name| assert!(!runs(&pid(&ours, name)), "{name} survived"));
    assert!(!base.join("0123abcd").exists() && base.join("4567abcd").exists());
    drop(heard);
    assert!(next.wait().unwrap().success() && !base.exists());
    end_the_bare(&[&ours]);
}

#[test]
fn a_directory_that_others_prepared_is_no_attempts() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    fs::create_dir(&base).unwrap();
    fs::set_permissions(&base, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let prepared = sifbench(&["__guard", "a.1.", base.join("x").to_str().unwrap(), "600"]);
    assert!(!prepared.status.success() && text(&prepared.stderr).contains("open to other users"));
}

#[test]
fn a_held_instance_lives_until_its_holder_is_asked_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let (up, down) = (dir.path().join("up"), dir.path().join("down"));
    let words = ["__hold", "2", "touch", up.to_str().unwrap(), "touch", down.to_str().unwrap()];
    let mut holder = Command::new(SIFBENCH).args(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), harness::compose::HELD);
    assert!(up.exists() && !down.exists() && holder.try_wait().unwrap().is_none());
    rustix::process::kill_process(rustix::process::Pid::from_child(&holder), rustix::process::Signal::TERM).unwrap();
    assert!(holder.wait().unwrap().success());
    assert!(down.exists());
    let failed = sifbench(&["__hold", "1", "false", "touch", "never"]);
    assert!(!failed.status.success() && !text(&failed.stdout).contains(harness::compose::HELD));
}

#[test]
fn helpers_of_many_nodes_run_side_by_side_and_each_has_its_own_end() {
    let dir = tempfile::tempdir().unwrap();
    let room = room(dir.path());
    let shell = |text: &str| CommandSpec::new("sh").args(["-c", text]);
    let commands = [shell("sleep 1; echo one"), shell("sleep 1; echo two >&2; exit 3"), shell("sleep 60")];
    let start = Instant::now();
    let results = room.capture_all(&commands, &env(), Duration::from_secs(3)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    let [Ok(one), Ok(two), Err(error)] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!((one.stdout.as_str(), one.exit.success()), ("one\n", true));
    assert_eq!((two.stderr.as_str(), two.exit.to_string().as_str()), ("two\n", "exit code 3"));
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    assert!(!dir.path().join("scratch").exists());
}

#[test]
fn what_an_attempt_holds_stays_until_it_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let room = room(dir.path());
    let pid = dir.path().join("pid");
    let text =
        format!("trap 'exit 0' TERM; echo $$ > {pid}; echo held; while :; do sleep 0.1; done", pid = pid.display());
    let holder = CommandSpec::new("sh").args(["-c", &text]);
    let enough = |_, line: &str| if line == "held" { Pulse::Enough } else { Pulse::Quiet };
    let lives = || runs(&fs::read_to_string(&pid).unwrap());

    let mut attempt = room.attempt("held").unwrap();
    assert!(attempt.hold(&holder, &env(), Duration::from_secs(10), &mut { enough }).unwrap().is_none());
    attempt.capture(&CommandSpec::new("true"), &env(), Duration::from_secs(10)).unwrap();
    assert!(lives());
    attempt.let_go(Duration::from_secs(5));
    assert!(!lives());

    assert!(attempt.hold(&holder, &env(), Duration::from_secs(10), &mut { enough }).unwrap().is_none());
    assert!(lives());
    drop(attempt);
    eventually("an attempt that is closed holds nothing", || !lives());

    let mut attempt = room.attempt("fails").unwrap();
    let fails = CommandSpec::new("sh").args(["-c", "echo no such image; exit 7"]);
    let ended = attempt.hold(&fails, &env(), Duration::from_secs(10), &mut { enough }).unwrap().unwrap();
    assert_eq!(ended.exit.to_string(), "exit code 7");
}

/// A rank of a node that enters an instance: `up` and `down` are its life, and each rank says that it was in it.
fn rank(dir: &Path, rank: Option<u32>, start: &str, app: &str) -> std::process::Child {
    let mut command = Command::new(SIFBENCH);
    command.args(["__in-rank", "3", "sh", "-c", start, "2", "touch", "down", "sh", "-c", app]).current_dir(dir);
    for name in ["OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"] {
        command.env_remove(name);
    }
    command.envs(rank.map(|rank| ("SLURM_LOCALID", rank.to_string())));
    command.env("TMPDIR", dir).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_first_rank_of_a_node_starts_an_instance_and_stops_it_when_all_have_left() {
    let dir = tempfile::tempdir().unwrap();
    let there = |name: &str| dir.path().join(name).exists();
    // The other comes first and stays longer.
    let other = rank(dir.path(), Some(1), "false", "[ -e up ] && sleep 1; [ ! -e down ] && touch undisturbed");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!there("undisturbed"));
    let first = rank(dir.path(), Some(0), "sleep 0.3; touch up", "exit 7");
    let (first, other) = (first.wait_with_output().unwrap(), other.wait_with_output().unwrap());
    assert_eq!((first.status.code(), other.status.code()), (Some(7), Some(0)), "{}", text(&other.stderr));
    assert!(there("undisturbed") && there("down"));
}

#[test]
fn no_rank_enters_an_instance_that_is_not_started_and_all_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let ranks = [1, 0]
        .map(|n| rank(dir.path(), Some(n), "echo INFO: x >&2; echo FATAL: no such image >&2; exit 3", "touch in"));
    for rank in ranks {
        let output = rank.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.starts_with(harness::process::NO_INSTANCE), "{said}");
        assert!(said.contains("FATAL: no such image (exit status: 3)"), "{said}");
    }
    assert!(!dir.path().join("in").exists() && !dir.path().join("down").exists());
    let nobody = rank(dir.path(), None, "touch up", "touch in").wait_with_output().unwrap();
    assert!(text(&nobody.stderr).contains("SLURM_LOCALID") && !dir.path().join("in").exists());
}

#[test]
fn a_rank_that_is_asked_to_end_stops_the_instance_it_has_started() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = rank(
        dir.path(),
        Some(0),
        "touch up",
        "touch in; trap 'touch asked; exit 1' TERM; while :; do sleep 0.05; done",
    );
    eventually("the rank is in it", || dir.path().join("in").exists());
    rustix::process::kill_process(rustix::process::Pid::from_child(&first), rustix::process::Signal::TERM).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(1));
    assert!(dir.path().join("asked").exists() && dir.path().join("down").exists());
}
