//! The step between a launcher and the remote shell: `sifbench __agent <n> <n words of the shell> <host> <command..>`.
//!
//! A remote shell passes no variables on, so what runs on another node would bear no marker, and nothing would prove whose it
//! is. This word puts the attempt's variables in front of the command and becomes the remote shell. It also serves
//! `mpirun`, which calls it as its agent for each node, in 4.1 with a command of many words.

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
    let Some(call) = text.as_deref().and_then(Call::parse) else { return ExitCode::from(2) };
    let variables = CARRIED.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    let shell = std::env::var("SHELL").unwrap_or_default();
    let settings = settings(variables, shell.ends_with("csh"));
    let Call { program, args, host, command } = call;
    let error = Command::new(program).args(args).arg(host).arg(settings).args(command).exec();
    super::tell(&format!("cannot start the remote shell `{program}`: {error}"));
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

/// What the remote shell is called with. It joins the words behind the host by blanks.
#[derive(Debug, PartialEq)]
struct Call<'a> {
    program: &'a str,
    args: &'a [String],
    host: &'a str,
    command: &'a [String],
}

impl<'a> Call<'a> {
    fn parse(words: &'a [String]) -> Option<Self> {
        let (count, words) = words.split_first()?;
        let (shell, words) = words.split_at_checked(count.parse().ok()?)?;
        let ([program, args @ ..], [host, command @ ..]) = (shell, words) else { return None };
        Some(Self { program, args, host, command })
    }
}

/// One word that sets variables, for a remote shell to read before the command.
fn settings(variables: impl Iterator<Item = (&'static str, String)>, csh: bool) -> String {
    let set = |(name, value): (&str, String)| {
        let value = crate::command::quote(&value);
        if csh { format!("setenv {name} {value};") } else { format!("{name}={value}; export {name};") }
    };
    variables.map(set).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_command_gets_the_attempts_variables() {
        let check = |csh: bool, expected: &str| {
            let variables = [("PATH", "/a:/b c".to_owned()), ("TMPDIR", "/tmp/x".to_owned())];
            assert_eq!(settings(variables.into_iter(), csh), expected);
        };
        check(false, "PATH='/a:/b c'; export PATH; TMPDIR=/tmp/x; export TMPDIR;");
        check(true, "setenv PATH '/a:/b c'; setenv TMPDIR /tmp/x;");
    }

    #[test]
    fn the_host_stands_behind_the_words_of_the_shell() {
        let check = |words: &str, expected: Option<(&str, usize, &str, usize)>| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            let call = Call::parse(&words);
            let found = call.map(|call| (call.program, call.args.len(), call.host, call.command.len()));
            assert_eq!(found, expected, "{words:?}");
        };
        check("1 oarsh n2 orted", Some(("oarsh", 0, "n2", 1)));
        check("3 ssh -F config n2 orted -mca pmix ^s1", Some(("ssh", 2, "n2", 4)));
        check("2 ssh n2 true", Some(("ssh", 1, "true", 0)));
        check("0 ssh n2 true", None);
        check("3 ssh n2", None);
        check("ssh n2 true", None);
    }
}
