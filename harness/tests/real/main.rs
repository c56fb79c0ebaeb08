//! Real Apptainer, real Open MPI, real launches. `scripts/test` installs what these need and runs them one by one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the tool as a user does")]

mod duets;
mod ends;
mod images;
mod programs;
mod staged;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use bench_app::{Bytes, Kernel};
use harness::{
    case::{Case, Containers, Mode},
    id::MpiVersion,
    record::{Outcome, Purpose, Record},
    store::{self, Run},
};

/// Two launches at once on two cores would look like hangs.
static MACHINE: Mutex<()> = Mutex::new(());

fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place for a campaign and its results, and what the machine looked like before.
struct Bench {
    _machine: MutexGuard<'static, ()>,
    dir: tempfile::TempDir,
    before: BTreeSet<String>,
}

impl Bench {
    fn new() -> Self {
        let machine = machine();
        // Results must not lie below /tmp's private directories, which the tool clears.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { _machine: machine, dir, before: traces() }
    }

    fn sifbench(&self, args: &[&str]) -> Command {
        // Through the stage: it resets signals that whoever runs these tests may have left ignored.
        let own = env!("CARGO_BIN_EXE_sifbench");
        let mut command = Command::new(own);
        command
            .args(["__exec", &std::process::id().to_string(), own])
            .args(args)
            .current_dir(self.dir.path())
            .env("SIFBENCH_SITE", "test")
            .stdin(Stdio::null());
        command
    }

    /// Runs a campaign to its end.
    fn run(&self, campaign: &str) -> Run {
        fs::write(self.dir.path().join("campaign.toml"), campaign).unwrap();
        let output = self.sifbench(&["run", "campaign.toml"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        self.newest()
    }

    fn newest(&self) -> Run {
        store::load(&store::resolve(&self.dir.path().join("results")).unwrap()).unwrap()
    }

    /// Nothing of ours is left: no process, no instance, no mount, no segment, no directory.
    fn assert_clean(&self) {
        let left: Vec<_> = traces().difference(&self.before).cloned().collect();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Everything a launch can leave on a machine, whoever made it.
fn traces() -> BTreeSet<String> {
    let listed = |dir: &str, wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        let names = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
        names.filter(|name| wanted(name)).map(|name| format!("{dir}/{name}")).collect()
    };
    let mut traces: BTreeSet<String> = listed("/dev/shm", &|_| true).into_iter().collect();
    let session = |name: &str| ["ompi.", "prte", "pmix", "openmpi"].iter().any(|prefix| name.starts_with(prefix));
    traces.extend(listed("/tmp", &session));
    for user in listed("/tmp", &|name| name.starts_with("sifbench-")) {
        traces.extend(listed(&user, &|_| true));
    }
    for pid in listed("/proc", &|name| name.bytes().all(|b| b.is_ascii_digit())) {
        let environ = fs::read(format!("{pid}/environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environ).contains("SIFBENCH_ATTEMPT=") {
            traces.insert(pid);
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    traces.extend(
        mounts.lines().filter(|line| line.contains("squashfuse") || line.contains("/tmp/sifbench-")).map(str::to_owned),
    );
    traces
}

fn campaign(modes: &[Mode], versions: &str, blocks: u32, workload: &str, rest: &str) -> String {
    let modes: Vec<String> = modes.iter().map(|mode| format!("\"{mode}\"")).collect();
    format!(
        "schema = 1\nname = \"test\"\nmodes = [{}]\nversions = [\"{versions}\"]\nranks = 2\nblocks = {blocks}\nseed = 1\n\
         [workload]\n{workload}\nrounds = 2\nvisit_ms = 3\n{rest}",
        modes.join(", ")
    )
}

fn records_of<'a>(run: &'a Run, case: &Case) -> Vec<&'a Record> {
    let id = case.id();
    run.records.iter().filter(|record| record.case == id).collect()
}

const SMALL: &str = "latency = [\"8\", \"1Ki\"]\nbandwidth = [\"1Ki\"]\nallreduce = [\"8\"]";

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn every_mode_measures_every_cell_and_leaves_nothing() {
    let bench = Bench::new();
    let run = bench.run(&campaign(&Mode::ALL, "4.1.8", 1, SMALL, ""));
    bench.assert_clean();
    assert!(run.closed);
    for case in &run.design.cases {
        let (mode, records) = (case.stack.mode(), records_of(&run, case));
        let measured: Vec<_> = records.iter().filter(|r| r.purpose == Purpose::Measure).collect();
        assert_eq!(measured.len(), 1, "{mode}");
        let record = measured[0];
        assert_eq!(record.outcome, Outcome::Completed, "{mode}: {:?}", record.said);
        assert!(record.hello.as_ref().unwrap().library.contains("v4.1.8"), "{mode}");
        for cell in &case.workload.cells {
            let batches = run
                .samples
                .iter()
                .filter(|s| (s.attempt, s.kernel, s.bytes) == (record.attempt, cell.kernel, cell.bytes));
            let batches: Vec<_> = batches.collect();
            assert!(batches.len() >= 6, "{mode} {cell}: {} batches", batches.len());
            assert!(batches.iter().all(|s| s.ns > 0 && s.k == cell.k.get()), "{mode} {cell}");
        }
        // What the modes differ in, as the ranks themselves saw it.
        let facts = record.facts.as_ref().unwrap();
        let separate = facts.differing.iter().any(|rank| rank.user_ns != facts.first.user_ns);
        assert_eq!(separate, mode.row().within.containers() == Some(Containers::OneARank), "{mode}: {facts:?}");
        assert_ne!(facts.differing.iter().find(|r| r.rank == 1).map(|r| &r.cpus), Some(&facts.first.cpus), "{mode}");
    }
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and 5.0.11 and the image of 4.1.8 (scripts/test)"]
fn a_newer_host_with_an_older_image_makes_singletons() {
    let bench = Bench::new();
    let probe = "[[probe]]\nmode = \"hybrid\"\nhost = \"5.0.11\"\nimage = \"4.1.8\"\n";
    let run = bench.run(&campaign(&[Mode::Native], "4.1.8", 1, SMALL, probe));
    bench.assert_clean();
    let probes = records_of(&run, &run.design.probes[0]);
    let purposes: Vec<_> = probes.iter().map(|record| record.purpose).collect();
    assert_eq!(purposes, [Purpose::Probe, Purpose::Recheck]);
    for record in probes {
        assert_eq!(record.outcome, Outcome::Singletons { expected: 2, seen: 1 }, "{:?}", record.said);
        assert!(!run.samples.iter().any(|sample| sample.attempt == record.attempt), "singletons have no figures");
    }
}

/// Each makes a segment that Open MPI 5 never removes, and the first to end would have the others killed.
#[test]
#[ignore = "needs Apptainer, Open MPI 5.0.11 and its image (scripts/test)"]
fn singletons_that_know_nothing_of_each_other_leave_no_segment() {
    let bench = Bench::new();
    let settings = "[settings]\nflags = [\"--cleanenv\"]\nmca = { btl = \"^ofi\" }\n";
    let run = bench.run(&campaign(&[Mode::Hybrid], "5.0.11", 1, SMALL, settings));
    bench.assert_clean();
    let records = records_of(&run, &run.design.cases[0]);
    assert_eq!(records.len(), 2, "made once, and again alone");
    for record in records {
        assert_eq!(record.outcome, Outcome::Singletons { expected: 2, seen: 1 }, "{:?}", record.said);
        assert_eq!(record.swept, ["2 shared-memory segments"]);
    }
}

/// The host's mpirun leaks prefixes and component paths that do not exist inside; the image overrules them, and where it
/// does not, as in anybody's own image, MPI_Init fails.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and the image of Debian's 4.1.4 (scripts/test)"]
fn debians_own_packages_run_embedded_and_under_a_wheel_of_the_host() {
    let bench = Bench::new();
    let probes = "[[probe]]\nmode = \"embedded\"\nimage = \"4.1.4\"\n\
                  [[probe]]\nmode = \"hybrid-sharens\"\nhost = \"4.1.8\"\nimage = \"4.1.4\"\n\
                  [[probe]]\nmode = \"hybrid-sharens\"\nhost = \"4.1.8\"\nimage = \"4.1.4\"\nenvironment = \"raw\"\n";
    let run = bench.run(&campaign(&[Mode::Native], "4.1.8", 0, SMALL, probes));
    bench.assert_clean();
    let (raw, clean) = run.design.probes.split_last().unwrap();
    assert_eq!(raw.label(), "hybrid-sharens 4.1.8 > 4.1.4 raw");
    for record in records_of(&run, raw) {
        let said = record.said.join("\n");
        assert!(matches!(record.outcome, Outcome::Exited { .. }), "{:?}: {said}", record.outcome);
        assert!(said.contains("opal_init") || said.contains("MPI_Init"), "{said}");
    }
    for case in clean {
        let records = records_of(&run, case);
        assert_eq!(records.len(), 1, "{}", case.label());
        assert_eq!(records[0].outcome, Outcome::Completed, "{}: {:?}", case.label(), records[0].said);
        assert!(records[0].hello.as_ref().unwrap().library.contains("v4.1.4"), "{:?}", records[0].hello);
    }
}

/// Unpacked into the cache, Debian's own Open MPI launches whatever a wheel does, and its ranks load it and its settings.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and Debian's 4.1.4 on the host and as images (scripts/test)"]
fn debians_own_packages_are_a_host_in_every_mode_that_has_one() {
    let bench = Bench::new();
    let hosts = Mode::that(|row| row.host);
    let versions = "[\"4.1.4\", \"4.1.8\"]";
    let campaign = campaign(&hosts, "", 0, "latency = [\"8\", \"64Ki\"]", "")
        .replace("versions = [\"\"]\n", "")
        .replace("[workload]", &format!("[matrix]\nhosts = {versions}\nimages = {versions}\n[workload]"));
    let run = bench.run(&campaign);
    bench.assert_clean();
    let debians: MpiVersion = "4.1.4".parse().unwrap();
    let version = |case: &Case| case.stack.host().unwrap().mpi.version.clone();
    let cases: Vec<_> = run.design.cases.iter().filter(|case| version(case) == debians).collect();
    let modes: BTreeSet<Mode> = cases.iter().map(|case| case.stack.mode()).collect();
    assert_eq!(modes, hosts.into_iter().collect());
    for case in cases {
        let record = records_of(&run, case)[0];
        assert_eq!(record.outcome, Outcome::Completed, "{}: {:?}", case.label(), record.said);
        let image = case.stack.image().and_then(|image| image.mpi.as_ref()).map(|mpi| mpi.version.clone());
        let loaded = image.unwrap_or_else(|| debians.clone());
        let library = &record.hello.as_ref().unwrap().library;
        assert!(library.contains(&format!("v{loaded}")), "{}: {library}", case.label());
        // bookworm's /etc/openmpi says so, and no other's may.
        let set = &record.observed.late.as_ref().unwrap().variables["btl"];
        assert_eq!(set == "^uct,openib,ofi", loaded == debians, "{}: {set}", case.label());
    }
}

/// What is known of two series of Open MPI: a newer host and an older image do not find each other, the other way round
/// works; and plain hybrid hangs at 4 MiB by the image's own doing.
#[test]
#[ignore = "needs Apptainer, and Open MPI 4.1.8 and 5.0.11 with their images (scripts/test)"]
fn a_matrix_of_two_series_works_but_for_a_newer_host_with_an_older_image() {
    let bench = Bench::new();
    let versions = "4.1.8,5.0.11";
    let arguments = ["matrix", "--hosts", versions, "--images", versions, "--modes", "native,hybrid,hybrid-sharens"];
    let output = bench.sifbench(&arguments).args(["--blocks", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    bench.assert_clean();
    let run = bench.newest();
    let report = harness::report::model(&run.manifest, &run.design, &run.records, &run.samples);
    let modes: Vec<Mode> = report.matrices.iter().map(|matrix| matrix.mode).collect();
    assert_eq!(modes, [Mode::Hybrid, Mode::HybridSharens]);
    for matrix in &report.matrices {
        let words = |versions: &[MpiVersion]| versions.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((words(&matrix.hosts), words(&matrix.images)), (words(&matrix.images), words(&matrix.hosts)));
        let [old, old_new, new_old, new] = &matrix.crossings[..] else { panic!("{matrix:?}") };
        let [old, old_new, new_old, new] = [old, old_new, new_old, new].map(|crossing| crossing.as_ref().unwrap());
        let singletons = new_old.failed.as_ref().unwrap();
        assert_eq!(singletons.outcome, Outcome::Singletons { expected: 2, seen: 1 }, "{}", matrix.mode);
        assert!(!singletons.alike && new_old.figures == 0, "{new_old:?}");
        assert_eq!((old_new.failed.as_ref(), old_new.figures), (None, 5), "{}", matrix.mode);
        assert_eq!((new.failed.as_ref(), new.figures), (None, 5), "{}", matrix.mode);
        let hang = old.failed.as_ref().map(|failed| (failed.outcome.to_string(), failed.alike));
        let expected = (matrix.mode == Mode::Hybrid).then(|| ("hang at latency 4 MiB".to_owned(), true));
        assert_eq!(hang, expected, "{}", matrix.mode);
    }
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn plain_hybrid_hangs_at_4_mib_keeps_the_rest_and_a_bystander_lives() {
    let bench = Bench::new();
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let workload = "latency = [\"8\", \"64Ki\", \"1Mi\", \"4Mi\", \"8Mi\"]\nallreduce = [\"8\"]";
    let run = bench.run(&campaign(&[Mode::Hybrid], "4.1.8", 1, workload, "[limits]\nsilence_s = 4.0\n"));
    let alive = bystander.try_wait().unwrap().is_none();
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(alive, "somebody else's process was killed");
    bench.assert_clean();
    let case = &run.design.cases[0];
    let records = records_of(&run, case);
    let hang = |record: &Record| record.outcome.to_string();
    assert_eq!(hang(records[0]), "hang at latency 4 MiB", "{:?}", records[0].said);
    assert_eq!((records[1].purpose, hang(records[1])), (Purpose::Recheck, "hang at latency 4 MiB".to_owned()));
    let kept: BTreeSet<_> = run
        .samples
        .iter()
        .filter(|s| s.attempt == records[0].attempt && s.kernel == Kernel::Latency)
        .map(|s| s.bytes)
        .collect();
    assert_eq!(kept, BTreeSet::from([Bytes(8), Bytes(64 << 10), Bytes(1 << 20)]));
    let measured = records.iter().find(|record| record.purpose == Purpose::Measure).unwrap();
    assert_eq!(measured.outcome, Outcome::Completed);
    assert!(measured.cells.iter().all(|cell| cell.bytes < Bytes(4 << 20)), "{:?}", measured.cells);
}

/// The hang of plain hybrid as it is and with each remedy: both of them make figures of it, in a run of their own.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn remedies_are_tried_and_shown_beside_what_was() {
    let bench = Bench::new();
    bench.run(&campaign(&[Mode::Hybrid], "4.1.8", 1, "latency = [\"8\", \"4Mi\"]", "[limits]\nsilence_s = 4.0\n"));
    let output = bench.sifbench(&["explain", "--try-remedies", "--results", "remedies"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    bench.assert_clean();
    let tried = store::load(&store::resolve(&bench.dir.path().join("remedies")).unwrap()).unwrap();
    let ends = |wanted: &dyn Fn(&Case) -> bool| -> Vec<String> {
        let cases = tried.design.probes.iter().filter(|case| wanted(case));
        cases.flat_map(|case| records_of(&tried, case)).map(|record| record.outcome.to_string()).collect()
    };
    let copying = "btl_vader_single_copy_mechanism";
    let is_plain = |case: &Case| case.stack.mode() == Mode::Hybrid;
    let without = |case: &Case| is_plain(case) && !case.settings.mca.contains_key(copying);
    assert_eq!(ends(&without), ["hang at latency 4 MiB", "hang at latency 4 MiB"]);
    assert_eq!(ends(&|case| is_plain(case) && case.settings.mca.contains_key(copying)), ["completed"]);
    assert_eq!(ends(&|case| case.stack.mode() == Mode::HybridSharens), ["completed"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let (before, after) = told.split_once("--sharens").unwrap();
    assert!(before.contains("as it is") && before.contains("hang at latency 4 MiB"), "{told}");
    let (sharens, none) = after.split_once(copying).unwrap();
    let has_figure =
        |words: &str| words.contains("latency 4 MiB") && [" µs", " us", " ms"].iter().any(|unit| words.contains(unit));
    assert!(has_figure(sharens) && has_figure(none), "{told}");
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for {what}");
        sleep(Duration::from_millis(100));
    }
}

fn begin_of(bench: &Bench, campaign: &str, attempts: usize) -> (Child, PathBuf) {
    fs::write(bench.dir.path().join("campaign.toml"), campaign).unwrap();
    let child = bench.sifbench(&["run", "campaign.toml"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let results = bench.dir.path().join("results");
    let lines = |dir: &Path| fs::read_to_string(dir.join("attempts.jsonl")).map_or(0, |text| text.lines().count());
    wait_for("the first launches", || store::resolve(&results).is_ok_and(|dir| lines(&dir) >= attempts));
    (child, store::resolve(&results).unwrap())
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// What a command says as JSON, and its exit code.
fn json(command: &mut Command) -> (serde_json::Value, Option<i32>) {
    let output = command.output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output))), output.status.code())
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn doctor_finds_nothing_lacking_where_every_mode_measures() {
    let bench = Bench::new();
    let (diagnosis, code) = json(&mut bench.sifbench(&["doctor", "--json"]));
    let lacking: Vec<_> =
        diagnosis["checks"].as_array().unwrap().iter().filter(|check| check["state"] == "lacking").collect();
    assert!(lacking.is_empty() && code == Some(0), "{lacking:#?}");
    bench.assert_clean();
}
