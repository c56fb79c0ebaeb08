//! The other nodes of a launch: made ready and guarded before it, looked at where it hangs, swept after it. One that cannot be
//! swept is not used again, for a rank that spins there would be in every later figure.

use std::{path::Path, time::Duration};

use super::{last_words, not_started, words};
use crate::{
    command::CommandSpec,
    compose::spread::remote,
    process::{
        Attempt, Env, GUARD, GUARDED, LOOK, ProcessError, Pulse, Reason, Room, SWEEP, SeenNode, SweptNode, look_here,
    },
    record::Outcome,
    run::RunError,
    site::nodes::Nodes,
};

/// For a word on every node.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a look at one that may hang like the launch does.
const GLANCE: Duration = Duration::from_secs(4);
/// What an attempt takes at most besides its launch: an instance's start and probe, an end by force.
const AROUND: Duration = Duration::from_secs(90);

/// The other nodes of an attempt.
#[derive(Debug)]
pub(super) struct Elsewhere<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) hosts: &'a [String],
    pub(super) env: &'a Env,
}

/// What came of a sweep.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What had to be cleared away, in words.
    pub(super) words: Vec<String>,
    /// Nodes that must not be used again.
    pub(super) lost: Vec<String>,
}

impl Elsewhere<'_> {
    fn commands(&self, words: &[&str]) -> Vec<CommandSpec> {
        let tool = CommandSpec::new(self.nodes.tool.to_string_lossy());
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        remote(self.nodes, &hosts, &tool.args(words.iter().copied()))
    }

    /// Makes all directories of the attempt on each, guarded for as long as a launch of `limit` may last; else why there is no
    /// launch.
    pub(super) fn prepare(&self, attempt: &mut Attempt<'_>, limit: Duration) -> Result<Option<Outcome>, RunError> {
        let seconds = limit.saturating_add(AROUND).as_secs().to_string();
        let (marker, scratch) = (attempt.marker().to_owned(), attempt.scratch().to_string_lossy().into_owned());
        let owned: Vec<String> = attempt.directories().map(|dir| dir.to_string_lossy().into_owned()).collect();
        let words = [GUARD, &marker, &scratch, &seconds].into_iter().chain(owned.iter().map(String::as_str));
        let commands = self.commands(&words.collect::<Vec<_>>());
        // A step is on all of them, a remote shell on one.
        let nodes = self.hosts.len() / commands.len().max(1);
        let (mut guarded, mut said) = (vec![0; commands.len()], String::new());
        let ended = attempt.guard(&commands, self.env, PATIENCE, &mut |at, line| {
            guarded[at] += usize::from(line.trim() == GUARDED);
            if !line.trim().is_empty() && line.trim() != GUARDED {
                line.trim().clone_into(&mut said);
            }
            if guarded[at] == nodes { Pulse::Enough } else { Pulse::Quiet }
        });
        for ended in ended {
            match ended {
                Ok(None) => {}
                Ok(Some(ended)) if ended.reason == Reason::Interrupted => return Ok(Some(Outcome::Interrupted)),
                Ok(Some(ended)) => {
                    let reason = format!("cannot prepare {} ({}): {said}", self.hosts.join(", "), ended.exit);
                    return Ok(Some(Outcome::NotStarted { reason }));
                }
                Err(error) => return not_started(error).map(Some),
            }
        }
        Ok(None)
    }

    /// What of an attempt runs on each node, this one first, and on which of them nobody answers.
    pub(super) fn look(&self, room: &Room, marker: &str) -> (Vec<SeenNode>, Vec<String>) {
        let mut seen = vec![look_here(marker)];
        if self.hosts.is_empty() {
            return (seen, Vec::new());
        }
        let answers = room.capture_all(&self.commands(&[LOOK, marker]), self.env, GLANCE);
        let answers = answers.into_iter().flatten().flatten();
        seen.extend(answers.flat_map(|captured| read::<SeenNode>(&captured.stdout)));
        let silent = self.hosts.iter().filter(|host| !seen.iter().any(|seen| self.is(host, &seen.host)));
        let silent = silent.cloned().collect();
        (seen, silent)
    }

    /// Whether a node's name for itself is that of the node `host`.
    fn is(&self, host: &str, itself: &str) -> bool {
        self.nodes.list.iter().any(|node| node.host == host && node.is(itself))
    }

    /// Sweeps each, and closes the attempt. Guards would do as much once they are alone.
    pub(super) fn close(&self, room: &Room, mut attempt: Attempt<'_>) -> Result<Found, ProcessError> {
        let found = self.sweep(room, attempt.marker(), attempt.scratch());
        attempt.dismiss(GLANCE);
        let here = words(&attempt.close());
        let mut found = found?;
        found.words = [here, found.words].concat();
        Ok(found)
    }

    fn sweep(&self, room: &Room, marker: &str, scratch: &Path) -> Result<Found, ProcessError> {
        if self.hosts.is_empty() {
            return Ok(Found::default());
        }
        let commands = self.commands(&[SWEEP, marker, &scratch.to_string_lossy()]);
        let (mut swept, mut reasons): (Vec<SweptNode>, Vec<String>) = (Vec::new(), Vec::new());
        for captured in room.capture_all(&commands, self.env, PATIENCE)? {
            match captured {
                Ok(captured) => {
                    swept.extend(read::<SweptNode>(&captured.stdout));
                    if !captured.exit.success() {
                        reasons.push(last_words(&captured));
                    }
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Ok(found(self.nodes, self.hosts, &swept, &reasons.join("; ")))
    }
}

/// The answers of nodes, a line each.
fn read<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What the answers of nodes mean; one that has not answered is lost, for `reason`.
fn found(nodes: &Nodes, hosts: &[String], swept: &[SweptNode], reason: &str) -> Found {
    let mut found = Found::default();
    for host in hosts {
        let known = nodes.list.iter().find(|node| node.host == *host);
        let answer = swept.iter().find(|answer| known.is_some_and(|node| node.is(&answer.host)));
        match answer {
            Some(answer) => {
                found.words.extend(words(&answer.swept).into_iter().map(|word| format!("{host}: {word}")));
                if !answer.swept.left.is_empty() {
                    found.lost.push(host.clone());
                }
            }
            None => {
                found.words.push(format!("LEFT: {host} cannot be swept and is not used again: {reason}"));
                found.lost.push(host.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        process::Swept,
        site::{Allocation, Node, Scheduler},
    };

    #[test]
    fn a_node_is_lost_unless_it_answers_that_nothing_is_left() {
        let hosts = ["n1", "n2.cluster", "n3"];
        let list = hosts.iter().map(|host| Node::new(*host, 1)).collect();
        let nodes = Nodes::of(&Allocation { scheduler: Scheduler::Oar, job: None, nodes: list }, "sifbench".into());
        let answer = |host: &str, processes, left: &[&str]| SweptNode {
            host: host.to_owned(),
            swept: Swept { processes, left: left.iter().map(|left| (*left).to_owned()).collect(), ..Swept::default() },
        };
        let check = |answers: &[SweptNode], words: &[&str], lost: &[&str]| {
            let others: Vec<String> = hosts[1..].iter().map(|host| (*host).to_owned()).collect();
            let found = found(&nodes, &others, answers, "no route to host");
            assert_eq!(
                (found.words.as_slice(), found.lost.as_slice()),
                (
                    words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>().as_slice(),
                    lost.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>().as_slice(),
                )
            );
        };
        check(&[answer("n2", 0, &[]), answer("n3", 0, &[])], &[], &[]);
        check(&[answer("n3", 0, &[]), answer("n2", 3, &[])], &["n2.cluster: 3 processes"], &[]);
        let spins = "process 7 (bench-app)";
        check(
            &[answer("n2", 1, &[spins]), answer("n3", 0, &[])],
            &["n2.cluster: 1 processes", "n2.cluster: LEFT: process 7 (bench-app)"],
            &["n2.cluster"],
        );
        let silent = "LEFT: n3 cannot be swept and is not used again: no route to host";
        check(&[answer("n2", 0, &[])], &[silent], &["n3"]);
    }
}
