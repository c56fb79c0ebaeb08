//! How commands are typed where a run was made: by its runtime, launcher, agent, variables and setups, as the manifest has them.

use std::collections::BTreeMap;

use super::shell;
use crate::{
    case::Case,
    compose::apptainer::Runtime,
    id::MpiVersion,
    profile::Profile,
    record::Manifest,
    site::{
        Allocation, Node, Scheduler,
        nodes::{Nodes, Reach},
    },
};

/// The place of a run.
#[derive(Debug, Clone)]
pub struct Place {
    runtime: Runtime,
    profile: Profile,
    scheduler: Scheduler,
    reach: Option<Reach>,
    strategy: Option<String>,
    pmi: Option<String>,
}

impl Place {
    /// What a manifest says of it. A run that was begun without a profile has nothing particular.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let fact = |name: &str| manifest.facts.get(name).map(String::as_str);
        let profile = manifest.profile.as_ref();
        let profile = profile.and_then(|fact| Profile::parse("manifest.json", &fact.name, &fact.text).ok());
        let profile = by_reference(&profile.unwrap_or_default());
        // `apptainer version 1.4.5`, `singularity-ce version 4.1.0`: what was called, by its own name for itself.
        let told = fact("container_runtime").map(|words| words.split([' ', '-']).next().unwrap_or_default());
        let program = profile.container.runtime.clone().or(told.map(str::to_owned));
        let program = program.filter(|program| !program.is_empty()).unwrap_or_else(|| "apptainer".to_owned());
        let allocation = fact("allocation").unwrap_or_default();
        let scheduler = [Scheduler::Slurm, Scheduler::Oar, Scheduler::Pbs, Scheduler::Lsf];
        let scheduler = scheduler.into_iter().find(|known| allocation.starts_with(&format!("{known} job ")));
        Self {
            runtime: Runtime { program },
            profile,
            scheduler: scheduler.unwrap_or(Scheduler::Local),
            reach: fact("agent").map(Reach::parse),
            strategy: fact("instances").map(str::to_owned),
            // What it was found by follows in brackets.
            pmi: fact("srun_mpi").and_then(|words| words.split(' ').next()).map(str::to_owned),
        }
    }

    /// The container runtime.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// As many nodes as a case takes, by names that stand for those of a job, for commands that are typed.
    #[must_use]
    pub fn nodes(&self, case: &Case) -> Nodes {
        let count = case.placement.spread(case.ranks).map_or(1, |spread| spread.nodes.get());
        let list = (1..=count).map(|number| Node::new(format!("NODE{number}"), case.ranks)).collect();
        let allocation = Allocation { scheduler: self.scheduler, job: None, nodes: list };
        let mut nodes = Nodes { by_hand: true, ..Nodes::of(&allocation, "sifbench".into()) };
        self.profile.put_on(&mut nodes, self.scheduler);
        nodes.reach = self.reach.clone().unwrap_or(nodes.reach);
        nodes.strategy = self.strategy.as_ref().and_then(|word| word.parse().ok()).unwrap_or(nodes.strategy);
        nodes.pmi = self.pmi.clone().unwrap_or(nodes.pmi);
        // What setups change is in the shell once they are done.
        let hosts = self.profile.host_mpi.iter().map(|host| (host.version.clone(), host.env.clone()));
        nodes.terms = self.profile.terms(hosts.collect::<BTreeMap<_, _>>());
        nodes
    }

    /// What is done before an MPI of the place can be used.
    #[must_use]
    pub fn setup(&self, version: &MpiVersion) -> Option<String> {
        let host = self.profile.host(version)?;
        (!host.setup.is_nothing()).then(|| host.setup.typed())
    }
}

/// A profile in which every variable is one of the shell where commands are typed.
fn by_reference(profile: &Profile) -> Profile {
    let nothing = BTreeMap::new();
    let of_hosts = profile.host_mpi.iter().flat_map(|host| host.expanded(&nothing).1);
    let named = profile.expanded(&nothing).1.into_iter().chain(of_hosts).map(|unset| unset.variable);
    let references = named.map(|name| (name.clone(), shell::reference(&name))).collect();
    let (mut profile, _) = profile.expanded(&references);
    for host in &mut profile.host_mpi {
        *host = host.expanded(&references).0;
    }
    profile
}
