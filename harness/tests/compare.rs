//! Comparisons of synthetic runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[expect(dead_code, reason = "other tests use the rest")]
mod synthetic;

use bench_app::{Bytes, Kernel, workload::BufferKind};
use harness::{
    case::{Case, Mode},
    compare::{CellPair, Comparison, Measured, Operand, Outcome, Pair, compare, text},
    report::{Field, Report, Verdict, table::Style},
    stats::{Margin, Method},
};
use unicode_width::UnicodeWidthStr as _;

const MI: u64 = 1 << 20;

fn of<'a>(name: &'a str, report: &'a Report, case: Option<&'a str>) -> Operand<'a> {
    Operand { name, report, case }
}

/// The second run against the first.
fn runs(a: &Report, b: &Report) -> Comparison {
    compare(&of("before", a, None), &[of("after", b, None)], None).unwrap()
}

fn pair<'a>(comparison: &'a Comparison, case: &str) -> &'a Pair {
    comparison.pairs.iter().find(|pair| pair.compared.case == case).unwrap()
}

fn cell(pair: &Pair, kernel: Kernel, bytes: u64) -> &CellPair {
    pair.cells.iter().find(|cell| (cell.kernel, cell.bytes) == (kernel, Bytes(bytes))).unwrap()
}

fn verdict(pair: &Pair, bytes: u64) -> Verdict {
    cell(pair, Kernel::Latency, bytes).ratio.as_ref().unwrap().verdict
}

/// A run whose cases of the modes take `factor` times as long.
fn slowed(run: synthetic::Run, modes: &[Mode], factor: f64) -> Report {
    slowed_where(run, |case| modes.contains(&case.stack.mode()), factor)
}

fn slowed_where(mut run: synthetic::Run, wanted: impl Fn(&Case) -> bool, factor: f64) -> Report {
    let cases = run.design.cases.iter().filter(|case| wanted(case));
    let ids: Vec<_> = cases.map(Case::id).collect();
    let attempts: Vec<_> =
        run.records.iter().filter(|record| ids.contains(&record.case)).map(|record| record.attempt).collect();
    for sample in run.samples.iter_mut().filter(|sample| attempts.contains(&sample.attempt)) {
        sample.ns = (sample.ns as f64 * factor) as u64;
    }
    run.report()
}

fn rendered(comparison: &Comparison) -> String {
    let text = text::render(comparison, Style::Plain);
    for line in text.lines() {
        assert!(line.width() <= 80, "{} columns: {line}", line.width());
        assert_eq!(line.trim_end(), line, "trailing blanks");
    }
    text
}

/// A matrix says what a mismatch costs over the image's own version in the same mode; its first case is one of many.
#[test]
fn penalties_of_a_matrix_are_over_what_its_report_compares_with() {
    let before = synthetic::crossed(12, 1).report();
    let check = |slow: &str, expected: Verdict| {
        let after = slowed_where(synthetic::crossed(12, 2), |case| case.label() == slow, 1.5);
        let comparison = runs(&before, &after);
        let crossed = pair(&comparison, "hybrid-sharens 4.1.8 > 5.0.11");
        let penalty = cell(crossed, Kernel::Latency, 8).penalty.as_ref().unwrap();
        assert_eq!(penalty.ratio.verdict, expected, "{slow}: {penalty:?}");
        let reported = before.cases.iter().find(|case| case.label == crossed.compared.case).unwrap();
        let reported = reported.cell(Kernel::Latency, Bytes(8)).unwrap().figure().unwrap().ratio.as_ref().unwrap();
        assert!((penalty.reference / reported.estimate - 1.0).abs() < 1e-9, "{penalty:?} {reported:?}");
    };
    check("native 4.1.7", Verdict::Equivalent);
    check("hybrid-sharens 5.0.11", Verdict::Faster);
    check("hybrid-sharens 4.1.8 > 5.0.11", Verdict::Slower);
    // Held against its own version there, and against native here.
    let alone = synthetic::two_versions(12, 3).report();
    let mixed = Operand { case: Some("hybrid-sharens 4.1.8 > 5.0.11"), ..of("matrix", &before, None) };
    let comparison = compare(&mixed, &[of("alone", &alone, Some("hybrid-sharens 5.0.11"))], None).unwrap();
    assert!(comparison.pairs[0].cells.iter().all(|cell| cell.penalty.is_none()));
}

#[test]
fn a_case_that_became_slower_is_worse_and_so_is_its_penalty() {
    let before = synthetic::quick(12, 1).report();
    let after = slowed(synthetic::quick(12, 2), &[Mode::HybridSharens], 1.5);
    let comparison = runs(&before, &after);
    assert_eq!(comparison.outcome, Outcome::Worse);
    let sharens = pair(&comparison, "hybrid-sharens 4.1.8");
    assert!(sharens.answer.starts_with("slower than A: 1."), "{}", sharens.answer);
    for cell in &sharens.cells {
        let (ratio, penalty) = (cell.ratio.as_ref().unwrap(), cell.penalty.as_ref().unwrap());
        assert_eq!((ratio.verdict, penalty.ratio.verdict), (Verdict::Slower, Verdict::Slower));
        assert_eq!((ratio.k, ratio.interval.unwrap().method), (12, Method::RankSum));
        assert!((1.35..1.65).contains(&ratio.estimate), "{}", ratio.estimate);
        assert!((penalty.compared / penalty.reference / penalty.ratio.estimate - 1.0).abs() < 0.05);
    }
    assert!(pair(&comparison, "native 4.1.8").cells.iter().all(|cell| cell.penalty.is_none()));
    assert_eq!(comparison.pairs.len(), 6, "every case but the twin");
    assert_eq!(comparison.family, 6 * 18 - 1);
}

#[test]
fn a_slower_machine_is_worse_but_penalties_stay() {
    let all = [Mode::Native, Mode::Embedded, Mode::Hybrid, Mode::HybridInstance, Mode::HybridSharens, Mode::Bind];
    let comparison = runs(&synthetic::quick(12, 1).report(), &slowed(synthetic::quick(12, 2), &all, 1.4));
    assert_eq!(comparison.outcome, Outcome::Worse);
    for pair in &comparison.pairs {
        for cell in pair.cells.iter().filter(|cell| cell.ratio.is_some()) {
            assert_eq!(cell.ratio.as_ref().unwrap().verdict, Verdict::Slower);
            let penalty = cell.penalty.as_ref().map(|penalty| penalty.ratio.verdict);
            assert!(!matches!(penalty, Some(Verdict::Slower | Verdict::Faster)), "{penalty:?}");
        }
    }
}

#[test]
fn a_run_against_itself_is_equivalent() {
    let report = synthetic::quick(12, 1).report();
    let comparison = runs(&report, &report);
    assert_eq!(comparison.outcome, Outcome::NotWorse);
    assert!(comparison.facts.is_empty(), "{:?}", comparison.facts);
}

#[test]
fn cases_of_one_run_are_paired_by_block() {
    let report = synthetic::quick(12, 1).report();
    let within = |cases: [&str; 2]| {
        compare(&of("run", &report, Some(cases[0])), &[of("run", &report, Some(cases[1]))], None).unwrap()
    };
    let comparison = within(["native", "hybrid"]);
    let (pair, cases) = (&comparison.pairs[0], &report.cases);
    assert!(pair.paired && comparison.notes.is_empty());
    assert_eq!((pair.reference.name.as_str(), pair.compared.name.as_str()), ("native", "hybrid"));
    let reported = cases.iter().find(|case| case.name == "hybrid").unwrap();
    for cell in pair.cells.iter().filter(|cell| cell.ratio.is_some()) {
        let theirs = reported.cell(cell.kernel, cell.bytes).unwrap().figure().unwrap().ratio.clone().unwrap();
        let ours = cell.ratio.clone().unwrap();
        assert_eq!((ours.estimate, ours.interval, ours.p), (theirs.estimate, theirs.interval, theirs.p));
    }
    assert_eq!(verdict(pair, MI), Verdict::Slower);
    assert_eq!(comparison.outcome, Outcome::Worse);
    assert_eq!(cell(pair, Kernel::Latency, 4 * MI).outcome(), Outcome::Worse, "what hangs is worse than what does not");
    let back = within(["hybrid", "native"]);
    assert_eq!(verdict(&back.pairs[0], MI), Verdict::Faster);
    assert_eq!(
        cell(&back.pairs[0], Kernel::Latency, 4 * MI).words(back.margin),
        "the reference does not work, this does"
    );
    let twin = within(["native", "native again"]);
    assert_ne!(twin.outcome, Outcome::Worse);
}

/// Two cases that never met: by block they would differ by what the machine did between their duets, a factor of three.
#[test]
fn cases_of_duets_are_compared_by_what_each_takes_over_its_own_partner() {
    let run = synthetic::duets(16, 1);
    let within = |report: &Report, cases: [&str; 2]| {
        compare(&of("run", report, Some(cases[0])), &[of("run", report, Some(cases[1]))], None).unwrap()
    };
    let check = |report: &Report, cases: [&str; 2], expected: f64| {
        let comparison = within(report, cases);
        for cell in &comparison.pairs[0].cells {
            let ratio = cell.ratio.as_ref().unwrap();
            let interval = ratio.interval.unwrap();
            assert!((ratio.estimate / expected).ln().abs() < 0.06, "{cases:?}: {ratio:?}");
            assert!(ratio.k == 16 && interval.hi / interval.lo < 1.16, "{cases:?}: {ratio:?}");
        }
        comparison
    };
    let report = run.report();
    let strangers = check(&report, ["hybrid-sharens", "bind"], 1.0);
    assert!(strangers.notes.iter().any(|note| note.contains("over its own partner")), "{:?}", strangers.notes);
    assert!(check(&report, ["native", "bind"], 1.0).notes.is_empty(), "these took turns with each other");
    check(&report, ["native again", "bind"], 1.0);
    let slower = slowed(run, &[Mode::Bind], 1.5);
    assert_eq!(check(&slower, ["hybrid-sharens", "bind"], 1.5).outcome, Outcome::Worse);
    check(&slower, ["bind", "native"], 1.0 / 1.5);
}

#[test]
fn what_must_not_be_compared_names_the_field() {
    let [before, whole] = [1, 2].map(|seed| {
        let mut report = synthetic::quick(12, seed).report();
        report.cases.iter_mut().for_each(|case| case.seen.transport = vec!["memory".into()]);
        report
    });
    let check = |change: &dyn Fn(&mut Report), field: Field| {
        let mut after = whole.clone();
        change(&mut after);
        let comparison = runs(&before, &after);
        let pair = pair(&comparison, "bind 4.1.8");
        let cell = cell(pair, Kernel::Latency, 8);
        let ratio = cell.ratio.as_ref().unwrap();
        assert_eq!((ratio.verdict, ratio.differs), (Verdict::NotComparable, Some(field)));
        assert_eq!((cell.outcome(), comparison.outcome), (Outcome::Undecided, Outcome::Undecided));
        assert!(rendered(&comparison).contains("not comparable"));
    };
    fn bind(report: &mut Report) -> &mut harness::report::CaseReport {
        report.cases.iter_mut().find(|case| case.name == "bind").unwrap()
    }
    check(&|after| bind(after).ranks = 4, Field::Ranks);
    check(&|after| bind(after).seen.placement = vec!["rank 0 on CPU 0-1".into()], Field::Placement);
    check(&|after| bind(after).seen.transport = vec!["network".into()], Field::Transport);
    check(&|after| bind(after).buffers = BufferKind::Rotating, Field::Buffers);
    check(&|after| bind(after).seen.isolation = vec!["user namespace one a rank".into()], Field::Isolation);
    check(&|after| bind(after).seen.protocols = vec![7], Field::Protocol);
    check(&|after| bind(after).seen.libraries = vec!["Open MPI v4.1.7".into()], Field::Library);
    check(&|after| bind(after).cells[0].repetitions = 1, Field::Repetitions);
}

#[test]
fn a_size_that_only_one_has_is_said() {
    let before = synthetic::quick(12, 1).report();
    let mut after = synthetic::quick(12, 2).report();
    for case in &mut after.cases {
        case.cells.retain(|cell| (cell.kernel, cell.bytes) != (Kernel::Allreduce, Bytes(8)));
    }
    let comparison = runs(&before, &after);
    let cell = cell(&comparison.pairs[0], Kernel::Allreduce, 8);
    assert_eq!((&cell.compared, cell.outcome()), (&Measured::Absent, Outcome::Undecided));
    assert_eq!(comparison.outcome, Outcome::Undecided);
    let answer = &comparison.pairs[0].answer;
    assert!(answer.ends_with("not comparable: the set of sizes differs at allreduce 8 B"), "{answer}");
}

#[test]
fn a_size_that_hangs_now_is_worse_than_any_figure() {
    let before = slowed(synthetic::quick(12, 2), &[], 1.0);
    let mut after = synthetic::quick(12, 2).report();
    let hung = after.cases.iter().find(|case| case.name == "hybrid").unwrap();
    let status = hung.status(Kernel::Latency, Bytes(4 * MI)).unwrap().clone();
    after.cases.iter_mut().find(|case| case.name == "bind").unwrap().cells[0].status = status;
    let comparison = runs(&before, &after);
    assert_eq!(comparison.outcome, Outcome::Worse);
    let answer = &pair(&comparison, "bind 4.1.8").answer;
    assert!(answer.contains("only the reference works at latency 8 B"), "{answer}");
    let hybrid = &pair(&comparison, "hybrid 4.1.8").answer;
    assert!(hybrid.contains("neither works at latency 4 MiB"), "{hybrid}");
}

#[test]
fn operands_that_do_not_fit_are_named() {
    let report = synthetic::quick(6, 1).report();
    let two = synthetic::two_versions(6, 1).report();
    let check = |a: Operand<'_>, b: Operand<'_>, parts: &[&str]| {
        let error = compare(&a, &[b], None).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)) && error.contains("hint: "), "{error}");
    };
    check(of("a", &report, Some("native")), of("b", &report, Some("nativ")), &["b", "`nativ`", "hybrid-sharens"]);
    check(of("a", &report, Some("native")), of("b", &report, None), &["a", "b", "RUN:CASE"]);
    check(of("b", &two, Some("native")), of("a", &report, Some("native")), &["native 5.0.11", "native 4.1.8"]);
    let only = |keep: &str| {
        let mut report = report.clone();
        report.cases.retain(|case| case.name == keep);
        report
    };
    check(of("a", &only("bind"), None), of("b", &only("embedded"), None), &["in common", "bind"]);
    let one_word = compare(&of("b", &two, Some("native 5.0.11")), &[of("a", &report, Some("bind"))], None).unwrap();
    assert_eq!(one_word.pairs[0].reference.case, "native 5.0.11");
}

#[test]
fn the_margin_can_be_agreed_on_for_the_comparison() {
    let (before, after) = (synthetic::quick(12, 1).report(), slowed(synthetic::quick(12, 2), &[Mode::Bind], 1.1));
    let with = |margin: f64| {
        let operand = of("after", &after, None);
        compare(&of("before", &before, None), &[operand], Some(Margin::try_from(margin).unwrap())).unwrap().outcome
    };
    assert_eq!((with(0.02), with(0.5)), (Outcome::Worse, Outcome::NotWorse));
}

#[test]
fn a_comparison_as_a_table() {
    let before = synthetic::quick(12, 1).report();
    let mut after = slowed(synthetic::quick(12, 2), &[Mode::HybridSharens], 1.5);
    after.facts.insert("kernel".into(), "6.12.9".into());
    let mut comparison = runs(&before, &after);
    comparison.pairs.retain(|pair| pair.compared.case.starts_with("hybrid"));
    for pair in &mut comparison.pairs {
        pair.cells.retain(|cell| cell.kernel == Kernel::Latency);
    }
    insta::assert_snapshot!(rendered(&comparison));
}

#[test]
fn two_cases_of_a_run_as_a_table() {
    let report = synthetic::quick(12, 1).report();
    let other = |case| of("results/laptop/20261124T023000Z", &report, Some(case));
    let mut comparison = compare(&other("native"), &[other("hybrid"), other("hybrid-sharens")], None).unwrap();
    for pair in &mut comparison.pairs {
        pair.cells.retain(|cell| cell.kernel == Kernel::Bandwidth);
    }
    insta::assert_snapshot!(rendered(&comparison));
}

#[test]
fn csv_has_a_row_a_cell_and_json_is_the_whole() {
    let comparison = runs(&synthetic::quick(12, 1).report(), &synthetic::quick(12, 2).report());
    let csv = comparison.to_csv();
    assert_eq!(csv.lines().count(), 1 + 6 * 18);
    assert!(csv.starts_with("reference_run,reference_case,compared_run,compared_case,kernel,bytes,reference_ns"));
    assert!(csv.lines().nth(1).unwrap().starts_with("before,native 4.1.8,after,native 4.1.8,latency,8,2"));
    assert!(serde_json::from_str::<Comparison>(&comparison.to_json()).unwrap() == comparison);
}

/// A run in a directory, as `sifbench run` leaves it.
fn stored(root: &std::path::Path, run: &synthetic::Run) -> std::path::PathBuf {
    let mut store = harness::store::Store::create(root, &run.manifest, &run.design).unwrap();
    for record in &run.records {
        let samples: Vec<_> = run.samples.iter().filter(|s| s.attempt == record.attempt).copied().collect();
        store.append(record, &samples).unwrap();
    }
    let dir = store.dir().to_owned();
    store.close().unwrap();
    dir
}

#[test]
fn the_exit_code_is_something_to_gate_on() {
    let root = tempfile::tempdir().unwrap();
    let dir = stored(root.path(), &synthetic::quick(12, 1));
    let sifbench = |args: &[&str]| {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_sifbench"));
        command.env_clear().env("HOME", root.path()).current_dir(&dir).args(args).assert()
    };
    sifbench(&["compare", "--in", ".", "native", "hybrid-sharens"]).code(0);
    sifbench(&["compare", ".:native", ".:hybrid", "--json"]).code(1);
    sifbench(&["compare", "--in", ".", "native", "hybrid-instance", "--csv"]).code(3);
    sifbench(&["compare", "--in", ".", "hybrid", "native 4.1.8"]).code(1);
    sifbench(&["compare", "."]).code(2);
    // What was misspelled is not worse, and no cause is unknown.
    let trouble = |args: &[&str], word: &str| {
        sifbench(args).code(2).stderr(predicates::str::contains(word));
    };
    trouble(&["compare", "--in", ".", "native", "docker"], "`docker`");
    trouble(&["compare", ".", "elsewhere"], "elsewhere");
    let same = |args: &[&str]| sifbench(args).stderr(predicates::str::contains("is compared with itself"));
    same(&["compare", "..", "."]).code(0);
    same(&["compare", "--in", ".", "native", "hybrid-sharens", "native"]);
    trouble(&["explain", ".", "docker"], "`docker`");
    trouble(&["recommend", "elsewhere"], "elsewhere");
    trouble(&["aa", "--real", "elsewhere"], "elsewhere");
}
