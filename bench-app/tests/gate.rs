//! The gate between real processes: jobs of two ranks, the harness that gives them turns, and what is left when it dies.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the processes that a harness and a launcher would")]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use bench_app::{
    clock, exit,
    gate::{Admission, Entrance, Gate, Job, LEASE, Turns},
};

/// Tells a copy of this test program what to be: `DIRECTORY ROLE` (see `a_process_of_its_own`).
const ROLE: &str = "BENCH_APP_TEST_GATE";
/// Nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(60);
const SLICE: Duration = Duration::from_millis(5);
/// A lease that a test can wait for, and yet longer than a busy machine keeps a harness from its work.
const SHORT_LEASE: Duration = Duration::from_millis(1500);
const RANKS: u32 = 2;
const JOBS: [Job; 2] = [Job::First, Job::Second];

/// One test's directory with a gate in it, and the processes around it.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        Scene { directory: tempfile::tempdir().unwrap() }
    }

    fn gate(&self) -> PathBuf {
        self.directory.path().join("gate")
    }

    fn process(&self, role: &str) -> Process {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_of_its_own", "--nocapture"])
            .env(ROLE, format!("{} {role}", self.directory.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Process(child.unwrap())
    }

    /// The ranks of `job`.
    fn ranks(&self, job: Job) -> Vec<Process> {
        (0..RANKS).map(|rank| self.process(&format!("{job} {rank}"))).collect()
    }

    /// The turns that `job` has had: from the first moment on any rank to the last on any, ns.
    fn turns(&self, job: Job) -> Vec<(u64, u64)> {
        let of_rank = |rank| {
            let text = fs::read_to_string(self.directory.path().join(format!("{job} {rank}"))).unwrap_or_default();
            let turn = |line: &str| {
                let (from, to) = line.split_once(' ').unwrap();
                (from.parse::<u64>().unwrap(), to.parse::<u64>().unwrap())
            };
            text.lines().map(turn).collect::<Vec<_>>()
        };
        let ranks: Vec<_> = (0..RANKS).map(of_rank).collect();
        let whole = ranks.iter().map(Vec::len).min().unwrap();
        let ends = |turn: usize| {
            let of = || ranks.iter().map(move |turns| turns[turn]);
            (of().map(|(from, _)| from).min().unwrap(), of().map(|(_, to)| to).max().unwrap())
        };
        (0..whole).map(ends).collect()
    }
}

/// A process that does not outlive its test.
struct Process(Child);

impl Process {
    fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "a process waits for ever");
            sleep(Duration::from_millis(5));
        }
    }

    /// Time of all its threads on a CPU so far.
    fn cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let ns = |thread: fs::DirEntry| -> u64 {
            let text = fs::read_to_string(thread.path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse().unwrap()
        };
        Duration::from_nanos(threads.map(|thread| ns(thread.unwrap())).sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn expired(processes: &mut [Process]) {
    for process in processes {
        assert_eq!(process.ended().code(), Some(exit::EXPIRED.into()));
    }
}

/// Gives turns to both jobs, one after the other, `turns` each.
fn alternate(gate: &Gate, turns: u32) {
    for _ in 0..turns {
        for job in JOBS {
            // Both: a job that has not come yet would otherwise be there during the other's turn.
            assert!(JOBS.iter().all(|job| gate.waiting(*job, PATIENCE)), "{job}");
            gate.give(job, SLICE).unwrap();
        }
    }
    assert!(JOBS.iter().all(|job| gate.waiting(*job, PATIENCE)));
}

#[test]
fn two_jobs_alternate_and_never_overlap() {
    const TURNS: u32 = 20;
    let scene = Scene::new();
    let gate = Gate::create(&scene.gate(), LEASE).unwrap();
    let mut ranks: Vec<_> = JOBS.into_iter().flat_map(|job| scene.ranks(job)).collect();
    alternate(&gate, TURNS);
    gate.close();
    expired(&mut ranks);
    let [first, second] = JOBS.map(|job| scene.turns(job));
    assert_eq!([first.len(), second.len()], [TURNS as usize; 2]);
    let all: Vec<_> = first.into_iter().zip(second).flat_map(|(first, second)| [first, second]).collect();
    assert!(all.is_sorted_by(|(_, to), (from, _)| to < from), "{all:?}");
}

#[test]
fn a_job_that_waits_takes_no_time_on_a_cpu() {
    let scene = Scene::new();
    let gate = Gate::create(&scene.gate(), LEASE).unwrap();
    let ranks = scene.ranks(Job::First);
    assert!(gate.waiting(Job::First, PATIENCE));
    let taken = || ranks.iter().map(Process::cpu).sum::<Duration>();
    // The last to come says that all sleep a moment before it does.
    sleep(Duration::from_millis(100));
    let before = taken();
    sleep(Duration::from_millis(300));
    let waiting = taken() - before;
    assert!(waiting < Duration::from_millis(3), "{waiting:?}");
    // The same clock does see a job that runs.
    let before = taken();
    gate.give(Job::First, Duration::from_millis(300)).unwrap();
    assert!(gate.waiting(Job::First, PATIENCE));
    assert!(taken() - before > Duration::from_millis(30));
}

#[test]
fn a_lease_that_is_not_renewed_ends_the_job() {
    let scene = Scene::new();
    let gate = Gate::create(&scene.gate(), SHORT_LEASE).unwrap();
    let mut ranks = scene.ranks(Job::Second);
    assert!(gate.waiting(Job::Second, PATIENCE));
    let begun = Instant::now();
    while begun.elapsed() < 2 * SHORT_LEASE {
        gate.renew();
        sleep(Duration::from_millis(20));
    }
    assert!(ranks.iter_mut().all(|rank| rank.0.try_wait().unwrap().is_none()));
    let last = Instant::now();
    gate.renew();
    expired(&mut ranks);
    let took = last.elapsed();
    assert!(took + Duration::from_millis(1) >= SHORT_LEASE && took < 5 * SHORT_LEASE, "{took:?}");
}

#[test]
fn jobs_whose_harness_is_killed_end_by_themselves() {
    let scene = Scene::new();
    let mut harness = scene.process("harness");
    let begun = Instant::now();
    while Turns::join(&Entrance { path: scene.gate(), job: Job::First }).is_err() {
        assert!(begun.elapsed() < PATIENCE, "the harness makes no gate");
        sleep(Duration::from_millis(5));
    }
    let mut ranks: Vec<_> = JOBS.into_iter().flat_map(|job| scene.ranks(job)).collect();
    while JOBS.iter().any(|job| scene.turns(*job).len() < 3) {
        assert!(begun.elapsed() < PATIENCE, "the jobs get no turns");
        sleep(Duration::from_millis(5));
    }
    harness.0.kill().unwrap();
    let killed = Instant::now();
    expired(&mut ranks);
    assert!(killed.elapsed() < 5 * SHORT_LEASE, "{:?}", killed.elapsed());
}

/// What a copy of this program does that a test has started. On its own it has nothing to do.
#[test]
fn a_process_of_its_own() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (directory, role) = role.split_once(' ').unwrap();
    let directory = Path::new(directory);
    match role.split_once(' ') {
        Some((job, rank)) => {
            let entrance = format!("{}:{job}", directory.join("gate").display()).parse().unwrap();
            take_turns(&entrance, &directory.join(format!("{job} {rank}")));
            std::process::exit(exit::EXPIRED.into());
        }
        None => alternate(&Gate::create(&directory.join("gate"), SHORT_LEASE).unwrap(), u32::MAX),
    }
}

/// A rank that computes as long as it has its turn, and writes down when that was. Returns when there are no more turns.
fn take_turns(entrance: &Entrance, log: &Path) {
    let turns = Turns::join(entrance).unwrap();
    let mut log = File::create(log).unwrap();
    while turns.wait_for_turn(RANKS) == Admission::Granted {
        let from = clock::now();
        while !turns.over() {
            std::hint::spin_loop();
        }
        // In one piece: somebody may be reading.
        log.write_all(format!("{from} {}\n", clock::now()).as_bytes()).unwrap();
    }
}
