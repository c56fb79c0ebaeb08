//! Instances that ranks start and stop themselves, in jobs of Slurm that find processes by cgroup: what a step has started is
//! dead when it ends, so nothing but the step of the ranks can hold it.

use harness::{case::Mode, record::Outcome};

use crate::{
    bed::{Bed, machine},
    runs::{Campaign, assert_complete, left_on, newest},
};

const SBATCH: [&str; 4] = ["sbatch", "-N2", "--ntasks-per-node=1", "--output=OUT"];
const MODES: [Mode; 1] = [Mode::HybridInstance];

fn run(bed: &Bed, version: &str, rest: &str) -> (String, harness::store::Run) {
    let (what, dir) = (format!("{version} {rest}"), bed.directory());
    let workload = "latency = [\"8\"]\nallreduce = [\"8\"]";
    let command = Campaign { modes: &MODES, version, ranks: 2, workload, rest }.command(dir.path());
    let said = bed.batch(&SBATCH, &format!("{command} --instances in-rank"));
    assert!(said.ends_with("exit 0\n"), "{what}: {said}");
    for node in ["n1", "n2"] {
        assert_eq!(left_on(bed, node), "", "{what}: {node}");
    }
    (what, newest(dir.path()))
}

#[test]
#[ignore = "needs root and namespaces, Slurm, images of 4.1.8 and 5.0.11 (scripts/test as root)"]
fn the_first_rank_of_each_node_starts_the_instance_that_all_enter() {
    let _machine = machine();
    let bed = Bed::up(&["--nodes", "2", "slurm", "cgroup"]);
    for (version, rest) in ["4.1.8", "5.0.11"].into_iter().flat_map(|v| ["", "launcher = \"srun\""].map(|r| (v, r))) {
        let (what, run) = run(&bed, version, rest);
        assert_complete(&what, &run, &MODES, 2);
        for record in &run.records {
            // Each first rank has stopped its own: nothing had to be ended afterwards.
            assert!(record.swept.is_empty(), "{what}: {:?}", record.swept);
            assert!(record.command.to_string().contains(" __in-rank "), "{}", record.command);
        }
    }
    for rest in ["flags = [\"--no-such-flag\"]", "flags = [\"--no-such-flag\"]\nlauncher = \"srun\""] {
        let (what, run) = run(&bed, "4.1.8", rest);
        for record in &run.records {
            let Outcome::NotStarted { reason } = &record.outcome else { panic!("{what}: {:?}", record.outcome) };
            assert!(reason.contains("cannot start it") && reason.contains("no-such-flag"), "{what}: {reason}");
            assert!(record.wall_ns < 15_000_000_000, "{what}: {} ns", record.wall_ns);
        }
    }
    bed.down();
}
