//! `$NAME` and `${NAME}` in the paths and values of a profile.

use std::collections::{BTreeMap, BTreeSet};

use super::{HostTable, Profile};

/// A variable that a profile names and nobody has set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unset {
    /// Where it is named, dotted.
    pub key: String,
    /// Its name.
    pub variable: String,
}

impl Profile {
    /// The profile with the variables of `env` in place of their names, and those that are not set, which stay as they are.
    ///
    /// What the setup of an MPI sets is not known yet: see [`HostTable::expanded`].
    #[must_use]
    pub fn expanded(&self, env: &BTreeMap<String, String>) -> (Self, Vec<Unset>) {
        let mut profile = self.clone();
        let mut unset = BTreeSet::new();
        let mut expand = |key: &str, text: &mut String| {
            *text = replaced(text, env, &mut |variable| {
                unset.insert(Unset { key: key.to_owned(), variable: variable.to_owned() });
            })
        };
        for value in profile.container.env.values_mut() {
            expand("container.env", value);
        }
        profile.container.binds.iter_mut().flatten().for_each(|bind| expand("container.binds", bind));
        profile.container.images.iter_mut().for_each(|images| expand("container.images", images));
        profile.container.stage_to.iter_mut().for_each(|place| expand("container.stage_to", place));
        profile.container.runtime.iter_mut().for_each(|runtime| expand("container.runtime", runtime));
        profile.launcher.agent.iter_mut().for_each(|word| expand("launcher.agent", word));
        for host in &mut profile.host_mpi {
            host.setup.source.iter_mut().for_each(|file| expand("host_mpi.setup.source", file));
        }
        (profile, unset.into_iter().collect())
    }
}

impl HostTable {
    /// Prefix and variables, with those of `env` in place of their names; and the names that are not set.
    #[must_use]
    pub fn expanded(&self, env: &BTreeMap<String, String>) -> (Self, Vec<Unset>) {
        let mut host = self.clone();
        let mut unset = Vec::new();
        let mut expand = |key: &str, text: &mut String| {
            *text = replaced(text, env, &mut |variable| {
                unset.push(Unset { key: key.to_owned(), variable: variable.to_owned() });
            })
        };
        expand("host_mpi.prefix", &mut host.prefix);
        host.env.values_mut().for_each(|value| expand("host_mpi.env", value));
        (host, unset)
    }
}

/// One text with the variables of `env` in place of their names.
///
/// # Errors
/// One that is not set.
pub fn expanded(key: &str, text: &str, env: &BTreeMap<String, String>) -> Result<String, Unset> {
    let mut unset = None;
    let made = replaced(text, env, &mut |variable| {
        unset.get_or_insert_with(|| Unset { key: key.to_owned(), variable: variable.to_owned() });
    });
    unset.map_or(Ok(made), Err)
}

/// `text` with values; a name without one stays, and is told.
fn replaced(text: &str, env: &BTreeMap<String, String>, unset: &mut dyn FnMut(&str)) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        made += before;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, written, behind) = match braced {
            Some((name, behind)) => (name, &after[..name.len() + 2], behind),
            None => {
                let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                (&after[..end], &after[..end], &after[end..])
            }
        };
        match env.get(name).filter(|value| !value.is_empty()) {
            Some(value) => made += value,
            None => {
                made.push('$');
                made += written;
                // A dollar that begins no name is one.
                if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_name) {
                    unset(name);
                }
            }
        }
        rest = behind;
    }
    made + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_values_and_what_is_not_set_is_told() {
        let env = [("HOME", "/home/ada"), ("USER", "ada"), ("EMPTY", "")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let check = |text: &str, expected: &str, missing: &[&str]| {
            let mut unset = Vec::new();
            let made = replaced(text, &env, &mut |name| unset.push(name.to_owned()));
            assert_eq!(made, expected, "{text}");
            assert_eq!(unset, missing, "{text}");
        };
        check("/opt", "/opt", &[]);
        check("$HOME/.nix-profile", "/home/ada/.nix-profile", &[]);
        check("/tmp/${USER}x/$USER", "/tmp/adax/ada", &[]);
        check("$WORK/a:$EMPTY", "$WORK/a:$EMPTY", &["WORK", "EMPTY"]);
        check("${WORK}/a", "${WORK}/a", &["WORK"]);
        check("5$ and $", "5$ and $", &[]);
        check("${open", "${open", &[]);
    }
}
