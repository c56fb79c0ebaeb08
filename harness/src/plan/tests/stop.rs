//! When there are enough launches, of a run and of a case.

use super::*;
use crate::against::reference;

/// Plays a run to its end: a launch takes a second, and measures what `ns` says for its purpose and block.
fn play_timed(design: &Design, ns: impl Fn(&Step<'_>) -> f64) -> (Vec<Record>, Medians) {
    let (mut records, mut medians) = (Vec::new(), Medians::default());
    while let Some(step) = next(design, &records, &medians) {
        let attempt = u32::try_from(records.len()).unwrap() + 1;
        medians.add(&samples(&step, attempt, ns(&step)));
        records.push(Record { wall_ns: 1_000_000_000, ..record(&step, attempt, Outcome::Completed) });
        assert!(records.len() < 500, "the run does not end");
    }
    (records, medians)
}

fn samples(step: &Step<'_>, attempt: u32, ns: f64) -> Vec<Sample> {
    let sample = |cell: &Cell| Sample {
        attempt: AttemptId(attempt),
        kernel: cell.kernel,
        bytes: cell.bytes,
        visit: 0,
        batch: 0,
        k: 1,
        ns: (ns * 1e6) as u64,
    };
    step.cells.iter().map(sample).collect()
}

/// Blocks of a run, and why there are no more.
fn blocks_of(design: &Design, (records, medians): &(Vec<Record>, Medians)) -> (u32, Option<Ended>) {
    let analysed = records.iter().filter(|record| record.purpose == Purpose::Measure);
    (analysed.map(|record| record.block).max().unwrap_or(0), ended(design, records, medians))
}

/// The baseline's launches scatter by `share` from block to block; other cases take twice as long.
fn scattered(share: f64, until: u32) -> impl Fn(&Step<'_>) -> f64 {
    move |step| {
        let is_baseline = step.launch.case.label() == "native 4.1.7";
        let block = step.launch.block;
        let luck = 1.0 + if block <= until { share * f64::from(block * 7 % 11) / 10.0 } else { 0.0 };
        if is_baseline { luck } else { 2.0 }
    }
}

#[test]
fn a_run_stops_at_the_look_at_which_its_intervals_are_narrow() {
    let check = |ns: &dyn Fn(&Step<'_>) -> f64, expected: (u32, Ended)| {
        let design = stopping(32);
        let (blocks, why) = blocks_of(&design, &play_timed(&design, ns));
        assert_eq!((blocks, why.unwrap()), expected);
    };
    check(&scattered(0.02, 99), (10, Ended::Precision));
    // Half-widths of 6.3, 5.6 and 4.1 % after 10, 15 and 20 blocks.
    check(&scattered(0.25, 8), (20, Ended::Precision));
    // Twice as long for sure, at every look: that is no reason to stop.
    check(&scattered(0.5, 99), (32, Ended::Blocks));
}

#[test]
fn intervals_that_are_not_primary_may_be_wide() {
    let all = stopping(32);
    let decision = Decision { primary: vec![Kernel::Bandwidth], ..all.decision.clone() };
    let primary = Design { decision, ..all.clone() };
    let blocks = |design: &Design| {
        let (mut records, mut medians) = (Vec::new(), Medians::default());
        while let Some(step) = next(design, &records, &medians) {
            let attempt = u32::try_from(records.len()).unwrap() + 1;
            let mut samples = samples(&step, attempt, 1.0);
            for sample in samples.iter_mut().filter(|sample| sample.kernel == Kernel::Latency) {
                sample.ns = (scattered(0.5, 99)(&step) * 1e6) as u64;
            }
            medians.add(&samples);
            records.push(record(&step, attempt, Outcome::Completed));
        }
        blocks_of(design, &(records, medians))
    };
    assert_eq!(blocks(&all), (32, Some(Ended::Blocks)));
    assert_eq!(blocks(&primary), (10, Some(Ended::Precision)));
}

#[test]
fn no_block_is_begun_that_the_budget_has_no_room_for() {
    // Three launches of discovery, four a block: after the sixth block 27 s are spent.
    let decision = Decision { budget_min: Some(0.5), ..Decision::default() };
    let design = Design { decision, ..design(32) };
    let made = play_timed(&design, scattered(0.1, 99));
    assert_eq!(blocks_of(&design, &made), (6, Some(Ended::Budget)));
    assert_eq!(count(&made.0, Purpose::Probe), 1, "what is tried for its outcome is tried all the same");
}

#[test]
fn a_budget_does_not_count_on_what_is_retired() {
    let decision = Decision { budget_min: Some(1.0), ..Decision::default() };
    let design = Design { decision, ..design(32) };
    let (mut records, sick) = (Vec::new(), design.cases[1].id());
    while let Some(step) = next(&design, &records, &Medians::default()) {
        let fails = step.launch.block > 0 && step.launch.case.id() == sick;
        let (outcome, seconds) =
            if fails { (Outcome::Singletons { expected: 2, seen: 1 }, 20) } else { (Outcome::Completed, 1) };
        let made = record(&step, u32::try_from(records.len()).unwrap() + 1, outcome);
        records.push(Record { wall_ns: seconds * 1_000_000_000, ..made });
    }
    // After the first block, in which a case fails and does so again alone, 46 s are spent; each other takes three.
    assert_eq!(blocks_of(&design, &(records, Medians::default())), (5, Some(Ended::Budget)));
}

#[test]
fn a_run_that_stops_on_precision_resumes_as_if_nothing_had_happened() {
    let design = stopping(32);
    let (whole, medians) = play_timed(&design, scattered(0.25, 8));
    for stop in (0..whole.len()).step_by(7) {
        let step = next(&design, &whole[..stop], &medians).unwrap();
        let expected = &whole[stop];
        assert_eq!((step.launch.block, step.launch.slot), (expected.block, expected.slot));
        assert_eq!(ended(&design, &whole[..stop], &medians).is_some(), expected.purpose == Purpose::Probe);
    }
    assert!(next(&design, &whole, &medians).is_none());
}

/// Stops at ±5 %, and before that a case by itself.
fn resting(pairs: Pairs) -> Design {
    let all = stopping(40);
    let decision = Decision { rest: true, ..all.decision.clone() };
    Design { pairs, decision, ..all }
}

/// Plays a run of which launches of 5.0.11 scatter from block to block, until the 24th, and no others.
fn play_with_one_unsteady(design: &Design) -> (Vec<Record>, Medians) {
    let (mut records, mut medians) = (Vec::new(), Medians::default());
    while let Some(step) = next(design, &records, &medians) {
        let number = u32::try_from(records.len()).unwrap() + 1;
        let several = step.partner.is_some();
        for (launch, at) in step.launches().zip(0..) {
            let alone = Step { launch: launch.clone(), partner: None, cells: step.cells.clone() };
            let unsteady = launch.case.label() == "native 5.0.11" && launch.block <= 24;
            let luck = if unsteady { 0.04 * f64::from(launch.block * 7 % 11) } else { 0.0 };
            medians.add(&samples(&alone, number + at, 1.0 + luck));
            let partner = several.then_some(AttemptId(number + 1 - at));
            let made = record(&alone, number + at, Outcome::Completed);
            records.push(Record { partner, wall_ns: 1_000_000_000, ..made });
        }
        assert!(records.len() < 500, "the run does not end");
    }
    (records, medians)
}

/// The last analysed block of a case's launches.
fn last_block(records: &[Record], purpose: Purpose, case: &Case) -> u32 {
    let of_case = records.iter().filter(|r| r.purpose == purpose && r.case == case.id());
    of_case.map(|record| record.block).max().unwrap_or(0)
}

#[test]
fn a_case_that_is_told_well_enough_rests_and_the_time_goes_to_the_others() {
    for pairs in [Pairs::Blocks, Pairs::Duet] {
        let design = resting(pairs);
        let made = play_with_one_unsteady(&design);
        let (blocks, why) = blocks_of(&design, &made);
        assert_eq!(why, Some(Ended::Precision), "{pairs:?}");
        let [baseline, steady, unsteady] = &design.cases[..] else { panic!("three cases") };
        let last = |purpose, case| last_block(&made.0, purpose, case);
        assert_eq!(last(Purpose::Measure, steady), 10, "{pairs:?}: it is narrow at the first look");
        assert_eq!(last(Purpose::MeasureTwin, baseline), 10, "{pairs:?}: and the baseline against itself");
        assert_eq!((last(Purpose::Measure, unsteady), last(Purpose::Measure, baseline)), (blocks, blocks));
        assert!((15..40).contains(&blocks), "{pairs:?}: {blocks} blocks");
        let per_block = made.0.iter().filter(|record| record.block == blocks).count();
        assert_eq!(per_block, 2, "{pairs:?}: the baseline, and what is compared with it");
        // Nobody rests where nothing says so, and as many blocks are enough.
        let design = Design { pairs, ..stopping(40) };
        let all = play_with_one_unsteady(&design);
        assert_eq!(blocks_of(&design, &all), (blocks, why));
        assert_eq!(last_block(&all.0, Purpose::Measure, steady), blocks);
    }
}

/// Of a crossing without `native` of its image's version no ratio is ever shown that could be narrow enough.
#[test]
fn what_is_compared_with_nothing_does_not_rest() {
    let mut design = Design { against: Against::OwnVersion, ..resting(Pairs::Blocks) };
    let mpi = Mpi { implementation: Implementation::OpenMpi, version: "5.0.8".parse().unwrap() };
    let stack = Stack::Embedded { image: Image { mpi: Some(mpi), path: "/image".into() } };
    let alone = Case { stack, ..design.cases[1].clone() };
    assert_eq!(reference(&design, &alone), None);
    design.cases.push(alone.clone());
    let made = play_with_one_unsteady(&design);
    let (blocks, why) = blocks_of(&design, &made);
    assert_eq!(why, Some(Ended::Precision));
    let [steady, alone] = [&design.cases[1], &alone].map(|case| last_block(&made.0, Purpose::Measure, case));
    assert!(steady < blocks && alone == blocks, "{steady} and {alone} of {blocks}");
}

#[test]
fn nobody_rests_before_a_difference_could_be_shown() {
    // 28 comparisons take eleven blocks, so that the look after ten is too early.
    let mut design = resting(Pairs::Duet);
    let mut cells = design.cases[1].workload.cells.clone();
    cells.extend(cells.clone().into_iter().map(|cell| Cell { bytes: Bytes(cell.bytes.0 + 1), ..cell }));
    design.cases.iter_mut().for_each(|case| case.workload.cells.clone_from(&cells));
    assert_eq!(fewest_blocks(&design), 11);
    let made = play_with_one_unsteady(&design);
    assert_eq!(last_block(&made.0, Purpose::Measure, &design.cases[1]), 15);
}

#[test]
fn a_budget_counts_on_what_is_still_launched() {
    let of = |rest: bool, minutes: f64| {
        let design = resting(Pairs::Duet);
        let decision = Decision { rest, budget_min: Some(minutes), ..design.decision.clone() };
        let design = Design { decision, ..design };
        let made = play_with_one_unsteady(&design);
        blocks_of(&design, &made)
    };
    // Three launches of discovery, three duets a block: ten blocks and no more in 34 s; with two cases at rest a second of
    // each second is left for the third.
    assert_eq!(of(false, 34.5 / 60.0), (10, Some(Ended::Budget)));
    assert_eq!(of(true, 34.5 / 60.0), (11, Some(Ended::Budget)));
}

#[test]
fn a_run_in_which_cases_rest_resumes_as_if_nothing_had_happened() {
    let design = resting(Pairs::Duet);
    let (whole, medians) = play_with_one_unsteady(&design);
    for stop in 0..whole.len() {
        let step = next(&design, &whole[..stop], &medians).unwrap();
        // Of a duet of which half was committed both are made again.
        let half = whole[stop].partner.is_some_and(|partner| partner < whole[stop].attempt);
        let expected = &whole[stop - usize::from(half)];
        assert_eq!((step.launch.block, step.launch.slot), (expected.block, expected.slot), "after {stop}");
    }
    assert!(next(&design, &whole, &medians).is_none());
}

#[test]
fn a_look_tells_whose_interval_is_widest_and_who_is_at_rest() {
    let design = resting(Pairs::Duet);
    let (records, medians) = play_with_one_unsteady(&design);
    let by_then = |made: u32| &records[..records.partition_point(|record| record.block <= made)];
    let look = |made: u32| look(&design, by_then(made), &medians, made);
    assert_eq!(look(9), None);
    let first = look(10).unwrap();
    let (name, cell, half) = first.widest.unwrap();
    assert_eq!((name.as_str(), cell.kernel), ("native 5.0.11", Kernel::Bandwidth));
    assert!(half.unwrap() > 0.05_f64.ln_1p(), "{half:?}");
    assert_eq!(first.at_rest, ["native 4.1.8", "native 4.1.7 again"]);
    let nobody = Design { decision: Decision { rest: false, ..design.decision.clone() }, ..design.clone() };
    assert!(super::look(&nobody, by_then(10), &medians, 10).unwrap().at_rest.is_empty());
}
