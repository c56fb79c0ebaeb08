//! Runs played through without processes: a closure decides how each launch ends.

use std::{collections::BTreeMap, num::NonZeroU32};

use bench_app::{Bytes, Kernel, event::Begin, workload::BufferKind};

use super::*;
use crate::{
    against::Against,
    app::Compilation,
    case::{HostMpi, Image, Implementation, Mpi, Placement, Program, Settings, Stack},
    command::CommandSpec,
    decision::{Decision, Pairs},
    id::{AttemptId, Sha256},
    record::{Limits, Phase, SCHEMA, Sample, SampleRange},
};

mod duets;
mod stop;

const MI: u64 = 1 << 20;

fn case(version: &str) -> Case {
    let mpi = Mpi { implementation: Implementation::OpenMpi, version: version.parse().unwrap() };
    let cell = |kernel, bytes| Cell { kernel, bytes: Bytes(bytes), k: NonZeroU32::MIN };
    let cells = [8, MI, 4 * MI, 8 * MI].map(|bytes| cell(Kernel::Latency, bytes)).into_iter();
    let cells = cells.chain([8, 4 * MI, 8 * MI].map(|bytes| cell(Kernel::Bandwidth, bytes))).collect();
    Case {
        stack: Stack::Native { host: HostMpi::new(mpi, "/mpi".into()), app: "/app".into() },
        workload: Workload {
            cells,
            rounds: NonZeroU32::MIN,
            visit_ms: 5,
            order: Order::Shuffled,
            seed: 1,
            buffers: BufferKind::Hot,
        },
        program: None,
        ranks: 2,
        placement: Placement::default(),
        settings: Settings::default(),
    }
}

fn design(blocks: u32) -> Design {
    Design {
        schema: SCHEMA,
        campaign: "test".into(),
        seed: 7,
        blocks,
        app: Compilation::Shared,
        pairs: Pairs::Blocks,
        against: Against::Baseline,
        cases: vec![case("4.1.7"), case("4.1.8"), case("5.0.11")],
        probes: vec![case("5.0.8")],
        limits: Limits::default(),
        decision: Decision::default(),
    }
}

/// Stops at ±5 %.
fn stopping(blocks: u32) -> Design {
    let decision = Decision { precision: Some(0.05), ..Decision::default() };
    Design { decision, ..design(blocks) }
}

fn record(step: &Step<'_>, attempt: u32, outcome: Outcome) -> Record {
    Record {
        attempt: AttemptId(attempt),
        case: step.launch.case.id(),
        purpose: step.launch.purpose,
        block: step.launch.block,
        slot: step.launch.slot,
        partner: None,
        command: CommandSpec::new("true"),
        cells: step.cells.clone(),
        started: "2026-01-01T00:00:00Z".into(),
        wall_ns: 1,
        beside_ns: None,
        stopped_ns: None,
        hello_ns: None,
        outcome,
        hello: None,
        facts: None,
        observed: crate::record::Observed::default(),
        said: Vec::new(),
        lost: Vec::new(),
        swept: Vec::new(),
        samples: SampleRange { offset: 0, bytes: 0, sha256: Sha256::of(b"") },
    }
}

/// Plays the run to its end; `fate` sees the step and how often that very step was seen.
fn play(design: &Design, mut fate: impl FnMut(&Step<'_>) -> Outcome) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some(step) = next(design, &records, &Medians::default()) {
        assert!(!step.cells.is_empty());
        let outcome = fate(&step);
        records.push(record(&step, u32::try_from(records.len()).unwrap() + 1, outcome));
        assert!(records.len() < 500, "the run does not end");
    }
    records
}

/// Hangs at the smallest of its cells that `hangs` names.
fn hang(step: &Step<'_>, hangs: impl Fn(&Cell) -> bool) -> Outcome {
    let mut cells = step.cells.clone();
    cells.sort_by_key(|cell| (cell.bytes, cell.kernel));
    match cells.into_iter().find(hangs) {
        Some(Cell { kernel, bytes, .. }) => {
            Outcome::TimedOut { phase: Phase::Silence, last: Some(Begin { kernel, bytes, visit: 0 }) }
        }
        None => Outcome::Completed,
    }
}

fn count(records: &[Record], purpose: Purpose) -> usize {
    records.iter().filter(|r| r.purpose == purpose).count()
}

#[test]
fn a_healthy_run_makes_every_block_and_the_twin() {
    let design = design(6);
    let records = play(&design, |_| Outcome::Completed);
    assert_eq!(records.len(), length(&design));
    assert_eq!(count(&records, Purpose::Discovery), 3);
    assert_eq!(count(&records, Purpose::Measure), 18);
    assert_eq!(count(&records, Purpose::MeasureTwin), 6);
    assert_eq!(count(&records, Purpose::Probe), 1);
    let baseline = design.cases[0].id();
    assert!(records.iter().all(|r| r.purpose != Purpose::MeasureTwin || r.case == baseline));
}

#[test]
fn blocks_are_permutations_that_depend_on_the_seed_alone() {
    let one = design(20);
    let order = |d: &Design| -> Vec<Vec<(CaseIdText, Purpose)>> {
        (1..=20).map(|b| block(d, b).iter().map(|l| (l.case.id().to_string(), l.purpose)).collect()).collect()
    };
    type CaseIdText = String;
    assert_eq!(order(&one), order(&one.clone()));
    assert_ne!(order(&one), order(&Design { seed: 8, ..one.clone() }));
    let mut first: BTreeMap<_, u32> = BTreeMap::new();
    for block in order(&one) {
        *first.entry(block[0].clone()).or_default() += 1;
        let mut sorted = block.clone();
        sorted.sort();
        let mut expected: Vec<_> = one.cases.iter().map(|c| (c.id().to_string(), Purpose::Measure)).collect();
        expected.push((one.cases[0].id().to_string(), Purpose::MeasureTwin));
        expected.sort();
        assert_eq!(sorted, expected);
    }
    assert_eq!(first.len(), 4, "over twenty blocks every launch comes first at least once");
}

#[test]
fn a_hang_is_rechecked_alone_then_retired_with_the_larger_sizes_and_nothing_else() {
    let design = design(2);
    let sick = design.cases[1].id();
    let records = play(&design, |step| {
        let is_sick = step.launch.case.id() == sick;
        hang(step, |cell| is_sick && cell.bytes.0 >= 4 * MI)
    });
    let of_sick: Vec<_> = records.iter().filter(|r| r.case == sick).collect();
    // Discovery hangs in latency; recheck; discovery of what is left hangs in bandwidth; recheck.
    let purposes: Vec<_> = of_sick.iter().take(4).map(|r| r.purpose).collect();
    assert_eq!(purposes, [Purpose::Discovery, Purpose::Recheck, Purpose::Discovery, Purpose::Recheck]);
    let text = |record: &Record| record.cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(text(of_sick[1]), "latency@4194304:1 latency@8388608:1");
    assert_eq!(text(of_sick[2]), "bandwidth@4194304:1 bandwidth@8388608:1");
    let measured: Vec<_> = of_sick.iter().filter(|r| r.purpose == Purpose::Measure).collect();
    assert_eq!(measured.len(), 2);
    assert!(measured.iter().all(|r| text(r) == "latency@8:1 latency@1048576:1 bandwidth@8:1"));
    let words: Vec<_> =
        retired(&design.cases[1], &records).iter().map(|r| format!("{}: {}", r.cell, r.outcome)).collect();
    assert_eq!(
        words,
        [
            "latency@4194304:1: hang at latency 4 MiB",
            "latency@8388608:1: not tried: hang at latency 4 MiB",
            "bandwidth@4194304:1: hang at bandwidth 4 MiB",
            "bandwidth@8388608:1: not tried: hang at bandwidth 4 MiB",
        ]
    );
}

#[test]
fn a_starved_launch_is_rechecked_and_stays() {
    let design = design(3);
    let mut starved = Vec::new();
    let records = play(&design, |step| {
        let purpose = step.launch.purpose;
        let once = matches!(purpose, Purpose::Discovery | Purpose::Measure) && !starved.contains(&purpose);
        starved.push(purpose);
        hang(step, |cell| once && cell.bytes.0 == MI)
    });
    assert_eq!(count(&records, Purpose::Recheck), 2);
    assert!(design.cases.iter().all(|case| retired(case, &records).is_empty()));
    assert_eq!(count(&records, Purpose::Measure), 9, "a failed launch is a result: it is not made again");
}

#[test]
fn a_case_that_never_starts_is_tried_twice_and_left_alone() {
    let design = design(2);
    let sick = design.cases[2].id();
    let records = play(&design, |step| {
        if step.launch.case.id() == sick { Outcome::Singletons { expected: 2, seen: 1 } } else { Outcome::Completed }
    });
    let purposes: Vec<_> = records.iter().filter(|r| r.case == sick).map(|r| r.purpose).collect();
    assert_eq!(purposes, [Purpose::Discovery, Purpose::Recheck]);
    assert!(remaining(&design.cases[2], &records).is_empty());
}

#[test]
fn an_interrupted_launch_is_made_again() {
    let design = design(2);
    let mut seen = 0;
    let records = play(&design, |_| {
        seen += 1;
        if seen == 5 { Outcome::Interrupted } else { Outcome::Completed }
    });
    assert_eq!(records.len(), length(&design) + 1);
    assert_eq!((records[4].block, records[4].slot), (records[5].block, records[5].slot));
}

#[test]
fn resuming_at_any_point_goes_on_as_if_nothing_had_happened() {
    let design = design(2);
    let sick = design.cases[1].id();
    let fate = |step: &Step<'_>| hang(step, |cell| step.launch.case.id() == sick && cell.bytes.0 >= 4 * MI);
    let whole = play(&design, fate);
    for stop in 0..whole.len() {
        let step = next(&design, &whole[..stop], &Medians::default()).unwrap();
        let expected = &whole[stop];
        assert_eq!((step.launch.case.id(), step.launch.purpose), (expected.case.clone(), expected.purpose));
        assert_eq!(step.cells, expected.cells);
    }
}

#[test]
fn an_estimate_is_made_of_launches_and_a_budget_bounds_it() {
    let check = |design: Design, launches: [usize; 2], words: &str| {
        let estimate = estimate(&design);
        assert_eq!((estimate.launches, estimate.to_string().as_str()), (launches, words));
    };
    // 28 launches of 1.2 s and twice 7 visits of 5 ms.
    check(design(6), [28, 28], "about 36 s, 0.01 node-hours");
    check(stopping(60), [44, 244], "about 56 s to 5 min, at most 0.09 node-hours");
    let decision = Decision { budget_min: Some(2.0), ..stopping(60).decision };
    check(Design { decision, ..design(60) }, [44, 244], "about 56 s to 2 min, at most 0.03 node-hours");
    assert_eq!(length(&design(6)), 28);
}

#[test]
fn blocks_that_could_show_nothing_are_told_beforehand() {
    let check = |design: Design, expected: &[&str]| assert_eq!(doubts(&design), expected);
    check(design(9), &["9 blocks can show no difference among 14 comparisons: that takes 10"]);
    check(design(10), &[]);
    // Nothing is compared.
    check(Design { cases: vec![case("4.1.8")], ..design(1) }, &[]);
    let looking = |first_look| Decision { precision: Some(0.02), first_look, ..Decision::default() };
    check(Design { decision: looking(12), ..design(12) }, &[]);
    let early = "12 blocks end before the first look at precision, which takes first_look = 13: --blocks 13 or more";
    check(Design { decision: looking(13), ..design(12) }, &[early]);
}

fn of_program(blocks: u32) -> Design {
    let mut design = design(blocks);
    for case in design.cases.iter_mut().chain(&mut design.probes) {
        case.program = Some(Program { argv: vec!["/app".into()], expect: "done".into() });
        case.workload = Program::workload(1);
    }
    design
}

/// Two ranks that do not find each other end with code 0 each, and take a time that would pass for a figure.
#[test]
fn a_program_is_not_launched_where_ranks_do_not_find_each_other() {
    let design = of_program(1);
    let singletons = Outcome::Singletons { expected: 2, seen: 1 };
    let hang = Outcome::TimedOut {
        phase: Phase::Silence,
        last: Some(Begin { kernel: Kernel::Latency, bytes: Bytes(8), visit: 0 }),
    };
    for failure in [singletons, hang] {
        let (mut records, mut launched) = (Vec::new(), Vec::new());
        while let Some(step) = next(&design, &records, &Medians::default()) {
            assert_eq!(step.cells, [Program::CELL]);
            let outcome = match (step.launch.case == &design.cases[1], step.launch.runs) {
                (true, Runs::World) => failure.clone(),
                (true, Runs::BenchApp | Runs::Program) => panic!("launched although {failure}"),
                (false, _) => Outcome::Completed,
            };
            launched.push((step.launch.purpose, step.launch.runs));
            records.push(record(&step, u32::try_from(records.len()).unwrap() + 1, outcome));
        }
        let worlds = launched.iter().filter(|(_, runs)| *runs == Runs::World).count();
        assert_eq!(worlds, 5, "three cases, the recheck and the probe: {launched:?}");
        let analysed: Vec<_> = launched.iter().filter(|(purpose, _)| is_analysed(*purpose)).collect();
        assert!(analysed.len() == 3 && analysed.iter().all(|(_, runs)| *runs == Runs::Program), "{launched:?}");
        let gone = retired(&design.cases[1], &records);
        assert_eq!(gone, [Retired { cell: Program::CELL, outcome: failure }]);
    }
}

#[test]
fn what_a_program_takes_is_estimated_by_its_deadline_at_most() {
    let (own, bench) = (estimate(&of_program(6)), estimate(&Design { limits: Limits::default(), ..design(6) }));
    let launches = (3 + 6 * 4 + 1) as f64;
    assert!(own.seconds[1] >= launches * Limits::default().total_s, "{own}");
    assert!(own.seconds[0] < 90.0 && bench.seconds[1] < 180.0, "{own} {bench}");
}
