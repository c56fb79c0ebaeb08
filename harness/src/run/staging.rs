//! What a design runs, brought to a disk of each node's own, where launches do not wait for a parallel file system. It is there
//! for as long as a run is made, on every node that launches may use, and is gone with it: guards see to that where the
//! harness cannot.

mod moved;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::moved::{imagined, moved, paths};
use self::moved::{order, staged};
use super::{RunError, elsewhere::Elsewhere, last_words};
use crate::{
    command::CommandSpec,
    compose::spread::remote,
    process::{Attempt, Copied, Env, FaultKind, Order, ProcessError, Room, Shape},
    record::{FileFact, Outcome, Staging},
    site::nodes::Nodes,
};

/// For every node to have everything: images of gigabytes, from a file system that all of them read at once.
const PATIENCE: Duration = Duration::from_secs(1800);
/// No run lasts longer.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// What cannot be staged.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// A node has not all of it.
    #[error("{node}: cannot stage {}: {what}; hint: {hint}", path.display())]
    Node {
        /// Which.
        node: String,
        /// What was being read or written there.
        path: PathBuf,
        /// Why.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The directories were not made.
    #[error("cannot stage to {}: {reason}; hint: name a directory of each node's own disk that you may write to (--stage)", place.display())]
    Directory {
        /// As it was named.
        place: PathBuf,
        /// Why.
        reason: String,
    },
    /// A node does not answer.
    #[error("cannot stage on {}: {reason}; hint: are they reached by the agent? `sifbench site check` shows how", nodes.join(", "))]
    Silent {
        /// Which.
        nodes: Vec<String>,
        /// What was said instead.
        reason: String,
    },
    /// The user has stopped it.
    #[error("stopped while images were brought to the nodes")]
    Interrupted,
    /// The harness's own failure.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<ProcessError> for StagingError {
    fn from(error: ProcessError) -> Self {
        Self::Run(error.into())
    }
}

/// What is to be brought where.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// A directory that each node has for itself.
    pub place: &'a Path,
    /// The files that the design runs.
    pub files: Vec<FileFact>,
    /// The directories that it runs programs and libraries of.
    pub trees: Vec<FileFact>,
    /// What `sbcast` needs to see, where it is to be tried.
    pub sbcast: Option<Env>,
}

/// What was brought. Dropped, it is removed everywhere.
#[derive(Debug)]
pub struct Staged<'r> {
    room: &'r Room,
    /// None once it is closed.
    attempt: Option<Attempt<'r>>,
    nodes: Nodes,
    hosts: Vec<String>,
    env: Env,
    fact: Staging,
}

impl<'r> Staged<'r> {
    /// Brings what is wanted to all of `nodes`, whom `env` is for. `say` hears what is worth telling.
    ///
    /// # Errors
    /// Which node lacks what, and why. Nothing is left then.
    pub fn make(
        room: &'r Room,
        (nodes, env): (&Nodes, Env),
        wanted: &Wanted<'_>,
        say: &dyn Fn(&str),
    ) -> Result<Self, StagingError> {
        let mut attempt = room.lasting("staging")?;
        let place = wanted.place.to_owned();
        let refused = |reason: String| StagingError::Directory { place: place.clone(), reason };
        let directory = attempt.make_directory(wanted.place).map_err(|error| match error {
            ProcessError::Scratch { path, source } => refused(format!("{}: {source}", path.display())),
            other => other.into(),
        })?;
        let mut files = staged(&directory, &[&wanted.files[..], &wanted.trees].concat());
        let trees = files.split_off(wanted.files.len());
        let host = |node: &crate::site::Node| node.host.clone();
        let fact = Staging {
            place: place.clone(),
            directory,
            by: "copy".to_owned(),
            nodes: nodes.list.iter().map(host).collect(),
            files,
            trees,
        };
        let hosts = nodes.list.iter().skip(1).map(host).collect();
        // From here on dropping it clears every node.
        let mut staged = Self { room, attempt: Some(attempt), nodes: nodes.clone(), hosts, env, fact };
        match staged.guard()? {
            None => {}
            Some(Outcome::Interrupted) => return Err(StagingError::Interrupted),
            Some(Outcome::NotStarted { reason }) => return Err(refused(reason)),
            Some(other) => return Err(refused(other.to_string())),
        }
        if let Some(env) = &wanted.sbcast {
            match staged.broadcast(env)? {
                None => staged.fact.by = "sbcast".to_owned(),
                Some(reason) => say(&format!("sbcast: {reason}; each node reads the images itself")),
            }
        }
        if staged.copy()? > 0 {
            staged.fact.by = "copy".to_owned();
        }
        Ok(staged)
    }

    /// What was brought, and where it lies.
    #[must_use]
    pub fn fact(&self) -> &Staging {
        &self.fact
    }

    fn elsewhere(&self) -> Elsewhere<'_> {
        Elsewhere { nodes: &self.nodes, hosts: &self.hosts, env: &self.env }
    }

    /// Makes the directory on the other nodes, each of which clears it away by itself once nobody is there.
    fn guard(&mut self) -> Result<Option<Outcome>, StagingError> {
        let Self { attempt, nodes, hosts, env, .. } = self;
        let elsewhere = Elsewhere { nodes, hosts, env };
        let Some(attempt) = attempt else { return Ok(None) };
        Ok(elsewhere.prepare(attempt, LONGEST)?)
    }

    /// Has Slurm bring the files to all nodes of the job; else why it cannot.
    fn broadcast(&mut self, env: &Env) -> Result<Option<String>, StagingError> {
        let Some(attempt) = &mut self.attempt else { return Ok(None) };
        for file in &self.fact.files {
            let [from, to] = [&file.from, &file.path].map(|path| path.to_string_lossy().into_owned());
            let command = CommandSpec::new("sbcast").args(["--force".to_owned(), "--preserve".to_owned(), from, to]);
            match attempt.capture(&command, env, PATIENCE) {
                Ok(captured) if captured.exit.success() => {}
                Ok(captured) => return Ok(Some(last_words(&captured))),
                Err(error) => return stopped(error).map(Some),
            }
        }
        Ok(None)
    }

    /// Has every node read what it lacks, and prove all of it. Returns how many files had to be read.
    fn copy(&mut self) -> Result<u32, StagingError> {
        let files = self.fact.files.iter().map(|file| order(Shape::File, file));
        let orders: Vec<Order> = files.chain(self.fact.trees.iter().map(|tree| order(Shape::Tree, tree))).collect();
        let command = Order::command(&self.nodes.tool, &self.fact.directory, &orders);
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let commands: Vec<CommandSpec> =
            std::iter::once(command.clone()).chain(remote(&self.nodes, &hosts, &command)).collect();
        let Some(attempt) = &mut self.attempt else { return Ok(0) };
        let (mut answers, mut said): (Vec<Copied>, Vec<String>) = (Vec::new(), Vec::new());
        for captured in attempt.capture_all(&commands, &self.env, PATIENCE) {
            match captured {
                Ok(captured) => {
                    answers.extend(captured.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()));
                    if !captured.exit.success() {
                        said.push(last_words(&captured));
                    }
                }
                Err(error) => said.push(stopped(error)?),
            }
        }
        judged(&self.nodes, &answers, &said)
    }

    /// Removes it everywhere. Returns what could not be removed.
    ///
    /// # Errors
    /// The harness's own failure; guards do it then.
    pub fn close(mut self) -> Result<Vec<String>, RunError> {
        Ok(self.clear()?.into_iter().filter(|words| words.contains("LEFT")).collect())
    }

    fn clear(&mut self) -> Result<Vec<String>, RunError> {
        let Some(attempt) = self.attempt.take() else { return Ok(Vec::new()) };
        Ok(self.elsewhere().close(self.room, attempt)?.words)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Guards clear what cannot be cleared from here.
        drop(self.clear());
    }
}

/// Why a command could not be made, unless the user has stopped it.
fn stopped(error: ProcessError) -> Result<String, StagingError> {
    match error {
        ProcessError::Interrupted { .. } => Err(StagingError::Interrupted),
        ProcessError::NotStarted { program, source } => Ok(format!("`{program}`: {source}")),
        other => Ok(other.to_string()),
    }
}

/// What the answers of nodes mean: how many files were copied, or what the first one lacks.
fn judged(nodes: &Nodes, answers: &[Copied], said: &[String]) -> Result<u32, StagingError> {
    let answer = |node: &&crate::site::Node| answers.iter().find(|answer| node.is(&answer.host));
    let silent: Vec<String> =
        nodes.list.iter().filter(|node| answer(node).is_none()).map(|node| node.host.clone()).collect();
    if let Some((node, fault)) = nodes.list.iter().find_map(|node| Some((node, answer(&node)?.fault.as_ref()?))) {
        let hint = match fault.kind {
            FaultKind::Full => "make room there, or name another directory by --stage",
            FaultKind::Differs => "it is damaged, or was replaced since the run was begun: restore it, or begin anew",
            FaultKind::NoExec => "name another directory by --stage: native launches run bench-app from there",
            FaultKind::System => "every node must read where images lie, and write where they are staged (--stage)",
        };
        let (path, what) = (fault.path.clone(), fault.what.clone());
        return Err(StagingError::Node { node: node.host.clone(), path, what, hint });
    }
    if silent.is_empty() {
        return Ok(answers.iter().map(|answer| answer.copied).sum());
    }
    let reason = if said.is_empty() { "no answer".to_owned() } else { said.join("; ") };
    Err(StagingError::Silent { nodes: silent, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        process::Fault,
        site::{Allocation, Node, Scheduler},
    };

    #[test]
    fn a_node_that_lacks_something_is_named_with_the_place_and_what_to_do() {
        let list = ["n1", "n2.cluster", "n3"].iter().map(|host| Node::new(*host, 1)).collect();
        let nodes = Nodes::of(&Allocation { scheduler: Scheduler::Oar, job: None, nodes: list }, "sifbench".into());
        let answer = |host: &str, fault: Option<(FaultKind, &str)>| Copied {
            host: host.into(),
            copied: 2,
            fault: fault.map(|(kind, what)| Fault { kind, path: "/disk/x.sif".into(), what: what.into() }),
        };
        let check = |answers: &[Copied], said: &[&str], expected: Result<u32, &str>| {
            let said: Vec<String> = said.iter().map(|line| (*line).to_owned()).collect();
            let found = judged(&nodes, answers, &said).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        let [n1, n2, n3] = ["n1", "n2", "n3"].map(|host| answer(host, None));
        check(&[n1.clone(), n2.clone(), n3.clone()], &[], Ok(6));
        let full = answer("n2", Some((FaultKind::Full, "it takes 53.0 MiB, and 9.5 MiB are free")));
        check(
            &[n1.clone(), full, n3],
            &[],
            Err("n2.cluster: cannot stage /disk/x.sif: it takes 53.0 MiB, and 9.5 MiB are free; \
                 hint: make room there, or name another directory by --stage"),
        );
        let differs = answer("n3", Some((FaultKind::Differs, "its SHA-256 is a there, where b is due")));
        check(
            &[n1.clone(), n2.clone(), differs],
            &["oarsh: exit 1"],
            Err("n3: cannot stage /disk/x.sif: its SHA-256 is a there, where b is due; \
                 hint: it is damaged, or was replaced since the run was begun: restore it, or begin anew"),
        );
        check(
            &[n1, n2],
            &["no route to host"],
            Err("cannot stage on n3: no route to host; \
                 hint: are they reached by the agent? `sifbench site check` shows how"),
        );
    }
}
