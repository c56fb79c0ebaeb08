//! The ranks of a case on the nodes it gets, and commands that run once on each of these.

use std::num::NonZeroU32;

use crate::{
    case::{self, Case},
    command::CommandSpec,
    site::{
        Node,
        nodes::{Nodes, Reach},
    },
};

use super::srun;

/// The nodes of a launch, this one first.
#[derive(Debug, Clone, Copy)]
pub struct Spread<'a> {
    /// Those that take part.
    pub nodes: &'a [Node],
    /// Ranks on each.
    pub per_node: NonZeroU32,
    /// All there are, and how they are reached.
    pub around: &'a Nodes,
}

impl<'a> Spread<'a> {
    /// The first nodes of `around` that `case` needs; in words where they are not enough.
    ///
    /// # Errors
    /// Its ranks cannot be placed, or there are too few nodes.
    pub fn of(case: &Case, around: &'a Nodes) -> Result<Self, String> {
        let case::Spread { per_node, nodes } = case.placement.spread(case.ranks).map_err(|error| error.to_string())?;
        let wanted = nodes.get() as usize;
        match around.list.get(..wanted) {
            Some(nodes) => Ok(Self { nodes, per_node, around }),
            None => Err(format!("it takes {wanted} nodes, and there are {}", around.list.len())),
        }
    }

    /// All ranks.
    #[must_use]
    pub fn ranks(&self) -> u32 {
        self.per_node.get() * self.count()
    }

    /// How many nodes.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// Their names.
    pub fn hosts(&self) -> impl Iterator<Item = &'a str> {
        self.nodes.iter().map(|node| node.host.as_str())
    }

    /// Whether another node takes part.
    #[must_use]
    pub fn is_several(&self) -> bool {
        self.nodes.len() > 1
    }

    /// `inner` once on every node: here as it is, elsewhere as a step or through the agent.
    #[must_use]
    pub fn everywhere(&self, inner: &CommandSpec) -> Vec<CommandSpec> {
        let elsewhere: Vec<&str> = self.hosts().skip(1).collect();
        std::iter::once(inner.clone()).chain(remote(self.around, &elsewhere, inner)).collect()
    }
}

/// `inner` once on each of `hosts`, none of which is this one: one step for all of them, or a remote shell for each.
#[must_use]
pub fn remote(around: &Nodes, hosts: &[&str], inner: &CommandSpec) -> Vec<CommandSpec> {
    match &around.reach {
        Reach::Slurm if hosts.is_empty() => Vec::new(),
        Reach::Slurm => vec![srun::helper(inner.clone(), hosts, around)],
        Reach::Agent(agent) => {
            let typed = |host: &&str| {
                let (program, args) = agent.split_first()?;
                Some(CommandSpec::new(program).args(args).arg(*host).arg(inner.to_string()))
            };
            if around.by_hand {
                return hosts.iter().filter_map(typed).collect();
            }
            let through = |host: &&str| {
                // A remote shell takes one text and parses it again: the quoted one.
                let command = CommandSpec::new(around.tool.to_string_lossy())
                    .args(["__agent", &agent.len().to_string()])
                    .args(agent.iter());
                command.arg(*host).arg(inner.to_string())
            };
            hosts.iter().map(through).collect()
        }
    }
}
