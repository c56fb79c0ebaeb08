//! A command is data. It becomes a shell line only for a person to read or paste.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// A program with its arguments, the variables that are set on top of the allow-listed environment, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// What is executed: a path, or a name to be found on the child's `PATH`.
    pub program: String,
    /// Arguments, each as the program receives it.
    pub args: Vec<String>,
    /// Variables set for this command; they win over inherited ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Working directory; the harness's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
}

impl CommandSpec {
    /// `program` without arguments.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: BTreeMap::new(), cwd: None }
    }

    /// The same command with one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The same command with more arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The same command with a variable set.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// The same command in another directory.
    #[must_use]
    pub fn cwd(mut self, dir: &Path) -> Self {
        self.cwd = Some(dir.to_owned());
        self
    }

    /// `self` as the last arguments of `outer`: how a launcher or a container runtime wraps what it runs.
    ///
    /// Variables of the inner command are kept: `outer` passes them on.
    #[must_use]
    pub fn within(self, mut outer: CommandSpec) -> CommandSpec {
        outer.args.push(self.program);
        outer.args.extend(self.args);
        for (name, value) in self.env {
            outer.env.entry(name).or_insert(value);
        }
        outer.cwd = outer.cwd.or(self.cwd);
        outer
    }
}

/// Quoted for a POSIX shell, ready to paste.
impl fmt::Display for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cwd) = &self.cwd {
            write!(f, "cd {} && ", quote(&cwd.to_string_lossy()))?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quote(value))?;
        }
        f.write_str(&quote(&self.program))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quote(arg)))
    }
}

/// One word as a POSIX shell would have to read it.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_a_shell_would_read_it() {
        let check = |command: CommandSpec, expected: &str| assert_eq!(command.to_string(), expected);
        check(CommandSpec::new("mpirun").args(["-np", "2", "app"]), "mpirun -np 2 app");
        check(CommandSpec::new("echo").arg("it's").arg(""), r"echo 'it'\''s' ''");
        check(CommandSpec::new("app").env("A", "x y").cwd(Path::new("/a b")), "cd '/a b' && A='x y' app");
    }

    #[test]
    fn a_wrapper_takes_the_inner_command_as_its_last_arguments() {
        let app = CommandSpec::new("app").arg("--x").env("IN", "1").env("BOTH", "inner");
        let outer = CommandSpec::new("mpirun").arg("-np").arg("2").env("BOTH", "outer");
        assert_eq!(app.within(outer).to_string(), "BOTH=outer IN=1 mpirun -np 2 app --x");
    }
}
