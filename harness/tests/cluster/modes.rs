//! Every mode through `sifbench run` on several nodes, by each launcher, in jobs of real schedulers.

use harness::case::Mode;

use crate::{
    bed::{Bed, machine},
    runs::{Campaign, assert_complete, left_on, newest, sizes},
};

const MODES: [Mode; 4] = [Mode::Native, Mode::Hybrid, Mode::HybridInstance, Mode::HybridSharens];
const WORKLOAD: &str = "latency = [\"8\"]\nallreduce = [\"8\"]";
const SRUN: &str = "launcher = \"srun\"";
/// The host's is of Debian's packages, unpacked into the cache.
const DEBIANS: &str = "4.1.4";

/// For a host's Open MPI that lies elsewhere than it was made for: those that run its programs or load its libraries.
const BY_HOST: [Mode; 3] = [Mode::Native, Mode::Hybrid, Mode::Bind];

/// Runs a campaign in a job, and looks at every node afterwards.
pub(crate) fn check(bed: &Bed, submit: &[&str], ranks: u32, (version, rest, flags): (&str, &str, &str)) {
    let what = format!("{} {version} {rest} {flags}", submit[0]);
    let dir = bed.directory();
    let modes: &[Mode] = if version == DEBIANS { &BY_HOST } else { &MODES };
    let campaign = Campaign { modes, version, ranks, workload: WORKLOAD, rest };
    let said = bed.batch(submit, &format!("{} {flags}", campaign.command(dir.path())));
    assert!(said.ends_with("exit 0\n"), "{what}: {said}");
    let asked = flags
        .strip_prefix("--ranks ")
        .map_or(vec![ranks], |list| list.split(',').map(|n| n.parse().unwrap()).collect());
    assert_eq!(sizes(dir.path()), asked, "{what}");
    let run = newest(dir.path());
    assert_complete(&what, &run, modes, ranks);
    let profile = if submit[0] == "oarsub" { "oar" } else { "slurm" };
    assert_eq!(run.manifest.profile.map(|profile| profile.name).as_deref(), Some(profile), "{what}");
    for node in 1..=ranks {
        assert_eq!(left_on(bed, &format!("n{node}")), "", "{what}: n{node}");
    }
}

fn sbatch(nodes: u32) -> Vec<String> {
    ["sbatch", &format!("-N{nodes}"), "--ntasks-per-node=1", "--output=OUT"].map(str::to_owned).into()
}

fn in_slurm(nodes: u32, proctrack: &str, runs: &[(&str, &str, &str)]) {
    let _machine = machine();
    let bed = Bed::up(&["--nodes", &nodes.to_string(), "slurm", proctrack]);
    let submit = sbatch(nodes);
    let submit: Vec<&str> = submit.iter().map(String::as_str).collect();
    for &run in runs {
        check(&bed, &submit, nodes, run);
    }
    bed.down();
}

#[test]
#[ignore = "needs root and namespaces, Slurm, images of 4.1.8 and 5.0.11 (scripts/test as root)"]
fn modes_measure_on_two_nodes_of_slurm_by_mpirun_and_by_srun() {
    in_slurm(2, "cgroup", &[("4.1.8", "", ""), ("4.1.8", SRUN, ""), ("5.0.11", "", ""), ("5.0.11", SRUN, "")]);
}

#[test]
#[ignore = "needs root and namespaces, Slurm, images of 4.1.8 (scripts/test as root)"]
fn modes_measure_where_slurm_finds_processes_by_parents_and_over_ssh() {
    in_slurm(2, "linuxproc", &[("4.1.8", SRUN, ""), ("4.1.8", "", "--agent ssh")]);
}

#[test]
#[ignore = "needs root and namespaces, Slurm, images of 4.1.8 (scripts/test as root)"]
fn modes_measure_on_two_nodes_of_three_and_then_on_all() {
    in_slurm(3, "cgroup", &[("4.1.8", SRUN, "--ranks 2,3")]);
}

#[test]
#[ignore = "needs root and namespaces, Slurm, Debian's Open MPI 4.1.4 and its image (scripts/test as root)"]
fn debians_own_open_mpi_measures_on_two_nodes_of_slurm_by_mpirun_and_by_srun() {
    in_slurm(2, "cgroup", &[(DEBIANS, "", ""), (DEBIANS, SRUN, "")]);
}
