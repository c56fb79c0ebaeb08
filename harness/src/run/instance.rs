//! An instance around a launch: started and proved to live on every node, stopped on every one.

use std::time::Duration;

use super::{RunError, last_words, not_started};
use crate::{
    command::CommandSpec,
    compose::{HELD, InstanceCommands, Start},
    process::{Attempt, Captured, Env, ProcessError, Pulse, Reason},
    record::Outcome,
};

/// For each command of an instance's life.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts an instance and proves that it lives on every node; else why not.
pub(super) fn start(
    attempt: &mut Attempt<'_>,
    instance: &InstanceCommands,
    env: &Env,
) -> Result<Option<Outcome>, RunError> {
    let started = match &instance.start {
        Start::Each(commands) => all(attempt, "start", commands, env)?,
        Start::Held { holder, nodes } => held(attempt, holder, *nodes, env)?,
    };
    match started {
        Some(outcome) => Ok(Some(outcome)),
        None => all(attempt, "probe", &instance.probe, env),
    }
}

/// Starts what holds the instance, and waits until each node has said that it does.
fn held(attempt: &mut Attempt<'_>, holder: &CommandSpec, nodes: u32, env: &Env) -> Result<Option<Outcome>, RunError> {
    let (mut count, mut said) = (0, String::new());
    let ended = attempt.hold(holder, env, PATIENCE, &mut |_, line| {
        count += u32::from(line.trim() == HELD);
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut said);
        }
        if count == nodes { Pulse::Enough } else { Pulse::Quiet }
    });
    match ended {
        Ok(None) => Ok(None),
        Ok(Some(ended)) => match ended.reason {
            Reason::Interrupted => Ok(Some(Outcome::Interrupted)),
            Reason::Itself
            | Reason::FirstDeadline
            | Reason::SilenceDeadline
            | Reason::TotalDeadline
            | Reason::Enough => {
                let reason = format!("instance held on {count} of {nodes} nodes ({}): {said}", ended.exit);
                Ok(Some(Outcome::NotStarted { reason }))
            }
        },
        Err(error) => not_started(error).map(Some),
    }
}

fn all(
    attempt: &mut Attempt<'_>,
    what: &str,
    commands: &[CommandSpec],
    env: &Env,
) -> Result<Option<Outcome>, RunError> {
    for captured in attempt.capture_all(commands, env, PATIENCE) {
        if let Some(outcome) = failed(what, captured)? {
            return Ok(Some(outcome));
        }
    }
    Ok(None)
}

/// What came of one command, where that was no success.
fn failed(what: &str, captured: Result<Captured, ProcessError>) -> Result<Option<Outcome>, RunError> {
    match captured {
        Ok(captured) if captured.exit.success() => Ok(None),
        Ok(captured) => {
            let reason = format!("instance {what} failed: {}", last_words(&captured));
            Ok(Some(Outcome::NotStarted { reason }))
        }
        Err(error) => not_started(error).map(Some),
    }
}

/// Stops it. Whatever comes of that, closing the attempt and sweeping the nodes ends what is left.
pub(super) fn stop(attempt: &mut Attempt<'_>, instance: &InstanceCommands, env: &Env) {
    drop(attempt.capture_all(&instance.stop, env, PATIENCE));
    attempt.let_go(PATIENCE);
}
