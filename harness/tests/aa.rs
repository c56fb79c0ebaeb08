//! A/A on runs that were made: here, synthetic ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[expect(dead_code, reason = "other tests use the rest")]
mod synthetic;

use harness::{
    aa::{self, Assessment, Slices, Verdict},
    store::{Run, Tail},
};

fn stored(blocks: u32, seed: u64) -> Run {
    let synthetic::Run { manifest, design, records, samples } = synthetic::quick(blocks, seed);
    Run { dir: "/results".into(), manifest, design, records, samples, closed: true, tail: Tail::default() }
}

fn verdict(assessment: &Assessment, what: &str) -> Verdict {
    assessment.requirements.iter().find(|requirement| requirement.what.contains(what)).unwrap().verdict
}

#[test]
fn the_twin_of_a_run_is_a_trial_and_slowdowns_are_put_into_it() {
    let assessment = aa::real(&[stored(14, 1)], Slices::Whole).unwrap();
    assert_eq!((assessment.source.blocks, assessment.source.family), (14, 18));
    assert_eq!(assessment.tally.cells.len(), 18);
    assert!(assessment.tally.cells.iter().all(|cell| cell.excluded.of == 1));
    assert_eq!(assessment.tally.families.of, 1);
    assert_eq!(verdict(&assessment, "family (Holm)"), Verdict::TooFew, "one family says little");
    let slower = |slowdown: f64| {
        assessment.tally.found.iter().filter(|found| found.slowdown == slowdown && found.slower.count == 1).count()
    };
    assert_eq!(slower(0.20), 18);
    assert!(slower(0.05) < 9, "+5 % is not beyond a margin of 5 %");
    let text = aa::render(&assessment);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("open   false alarms of a whole family") && text.contains("14 blocks a trial"), "{text}");
}

#[test]
fn a_long_run_is_several_trials() {
    let run = stored(14, 1);
    let assessment = aa::real(std::slice::from_ref(&run), Slices::Of(6)).unwrap();
    assert!(assessment.tally.cells.iter().all(|cell| cell.excluded.of == 2), "the last two blocks are not used");
    assert!(assessment.notes[0].contains("18 comparisons with 6 blocks"), "{:?}", assessment.notes);
    assert!(aa::real(std::slice::from_ref(&run), Slices::Of(15)).is_none());
    let two = aa::real(&[run, stored(14, 2)], Slices::Whole).unwrap();
    assert!(two.tally.cells.iter().all(|cell| cell.excluded.of == 2));
}
