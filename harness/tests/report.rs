//! The report of synthetic runs: what the model says, and what each renderer makes of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[expect(dead_code, reason = "other tests use the rest")]
mod synthetic;

use bench_app::{Bytes, Kernel};
use harness::{
    case::Mode,
    decision::Decision,
    id::MpiVersion,
    medians::Medians,
    plan::{self, Ended},
    record::{Design, Outcome, Purpose, Record},
    report::{
        CaseReport, CellStatus, Crossing, Field, Figure, Matrix, Report, Role, Verdict,
        table::{self, Style},
    },
    store::{self, Run},
};
use unicode_width::UnicodeWidthStr as _;

const KI: u64 = 1024;

fn case<'r>(report: &'r Report, name: &str) -> &'r CaseReport {
    report.cases.iter().find(|case| case.name == name).unwrap()
}

fn figure<'r>(report: &'r Report, name: &str, kernel: Kernel, bytes: u64) -> &'r Figure {
    match case(report, name).status(kernel, Bytes(bytes)).unwrap() {
        CellStatus::Figure(figure) => figure,
        other => panic!("{name} {kernel} {bytes}: {other:?}"),
    }
}

fn verdict(report: &Report, name: &str, kernel: Kernel, bytes: u64) -> Verdict {
    figure(report, name, kernel, bytes).ratio.as_ref().unwrap().verdict
}

/// The table, each line of which fits the terminal.
fn table(report: &Report) -> String {
    let text = table::render(report, Style::Plain);
    for line in text.lines() {
        assert!(line.width() <= table::WIDTH, "{} columns: {line}", line.width());
        assert_eq!(line.trim_end(), line, "trailing blanks");
    }
    text
}

#[test]
fn the_quick_campaign_as_a_table() {
    insta::assert_snapshot!(table(&synthetic::quick(12, 1).report()));
}

#[test]
fn of_duets_ratios_are_told_and_costs_of_launches_are_not() {
    let run = synthetic::duets(12, 1);
    let report = run.report();
    assert!(run.records.iter().all(|record| record.hello_ns.is_some()), "the raw figure is kept");
    for case in &report.cases {
        let costs = &case.costs;
        assert!(costs.wall.is_none() && costs.hello.is_none() && costs.hello_extra.is_none(), "{}", case.name);
    }
    assert_eq!(verdict(&report, "bind", Kernel::Latency, 64 * KI), Verdict::Equivalent, "whatever the machine does");
    assert!(report.notes.iter().any(|note| note.contains("What a launch costs is not told")), "{:?}", report.notes);
    assert!(table(&report).contains("took turns with another"));
}

#[test]
fn figures_become_verdicts() {
    let report = synthetic::quick(14, 1).report();
    let check = |name: &str, kernel: Kernel, bytes: u64, expected: Verdict| {
        assert_eq!(verdict(&report, name, kernel, bytes), expected, "{name} {kernel} {bytes}");
    };
    check("hybrid", Kernel::Latency, 64 * KI, Verdict::Faster);
    check("hybrid", Kernel::Bandwidth, 64 * KI, Verdict::Faster);
    check("hybrid", Kernel::Allreduce, KI * KI, Verdict::Slower);
    for name in ["native again", "embedded", "hybrid-sharens"] {
        for (cell, figure) in case(&report, name).figures() {
            let verdict = figure.ratio.as_ref().unwrap().verdict;
            let same = matches!(verdict, Verdict::Equivalent | Verdict::Undecided);
            assert!(same, "{name} {} {}: {verdict:?}", cell.kernel, cell.bytes);
        }
    }
    check("hybrid-sharens", Kernel::Latency, 8, Verdict::Equivalent);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    assert_eq!((report.cases[0].role, report.cases[1].role), (Role::Baseline, Role::Twin));
    assert_eq!(report.family, 5 * 18 - 1, "every figure of every compared case, and not the twin's");
}

#[test]
fn six_blocks_have_intervals_and_are_too_few_for_a_family_of_89() {
    let report = synthetic::quick(6, 1).report();
    let ratio = figure(&report, "hybrid", Kernel::Latency, KI * KI).ratio.clone().unwrap();
    assert!(ratio.interval.unwrap().lo > 1.5 && ratio.p < 0.05);
    assert_eq!((ratio.verdict, ratio.shown, ratio.adjusted_p), (Verdict::Undecided, None, Some(1.0)));
    assert_eq!(ratio.more, Some(6), "twelve are the fewest");
    assert!(report.notes[0].contains("6 blocks") && report.notes[0].contains("takes 12"), "{:?}", report.notes);
}

#[test]
fn a_figure_rests_on_launch_medians_and_rates_follow_from_times() {
    let report = synthetic::quick(7, 2).report();
    let figure = figure(&report, "native", Kernel::Bandwidth, 64 * KI);
    assert_eq!((figure.time.k, figure.launches.len(), figure.time.batches), (7, 7, 7 * 18));
    let mut medians: Vec<f64> = figure.launches.iter().map(|launch| launch.median).collect();
    medians.sort_by(f64::total_cmp);
    assert_eq!(figure.time.median, medians[3]);
    let interval = figure.time.interval.unwrap();
    assert!(medians[0] <= interval.lo && interval.lo <= medians[3] && medians[3] <= interval.hi);
    assert!(figure.time.min <= figure.time.p10 && figure.time.p10 < figure.time.p90);
    assert!(figure.time.p90 <= figure.time.p99);
    let rate = figure.rate.as_ref().unwrap();
    assert!((rate.median * figure.time.median / 1e9 - 65536.0).abs() < 1e-6);
    assert!(rate.interval.unwrap()[0] < rate.interval.unwrap()[1]);
    assert!(figure.ratio.is_none(), "the baseline has nothing to be compared with");
}

#[test]
fn outcomes_stand_where_figures_would() {
    let report = synthetic::quick(6, 1).report();
    let hybrid = case(&report, "hybrid");
    let status = hybrid.status(Kernel::Latency, Bytes(4 * KI * KI)).unwrap();
    assert!(matches!(status, CellStatus::Failed { outcome: Outcome::TimedOut { .. }, measured: 0 }), "{status:?}");
    assert!(hybrid.answer.ends_with("hang at latency 4 MiB"), "{}", hybrid.answer);
    assert_eq!(hybrid.launches.completed, 6, "the other cells are measured without it");
    let probe = &report.probes[0];
    assert_eq!((probe.label.as_str(), probe.answer.as_str()), ("hybrid 5.0.11 > 4.1.8", "2 singletons"));
    let failed: Vec<String> = report.failures.iter().map(|f| format!("{}: {}", f.label, f.outcome)).collect();
    assert_eq!(failed[..2], ["hybrid 4.1.8: hang at latency 4 MiB"; 2], "found, then confirmed alone");
    assert_eq!(failed[2..], ["hybrid 5.0.11 > 4.1.8: 2 singletons"; 2]);
}

#[test]
fn too_few_launches_decide_nothing() {
    let report = synthetic::quick(4, 1).report();
    let ratio = figure(&report, "hybrid", Kernel::Latency, KI * KI).ratio.clone().unwrap();
    assert_eq!((ratio.verdict, ratio.k, ratio.interval), (Verdict::Undecided, 4, None));
    assert!(ratio.estimate > 1.7, "the estimate is shown all the same");
    assert!(report.notes[0].contains("4 blocks") && report.notes[0].contains("6 launches"), "{:?}", report.notes);
    let text = table(&report);
    assert!(text.contains(" ?") && text.contains("k=4"));
    // What has no interval excludes nothing, and that is no praise of the machine.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("too few for an interval.") && !words.contains("excludes 1 in 0"), "{text}");
}

#[test]
fn a_kernel_of_one_size_has_a_figure_and_no_range() {
    let mut design = synthetic::quick(6, 1).design;
    for case in design.cases.iter_mut().chain(&mut design.probes) {
        case.workload.cells.retain(|cell| cell.kernel == Kernel::Latency || cell.bytes == Bytes(KI));
    }
    let report = synthetic::run(design).report();
    let answer = &case(&report, "native").answer;
    let (_, allreduce) = answer.split_once("allreduce ").unwrap();
    assert!(answer.contains(" to ") && allreduce.ends_with(" at 1 KiB") && !allreduce.contains(" to "), "{answer}");
}

#[test]
fn a_failed_launch_is_set_aside_whole_and_told() {
    let mut run = synthetic::quick(6, 1);
    synthetic::analysed(&mut run, Mode::Embedded, 3).outcome = Outcome::Exited { code: 139, last: None };
    let report = run.report();
    let embedded = case(&report, "embedded");
    assert_eq!((embedded.launches.made, embedded.launches.completed), (6, 5));
    assert_eq!(verdict(&report, "embedded", Kernel::Latency, 8), Verdict::Undecided);
    let blocks: Vec<u32> =
        figure(&report, "embedded", Kernel::Latency, 8).launches.iter().map(|launch| launch.block).collect();
    assert_eq!(blocks, [1, 2, 4, 5, 6]);
    assert!(report.notes.iter().any(|note| note == "embedded: 5 of 6 analysed launches completed."));
    assert!(report.failures.iter().any(|failure| failure.block == 3));
}

#[test]
fn what_undermines_a_comparison_is_noted() {
    let mut run = synthetic::quick(6, 1);
    for block in 1..=6 {
        let facts = synthetic::analysed(&mut run, Mode::Bind, block).facts.as_mut().unwrap();
        facts.first.cpus = "0-1".into();
        facts.differing.clear();
        let hello = synthetic::analysed(&mut run, Mode::Embedded, block).hello.as_mut().unwrap();
        hello.library = "Open MPI v5.0.8, package: distribution's".into();
    }
    let report = run.report();
    let noted = |parts: [&str; 2]| report.notes.iter().any(|note| parts.iter().all(|part| note.contains(part)));
    assert!(noted(["bind: placed differently", "rank 1 on CPU 1"]), "{:?}", report.notes);
    assert!(noted(["embedded: expected to load 4.1.8", "loaded Open MPI v5.0.8"]), "{:?}", report.notes);
    let check = |name: &str, field: Field| {
        for (_, figure) in case(&report, name).figures() {
            let ratio = figure.ratio.as_ref().unwrap();
            assert_eq!((ratio.verdict, ratio.differs, ratio.adjusted_p), (Verdict::NotComparable, Some(field), None));
        }
        let answer = &case(&report, name).answer;
        assert!(answer.contains("not comparable") && answer.contains(field.words()), "{answer}");
    };
    check("bind", Field::Placement);
    check("embedded", Field::Library);
    assert_eq!(report.family, 3 * 18 - 1, "what must not be compared burdens nobody else");
    assert!(table(&report).contains(" n/c"));
}

#[test]
fn an_unfinished_run_reports_what_it_has() {
    let whole = synthetic::quick(6, 1);
    for length in [0, 1, 5, 9, 20, 40] {
        let mut run = whole.clone();
        run.records.truncate(length);
        let known = |s: &harness::record::Sample| s.attempt.0 as usize <= length;
        run.samples.retain(known);
        let report = run.report();
        assert!(!report.blocks.complete && length < whole.records.len());
        assert!(report.notes[0].contains("can be resumed"), "{:?}", report.notes);
        assert!(table(&report).contains("quick on laptop"));
    }
}

#[test]
fn why_a_run_has_no_more_blocks_is_said() {
    let report = |blocks: u32, decision: Decision| {
        let design = synthetic::quick(1, 1).design;
        synthetic::run(Design { blocks, decision, ..design }).report()
    };
    let check = |report: &Report, ended: Ended, words: &str| {
        assert!(report.blocks.complete);
        assert_eq!(report.blocks.ended, Some(ended));
        let text = table(report).replace('\n', " ");
        assert!(text.contains(words), "{text}");
    };
    let precise = |precision: f64| Decision { precision: Some(precision), ..Decision::default() };
    check(&report(30, precise(0.2)), Ended::Precision, "in 10 of at most 30 blocks, enough for ±20 %, begun");
    let wide = report(12, precise(0.001));
    check(&wide, Ended::Blocks, "in 12 blocks, the most there may be, begun");
    let note = wide.notes.iter().find(|note| note.contains("±0.1 %")).unwrap();
    assert!(note.contains("the widest reaches ±"), "{note}");
    let short = Decision { budget_min: Some(1.5), ..Decision::default() };
    check(&report(30, short), Ended::Budget, "of at most 30 blocks, all that 1.5 min have room for");
}

#[test]
fn many_cases_take_more_blocks_not_wider_ones() {
    let report = synthetic::two_versions(6, 3).report();
    assert_eq!(report.cases.len(), 13);
    let asked_for = verdict(&report, "native 4.1.8", Kernel::Latency, 8);
    assert_ne!(asked_for, Verdict::NotComparable, "versions that the cases declare may be compared");
    let text = table(&report);
    assert_eq!(text.lines().filter(|line| line.starts_with("latency half")).count(), 2);
    assert!(text.contains("hybrid-instance 5.0.11"));
}

#[test]
fn colour_only_repeats_what_is_said() {
    let report = synthetic::quick(6, 1).report();
    let coloured = table::render(&report, Style::Coloured);
    let mut plain = String::new();
    for part in coloured.split('\u{1b}') {
        plain.push_str(part.strip_prefix('[').and_then(|rest| rest.split_once('m')).map_or(part, |(_, text)| text));
    }
    assert_ne!(coloured, plain);
    assert_eq!(plain, table::render(&report, Style::Plain));
}

#[test]
fn json_holds_the_whole_model() {
    let report = synthetic::quick(6, 1).report();
    let json = report.to_json();
    assert!(serde_json::from_str::<Report>(&json).unwrap() == report);
    assert!(synthetic::quick(6, 1).report().to_json() == json);
}

/// A published run, rendered again.
fn published_run(name: &str) -> Run {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    let run = store::load(&store::resolve(&root.join(name)).unwrap()).unwrap();
    assert!(run.closed);
    run
}

fn published(name: &str) -> Report {
    let run = published_run(name);
    harness::report::model(&run.manifest, &run.design, &run.records, &run.samples)
}

/// A run that was closed is complete by every later reading of its design, and for the reason that it was closed for. Of those
/// that nothing but their blocks could end that is plain, and reading them takes long.
#[test]
fn published_runs_are_as_complete_as_when_they_were_closed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    let below = |dir: &std::path::Path| {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let could_end_early = |dir: &std::path::PathBuf| {
        let text = std::fs::read_to_string(dir.join("design.json")).unwrap();
        let Decision { precision, budget_min, .. } = serde_json::from_str::<Design>(&text).unwrap().decision;
        precision.is_some() || budget_min.is_some()
    };
    // What quickstart measures on this machine is not published.
    let sites = below(&root).into_iter().filter(|site| !site.ends_with("local"));
    let runs: Vec<_> = sites.flat_map(|site| below(&site)).filter(could_end_early).collect();
    assert!(runs.len() >= 6, "{runs:?}");
    for dir in runs {
        let run = store::load(&dir).unwrap();
        let medians = Medians::of(&run.samples);
        let begun = run.records.iter().filter(|r| r.purpose == Purpose::Measure).map(|r| r.block).max().unwrap();
        // Nobody asks before the last block whether all are made: fewer were ended by one of the two others. Which one is told
        // by results/README.md.
        let expected = match (begun < run.design.blocks, run.design.decision.precision) {
            (false, _) => Ended::Blocks,
            (true, Some(_)) if !dir.starts_with(root.join("vm-2-cores-duet-6-all")) => Ended::Precision,
            (true, _) => Ended::Budget,
        };
        let told = (run.closed, plan::ended(&run.design, &run.records, &medians));
        assert_eq!(told, (true, Some(expected)), "{}, {begun} blocks", dir.display());
        assert_eq!(plan::next(&run.design, &run.records, &medians), None, "{}", dir.display());
    }
}

/// Whoever renders the published runs again reads what the front page quotes.
#[test]
fn the_front_page_quotes_the_published_runs() {
    let readme = include_str!("../../README.md");
    let report = published("vm-2-cores");
    let words = readme.replace("> ", "").split_whitespace().collect::<Vec<_>>().join(" ");
    let answers = report.cases.iter().map(|case| (&case.label, &case.answer));
    let quoted = answers.filter(|(label, answer)| words.contains(&format!("**{label}**: {answer}"))).count();
    assert_eq!(quoted, 2, "README.md quotes what the run does not say:\n{report:#?}");
    assert_eq!(report.probes[0].answer, "2 singletons");

    let table = table(&published("vm-2-cores-matrix"));
    let (_, heat_map) = readme.split_once("```text\n").unwrap();
    let (heat_map, _) = heat_map.split_once("```").unwrap();
    assert!(heat_map.lines().count() > 6 && table.contains(heat_map), "README.md quotes another matrix:\n{table}");
}

/// Lines behind the name of a run on several nodes are those of its report.
#[test]
fn the_page_of_results_quotes_the_published_runs_on_several_nodes() {
    let (_, page) = include_str!("../../results/README.md").split_once("\n## Runs on several nodes\n").unwrap();
    let (page, _) = page.split_once("\n## ").unwrap();
    let mut runs = 0;
    for part in page.split("```text\n").skip(1) {
        let (quoted, _) = part.split_once("```").unwrap();
        let (command, lines) = quoted.split_once('\n').unwrap();
        let run = command.strip_prefix("$ sifbench report results/").unwrap();
        let table = table(&published(run));
        for line in lines.lines() {
            // The shaper alone takes 34.54 ms.
            if let Some((ms, _)) = line.strip_prefix("4 MiB ").and_then(|rest| rest.split_once(" ms ")) {
                let off = ms.trim().parse::<f64>().unwrap() / 34.54 - 1.0;
                // Under OAR two columns are open, and the page says so.
                let open = if run.starts_with("vm-2-nodes-oar/") { 1 } else { 0 };
                let is_open = |mark: char| matches!(mark, '?' | '~');
                assert!(off.abs() < 0.03 && line.chars().filter(|c| is_open(*c)).count() <= open, "{run}: {line}");
            }
            assert!(table.lines().any(|of| of == line), "{run} does not say: {line}\n{table}");
        }
        runs += usize::from(lines.lines().count() > 2);
    }
    assert_eq!(runs, 4, "each with its figures");
}

fn matrix(report: &Report, mode: Mode) -> &Matrix {
    report.matrices.iter().find(|matrix| matrix.mode == mode).unwrap()
}

fn crossing<'r>(report: &'r Report, mode: Mode, host: &str, image: &str) -> &'r Crossing {
    let matrix = matrix(report, mode);
    let at = |versions: &[MpiVersion], wanted: &str| versions.iter().position(|v| v.to_string() == wanted).unwrap();
    let place = at(&matrix.hosts, host) * matrix.images.len() + at(&matrix.images, image);
    matrix.crossings[place].as_ref().unwrap()
}

#[test]
fn a_matrix_as_a_table() {
    insta::assert_snapshot!(table(&synthetic::crossed(16, 1).report()));
}

#[test]
fn a_mismatch_is_told_from_what_the_image_does_under_its_own_host() {
    let report = synthetic::crossed(16, 1).report();
    let check = |mode: Mode, host: &str, image: &str, verdict: Option<Verdict>, failed: Option<(&str, bool)>| {
        let crossing = crossing(&report, mode, host, image);
        assert_eq!(crossing.telling.map(|telling| telling.verdict), verdict, "{mode} {host} > {image}");
        let words = crossing.failed.as_ref().map(|failed| (failed.outcome.to_string(), failed.alike));
        assert_eq!(words, failed.map(|(words, alike)| (words.to_owned(), alike)), "{mode} {host} > {image}");
    };
    let hang = Some(("hang at latency 4 MiB", true));
    check(Mode::Hybrid, "4.1.8", "4.1.8", Some(Verdict::Slower), hang);
    let hybrid = crossing(&report, Mode::Hybrid, "4.1.8", "4.1.8");
    assert!(hybrid.matched && hybrid.telling.unwrap().estimate > 1.8, "what the mode costs: {hybrid:?}");
    check(Mode::Hybrid, "4.1.7", "4.1.8", Some(Verdict::Equivalent), hang);
    check(Mode::Hybrid, "5.0.11", "4.1.8", None, Some(("2 singletons", false)));
    check(Mode::Hybrid, "4.1.8", "5.0.11", Some(Verdict::Slower), None);
    let old = crossing(&report, Mode::Hybrid, "4.1.8", "5.0.11").telling.unwrap();
    assert!((1.2..1.3).contains(&old.estimate), "what the mismatch costs, without the mode: {old:?}");
    check(Mode::HybridSharens, "5.0.8", "5.0.11", Some(Verdict::Equivalent), None);
    assert!(synthetic::two_versions(6, 3).report().matrices.is_empty(), "nothing is crossed");
}

/// What the pass before the blocks found is shown before anything is measured.
#[test]
fn a_matrix_without_blocks_says_what_works() {
    let report = synthetic::crossed(0, 1).report();
    let works = crossing(&report, Mode::HybridSharens, "4.1.8", "5.0.11");
    assert!(works.ran && works.telling.is_none() && works.failed.is_none(), "{works:?}");
    assert!(crossing(&report, Mode::Hybrid, "5.0.8", "4.1.7").failed.is_some());
    let text = table(&report);
    assert!(text.contains("works") && text.contains("singleton") && text.contains("hang*"), "{text}");
}

/// Half-widths of a run's intervals of ratios, the widest first.
fn half_widths(report: &Report) -> Vec<f64> {
    let figures = report.cases.iter().flat_map(CaseReport::figures);
    let intervals = figures.filter_map(|(_, figure)| figure.ratio.as_ref()?.interval);
    let mut widths: Vec<f64> = intervals.map(|interval| (interval.hi / interval.lo).ln() / 2.0).collect();
    widths.sort_by(|a, b| b.total_cmp(a));
    widths
}

/// How long the launches of a published run took, and what was done around them, s.
fn seconds(name: &str) -> f64 {
    published_run(name).records.iter().map(Record::spent).sum()
}

/// What the page of results says of runs by duets.
#[test]
fn the_page_of_results_tells_how_narrow_duets_are() {
    let page = include_str!("../../results/README.md");
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let widths = |name: &str| {
        let report = published(name);
        (report.blocks.begun, half_widths(&report))
    };
    let first = "vm-2-cores-duet-6/20261126T061305Z-fda3f340";
    for (name, target) in [("vm-2-cores-duet-3", 0.05_f64), ("vm-2-cores-duet-6", 0.01), (first, 0.01)] {
        let (blocks, widths) = widths(name);
        assert!(widths.len() == 20 && widths[0] <= target.ln_1p(), "{name}: {widths:?}");
        let told = format!("there after {blocks} blocks and {:.0} seconds", seconds(name));
        assert!(words.contains(&told), "{name}: {told}");
    }
    let (blocks, all) = widths("vm-2-cores-duet-6-all");
    let narrow = all.iter().filter(|width| **width <= 0.01).count();
    let told =
        format!("it came to {blocks} blocks in six minutes of launches, and {narrow} of {} half-widths", all.len());
    assert!(words.contains(&told), "{told}");
    // Who has not had its turn yet, in a block that was cut short, does not rest.
    let mut run = published_run("vm-2-cores-duet-6");
    run.records.retain(|record| record.block < 12);
    run.records.pop();
    let cut = harness::report::model(&run.manifest, &run.design, &run.records, &run.samples);
    assert!(cut.notes.iter().all(|note| !note.starts_with("Launched no more")), "{:?}", cut.notes);
    let fine = published("vm-2-cores-duet-6");
    let duets = |case: &CaseReport| (case.role != Role::Baseline).then_some(case.launches.made);
    let (made, all) = (fine.cases.iter().filter_map(duets).sum::<usize>(), 5 * fine.blocks.begun as usize);
    assert!(words.contains(&format!("spared {} of {all} duets", all - made)), "{made} of {all}");
    let ((duets, by_duets), (blocks, by_blocks)) = (widths("vm-2-cores-side-duet"), widths("vm-2-cores-blocks"));
    let [narrow, wide] = [by_duets, by_blocks].map(|widths| widths[widths.len() / 2] * 100.0);
    let told = format!(
        "({duets} blocks of them where there were {blocks} others), and come to a median half-width of {narrow:.1} % instead of {wide:.1} %"
    );
    assert!(words.contains(&told), "{told}");
    let (_, quoted) = page.split_once("$ sifbench report results/vm-2-cores-duet-6\n").unwrap();
    let table = table(&published("vm-2-cores-duet-6"));
    for line in quoted.split_once("```").unwrap().0.lines() {
        assert!(table.lines().any(|of| of == line), "vm-2-cores-duet-6 does not say: {line}\n{table}");
    }
}

/// A narrow interval about the centre does not hide launches that lie elsewhere.
#[test]
fn launches_of_another_kind_are_told_of_with_the_canary_that_goes_with_them() {
    let mut run = synthetic::quick(20, 5);
    let noted = |run: &synthetic::Run| {
        run.report().notes.into_iter().filter(|note| note.contains("of another kind")).collect::<Vec<_>>()
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(noted(&run), none);
    let sharens = |run: &synthetic::Run| case(&run.report(), "hybrid-sharens").id.clone();
    let id = sharens(&run);
    let slow = |run: &mut synthetic::Run, blocks: &[u32], canary: f64| {
        for record in run.records.iter_mut().filter(|r| r.case == id && blocks.contains(&r.block)) {
            record.observed.canary.iter_mut().for_each(|(_, before, after)| (*before, *after) = (canary, canary));
            let of = |sample: &&mut harness::record::Sample| sample.attempt == record.attempt;
            run.samples.iter_mut().filter(of).for_each(|sample| sample.ns *= 5);
        }
    };
    slow(&mut run, &[4], 900.0);
    assert_eq!(noted(&run), none, "one launch is no kind");
    slow(&mut run, &[7, 11], 900.0);
    let notes = noted(&run);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("hybrid-sharens: 3 of 20 pairs are of another kind, "), "{notes:?}");
    assert!(notes[0].contains("In these the canary took 900 ns, else "), "{notes:?}");
    // Where half are of one kind and half of another, the centre lies between them.
    slow(&mut run, &[1, 2, 3, 5, 6, 8, 9], 900.0);
    let notes = run.report().notes;
    assert!(notes.iter().any(|note| note.contains("describes few of its pairs: ")), "{notes:?}");
}
