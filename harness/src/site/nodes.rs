//! The nodes that launches may use, and how the first of them reaches the others.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Allocation, Node, Scheduler, terms::Terms};

/// How a command gets onto another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// As a step of the Slurm job.
    Slurm,
    /// Through a remote shell: `ssh`, `oarsh`, with its own arguments.
    Agent(Vec<String>),
}

impl Reach {
    /// What is usual under a scheduler.
    #[must_use]
    pub fn usual(scheduler: Scheduler) -> Self {
        match scheduler {
            Scheduler::Slurm => Reach::Slurm,
            Scheduler::Oar => Reach::Agent(vec!["oarsh".into()]),
            Scheduler::Lsf => Reach::Agent(vec!["blaunch".into()]),
            Scheduler::Pbs | Scheduler::Local => Reach::Agent(vec!["ssh".into()]),
        }
    }

    /// What a person writes for it: `slurm`, or the words of an agent.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::of(text.split_whitespace().map(str::to_owned).collect())
    }

    /// The same, word by word.
    #[must_use]
    pub fn of(words: Vec<String>) -> Self {
        if words == ["slurm"] { Reach::Slurm } else { Reach::Agent(words) }
    }
}

/// As a person writes it.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Slurm => f.write_str("slurm"),
            Reach::Agent(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// The variables of a job that launches see which take part in it: those that `steps` of Slurm need, or those with which
/// remote shells find their job and their keys.
#[must_use]
pub const fn job_variables(steps: bool) -> &'static [&'static str] {
    if steps {
        // Since 23.11 a job sets what mpirun must tell its own srun.
        &["SLURM_*", "SLURMD_*", "MUNGE_*", "OMPI_MCA_plm_slurm_args", "PRTE_MCA_plm_slurm_args"]
    } else {
        &["OAR_*", "OARDO_*", "PBS_*", "LSB_*", "LSF_*", "LS_*", "SSH_AUTH_SOCK", "KRB5CCNAME"]
    }
}

/// How an instance comes to live on every node of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Start everywhere, launch, stop everywhere. Where the end of a step kills what it started, the instance is dead
    /// before the launch.
    ThreeStep,
    /// A step holds it and stays for as long as it lives.
    HolderStep,
    /// The first rank of each node starts it, the others wait, all enter it, and the first stops it: for launchers beside which
    /// nothing else may be started.
    InRank,
}

impl std::str::FromStr for Strategy {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, anyhow::Error> {
        clap::ValueEnum::from_str(text, false)
            .map_err(|_| anyhow::anyhow!("unknown strategy `{text}`; hint: three-step, holder-step or in-rank"))
    }
}

/// As a person writes it.
impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = clap::ValueEnum::to_possible_value(self);
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

impl Strategy {
    /// What is usual with a way to reach nodes.
    #[must_use]
    pub fn usual(reach: &Reach) -> Self {
        match reach {
            // Under proctrack/cgroup, which sites use, what a step started dies with it, though the start said success.
            Reach::Slurm => Strategy::HolderStep,
            Reach::Agent(_) => Strategy::ThreeStep,
        }
    }
}

/// The nodes that launches may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// This node first.
    pub list: Vec<Node>,
    /// How it reaches the others.
    pub reach: Reach,
    /// How instances live on several.
    pub strategy: Strategy,
    /// sifbench itself, as every node finds it.
    pub tool: PathBuf,
    /// Variables that ranks on other nodes get besides those every launch needs.
    pub exports: Vec<String>,
    /// What `srun --mpi` is given.
    pub pmi: String,
    /// What launches may do there.
    pub terms: Terms,
    /// Whether commands are for a person to type: then nothing of an attempt's is in them.
    pub by_hand: bool,
}

impl Nodes {
    /// Those of an allocation, this node first, reached as is usual there.
    #[must_use]
    pub fn of(allocation: &Allocation, tool: PathBuf) -> Self {
        let reach = Reach::usual(allocation.scheduler);
        Self {
            list: allocation.nodes.clone(),
            strategy: Strategy::usual(&reach),
            reach,
            tool,
            exports: Vec::new(),
            pmi: "pmix".into(),
            terms: Terms::default(),
            by_hand: false,
        }
    }

    /// This machine alone.
    #[must_use]
    pub fn alone(host: &str) -> Self {
        let allocation = Allocation { scheduler: Scheduler::Local, job: None, nodes: vec![Node::new(host, u32::MAX)] };
        Self::of(&allocation, "sifbench".into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::process::Env;

    #[test]
    fn a_step_sees_its_job_and_what_the_job_sets_for_mpirun_and_a_remote_shell_sees_neither() {
        let job = include_str!("../../tests/fixtures/sites/slurm-23.11.env");
        let pairs = job.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
        let vars: BTreeMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let seen = |steps| Env::from_parent(&vars, job_variables(steps));
        let check = |steps, name: &str, expected| {
            assert_eq!(seen(steps).iter().any(|(known, _)| known == name), expected, "{steps}: {name}");
        };
        for name in ["OMPI_MCA_plm_slurm_args", "PRTE_MCA_plm_slurm_args", "SLURM_JOB_ID", "SLURM_CONF"] {
            check(true, name, true);
            // A daemon over ssh must not take the job for a reason to start others by srun.
            check(false, name, false);
        }
        check(true, "HYDRA_BOOTSTRAP", false);
    }
}
