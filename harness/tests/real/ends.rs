//! Runs that are interrupted or killed: what is left, and how they go on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use harness::{case::Mode, record::Outcome, store};

use crate::{Bench, SMALL, begin_of, campaign, signal, text, traces, wait_for};

/// Starts a run of two modes and waits until `attempts` of its launches are committed.
fn begin(bench: &Bench, attempts: usize) -> (Child, PathBuf) {
    begin_of(bench, &campaign(&[Mode::Native, Mode::HybridInstance], "4.1.8", 2, SMALL, ""), attempts)
}

fn assert_resumes(bench: &Bench, dir: &Path) {
    let output = bench.sifbench(&["run", "--resume", dir.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let run = bench.newest();
    assert!(run.closed);
    for block in 1..=run.design.blocks {
        let made = run.records.iter().filter(|r| r.block == block && r.outcome == Outcome::Completed).count();
        assert_eq!(made, 3, "block {block}: two modes and the twin");
    }
    bench.assert_clean();
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn ctrl_c_stops_cleanly_and_resume_goes_on() {
    let bench = Bench::new();
    let (mut child, dir) = begin(&bench, 2);
    signal(&child, "INT");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{status}");
    bench.assert_clean();
    assert_resumes(&bench, &dir);
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn what_a_killed_harness_left_is_cleared_by_its_guard_or_by_the_next_start() {
    for guarded in [true, false] {
        let bench = Bench::new();
        let (mut child, dir) = begin(&bench, 2);
        sleep(Duration::from_millis(400));
        signal(&child, "STOP");
        for pid in children(child.id()) {
            if !guarded && fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap().contains("__guard-room") {
                assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
            }
        }
        assert!(!traces().is_subset(&bench.before), "nothing to be left, so this proves nothing");
        signal(&child, "KILL");
        child.wait().unwrap();
        if guarded {
            wait_for("the guard to clear it", || traces().is_subset(&bench.before));
        }
        assert_resumes(&bench, &dir);
    }
}

/// The process of `rank` of a harness's first launch, once it has spun for a while.
fn spinning(rank: u32) -> Option<String> {
    let holds = |environ: &[u8], text: &str| environ.windows(text.len()).any(|window| window == text.as_bytes());
    let is_it = |pid: &String| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ticks = stat.split(' ').nth(13).and_then(|ticks| ticks.parse::<u32>().ok());
        stat.contains(" (bench-app) ")
            && ticks.is_some_and(|ticks| ticks > 20)
            && holds(&environ, "SIFBENCH_ATTEMPT=a0001.")
            && holds(&environ, &format!("\0OMPI_COMM_WORLD_RANK={rank}\0"))
    };
    let names = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).find(is_it)
}

/// Open MPI 4 says it in one line, 5 in two.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and 5.0.11 and their images (scripts/test)"]
fn a_rank_that_somebody_kills_is_named() {
    for (mode, version) in [(Mode::Native, "4.1.8"), (Mode::Native, "5.0.11"), (Mode::Hybrid, "5.0.11")] {
        let bench = Bench::new();
        let text = campaign(&[mode], version, 1, SMALL, "").replace("visit_ms = 3", "visit_ms = 400");
        let (mut child, dir) = begin_of(&bench, &text, 0);
        let mut rank = None;
        wait_for("a rank that measures", || {
            rank = spinning(1);
            rank.is_some()
        });
        assert!(Command::new("kill").args(["-KILL", &rank.unwrap()]).status().unwrap().success());
        let attempts = || fs::read_to_string(dir.join("attempts.jsonl")).map_or(0, |text| text.lines().count());
        wait_for("the end of its launch", || attempts() > 0);
        signal(&child, "TERM");
        child.wait().unwrap();
        let run = bench.newest();
        let (record, host) = (&run.records[0], rustix::system::uname().nodename().to_string_lossy().into_owned());
        let lost: Vec<String> = record.lost.iter().map(ToString::to_string).collect();
        assert_eq!(lost, [format!("rank 1 on {host} was ended by signal 9")], "{mode} {version}: {:?}", record.said);
        assert!(matches!(record.outcome, Outcome::Signaled { signal: 9, .. }), "{mode} {version}: {}", record.outcome);
        bench.assert_clean();
    }
}

/// Files below a directory whose names match, at any depth.
fn found(dir: &Path, wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let below = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => found(&entry.path(), wanted),
        Ok(_) | Err(_) => entry.file_name().to_str().is_some_and(wanted).then(|| entry.path()).into_iter().collect(),
    };
    entries.flat_map(below).collect()
}

/// The launchers and helpers of a harness.
fn children(harness: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{harness}/task/{harness}/children")).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Records of the instances of a harness.
fn records(harness: u32) -> Vec<PathBuf> {
    let scratch = PathBuf::from(format!("/tmp/sifbench-{}", rustix::process::geteuid().as_raw()));
    let own = |dir: &PathBuf| {
        let owner = fs::read_to_string(dir.join("owner")).unwrap_or_default();
        owner.contains(&format!("\"pid\":{harness},"))
    };
    let dirs = fs::read_dir(scratch).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_record = |name: &str| name.starts_with("sifbench-a") && name.ends_with(".json");
    dirs.filter(own).flat_map(|dir| found(&dir.join("c"), &is_record)).collect()
}

/// Locks of `--sharens` of a harness: they are named after its launchers.
fn locks(harness: u32) -> Vec<PathBuf> {
    let locks = children(harness).into_iter().map(|pid| PathBuf::from(format!("/dev/shm/sharens_instance_{pid}")));
    locks.filter(|lock| lock.exists()).collect()
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn a_record_of_an_instance_and_a_lock_of_sharens_that_a_killed_harness_left_are_ours_and_others_are_not() {
    let bench = Bench::new();
    // Of somebody who is gone, too: nothing but what is on record tells the two apart.
    let theirs = PathBuf::from(format!("/dev/shm/sharens_instance_{}", 4_194_304 + std::process::id()));
    fs::write(&theirs, "x").unwrap();
    for mode in [Mode::HybridInstance, Mode::HybridSharens] {
        let there = if mode == Mode::HybridInstance { records } else { locks };
        let text = campaign(&[mode], "4.1.8", 1, SMALL, "").replace("visit_ms = 3", "visit_ms = 400");
        fs::write(bench.dir.path().join("campaign.toml"), text).unwrap();
        let mut run = bench.sifbench(&["run", "campaign.toml"]);
        let mut child = run.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        wait_for("what is to be left", || !there(child.id()).is_empty());
        // Both at once: a launcher that is asked to end would tidy up.
        signal(&child, "STOP");
        let traces = there(child.id());
        for pid in children(child.id()) {
            drop(Command::new("kill").args(["-KILL", &pid]).status());
        }
        signal(&child, "KILL");
        child.wait().unwrap();
        let is_there = |trace: &PathBuf| trace.exists();
        assert!(!traces.is_empty() && traces.iter().all(is_there), "{mode}: nothing was left, so this proves nothing");
        let dir = store::resolve(&bench.dir.path().join("results")).unwrap();
        let resumed = bench.sifbench(&["run", "--resume", dir.to_str().unwrap()]).output().unwrap();
        assert!(resumed.status.success() && self::text(&resumed).contains("cleared what"), "{}", self::text(&resumed));
        assert!(!traces.iter().any(is_there), "{mode}: {traces:?}");
        fs::remove_dir_all(bench.dir.path().join("results")).unwrap();
        assert!(theirs.exists(), "{mode}: a lock of somebody else's was removed");
    }
    fs::remove_file(theirs).unwrap();
    bench.assert_clean();
}
