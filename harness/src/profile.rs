//! Profiles of sites: what is particular about a place (its launcher, scheduler, MPIs, container runtime, what is impossible
//! there), so that a campaign need not say it. TOML files in `harness/sites/`, and the user's own; they extend each other.
//!
//! Precedence: flag, environment, campaign, profile, built-in.

mod check;
mod choose;
mod expand;
mod given;
mod probe;
mod setup;
mod shelf;
mod show;
mod tables;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use self::{
    check::{Finding, Looks, SetUp, State, look},
    choose::{Choice, Criteria, Signs, choose, suits},
    expand::{Unset, expanded},
    probe::{Ground, draft},
    setup::{SEES as SETUP_SEES, Setup, SetupError},
    shelf::{BUILT_IN, Origin, Resolved, Shelf},
    show::annotated,
    tables::{
        ContainerTable, Deadline, HostTable, LauncherTable, LimitsTable, ModeTable, PrivacyTable, SchedulerTable,
        Transport,
    },
};
use crate::{
    case::Mode,
    id::{MpiVersion, SiteId},
};

/// The version of the format.
const SCHEMA: u32 = 1;
/// The set of transport settings that everybody has: none.
pub const PLAIN: &str = "plain";
/// What a directive may name.
pub const PLACEHOLDERS: [&str; 8] = ["nodes", "tasks", "ranks", "walltime", "seconds", "account", "name", "output"];

/// Variables of an environment.
pub type Vars = BTreeMap<String, String>;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The text is no profile; `detail` shows the place.
    #[error("{origin} is not a valid profile\n{detail}; hint: `sifbench site show slurm` shows how one is written")]
    Syntax {
        /// File or built-in name.
        origin: String,
        /// The parser's words, with line and column.
        detail: String,
    },
    /// It is a profile, but means nothing.
    #[error("{origin}, line {line}: `{key}`: {what}; hint: {hint}")]
    Meaning {
        /// File or built-in name.
        origin: String,
        /// From 1.
        line: usize,
        /// Dotted.
        key: String,
        /// What is wrong.
        what: String,
        /// What to write instead.
        hint: String,
    },
    /// There is none of that name.
    #[error("there is no profile `{name}`; hint: a file, or one of: {known}")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// Several suit this place equally well.
    #[error("the profiles {names} suit this place alike; hint: name one by --profile, or say more in their [[match]]")]
    Ambiguous {
        /// Which.
        names: String,
    },
    /// A file cannot be read.
    #[error("cannot read the profile {}; hint: a file, or a name of `sifbench site list`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A profile, as written or as it is after `extends`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Version of this format.
    pub schema: u32,
    /// What it is called; the file's own name where it is not written.
    pub name: String,
    /// What it is for, in a line.
    pub summary: String,
    /// The profile that it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// The place's name in results, where nobody gives another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteId>,
    /// Where it is chosen by itself: in every place that one of these describes.
    #[serde(rename = "match")]
    pub matches: Vec<Criteria>,
    /// How jobs are submitted.
    pub scheduler: SchedulerTable,
    /// What starts ranks.
    pub launcher: LauncherTable,
    /// Open MPIs of the place.
    pub host_mpi: Vec<HostTable>,
    /// How containers are entered.
    pub container: ContainerTable,
    /// What holds for a mode.
    pub modes: BTreeMap<Mode, ModeTable>,
    /// Named settings of transports, which campaigns may cross with their cases.
    pub transport: BTreeMap<String, Transport>,
    /// Deadlines, s, as in a campaign.
    pub limits: LimitsTable,
    /// What is hidden where runs are shared.
    pub privacy: PrivacyTable,
}

impl Profile {
    /// Reads one profile, without what it extends. `origin` is what errors call it, `stem` its name where it gives none.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(origin: &str, stem: &str, text: &str) -> Result<Self, ProfileError> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<u32>,
        }
        let syntax = |error: toml::de::Error| ProfileError::Syntax {
            origin: origin.to_owned(),
            detail: error.to_string().trim_end().to_owned(),
        };
        let fault = |key: &str, what: String, hint: &str| ProfileError::Meaning {
            origin: origin.to_owned(),
            line: line_of(text, key),
            key: key.to_owned(),
            what,
            hint: hint.to_owned(),
        };
        // Before the rest, which another schema may have changed.
        match toml::from_str::<Head>(text).map_err(syntax)?.schema {
            Some(SCHEMA) => {}
            Some(newer) if newer > SCHEMA => {
                let what = format!("{newer} is of a newer sifbench");
                return Err(fault("schema", what, "this one reads schema = 1"));
            }
            Some(other) => return Err(fault("schema", format!("{other} is not known"), "schema = 1")),
            None => return Err(fault("schema", "it is not there".to_owned(), "begin with schema = 1")),
        }
        let mut profile: Self = toml::from_str(text).map_err(syntax)?;
        if profile.name.is_empty() {
            stem.clone_into(&mut profile.name);
        }
        match profile.faults().into_iter().next() {
            Some((key, what, hint)) => Err(fault(&key, what, hint)),
            None => Ok(profile),
        }
    }

    /// What cannot be meant: key, fault, hint.
    fn faults(&self) -> Vec<(String, String, &'static str)> {
        let mut faults = Vec::new();
        let mut fault = |key: String, what: String, hint: &'static str| faults.push((key, what, hint));
        if self.name.parse::<SiteId>().is_err() {
            let hint = "lower-case letters, digits and hyphens, such as `gricad-dahu`";
            fault("name".into(), format!("`{}` is no name of a profile", self.name), hint);
        }
        for (number, criteria) in self.matches.iter().enumerate() {
            if criteria.env.iter().any(|entry| entry.is_empty() || entry.starts_with('=')) {
                fault(format!("match.{number}.env"), "it names no variable".into(), "NAME, or NAME=GLOB");
            }
        }
        for directive in &self.scheduler.directives {
            for name in placeholders(directive) {
                if !PLACEHOLDERS.contains(&name) {
                    let hint = "one of {nodes}, {tasks}, {ranks}, {walltime}, {seconds}, {account}, {name}, {output}";
                    fault("scheduler.directives".into(), format!("`{{{name}}}` stands for nothing"), hint);
                }
            }
        }
        if let Some(runtime) = &self.container.runtime
            && !["apptainer", "singularity"].contains(&runtime.as_str())
            && !runtime.contains('/')
        {
            let what = format!("`{runtime}` is no container runtime that takes Apptainer's words");
            fault("container.runtime".into(), what, "apptainer, singularity, or the path of one of them");
        }
        let enters = &self.container.by_launcher;
        if !enters.is_empty() && !enters.iter().any(|word| word.contains("{image}") || word.contains("{name}")) {
            let what = "the words name no image".to_owned();
            fault("container.by_launcher".into(), what, "such as [\"-C\", \"{name}\"]");
        }
        if let Some(place) = &self.container.stage_to {
            let key = || "container.stage_to".to_owned();
            if !place.starts_with(['/', '$']) {
                let what = format!("`{place}` is another directory wherever one stands");
                fault(key(), what, "an absolute path, or a variable such as \"$TMPDIR\"");
            }
            if self.container.images.is_some() {
                let what = "images must be run from the directory `images`".to_owned();
                fault(key(), what, "leave out one of the two");
            }
            if !enters.is_empty() {
                let what = "the launcher enters images by itself, from where it knows them".to_owned();
                fault(key(), what, "leave it out beside `by_launcher`");
            }
        }
        for (mode, table) in &self.modes {
            if table.strategy.is_some() && *mode != Mode::HybridInstance {
                let what = "only instances have a strategy".to_owned();
                fault(format!("modes.{mode}.strategy"), what, "write it below [modes.hybrid-instance]");
            }
            if table.unsupported.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
                let what = "a mode that is left out needs a reason, which reports show".to_owned();
                fault(format!("modes.{mode}.unsupported"), what, "unsupported = \"no instances here\"");
            }
        }
        for (name, transport) in &self.transport {
            let good =
                name.parse::<SiteId>().is_ok() && name != PLAIN && !name.starts_with(|c: char| c.is_ascii_digit());
            if !good {
                let what = format!("`{name}` is no name of a set");
                fault(
                    format!("transport.{name}"),
                    what,
                    "a word such as `no-cma`; `plain` is the set without settings",
                );
            }
            if *transport == Transport::default() {
                let hint = "mca = { .. } or env = { .. }";
                fault(format!("transport.{name}"), "it sets nothing".to_owned(), hint);
            }
        }
        for (number, host) in self.host_mpi.iter().enumerate() {
            let twice = self.host_mpi[..number].iter().any(|other| other.version == host.version);
            if twice {
                let what = format!("{} is there twice", host.version);
                fault(format!("host_mpi.{number}.version"), what, "one [[host_mpi]] a version");
            }
        }
        faults
    }

    /// The text of it alone, whatever it extended: it loads again.
    #[must_use]
    pub fn text(table: &toml::Table) -> String {
        toml::to_string_pretty(table).unwrap_or_else(|e| unreachable!("it was read from TOML: {e}"))
    }

    /// The MPI of the place.
    #[must_use]
    pub fn host(&self, version: &MpiVersion) -> Option<&HostTable> {
        self.host_mpi.iter().find(|host| host.version == *version)
    }

    /// Where an image is run from, whose file in the cache is `cached`.
    #[must_use]
    pub fn image(&self, cached: &Path) -> PathBuf {
        match (&self.container.images, cached.file_name()) {
            (Some(directory), Some(name)) => Path::new(directory).join(name),
            (_, _) => cached.to_owned(),
        }
    }
}

/// The names in braces.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// The line, from 1, of a dotted key; of the deepest part of it that is there.
fn line_of(text: &str, key: &str) -> usize {
    use toml::de::{DeTable, DeValue};
    let Ok(table) = DeTable::parse(text) else { return 1 };
    let mut at = 0;
    let mut value = DeValue::Table(table.into_inner());
    for part in key.split('.') {
        let next = match value {
            DeValue::Table(table) => table.into_iter().find_map(|(name, value)| {
                let begin = name.span().start;
                (name.get_ref().as_ref() == part).then_some((begin, value))
            }),
            DeValue::Array(items) => {
                let number: usize = part.parse().unwrap_or(usize::MAX);
                items.into_iter().nth(number).map(|item| (item.span().start, item))
            }
            _ => None,
        };
        let Some((begin, inner)) = next else { break };
        at = begin;
        value = inner.into_inner();
    }
    text[..at.min(text.len())].matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
