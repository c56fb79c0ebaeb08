//! bench-app under a real `mpirun`, on one node.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the program as a launcher does")]

mod launch;

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
    sync::PoisonError,
    thread::sleep,
    time::{Duration, Instant},
};

use bench_app::{
    Event, Kernel,
    event::{Failed, ReadPeer, Sync, Trace},
    exit,
    gate::{Gate, Job, LEASE},
    kernel::{Ranks, Sizes},
};

use launch::{Launch, MACHINE, PATIENCE, alive, ended, launch, mpirun};

/// One small size of every kernel.
fn every_kernel() -> Vec<String> {
    let cell = |kernel: Kernel| match kernel.row().sizes {
        Sizes::Nothing => format!("{kernel}@0"),
        Sizes::Any | Sizes::Positive | Sizes::Doubles => format!("{kernel}@1Ki"),
    };
    Kernel::ALL.into_iter().flat_map(|kernel| ["--size".to_owned(), cell(kernel)]).collect()
}

/// Whether the machine has a CPU for each of `ranks`, so that they need not be allowed to share.
fn roomy(ranks: u32) -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= ranks as usize)
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn every_kernel_is_measured_in_every_visit_and_traced_once() {
    let args = every_kernel();
    let args: Vec<&str> = args.iter().map(String::as_str).chain(["--rounds", "2", "--visit-ms", "2"]).collect();
    let launch = launch(2, &[], &args).measured();
    assert_eq!(launch.visited().len(), 2 * Kernel::ALL.len());
    for kernel in Kernel::ALL {
        let batches = launch.batches(kernel);
        assert!(batches.len() >= 6 && batches.iter().all(|ns| *ns > 0), "{kernel}: {batches:?}");
        let traces: Vec<_> = launch.traces().into_iter().filter(|trace| trace.kernel == kernel).collect();
        assert_eq!(traces.len(), 1, "{kernel}");
        let Trace { p50, p90, p99, p999, max, .. } = *traces[0];
        assert!(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max, "{:?}", traces[0]);
    }
    for visited in launch.visited() {
        let together = visited.kernel.row().ranks == Ranks::All;
        assert_eq!(visited.sync != Sync::Batch, together, "{visited:?}");
        assert_eq!(visited.made > 0, together, "{visited:?}");
        assert!(visited.late <= visited.made, "{visited:?}");
    }
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn two_ranks_of_a_node_know_each_other() {
    let launch = launch(2, &[], &["--size", "latency@8", "--rounds", "1"]).measured();
    let facts = launch.facts();
    assert_eq!((facts.ranks, facts.nodes, facts.omitted), (2, 1, 0));
    assert_eq!(facts.oversubscribed, !roomy(2));
    assert!(facts.first.node != 0 && facts.first.user_ns != 0 && facts.first.shm_total > 0, "{facts:?}");
    assert!(facts.differing.iter().all(|rank| rank.node == facts.first.node), "{facts:?}");
    let boots: BTreeSet<_> = launch
        .events
        .iter()
        .filter_map(|e| if let Event::Boot(boot) = e { boot.launcher_rank } else { None })
        .collect();
    assert_eq!(boots, BTreeSet::from([0, 1]));
    // Without containers nothing hides the two from each other but Yama, and that is lifted at the end.
    assert_eq!(launch.late().read_allowed, ReadPeer::Ok, "{facts:?}");
    let variables = &launch.late().variables;
    assert!(variables.keys().any(|name| name.contains("eager") || name.contains("EAGER")), "{variables:?}");
    if roomy(2) {
        assert_eq!(launch.late().no_canary, None);
        assert!(launch.visited()[0].canary.is_some());
    }
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn what_carries_messages_is_seen_in_the_counters() {
    let args = ["--size", "latency@8:20", "--rounds", "1", "--visit-ms", "1"];
    let carrier = |options: &[&str]| launch(2, options, &args).measured().late().traffic.unwrap().carrier();
    assert_eq!(carrier(&[]), "memory");
    assert_eq!(carrier(&["--mca", "btl", "self,tcp", "--mca", "pml", "ob1"]), "network");
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn an_odd_world_measures_all_it_can_and_says_that_it_is_crowded() {
    let args = every_kernel();
    let args: Vec<&str> = args.iter().map(String::as_str).chain(["--rounds", "1", "--visit-ms", "1"]).collect();
    let launch = launch(5, &["--oversubscribe"], &args).measured();
    assert_eq!((launch.facts().ranks, launch.facts().oversubscribed), (5, !roomy(5)));
    assert_eq!(launch.visited().len(), Kernel::ALL.len());
    if !roomy(5) {
        // Ranks that share a core cannot all spin until a moment.
        let all = launch.visited().into_iter().filter(|visited| visited.kernel.row().ranks == Ranks::All);
        assert!(all.into_iter().all(|visited| visited.sync == Sync::Barrier));
    }
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn rotating_buffers_pass_the_same_checks_and_say_how_large_they_are() {
    let args = ["--size", "64Ki", "--buffers", "rotating", "--rounds", "1", "--visit-ms", "2"];
    let launch = launch(2, &[], &args).measured();
    let (set, cache) = (launch.late().rotating.unwrap(), launch.late().last_level_cache.unwrap_or(0));
    assert!(2 * set >= cache, "the sets of two ranks, {set} bytes each, and a cache of {cache}");
    assert_eq!(launch.visited().len(), 3);
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn a_lone_rank_says_so_and_measures_nothing() {
    let launch = launch(1, &[], &["--size", "8"]);
    assert_eq!(launch.code, Some(exit::SINGLETON.into()), "{}", launch.said);
    let worlds: Vec<_> = launch
        .events
        .iter()
        .filter_map(|e| if let Event::Hello(hello) = e { Some(hello.world) } else { None })
        .collect();
    assert_eq!(worlds, [1]);
    assert!(launch.visited().is_empty());
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn where_one_rank_dies_no_other_is_left_spinning() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let args = ["--size", "latency@8", "--rounds", "1000", "--visit-ms", "100"];
    let mut launch = mpirun(2, &[], &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while alive().len() < 2 {
        assert!(start.elapsed() < PATIENCE, "two ranks never ran");
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_millis(1500));
    let killed = Command::new("kill").args(["-s", "KILL", &alive()[1]]).status().unwrap();
    assert!(killed.success());
    let code = loop {
        if let Some(status) = launch.try_wait().unwrap() {
            break status.code();
        }
        assert!(start.elapsed() < PATIENCE, "mpirun waits for a rank that is dead");
        sleep(Duration::from_millis(50));
    };
    assert_ne!(code, Some(0));
    sleep(Duration::from_millis(500));
    assert_eq!(alive(), Vec::<String>::new());
}

/// `fault.c`, compiled: a library that makes MPI calls fail.
fn faults(directory: &Path) -> String {
    let library = directory.join("fault.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fault.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", source, "-ldl", "-o"]).arg(&library).status();
    assert!(compiled.unwrap().success());
    library.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test), and a C compiler"]
fn an_mpi_call_that_fails_is_named_with_its_class_and_ends_all_ranks() {
    let directory = tempfile::tempdir().unwrap();
    let faults = faults(directory.path());
    let preload = format!("LD_PRELOAD={faults}");
    // Codes are Open MPI's. The rank that does not fail waits for a message of the other one.
    let check = |fault: &str, cell: &str, expected: &str| {
        let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let args = ["--size", cell, "--rounds", "3", "--visit-ms", "5"];
        let mut command = mpirun(2, &["-x", &preload, "-x", "FAULT"], &args);
        let begun = Instant::now();
        let launch = ended(command.env("FAULT", fault));
        let Failed { rank, message } = launch.failed(exit::FAILED);
        let words: Vec<_> = fault.split(' ').collect();
        assert_eq!(rank.to_string(), words[1], "{fault}: {message}");
        assert!(message.starts_with(words[0]) && message.ends_with(expected), "{fault}: {message}");
        assert!(!launch.events.iter().any(|event| matches!(event, Event::Done(_))), "{fault}");
        assert!(begun.elapsed() < PATIENCE / 4, "{fault}: {:?}", begun.elapsed());
        assert_eq!(alive(), Vec::<String>::new(), "{fault}");
    };
    check("MPI_Send 0 500 16", "latency@8:50", "MPI_ERR_OTHER: known error not in list (inside the library)");
    check("MPI_Send 1 501 16", "latency@8:50", "MPI_ERR_OTHER: known error not in list (inside the library)");
    check("MPI_Recv 1 400 15", "latency@1Ki:50", "MPI_ERR_TRUNCATE: message truncated (message cut)");
    check("MPI_Recv 0 40 5", "latency@1Ki:50", "MPI_ERR_COMM: invalid communicator (argument)");
    check("MPI_Waitall 1 7 6", "bandwidth@1Ki:5", "MPI_ERR_RANK: invalid rank (peer lost)");
    check("MPI_Allreduce 1 100 39", "allreduce@1Ki:5", "MPI_ERR_NO_MEM: out of memory (out of resources)");
}

/// Two launches that take turns at a gate in `directory`, and the test as their harness.
struct Duet {
    gate: Gate,
    entrances: [String; 2],
    directory: tempfile::TempDir,
}

impl Duet {
    const JOBS: [Job; 2] = [Job::First, Job::Second];

    fn new(lease: Duration) -> Duet {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gate");
        let entrances = Self::JOBS.map(|job| format!("{}:{job}", path.display()));
        Duet { gate: Gate::create(&path, lease).unwrap(), entrances, directory }
    }

    /// `mpirun` of a launch with two ranks that comes to the gate as `job`.
    fn mpirun(&self, job: Job, args: &[&str]) -> Command {
        let entrance = self.entrances[usize::from(job == Job::Second)].as_str();
        let mut command = mpirun(2, &[], args);
        // Two launches of one user at once must not meet in mpirun's own directory.
        command.args(["--gate", entrance]).env("TMPDIR", self.directory.path());
        command
    }
}

/// Time on a CPU of all threads of all processes that run bench-app.
fn cpu() -> Duration {
    let of = |pid: String| {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let ns =
            |path: &Path| std::fs::read_to_string(path).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
        threads.map(|thread| ns(&thread.path().join("schedstat"))).sum::<u64>()
    };
    Duration::from_nanos(alive().into_iter().map(of).sum())
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn two_launches_take_turns_and_no_rank_spins_while_it_waits() {
    const SLICE: Duration = Duration::from_millis(20);
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let duet = Duet::new(LEASE);
    let mut args = every_kernel();
    args.extend(["--rounds", "4", "--visit-ms", "5"].map(String::from));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut turns = [0_u32; 2];
    let launches = std::thread::scope(|scope| {
        let launches = Duet::JOBS.map(|job| {
            let mut command = duet.mpirun(job, &args);
            scope.spawn(move || ended(&mut command))
        });
        for job in Duet::JOBS {
            assert!(duet.gate.waiting(job, PATIENCE), "job {job} never comes");
        }
        sleep(Duration::from_millis(100));
        let before = cpu();
        sleep(Duration::from_millis(300));
        let spent = cpu() - before;
        assert!(spent < Duration::from_millis(15), "four ranks that wait took {spent:?}");
        while !launches.iter().all(|launch| launch.is_finished()) {
            for (at, job) in Duet::JOBS.into_iter().enumerate() {
                if launches[at].is_finished() {
                    duet.gate.retire(job);
                } else if duet.gate.waiting(job, Duration::from_millis(5)) {
                    // Taken: the other is in its slice, or on its way home after its last.
                    turns[at] += u32::from(duet.gate.give(job, SLICE).is_ok());
                }
            }
        }
        launches.map(|launch| launch.join().unwrap())
    });
    for launch in launches.map(Launch::measured) {
        assert_eq!(launch.visited().len(), 4 * Kernel::ALL.len());
    }
    assert!(turns.iter().all(|turns| *turns >= 5), "{turns:?}");
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test)"]
fn a_launch_ends_by_itself_where_nobody_gives_turns() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let check = |duet: Duet, code: u8, expected: &str| {
        let launch = ended(&mut duet.mpirun(Job::Second, &["--size", "latency@8"]));
        let failed = launch.failed(code);
        assert!(failed.rank == 0 && failed.message.contains(expected), "{failed:?}");
        assert!(launch.visited().is_empty());
        assert_eq!(alive(), Vec::<String>::new());
    };
    check(Duet::new(Duration::from_millis(200)), exit::EXPIRED, "nobody gives turns any more");
    let closed = Duet::new(LEASE);
    closed.gate.close();
    check(closed, exit::EXPIRED, "nobody gives turns any more");
    let gone = Duet::new(LEASE);
    std::fs::remove_file(gone.directory.path().join("gate")).unwrap();
    check(gone, exit::FAILED, "bind-mounted");
}
