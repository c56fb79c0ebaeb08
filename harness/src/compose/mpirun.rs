//! Open MPI's `mpirun`, 4.1 (ORTE) and 5 and later (PRRTE), which spell some things differently.

use std::{collections::BTreeMap, path::Path};

use super::spread::Spread;
use crate::{case::Mpi, command::CommandSpec, process::CARRIED, site::nodes::Reach};

/// An `mpirun`, with what it is to be told besides the command.
#[derive(Debug, Clone, Copy)]
pub struct Mpirun<'a> {
    /// Which: its series decides the spelling.
    pub mpi: &'a Mpi,
    /// Where it lies.
    pub prefix: &'a Path,
    /// MCA parameters.
    pub mca: &'a BTreeMap<String, String>,
}

impl Mpirun<'_> {
    /// `inner` on `ranks` ranks of this node, each bound to a core of its own.
    ///
    /// Binding is explicit because the defaults differ between the series, and a comparison of modes must not become one
    /// of placements.
    #[must_use]
    pub fn here(&self, inner: CommandSpec, ranks: u32) -> CommandSpec {
        let np = ranks.to_string();
        self.wrap(inner, self.command().args(["-np", &np, "--map-by", "core", "--bind-to", "core"]))
    }

    /// `inner` on the ranks of `spread`, each bound to a core of its own.
    ///
    /// What is there on this node must be said for the others: where Open MPI lies, how to get there, and each variable.
    #[must_use]
    pub fn across(&self, inner: CommandSpec, spread: &Spread<'_>) -> CommandSpec {
        let hosts: Vec<String> = spread.hosts().map(|host| format!("{host}:{}", spread.per_node)).collect();
        let outer = self.command().args([
            "-np",
            &spread.ranks().to_string(),
            "--host",
            &hosts.join(","),
            "--map-by",
            &format!("ppr:{}:node", spread.per_node),
            "--bind-to",
            "core",
        ]);
        let prefix = self.prefix.to_string_lossy();
        let outer = if spread.around.terms.finds_itself { outer } else { outer.args(["--prefix", &prefix]) };
        // 4.1 notices by itself where the cores of a job differ between nodes; PRRTE takes those of the first for all.
        let outer = if self.is_orte() { outer } else { outer.args(["--prtemca", "prte_hetero_nodes", "1"]) };
        let outer = match &spread.around.reach {
            // Its own srun: mpirun finds the job in the environment.
            Reach::Slurm => outer,
            Reach::Agent(agent) => {
                // Daemons on other nodes get no environment; this one puts the attempt's marker and directories before them.
                let (tool, count, words) = (spread.around.tool.display(), agent.len(), agent.join(" "));
                let agent = if spread.around.by_hand { words } else { format!("{tool} __agent {count} {words}") };
                if self.is_orte() {
                    outer.args(["--mca", "plm", "rsh", "--mca", "plm_rsh_agent", &agent])
                } else {
                    outer.args(["--prtemca", "plm", "ssh", "--prtemca", "plm_ssh_agent", &agent])
                }
            }
        };
        // An attempt's own variables; a person's launch has but a path to programs.
        let carried = CARRIED.into_iter().filter(|name| !spread.around.by_hand || *name == "PATH");
        let exports: std::collections::BTreeSet<&str> = carried
            .chain(inner.env.keys().map(String::as_str))
            .chain(spread.around.exports.iter().map(String::as_str))
            .collect();
        let outer = exports.into_iter().fold(outer, |outer, name| outer.args(["-x", name]));
        self.wrap(inner, outer)
    }

    /// The launcher of Open MPI before 5.
    fn is_orte(&self) -> bool {
        self.mpi.version.major() < 5
    }

    fn command(&self) -> CommandSpec {
        CommandSpec::new(self.prefix.join("bin/mpirun").to_string_lossy())
    }

    fn wrap(&self, inner: CommandSpec, outer: CommandSpec) -> CommandSpec {
        inner.within(self.mca.iter().fold(outer, |outer, (name, value)| outer.args(["--mca", name, value])))
    }
}
