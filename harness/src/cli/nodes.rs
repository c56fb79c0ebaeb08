//! Which nodes launches may use, and how: from flags, the environment and the job around us.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;

use super::{
    edge::{self, Edge, Refused},
    profile::{Chosen, hosts_of},
    staging,
};
use crate::{
    case::{Case, Launcher},
    command::CommandSpec,
    compose::apptainer::Runtime,
    decision::Pairs,
    doctor,
    id::MpiVersion,
    process::Env,
    record::Design,
    run::{
        pmi::{self, Prover, Trial},
        staging::Staged,
    },
    site::{
        self, Allocation, Node, Scheduler,
        nodes::{Nodes, Reach, Strategy, job_variables},
    },
};

/// What can be said about nodes.
#[derive(Debug, Clone, Default, Args)]
pub struct NodeArgs {
    /// What is particular about this place: a profile's name or file [env: SIFBENCH_PROFILE]
    /// [default: the one that suits; `sifbench site list` says which, and why]
    #[arg(long, value_name = "NAME|FILE", value_parser = said)]
    pub(super) profile: Option<String>,
    /// The container runtime: apptainer, singularity, or a path [default: the profile's, else what is on PATH]
    #[arg(long, value_name = "PROGRAM", value_parser = said)]
    pub(super) container_runtime: Option<String>,
    /// Nodes from a file, `HOST slots=N` a line, instead of those of the job [env: SIFBENCH_HOSTFILE]
    #[arg(long, value_name = "FILE")]
    hostfile: Option<PathBuf>,
    /// How other nodes are reached: slurm, or a remote shell such as ssh or oarsh [env: SIFBENCH_AGENT]
    /// [default: as is usual with the scheduler]
    #[arg(long, value_name = "WORDS", value_parser = said)]
    agent: Option<String>,
    /// How instances live on nodes [env: SIFBENCH_INSTANCES] [default: holder-step on several in Slurm, else three-step]
    #[arg(long, value_enum)]
    instances: Option<Strategy>,
    /// What `srun --mpi` is given [env: SIFBENCH_PMI] [default: the first of its list with which ranks find each other]
    #[arg(long, value_name = "NAME", value_parser = said)]
    pmi: Option<String>,
    /// Bring images, bench-app and sifbench's Open MPIs to this directory of each node's own disk first, and run them from
    /// there; none leaves them where they are [env: SIFBENCH_STAGE] [default: the profile's container.stage_to, else none]
    #[arg(long, value_name = "DIR|none", value_parser = said)]
    pub(super) stage: Option<String>,
}

/// A value that says something.
fn said(text: &str) -> Result<String, String> {
    let blank = "that says nothing; hint: without the flag there is what is usual";
    if text.trim().is_empty() { Err(blank.to_owned()) } else { Ok(text.to_owned()) }
}

/// Why the programs of `design` must not be stopped in turns where there are these devices of a fast network.
fn unstoppable(design: &Design, fabric: &[String]) -> Option<String> {
    let stops = design.pairs == Pairs::Duet && design.cases.iter().any(|case| case.program.is_some());
    match (stops, fabric, design.nodes()) {
        (false, _, _) | (true, [], 1) => None,
        (true, [], nodes) => Some(format!("launches on {nodes} nodes cannot be stopped at once")),
        (true, devices, _) => Some(format!(
            "a process that is stopped does not serve its queues of {}, whose other ends may wait or give up",
            devices.join(", ")
        )),
    }
}

impl NodeArgs {
    /// With a profile that is named, and nothing else.
    pub(super) fn with_profile(profile: Option<&str>) -> Self {
        Self { profile: profile.map(str::to_owned), ..Self::default() }
    }

    /// What holds for a job too, as words of a command line: not its nodes, which the scheduler chooses, nor the profile.
    pub(super) fn to_args(&self) -> Vec<String> {
        let instances = self.instances.and_then(|strategy| clap::ValueEnum::to_possible_value(&strategy));
        let given = [
            ("--container-runtime", self.container_runtime.clone()),
            ("--agent", self.agent.clone()),
            ("--instances", instances.map(|value| value.get_name().to_owned())),
            ("--pmi", self.pmi.clone()),
            ("--stage", self.stage.clone()),
        ];
        given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
    }

    /// Whether the user says which nodes may be used.
    pub(super) fn are_named(&self, edge: &Edge) -> bool {
        self.file(edge).is_some()
    }

    fn file(&self, edge: &Edge) -> Option<PathBuf> {
        self.hostfile.clone().or_else(|| edge.var("SIFBENCH_HOSTFILE").map(PathBuf::from))
    }
}

/// The nodes of this job, and where they come from.
pub(super) struct Place<'e> {
    pub(super) allocation: Allocation,
    pub(super) nodes: Nodes,
    /// What is particular about it.
    pub(super) chosen: Chosen,
    /// The container runtime.
    pub(super) runtime: Runtime,
    /// Who said what of it, by key.
    pub(super) origins: BTreeMap<String, String>,
    /// Where what `srun --mpi` is given comes from, once that is known.
    pub(super) pmi: Option<String>,
    /// Where images are staged to, as it is written.
    pub(super) stage_to: Option<String>,
    /// What has been staged.
    pub(super) staged: Option<Staged<'e>>,
}

impl Place<'_> {
    /// The place we are in.
    pub(super) fn find(edge: &Edge, args: &NodeArgs, chosen: Chosen) -> anyhow::Result<Self> {
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
        let said = chosen.profile.put_on(&mut nodes, allocation.scheduler);
        let mut origins: BTreeMap<String, String> =
            said.into_iter().map(|key| (key.to_owned(), chosen.origin())).collect();
        nodes.terms = chosen.terms(edge);
        let (runtime, by) = chosen.runtime(edge, args);
        origins.extend(by.map(|by| ("container_runtime".to_owned(), by)));
        nodes.exports.extend(runtime.config_dir().map(str::to_owned));
        if let Some(agent) = args.agent.as_deref().or_else(|| edge.var("SIFBENCH_AGENT")) {
            nodes.reach = Reach::parse(agent);
            nodes.strategy = Strategy::usual(&nodes.reach);
            ["agent", "instances"].iter().for_each(|key| drop(origins.remove(*key)));
        }
        let named =
            edge.var("SIFBENCH_INSTANCES").map(|word| word.parse().context("SIFBENCH_INSTANCES")).transpose()?;
        nodes.strategy = args.instances.or(named).unwrap_or(nodes.strategy);
        let named_pmi = args.pmi.as_deref().or_else(|| edge.var("SIFBENCH_PMI"));
        if let Some(pmi) = named_pmi {
            pmi.clone_into(&mut nodes.pmi);
        }
        let pmi = named_pmi.map(|pmi| format!("{pmi} (as named)"));
        let stage_to = staging::named(edge, args, &chosen).map(|(place, by)| {
            origins.insert("stage_to".to_owned(), by);
            place
        });
        Ok(Self { allocation, nodes, chosen, runtime, origins, pmi, stage_to, staged: None })
    }

    /// Does what the MPIs of the place need before they can be used.
    pub(super) fn prepare(&mut self, edge: &Edge, versions: &[MpiVersion]) -> anyhow::Result<()> {
        self.chosen.prepare(edge, versions)?;
        self.nodes.terms = self.chosen.terms(edge);
        Ok(())
    }

    /// What a plan says of the profile, a line each: which, what it gives, what is done before an MPI is used.
    pub(super) fn remarks(&self, given: &[String], design: &Design) -> String {
        let mut lines = vec![self.chosen.told()];
        let of_place = self.origins.iter().filter(|(_, by)| **by == self.chosen.origin()).map(|(key, _)| key.clone());
        let keys: Vec<String> = given.iter().cloned().chain(of_place).collect();
        if !keys.is_empty() {
            lines.push(format!("from it: {}", keys.join(", ")));
        }
        let to = self.stage_to.iter();
        lines.extend(to.map(|to| {
            format!("first: images, bench-app and Open MPIs of the cache to {to}, on each node; removed at the end")
        }));
        let unset = self.chosen.unset.iter();
        lines.extend(unset.map(|unset| format!("mind: {} names {}, which is not set", unset.key, unset.variable)));
        for version in hosts_of(design) {
            let setup = self.chosen.profile.host(&version).map(|host| &host.setup).filter(|setup| !setup.is_nothing());
            lines.extend(setup.map(|setup| format!("before Open MPI {version}: {}", setup.typed())));
        }
        lines.into_iter().map(|line| format!("# {line}\n")).collect()
    }

    /// What launches see that take no part in a job.
    pub(super) fn plain_env(&self, edge: &Edge) -> Env {
        let exports: Vec<&str> = self.nodes.exports.iter().map(String::as_str).collect();
        Env::from_parent(edge.env(), &exports)
    }

    /// Finds out what `srun --mpi` must be given, where the design uses it and nobody has said.
    pub(super) fn prove_pmi(&mut self, edge: &Edge, design: &Design) -> anyhow::Result<()> {
        let witnesses = pmi::witnesses(design);
        if self.pmi.is_some() || witnesses.is_empty() {
            return Ok(());
        }
        let env = self.scheduled_env(edge, design);
        let mut candidates = self.chosen.profile.launcher.pmi.clone();
        if candidates.is_empty() {
            let list =
                edge.room().capture(&CommandSpec::new("srun").arg("--mpi=list"), &env, Duration::from_secs(20))?;
            candidates = pmi::candidates(&(list.stdout + &list.stderr));
        }
        let prover = Prover { runtime: &self.runtime, nodes: &self.nodes, env: &env, room: edge.room() };
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
    pub(super) fn imagined(edge: &Edge, args: &NodeArgs, chosen: Chosen, design: &Design) -> anyhow::Result<Self> {
        let mut place = Self::find(edge, args, chosen)?;
        let there = u32::try_from(place.nodes.list.len()).unwrap_or(u32::MAX);
        place.nodes.list.extend((there..design.nodes()).map(|n| Node::new(format!("NODE{}", n + 1), u32::MAX)));
        Ok(place)
    }

    /// Refuses a design that these nodes do not hold.
    pub(super) fn admit(&self, design: &Design) -> Result<(), Refused> {
        if let Some(reason) = unstoppable(design, &doctor::gather::fabric()) {
            return Err(Refused {
                reason,
                hint: "leave out `pairs = \"duet\"`: launches one after the other go everywhere",
            });
        }
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

    /// Fails where nothing here can enter the images of `design`: one launch after the other would, alike.
    pub(super) fn has_runtime(&self, edge: &Edge, design: &Design) -> anyhow::Result<()> {
        let Runtime { program } = &self.runtime;
        let terms = &self.nodes.terms;
        let enters = |case: &Case| case.stack.image().is_some() && !self.chosen.refuses(case);
        let needed = terms.by_launcher.is_empty() && design.cases.iter().chain(&design.probes).any(enters);
        // What the setup of an MPI puts on PATH its launches see too.
        let mut of_setups = terms.hosts.values().filter_map(|env| env.get("PATH"));
        let found = match program.contains('/') {
            true => Path::new(program).is_file(),
            false => edge.on_path(program).is_some() || of_setups.any(|path| edge::on_path(path, program).is_some()),
        };
        anyhow::ensure!(
            found || !needed,
            "the container runtime `{program}` is not there; hint: `sifbench doctor` says how to get one, \
             --container-runtime names another, and `--modes native` does without"
        );
        Ok(())
    }

    /// What launches see that take part in the job.
    pub(super) fn scheduled_env(&self, edge: &Edge, design: &Design) -> Env {
        let in_slurm = self.allocation.scheduler == Scheduler::Slurm;
        let asks = design.cases.iter().chain(&design.probes).any(|case| case.settings.launcher != Launcher::Mpirun);
        let steps = in_slurm && (self.nodes.reach == Reach::Slurm || asks);
        let exports = self.nodes.exports.iter().map(String::as_str);
        let variables: Vec<&str> = job_variables(steps).iter().copied().chain(exports).collect();
        // A job submitted with --export=NONE would give its steps nothing either.
        Env::from_parent(edge.env(), &variables).without("SLURM_EXPORT_ENV")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Campaign, Nowhere, Overrides};

    #[test]
    fn programs_are_stopped_on_one_node_without_a_fabric_alone() {
        let check = |keys: &str, measured: &str, fabric: &[&str], expected: Option<&str>| {
            let head = "schema = 1\nname = \"own\"\nmodes = [\"native\"]\nversions = [\"4.1.8\"]\nranks = 2\nblocks = 6\nseed = 1";
            let campaign = Campaign::parse("own", &format!("{head}\n{keys}\n{measured}")).unwrap();
            let design = campaign.design(&Overrides::default(), &Nowhere);
            let fabric: Vec<String> = fabric.iter().map(|&name| name.to_owned()).collect();
            let refused = unstoppable(&design, &fabric);
            let is_expected = refused.as_deref().zip(expected).map(|(reason, words)| reason.contains(words));
            assert!(is_expected.unwrap_or(refused.is_none() && expected.is_none()), "{keys} {measured}: {refused:?}");
        };
        let program = "[program]\nnative = [\"/app\"]\nexpect = \"\"\nstop_and_go = true";
        let workload = "[workload]\nlatency = [\"8\"]\nrounds = 2\nvisit_ms = 4";
        let (duet, devices) = ("pairs = \"duet\"", ["mlx5_0 (mlx5_core)", "cxi0"]);
        check(duet, program, &devices, Some("its queues of mlx5_0 (mlx5_core), cxi0,"));
        check(duet, program, &[], None);
        check("", program, &devices, None);
        // bench-app's turns are cooperative.
        check(duet, workload, &devices, None);
    }
}
