//! Where we are: login node or not, the nodes that belong to us, and the facts of this machine.

pub mod allocation;
pub mod facts;
mod hostfile;
pub mod hostlist;
mod local;
pub mod nodes;
mod oar;
mod pbs;
mod slurm;

use std::collections::BTreeMap;

pub use allocation::{Allocation, AllocationError, Node, Scheduler};

/// A scheduler whose commands are here while no job of it is: a login node, where nothing must be measured.
///
/// Each row: the scheduler, its submission command, the variables that prove a job.
const SCHEDULERS: [(&str, &str, &[&str]); 4] = [
    ("Slurm", "sbatch", &["SLURM_JOB_ID"]),
    ("OAR", "oarsub", &["OAR_JOB_ID"]),
    ("PBS", "qsub", &["PBS_JOBID"]),
    ("Bridge", "ccc_msub", &["BRIDGE_MSUB_JOBID", "SLURM_JOB_ID"]),
];

/// The schedulers whose commands are here.
#[must_use]
pub fn schedulers(on_path: impl Fn(&str) -> bool) -> Vec<&'static str> {
    SCHEDULERS.iter().filter(|(_, submit, _)| on_path(submit)).map(|(name, _, _)| *name).collect()
}

/// The scheduler on whose login node we are, if we are on one.
#[must_use]
pub fn login_node(env: &BTreeMap<String, String>, on_path: impl Fn(&str) -> bool) -> Option<&'static str> {
    let in_job = |variables: &[&str]| variables.iter().any(|variable| env.contains_key(*variable));
    if SCHEDULERS.iter().any(|(_, _, variables)| in_job(variables)) {
        return None;
    }
    SCHEDULERS.iter().find(|(_, submit, _)| on_path(submit)).map(|(name, _, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_node_has_a_scheduler_and_no_job() {
        let check = |env: &[&str], commands: &[&str], expected: Option<&str>| {
            let env = env.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
            assert_eq!(login_node(&env, |command| commands.contains(&command)), expected);
        };
        check(&[], &[], None);
        check(&[], &["sbatch"], Some("Slurm"));
        check(&["SLURM_JOB_ID"], &["sbatch"], None);
        check(&["OAR_JOB_ID"], &["oarsub"], None);
        check(&[], &["oarsub"], Some("OAR"));
        check(&["SLURM_JOB_ID"], &["ccc_msub", "sbatch"], None);
    }
}
