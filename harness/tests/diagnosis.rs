//! Every rule against a launch that was made to fail in its way. `faults/` makes them, with a real Apptainer and MPI.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bench_app::{Bytes, Kernel};
use harness::{
    case::{Case, Entry, Stack},
    diagnose::{Confidence, Finding, Known, diagnose, line, remedy::Change, rules},
    explain::explain,
    id::AttemptId,
    record::{Observed, Outcome, Record},
    report, store,
};
use serde::Deserialize;

/// A launch as it was captured.
#[derive(Deserialize)]
struct Captured {
    case: Case,
    record: Record,
    log: Vec<String>,
    medians: Vec<(Kernel, Bytes, f64)>,
    measured_ns: u64,
}

impl Captured {
    fn read(name: &str) -> Self {
        let path = folder().join(format!("{name}.json"));
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap()
    }

    fn known(&self) -> Known<'_> {
        let Self { case, record, log, medians, measured_ns } = self;
        Known { case, record, log, medians, measured_ns: *measured_ns }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/diagnose")
}

/// Names of the captured launches.
fn names() -> BTreeSet<String> {
    let files = fs::read_dir(folder()).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    files.map(|file| file.strip_suffix(".json").unwrap().to_owned()).collect()
}

#[test]
fn every_rule_has_a_captured_launch_and_names_its_cause() {
    let mut due: BTreeSet<String> = rules::all().map(|rule| rule.name.to_owned()).collect();
    assert_eq!(due.len(), rules::all().count(), "a name stands for one rule");
    due.insert("unknown".into());
    assert_eq!(names(), due);
    for name in due {
        let captured = Captured::read(&name);
        let findings = diagnose(&captured.known());
        let found: Vec<_> = findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert!(found.contains(&name.as_str()), "{name}: {found:?}");
        assert!(findings.iter().all(|finding| !finding.evidence.is_empty()), "{name}: a cause without evidence");
    }
}

/// What each captured launch is said to suffer from, in full: read the diff before accepting it.
#[test]
fn captured_launches_are_explained() {
    let mut text = String::new();
    for name in names() {
        let captured = Captured::read(&name);
        text += &format!("{name}: {}\n", captured.record.outcome);
        text.extend(line(&captured.known()).map(|line| format!("  = {line}\n")));
        text.extend(diagnose(&captured.known()).iter().map(told));
    }
    insta::assert_snapshot!("captured_launches", text);
}

fn told(finding: &Finding) -> String {
    let mut text = format!("  {} ({})\n", finding.rule, finding.confidence.name());
    text.extend(finding.evidence.iter().map(|evidence| format!("    seen: {evidence}\n")));
    text.extend(finding.remedies.iter().map(|advice| match advice.campaign.as_str() {
        "" => format!("    do: {}\n", advice.text),
        campaign => format!("    do: {}; {campaign}\n", advice.text),
    }));
    text
}

/// The record alone, as a report has it, is enough for the line beside an outcome.
#[test]
fn a_failure_is_named_without_its_log() {
    for name in names().into_iter().filter(|name| name != "unknown") {
        let captured = Captured::read(&name);
        let [with, without] = [captured.known(), Known::of(&captured.case, &captured.record)].map(|known| line(&known));
        assert_eq!(with, without, "{name}");
    }
}

#[test]
fn a_rule_claims_no_more_than_what_was_seen() {
    let first = |captured: &Captured| diagnose(&captured.known()).into_iter().next();
    let mut hang = Captured::read("hang-cma");
    assert_eq!(first(&hang).unwrap().rule, "hang-cma");
    // In one user namespace CMA works, whatever else hangs.
    let facts = hang.record.facts.as_mut().unwrap();
    facts.differing.iter_mut().for_each(|rank| rank.user_ns = facts.first.user_ns);
    assert_eq!(first(&hang).unwrap().confidence, Confidence::Unknown);

    let mut newer = Captured::read("newer-launcher");
    assert_eq!(first(&newer).unwrap().rule, "newer-launcher");
    newer.record.observed.boot.as_mut().unwrap().namespace = None;
    assert_eq!(first(&newer).unwrap().rule, "unknown", "who launched is not known");
}

/// mpirun 4.1.8 loses in some launches what ranks tell it; the launch is then no riddle of ours, and worth another try.
#[test]
fn a_cause_that_was_lost_on_the_way_is_not_guessed() {
    let mut captured = Captured::read("component-missing");
    let frame = "[vm:1] [[2,0],0] ORTE_ERROR_LOG: Out of resource in file orte/util/show_help.c at line 507";
    captured.record.said = vec![frame.to_owned()];
    captured.log.clone_from(&captured.record.said);
    let findings = diagnose(&captured.known());
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!(finding.confidence, Confidence::Unknown);
    assert_eq!(finding.evidence, [frame]);
    let advised: Vec<_> = finding.remedies.iter().map(|advice| advice.text.as_str()).collect();
    assert!(matches!(advised.as_slice(), [text] if text.starts_with("run the case again")), "{advised:?}");
}

/// A case whose first launch lost its words is explained by the next one that has them.
#[test]
fn launches_that_ended_alike_are_explained_by_one_that_tells_why() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/vm-2-cores");
    let mut run = store::load(&store::resolve(Path::new(published)).unwrap()).unwrap();
    let label = "hybrid 5.0.11 > 4.1.8";
    let id = run.design.probes.iter().find(|case| case.label() == label).unwrap().id();
    let mut failed = Vec::new();
    for record in run.records.iter_mut().filter(|record| record.case == id) {
        record.outcome = Outcome::Exited { code: 1, last: None };
        (record.facts, record.observed, record.said) = (None, Observed::default(), Vec::new());
        failed.push(record.attempt);
    }
    let [first, second] = failed[..] else { panic!("{failed:?}") };
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    let rules = |telling| {
        let log = |attempt| match attempt == telling {
            true => vec!["A requested component was not found".to_owned()],
            false => vec!["ORTE_ERROR_LOG: Not found in file show_help.c at line 507".to_owned()],
        };
        let explained = explain(&run, &report, &log, Some(label)).unwrap();
        let [ending] = &explained.cases[0].endings[..] else { panic!("{explained:?}") };
        assert_eq!(ending.attempts, failed);
        ending.findings.iter().map(|finding| finding.rule.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rules(first), ["component-missing"]);
    assert_eq!(rules(second), ["component-missing"]);
    assert_eq!(rules(AttemptId(0)), ["unknown"]);
}

/// Advice never takes a fabric away, nor where it is not known whether there is one.
#[test]
fn nothing_that_touches_a_fabric_is_advised_unless_there_is_none() {
    let check = |name: &str, parameter: &str| {
        let mut captured = Captured::read(name);
        let advised = |captured: &Captured| {
            let findings = diagnose(&captured.known());
            let mut advice = findings.iter().flat_map(|finding| &finding.remedies);
            advice.any(|advice| advice.text.contains(parameter))
        };
        assert!(advised(&captured), "{name}: no device, hence no harm");
        captured.record.facts.as_mut().unwrap().first.fabric = vec!["infiniband/uverbs0".into()];
        assert!(!advised(&captured), "{name}: a device is there");
        captured.record.facts = None;
        assert!(!advised(&captured), "{name}: nobody has looked");
    };
    check("hang-cma", "btl_vader_single_copy_mechanism none");
    check("init-ofi", "--mca mtl ^ofi");
    check("finalize-ofi", "--mca btl ^ofi");
}

/// What can be tried is the same case with one change, and not the case itself.
#[test]
fn a_remedy_that_is_a_setting_changes_the_case_and_nothing_else() {
    let check = |name: &str, brief: &str, change: &dyn Fn(&mut Case)| {
        let captured = Captured::read(name);
        let findings = diagnose(&captured.known());
        let mut advice = findings.iter().flat_map(|finding| &finding.remedies);
        let advice = advice.find(|advice| advice.brief == brief).unwrap_or_else(|| panic!("{name}: {findings:#?}"));
        let mut expected = captured.case.clone();
        change(&mut expected);
        assert_eq!(advice.case.as_ref(), Some(&expected), "{name}");
    };
    check("hang-cma", "--sharens", &|case| {
        let Stack::Hybrid { entry, .. } = &mut case.stack else { panic!("a hybrid case") };
        *entry = Entry::Sharens;
    });
    check("ucx-shm", "UCX_POSIX_USE_PROC_LINK=n", &|case| {
        case.settings.env.insert("UCX_POSIX_USE_PROC_LINK".into(), "n".into());
    });
    check("hang-cma", "--mca btl_vader_single_copy_mechanism none", &|case| {
        case.settings.mca.insert("btl_vader_single_copy_mechanism".into(), "none".into());
    });
    check("environment-dropped", "without --cleanenv", &|case| case.settings.flags.clear());
    check("prefixes-differ", "without OPAL_PREFIX", &|case| case.settings.env.clear());
    check("tcp-by-setting", "without --mca btl", &|case| case.settings.mca.clear());
}

#[test]
fn a_flag_goes_with_its_value_and_others_stay() {
    let check = |flags: &[&str], left: &[&str]| {
        let mut case = Captured::read("hang-cma").case;
        case.settings.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let changed = Change::WithoutFlag("--no-mount tmp").apply(&case);
        assert_eq!(changed.map_or(case.settings.flags, |case| case.settings.flags), left);
    };
    check(&["--no-mount", "tmp", "--net"], &["--net"]);
    check(&["--no-mount=tmp"], &[]);
    check(&["--no-mount", "home"], &["--no-mount", "home"]);
    check(&[], &[]);
}
