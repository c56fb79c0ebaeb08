//! Which PMI `srun` starts ranks with: that of its list with which ranks really find each other.
//!
//! `srun --mpi=list` names plugins that may not load, and an image's Open MPI makes singletons, with exit code 0, of one that it
//! does not speak. So a small launch of each MPI decides.

use std::num::NonZeroU32;

use bench_app::{
    Bytes, Cell, Kernel, Workload,
    workload::{BufferKind, Order},
};

use super::{RunError, deadlines, elsewhere::Elsewhere, not_started, watch::Watch};
use crate::{
    case::{Case, Entry, Launcher, Mpi, Stack},
    compose::{self, Ground, apptainer::Runtime},
    id::AttemptId,
    process::{Env, Launch, Room},
    record::{Design, Limits, Outcome},
    site::nodes::Nodes,
};

/// The plugins that `srun --mpi=list` names, those first that Open MPI speaks in all versions.
#[must_use]
pub fn candidates(list: &str) -> Vec<String> {
    let versions = list.lines().filter_map(|line| line.split_once("versions available:")).map(|(_, names)| names);
    let versions = versions.flat_map(|names| names.split(',')).map(str::trim);
    let plugins = list.lines().filter(|line| !line.contains(':')).map(str::trim);
    let usable = |name: &&str| !name.is_empty() && !name.contains(' ') && *name != "none";
    let mut names: Vec<String> = plugins.chain(versions).filter(usable).map(str::to_owned).collect();
    let rank = |name: &String| match name.as_str() {
        "pmix" => 0,
        name if name.starts_with("pmix") => 1,
        "pmi2" => 2,
        _ => 3,
    };
    names.sort_by_key(rank);
    names.dedup();
    names
}

/// One case of each MPI that ranks of `design` load under `srun`, without an instance around it.
#[must_use]
pub fn witnesses(design: &Design) -> Vec<&Case> {
    let mut witnesses: Vec<(&Mpi, &Case)> = Vec::new();
    for case in design.cases.iter().chain(&design.probes) {
        if let (Launcher::Srun, Some(mpi)) = (case.settings.launcher, loaded(case))
            && witnesses.iter().all(|(known, _)| *known != mpi)
        {
            witnesses.push((mpi, case));
        }
    }
    witnesses.into_iter().map(|(_, case)| case).collect()
}

/// The MPI that ranks load, where they are launched by the host's launcher and into no instance.
fn loaded(case: &Case) -> Option<&Mpi> {
    match &case.stack {
        Stack::Native { host, .. } | Stack::Bind { host, .. } => Some(&host.mpi),
        Stack::Hybrid { image, entry: Entry::Exec | Entry::Sharens, .. } => image.mpi.as_ref(),
        Stack::Hybrid { entry: Entry::Instance, .. } | Stack::Embedded { .. } => None,
    }
}

/// What came of trying one plugin with each witness.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The plugin.
    pub pmi: String,
    /// An outcome a witness.
    pub outcomes: Vec<Outcome>,
}

impl Trial {
    fn completed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| **outcome == Outcome::Completed).count()
    }
}

/// The plugin with which most witnesses completed, the first of equals; none where none did.
#[must_use]
pub fn winner(trials: &[Trial]) -> Option<&Trial> {
    let most = trials.iter().map(Trial::completed).max().filter(|most| *most > 0)?;
    trials.iter().find(|trial| trial.completed() == most)
}

/// Launches witnesses.
#[derive(Debug)]
pub struct Prover<'a> {
    /// The container runtime.
    pub runtime: &'a Runtime,
    /// The nodes there are.
    pub nodes: &'a Nodes,
    /// What launches of the job see.
    pub env: &'a Env,
    /// Where they are started.
    pub room: &'a Room,
}

impl Prover<'_> {
    /// Tries `candidates` in their order until one serves all of `witnesses`.
    ///
    /// # Errors
    /// The harness's own.
    pub fn trials(&self, candidates: &[String], witnesses: &[&Case]) -> Result<Vec<Trial>, RunError> {
        let mut trials = Vec::new();
        for pmi in candidates {
            let nodes = Nodes { pmi: pmi.clone(), ..self.nodes.clone() };
            let outcomes: Result<Vec<_>, _> = witnesses.iter().map(|case| self.outcome(case, &nodes)).collect();
            trials.push(Trial { pmi: pmi.clone(), outcomes: outcomes? });
            if self.room.stopping() || trials.last().is_some_and(|trial| trial.completed() == witnesses.len()) {
                break;
            }
        }
        Ok(trials)
    }

    /// A launch of the case with one small cell.
    fn outcome(&self, case: &Case, nodes: &Nodes) -> Result<Outcome, RunError> {
        let cell = Cell { kernel: Kernel::Latency, bytes: Bytes(8), k: NonZeroU32::MIN };
        let (rounds, order, buffers) = (NonZeroU32::MIN, Order::Ascending, BufferKind::Hot);
        let workload = Workload { cells: vec![cell], rounds, visit_ms: 1, order, seed: 1, buffers };
        let commands =
            match compose::compose(case, &workload, &Ground { runtime: self.runtime, nodes, instance: "", gate: None })
            {
                Ok(commands) => commands,
                Err(reason) => return Ok(Outcome::Unsupported { reason }),
            };
        let elsewhere = Elsewhere { nodes, hosts: &commands.elsewhere, env: self.env };
        let mut watch = Watch::new(AttemptId(0), case.ranks, &workload.cells, workload.rounds);
        let mut attempt = self.room.attempt("pmi")?;
        let deadlines = deadlines(&Limits::default());
        let prepared = elsewhere.prepare(&mut attempt, deadlines.total);
        let ended = match &prepared {
            Ok(None) => {
                let launch = Launch { command: &commands.launch, env: self.env, deadlines, log: None };
                Some(attempt.supervise(&launch, &mut |stream, line| watch.line(stream, line)))
            }
            Ok(Some(_)) | Err(_) => None,
        };
        elsewhere.close(self.room, attempt)?;
        match ended {
            Some(Ok(ended)) => Ok(watch.outcome(ended.exit, ended.reason)),
            Some(Err(error)) => not_started(error),
            None => Ok(prepared?.unwrap_or_else(|| unreachable!("it was not launched for this reason"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_tried_in_the_order_in_which_they_may_work() {
        let check = |list: &str, expected: &[&str]| assert_eq!(candidates(list), expected, "{list}");
        // Captured on the test bed, Slurm 22.05.8.
        let debian = "MPI plugin types are...\n\tpmix\n\tnone\n\tcray_shasta\n\tpmi2\n\
                      specific pmix plugin versions available: pmix_v4\n";
        check(debian, &["pmix", "pmix_v4", "pmi2", "cray_shasta"]);
        check("MPI plugin types are...\n\tpmi2\n\tnone\n", &["pmi2"]);
        check("", &[]);
    }

    #[test]
    fn the_winner_serves_most_and_none_wins_by_singletons() {
        let singletons = Outcome::Singletons { expected: 2, seen: 1 };
        let trial = |pmi: &str, outcomes: &[&Outcome]| Trial {
            pmi: pmi.to_owned(),
            outcomes: outcomes.iter().map(|outcome| (*outcome).clone()).collect(),
        };
        let (good, bad) = (&Outcome::Completed, &singletons);
        let check = |trials: &[Trial], expected: Option<&str>| {
            assert_eq!(winner(trials).map(|trial| trial.pmi.as_str()), expected);
        };
        check(&[trial("pmix", &[good, good])], Some("pmix"));
        check(&[trial("pmix", &[bad, good]), trial("pmi2", &[good, good])], Some("pmi2"));
        check(&[trial("pmix", &[good, bad]), trial("pmi2", &[bad, good])], Some("pmix"));
        check(&[trial("pmix", &[bad]), trial("pmi2", &[bad])], None);
        check(&[], None);
    }
}
