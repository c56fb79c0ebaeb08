//! What a profile gives to what exists: the nodes of a place, and the terms of launches there.

use std::collections::BTreeMap;

use super::Profile;
use crate::{
    case::Mode,
    id::MpiVersion,
    site::{
        Scheduler,
        nodes::{Nodes, Reach, Strategy},
        terms::{Restriction, Terms},
    },
};

impl Profile {
    /// What launches may do, where the MPIs of the place want `hosts` of the environment.
    #[must_use]
    pub fn terms(&self, hosts: BTreeMap<MpiVersion, BTreeMap<String, String>>) -> Terms {
        let restriction = |(mode, table): (&Mode, &super::ModeTable)| {
            let (unsupported, max_nodes) = (table.unsupported.clone(), table.max_nodes.map(std::num::NonZeroU32::get));
            (*mode, Restriction { unsupported, max_nodes })
        };
        Terms {
            by: format!("the profile {}", self.name),
            modes: self.modes.iter().map(restriction).collect(),
            hosts,
            by_launcher: self.container.by_launcher.clone(),
            finds_itself: self.launcher.prefix == Some(false),
        }
    }

    /// How nodes are reached, how instances live there, and what ranks there get. Returns the keys that say so.
    ///
    /// Steps of a job are no way to nodes that are not the job's.
    pub fn put_on(&self, nodes: &mut Nodes, of: Scheduler) -> Vec<&'static str> {
        let mut said = Vec::new();
        let reach = Reach::of(self.launcher.agent.clone());
        if !self.launcher.agent.is_empty() && (reach != Reach::Slurm || of == Scheduler::Slurm) {
            nodes.reach = reach;
            nodes.strategy = Strategy::usual(&nodes.reach);
            said.push("agent");
        }
        let strategy = self.modes.get(&Mode::HybridInstance).and_then(|table| table.strategy);
        if let Some(strategy) = strategy.filter(|s| *s != Strategy::HolderStep || nodes.reach == Reach::Slurm) {
            nodes.strategy = strategy;
            said.push("instances");
        }
        if let Some(first) = self.launcher.pmi.first() {
            first.clone_into(&mut nodes.pmi);
            said.push("pmi");
        }
        if !self.launcher.export_env.is_empty() {
            nodes.exports.clone_from(&self.launcher.export_env);
            said.push("export_env");
        }
        said
    }
}
