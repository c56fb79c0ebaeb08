//! The other nodes of a launch: made ready before it, swept after it. One that cannot be swept is not used again, for a rank
//! that spins there would be in every later figure.

use std::{path::Path, time::Duration};

use super::{last_words, not_started, words};
use crate::{
    command::CommandSpec,
    compose::spread::remote,
    process::{Attempt, Env, PREPARE, ProcessError, Room, SWEEP, SweptNode},
    record::Outcome,
    run::RunError,
    site::nodes::Nodes,
};

/// For a word on every node.
const PATIENCE: Duration = Duration::from_secs(30);

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
    fn commands(&self, word: &str, marker: &str, scratch: &Path) -> Vec<CommandSpec> {
        let tool = CommandSpec::new(self.nodes.tool.to_string_lossy());
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        remote(self.nodes, &hosts, &tool.arg(word).arg(marker).arg(scratch.to_string_lossy()))
    }

    /// Makes the attempt's directories on each; else why there is no launch.
    pub(super) fn prepare(&self, attempt: &mut Attempt<'_>) -> Result<Option<Outcome>, RunError> {
        let commands = self.commands(PREPARE, attempt.marker(), attempt.scratch());
        for captured in attempt.capture_all(&commands, self.env, PATIENCE) {
            match captured {
                Ok(captured) if captured.exit.success() => {}
                Ok(captured) => {
                    let hosts = self.hosts.join(", ");
                    let reason = format!("cannot prepare {hosts}: {}", last_words(&captured));
                    return Ok(Some(Outcome::NotStarted { reason }));
                }
                Err(error) => return not_started(error).map(Some),
            }
        }
        Ok(None)
    }

    /// Sweeps each.
    pub(super) fn sweep(&self, room: &Room, marker: &str, scratch: &Path) -> Result<Found, ProcessError> {
        if self.hosts.is_empty() {
            return Ok(Found::default());
        }
        let commands = self.commands(SWEEP, marker, scratch);
        let (mut swept, mut reasons): (Vec<SweptNode>, Vec<String>) = (Vec::new(), Vec::new());
        for captured in room.capture_all(&commands, self.env, PATIENCE)? {
            match captured {
                Ok(captured) => {
                    swept.extend(captured.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()));
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
