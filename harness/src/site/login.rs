//! A login node: a scheduler's commands are here while no job of it is. There nothing must be measured.

use std::{collections::BTreeMap, time::Duration};

use super::batch::Batch;

/// How long a scheduler's own command may take to say that nobody serves it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A scheduler, by its commands.
struct Row {
    name: &'static str,
    kind: Batch,
    /// What submits a job.
    submit: &'static str,
    /// The variables that prove a job.
    job: &'static [&'static str],
    /// A command, and its words where the package is installed and no server is configured; such a machine is nobody's login
    /// node. Anything else (an answer, silence, another failure) leaves it one.
    unserved: Option<(&'static [&'static str], &'static str)>,
}

const SCHEDULERS: [Row; 4] = [
    Row {
        name: "Slurm",
        kind: Batch::Slurm,
        submit: "sbatch",
        job: &["SLURM_JOB_ID"],
        unserved: Some((&["sinfo", "--noheader"], "Could not establish a configuration source")),
    },
    Row {
        name: "OAR",
        kind: Batch::Oar,
        submit: "oarsub",
        job: &["OAR_JOB_ID"],
        unserved: Some((&["oarstat"], "DB connection error")),
    },
    Row { name: "PBS", kind: Batch::Pbs, submit: "qsub", job: &["PBS_JOBID"], unserved: None },
    Row {
        name: "Bridge",
        kind: Batch::Bridge,
        submit: "ccc_msub",
        job: &["BRIDGE_MSUB_JOBID", "SLURM_JOB_ID"],
        unserved: None,
    },
];

/// What of a machine tells its schedulers.
pub struct Signs<'a> {
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// Whether a program is on `PATH`.
    pub on_path: &'a dyn Fn(&str) -> bool,
    /// All that a command says within [`PATIENCE`], nothing where it takes longer.
    pub says: &'a dyn Fn(&[&str]) -> String,
}

impl Signs<'_> {
    /// The schedulers whose commands are here and served by somebody.
    #[must_use]
    pub fn schedulers(&self) -> Vec<&'static str> {
        self.served().map(|row| row.name).collect()
    }

    /// The scheduler on whose login node we are, if we are on one.
    #[must_use]
    pub fn login_node(&self) -> Option<&'static str> {
        let in_job = |row: &Row| row.job.iter().any(|variable| self.env.contains_key(*variable));
        if SCHEDULERS.iter().any(in_job) {
            return None;
        }
        self.served().next().map(|row| row.name)
    }

    /// The batch system that takes jobs here: Bridge before the Slurm behind it.
    #[must_use]
    pub fn batch(&self) -> Batch {
        let kinds: Vec<Batch> = self.served().map(|row| row.kind).collect();
        let first = || kinds.first().copied().unwrap_or(Batch::Local);
        if kinds.contains(&Batch::Bridge) { Batch::Bridge } else { first() }
    }

    fn served(&self) -> impl Iterator<Item = &'static Row> {
        let unserved = |row: &Row| row.unserved.is_some_and(|(ask, words)| (self.says)(ask).contains(words));
        SCHEDULERS.iter().filter(move |row| (self.on_path)(row.submit) && !unserved(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login_node(env: &[&str], commands: &[&str], says: &str) -> Option<&'static str> {
        let env = env.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
        let signs = Signs { env: &env, on_path: &|command| commands.contains(&command), says: &|_| says.to_owned() };
        signs.login_node()
    }

    #[test]
    fn a_login_node_has_a_scheduler_and_no_job() {
        let check = |env: &[&str], commands: &[&str], expected: Option<&str>| {
            assert_eq!(login_node(env, commands, ""), expected);
        };
        check(&[], &[], None);
        check(&[], &["sbatch"], Some("Slurm"));
        check(&["SLURM_JOB_ID"], &["sbatch"], None);
        check(&["OAR_JOB_ID"], &["oarsub"], None);
        check(&[], &["oarsub"], Some("OAR"));
        check(&["SLURM_JOB_ID"], &["ccc_msub", "sbatch"], None);
    }

    #[test]
    fn commands_that_nobody_serves_make_no_login_node() {
        let check = |command: &str, says: &str, expected: Option<&str>| {
            assert_eq!(login_node(&[], &[command], says), expected, "{says}");
        };
        check("sbatch", "sinfo: fatal: Could not establish a configuration source", None);
        check("sbatch", "slurm_load_partitions: Unable to contact slurm controller (connect failure)", Some("Slurm"));
        check("oarsub", "DB connection error, exiting.", None);
        check("qsub", "DB connection error, exiting.", Some("PBS"));
    }
}
