//! What of an attempt runs on a node, looked at before it is ended: a rank that is gone or stopped shows here, and nowhere else
//! where its launcher says nothing. `sifbench __look <marker>` prints it as JSON.

use std::{ffi::OsString, process::ExitCode};

use serde::{Deserialize, Serialize};

use super::{guest, ours::MARKER, owner, procfs};

/// Looks at a node.
pub const LOOK: &str = "__look";

/// The processes of an attempt on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenNode {
    /// The node's own name for itself.
    pub host: String,
    /// What bears the attempt's marker there.
    pub processes: Vec<Seen>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its number, as it sees it itself.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether it is stopped.
    pub stopped: bool,
}

/// What bears the marker on this node.
#[must_use]
pub fn here(marker: &str) -> SeenNode {
    let mark = format!("{MARKER}={marker}");
    let own = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    let ours = procfs::processes()
        .into_iter()
        .filter(|process| process.id.pid != own && !process.zombie && procfs::environment_holds(process.id.pid, &mark));
    let seen = ours.filter_map(|process| {
        let pid = procfs::own_number(process.id.pid)?;
        Some(Seen { pid, name: process.name, stopped: process.stopped })
    });
    SeenNode { host: owner::host(), processes: seen.collect() }
}

pub(super) fn look(words: Vec<OsString>) -> ExitCode {
    let Some(marker) = <[OsString; 1]>::try_from(words).ok().and_then(|[marker]| guest::whole(marker)) else {
        return ExitCode::from(2);
    };
    guest::print(&here(&marker))
}
