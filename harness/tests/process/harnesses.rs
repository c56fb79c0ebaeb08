//! A harness of its own, that is interrupted or killed.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use harness::{
    command::CommandSpec,
    process::{Launch, Room},
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Bench, MPIRUN, env, eventually, now, patient, place, pulse, read_pid, runs};

/// Tells a copy of this test program to be a harness (see `a_harness_of_its_own`).
const ROLE: &str = "SIFBENCH_TEST_HARNESS";

impl Bench {
    /// Whether a harness has written down, in its private directory, that the process left as `name` is its own.
    fn on_record(&self, name: &str) -> bool {
        let dirs = fs::read_dir(self.place().scratch).into_iter().flatten().flatten();
        let mut records = dirs.filter_map(|dir| fs::read_to_string(dir.path().join("owner")).ok());
        let pid = fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        !pid.is_empty() && records.any(|record| record.contains(&format!("\"pid\":{},", pid.trim())))
    }

    /// Starts a copy of this program as a harness of its own that supervises `behaviour`.
    fn harness(&self, behaviour: &str) -> Child {
        // Through the stage: it resets signals that whoever runs these tests may have left ignored.
        let own = std::env::current_exe().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a second harness, to be signalled and killed")]
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_sifbench"))
            .args(["__exec", &std::process::id().to_string(), own.to_str().unwrap()])
            .args(["--exact", "harnesses::a_harness_of_its_own", "--nocapture"])
            .env(ROLE, format!("{behaviour} {}", self.dir.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        child.unwrap()
    }

    /// The process that clears up after `harness`, should it be killed.
    fn guard_of(&self, harness: &Child) -> Pid {
        // Each thread has its own; libtest runs a test in one that is not the first.
        let threads = fs::read_dir(format!("/proc/{}/task", harness.id())).unwrap().flatten();
        let children: String =
            threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap()).collect();
        let is_guard = |pid: &&str| {
            let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.contains("__guard-room") && words.contains(self.dir.path().to_str().unwrap())
        };
        let guards: Vec<&str> = children.split_whitespace().filter(is_guard).collect();
        assert_eq!(guards.len(), 1, "{guards:?} of {children}");
        Pid::from_raw(guards[0].parse().unwrap()).unwrap()
    }

    fn kill_with_guard(&self, harness: &mut Child) {
        kill_process(self.guard_of(harness), Signal::KILL).unwrap();
        harness.kill().unwrap();
        harness.wait().unwrap();
    }
}

#[test]
fn a_request_to_stop_ends_the_launch_cleanly() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let bench = Bench::new();
        let mut harness = bench.harness("orphans");
        let dir = bench.dir.path();
        eventually("the launch is on record", || bench.on_record("bare"));
        let pid = Pid::from_child(&harness);
        // An instance whose starter was ended tells us how its start went: neither an end nor a request to stop.
        for remark in [Signal::USR1, Signal::USR2] {
            kill_process(pid, remark).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        assert!(runs(bench.pid("bare")) && harness.try_wait().unwrap().is_none());
        kill_process(pid, signal).unwrap();
        assert!(harness.wait().unwrap().success());
        assert_eq!(fs::read_to_string(dir.join("ended")).unwrap(), "Interrupted true []", "{signal:?}");
        ["group", "session", "stubborn", "bare"].iter().for_each(|name| assert!(!runs(bench.pid(name)), "{name}"));
        assert!(bench.is_tidy());
    }
}

#[test]
fn an_orphan_without_any_mark_is_known_by_its_adoptive_parent() {
    let bench = Bench::new();
    assert!(bench.harness("daemon").wait().unwrap().success());
    assert_eq!(fs::read_to_string(bench.dir.path().join("ended")).unwrap(), "Itself false []");
    assert!(!runs(bench.pid("bare")) && bench.is_tidy());
}

#[test]
fn the_next_start_clears_what_a_killed_harness_left() {
    let bench = Bench::new();
    let mut harness = bench.harness("orphans");
    eventually("the launch is on record", || bench.on_record("bare"));
    let untouched = bench.room().clear_stale().unwrap();
    assert!(untouched.nothing() && runs(bench.pid("session")), "a living harness was cleared: {untouched:?}");

    bench.kill_with_guard(&mut harness);
    assert!(runs(bench.pid("stubborn")), "nothing to clear: the test proves nothing");
    let swept = bench.room().clear_stale().unwrap();
    ["group", "session", "stubborn", "bare"].iter().for_each(|name| assert!(!runs(bench.pid(name)), "{name}"));
    assert!(swept.processes >= 3 && swept.left.is_empty(), "{swept:?}");
    assert_eq!(swept.directories, 1);
    assert!(bench.is_tidy());
    assert!(bench.room().clear_stale().unwrap().nothing());
}

/// Nobody starts again: what the harness cannot do any more its guard does, whom nobody asked to end can.
#[test]
fn what_a_killed_harness_left_its_guard_clears() {
    for request in [None, Some(Signal::TERM), Some(Signal::HUP)] {
        let bench = Bench::new();
        let mut harness = bench.harness("orphans");
        eventually("the launch is on record", || bench.on_record("bare"));
        let guard = bench.guard_of(&harness);
        if let Some(signal) = request {
            kill_process(guard, signal).unwrap();
        }
        assert!(runs(bench.pid("stubborn")), "nothing to clear: the test proves nothing");
        harness.kill().unwrap();
        harness.wait().unwrap();
        eventually("the guard has cleared", || bench.is_tidy());
        ["group", "session", "stubborn", "bare"].iter().for_each(|name| assert!(!runs(bench.pid(name)), "{name}"));
        eventually("the guard has ended", || !runs(guard.as_raw_nonzero().get()));
    }
}

#[test]
fn who_stops_an_instance_sees_it_end() {
    let bench = Bench::new();
    let start = now();
    assert!(bench.harness("stopped").wait().unwrap().success());
    assert_eq!(fs::read_to_string(bench.dir.path().join("ended")).unwrap(), "exit code 0");
    assert!(start.elapsed() < Duration::from_secs(8), "waited for a zombie: {:?}", start.elapsed());
}

/// Starts what stays, then stops it as `apptainer instance stop` does: a signal, and a look whether it still exists.
fn start_and_stop(room: &Room, dir: &Path) -> String {
    let mut attempt = room.attempt("instance").unwrap();
    let start = CommandSpec::new(MPIRUN).arg("orphans").arg(dir.to_str().unwrap());
    attempt.capture(&start, &env(), Duration::from_secs(20)).unwrap();
    let stop = format!("kill {pid}; while kill -0 {pid}; do sleep 0.05; done", pid = read_pid(&dir.join("session")));
    let stopped = attempt.capture(&CommandSpec::new("sh").args(["-c", &stop]), &env(), Duration::from_secs(10));
    stopped.map_or_else(|error| error.to_string(), |stopped| stopped.exit.to_string())
}

/// Not a test of its own: the program that the tests above interrupt and kill.
#[test]
fn a_harness_of_its_own() {
    #[expect(clippy::disallowed_methods, reason = "a test program's way to tell a copy of itself what to do")]
    let Ok(role) = std::env::var(ROLE) else { return };
    let (behaviour, dir) = role.split_once(' ').unwrap();
    let dir = Path::new(dir);
    let room = Room::take_charge(place(dir)).unwrap();
    if behaviour == "stopped" {
        return fs::write(dir.join("ended"), start_and_stop(&room, dir)).unwrap();
    }
    let mut attempt = room.attempt("interrupted").unwrap();
    let command = CommandSpec::new(MPIRUN).arg(behaviour).arg(dir.to_str().unwrap()).arg("stay");
    let launch = Launch { command: &command, env: &env(), deadlines: patient(), log: None };
    let ended = attempt.supervise(&launch, &mut |_, line| pulse(line));
    let left = attempt.close().left;
    fs::write(dir.join("ended"), format!("{:?} {} {left:?}", ended.unwrap().reason, room.stopping())).unwrap();
}
