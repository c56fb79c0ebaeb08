//! An attempt's part on another node: its private directory there, and the sweep of what is provably the attempt's.
//!
//! `sifbench __prepare <marker> <directory>` makes the directory before a launch and takes down which shared memory was there
//! already; `sifbench __sweep <marker> <directory>` ends every process that bears the marker, or descends from one that does,
//! removes what they left, and prints it as JSON. Both are run through the same agent as the launch itself.

use std::{
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};

use super::{
    Place, Room, Swept,
    attempt::clear_away,
    ours::{Ours, Scope},
    owner,
    scratch::Scratch,
};

/// Prepares a node.
pub const PREPARE: &str = "__prepare";
/// Sweeps one.
pub const SWEEP: &str = "__sweep";

/// What was swept on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptNode {
    /// The node's own name for itself.
    pub host: String,
    /// What had to be cleared away there.
    pub swept: Swept,
}

pub(super) fn prepare(words: Vec<OsString>) -> ExitCode {
    let Some((marker, directory)) = arguments(words) else { return ExitCode::from(2) };
    match Scratch::guest(&directory, &Ours::new(marker)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::tell(&format!("{}: {error}", owner::host()));
            ExitCode::FAILURE
        }
    }
}

pub(super) fn sweep(words: Vec<OsString>) -> ExitCode {
    let Some((marker, directory)) = arguments(words) else { return ExitCode::from(2) };
    let scratch = Scratch::at(&directory);
    let mut ours = scratch.guest_ours().filter(|ours| ours.marker() == marker).unwrap_or_else(|| Ours::new(marker));
    // Its launches were begun on another node: the marker alone tells what is theirs.
    ours.begin_before_all();
    ours.take_stock(Scope::Attempt);
    let place = Place { scratch: directory.parent().map_or_else(PathBuf::new, Path::to_owned), ..Place::default() };
    let swept = clear_away(&Room::guest(place), &scratch, &mut ours, Scope::Attempt);
    let node = SweptNode { host: owner::host(), swept };
    let written = serde_json::to_string(&node).map_err(std::io::Error::from);
    match written.and_then(|json| writeln!(std::io::stdout(), "{json}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::tell(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn arguments(words: Vec<OsString>) -> Option<(String, PathBuf)> {
    let [marker, directory] = <[OsString; 2]>::try_from(words).ok()?;
    let marker = marker.into_string().ok()?;
    // Part of a marker would be borne by others.
    marker.ends_with('.').then(|| (marker, directory.into()))
}
