//! What a user does before using an MPI of the place: modules are loaded, a file is sourced. A shell must do it, so its text is
//! fixed and the rest are its arguments; what counts is what it changed in the environment.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    command::CommandSpec,
    process::{Env, ProcessError, Room},
};

/// Modules lie on parallel file systems.
const PATIENCE: Duration = Duration::from_secs(60);
/// Arguments: how many files, the files, the modules. Files of sites end with any status, so theirs says nothing.
const TEXT: &str = r#"sifbench_files=("${@:2:$1}"); sifbench_modules=("${@:$1+2}"); set --
for sifbench_file in "${sifbench_files[@]}"; do
    [ -r "$sifbench_file" ] || { echo "cannot read $sifbench_file" >&2; exit 3; }
    . "$sifbench_file" >&2
done
if [ ${#sifbench_modules[@]} -gt 0 ]; then
    for sifbench_file in "$MODULESHOME/init/bash" "$LMOD_PKG/init/bash" /etc/profile.d/{modules,lmod,z00_lmod}.sh \
        /usr/share/modules/init/bash /usr/share/lmod/lmod/init/bash; do
        type module >/dev/null 2>&1 && break
        [ -r "$sifbench_file" ] && . "$sifbench_file" >&2
    done
    type module >/dev/null 2>&1 || { echo "there is no command \`module\`" >&2; exit 3; }
    module load "${sifbench_modules[@]}" >&2 || exit 4
fi
unset sifbench_files sifbench_modules sifbench_file
exec env -0"#;

/// What bash itself changes.
const OF_THE_SHELL: [&str; 4] = ["_", "SHLVL", "PWD", "OLDPWD"];

/// Variables that a setup sees besides what launches do: those by which `module` is found. Not what is loaded already, for
/// then loading it again would change nothing.
pub const SEES: [&str; 8] =
    ["MODULEPATH", "MODULEPATH_ROOT", "MODULESHOME", "MODULES_*", "LMOD_*", "BASH_FUNC_*", "BASH_ENV", "NIX_*"];

/// What is done before an MPI is used, files before modules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// Files that are sourced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<String>,
    /// Modules that are loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
}

/// Why a setup came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The shell could not be run.
    #[error("cannot run the shell that does `{setup}`")]
    Run {
        /// As typed.
        setup: String,
        /// Why.
        source: ProcessError,
    },
    /// It failed.
    #[error("`{setup}` failed: {said}; hint: does it work when typed on this node?")]
    Failed {
        /// As typed.
        setup: String,
        /// Its last words.
        said: String,
    },
    /// It did nothing.
    #[error("`{setup}` changed nothing in the environment; hint: leave `setup` out where none is needed")]
    Nothing {
        /// As typed.
        setup: String,
    },
}

impl Setup {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// As a user types it.
    #[must_use]
    pub fn typed(&self) -> String {
        let source = self.source.iter().map(|file| CommandSpec::new("source").arg(file).to_string());
        let load = CommandSpec::new("module").arg("load").args(&self.modules).to_string();
        source.chain((!self.modules.is_empty()).then_some(load)).collect::<Vec<_>>().join("; ")
    }

    /// The shell that does it and prints its environment.
    #[must_use]
    pub fn command(&self) -> CommandSpec {
        let count = self.source.len().to_string();
        CommandSpec::new("bash").args(["--norc", "-c", TEXT, "sifbench", &count]).args(&self.source).args(&self.modules)
    }

    /// What it changes of `before`.
    ///
    /// # Errors
    /// It fails, or changes nothing.
    pub fn changes(&self, room: &Room, before: &Env) -> Result<BTreeMap<String, String>, SetupError> {
        let setup = self.typed();
        let captured = room
            .capture(&self.command(), before, PATIENCE)
            .map_err(|source| SetupError::Run { setup: setup.clone(), source })?;
        if !captured.exit.success() {
            let last = captured.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
            return Err(SetupError::Failed { setup, said: last.to_owned() });
        }
        let changes = changes(before, &captured.stdout);
        if changes.is_empty() { Err(SetupError::Nothing { setup }) } else { Ok(changes) }
    }
}

/// The variables, as `env -0` writes them, that are not as `before`.
fn changes(before: &Env, after: &str) -> BTreeMap<String, String> {
    let variables = after.split('\0').filter_map(|entry| entry.split_once('='));
    variables
        .filter(|(name, _)| !OF_THE_SHELL.contains(name) && !name.starts_with("BASH_FUNC_"))
        // What the private directory of a helper is called is nobody's business.
        .filter(|(name, _)| !name.starts_with("SIFBENCH_") && *name != "TMPDIR")
        .filter(|(name, value)| before.get(name) != Some(value))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_typed_and_never_spelled_for_a_shell() {
        let words = |words: [&str; 2]| words.map(str::to_owned).into();
        let evil = Setup { source: words(["/a b.sh", "/$(touch x)"]), modules: words(["openmpi/4.1.8", "; rm"]) };
        assert_eq!(evil.typed(), "source '/a b.sh'; source '/$(touch x)'; module load openmpi/4.1.8 '; rm'");
        let args = evil.command().args;
        assert_eq!(args[1..5], ["-c", TEXT, "sifbench", "2"]);
        assert_eq!(args[5..], ["/a b.sh", "/$(touch x)", "openmpi/4.1.8", "; rm"]);
    }
}
