//! Batch systems by the commands with which one speaks to them: Bridge is Slurm in other words.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// A batch system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Batch {
    /// `sbatch`.
    Slurm,
    /// `oarsub`.
    Oar,
    /// `qsub`.
    Pbs,
    /// `ccc_msub`, in front of Slurm.
    Bridge,
    /// None: whoever is here may measure.
    Local,
}

impl Batch {
    /// Every one.
    pub const ALL: [Batch; 5] = [Batch::Slurm, Batch::Oar, Batch::Pbs, Batch::Bridge, Batch::Local];

    /// The one in whose job we are: Bridge before Slurm, for its jobs are both.
    #[must_use]
    pub fn of_job(env: &BTreeMap<String, String>) -> Option<Self> {
        let jobs = [Batch::Bridge, Batch::Slurm, Batch::Oar, Batch::Pbs];
        jobs.into_iter().find(|batch| batch.job().iter().any(|name| env.get(*name).is_some_and(|v| !v.is_empty())))
    }

    /// The variables any of which proves a job.
    const fn job(self) -> &'static [&'static str] {
        match self {
            Batch::Slurm => &["SLURM_JOB_ID", "SLURM_JOBID"],
            Batch::Oar => &["OAR_JOB_ID", "OAR_JOBID", "OAR_NODEFILE"],
            Batch::Pbs => &["PBS_JOBID"],
            Batch::Bridge => &["BRIDGE_MSUB_JOBID"],
            Batch::Local => &[],
        }
    }

    /// What a line of a script begins with that is meant for it.
    #[must_use]
    pub const fn mark(self) -> Option<&'static str> {
        match self {
            Batch::Slurm => Some("#SBATCH"),
            Batch::Oar => Some("#OAR"),
            Batch::Pbs => Some("#PBS"),
            Batch::Bridge => Some("#MSUB"),
            Batch::Local => None,
        }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Batch::Slurm => "slurm",
            Batch::Oar => "oar",
            Batch::Pbs => "pbs",
            Batch::Bridge => "bridge",
            Batch::Local => "local",
        })
    }
}
