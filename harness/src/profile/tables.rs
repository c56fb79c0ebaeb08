//! The tables of a profile, as written.

use std::{collections::BTreeMap, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use super::Setup;
use crate::{
    case::Launcher,
    id::MpiVersion,
    redact::Kind,
    site::{batch::Batch, nodes::Strategy},
};

/// How jobs are submitted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchedulerTable {
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Batch>,
    /// The command, before the script.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub submit: Vec<String>,
    /// What stands at the head of a script. One that names something which nobody has given is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directives: Vec<String>,
}

/// What starts ranks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LauncherTable {
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Launcher>,
    /// Parameters of Open MPI.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mca: BTreeMap<String, String>,
    /// Whether mpirun is told where it lies on other nodes. It is, unless this is false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<bool>,
    /// Variables of sifbench's own environment that launches get, on every node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_env: Vec<String>,
    /// How other nodes are reached: `["slurm"]`, or a remote shell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<String>,
    /// What `srun --mpi` is given: those that are tried, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pmi: Vec<String>,
}

/// An Open MPI of the place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostTable {
    /// Which.
    pub version: MpiVersion,
    /// Where. May name variables, also of what `setup` sets.
    pub prefix: String,
    /// What a user does before.
    #[serde(default, skip_serializing_if = "Setup::is_nothing")]
    pub setup: Setup,
    /// Variables that its launches get.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// How containers are entered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerTable {
    /// `apptainer`, `singularity`, or a path; what is on `PATH` where it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Flags of `exec`, or of `instance start` in the instance mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// Bind mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binds: Option<Vec<String>>,
    /// Variables inside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The words by which the launcher itself enters an image, where it does so and no runtime is called: `{image}` is its
    /// file, `{name}` the file's name without its ending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_launcher: Vec<String>,
    /// The directory from which images must be run; the cache where it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<String>,
    /// The command that brings an image there; `{image}` is its file in the cache.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stage: Vec<String>,
    /// A directory of each node's own disk, to which runs bring images and the cache's Open MPIs first; they stay where they are
    /// where it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_to: Option<String>,
}

/// What holds for a mode.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModeTable {
    /// Why it cannot exist here: it is not launched, and reports say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
    /// Nodes that it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<NonZeroU32>,
    /// How instances live on several nodes. Of `hybrid-instance` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
}

/// Settings of a transport.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transport {
    /// Parameters of Open MPI.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mca: BTreeMap<String, String>,
    /// Variables of the program, such as UCX's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// What is hidden of a run where it is shared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyTable {
    /// Kinds of names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<Kind>,
}

/// Deadlines, s.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    /// From the start to the first hello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hello_s: Option<Deadline>,
    /// Longest silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_s: Option<Deadline>,
    /// The whole launch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_s: Option<Deadline>,
}

/// Seconds to wait for something: more than none, and no more than [`Deadline::LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Deadline(f64);

impl Deadline {
    /// Thirty days. No launch takes longer, and `inf` is no number in JSON, where a design is kept.
    pub const LONGEST: f64 = 30.0 * 24.0 * 3600.0;
}

impl TryFrom<f64> for Deadline {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        let good = seconds > 0.0 && seconds <= Self::LONGEST;
        good.then_some(Self(seconds)).ok_or_else(|| {
            format!("{seconds:?} is no deadline; hint: seconds, such as 30.0, and at most {} (30 days)", Self::LONGEST)
        })
    }
}

impl From<Deadline> for f64 {
    fn from(deadline: Deadline) -> f64 {
        deadline.0
    }
}
