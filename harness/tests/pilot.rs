//! What a pilot teaches: known scatter is found again, and a published run gives a campaign that can be planned.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[expect(dead_code, reason = "shared with other tests")]
mod synthetic;

use std::path::Path;

use assert_cmd::Command;
use harness::{
    case::Case,
    decision::Pairs,
    pilot::{BATCH_NS, NoAdvice, advise},
    record::{Design, Purpose, Record},
};
use predicates::{prelude::PredicateBooleanExt, str::contains};

#[test]
fn a_known_scatter_is_found_again_and_sets_visits_and_blocks() {
    let mut run = synthetic::quick(40, 3);
    let advice = |run: &synthetic::Run| advise(&run.design, &run.records, &run.samples).unwrap();
    let plain = advice(&run);
    // The made-up machine: 3 % of a launch and 1.5 % of each cell in it; batches within 4 %, some slower.
    assert!((0.028..0.040).contains(&plain.grounds.between_launches), "{plain:?}");
    assert!((0.002..0.015).contains(&plain.grounds.between_visits), "{plain:?}");
    assert_eq!(plain.rounds.get(), 3, "launches scatter more than visits: more visits would be in vain");
    assert_eq!((plain.blocks, plain.grounds.precision), (12, None), "the fewest for a family of 60 to 90");

    run.design.decision.precision = Some(0.01);
    let fine = advice(&run);
    // (1.96 * 0.047 / 0.01)^2 * 1.05 is about 90; the widest of all comparisons scatters somewhat more.
    assert!((80..200).contains(&fine.blocks) && fine.blocks.is_multiple_of(5), "{fine:?}");
    run.design.decision.precision = Some(0.02);
    assert!(advice(&run).blocks < fine.blocks / 2);
}

/// Where versions are crossed, what all launches of one version do together is no scatter of the comparisons among them.
#[test]
fn a_case_of_a_matrix_scatters_about_its_own_reference() {
    let mut run = synthetic::crossed(12, 1);
    let sd = |run: &synthetic::Run| {
        let advice = advise(&run.design, &run.records, &run.samples).unwrap();
        advice.grounds.widest.unwrap().1
    };
    // Natives are compared with the first of them, whatever they load.
    let native = |case: &&Case| case.label() == "native 5.0.11";
    let native = run.design.cases.iter().find(native).map(Case::id).unwrap();
    run.records.retain(|record| record.case != native);
    let before = sd(&run);
    let loads = |case: &Case| {
        let image = case.stack.image().and_then(|image| image.mpi.as_ref());
        image.or(case.stack.host().map(|host| &host.mpi)).unwrap().version.to_string()
    };
    let ids: Vec<_> = run.design.cases.iter().filter(|case| loads(case) == "5.0.11").map(Case::id).collect();
    for record in run.records.iter().filter(|record| ids.contains(&record.case) && record.block.is_multiple_of(2)) {
        run.samples.iter_mut().filter(|s| s.attempt == record.attempt).for_each(|sample| sample.ns *= 2);
    }
    assert!((sd(&run) / before).ln().abs() < 0.1, "{} instead of {before}", sd(&run));
}

/// A number in -1..1, the same for the same.
fn luck(of: (u32, u32, u32)) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in [of.0, of.1, of.2] {
        hash = (hash ^ u64::from(part)).wrapping_mul(0x0100_0000_01b3);
        hash ^= hash >> 29;
    }
    (hash % 20_001) as f64 / 1e4 - 1.0
}

/// Every launch longer by a factor of its place in the run, of the visit, and of whether it is the baseline's.
fn times(run: &mut synthetic::Run, factor: impl Fn(&Record, u32, bool) -> f64) {
    let baseline = run.design.cases[0].id();
    for record in run.records.iter().filter(|record| record.partner.is_some()) {
        let is_baseline = record.case == baseline && record.purpose == Purpose::Measure;
        for sample in run.samples.iter_mut().filter(|sample| sample.attempt == record.attempt) {
            sample.ns = (sample.ns as f64 * factor(record, sample.visit, is_baseline)) as u64;
        }
    }
}

/// What both of a duet have in common decides nothing there, between duets and between visits of one.
#[test]
fn of_duets_the_ratios_scatter_and_not_the_launches() {
    let duets = || {
        let mut run = synthetic::duets(12, 1);
        run.records.iter_mut().for_each(|record| record.wall_ns = 12_000_000_000);
        run
    };
    let advice = |run: &synthetic::Run| advise(&run.design, &run.records, &run.samples).unwrap();
    // A third of these duets takes three times as long. A launch scatters by 3.4 %, and a ratio by as much twice.
    let grounds = advice(&duets()).grounds;
    assert!((0.035..0.06).contains(&grounds.between_launches), "{grounds:?}");
    assert!((0.01..0.03).contains(&grounds.between_visits), "{grounds:?}");

    let mut drifting = duets();
    times(&mut drifting, |record, visit, _| 1.0 + 0.4 * luck((record.block, record.slot / 2, visit)));
    let common = advice(&drifting).grounds;
    assert!((common.between_visits / grounds.between_visits - 1.0).abs() < 0.1, "{common:?}");
    assert!((common.between_launches / grounds.between_launches - 1.0).abs() < 0.1, "{common:?}");

    // Here visits of the one scatter much more than ratios do between duets: more visits help, and launches would hide it.
    let mut apart = duets();
    times(
        &mut apart,
        |record, visit, is_baseline| {
            if is_baseline { 1.0 } else { 1.0 + 0.4 * luck((record.block, record.slot, visit)) }
        },
    );
    let apart = advice(&apart);
    assert!((0.18..0.30).contains(&apart.grounds.between_visits), "{apart:?}");
    assert!(apart.rounds.get() >= 2 * advice(&duets()).rounds.get(), "{apart:?}");
    assert!(apart.grounds.widest.unwrap().1 > grounds.widest.unwrap().1);
}

/// A case of a matrix and its own reference take turns with the baseline each: the luck of four launches, and none of the
/// machine's.
#[test]
fn cases_that_never_met_scatter_by_what_each_takes_over_its_partner() {
    let design = Design { pairs: Pairs::Duet, ..synthetic::crossed(8, 1).design };
    let widest =
        |run: &synthetic::Run| advise(&run.design, &run.records, &run.samples).unwrap().grounds.widest.unwrap();
    let mut run = synthetic::run(design);
    let (name, before) = widest(&run);
    assert!(!name.starts_with("native"), "{name}");
    times(&mut run, |record, _, _| 1.0 + 0.4 * luck((record.block, record.slot / 2, 0)));
    assert!((widest(&run).1 / before).ln().abs() < 0.1, "{:?} instead of {name}, {before}", widest(&run));
}

#[test]
fn the_time_of_a_duet_is_that_of_two_launches() {
    let mut run = synthetic::duets(6, 1);
    run.records.iter_mut().for_each(|record| record.wall_ns = 3_000_000_000);
    let advice = advise(&run.design, &run.records, &run.samples).unwrap();
    let each = advice.grounds.launch_s + 3.0 * advice.grounds.round_s;
    assert!((1.4..1.6).contains(&each), "{each} s for one of two launches that take 3 s together");
}

#[test]
fn k_is_the_same_in_all_modes_and_enough_for_the_fastest() {
    let run = synthetic::quick(4, 1);
    let advice = advise(&run.design, &run.records, &run.samples).unwrap();
    assert_eq!(advice.cells.len(), run.design.cases[0].workload.cells.len());
    for cell in &advice.cells {
        let times = run.samples.iter().filter(|s| (s.kernel, s.bytes) == (cell.kernel, cell.bytes));
        let fastest = times.map(|s| s.ns as f64 / f64::from(s.k)).fold(f64::INFINITY, f64::min);
        assert!(f64::from(cell.k.get()) * fastest > 0.8 * BATCH_NS, "{cell}: {fastest} ns");
    }
}

#[test]
fn too_few_launches_teach_nothing() {
    let run = synthetic::quick(2, 1);
    let mut records = run.records.clone();
    records.retain(|record| record.block < 2);
    assert!(matches!(advise(&run.design, &records, &run.samples), Err(NoAdvice::TooFewLaunches)));
}

#[test]
fn the_published_run_tunes_its_campaign() {
    let home = tempfile::tempdir().unwrap();
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/vm-2-cores");
    let sifbench = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifbench"));
        command.env_clear().env("HOME", home.path()).env("PATH", home.path()).current_dir(home.path());
        command
    };
    let pilot = sifbench().args(["pilot", "versions", "--from"]).arg(&published).assert().code(0);
    pilot.stdout(contains("scatter").and(contains("K = ")).and(contains("versions-tuned.toml\n")));
    let text = std::fs::read_to_string(home.path().join("versions-tuned.toml")).unwrap();
    assert!(text.starts_with("# K, rounds and blocks were fixed by a pilot on ") && text.contains("latency = [\"8:"));
    sifbench().args(["plan", "versions-tuned.toml"]).assert().code(0).stdout(contains("latency@8:"));
    let other = sifbench().args(["pilot", "quick", "--from"]).arg(&published).assert();
    other.code(0).stdout(contains("quick-tuned.toml"));
    sifbench().args(["pilot", "versions", "--from", "."]).assert().code(1).stderr(contains("hint"));
    // A program has neither K nor visits.
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/program/stencil.toml");
    let refused = sifbench().arg("pilot").arg(&program).assert().code(1);
    refused.stderr(contains("measures a program whole").and(contains("hint: `precision` under [decision]")));
}
