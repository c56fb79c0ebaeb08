//! Real Slurm: its allocations, its two ways of finding a job's processes, its own launcher.

use crate::{
    bed::{Bed, Installed, machine},
    wire,
};

/// (`sbatch --wait` would look every ten seconds.)
const SBATCH: [&str; 4] = ["sbatch", "-N2", "--ntasks-per-node=1", "--output=OUT"];

fn check(proctrack: &str) {
    let _machine = machine();
    let bed = Bed::up(&["--rate", wire::RATE, "slurm", proctrack]);
    let installed = Installed::of(&bed);
    for version in ["4.1.8", "5.0.11"] {
        let job = bed.batch(&SBATCH, &installed.mpirun(version, &[], &wire::ARGS).join(" "));
        wire::assert_measured(&format!("mpirun {version} in a job ({proctrack})"), &job);
        let job = bed.batch(&SBATCH, &format!("srun --mpi=pmix {}", installed.task(version, &wire::ARGS).join(" ")));
        wire::assert_measured(&format!("srun with {version} ({proctrack})"), &job);
    }
    bed.down();
}

#[test]
#[ignore = "needs root and namespaces, Slurm, Open MPI 4.1.8 and 5.0.11 (scripts/test as root)"]
fn mpirun_and_srun_measure_the_wire_in_a_job_of_cgroups() {
    check("cgroup");
}

#[test]
#[ignore = "needs root and namespaces, Slurm, Open MPI 4.1.8 and 5.0.11 (scripts/test as root)"]
fn mpirun_and_srun_measure_the_wire_in_a_job_found_by_parents() {
    check("linuxproc");
}
