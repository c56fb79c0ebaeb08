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
    /// Its digest.
    pub sha256: Sha256,
}
