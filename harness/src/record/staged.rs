//! Where files were run from that did not stay where they lay.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::id::Sha256;

/// Files that were brought to the nodes' own disks, and run from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staging {
    /// The directory as it was named, on each node's own disk.
    pub place: PathBuf,
    /// The one in it that was made for the run, and is gone with it.
    pub directory: PathBuf,
    /// How they were brought: `sbcast`, or `copy` where each node read them itself.
    pub by: String,
    /// The nodes, on each of which every file was proved by its digest.
    pub nodes: Vec<String>,
    /// Which.
    pub files: Vec<StagedFile>,
    /// Whole directories beside them, the Open MPIs of hosts: each node read these itself, however files were brought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<StagedFile>,
}

impl Staging {
    /// Everything that was brought.
    pub fn parts(&self) -> impl Iterator<Item = &StagedFile> {
        self.files.iter().chain(&self.trees)
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// What it is, as among the manifest's files.
    pub name: String,
    /// Where it lay: what the design names.
    pub from: PathBuf,
    /// Where it ran from on every one of the nodes.
    pub path: PathBuf,
    /// Its digest; of a directory [`crate::tree::digest`].
    pub sha256: Sha256,
}
