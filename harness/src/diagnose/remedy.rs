//! What helps: in exact words to type, and where it is a change of the case, as that change.

use serde::{Deserialize, Serialize};

use super::Known;
use crate::{
    case::{Case, Entry, Stack},
    record::ranks_of,
};

/// What helps against a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same case with a change, which can be tried.
    Change(Change),
    /// Something that people have to do. `{host}` and `{image}` stand for the versions of the case.
    Do(&'static str),
}

/// A change of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Sets a parameter of Open MPI.
    Mca(&'static str, &'static str),
    /// Sets two of them.
    Mcas([(&'static str, &'static str); 2]),
    /// Leaves a parameter of Open MPI as it is by default.
    WithoutMca(&'static str),
    /// Leaves out a flag of the container runtime, with its value where it has one.
    WithoutFlag(&'static str),
    /// Gives the program a variable.
    Env(&'static str, &'static str),
    /// Leaves out variables of the program.
    WithoutEnv(&'static [&'static str]),
    /// Lets the ranks of a node share their namespaces.
    ShareNamespaces,
}

/// Advice for one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// For a line beside an outcome: `--sharens`.
    pub brief: String,
    /// What to type or do.
    pub text: String,
    /// The same as words of a campaign; empty where it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub campaign: String,
    /// The case with it, where it can be tried; else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
}

impl Remedy {
    /// The advice for a launch, unless it does not apply to its case or would take a fabric away.
    #[must_use]
    pub fn advice(&self, known: &Known<'_>) -> Option<Advice> {
        match self {
            Remedy::Do(text) => {
                let (brief, campaign) = (String::new(), String::new());
                Some(Advice { brief, text: named(text, known.case), campaign, case: None })
            }
            Remedy::Change(change) => {
                let may = !change.concerns_fabric() || has_no_fabric(known);
                let case = may.then(|| change.apply(known.case)).flatten()?;
                let (text, campaign) = change.words(known.case);
                Some(Advice { brief: change.brief(known.case), text, campaign, case: Some(case) })
            }
        }
    }
}

/// `text` with the versions of the case in it.
fn named(text: &str, case: &Case) -> String {
    let host = case.stack.host().map(|host| host.mpi.version.to_string());
    let image = case.stack.image().and_then(|image| image.mpi.as_ref()).map(|mpi| mpi.version.to_string());
    text.replace("{host}", &host.unwrap_or_default()).replace("{image}", &image.unwrap_or_default())
}

/// Whether the ranks have told that they see no device of a fabric. Not knowing is not enough.
fn has_no_fabric(known: &Known<'_>) -> bool {
    let facts = known.record.facts.as_ref();
    facts.is_some_and(|facts| ranks_of(facts).all(|rank| rank.fabric.is_empty()))
}

impl Change {
    /// Whether messages could be kept off a fabric, or slowed down on one, by it.
    fn concerns_fabric(self) -> bool {
        let chooses = |name: &str| !matches!(name, "plm");
        match self {
            Change::Mca(name, _) => chooses(name),
            Change::Mcas(both) => both.iter().any(|(name, _)| chooses(name)),
            Change::WithoutMca(_)
            | Change::WithoutFlag(_)
            | Change::Env(..)
            | Change::WithoutEnv(_)
            | Change::ShareNamespaces => false,
        }
    }

    /// The case with it; none where that is the same case.
    #[must_use]
    pub fn apply(self, case: &Case) -> Option<Case> {
        let mut changed = case.clone();
        let Case { stack, settings, .. } = &mut changed;
        let mut set = |name: &str, value: &str| settings.mca.insert(name.to_owned(), value.to_owned());
        match self {
            Change::Mca(name, value) => {
                set(name, value);
            }
            Change::Mcas(both) => both.iter().for_each(|(name, value)| {
                set(name, value);
            }),
            Change::WithoutMca(name) => {
                settings.mca.remove(name);
            }
            Change::Env(name, value) => {
                settings.env.insert(name.into(), value.into());
            }
            Change::WithoutEnv(names) => settings.env.retain(|name, _| !names.contains(&name.as_str())),
            Change::WithoutFlag(flag) => {
                let (name, value) = flag.split_once(' ').map_or((flag, None), |(name, value)| (name, Some(value)));
                let with_equals = flag.replacen(' ', "=", 1);
                settings.flags.retain(|known| *known != with_equals || value.is_none());
                while let Some(at) = position(&settings.flags, name, value) {
                    settings.flags.drain(at..at + 1 + usize::from(value.is_some()));
                }
            }
            Change::ShareNamespaces => match stack {
                Stack::Hybrid { entry: entry @ Entry::Exec, .. } => *entry = Entry::Sharens,
                Stack::Bind { .. } if !settings.flags.iter().any(|flag| flag == "--sharens") => {
                    settings.flags.push("--sharens".into());
                }
                Stack::Bind { .. } | Stack::Hybrid { .. } | Stack::Native { .. } | Stack::Embedded { .. } => {}
            },
        }
        (changed != *case).then_some(changed)
    }

    /// For a line beside an outcome.
    fn brief(self, case: &Case) -> String {
        match self {
            Change::Mca(name, value) => format!("--mca {name} {value}"),
            Change::Mcas(both) => both.map(|(name, value)| format!("--mca {name} {value}")).join(" "),
            Change::WithoutMca(name) => format!("without --mca {name}"),
            Change::WithoutFlag(flag) => format!("without {flag}"),
            Change::Env(name, value) => format!("{name}={value}"),
            Change::WithoutEnv(names) => format!("without {}", set(names, case).join(", ")),
            Change::ShareNamespaces => "--sharens".into(),
        }
    }

    /// What to type, as words of a command and as words of a campaign.
    fn words(self, case: &Case) -> (String, String) {
        let mca = |pairs: &[(&str, &str)]| {
            let flags: Vec<String> = pairs.iter().map(|(name, value)| format!("--mca {name} {value}")).collect();
            let keys: Vec<String> = pairs.iter().map(|(name, value)| format!("{name} = \"{value}\"")).collect();
            (format!("mpirun {}", flags.join(" ")), format!("[settings] mca = {{ {} }}", keys.join(", ")))
        };
        let leave = |what: &str, key: &str| (format!("leave {what} out"), format!("[settings] {key}, without it"));
        match self {
            Change::Mca(name, value) => mca(&[(name, value)]),
            Change::Mcas(both) => mca(&both),
            Change::WithoutMca(name) => leave(&format!("--mca {name}"), "mca"),
            Change::WithoutFlag(flag) => leave(flag, "flags"),
            Change::Env(name, value) => {
                (format!("{name}={value} mpirun"), format!("[settings] env = {{ {name} = \"{value}\" }}"))
            }
            Change::WithoutEnv(names) => leave(&set(names, case).join(", "), "env"),
            Change::ShareNamespaces => match &case.stack {
                Stack::Bind { .. } => ("apptainer exec --sharens".into(), "[settings] flags = [\"--sharens\"]".into()),
                Stack::Hybrid { .. } | Stack::Native { .. } | Stack::Embedded { .. } => {
                    ("apptainer exec --sharens".into(), "modes = [\"hybrid-sharens\"], or \"hybrid-instance\"".into())
                }
            },
        }
    }
}

/// Those of `names` that the case sets.
fn set(names: &[&'static str], case: &Case) -> Vec<&'static str> {
    names.iter().copied().filter(|name| case.settings.env.contains_key(*name)).collect()
}

/// Where a flag stands in `flags`, followed by its value where it has one.
fn position(flags: &[String], name: &str, value: Option<&str>) -> Option<usize> {
    let fits = |at: usize| value.is_none_or(|value| flags.get(at + 1).is_some_and(|next| next == value));
    (0..flags.len()).find(|at| flags[*at] == name && fits(*at))
}
