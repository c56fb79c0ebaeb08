//! Programs of one's own, measured whole: in blocks, in turns by signals, and never where ranks do not find each other. The
//! program is bench-app, which here is anybody's.

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt as _, path::Path, thread::sleep, time::Duration};

use bench_app::Kernel;
use harness::{
    app::{self, Headers},
    cache::Cache,
    case::{Case, Mode, Program},
    catalogue::Catalogue,
    plan,
    record::{Outcome, Purpose, Record},
    report::{self, CellStatus, Verdict},
    store::{self, Run},
};

use crate::{Bench, begin_of, records_of, signal, text, traces, wait_for};

/// A campaign of `modes` in `blocks` whose launches measure for `rounds` times 10 ms.
fn campaign(keys: &str, (blocks, rounds): (u32, u32), program: &str) -> String {
    let home = std::env::home_dir().unwrap();
    let cache = Cache::new(home.join(".cache/sifbench"));
    let native = app::path(&cache, &Catalogue::built_in(), Headers::Shared);
    let args = format!("\"--size\", \"latency@8:200\", \"--rounds\", \"{rounds}\", \"--visit-ms\", \"10\"");
    let command = |app: &Path| format!("[\"{}\", {args}]", app.display());
    let [native, container] = [&*native, Path::new("/usr/local/bin/bench-app")].map(command);
    format!(
        "schema = 1\nname = \"own\"\nranks = 2\nblocks = {blocks}\nseed = 1\n{keys}\n[program]\nnative = {native}\n\
         container = {container}\nexpect = '\"event\":\"done\"'\n{program}\n[settings.mca]\nbtl = \"^ofi\"\nmtl = \"^ofi\"\n"
    )
}

const SIDE_BY_SIDE: &str = "modes = [\"native\", \"hybrid-sharens\"]\nversions = [\"4.1.8\"]";

/// Rows of the program's own figure.
fn figures(run: &Run, record: &Record) -> Vec<u64> {
    let own = run.samples.iter().filter(|s| s.attempt == record.attempt && s.kernel == Kernel::Program);
    own.map(|sample| sample.ns).collect()
}

fn is_analysed(record: &&Record) -> bool {
    matches!(record.purpose, Purpose::Measure | Purpose::MeasureTwin)
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn a_program_has_a_figure_a_launch_and_verdicts_of_its_modes() {
    let bench = Bench::new();
    let run = bench.run(&campaign(SIDE_BY_SIDE, (6, 10), ""));
    bench.assert_clean();
    assert!(run.closed);
    for case in &run.design.cases {
        let [world, first, ..] = &records_of(&run, case)[..] else { panic!("{}", case.label()) };
        assert_eq!((world.purpose, first.purpose), (Purpose::Discovery, Purpose::Discovery));
        assert_eq!(world.hello.as_ref().map(|hello| hello.world), Some(2), "{:?}", world.said);
        assert!(first.hello.is_none() && first.cells == [Program::CELL]);
    }
    for record in run.records.iter().filter(is_analysed) {
        assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.said);
        assert_eq!((figures(&run, record), record.stopped_ns), (vec![record.wall_ns], None));
        assert!(record.wall_ns > 100_000_000, "ten visits of 10 ms");
    }
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    let sharens = report.cases.last().unwrap();
    let Some(CellStatus::Figure(figure)) = sharens.status(Kernel::Program, Program::CELL.bytes) else {
        panic!("{sharens:?}")
    };
    let ratio = figure.ratio.as_ref().unwrap();
    assert!(ratio.k == 6 && ratio.interval.is_some() && ratio.verdict != Verdict::NotComparable, "{ratio:?}");
    assert!(!sharens.seen.libraries.is_empty(), "what is around a program bench-app tells");
    let output = bench.sifbench(&["report"]).output().unwrap();
    assert!(text(&output).contains("program one launch from start to end"), "{}", text(&output));
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn programs_take_turns_by_signals_and_the_time_of_others_is_no_part_of_a_figure() {
    let bench = Bench::new();
    let keys = format!("{SIDE_BY_SIDE}\npairs = \"duet\"");
    let run = bench.run(&campaign(&keys, (2, 40), "stop_and_go = true"));
    bench.assert_clean();
    let analysed: Vec<&Record> = run.records.iter().filter(is_analysed).collect();
    assert_eq!(analysed.len(), 8, "two blocks of native with itself and with the other mode");
    for record in &analysed {
        assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.said);
        let partner = analysed.iter().find(|other| plan::are_partners(record, other)).unwrap();
        let stopped = record.stopped_ns.unwrap();
        assert_eq!(figures(&run, record), [record.wall_ns - stopped]);
        assert!(record.wall_ns - stopped > 400_000_000, "forty visits of 10 ms: {record:?}");
        // Each had about half of the time in which both were there.
        let least = figures(&run, record)[0].min(figures(&run, partner)[0]);
        assert!(stopped > least / 3, "stopped for {stopped} of {}, partner {}", record.wall_ns, partner.wall_ns);
    }
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    let ratios = report.cases.iter().skip(1).map(|case| match case.status(Kernel::Program, Program::CELL.bytes) {
        Some(CellStatus::Figure(figure)) => figure.ratio.as_ref().map(|ratio| ratio.estimate),
        status => panic!("{status:?}"),
    });
    for ratio in ratios.collect::<Option<Vec<f64>>>().unwrap() {
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
    }
}

fn are_stopped(traces: &[String]) -> Vec<&String> {
    let stopped = |trace: &&String| {
        let stat = fs::read_to_string(format!("{trace}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    traces.iter().filter(stopped).collect()
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn a_harness_that_is_interrupted_or_killed_leaves_no_program_stopped() {
    for how in ["INT", "KILL"] {
        let bench = Bench::new();
        let keys = format!("{SIDE_BY_SIDE}\npairs = \"duet\"");
        // Discovery is two launches a case.
        let (mut child, dir) = begin_of(&bench, &campaign(&keys, (1, 400), "stop_and_go = true"), 4);
        let own =
            || traces().difference(&bench.before).filter(|t| t.starts_with("/proc/")).cloned().collect::<Vec<_>>();
        // Both of its ranks.
        wait_for("one of a duet to be stopped", || are_stopped(&own()).len() >= 2);
        sleep(Duration::from_millis(500));
        signal(&child, how);
        let status = child.wait().unwrap();
        if how == "INT" {
            assert_eq!(status.code(), Some(130), "{status}");
            bench.assert_clean();
        }
        wait_for("the end of all that ran", || own().is_empty());
        let output = bench.sifbench(&["run", "--resume", dir.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        bench.assert_clean();
        assert!(store::load(&dir).unwrap().closed);
    }
}

/// The same with other commands of these keys.
fn with_commands(text: &str, command: impl Fn(&str, &str) -> Option<String>) -> String {
    let line = |line: &str| {
        let (key, value) = line.split_once(" = ")?;
        Some(format!("{key} = {}", command(key, value)?))
    };
    text.lines().map(|text| line(text).unwrap_or_else(|| text.to_owned()) + "\n").collect()
}

/// A wrapper makes way for a program that the campaign does not name: its ranks are known all the same, in every mode.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8, its image and the base image (scripts/test)"]
fn ranks_that_a_wrapper_starts_take_turns_in_every_mode() {
    let bench = Bench::new();
    let modes: Vec<String> = Mode::ALL.iter().map(|mode| format!("\"{mode}\"")).collect();
    let keys = format!("modes = [{}]\nversions = [\"4.1.8\"]\npairs = \"duet\"", modes.join(", "));
    let wrapped = |key: &str, value: &str| {
        let is_command = ["native", "container"].contains(&key);
        is_command.then(|| value.replacen('[', "[\"/usr/bin/env\", \"GREETING=hello\", ", 1))
    };
    let run = bench.run(&with_commands(&campaign(&keys, (1, 40), "stop_and_go = true"), wrapped));
    bench.assert_clean();
    let analysed: Vec<&Record> = run.records.iter().filter(is_analysed).collect();
    assert_eq!(analysed.len(), 2 * Mode::ALL.len());
    for record in &analysed {
        assert_eq!(record.outcome, Outcome::Completed, "{}: {:?}", record.command, record.said);
        let partner = analysed.iter().find(|other| plan::are_partners(record, other)).unwrap();
        let [ran, other] = [*record, *partner].map(|record| figures(&run, record)[0]);
        let stopped = record.stopped_ns.unwrap();
        assert!(stopped > ran.min(other) / 3, "stopped for {stopped}: {} ran {ran}, {other}", record.command);
    }
}

/// What is never stopped makes no pair: that is known before the first block, and said.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn a_program_whose_ranks_are_not_found_is_paired_with_nothing() {
    let bench = Bench::new();
    let script = bench.dir.path().join("unknown");
    fs::write(&script, "#!/usr/bin/env -S sh -c \"sleep 0.5\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let own = campaign(&format!("{SIDE_BY_SIDE}\npairs = \"duet\""), (3, 10), "stop_and_go = true");
    let unknown = |key: &str, _: &str| match key {
        "container" => Some("[\"./unknown\"]".to_owned()),
        "expect" => Some("''".to_owned()),
        _ => None,
    };
    let run = bench.run(&with_commands(&own, unknown));
    bench.assert_clean();
    let [native, sharens] = &run.design.cases[..] else { panic!("{:?}", run.design.cases) };
    let no_turns = Outcome::NoTurns { expected: 2, seen: 0 };
    assert_eq!(ends(&run, sharens), (vec![Outcome::Completed, no_turns.clone(), no_turns], false));
    assert_eq!(records_of(&run, native).len(), 2 + 2 * 3, "the baseline with itself goes on");
    let output = bench.sifbench(&["report"]).output().unwrap();
    assert!(text(&output).contains("no turns: 0 of 2 ranks found"), "{}", text(&output));
    let output = bench.sifbench(&["explain"]).output().unwrap();
    assert!(output.status.success() && text(&output).contains("leave `pairs` out"), "{}", text(&output));
}

/// Its processes see a file by the name of a fabric's device beside what else they need of /dev.
const BESIDE_A_DEVICE: &str = r#"
    user=$(id -u) group=$(id -g)
    exec unshare --user --map-root-user --mount sh -c '
        mount -t tmpfs none /mnt && mkdir /mnt/shm && : > /mnt/hfi1_0 || exit
        for name in null zero random urandom; do : > /mnt/$name; done
        for name in null zero random urandom shm; do mount --bind /dev/$name /mnt/$name || exit; done
        mount --no-mtab --move /mnt /dev || exit
        user=$1 group=$2; shift 2
        exec unshare --user --map-user=$user --map-group=$group "$@"' sh "$user" "$group" "$@""#;

#[test]
#[ignore = "needs user namespaces (scripts/test)"]
fn no_program_is_stopped_beside_a_fabric() {
    let bench = Bench::new();
    let check = |keys: &str, expected: &str| {
        let keys = format!("modes = [\"native\"]\nversions = [\"4.1.8\"]\n{keys}");
        let campaign = campaign(&keys, (1, 1), "stop_and_go = true");
        fs::write(bench.dir.path().join("campaign.toml"), campaign).unwrap();
        // In there a scheduler's setuid command cannot say that nobody serves it.
        let mut run = bench.sifbench(&["run", "campaign.toml", "--here"]);
        let words: Vec<OsString> =
            std::iter::once(run.get_program()).chain(run.get_args()).map(OsString::from).collect();
        run = std::process::Command::new("sh");
        run.args(["-c", BESIDE_A_DEVICE, "sh"]).args(words).current_dir(bench.dir.path()).env("SIFBENCH_SITE", "test");
        let output = run.output().unwrap();
        assert!(text(&output).contains(expected), "{}", text(&output));
        output.status.code()
    };
    let refused = check("pairs = \"duet\"", "does not serve its queues of hfi1_0");
    assert_eq!((refused, bench.dir.path().join("results").exists()), (Some(3), false));
    // One after the other they go everywhere.
    assert_eq!(check("", "4 x `completed`"), Some(0));
    bench.assert_clean();
}

/// What a case's launches came to, and whether any of them made a figure.
fn ends(run: &Run, case: &Case) -> (Vec<Outcome>, bool) {
    let records = records_of(run, case);
    let any = records.iter().any(|record| !figures(run, record).is_empty());
    (records.iter().map(|record| record.outcome.clone()).collect(), any)
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and 5.0.11 and the image of 4.1.8 (scripts/test)"]
fn singletons_never_become_a_figure() {
    let bench = Bench::new();
    let singletons = Outcome::Singletons { expected: 2, seen: 1 };
    let crossed = "modes = [\"native\", \"hybrid\"]\nmatrix = { hosts = [\"5.0.11\"], images = [\"4.1.8\"] }";
    let run = bench.run(&campaign(crossed, (1, 2), ""));
    bench.assert_clean();
    let [native, hybrid] = &run.design.cases[..] else { panic!("{:?}", run.design.cases) };
    assert!(ends(&run, native).1);
    // bench-app finds out, and the program is not even launched.
    assert_eq!(ends(&run, hybrid), (vec![singletons.clone(); 2], false));

    // A program that does not find its ranks although bench-app does, as one of another MPI.
    let words = ["echo done", "true"];
    let expected = [singletons, Outcome::Exited { code: 0, last: None }];
    for (script, expected) in words.into_iter().zip(expected) {
        let text = campaign("modes = [\"native\"]\nversions = [\"4.1.8\"]", (1, 2), "");
        let run = bench.run(&with_commands(&text, |key, _| match key {
            "native" => Some(format!("[\"/bin/sh\", \"-c\", \"{script}\"]")),
            "expect" => Some("\"done\"".to_owned()),
            _ => None,
        }));
        let (outcomes, any) = ends(&run, &run.design.cases[0]);
        assert_eq!(outcomes, [Outcome::Completed, expected.clone(), expected], "{script}");
        assert!(!any, "{script}");
        fs::remove_dir_all(bench.dir.path().join("results")).unwrap();
    }
    bench.assert_clean();
}
