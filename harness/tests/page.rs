//! The report as a page: the golden one byte for byte, and what must hold of every one.
//!
//! After a deliberate change of the page, `SIFBENCH_GOLDEN=write cargo test --test page` writes the golden report anew; look
//! at it and at its difference before it is committed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod synthetic;

use std::{collections::BTreeSet, fs, path::Path};

use bench_app::{Bytes, Kernel, facts::Late};
use harness::{
    case::{Mode, Program},
    decision::Pairs,
    diagnose::{Known, diagnose},
    medians::Medians,
    recommend::{place::Place, recommend},
    record::{Outcome, Phase},
    report::{
        CaseReport, CellStatus, Report, Verdict,
        html::{self, Beside},
        table,
    },
};

const KI: u64 = 1024;

/// A page's tags in order: name, attributes as written, and whether it closes.
fn tags(page: &str) -> Vec<(&str, &str, bool)> {
    let inner =
        page.strip_prefix("<!DOCTYPE html>").unwrap().split('<').skip(1).map(|part| part.split_once('>').unwrap().0);
    inner
        .map(|tag| {
            let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag.trim_end_matches('/'), ""));
            (name, attributes, closes)
        })
        .collect()
}

fn attribute<'p>(attributes: &'p str, name: &str) -> Option<&'p str> {
    let start = format!("{name}=\"");
    let (at, _) = attributes.match_indices(&start).find(|(at, _)| *at == 0 || attributes[..*at].ends_with(' '))?;
    attributes[at + start.len()..].split_once('"').map(|(value, _)| value)
}

/// What holds of every page: sound elements, headings in order, targets that exist, scoped headers, pictures in words, and
/// nothing that is fetched.
fn check(report: &Report) -> String {
    sound(html::render(report, Beside::default()))
}

fn sound(page: String) -> String {
    let (mut open, mut headings, mut ids, mut targets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, attributes, closes) in tags(&page) {
        if closes {
            assert_eq!(open.pop(), Some(name), "closed out of order");
            continue;
        }
        let is_link = name == "link";
        assert!(!is_link || attributes == "rel=\"icon\" href=\"data:,\"", "{attributes}");
        let is_empty = matches!(name, "polyline" | "polygon" | "circle" | "rect" | "line" | "meta" | "link");
        if !is_empty {
            open.push(name);
        }
        if let Some(level @ ("1" | "2" | "3")) = name.strip_prefix('h') {
            headings.push(level.parse::<usize>().unwrap());
        }
        assert!(name != "th" || attribute(attributes, "scope").is_some(), "a header without scope: {attributes}");
        assert!(!["script", "img", "iframe", "object", "use"].contains(&name), "{name} {attributes}");
        let forbidden = ["src=", "onload=", "style="];
        assert!(forbidden.iter().all(|word| !attributes.contains(word)), "{name} {attributes}");
        ids.extend(attribute(attributes, "id"));
        targets.extend(attribute(attributes, "href").filter(|_| !is_link));
    }
    assert_eq!(open, Vec::<&str>::new(), "left open");
    assert_eq!(headings[0], 1);
    assert!(headings.windows(2).all(|pair| pair[1] >= 2 && pair[1] <= pair[0] + 1), "{headings:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id twice: {ids:?}");
    for target in targets {
        assert!(target.strip_prefix('#').is_some_and(|id| ids.contains(&id)), "{target}");
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
    for picture in pictures(&page) {
        let (title, description) = (between(picture, "<title>", "</title>"), between(picture, "<desc>", "</desc>"));
        assert!(!title.is_empty() && description.contains(|c: char| c.is_ascii_digit()), "{title}: {description}");
        assert!(!picture.contains('#'), "a colour that does not follow the theme in {title}");
    }
    page
}

/// The pictures of a page, each from `<svg` to its end.
fn pictures(page: &str) -> Vec<&str> {
    page.split("<svg class=\"plot\"").skip(1).map(|rest| rest.split("</svg>").next().unwrap()).collect()
}

/// The first picture whose title begins so.
fn picture<'p>(page: &'p str, title: &str) -> &'p str {
    pictures(page).into_iter().find(|picture| between(picture, "<title>", "</title>").starts_with(title)).unwrap()
}

fn between<'p>(text: &'p str, from: &str, to: &str) -> &'p str {
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

/// Numbers of points of the lines in a colour, without intervals and outlines.
fn lines(picture: &str, ink: &str) -> Vec<usize> {
    let start = format!("<polyline fill=\"none\" stroke=\"var(--{ink})\" stroke-width=\"12\" points=\"");
    picture.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap().split(' ').count()).collect()
}

#[test]
fn the_golden_report_is_reproduced_byte_for_byte() {
    let page = sound(synthetic::quick(12, 1).page());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/quick.html");
    #[expect(clippy::disallowed_methods, reason = "the edge of a test")]
    if std::env::var_os("SIFBENCH_GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&golden, &page).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap();
    if page != expected {
        let differs = page.lines().zip(expected.lines()).find(|(now, then)| now != then);
        panic!("the page is another than {}; first: {differs:#?}", golden.display());
    }
}

#[test]
fn a_page_of_duets_pairs_by_duet_and_draws_no_costs() {
    let page = check(&synthetic::duets(12, 1).report());
    assert!(page.contains("paired by duet; above 1") && !page.contains("paired by block"));
    let costs = |picture: &&str| picture.contains("<title>From the start of a launch");
    assert_eq!(pictures(&page).iter().filter(|picture| costs(picture)).count(), 0);
}

#[test]
fn the_rules_say_what_a_run_keeps_and_what_it_breaks() {
    let answers = |run: &synthetic::Run| {
        let page = check(&run.report());
        let table = between(&page, "<caption class=\"unseen\">Twelve rules", "</table>");
        let rows: Vec<(bool, String)> =
            table.split("<tr>").skip(2).map(|row| (row.contains("<td>yes"), row.to_owned())).collect();
        assert_eq!(rows.len(), 12);
        rows
    };
    let mut run = synthetic::quick(20, 1);
    let kept = answers(&run);
    assert!(kept.iter().all(|(kept, _)| *kept), "{kept:#?}");
    assert!(kept[1].1.contains("1 of 108 cells have no figure"), "{}", kept[1].1);
    assert!(kept[10].1.contains("4 MiB 350 µs"), "{}", kept[10].1);
    let breaks = |run: &synthetic::Run, number: usize, why: &str| {
        let (kept, row) = &answers(run)[number - 1];
        assert!(!kept && row.contains(why), "{number}: {row}");
    };
    run.records.iter_mut().for_each(|record| record.observed = Default::default());
    breaks(&run, 11, "No launch has recorded any");
    run.records.pop();
    run.records.retain(|record| record.block < 15);
    breaks(&run, 2, "stopped before its end");
    let short = synthetic::quick(3, 1);
    breaks(&short, 5, "too few launches");
    breaks(&short, 7, "3 blocks cannot show");
}

#[test]
fn the_method_is_that_of_the_run() {
    let mut report = synthetic::quick(6, 1).report();
    let [duet, block] = ["the two launches of a duet", "launches of the same block"];
    let page = check(&report);
    assert!(page.contains(block) && !page.contains(duet) && page.contains("launched twice a block"));
    report.pairs = Pairs::Duet;
    let page = check(&report);
    assert!(page.contains(duet) && !page.contains(block) && page.contains("a partner in every duet"));
}

#[test]
fn every_case_answer_and_probe_is_there() {
    let report = synthetic::two_versions(6, 3).report();
    let page = check(&report);
    assert_eq!(report.cases.len(), 13);
    for case in &report.cases {
        assert!(page.contains(&format!("{}</span>", case.name)), "{}", case.name);
        assert!(page.contains(&case.answer), "{}", case.answer);
    }
    let report = synthetic::quick(6, 1).report();
    let page = check(&report);
    for text in ["hybrid 5.0.11 &gt; 4.1.8", "2 singletons", "Debian GNU/Linux 12", "apptainer version 1.4.5"] {
        assert!(page.contains(text), "{text}");
    }
    for file in &report.files {
        assert!(page.contains(&file.sha256.to_string()));
    }
    for command in report.cases.iter().chain([&report.cases[0]]).filter_map(|case| case.command.as_ref()) {
        let words: Vec<String> = command.split(' ').map(|word| format!("<span>{word}</span>")).collect();
        assert!(page.contains(&format!("<code>{}</code>", words.join(" "))), "{command}");
    }
}

/// A program is measured whole: no message, no size, no kernel of ours, no tick in which its messages would wait.
#[test]
fn a_program_has_no_size_in_any_words_or_picture() {
    let mut run = synthetic::programs(12, 1);
    run.design.decision.precision = Some(0.001);
    let check = |what: &str, text: &str| {
        let slips =
            ["0 B", "message size", "kernels and sizes", "kernel and size", "round trip", "Collectives", "of a tick"];
        for slip in slips {
            let place = text.find(slip).map(|at| &text[at.saturating_sub(80)..(at + 80).min(text.len())]);
            assert_eq!(place, None, "{what}: {slip}");
        }
    };
    let page = sound(run.page());
    check("page", &page);
    // On the axis of every panel that has sizes otherwise: the ratio of each case and the twin, and the times of all.
    let named = page.matches(">launch</text>").count();
    assert_eq!(named, run.design.cases.len() + 1, "{page}");
    let report = run.report();
    check("table", &table::render(&report, table::Style::Plain));
    assert!(report.notes.iter().any(|note| note.contains("the widest reaches") && note.ends_with(", program.")));

    let medians = Medians::of(&run.samples);
    let record = run.records.iter().rfind(|record| record.partner.is_some()).unwrap();
    let case = run.design.cases.iter().find(|case| case.id() == record.case).unwrap();
    // Whole ticks, as every time in ms nearly is.
    let medians = medians.get(record.attempt, Program::CELL).map(|_| (Kernel::Program, Bytes(0), 1e9));
    let medians: Vec<_> = medians.into_iter().collect();
    let findings = diagnose(&Known { medians: &medians, ..Known::of(case, record) });
    assert!(!medians.is_empty() && findings.is_empty(), "{findings:?}");
}

#[test]
fn every_outcome_has_its_words_in_the_grid_in_tables_and_in_pictures() {
    let last = None;
    let outcomes = [
        (Outcome::Singletons { expected: 2, seen: 1 }, "singleton"),
        (Outcome::TimedOut { phase: Phase::Hello, last }, "no start"),
        (Outcome::TimedOut { phase: Phase::Silence, last }, "hang"),
        (Outcome::TimedOut { phase: Phase::Total, last }, "over time"),
        (Outcome::Exited { code: 139, last }, "exit 139"),
        (Outcome::Signaled { signal: 11, last }, "signal 11"),
        (Outcome::NotStarted { reason: "no mpirun".into() }, "no launch"),
        (Outcome::Garbled { line: "@sifb".into() }, "garbled"),
        (Outcome::NoTurns { expected: 2, seen: 0 }, "no turns"),
        (Outcome::Unsupported { reason: "no fuse".into() }, "cannot"),
        (Outcome::Skipped { reason: "hang".into() }, "not tried"),
        (Outcome::Interrupted, "stopped"),
    ];
    let mut report = synthetic::quick(6, 1).report();
    for (outcome, short) in outcomes {
        report.cases[4].cells[2].status = CellStatus::Failed { outcome: outcome.clone(), measured: 3 };
        let page = check(&report);
        let long = outcome.to_string();
        assert!(page.contains(&format!("title=\"{long}\">{short}</td>")), "{short} in the grid");
        assert!(page.contains(&format!("<strong>{short}</strong><span>{long}</span>")), "{short} in the tables");
        let alternative = between(picture(&page, "latency: hybrid-instance over native"), "<desc>", "</desc>");
        assert!(alternative.contains(&format!("8 KiB {long}; 64 KiB")), "{alternative}");
    }
    for verdict in Verdict::ALL {
        assert!(check(&report).contains(verdict.words()));
    }
}

#[test]
fn no_line_crosses_a_missing_cell() {
    let mut report = synthetic::quick(6, 1).report();
    let page = check(&report);
    let latency = picture(&page, "latency by message size: native, embedded");
    assert_eq!(lines(latency, "series-1"), [6], "embedded has every size");
    assert_eq!(lines(latency, "series-2"), [5], "hybrid hangs at the largest");
    report.cases[2].cells[2].status =
        CellStatus::Failed { outcome: Outcome::Exited { code: 1, last: None }, measured: 0 };
    let page = check(&report);
    assert_eq!(lines(picture(&page, "latency by message size: native, embedded"), "series-1"), [2, 3]);
    report.cases[2].cells.remove(2);
    let page = check(&report);
    assert_eq!(lines(picture(&page, "latency by message size: native, embedded"), "series-1"), [2, 3]);
}

#[test]
fn every_case_of_a_panel_has_a_marker_of_its_own() {
    for run in [synthetic::quick(6, 1), synthetic::two_versions(6, 3)] {
        let page = check(&run.report());
        let keys = page.split("<ul class=\"key\">").skip(3).take_while(|rest| rest.contains("stroke-width=\"15\""));
        let mut seen = 0;
        for key in keys {
            let key = key.split("</ul>").next().unwrap();
            let swatches: Vec<&str> = key.split("<svg class=\"swatch\"").skip(1).collect();
            // After the line through the middle comes the marker: its form is its element without the colour.
            let marker = |swatch: &str| {
                swatch
                    .split('<')
                    .nth(2)
                    .unwrap()
                    .split_once("var")
                    .map(|(a, b)| (a.to_owned(), b.split_once(')').unwrap().1.to_owned()))
            };
            let forms: BTreeSet<_> = swatches.iter().map(|swatch| marker(swatch)).collect();
            let inks: BTreeSet<_> = swatches.iter().map(|swatch| between(swatch, "stroke=\"", "\"")).collect();
            assert_eq!((forms.len(), inks.len()), (swatches.len(), swatches.len()), "{key}");
            seen += swatches.len();
        }
        assert!(seen >= 6, "{seen}");
    }
}

#[test]
fn every_launch_is_a_dot() {
    let mut run = synthetic::quick(8, 1);
    synthetic::analysed(&mut run, Mode::Embedded, 3).outcome = Outcome::Exited { code: 139, last: None };
    let page = check(&run.report());
    let embedded = picture(&page, "embedded: every launch at latency 8 B");
    assert_eq!(embedded.matches("<polygon fill=\"var(--series-1)\"").count(), 7);
    assert_eq!(embedded.matches("<polygon fill=\"var(--failed)\"").count(), 1, "the one that broke off");
    assert_eq!(embedded.matches("<circle").count(), 16, "the baseline's, twice a block");
    assert!(between(embedded, "<desc>", "</desc>").contains("1 more did not complete"));
}

#[test]
fn pictures_say_what_they_show() {
    let page = check(&synthetic::quick(12, 1).report());
    let check = |title: &str, expected: &[&str]| {
        let description = between(picture(&page, title), "<desc>", "</desc>");
        for part in expected {
            assert!(description.contains(part), "{title}: {description}");
        }
    };
    check("latency: hybrid over native", &["1 MiB 1.88 (1.83 to 1.94) slower", "4 MiB hang at latency 4 MiB"]);
    check("latency: native again over native", &["8 B 1.013 (0.980 to 1.048) equivalent"]);
    check(
        "bandwidth by message size: native, embedded",
        &["native: 8 B 55.6 MB/s (54.4 MB/s to 56.5 MB/s)", "hybrid: "],
    );
    check("native: every launch at latency 8 B", &["12 launches between", "median 294 ns"]);
    check("From the start of a launch to the first word after MPI_Init", &["native: 112 ms", "of which MPI_Init"]);
    assert_eq!(pictures(&page).len(), 6 * 3 + 3 + 7 * 3 + 1);
}

#[test]
fn what_others_wrote_is_text() {
    let mut run = synthetic::quick(6, 1);
    let hostile = "</pre><script>alert('x')</script><img src=x onerror=\"y\">&amp;\u{1b}[31m\u{0}";
    run.manifest.facts.insert("cpu".into(), hostile.into());
    run.manifest.facts.insert(hostile.into(), "x".into());
    run.manifest.origins.insert(hostile.into(), hostile.into());
    run.manifest.files[0].path = hostile.into();
    run.design.campaign = hostile.into();
    for record in &mut run.records {
        record.said = vec![hostile.into()];
        record.swept = vec![hostile.into()];
        record.command.program = hostile.into();
        if let Some(hello) = &mut record.hello {
            hello.library = hostile.into();
        }
        if let Some(facts) = &mut record.facts {
            facts.first.cpus = hostile.into();
        }
    }
    synthetic::analysed(&mut run, Mode::Bind, 2).outcome = Outcome::NotStarted { reason: hostile.into() };
    let page = check(&run.report());
    assert!(page.matches("&lt;script&gt;alert").count() > 20);
    assert!(page.contains("&amp;amp;␛[31m␀"), "control characters are shown");
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn reports_with_little_in_them_are_pages_all_the_same() {
    let whole = synthetic::quick(6, 1);
    for length in [0, 1, 9, 20, 40] {
        let mut run = whole.clone();
        run.records.truncate(length);
        run.samples.retain(|sample| sample.attempt.0 as usize <= length);
        let page = check(&run.report());
        assert!(page.contains("can be resumed"));
    }
    let mut nothing = whole.clone();
    nothing.design.cases.clear();
    nothing.design.probes.clear();
    nothing.records.clear();
    nothing.samples.clear();
    nothing.manifest.facts.clear();
    nothing.manifest.files.clear();
    nothing.manifest.origins.clear();
    assert!(pictures(&check(&nothing.report())).is_empty());
}

#[test]
fn strange_sizes_and_figures_have_their_place() {
    let stack = synthetic::quick(1, 1).design.cases[0].stack.clone();
    for sizes in [&["0"][..], &["0", "8"], &["8"], &["0", "1Ki", "3072", "1Gi"]] {
        let mut case = synthetic::case(stack.clone(), sizes);
        case.workload.cells.retain(|cell| cell.kernel == Kernel::Latency);
        let report = synthetic::run(synthetic::design(6, 1, vec![case], Vec::new())).report();
        let page = check(&report);
        let points = sizes.iter().filter(|size| **size != "0").count();
        let expected = if points > 1 { vec![points] } else { Vec::new() };
        assert_eq!(lines(picture(&page, "latency by message size: native"), "text"), expected, "{sizes:?}");
    }
    let mut report = synthetic::quick(6, 1).report();
    for (place, value) in [0.0, 1e-3, 1e15, f64::INFINITY].into_iter().enumerate() {
        let CellStatus::Figure(figure) = &mut report.cases[2].cells[place].status else { panic!("a figure") };
        figure.time.median = value;
        figure.launches[0].median = value;
        figure.ratio.as_mut().unwrap().estimate = value;
    }
    let page = check(&report);
    let far = |number: &str| number.parse::<i64>().is_ok_and(|number| !(-500..=5000).contains(&number));
    for points in page.split("points=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(!points.split([' ', ',']).any(far), "{points}");
    }
}

#[test]
fn a_cell_is_reached_by_its_row_and_column() {
    let report = synthetic::quick(6, 1).report();
    let page = check(&report);
    let grid = between(&page, "<table class=\"grid\">", "</table>");
    let rows: Vec<&str> = grid.split("<tr>").skip(1).collect();
    let width = |row: &str| -> usize {
        let spans = row.split("<td").skip(1).map(|cell| attribute(cell.split('>').next().unwrap(), "colspan"));
        spans.map(|span| span.map_or(1, |span| span.parse::<usize>().unwrap())).sum()
    };
    let cells: usize = Kernel::ALL.iter().map(|kernel| report.sizes(*kernel).len()).sum();
    for row in rows.iter().filter(|row| row.contains("scope=\"row\"")) {
        assert_eq!(width(row), cells, "{row}");
    }
    let hybrid = rows.iter().find(|row| row.contains("hybrid</span>")).unwrap();
    let hang = hybrid.split("<td").position(|cell| cell.contains(">hang<")).unwrap();
    assert_eq!(report.sizes(Kernel::Latency)[hang - 1], Bytes(4 * KI * KI));
}

#[test]
fn a_matrix_is_a_heat_map_in_words_whose_cells_lead_to_their_cases() {
    let run = synthetic::crossed(16, 1);
    let (report, page) = (run.report(), sound(run.page()));
    let maps: Vec<&str> =
        page.split("<table class=\"heat\">").skip(1).map(|rest| between(rest, "", "</table>")).collect();
    assert_eq!(maps.len(), 2, "hybrid and hybrid-sharens");
    for (map, matrix) in maps.iter().zip(&report.matrices) {
        assert_eq!(map.matches("<td").count(), matrix.crossings.len());
        for crossing in matrix.crossings.iter().flatten() {
            let target = format!("case-{}", crossing.case);
            assert!(map.contains(&format!("href=\"#{target}\"")) && page.contains(&format!("id=\"{target}\"")));
        }
    }
    for words in ["▲</span> 1.25 slow", "=</span> 1.0", "singleton</strong>", "<span>hang*</span>", "no mismatch"] {
        assert!(page.contains(words), "{words}");
    }
    let diagonal = maps[0].matches("matched\"").count();
    assert_eq!(diagonal, 4);
}

/// What fails leads to its cause, the evidence and what to type.
#[test]
fn causes_and_the_recommendation_stand_on_the_page() {
    let run = synthetic::quick(12, 1);
    let (report, page) = (run.report(), sound(run.page()));
    let broken = |case: &CaseReport| case.cells.iter().any(|cell| matches!(cell.status, CellStatus::Failed { .. }));
    let failing: Vec<_> = report.cases.iter().filter(|case| broken(case)).map(|case| &case.id).collect();
    assert_eq!(failing.len(), 1);
    let causes = between(&page, "<section id=\"causes\"", "</section>");
    for id in failing.into_iter().chain(report.probes.iter().map(|probe| &probe.id)) {
        let target = format!("why-{id}");
        assert!(page.contains(&format!("href=\"#{target}\"")) && causes.contains(&format!("id=\"{target}\"")));
    }
    let causes = causes.replace("<span>", "").replace("</span>", "");
    for words in
        ["hang at latency 4 MiB", "launches 3, 4", "user namespace one a rank", "<dt>said</dt>", "2 singletons"]
    {
        assert!(causes.contains(words), "{words}: {causes}");
    }
    assert!(!causes.contains("MPI_Finalize"), "what hung did not end late");
    let typed = between(&page, "<section id=\"recommendation\"", "</section>");
    let choice = recommend(&report, &run.design, &Place::of(&run.manifest)).choice.unwrap();
    assert!(typed.contains(&format!("<span class=\"name\">{}</span>", choice.label)), "{typed}");
    assert!(typed.contains("IMG") && typed.contains("ruled out"), "{typed}");
    let alone = check(&report);
    assert!(!alone.contains("id=\"causes\"") && !alone.contains("#why-"));
}

/// Cells of a heat map lead to causes too, and what many of them suffer from is told once.
#[test]
fn a_cause_that_many_crossings_share_is_told_once() {
    let run = synthetic::crossed(6, 1);
    let page = sound(run.page());
    let maps: String = page.split("<table class=\"heat\">").skip(1).map(|rest| between(rest, "", "</table>")).collect();
    let causes = between(&page, "<section id=\"causes\"", "</section>");
    let groups: Vec<&str> = causes.split("<div class=\"cause\">").skip(1).collect();
    let singletons: Vec<_> = groups.iter().filter(|group| group.contains("<h3>2 singletons")).collect();
    let [group] = singletons[..] else { panic!("{} groups", singletons.len()) };
    let ids: Vec<&str> = group.split("id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), 8, "{ids:?}");
    assert!(ids.iter().all(|id| maps.contains(&format!("href=\"#{id}\""))));
}

/// What two nodes allow is told as such: no flag goes between cores that share no memory.
#[test]
fn between_nodes_the_bounds_are_those_of_the_wire() {
    let mut run = synthetic::quick(12, 1);
    for (record, ns) in run.records.iter_mut().zip((0..).map(|n| 34_600_000.0 + 1000.0 * f64::from(n))) {
        record.observed.streams = vec![(Bytes(4 << 20), ns)];
        record.observed.late = Some(Late { canary_over: Some("10.77.0.2".into()), ..Late::default() });
    }
    let page = check(&run.report());
    assert!(page.contains("A byte goes to the other node and back over TCP without MPI in 80.8 ns"));
    assert!(page.contains("Fastest ways to the other node over TCP without MPI: 4 MiB 34.6 ms."));
    assert!(!page.contains("between the two ranks' cores"));
}
