//! Supervision and clean-up, with real processes: a launcher that misbehaves in every way seen on clusters.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod harnesses;
mod turns;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use harness::{
    command::CommandSpec,
    process::{Attempt, Deadlines, Ended, Env, Exit, Launch, Place, ProcessError, Pulse, Reason, Room, Stream, Swept},
};

const MPIRUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mpirun");

/// One test's private place, removed with it.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn place(&self) -> Place {
        place(self.dir.path())
    }

    fn room(&self) -> Room {
        Room::guest(self.place())
    }

    fn mpirun(&self, behaviour: &str) -> CommandSpec {
        CommandSpec::new(MPIRUN).arg(behaviour).arg(self.dir.path().to_str().unwrap())
    }

    /// A number the fixture left behind.
    fn pid(&self, name: &str) -> i32 {
        read_pid(&self.dir.path().join(name))
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn is_tidy(&self) -> bool {
        !self.place().scratch.exists()
    }
}

fn place(dir: &Path) -> Place {
    Place { stage: env!("CARGO_BIN_EXE_sifbench").into(), scratch: dir.join("scratch") }
}

fn read_pid(path: &Path) -> i32 {
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

fn env() -> Env {
    let path = "/usr/local/bin:/usr/bin:/bin".to_owned();
    Env::from_parent(&BTreeMap::from([("PATH".to_owned(), path)]), &[])
}

fn patient() -> Deadlines {
    let long = Duration::from_secs(60);
    Deadlines { first: long, silence: long, total: long, grace: Duration::from_secs(2) }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a test's patience")]
    Instant::now()
}

/// Lives, or is a zombie nobody of ours has to collect.
fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = now() + Duration::from_secs(20);
    while !condition() {
        assert!(now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pulse(line: &str) -> Pulse {
    match line {
        "progress" => Pulse::Progress,
        "astray" => Pulse::Astray,
        _ => Pulse::Quiet,
    }
}

/// Supervises `command` in `attempt` and returns its end with the lines it wrote.
fn supervise(
    attempt: &mut Attempt<'_>,
    command: &CommandSpec,
    deadlines: Deadlines,
    log: Option<PathBuf>,
) -> (Ended, Vec<(Stream, String)>) {
    let mut lines = Vec::new();
    let launch = Launch { command, env: &env(), deadlines, log };
    let ended = attempt.supervise(&launch, &mut |stream, line| {
        lines.push((stream, line.to_owned()));
        pulse(line)
    });
    (ended.unwrap(), lines)
}

/// One launch in an attempt of its own.
fn once(bench: &Bench, behaviour: &str, deadlines: Deadlines) -> (Ended, Vec<(Stream, String)>, Swept) {
    let room = bench.room();
    let mut attempt = room.attempt("test").unwrap();
    let (ended, lines) = supervise(&mut attempt, &bench.mpirun(behaviour), deadlines, Some(bench.log()));
    let swept = attempt.close();
    assert!(bench.is_tidy(), "{behaviour} left its private directory");
    (ended, lines, swept)
}

#[test]
fn a_good_launch_ends_by_itself_and_leaves_nothing() {
    let bench = Bench::new();
    let (ended, lines, swept) = once(&bench, "good", patient());
    assert_eq!((ended.exit, ended.reason), (Exit::Code(0), Reason::Itself));
    assert!(lines.contains(&(Stream::Out, "progress".into())) && lines.contains(&(Stream::Err, "warning".into())));
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), ["warning"]);
    assert!(swept.nothing(), "{swept:?}");
    assert_eq!(fs::read_to_string(bench.dir.path().join("log.out")).unwrap(), "progress\n");
    assert_eq!(fs::read_to_string(bench.dir.path().join("log.err")).unwrap(), "warning\n");
}

#[test]
fn the_exit_is_the_leading_programs() {
    let check = |behaviour, exit| assert_eq!(once(&Bench::new(), behaviour, patient()).0.exit, exit, "{behaviour}");
    check("fails", Exit::Code(7));
    check("crashes", Exit::Signal(11));
}

#[test]
fn each_phase_has_its_deadline() {
    let check = |behaviour: &str, deadlines, expected| {
        let bench = Bench::new();
        let start = now();
        let (ended, _, swept) = once(&bench, behaviour, deadlines);
        assert_eq!(ended.reason, expected, "{behaviour}");
        assert_eq!(ended.exit, Exit::Signal(15), "{behaviour}");
        assert!(start.elapsed() < Duration::from_secs(10), "{behaviour} took {:?}", start.elapsed());
        assert_eq!(swept.left, [""; 0]);
    };
    let soon = Duration::from_millis(600);
    check("never", Deadlines { first: soon, ..patient() }, Reason::FirstDeadline);
    check("hangs", Deadlines { silence: soon, ..patient() }, Reason::SilenceDeadline);
    check("creeps", Deadlines { total: Duration::from_secs(1), ..patient() }, Reason::TotalDeadline);
}

#[test]
fn who_ignores_sigterm_is_killed_after_the_grace() {
    let bench = Bench::new();
    let deadlines = Deadlines { silence: Duration::from_millis(200), grace: Duration::from_secs(1), ..patient() };
    let (ended, _, _) = once(&bench, "stubborn", deadlines);
    assert_eq!((ended.exit, ended.reason), (Exit::Signal(9), Reason::SilenceDeadline));
    assert!(ended.wall >= Duration::from_secs(1) && ended.wall < Duration::from_secs(5), "{:?}", ended.wall);
}

#[test]
fn a_flood_neither_blocks_nor_grows() {
    let bench = Bench::new();
    let room = bench.room();
    let mut attempt = room.attempt("flood").unwrap();
    let (command, env) = (bench.mpirun("flood"), env());
    let launch = Launch { command: &command, env: &env, deadlines: patient(), log: Some(bench.log()) };
    let (mut count, mut longest, mut bytes) = (0_u64, 0, 0);
    let ended = attempt.supervise(&launch, &mut |_, line| {
        count += 1;
        bytes += line.len();
        longest = longest.max(line.len());
        pulse(line)
    });
    assert_eq!(ended.unwrap().reason, Reason::Itself);
    assert!(attempt.close().nothing());
    // The long line follows fold's last, unfinished one.
    assert_eq!(count, 100_000_000 / 999 + 2);
    assert!(bytes > 99_000_000 && longest < (64 << 10) + 64, "{bytes} bytes, longest line {longest}");
    let log = fs::metadata(bench.dir.path().join("log.out")).unwrap().len();
    assert!(log > 1 << 20 && log < (1 << 20) + 64, "{log}");
    let tail = fs::read(bench.dir.path().join("log.out")).unwrap().split_off(1 << 20);
    assert!(String::from_utf8(tail).unwrap().ends_with(" bytes more\n"));
}

#[test]
fn an_unfinished_last_line_is_delivered() {
    let (_, lines, _) = once(&Bench::new(), "truncated", patient());
    assert_eq!(lines.last(), Some(&(Stream::Out, "half a li".into())));
}

#[test]
fn the_environment_is_what_was_given_and_the_attempts_own() {
    let bench = Bench::new();
    let room = bench.room();
    let mut attempt = room.attempt("env 1").unwrap();
    let scratch = attempt.scratch().to_owned();
    let command = bench.mpirun("environment").env("OMPI_MCA_btl", "self").env("SIFBENCH_ATTEMPT", "mine");
    let (_, lines) = supervise(&mut attempt, &command, patient(), None);
    let seen: BTreeMap<&str, &str> = lines.iter().filter_map(|(_, line)| line.split_once('=')).collect();
    assert_eq!(seen["OMPI_MCA_btl"], "self");
    assert_eq!(Path::new(seen["TMPDIR"]), scratch.join("t"));
    assert_eq!(Path::new(seen["APPTAINER_CONFIGDIR"]), scratch.join("c"));
    assert!(seen["SIFBENCH_ATTEMPT"].starts_with("env_1."));
    assert!(!seen.contains_key("CARGO") && !seen.contains_key("HOME"), "{seen:?}");
}

#[test]
fn signals_reach_a_launch_with_their_default_action() {
    let (_, lines, _) = once(&Bench::new(), "signals", patient());
    let mask = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    let masks: Vec<u64> = lines.iter().filter_map(|(_, line)| mask(line)).collect();
    // The two beyond the named ones belong to the C library, which does not let anyone touch them.
    assert_eq!(masks.iter().map(|mask| mask & 0x7fff_ffff).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn what_the_harness_has_open_is_not_open_in_a_launch() {
    let bench = Bench::new();
    let file = fs::File::create(bench.dir.path().join("file")).unwrap();
    // As a shell does by `exec 7>file`: one that children inherit.
    let inherited = rustix::io::dup(&file).unwrap();
    assert!(rustix::io::fcntl_getfd(&inherited).unwrap().is_empty());
    let room = bench.room();
    let captured = room.capture(&bench.mpirun("descriptors"), &env(), Duration::from_secs(10)).unwrap();
    assert_eq!(captured.stdout, "0\n1\n2\n3\n", "with {inherited:?} open");
}

#[test]
fn what_cannot_be_started_is_named() {
    let bench = Bench::new();
    let room = bench.room();
    let check = |program: &str, expected: std::io::ErrorKind| {
        let error = room.capture(&CommandSpec::new(program), &env(), Duration::from_secs(5)).unwrap_err();
        let ProcessError::NotStarted { program: named, source } = &error else { panic!("{error:?}") };
        assert_eq!((named.as_str(), source.kind()), (program, expected));
        assert!(error.to_string().contains("hint:"));
    };
    check("no-such-mpirun", std::io::ErrorKind::NotFound);
    check("/no/such/mpirun", std::io::ErrorKind::NotFound);
    let plain = bench.dir.path().join("plain");
    fs::write(&plain, "not a program").unwrap();
    check(plain.to_str().unwrap(), std::io::ErrorKind::PermissionDenied);
    let lost = CommandSpec::new("true").cwd(Path::new("/no/such/directory"));
    let error = room.capture(&lost, &env(), Duration::from_secs(5)).unwrap_err();
    assert!(matches!(error, ProcessError::NoDirectory { .. }), "{error:?}");
    assert!(bench.is_tidy());
}

#[test]
fn a_helper_returns_its_output_or_times_out() {
    let bench = Bench::new();
    let room = bench.room();
    let captured = room.capture(&bench.mpirun("fails"), &env(), Duration::from_secs(10)).unwrap();
    assert_eq!((captured.stdout.as_str(), captured.stderr.as_str()), ("", "no such host\n"));
    assert_eq!(captured.exit, Exit::Code(7));
    let error = room.capture(&bench.mpirun("never"), &env(), Duration::from_secs(1)).unwrap_err();
    assert!(matches!(&error, ProcessError::TimedOut { program, .. } if program == MPIRUN), "{error:?}");
    assert!(bench.is_tidy());
}

#[test]
fn everything_of_a_launch_is_swept_and_a_bystander_survives() {
    for (stay, deadlines) in [("", patient()), ("stay", Deadlines { silence: Duration::from_millis(300), ..patient() })]
    {
        let bench = Bench::new();
        let room = bench.room();
        let other = Bench::new();
        let other_room = other.room();
        let mut bystander = other_room.attempt("test").unwrap();
        // The same user's other launch, with a marker of its own, in processes detached likewise.
        bystander.capture(&other.mpirun("orphans"), &env(), Duration::from_secs(20)).unwrap();

        let mut attempt = room.attempt("test").unwrap();
        let (ended, _) = supervise(&mut attempt, &bench.mpirun("orphans").arg(stay), deadlines, None);
        let names = ["group", "session", "stubborn", "bare"];
        let expected = if stay.is_empty() { Reason::Itself } else { Reason::SilenceDeadline };
        assert_eq!(ended.reason, expected);
        let swept = attempt.close();
        names.iter().for_each(|name| assert!(!runs(bench.pid(name)), "{name} survived, launch {stay:?}"));
        names.iter().for_each(|name| assert!(runs(other.pid(name)), "the other launch's {name} was killed"));
        assert!(swept.processes >= 4 && swept.left.is_empty(), "{swept:?}");
        assert!(bystander.close().processes >= 4);
        names.iter().for_each(|name| assert!(!runs(other.pid(name)), "{name} survived"));
    }
}

#[test]
fn an_instance_lives_as_long_as_its_attempt() {
    let bench = Bench::new();
    let room = bench.room();
    let mut attempt = room.attempt("instance").unwrap();
    attempt.capture(&bench.mpirun("orphans"), &env(), Duration::from_secs(20)).unwrap();
    supervise(&mut attempt, &bench.mpirun("good"), patient(), None);
    assert!(runs(bench.pid("session")) && runs(bench.pid("bare")));
    drop(attempt);
    assert!(!runs(bench.pid("session")) && !runs(bench.pid("bare")) && bench.is_tidy());
}

#[test]
fn shared_memory_of_the_dead_is_removed_and_nobody_elses() {
    if mounted_noexec("/dev/shm") {
        return;
    }
    let bench = Bench::new();
    let foreign = PathBuf::from(format!("/dev/shm/sifbench-foreign-{}", std::process::id()));
    for stay in ["", "stay"] {
        let room = bench.room();
        let mut attempt = room.attempt("segment").unwrap();
        fs::write(&foreign, "of another launch").unwrap();
        let deadlines = Deadlines { silence: Duration::from_millis(300), ..patient() };
        supervise(&mut attempt, &bench.mpirun("segment").arg(stay), deadlines, None);
        let pid = bench.pid("pid");
        let paths = [format!("/dev/shm/sifbench-test-{pid}"), format!("/dev/shm/sharens_instance_{pid}")];
        assert!(paths.iter().all(|path| Path::new(path).exists()));
        let swept = attempt.close();
        assert_eq!((swept.segments, swept.locks), (1, 1), "{swept:?}");
        assert!(!paths.iter().any(|path| Path::new(path).exists()));
        assert!(foreign.exists());
    }
    fs::remove_file(foreign).unwrap();
}

#[test]
fn what_is_made_after_a_launch_has_gone_astray_is_ours_too() {
    if mounted_noexec("/dev/shm") {
        return;
    }
    let bench = Bench::new();
    let (ended, _, swept) = once(&bench, "astray", patient());
    let segment = PathBuf::from(format!("/dev/shm/sifbench-test-{}", bench.pid("pid")));
    assert!(!segment.exists() && swept.segments == 1, "{swept:?}");
    assert_eq!((ended.exit, ended.reason), (Exit::Code(0), Reason::Itself));
}

#[test]
fn a_lock_is_known_by_who_has_it_open_where_nobody_has_seen_whom_it_is_named_after() {
    let bench = Bench::new();
    // Beyond the greatest number of a process.
    let lock = |n: u32| PathBuf::from(format!("/dev/shm/sharens_instance_{}", 4_194_304 + std::process::id() * 2 + n));
    let (ours, theirs) = (lock(0), lock(1));
    let room = bench.room();
    let mut attempt = room.attempt("lock").unwrap();
    fs::write(&theirs, "of another launch").unwrap();
    let deadlines = Deadlines { silence: Duration::from_millis(300), ..patient() };
    let number = ours.to_str().unwrap().rsplit('_').next().unwrap();
    supervise(&mut attempt, &bench.mpirun("locked").arg(number), deadlines, None);
    assert!(ours.exists());
    let swept = attempt.close();
    assert_eq!((swept.segments, swept.locks), (0, 1), "{swept:?}");
    assert!(!ours.exists() && theirs.exists());
    fs::remove_file(theirs).unwrap();
}

fn mounted_noexec(path: &str) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut options =
        table.lines().filter(|line| line.split(' ').nth(4) == Some(path)).filter_map(|line| line.split(' ').nth(5));
    options.next_back().is_some_and(|options| options.split(',').any(|option| option == "noexec"))
}
