//! The container's own mpirun on one node of a job of two: where it sees the job it would start a daemon on the other node too,
//! and for that the image has nothing.

use harness::case::Mode;

use crate::{
    bed::{Bed, Installed, machine},
    runs::{Campaign, assert_complete, left_on, newest},
};

#[test]
#[ignore = "needs root and namespaces, Slurm, images of 4.1.8 and 5.0.11 (scripts/test as root)"]
fn an_image_that_launches_by_itself_measures_in_a_job_that_it_does_not_see() {
    let _machine = machine();
    let bed = Bed::up(&["--nodes", "2", "slurm"]);
    let cores = bed.give_all_cores("n1");
    let installed = Installed::of(&bed);
    let submit = ["sbatch", "-N2", "--ntasks-per-node=1", "--output=OUT"];
    for version in ["4.1.8", "5.0.11"] {
        let dir = bed.directory();
        let (modes, workload) = ([Mode::Embedded], "latency = [\"8\"]\nallreduce = [\"8\"]");
        let campaign = Campaign { modes: &modes, version, ranks: 2, workload, rest: "" };
        let (apptainer, image) = (installed.apptainer(), installed.image(version));
        let commands = format!(
            // Slurm's daemon has bound itself to the core that the node had.
            "taskset -cp {cores} $$ >/dev/null; timeout 30 {apptainer} exec {image} mpirun -np 1 true; echo by itself $?; {} --placement same-node",
            campaign.command(dir.path())
        );
        let said = bed.batch(&submit, &commands);
        let by_itself = said.lines().find(|line| line.starts_with("by itself")).unwrap();
        assert!(by_itself != "by itself 0" && said.contains("srun"), "{version}: {said}");
        assert!(said.ends_with("exit 0\n"), "{version}: {said}");
        let run = newest(dir.path());
        assert_complete(version, &run, &modes, 1);
        assert!(run.manifest.facts["allocation"].starts_with("slurm job"), "{:?}", run.manifest.facts);
        assert!(!run.samples.is_empty(), "{version}");
        assert_eq!(left_on(&bed, "n1"), "", "{version}");
    }
    bed.down();
}
