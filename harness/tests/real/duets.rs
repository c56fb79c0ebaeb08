//! Duets: two launches alive at once, whatever becomes of one of them or of the harness.

use std::{collections::BTreeSet, process::Stdio, thread::sleep, time::Duration};

use harness::{
    case::Mode,
    plan,
    record::{Design, Outcome, Purpose, Record, SampleRange},
    store::{self, Run, Store},
};

use crate::{Bench, SMALL, begin_of, campaign, signal, text, traces, wait_for};

fn in_duets(campaign: &str) -> String {
    campaign.replacen("seed = 1", "seed = 1\npairs = \"duet\"", 1)
}

fn mode_of(design: &Design, record: &Record) -> Mode {
    design.cases.iter().find(|case| case.id() == record.case).unwrap().stack.mode()
}

/// The launches of each duet.
fn made(run: &Run) -> Vec<[&Record; 2]> {
    let analysed = run.records.iter().filter(|r| matches!(r.purpose, Purpose::Measure | Purpose::MeasureTwin));
    let partner = |record: &Record| run.records.iter().find(|other| plan::are_partners(record, other));
    analysed.filter(|r| r.slot.is_multiple_of(2)).map(|record| [record, partner(record).unwrap()]).collect()
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn every_mode_takes_turns_with_native() {
    let bench = Bench::new();
    let run = bench.run(&in_duets(&campaign(&Mode::ALL, "4.1.8", 1, SMALL, "")));
    bench.assert_clean();
    let duets = made(&run);
    assert_eq!(duets.len(), Mode::ALL.len(), "native with itself and with every other");
    let mut met = BTreeSet::new();
    for duet in duets {
        let modes = duet.map(|record| mode_of(&run.design, record));
        assert!(modes.contains(&Mode::Native), "{modes:?}");
        met.extend(modes.iter().map(|mode| mode.name()));
        for record in duet {
            assert_eq!(record.outcome, Outcome::Completed, "{modes:?}: {:?}", record.said);
            assert!(record.hello_ns.unwrap() < record.wall_ns, "{modes:?}");
            for cell in &record.cells {
                let of_cell = (record.attempt, cell.kernel, cell.bytes);
                assert!(run.samples.iter().any(|s| (s.attempt, s.kernel, s.bytes) == of_cell), "{modes:?} {cell}");
            }
        }
    }
    assert_eq!(met.len(), Mode::ALL.len(), "{met:?}");
}

/// A cell that hangs in a duet for the first time: discovery, which is made alone, is said to have found nothing.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn a_partner_that_hangs_ends_in_its_deadline_and_the_other_goes_on_to_its_end() {
    let bench = Bench::new();
    let hangs = campaign(
        &[Mode::Native, Mode::Hybrid],
        "4.1.8",
        1,
        "latency = [\"8\", \"4Mi\"]",
        "[limits]\nsilence_s = 3.0\n",
    );
    let (mut child, dir) = begin_of(&bench, &in_duets(&hangs), 1);
    signal(&child, "INT");
    child.wait().unwrap();
    let stopped = store::load(&dir).unwrap();
    let root = bench.dir.path().join("discovered");
    let mut store = Store::create(&root, &stopped.manifest, &stopped.design).unwrap();
    let alone = &stopped.records[0];
    assert_eq!((mode_of(&stopped.design, alone), &alone.outcome), (Mode::Native, &Outcome::Completed));
    for ((case, attempt), slot) in stopped.design.cases.iter().zip([1, 2]).zip(0..) {
        let attempt = harness::id::AttemptId(attempt);
        let record = Record { attempt, case: case.id(), slot, samples: SampleRange::empty(), ..alone.clone() };
        store.append(&record, &[]).unwrap();
    }
    let dir = store.dir().to_owned();
    drop(store);
    let output = bench.sifbench(&["run", "--resume", dir.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    bench.assert_clean();

    let run = store::load(&dir).unwrap();
    let duets = made(&run);
    let of_hybrid = duets.iter().find(|duet| duet.iter().any(|r| mode_of(&run.design, r) == Mode::Hybrid)).unwrap();
    for record in of_hybrid {
        let outcome = record.outcome.to_string();
        let measured = run.samples.iter().filter(|s| s.attempt == record.attempt && s.bytes.0 == 4 << 20).count();
        if mode_of(&run.design, record) == Mode::Hybrid {
            assert_eq!((outcome.as_str(), measured), ("hang at latency 4 MiB", 0));
        } else {
            assert!(outcome == "completed" && measured >= 2, "{outcome}, {measured} batches: {:?}", record.said);
        }
    }
    let recheck = run.records.iter().find(|record| record.purpose == Purpose::Recheck).unwrap();
    assert_eq!((recheck.partner, recheck.outcome.to_string()), (None, "hang at latency 4 MiB".to_owned()));
}

/// Whatever the two were at: before MPI_Init, in it, and at a gate at which nobody gives turns any more.
#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn a_duet_whose_harness_was_killed_ends_with_it_and_is_made_again() {
    let bench = Bench::new();
    let long = campaign(&[Mode::Native, Mode::HybridSharens], "4.1.8", 1, SMALL, "");
    let long = in_duets(&long.replacen("rounds = 2", "rounds = 60", 1));
    let (mut child, dir) = begin_of(&bench, &long, 2);
    let resume = || bench.sifbench(&["run", "--resume", dir.to_str().unwrap()]);
    for pause in [0, 140, 500] {
        let marked = || traces().iter().filter(|trace| trace.starts_with("/proc/")).count();
        // Both ranks of both launches, beside their launchers.
        wait_for("both of a duet", || marked() >= 6);
        sleep(Duration::from_millis(pause));
        assert!(marked() > 0, "too late: nothing is running");
        signal(&child, "KILL");
        child.wait().unwrap();
        wait_for("all of it to end", || traces().is_subset(&bench.before));
        child = resume().stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    }
    assert!(child.wait().unwrap().success());
    let run = bench.newest();
    assert!(run.closed && made(&run).len() == 2);
    bench.assert_clean();
}
