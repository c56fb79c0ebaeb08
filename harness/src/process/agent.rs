//! The step between a launcher and the remote shell: `sifbench __agent <shell words..> <host> <command>`.
//!
//! A remote shell passes no variables on, so what runs on another node would bear no marker, and nothing would prove whose it
//! is. This word puts the attempt's variables in front of the command and becomes the remote shell. It also serves
//! `mpirun`, which calls it as its agent for each node.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use super::CARRIED;

pub(super) const WORD: &str = "__agent";

/// Becomes the remote shell; returns only when that failed.
#[expect(clippy::disallowed_methods, reason = "this room starts processes, and hands its own environment on")]
pub(super) fn become_agent(words: Vec<OsString>) -> ExitCode {
    let text: Option<Vec<String>> = words.into_iter().map(|word| word.into_string().ok()).collect();
    let Some([program, args @ .., command]) = text.as_deref() else { return ExitCode::from(2) };
    let variables = CARRIED.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    let shell = std::env::var("SHELL").unwrap_or_default();
    let command = with_variables(command, variables, shell.ends_with("csh"));
    let error = Command::new(program).args(args).arg(command).exec();
    super::tell(&format!("cannot start the remote shell `{program}`: {error}"));
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

/// `command`, for a remote shell to read, with variables set before it.
fn with_variables(command: &str, variables: impl Iterator<Item = (&'static str, String)>, csh: bool) -> String {
    let set = |(name, value): (&str, String)| {
        let value = crate::command::quote(&value);
        if csh { format!("setenv {name} {value}; ") } else { format!("{name}={value}; export {name}; ") }
    };
    variables.map(set).chain([command.trim_start().to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_command_gets_the_attempts_variables() {
        let check = |csh: bool, expected: &str| {
            let variables = [("PATH", "/a:/b c".to_owned()), ("TMPDIR", "/tmp/x".to_owned())];
            assert_eq!(with_variables(" orted -mca a 'b c'", variables.into_iter(), csh), expected);
        };
        check(false, "PATH='/a:/b c'; export PATH; TMPDIR=/tmp/x; export TMPDIR; orted -mca a 'b c'");
        check(true, "setenv PATH '/a:/b c'; setenv TMPDIR /tmp/x; orted -mca a 'b c'");
    }
}
