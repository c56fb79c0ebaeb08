//! All profiles: those that come with the tool, the user's own, and what each is after `extends`.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{Profile, ProfileError, line_of};

/// Profiles that come with the tool: name and text.
pub const BUILT_IN: [(&str, &str); 7] = [
    ("laptop", include_str!("../../sites/laptop.toml")),
    ("slurm", include_str!("../../sites/slurm.toml")),
    ("oar", include_str!("../../sites/oar.toml")),
    ("gricad", include_str!("../../sites/gricad.toml")),
    ("tgcc", include_str!("../../sites/tgcc.toml")),
    ("idris", include_str!("../../sites/idris.toml")),
    ("lumi", include_str!("../../sites/lumi.toml")),
];

/// What a profile does not get from the one that it extends.
const OWN: [&str; 4] = ["name", "summary", "extends", "match"];

/// Where a profile comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The tool.
    BuiltIn,
    /// A file of the user's.
    File(PathBuf),
    /// A run that goes on.
    Run,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.pad("built-in"),
            Origin::File(path) => f.pad(&path.display().to_string()),
            Origin::Run => f.pad("of the run"),
        }
    }
}

/// One profile as written.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) origin: Origin,
    pub(crate) profile: Profile,
    table: toml::Table,
    text: String,
}

/// All profiles, by name.
#[derive(Debug, Clone)]
pub struct Shelf(BTreeMap<String, Entry>);

/// A profile after `extends`.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What it says.
    pub profile: Profile,
    /// The same as a table: what of it is written somewhere.
    pub table: toml::Table,
    /// Where it comes from itself.
    pub origin: Origin,
    /// The names of what it extends, nearest first.
    pub extends: Vec<String>,
    /// The profile that wrote each value, by dotted key.
    pub from: BTreeMap<String, String>,
}

impl Shelf {
    /// Those that come with the tool.
    #[must_use]
    pub fn built_in() -> Self {
        let mut shelf = Self(BTreeMap::new());
        for (name, text) in BUILT_IN {
            let added = shelf.add(Origin::BuiltIn, &format!("built-in profile `{name}`"), name, text);
            added.unwrap_or_else(|error| unreachable!("a test reads it: {error}"));
        }
        shelf
    }

    /// With a file of the user's; one of the same name is replaced. Returns its name.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn add_file(&mut self, path: &Path, text: &str) -> Result<String, ProfileError> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.add(Origin::File(path.to_owned()), &path.display().to_string(), &stem, text)
    }

    /// With the profile that a run was begun with.
    ///
    /// # Errors
    /// It cannot be understood.
    pub fn add_recorded(&mut self, name: &str, text: &str) -> Result<String, ProfileError> {
        self.add(Origin::Run, &format!("the profile `{name}` of the run"), name, text)
    }

    fn add(&mut self, origin: Origin, called: &str, stem: &str, text: &str) -> Result<String, ProfileError> {
        let profile = Profile::parse(called, stem, text)?;
        let table = toml::from_str(text).unwrap_or_else(|error| unreachable!("it was read before: {error}"));
        let name = profile.name.clone();
        self.0.insert(name.clone(), Entry { origin, profile, table, text: text.to_owned() });
        Ok(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// A profile with everything that it gets from those that it extends.
    ///
    /// # Errors
    /// There is none of that name, or of one that is extended, or one extends itself.
    pub fn resolve(&self, name: &str) -> Result<Resolved, ProfileError> {
        let known = || self.names().collect::<Vec<_>>().join(", ");
        let entry = self.get(name).ok_or_else(|| ProfileError::Unknown { name: name.to_owned(), known: known() })?;
        let mut chain = vec![(name, entry)];
        while let Some(wanted) = chain.last().and_then(|(_, entry)| entry.profile.extends.as_deref()) {
            let (by, last) = chain[chain.len() - 1];
            let fault = |what: String, hint: String| ProfileError::Meaning {
                origin: match &last.origin {
                    Origin::File(path) => path.display().to_string(),
                    Origin::BuiltIn | Origin::Run => format!("profile `{by}`"),
                },
                line: line_of(&last.text, "extends"),
                key: "extends".into(),
                what,
                hint,
            };
            if let Some(at) = chain.iter().position(|(name, _)| *name == wanted) {
                let circle = chain[at..].iter().map(|(name, _)| *name).chain([wanted]).collect::<Vec<_>>().join(" -> ");
                return Err(fault(format!("it extends itself: {circle}"), "give one of them another name".into()));
            }
            let Some((name, entry)) = self.0.get_key_value(wanted) else {
                return Err(fault(format!("there is no profile `{wanted}`"), format!("one of {}", known())));
            };
            chain.push((name, entry));
        }
        let mut table = toml::Table::new();
        let mut from = BTreeMap::new();
        for (name, entry) in chain.iter().rev() {
            OWN.iter().for_each(|key| drop(table.remove(*key)));
            from.retain(|key: &String, _| !OWN.contains(&key.split('.').next().unwrap_or_default()));
            merge(&mut table, &entry.table, name, "", &mut from);
        }
        table.remove("extends");
        from.remove("extends");
        table.insert("name".into(), entry.profile.name.clone().into());
        let mut profile: Profile = table.clone().try_into().unwrap_or_else(|e| unreachable!("each part was read: {e}"));
        profile.extends = None;
        let extends = chain[1..].iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Resolved { profile, table, origin: entry.origin.clone(), extends, from })
    }
}

/// Puts `over` on top of `under`, and notes who wrote what.
fn merge(under: &mut toml::Table, over: &toml::Table, by: &str, at: &str, from: &mut BTreeMap<String, String>) {
    for (key, value) in over {
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match (under.get_mut(key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over, by, &path, from),
            (_, toml::Value::Table(over)) => {
                let mut table = toml::Table::new();
                merge(&mut table, over, by, &path, from);
                under.insert(key.clone(), table.into());
            }
            (_, value) => {
                under.insert(key.clone(), value.clone());
                from.insert(path, by.to_owned());
            }
        }
    }
}
