//! Launches that take turns.

use super::*;

fn duets(blocks: u32) -> Design {
    Design { pairs: Pairs::Duet, ..design(blocks) }
}

/// Plays a run of duets to its end; `fate` sees each launch, whether it has a partner, and its cells.
fn play_duets(design: &Design, mut fate: impl FnMut(&Step<'_>, &Launch<'_>) -> Outcome) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some(step) = next(design, &records, &Medians::default()) {
        assert!(!step.cells.is_empty());
        let number = u32::try_from(records.len()).unwrap() + 1;
        let made: Vec<Record> = step
            .launches()
            .map(|launch| {
                let alone = Step { launch: launch.clone(), partner: None, cells: step.cells.clone() };
                record(&alone, 0, fate(&step, launch))
            })
            .collect();
        let several = made.len() > 1;
        for (made, at) in made.into_iter().zip(0..) {
            let partner = several.then_some(AttemptId(number + 1 - at));
            records.push(Record { attempt: AttemptId(number + at), partner, ..made });
        }
        assert!(records.len() < 500, "the run does not end");
    }
    records
}

#[test]
fn in_duets_the_baseline_meets_every_other_case_and_itself_once_a_block() {
    let design = duets(20);
    let records = play_duets(&design, |_, _| Outcome::Completed);
    assert_eq!(records.len(), length(&design));
    let baseline = design.cases[0].id();
    let mut first_turns = 0;
    for block in 1..=20 {
        let of_block: Vec<&Record> = records.iter().filter(|r| r.block == block).collect();
        assert_eq!(of_block.iter().map(|r| r.slot).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        let mut partners = Vec::new();
        for duet in of_block.chunks(2) {
            assert!(are_partners(duet[0], duet[1]) && are_partners(duet[1], duet[0]));
            let is_baseline = |r: &Record| r.case == baseline && r.purpose == Purpose::Measure;
            let (one, other) = if is_baseline(duet[0]) { (duet[0], duet[1]) } else { (duet[1], duet[0]) };
            assert!(is_baseline(one), "a duet without the baseline");
            first_turns += usize::from(one.slot % 2 == 0);
            partners.push((other.case.to_string(), other.purpose));
        }
        partners.sort();
        let others = design.cases.iter().skip(1).map(|case| (case.id().to_string(), Purpose::Measure));
        let mut expected: Vec<_> = others.chain([(baseline.to_string(), Purpose::MeasureTwin)]).collect();
        expected.sort();
        assert_eq!(partners, expected);
    }
    assert!((15..=45).contains(&first_turns), "the baseline begins {first_turns} of 60 duets");
    let alone = |r: &&Record| matches!(r.purpose, Purpose::Discovery | Purpose::Probe);
    assert!(records.iter().filter(alone).all(|r| r.partner.is_none()));
}

#[test]
fn an_interrupted_duet_is_made_again_whole() {
    let design = duets(2);
    let mut seen = 0;
    let records = play_duets(&design, |step, _| {
        seen += usize::from(step.partner.is_some());
        if seen == 4 { Outcome::Interrupted } else { Outcome::Completed }
    });
    assert_eq!(records.len(), length(&design) + 2);
    let place = |r: &Record| (r.block, r.slot);
    let [again, before] = [&records[7], &records[5]];
    assert_eq!((place(before), before.outcome.clone()), (place(again), Outcome::Completed), "its partner was stopped");
    assert!(are_partners(again, &records[8]) && !are_partners(before, &records[8]));
}

#[test]
fn of_a_duet_of_which_half_was_committed_both_are_made_again_and_only_they_are_a_pair() {
    let design = duets(1);
    let whole = play_duets(&design, |_, _| Outcome::Completed);
    for stop in 3..whole.len() {
        let step = next(&design, &whole[..stop], &Medians::default()).unwrap();
        let expected = &whole[stop - usize::from(whole[stop].slot % 2 == 1 && whole[stop].partner.is_some())];
        assert_eq!((step.launch.block, step.launch.slot), (expected.block, expected.slot), "after {stop}");
    }
    let left_alone = whole[3].clone();
    let again = [4, 5].map(|at| Record { attempt: AttemptId(at + 1), ..whole[at as usize - 1].clone() });
    let again = [
        Record { partner: Some(AttemptId(6)), ..again[0].clone() },
        Record { partner: Some(AttemptId(5)), ..again[1].clone() },
    ];
    assert_eq!(pair_of(&again[1], &[&left_alone, &again[0]]), Some(&again[0]));
    assert_eq!(pair_of(&left_alone, &[&again[1]]), None);
}

#[test]
fn who_hangs_in_a_duet_is_rechecked_alone_and_both_then_do_without_the_cell() {
    let design = duets(3);
    let sick = design.cases[1].id();
    let records = play_duets(&design, |step, launch| {
        let is_sick = launch.case.id() == sick && launch.purpose != Purpose::Discovery;
        hang(step, |cell| is_sick && cell.bytes.0 >= 4 * MI && cell.kernel == Kernel::Latency)
    });
    let rechecks: Vec<&Record> = records.iter().filter(|r| r.purpose == Purpose::Recheck).collect();
    assert_eq!((rechecks.len(), rechecks[0].partner), (1, None));
    let of_sick = records.iter().filter(|r| r.case == sick && r.purpose == Purpose::Measure);
    assert_eq!(of_sick.map(|r| r.cells.len()).collect::<Vec<_>>(), [7, 5, 5]);
    let last = records.iter().rfind(|r| r.case == sick).unwrap();
    assert_eq!(records.iter().find(|r| are_partners(last, r)).unwrap().cells, last.cells);
    let healthy = records.iter().filter(|r| r.case == design.cases[2].id() && r.purpose == Purpose::Measure);
    assert!(healthy.into_iter().all(|r| r.cells.len() == 7));
}
