//! Where the process meets the world: environment, clock, terminal. Everything below is told.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;

use crate::{
    cache::Cache,
    catalogue::{BadCatalogue, Catalogue, Unknown},
    compose::apptainer::Runtime,
    config::ConfigError,
    id::BadId,
    kit::{self, Kit, KitError},
    process::{Env, Room},
    profile::{ProfileError, Shelf},
    report::table,
    site::{allocation::AllocationError, login},
    tool::Tools,
};

/// A command that must not be carried out here.
#[derive(Debug, thiserror::Error)]
#[error("{reason}; hint: {hint}")]
pub struct Refused {
    /// Why.
    pub reason: String,
    /// What to do instead.
    pub hint: &'static str,
}

/// The process's surroundings, read once.
#[derive(Debug)]
pub struct Edge {
    env: BTreeMap<String, String>,
    room: Room,
    /// Of the kit that this program lies in.
    kit: Option<PathBuf>,
}

impl Edge {
    /// Those of this process, of which `room` has charge.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn of_process(room: Room) -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let env = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
        let kit = std::env::current_exe().ok().and_then(|tool| Kit::beside(&tool));
        Self { env, room, kit }
    }

    /// A variable, unless it is unset or empty.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables.
    #[must_use]
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// This program, by the path at which other nodes find it too.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn tool(&self) -> anyhow::Result<PathBuf> {
        std::env::current_exe().context("cannot tell where this program lies")
    }

    /// Where processes are started.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The user's cache, behind the kit that this program lies in.
    #[must_use]
    pub fn cache(&self) -> Cache {
        let home = || self.home().join(".cache");
        let own = Cache::new(self.var("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("sifbench"));
        self.kit.iter().fold(own, |cache, kit| cache.behind(kit))
    }

    /// The user's own directory. Where no variable says, it is what the system has down for the user: never a place where
    /// others may have put what is then launched.
    fn home(&self) -> PathBuf {
        let system = || {
            let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
            home_in(&users, rustix::process::geteuid().as_raw()).unwrap_or_else(|| "/".into())
        };
        self.var("HOME").map_or_else(system, PathBuf::from)
    }

    /// The kit that this program lies in, if it does.
    ///
    /// # Errors
    /// It is not whole.
    pub fn kit(&self) -> Result<Option<Kit>, KitError> {
        self.kit.as_deref().map(Kit::open).transpose()
    }

    /// Every known version of Open MPI: the built-in list, a kit's, and the user's own.
    ///
    /// # Errors
    /// The user's list cannot be read.
    pub fn catalogue(&self) -> anyhow::Result<Catalogue> {
        let of_kit = self.kit.as_ref().map(|kit| kit.join(kit::VERSIONS)).filter(|path| path.is_file());
        let of_kit = of_kit.map(|path| read_list(&path).map(|text| (path, text))).transpose()?;
        let lists = of_kit.into_iter().chain(self.users_versions()?);
        lists.into_iter().try_fold(Catalogue::built_in(), |known, (path, text)| Ok(known.with(path, &text)?))
    }

    /// The user's own list of versions, if there is one: where it lies, and its text.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn users_versions(&self) -> anyhow::Result<Option<(PathBuf, String)>> {
        let usual = || self.config().join("versions.toml");
        let named = self.var("SIFBENCH_VERSIONS").map(PathBuf::from);
        let must_exist = named.is_some();
        let path = named.unwrap_or_else(usual);
        if !must_exist && !path.exists() {
            return Ok(None);
        }
        read_list(&path).map(|text| Some((path, text)))
    }

    /// Every profile: those that come with the tool, and the user's own.
    ///
    /// # Errors
    /// One of the user's cannot be read or understood.
    pub fn shelf(&self) -> Result<Shelf, ProfileError> {
        let mut shelf = Shelf::built_in();
        let entries = std::fs::read_dir(self.sites()).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file);
            let text = text.map_err(|source| ProfileError::Unreadable { path: file.clone(), source })?;
            shelf.add_file(&file, &text)?;
        }
        Ok(shelf)
    }

    /// Where the user's own profiles lie.
    #[must_use]
    pub fn sites(&self) -> PathBuf {
        self.config().join("sites")
    }

    fn config(&self) -> PathBuf {
        let home = || self.home().join(".config");
        self.var("XDG_CONFIG_HOME").map_or_else(home, PathBuf::from).join("sifbench")
    }

    /// Tools that see what installers and compilers need.
    #[must_use]
    pub fn tools(&self) -> Tools<'_> {
        Tools::new(
            &self.room,
            Env::from_parent(
                &self.env,
                &["PIP_*", "PYTHON*", "CARGO_*", "RUSTUP_*", "APPTAINER_*", "SINGULARITY_*", "SLURM_*", "OAR*"],
            ),
        )
    }

    /// What launches see: nothing of the user's MPI and container settings, and of a scheduler neither.
    #[must_use]
    pub fn launch_env(&self) -> Env {
        Env::from_parent(&self.env, &[])
    }

    /// The file that `PATH` has for a program.
    #[must_use]
    pub fn on_path(&self, program: &str) -> Option<PathBuf> {
        on_path(self.var("PATH").unwrap_or_default(), program)
    }

    /// The scheduler on whose login node this is, if it is one.
    #[must_use]
    pub fn login_node(&self) -> Option<&'static str> {
        let on_path = |program: &str| self.on_path(program).is_some();
        let tools = self.tools();
        let says = |argv: &[&str]| tools.words(argv, login::PATIENCE);
        login::Signs { env: &self.env, on_path: &on_path, says: &says }.login_node()
    }

    /// The container runtime: Apptainer, else Singularity, else the Apptainer that the scripts have put into the cache,
    /// else its name for the error to come.
    #[must_use]
    pub fn runtime(&self) -> Runtime {
        let found = ["apptainer", "singularity"].into_iter().find(|program| self.on_path(program).is_some());
        let cached = self.cache().apptainer();
        let cached = cached.is_file().then(|| cached.to_string_lossy().into_owned());
        Runtime { program: found.map(str::to_owned).or(cached).unwrap_or_else(|| "apptainer".to_owned()) }
    }

    /// Where results are kept.
    #[must_use]
    pub fn results(&self, flag: Option<&Path>) -> PathBuf {
        flag.map_or_else(|| self.var("SIFBENCH_RESULTS").unwrap_or("results").into(), Path::to_owned)
    }

    /// Data for standard output. A reader that has gone is no error: `sifbench report | head`.
    pub fn print(&self, text: &str) -> anyhow::Result<()> {
        let written = anstream::stdout().write_all(text.as_bytes());
        if is_written(&written) { Ok(()) } else { Ok(written?) }
    }

    /// Talk, for standard error.
    pub fn say(&self, text: &str) {
        say(text);
    }

    /// Whether talk goes to a person.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// How data looks on standard output.
    #[must_use]
    pub fn style(&self) -> table::Style {
        let colours =
            std::io::stdout().is_terminal() && self.var("NO_COLOR").is_none() && self.var("TERM") != Some("dumb");
        if colours { table::Style::Coloured } else { table::Style::Plain }
    }
}

/// The file that the directories of `path`, with colons between them, have for a program.
pub(super) fn on_path(path: &str, program: &str) -> Option<PathBuf> {
    path.split(':').map(|directory| Path::new(directory).join(program)).find(|file| file.is_file())
}

/// The home of a user by the lines of `/etc/passwd`.
fn home_in(users: &str, id: u32) -> Option<PathBuf> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut homes = fields.filter(|fields| fields.get(2).is_some_and(|uid| uid.parse() == Ok(id)));
    homes.next()?.get(5).filter(|home| home.starts_with('/')).map(PathBuf::from)
}

fn read_list(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the list of versions {}", path.display()))
}

/// Whether a result of writing is as good as success: a reader that has gone wants no more.
pub(super) fn is_written(result: &std::io::Result<()>) -> bool {
    result.as_ref().err().is_none_or(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Says what failed, why, and what to do; and maps it to an exit code.
#[must_use]
pub fn fail(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(told(error))
}

/// The end of a command whose code 1 is an answer, such as *worse*: what keeps it from one must not look like that, and ends
/// like wrong usage.
#[must_use]
pub fn answered(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| ExitCode::from(told(&error).max(2)))
}

/// Says what failed, why, and what to do; its exit code.
fn told(error: &anyhow::Error) -> u8 {
    let bold = |colour: AnsiColor| Style::new().bold().fg_color(Some(colour.into()));
    let (red, cyan) = (bold(AnsiColor::Red), bold(AnsiColor::Cyan));
    let mut hints = Vec::new();
    for (depth, cause) in error.chain().enumerate() {
        let text = cause.to_string();
        let mut parts = text.split("; hint: ");
        let fact = parts.next().unwrap_or_default();
        hints.extend(parts.map(str::to_owned));
        match depth {
            0 => say(&format!("{red}error{red:#}: {fact}")),
            _ => say(&format!("  because {}", fact.replace('\n', "\n    "))),
        }
    }
    hints.iter().for_each(|hint| say(&format!("{cyan}hint{cyan:#}: {hint}")));
    let is_config = error.is::<ConfigError>() || error.is::<BadCatalogue>() || error.is::<ProfileError>();
    let is_word = error.is::<BadId>() || error.is::<Unknown>();
    if is_config || is_word || error.downcast_ref().is_some_and(AllocationError::is_of_a_file) {
        2
    } else if error.is::<Refused>() {
        3
    } else {
        1
    }
}

/// Prints what clap has to say: help, a version, or a fault, whose hints get lines of their own as everywhere else.
pub(super) fn usage(error: &clap::Error) -> std::io::Result<()> {
    let text = error.render().ansi().to_string();
    if error.use_stderr() {
        write!(anstream::stderr(), "{}", text.replace("; hint: ", "\nhint: "))
    } else {
        error.print()
    }
}

/// Talk, for standard error.
fn say(text: &str) {
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(anstream::stderr(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Scheduler;

    /// Whatever is said around it.
    #[test]
    fn a_word_that_cannot_be_meant_is_wrong_usage() {
        let site = "UPPER".parse::<crate::id::SiteId>().unwrap_err();
        let unknown = Catalogue::built_in().openmpi(&"4.0.9".parse().unwrap()).unwrap_err();
        let unset = AllocationError::Absent { scheduler: Scheduler::Slurm, variable: "SLURM_JOB_NODELIST" };
        let check = |error: anyhow::Error, code: u8| assert_eq!(told(&error), code, "{error:?}");
        check(anyhow::Error::from(site).context("SIFBENCH_SITE names no site"), 2);
        check(unknown.into(), 2);
        check(AllocationError::Empty { path: "nodes".into() }.into(), 2);
        check(unset.into(), 1);
        check(anyhow::anyhow!("no room"), 1);
    }

    #[test]
    fn a_home_is_what_the_system_has_down_for_the_user() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nada:x:1001:1001::/home/ada:/bin/sh\nnone:x:7:7::relative:/bin/sh\nbad\n";
        let check = |id, home: Option<&str>| assert_eq!(home_in(users, id), home.map(PathBuf::from));
        check(1001, Some("/home/ada"));
        check(0, Some("/root"));
        check(7, None);
        check(99, None);
    }
}
