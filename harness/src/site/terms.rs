//! What a site lets launches do: modes that cannot exist there, and what its own MPIs want of the environment.

use std::{collections::BTreeMap, path::Path};

use crate::{case::Mode, id::MpiVersion};

/// The terms of a place. Without any, everything is tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Who says so, for reasons: `the profile tgcc`.
    pub by: String,
    /// Modes that are restricted.
    pub modes: BTreeMap<Mode, Restriction>,
    /// Variables of launches by an MPI of the host.
    pub hosts: BTreeMap<MpiVersion, BTreeMap<String, String>>,
    /// The words by which the launcher itself enters an image, `{image}` or `{name}`; none where the runtime does.
    pub by_launcher: Vec<String>,
    /// Whether mpirun finds itself on other nodes without being told.
    pub finds_itself: bool,
}

/// What a mode may not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restriction {
    /// Why it is not launched at all.
    pub unsupported: Option<String>,
    /// Nodes that it may take.
    pub max_nodes: Option<u32>,
}

impl Terms {
    /// Whether `mode` may be launched on so many nodes.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, mode: Mode, nodes: u32) -> Result<(), String> {
        let Some(Restriction { unsupported, max_nodes }) = self.modes.get(&mode) else { return Ok(()) };
        match (unsupported, max_nodes) {
            (Some(reason), _) => Err(format!("{reason} (says {})", self.by)),
            (None, Some(most)) if nodes > *most => {
                let plural = if *most == 1 { "" } else { "s" };
                Err(format!("{mode} on {nodes} nodes: at most {most} node{plural} (says {})", self.by))
            }
            (None, _) => Ok(()),
        }
    }

    /// The launcher's words for `image`, where it enters images itself.
    #[must_use]
    pub fn entering(&self, image: &Path) -> Option<Vec<String>> {
        let (path, name) = (image.to_string_lossy(), image.file_stem().unwrap_or_default().to_string_lossy());
        let filled = |word: &String| word.replace("{image}", &path).replace("{name}", &name);
        (!self.by_launcher.is_empty()).then(|| self.by_launcher.iter().map(filled).collect())
    }

    /// The variables of launches by an MPI of the host.
    pub fn env_of(&self, version: &MpiVersion) -> impl Iterator<Item = (&str, &str)> {
        self.hosts.get(version).into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
