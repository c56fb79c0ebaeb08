//! The nodes that belong to us: what a scheduler, or the user, has given. Pure over an environment and a file reader.

use std::{collections::BTreeMap, fmt, io, path::Path, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{hostfile, hostlist::BadHostlist, lsf, oar, pbs, slurm};

/// Who gives nodes to jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Slurm, also below Bridge.
    Slurm,
    /// OAR.
    Oar,
    /// PBS in all its kinds, and Torque.
    Pbs,
    /// LSF.
    Lsf,
    /// Nobody: this machine, or a hostfile.
    Local,
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Scheduler::Slurm => "slurm",
            Scheduler::Oar => "oar",
            Scheduler::Pbs => "pbs",
            Scheduler::Lsf => "lsf",
            Scheduler::Local => "local",
        })
    }
}

/// A node, and how many ranks may run on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, as the launcher is to be told.
    pub host: String,
    /// Ranks it takes.
    pub slots: u32,
}

impl Node {
    /// A node.
    #[must_use]
    pub fn new(host: impl Into<String>, slots: u32) -> Self {
        Self { host: host.into(), slots }
    }

    /// Whether both names are of one node: schedulers and the node itself may write it with or without its domain.
    #[must_use]
    pub fn is(&self, host: &str) -> bool {
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        short(&self.host) == short(host)
    }
}

/// The nodes that belong to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Who gave them.
    pub scheduler: Scheduler,
    /// The job's number or name there.
    pub job: Option<String>,
    /// In the scheduler's order, each once.
    pub nodes: Vec<Node>,
}

/// Why an allocation cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum AllocationError {
    /// A variable that must be there is not.
    #[error("this is a job of {scheduler}, but {variable} is not set; hint: was the environment cleaned on the way?")]
    Absent {
        /// Whose job.
        scheduler: Scheduler,
        /// What is not set.
        variable: &'static str,
    },
    /// The names of nodes cannot be read.
    #[error("{variable} cannot be understood")]
    Hostlist {
        /// Where they stand.
        variable: &'static str,
        /// Why.
        source: BadHostlist,
    },
    /// The counts do not fit.
    #[error("{variable}={value} {why}; hint: report this with the output of `env`")]
    Counts {
        /// Where they stand.
        variable: &'static str,
        /// As it is.
        value: String,
        /// What is wrong.
        why: String,
    },
    /// A job of Flux, whose environment does not tell its nodes.
    #[error(
        "this is job {job} of flux on {nodes} nodes, whose names are in no variable; \
         hint: flux hostlist --expand --delimiter='\\n' > NODES, then --hostfile NODES"
    )]
    Flux {
        /// Its number there.
        job: String,
        /// How many nodes.
        nodes: String,
    },
    /// A file of nodes cannot be read.
    #[error("the file of nodes {} cannot be read; hint: a readable file with a line `HOST slots=N` a node", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of nodes has no meaning.
    #[error("{}, line {line}: {why}; hint: a line is `HOST` or `HOST slots=N`", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A file without nodes.
    #[error("the file of nodes {} names none; hint: a line is `HOST` or `HOST slots=N`", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

/// Reads a file.
pub type Read<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// The environment of a job.
pub(super) type Vars = BTreeMap<String, String>;

impl AllocationError {
    /// Whether a file that the user has named is at fault, and not what a scheduler says.
    #[must_use]
    pub fn is_of_a_file(&self) -> bool {
        match self {
            Self::File { .. } | Self::Line { .. } | Self::Empty { .. } => true,
            Self::Absent { .. } | Self::Hostlist { .. } | Self::Counts { .. } | Self::Flux { .. } => false,
        }
    }
}

impl Allocation {
    /// The job around us; `here`, alone, where there is none.
    ///
    /// # Errors
    /// There is a job, but its nodes cannot be told.
    pub fn detect(vars: &Vars, read: Read<'_>, here: Node) -> Result<Self, AllocationError> {
        let found = [slurm::detect(vars)?, oar::detect(vars, read)?, pbs::detect(vars, read)?, lsf::detect(vars)?];
        match found.into_iter().flatten().next() {
            Some(allocation) => Ok(allocation),
            // Within a job of another scheduler, as Flux often runs, the nodes are that one's.
            None => lsf::refuse_flux(vars).map(|()| super::local::allocation(here)),
        }
    }

    /// The nodes of the user's own hostfile.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub fn from_hostfile(path: &Path, read: Read<'_>) -> Result<Self, AllocationError> {
        let nodes = hostfile::nodes(path, read)?;
        Ok(Self { scheduler: Scheduler::Local, job: None, nodes })
    }

    /// The same with the node called `host` first; none where it is not one of them.
    ///
    /// What a single node is asked to do is done without a remote shell, and rank 0 speaks to us from beside us.
    #[must_use]
    pub fn seen_from(mut self, host: &str) -> Option<Self> {
        let at = self.nodes.iter().position(|node| node.is(host))?;
        let here = self.nodes.remove(at);
        self.nodes.insert(0, here);
        Some(self)
    }
}

/// `slurm job 42: n1 (2), n2 (2)`.
impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scheduler)?;
        self.job.iter().try_for_each(|job| write!(f, " job {job}"))?;
        let nodes: Vec<String> = self.nodes.iter().map(|node| format!("{} ({})", node.host, node.slots)).collect();
        write!(f, ": {}", nodes.join(", "))
    }
}

/// A variable, unless it is unset or empty.
pub(super) fn var<'a>(vars: &'a Vars, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| vars.get(*name).map(String::as_str).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Environments of jobs, cut to what concerns the scheduler; each fixture says where it comes from. A line `@ PATH`
    /// begins the contents of a file.
    fn job(fixture: &str) -> Result<Allocation, AllocationError> {
        let mut sections = fixture.split("@ ");
        let vars = sections.next().unwrap_or_default();
        let vars: Vars = vars
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let files: Vec<(&str, &str)> = sections.filter_map(|section| section.split_once('\n')).collect();
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        Allocation::detect(&vars, &read, Node::new("laptop", 8))
    }

    fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }

    #[test]
    fn jobs_have_the_nodes_their_schedulers_name() {
        let check = |fixture: &str, expected: &str| assert_eq!(job(fixture).unwrap().to_string(), expected);
        check(include_str!("../../tests/fixtures/sites/slurm-22.05.env"), "slurm job 1: n1 (1), n2 (1)");
        check(
            include_str!("../../tests/fixtures/sites/slurm-23.11.env"),
            "slurm job 4711: c008 (32), c009 (32), c010 (32), gpu-a01 (8)",
        );
        check(include_str!("../../tests/fixtures/sites/slurm-bridge.env"), "slurm job 1953: irene1042 (128)");
        check(include_str!("../../tests/fixtures/sites/oar-2.5.env"), "oar job 3: n1 (1), n2 (1)");
        check(
            include_str!("../../tests/fixtures/sites/oar-gricad.env"),
            "oar job 20713355: dahu34 (4), dahu37 (4), dahu40 (2)",
        );
        check(
            include_str!("../../tests/fixtures/sites/pbs-torque.env"),
            "pbs job 1234.head.cluster: node03.cluster (2), node04.cluster (2)",
        );
        check(include_str!("../../tests/fixtures/sites/pbs-pro.env"), "pbs job 88.pbs01: r1i0n3 (2), r1i0n4 (2)");
        check(include_str!("../../tests/fixtures/sites/lsf-10.env"), "lsf job 7221: lsf03 (4), lsf07 (2)");
        check("FLUX_JOB_ID=f2\nFLUX_JOB_NNODES=1\n", "local: laptop (8)");
        check("HOME=/home/user\nPATH=/usr/bin\n", "local: laptop (8)");
        // A user who has typed `export OAR_NODEFILE=` has no job.
        check("OAR_NODEFILE=\n", "local: laptop (8)");
    }

    #[test]
    fn a_job_that_cannot_be_understood_says_which_variable_it_is() {
        let check = |fixture: &str, expected: &str| {
            let error = chain(&job(fixture).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        check("SLURM_JOB_ID=7\n", "SLURM_JOB_NODELIST is not set");
        check("SLURM_JOB_ID=7\nSLURM_JOB_NODELIST=n[1-2\n", "SLURM_JOB_NODELIST cannot be understood: `n[1-2`");
        check("SLURM_JOB_ID=7\nSLURM_JOB_NODELIST=n[1-3]\nSLURM_TASKS_PER_NODE=2(x2)\n", "counts 2 nodes, not 3");
        check("SLURM_JOB_ID=7\nSLURM_JOB_NODELIST=n1\nSLURM_TASKS_PER_NODE=2(3)\n", "`2(3)` is no count");
        check("OAR_JOB_ID=7\n", "OAR_NODEFILE is not set");
        check("OAR_JOB_ID=7\nOAR_NODEFILE=/none\n", "/none cannot be read");
        check("PBS_JOBID=7\nPBS_NODEFILE=/nodes\n@ /nodes\n\n", "/nodes names none");
        check("LSB_JOBID=7\n", "LSB_MCPU_HOSTS is not set");
        check("LSB_JOBID=7\nLSB_MCPU_HOSTS=a 4 b\n", "no list of hosts with processors: `b`");
        check("LSB_JOBID=7\nLSB_MCPU_HOSTS=a b\n", "no list of hosts with processors: `a b`");
        check(include_str!("../../tests/fixtures/sites/flux-0.6x.env"), "flux hostlist --expand");
        check("PBS_JOBID=7\nPBS_NODEFILE=/nodes\n@ /nodes\nn1\nn1 n2\n", "/nodes, line 2");
    }

    #[test]
    fn this_node_comes_first_whatever_its_domain() {
        let allocation = |nodes: &[&str]| Allocation {
            scheduler: Scheduler::Local,
            job: None,
            nodes: nodes.iter().map(|host| Node::new(*host, 2)).collect(),
        };
        let check = |nodes: &[&str], host: &str, expected: Option<&[&str]>| {
            let seen = allocation(nodes).seen_from(host);
            let hosts = seen.as_ref().map(|seen| seen.nodes.iter().map(|node| node.host.as_str()).collect::<Vec<_>>());
            assert_eq!(hosts.as_deref(), expected, "{nodes:?} from {host}");
        };
        check(&["n1", "n2", "n3"], "n1", Some(&["n1", "n2", "n3"]));
        check(&["n1", "n2", "n3"], "n2", Some(&["n2", "n1", "n3"]));
        check(&["n1.cluster", "n2.cluster"], "n2", Some(&["n2.cluster", "n1.cluster"]));
        check(&["n1", "n2"], "N2.cluster", Some(&["n2", "n1"]));
        check(&["n1", "n2"], "login", None);
        check(&["n1"], "n10", None);
    }
}
