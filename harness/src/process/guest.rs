//! An attempt's part on another node: its private directory there, and the end of what is provably the attempt's.
//!
//! `sifbench __guard <marker> <directory> <seconds> [<directory>..]` makes the directory before a launch, and those that the
//! attempt has besides it, takes down which shared memory was there already, says so, and stays. When nobody listens to it any
//! more (the harness was killed, the connection is cut), or after as many seconds as an attempt may last at most, it sweeps the
//! node by itself. `sifbench __sweep <marker> <directory>` ends it, ends every process that bears the marker, or descends from
//! one that does, removes what they left, and prints that as JSON. All are run through the same agent as the launch itself.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level,
};

use super::{
    Place, Room, Swept,
    attempt::clear_away,
    now,
    ours::{self, Ours, Scope},
    owner,
    scratch::Scratch,
    timespec,
};

/// Prepares a node and guards it.
pub const GUARD: &str = "__guard";
/// Sweeps one.
pub const SWEEP: &str = "__sweep";
/// What a guard says once the node is prepared.
pub const GUARDED: &str = "sifbench: this node is guarded";

/// What was swept on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptNode {
    /// The node's own name for itself.
    pub host: String,
    /// What had to be cleared away there.
    pub swept: Swept,
}

pub(super) fn guard(words: Vec<OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let (Some(marker), Some(directory), Some(seconds)) = (words.next(), words.next(), words.next()) else {
        return ExitCode::from(2);
    };
    let (Some(marker), Some(seconds)) = (whole(marker), seconds.to_str().and_then(|text| text.parse().ok())) else {
        return ExitCode::from(2);
    };
    let directory = PathBuf::from(directory);
    let guarded = (|| -> Result<(), Box<dyn std::error::Error>> {
        let (bell, ringer) = UnixStream::pair()?;
        // A step that is cancelled, a shell that is closed.
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            low_level::pipe::register(signal, ringer.try_clone()?)?;
        }
        // What an earlier guard has left here that was killed itself.
        room(&directory).clear_stale()?;
        let mut ours = Ours::new(marker.clone());
        words.for_each(|owned| ours.own(owned.into()));
        Scratch::guest(&directory, ours)?;
        writeln!(io::stdout(), "{GUARDED}")?;
        until_alone(&bell, Duration::from_secs(seconds))?;
        sweep_here(marker, &directory);
        Ok(())
    })();
    match guarded {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::tell(&format!("{}: {}", owner::host(), in_words(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

/// What failed and why, before what to do.
fn in_words(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let (what, hint) = text.split_once("; hint: ").map_or((text.as_str(), None), |(what, hint)| (what, Some(hint)));
    let why = error.source().map_or(String::new(), |source| format!(": {source}"));
    let hint = hint.map_or(String::new(), |hint| format!("; hint: {hint}"));
    format!("{what}{why}{hint}")
}

/// Waits until nobody listens any more, or a signal comes, or the time is over.
fn until_alone(bell: &UnixStream, limit: Duration) -> io::Result<()> {
    let stdout = io::stdout();
    let until = now() + limit;
    loop {
        let left = timespec(until.saturating_duration_since(now()));
        // An end that nobody reads is told without being asked for.
        let mut waiting = [PollFd::new(&stdout, PollFlags::empty()), PollFd::new(bell, PollFlags::IN)];
        match poll(&mut waiting, Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            // A wait has an end that comes before that of a long run.
            Ok(0) if now() < until => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn sweep(words: Vec<OsString>) -> ExitCode {
    let Ok([marker, directory]) = <[OsString; 2]>::try_from(words) else { return ExitCode::from(2) };
    let Some(marker) = whole(marker) else { return ExitCode::from(2) };
    print(&SweptNode { host: owner::host(), swept: sweep_here(marker, Path::new(&directory)) })
}

fn sweep_here(marker: String, directory: &Path) -> Swept {
    let scratch = Scratch::at(directory);
    let record = scratch.guest_record().filter(|record| record.ours.marker() == marker);
    let mut ours = match record {
        Some(record) => {
            ours::relieve(record.owner.id);
            record.ours
        }
        None => Ours::new(marker),
    };
    // Its launches were begun on another node: the marker alone tells what is theirs.
    ours.begin_before_all();
    let left = ours.end(Scope::Attempt, &mut std::thread::sleep);
    clear_away(&room(directory), &scratch, &mut ours, left)
}

fn room(directory: &Path) -> Room {
    Room::guest(Place { scratch: directory.parent().map_or_else(PathBuf::new, Path::to_owned), ..Place::default() })
}

/// A marker. Part of one would be borne by others.
pub(super) fn whole(marker: OsString) -> Option<String> {
    marker.into_string().ok().filter(|marker| marker.ends_with('.'))
}

/// Answers with a line of JSON.
pub(super) fn print(answer: &impl Serialize) -> ExitCode {
    let written = serde_json::to_string(answer).map_err(io::Error::from);
    match written.and_then(|json| writeln!(io::stdout(), "{json}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::tell(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
