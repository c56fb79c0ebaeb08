//! A/A on runs that were made: here, synthetic ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod duets;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../synthetic/mod.rs"]
mod synthetic;

use duets::Pipeline;
use harness::{
    aa::{self, Assessment, Requirement, Verdict},
    store::{Run, Tail},
};

fn stored(run: synthetic::Run) -> Run {
    let synthetic::Run { manifest, design, records, samples } = run;
    Run { dir: "/results".into(), manifest, design, records, samples, closed: true, tail: Tail::default() }
}

fn requirement<'a>(assessment: &'a Assessment, what: &str) -> &'a Requirement {
    assessment.requirements.iter().find(|requirement| requirement.what.contains(what)).unwrap()
}

fn verdict(assessment: &Assessment, what: &str) -> Verdict {
    requirement(assessment, what).verdict
}

#[test]
fn the_twin_of_a_run_is_a_trial_and_slowdowns_are_put_into_it() {
    let assessment = aa::real(&[stored(synthetic::quick(14, 1))], None).unwrap();
    let source = &assessment.source;
    assert_eq!((source.blocks, source.alike, source.family), (14, 10, 18), "10 blocks can show one of 18");
    assert_eq!(assessment.tally.cells.len(), 18);
    assert!(assessment.tally.cells.iter().all(|cell| cell.excluded.of == 1));
    assert_eq!(assessment.tally.families.of, 1);
    for requirement in &assessment.requirements {
        assert_eq!(requirement.verdict, Verdict::TooFew, "one trial says little: {requirement:?}");
    }
    let slower = |slowdown: f64| {
        assessment.tally.found.iter().filter(|found| found.slowdown == slowdown && found.slower.count == 1).count()
    };
    assert_eq!(slower(0.20), 18);
    assert!(slower(0.05) < 9, "+5 % is not beyond a margin of 5 %");
    let text = aa::render(&assessment);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("open   false alarms of a whole family") && text.contains("10 blocks a trial, 14"), "{text}");
}

#[test]
fn a_long_run_is_several_trials() {
    let run = stored(synthetic::quick(14, 1));
    let assessment = aa::real(std::slice::from_ref(&run), Some(6)).unwrap();
    assert!(assessment.tally.cells.iter().all(|cell| cell.excluded.of == 2), "the last two blocks are not used");
    assert!(assessment.notes[0].contains("18 comparisons with 6 blocks"), "{:?}", assessment.notes);
    assert!(aa::real(std::slice::from_ref(&run), Some(15)).is_none());
    let two = aa::real(&[run, stored(synthetic::quick(14, 2))], None).unwrap();
    assert!(two.tally.cells.iter().all(|cell| cell.excluded.of == 2));
}

/// Duets of twelve minutes, as many as a machine with two cores makes of its baseline with itself.
const BLOCKS: u32 = 1800;

fn assess(pipeline: Pipeline, seed: u64) -> Assessment {
    aa::real(&[stored(pipeline.run(BLOCKS, seed))], None).unwrap()
}

#[test]
fn duets_of_twelve_minutes_are_enough_where_the_method_is_sound() {
    let open = |seed: u64| {
        let assessment = assess(Pipeline::default(), seed);
        assert_ne!(assessment.verdict, Verdict::Failed, "seed {seed}\n{}", aa::render(&assessment));
        assessment.requirements.into_iter().filter(|requirement| requirement.verdict != Verdict::Passed).collect()
    };
    let open: Vec<Vec<Requirement>> = (1..=5).map(open).collect();
    let passed = open.iter().filter(|open| open.is_empty()).count();
    // Chance leaves one in five open.
    assert!(passed >= 3, "{passed} of 5 pass: {open:#?}");
}

#[test]
fn a_twin_that_is_slower_than_itself_fails() {
    let assessment = assess(Pipeline { twin: 0.03, ..Pipeline::default() }, 1);
    for what in ["a cell's 95 %", "against the twin"] {
        assert_eq!(verdict(&assessment, what), Verdict::Failed, "{what}\n{}", aa::render(&assessment));
    }
    assert_eq!(verdict(&assessment, "against the later"), Verdict::Passed, "the order is drawn");
    // Too little to be an alarm in a short trial, and more than the method may be off by.
    let little = assess(Pipeline { twin: 0.015, ..Pipeline::default() }, 1);
    assert_eq!(verdict(&little, "against the twin"), Verdict::Failed, "{}", aa::render(&little));
}

#[test]
fn a_second_turn_that_is_slower_than_the_first_fails() {
    let assessment = assess(Pipeline { later: 0.03, ..Pipeline::default() }, 1);
    assert_eq!(verdict(&assessment, "against the later"), Verdict::Failed, "{}", aa::render(&assessment));
    assert_eq!(assessment.verdict, Verdict::Failed);
    // What saves the verdicts is that the order is drawn: without that they are wrong.
    let never = Pipeline { later: 0.03, baseline_first: true, ..Pipeline::default() };
    assert_eq!(verdict(&assess(never, 1), "a cell's 95 %"), Verdict::Failed);
}

#[test]
fn pairs_that_scatter_like_launches_of_their_own_fail() {
    let assessment = assess(Pipeline { luck: 0.4, ..Pipeline::default() }, 1);
    assert_eq!(verdict(&assessment, "+10 %"), Verdict::Failed, "{}", aa::render(&assessment));
}
