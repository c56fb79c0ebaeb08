//! Runs other people's programs for their effect: pip, cargo, apptainer. Not for what is measured.

use std::time::Duration;

use crate::{
    command::CommandSpec,
    process::{Captured, Env, ProcessError, Room},
};

/// Runs tools in the environment of the user.
#[derive(Debug)]
pub struct Tools<'a> {
    room: &'a Room,
    env: Env,
}

/// A tool failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be run at all.
    #[error("cannot run `{program}`")]
    Run {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: ProcessError,
    },
    /// It ran and failed.
    #[error("`{command}` failed ({exit}): {said}")]
    Failed {
        /// As typed in a shell.
        command: String,
        /// Its exit code or signal.
        exit: String,
        /// Its last words.
        said: String,
    },
}

impl<'a> Tools<'a> {
    /// Tools that see `env`.
    #[must_use]
    pub fn new(room: &'a Room, env: Env) -> Self {
        Self { room, env }
    }

    /// Runs `command` to its end and returns its standard output.
    ///
    /// # Errors
    /// It cannot be run, ends with anything but success, or takes longer than `limit`.
    pub fn run(&self, command: &CommandSpec, limit: Duration) -> Result<String, ToolError> {
        let captured = self.try_run(command, limit)?;
        if captured.exit.success() {
            return Ok(captured.stdout);
        }
        Err(ToolError::Failed {
            command: command.to_string(),
            exit: captured.exit.to_string(),
            said: last_words(&captured.stderr, &captured.stdout),
        })
    }

    /// Runs `command` to its end, whatever that is.
    ///
    /// # Errors
    /// It cannot be run, or takes longer than `limit`.
    pub fn try_run(&self, command: &CommandSpec, limit: Duration) -> Result<Captured, ToolError> {
        let run = |source| ToolError::Run { program: command.program.clone(), source };
        self.room.capture(command, &self.env, limit).map_err(run)
    }

    /// All that a command says, whatever its end; nothing where it cannot be run or takes longer than `limit`.
    #[must_use]
    pub fn words(&self, argv: &[&str], limit: Duration) -> String {
        let Some((program, args)) = argv.split_first() else { return String::new() };
        let said = self.try_run(&CommandSpec::new(*program).args(args.iter().copied()), limit);
        said.map_or(String::new(), |captured| captured.stdout + &captured.stderr)
    }
}

/// The end of what a tool said: there stands the reason.
fn last_words(stderr: &str, stdout: &str) -> String {
    let text = if stderr.trim().is_empty() { stdout } else { stderr };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
