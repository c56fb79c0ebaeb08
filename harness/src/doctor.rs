//! What this machine has and lacks for measuring, what each lack costs, and the command that mends it.
//!
//! [`gather`] looks at the machine once; every check is a pure function of what it found ([`Surroundings`]), a row of
//! one table. Nothing is launched: whether an image really works is for `sifbench image check` to say.

mod building;
mod cluster;
mod containers;
pub mod gather;
mod machine;
mod mpi;
pub mod packages;
mod read;
pub mod surroundings;
pub mod table;

use serde::Serialize;

use crate::case::Mode;
pub use surroundings::Surroundings;

/// Version of the JSON form.
const SCHEMA: u32 = 1;

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// The machine and its user.
    Machine,
    /// MPI on the host.
    Mpi,
    /// The container runtime and its images.
    Containers,
    /// What builds and installs the parts.
    Building,
    /// Schedulers and fast networks.
    Cluster,
}

impl Group {
    /// In the order in which they are shown.
    pub const ALL: [Group; 5] = [Group::Machine, Group::Mpi, Group::Containers, Group::Building, Group::Cluster];

    /// Its heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Group::Machine => "machine",
            Group::Mpi => "MPI",
            Group::Containers => "containers",
            Group::Building => "building",
            Group::Cluster => "cluster",
        }
    }
}

/// A row of the table of checks.
struct Check {
    group: Group,
    name: &'static str,
    examine: fn(&Surroundings) -> Finding,
}

const fn check(group: Group, name: &'static str, examine: fn(&Surroundings) -> Finding) -> Check {
    Check { group, name, examine }
}

/// Every check, in the order in which a lack is best mended.
const CHECKS: [Check; 20] = [
    check(Group::Machine, "user", machine::user),
    check(Group::Machine, "cores", machine::cores),
    check(Group::Machine, "noise", machine::noise),
    check(Group::Machine, "/dev/shm", machine::shm),
    check(Group::Machine, "ptrace", machine::ptrace),
    check(Group::Machine, "disk", machine::disk),
    check(Group::Mpi, "Open MPI", mpi::installed),
    check(Group::Mpi, "ssh", mpi::ssh),
    check(Group::Containers, "runtime", containers::runtime),
    check(Group::Containers, "namespaces", containers::namespaces),
    check(Group::Containers, "settings", containers::settings),
    check(Group::Containers, "mounting", containers::mounting),
    check(Group::Containers, "images", containers::images),
    check(Group::Building, "pip", building::pip),
    check(Group::Building, "compiler", building::compiler),
    check(Group::Building, "ids", building::subordinate_ids),
    check(Group::Building, "squashfs", building::squashfs),
    check(Group::Building, "userland", building::userland),
    check(Group::Cluster, "scheduler", cluster::scheduler),
    check(Group::Cluster, "network", cluster::network),
];

/// How a lack is mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mend {
    /// Whose doing it is.
    pub by: By,
    /// What to type or do.
    pub text: String,
}

/// Who can mend something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The user, with this command.
    User,
    /// Root, with this command.
    Root,
    /// Whoever can; it is no command.
    Advice,
}

impl Mend {
    fn command(text: impl Into<String>) -> Self {
        Self { by: By::User, text: text.into() }
    }

    fn as_root(text: impl Into<String>) -> Self {
        Self { by: By::Root, text: text.into() }
    }

    fn advice(text: impl Into<String>) -> Self {
        Self { by: By::Advice, text: text.into() }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The facts, in words.
    pub found: String,
    /// What they mean.
    #[serde(flatten)]
    pub state: State,
}

/// What facts mean for measuring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Everything works, but something is slower, different, or will be wanted later.
    Note {
        /// What it costs.
        costs: String,
        /// How to change it.
        mend: Vec<Mend>,
    },
    /// Something does not work.
    Lacking {
        /// What it costs.
        costs: String,
        /// The modes that do not work; none where only commands do not.
        modes: Vec<Mode>,
        /// How to change it.
        mend: Vec<Mend>,
    },
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Note { .. } => "note",
            State::Lacking { .. } => "lacking",
        }
    }
}

impl Finding {
    fn ok(found: impl Into<String>) -> Self {
        Self { found: found.into(), state: State::Ok }
    }

    fn note(found: impl Into<String>, costs: &str, mend: impl IntoIterator<Item = Mend>) -> Self {
        let state = State::Note { costs: costs.to_owned(), mend: mend.into_iter().collect() };
        Self { found: found.into(), state }
    }

    fn lacking(found: impl Into<String>, modes: &[Mode], costs: &str, mend: impl IntoIterator<Item = Mend>) -> Self {
        let (costs, modes) = (costs.to_owned(), modes.to_vec());
        Self { found: found.into(), state: State::Lacking { costs, modes, mend: mend.into_iter().collect() } }
    }

    /// Lacking where `needed`, else only noted.
    fn wanted(needed: bool, found: &str, costs: &str, mend: impl IntoIterator<Item = Mend>) -> Self {
        if needed { Self::lacking(found, &[], costs, mend) } else { Self::note(found, costs, mend) }
    }
}

/// A check with what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// What it is about.
    pub group: Group,
    /// Its name.
    pub check: &'static str,
    /// What it found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Whether a mode can be measured here, as far as can be seen without launching it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Which.
    pub mode: Mode,
    /// The checks that stand in its way.
    pub for_want_of: Vec<&'static str>,
}

/// Everything that was found, and what it means.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    schema: u32,
    /// Version of the tool.
    pub tool: &'static str,
    /// Every check.
    pub checks: Vec<Examined>,
    /// Every mode.
    pub modes: Vec<Verdict>,
    /// What the checks were told.
    pub surroundings: Surroundings,
}

impl Diagnosis {
    /// Applies every check.
    #[must_use]
    pub fn of(surroundings: Surroundings) -> Self {
        let examined = CHECKS.iter().map(|check| {
            let finding = (check.examine)(&surroundings);
            Examined { group: check.group, check: check.name, finding }
        });
        let checks: Vec<Examined> = examined.collect();
        let stands_against = |examined: &&Examined, mode: Mode| match &examined.finding.state {
            State::Lacking { modes, .. } => modes.contains(&mode),
            State::Ok | State::Note { .. } => false,
        };
        let verdict = |mode| {
            let against = checks.iter().filter(|examined| stands_against(examined, mode));
            Verdict { mode, for_want_of: against.map(|examined| examined.check).collect() }
        };
        let modes = Mode::ALL.map(verdict).to_vec();
        Self { schema: SCHEMA, tool: env!("CARGO_PKG_VERSION"), checks, modes, surroundings }
    }

    /// How many checks found something lacking, and how many something to note.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let states = || self.checks.iter().map(|examined| &examined.finding.state);
        let lacking = states().filter(|state| matches!(state, State::Lacking { .. })).count();
        let notes = states().filter(|state| matches!(state, State::Note { .. })).count();
        (lacking, notes)
    }
}

#[cfg(test)]
mod tests;
