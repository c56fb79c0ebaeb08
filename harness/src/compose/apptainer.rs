//! Apptainer (or Singularity, which takes the same words).

use std::path::Path;

use crate::{case::Settings, command::CommandSpec};

/// The container runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// `apptainer`, `singularity`, or a path.
    pub program: String,
}

/// Flags of `exec` and of `instance start`.
///
/// In the instance mode they go to `instance start`: what is given to `exec instance://` comes too late for mounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<String>);

impl Options {
    /// What the user asked for.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let options = settings.flags.iter().fold(Self::default(), |options, flag| options.flag(flag));
        let options = settings.binds.iter().fold(options, |options, bind| options.bind(bind));
        settings.env.iter().fold(options, |options, (name, value)| options.env(name, value))
    }

    /// With one more flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.0.push(flag.to_owned());
        self
    }

    /// With one more bind mount, `source[:target[:options]]`.
    #[must_use]
    pub fn bind(self, bind: &str) -> Self {
        self.flag("--bind").flag(bind)
    }

    /// With one more variable inside.
    #[must_use]
    pub fn env(self, name: &str, value: &str) -> Self {
        self.flag("--env").flag(&format!("{name}={value}"))
    }
}

impl Runtime {
    /// The variable for its own directory that it knows besides Apptainer's, which every launch has.
    #[must_use]
    pub fn config_dir(&self) -> Option<&'static str> {
        let name = Path::new(&self.program).file_name()?;
        (name == "singularity").then_some("SINGULARITY_CONFIGDIR")
    }

    /// `inner` in a container of `image`.
    #[must_use]
    pub fn exec(&self, inner: CommandSpec, image: &Path, options: &Options) -> CommandSpec {
        inner.within(self.command(&["exec"]).args(&options.0).arg(image.to_string_lossy()))
    }

    /// `inner` in the running instance `name`.
    #[must_use]
    pub fn exec_instance(&self, inner: CommandSpec, name: &str) -> CommandSpec {
        inner.within(self.command(&["exec"]).arg(format!("instance://{name}")))
    }

    /// Starts an instance of `image` as `name`.
    #[must_use]
    pub fn instance_start(&self, image: &Path, name: &str, options: &Options) -> CommandSpec {
        self.command(&["instance", "start"]).args(&options.0).arg(image.to_string_lossy()).arg(name)
    }

    /// Stops the instance `name`.
    #[must_use]
    pub fn instance_stop(&self, name: &str) -> CommandSpec {
        self.command(&["instance", "stop"]).arg(name)
    }

    fn command(&self, words: &[&str]) -> CommandSpec {
        CommandSpec::new(&self.program).args(words.iter().copied())
    }
}
