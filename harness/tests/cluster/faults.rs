//! What breaks in the middle of a launch over two nodes: it ends within its deadline, with an outcome, and both nodes are clean.

use std::{fs, thread::sleep, time::Duration};

use harness::{
    case::Mode,
    record::{Outcome, Purpose},
};

use crate::{
    bed::{Bed, machine},
    runs::{Campaign, left_on, newest},
};

/// Breaks the first launch of a run by a signal to a program on the second node. It is made again, alone, and completes.
fn check(bed: &Bed, signal: &str, program: &str) {
    let what = format!("{signal} {program}");
    let dir = bed.directory();
    let nodes = dir.path().join("nodes");
    fs::write(&nodes, "n1 slots=1\nn2 slots=1\n").unwrap();
    let campaign = Campaign {
        modes: &[Mode::Native],
        version: "4.1.8",
        ranks: 2,
        workload: "latency = [\"8\", \"1Ki\"]",
        rest: "[limits]\nsilence_s = 5.0",
    };
    // Visits that are long enough to be hit.
    let command = campaign.command(dir.path());
    let file = dir.path().join("campaign.toml");
    let text = fs::read_to_string(&file).unwrap().replace("visit_ms = 20", "visit_ms = 2500");
    fs::write(&file, text.replace("blocks = 1", "blocks = 0")).unwrap();
    let command = format!("exec {command} --agent ssh --hostfile {}", nodes.display());
    let mut run = bed.on("n1", &["sh", "-c", &command]).spawn().unwrap();
    let runs = || bed.on("n2", &["pgrep", "-x", "bench-app"]).output().unwrap().status.success();
    crate::bed::wait_for("the ranks", runs);
    sleep(Duration::from_secs(1));
    bed.says("n2", &["pkill", &format!("-{signal}"), "-x", program]);
    assert!(run.wait().unwrap().success(), "{what}");
    let run = newest(dir.path());
    let (broken, again) = (&run.records[0], &run.records[1]);
    assert!(
        matches!(broken.outcome, Outcome::TimedOut { .. } | Outcome::Exited { .. } | Outcome::Signaled { .. }),
        "{what}: {:?}",
        broken.outcome
    );
    assert!(broken.wall_ns < 25_000_000_000, "{what}: {} ns", broken.wall_ns);
    assert_eq!((again.purpose, &again.outcome), (Purpose::Recheck, &Outcome::Completed), "{what}");
    for node in ["n1", "n2"] {
        assert_eq!(left_on(bed, node), "", "{what}: {node}");
    }
}

#[test]
#[ignore = "needs root and namespaces, Open MPI 4.1.8 (scripts/test as root)"]
fn a_rank_or_a_daemon_that_is_killed_or_stopped_ends_its_launch_and_no_other_process_of_the_user() {
    let _machine = machine();
    let bed = Bed::up(&[]);
    let mut bystander = bed.on("n2", &["sleep", "600"]).spawn().unwrap();
    for (signal, program) in [("KILL", "bench-app"), ("STOP", "bench-app"), ("KILL", "orted"), ("STOP", "orted")] {
        check(&bed, signal, program);
    }
    assert!(bystander.try_wait().unwrap().is_none(), "somebody else's process was killed");
    bed.down();
    bystander.wait().unwrap();
}
