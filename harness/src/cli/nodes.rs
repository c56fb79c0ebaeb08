//! Which nodes launches may use, and how: from flags, the environment and the job around us.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;

use super::edge::{Edge, Refused};
use crate::{
    case::Launcher,
    command::CommandSpec,
    process::Env,
    record::Design,
    run::pmi::{self, Prover, Trial},
    site::{
        self, Allocation, Node, Scheduler,
        nodes::{Nodes, Reach, Strategy, job_variables},
    },
};

/// What can be said about nodes.
#[derive(Debug, Clone, Default, Args)]
pub struct NodeArgs {
    /// Nodes from a file, `HOST slots=N` a line, instead of those of the job [env: SIFBENCH_HOSTFILE]
    #[arg(long, value_name = "FILE")]
    hostfile: Option<PathBuf>,
    /// How other nodes are reached: slurm, or a remote shell such as ssh or oarsh [env: SIFBENCH_AGENT]
    /// [default: as is usual with the scheduler]
    #[arg(long, value_name = "WORDS")]
    agent: Option<String>,
    /// How instances live on several nodes [env: SIFBENCH_INSTANCES] [default: holder-step in Slurm, else three-step]
    #[arg(long, value_enum)]
    instances: Option<Strategy>,
    /// What `srun --mpi` is given [env: SIFBENCH_PMI] [default: the first of its list with which ranks find each other]
    #[arg(long, value_name = "NAME")]
    pmi: Option<String>,
}

impl NodeArgs {
    /// Whether the user says which nodes may be used.
    pub(super) fn are_named(&self, edge: &Edge) -> bool {
        self.file(edge).is_some()
    }

    fn file(&self, edge: &Edge) -> Option<PathBuf> {
        self.hostfile.clone().or_else(|| edge.var("SIFBENCH_HOSTFILE").map(PathBuf::from))
    }
}

/// The nodes of this job, and where they come from.
pub(super) struct Place {
    pub(super) allocation: Allocation,
    pub(super) nodes: Nodes,
    /// Where what `srun --mpi` is given comes from, once that is known.
    pub(super) pmi: Option<String>,
}

impl Place {
    /// The place we are in.
    pub(super) fn find(edge: &Edge, args: &NodeArgs) -> anyhow::Result<Self> {
        let here = Node::new(site::facts::host(), site::facts::cores());
        let read: site::allocation::Read<'_> = &|path| fs::read_to_string(path);
        let allocation = match args.file(edge) {
            Some(file) => Allocation::from_hostfile(&file, read)?,
            None => Allocation::detect(edge.env(), read, here.clone())?,
        };
        let Some(allocation) = allocation.clone().seen_from(&here.host) else {
            let reason = format!("{} is none of the nodes of {allocation}", here.host);
            return Err(Refused { reason, hint: "start sifbench on the first of them, as a job script does" }.into());
        };
        let mut nodes = Nodes::of(&allocation, edge.tool()?);
        if let Some(agent) = args.agent.as_deref().or_else(|| edge.var("SIFBENCH_AGENT")) {
            nodes.reach = Reach::parse(agent);
            nodes.strategy = Strategy::usual(&nodes.reach);
        }
        let named =
            edge.var("SIFBENCH_INSTANCES").map(|word| word.parse().context("SIFBENCH_INSTANCES")).transpose()?;
        nodes.strategy = args.instances.or(named).unwrap_or(nodes.strategy);
        let named_pmi = args.pmi.as_deref().or_else(|| edge.var("SIFBENCH_PMI"));
        if let Some(pmi) = named_pmi {
            pmi.clone_into(&mut nodes.pmi);
        }
        let pmi = named_pmi.map(|pmi| format!("{pmi} (as named)"));
        Ok(Self { allocation, nodes, pmi })
    }

    /// Finds out what `srun --mpi` must be given, where the design uses it and nobody has said.
    pub(super) fn prove_pmi(&mut self, edge: &Edge, design: &Design) -> anyhow::Result<()> {
        let witnesses = pmi::witnesses(design);
        if self.pmi.is_some() || witnesses.is_empty() {
            return Ok(());
        }
        let (env, runtime) = (self.scheduled_env(edge, design), edge.runtime());
        let list = edge.room().capture(&CommandSpec::new("srun").arg("--mpi=list"), &env, Duration::from_secs(20))?;
        let candidates = pmi::candidates(&(list.stdout + &list.stderr));
        let prover = Prover { runtime: &runtime, nodes: &self.nodes, env: &env, room: edge.room() };
        let trials = prover.trials(&candidates, &witnesses)?;
        let told = |trial: &Trial| {
            let outcomes: Vec<String> = trial.outcomes.iter().map(ToString::to_string).collect();
            format!("{}: {}", trial.pmi, outcomes.join(", "))
        };
        let tried = trials.iter().map(told).collect::<Vec<_>>().join("; ");
        let found = match pmi::winner(&trials) {
            Some(winner) => {
                winner.pmi.clone_into(&mut self.nodes.pmi);
                format!("{} ({tried})", winner.pmi)
            }
            // What does not work is measured as that.
            None => format!("{} (nothing works: {tried})", self.nodes.pmi),
        };
        edge.say(&format!("srun --mpi={found}"));
        self.pmi = Some(found);
        Ok(())
    }

    /// The same with as many nodes as `design` takes, invented where they are not there: for what is only planned.
    pub(super) fn imagined(edge: &Edge, args: &NodeArgs, design: &Design) -> anyhow::Result<Self> {
        let mut place = Self::find(edge, args)?;
        let there = u32::try_from(place.nodes.list.len()).unwrap_or(u32::MAX);
        place.nodes.list.extend((there..design.nodes()).map(|n| Node::new(format!("NODE{}", n + 1), u32::MAX)));
        Ok(place)
    }

    /// Refuses a design that these nodes do not hold.
    pub(super) fn admit(&self, design: &Design) -> Result<(), Refused> {
        let cores = site::facts::cores();
        for case in design.cases.iter().chain(&design.probes) {
            let Ok(spread) = case.placement.spread(case.ranks) else { continue };
            let (wanted, per_node) = (spread.nodes.get(), spread.per_node.get());
            let Some(used) = self.nodes.list.get(..wanted as usize) else {
                let reason = format!("{} takes {wanted} nodes, and there is only {}", case.label(), self.allocation);
                return Err(Refused { reason, hint: "ask the scheduler for more nodes, or use --placement same-node" });
            };
            if wanted == 1 && per_node > cores {
                let reason = format!("{per_node} ranks on {cores} cores would measure the scheduler, not the MPI");
                return Err(Refused { reason, hint: "use --ranks with at most the number of cores" });
            }
            if let Some(node) = used.iter().find(|node| wanted > 1 && node.slots < per_node) {
                let reason = format!("{} takes {} ranks, not {per_node}", node.host, node.slots);
                return Err(Refused { reason, hint: "ask the scheduler for as many tasks a node as there are ranks" });
            }
        }
        Ok(())
    }

    /// What launches see that take part in the job.
    pub(super) fn scheduled_env(&self, edge: &Edge, design: &Design) -> Env {
        let in_slurm = self.allocation.scheduler == Scheduler::Slurm;
        let asks = design.cases.iter().chain(&design.probes).any(|case| case.settings.launcher != Launcher::Mpirun);
        let steps = in_slurm && (self.nodes.reach == Reach::Slurm || asks);
        // A job submitted with --export=NONE would give its steps nothing either.
        Env::from_parent(edge.env(), job_variables(steps)).without("SLURM_EXPORT_ENV")
    }
}
