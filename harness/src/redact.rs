//! A run without names: hosts become node1, node2, .., users and their homes `user`, the same everywhere in it, so that it can be
//! shared, rendered and compared like any other. What was recorded stays as it is; a copy is made.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    case::Case,
    id::CaseId,
    record::Manifest,
    store::{self, Run},
};

/// What is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Names of nodes, and of a site that is called like one.
    Hostname,
    /// Names of users, and their home directories.
    User,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Hostname, Self::User];
}

/// Somebody whose names are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// Names, such as that of the account.
    pub names: Vec<String>,
    /// Home directories.
    pub homes: Vec<String>,
}

/// Users' names that are words of every record: only their homes are hidden.
const WORDS: [&str; 4] = ["sifbench", "root", "user", "apptainer"];
/// Below these, directories are homes.
const HOMES: [&str; 2] = ["/home/", "/users/"];

/// What is replaced by what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redaction {
    /// Longest first: a name may be part of another.
    names: Vec<(String, String)>,
}

impl Redaction {
    /// What must be replaced in `run`; `me` is who shares it, `hide` what else must not be read.
    #[must_use]
    pub fn of(run: &Run, kinds: &[Kind], me: &Person, hide: &[String]) -> Self {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        if kinds.contains(&Kind::Hostname) {
            for (number, host) in hosts(run).into_iter().enumerate() {
                let pseudonym = format!("node{}", number + 1);
                // By which it calls itself, and by which a site calls it that is named after it.
                let short = host.split('.').next().unwrap_or(&host).to_owned();
                for name in [host.to_lowercase(), short.to_lowercase(), host.clone(), short] {
                    names.entry(name).or_insert_with(|| pseudonym.clone());
                }
            }
        }
        if kinds.contains(&Kind::User) {
            let (homes, users) = people(run, me);
            names.extend(homes.into_iter().map(|home| (home, "/home/user".to_owned())));
            names.extend(users.into_iter().map(|user| (user, "user".to_owned())));
        }
        for (number, word) in hide.iter().enumerate() {
            names.insert(word.clone(), format!("hidden{}", number + 1));
        }
        let mut names: Vec<(String, String)> = names.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { names }
    }

    /// A text without names. One that is part of a longer word stays.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let mut made = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let found = self.names.iter().find(|(name, _)| {
                let begins = rest.starts_with(name.as_str());
                let (before, behind) = (made.chars().last(), rest[name.len().min(rest.len())..].chars().next());
                // A path begins where it is written.
                begins && !is_word(behind) && (name.starts_with('/') || !is_word(before))
            });
            match found {
                Some((name, pseudonym)) => {
                    made += pseudonym;
                    rest = &rest[name.len()..];
                }
                None => {
                    made.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        made
    }

    /// The whole run without names. Cases whose settings named something have other ids in it.
    ///
    /// # Errors
    /// Never for a run that can be written.
    pub fn run(&self, run: &Run) -> serde_json::Result<Run> {
        let design = self.document(&run.design)?;
        let ids: BTreeMap<CaseId, CaseId> =
            cases(&run.design).map(Case::id).zip(cases(&design).map(Case::id)).collect();
        let mut records = Vec::with_capacity(run.records.len());
        for record in &run.records {
            let mut record = self.document(record)?;
            record.case = ids.get(&record.case).cloned().unwrap_or(record.case);
            records.push(record);
        }
        let manifest = Manifest { design: store::design_digest(&design), ..self.document(&run.manifest)? };
        let (dir, samples) = (run.dir.clone(), run.samples.clone());
        Ok(Run { dir, manifest, design, records, samples, closed: run.closed, tail: run.tail })
    }

    fn document<T: Serialize + DeserializeOwned>(&self, document: &T) -> serde_json::Result<T> {
        let mut value = serde_json::to_value(document)?;
        self.value(&mut value);
        serde_json::from_value(value)
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn cases(design: &crate::record::Design) -> impl Iterator<Item = &Case> {
    design.cases.iter().chain(&design.probes)
}

/// Every node that a run names, in the order of its job.
fn hosts(run: &Run) -> Vec<String> {
    let allocation = run.manifest.facts.get("allocation").map(String::as_str).unwrap_or_default();
    // `slurm job 1: n1 (1), n2 (1)`.
    let of_job = allocation.rsplit(": ").next().unwrap_or_default().split(", ");
    let of_job = of_job.filter_map(|node| node.split(' ').next()).map(str::to_owned);
    let staged = run.manifest.staged.iter().flat_map(|staged| staged.nodes.iter().cloned());
    let of_ranks = run.records.iter().flat_map(|record| {
        let ranks = record.facts.iter().flat_map(crate::record::ranks_of).map(|rank| rank.host.clone());
        ranks.chain(record.lost.iter().filter_map(|lost| lost.host.clone()))
    });
    let mut seen = BTreeSet::new();
    let all = of_job.chain(staged).chain(of_ranks);
    all.filter(|host| !host.is_empty() && host != "localhost" && seen.insert(host.clone())).collect()
}

/// Homes, and names of users, that a run names or that are those of whoever shares it.
fn people(run: &Run, me: &Person) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut homes: BTreeSet<String> = me.homes.iter().filter(|home| home.len() > 1).cloned().collect();
    let files = run.manifest.files.iter().map(|file| file.path.to_string_lossy().into_owned());
    let of_hosts = cases(&run.design).filter_map(|case| Some(case.stack.host()?.prefix.to_string_lossy().into_owned()));
    for path in files.chain(of_hosts) {
        let below = HOMES.iter().find_map(|base| Some((base, path.strip_prefix(base)?)));
        homes.extend(below.and_then(|(base, rest)| Some(format!("{base}{}", rest.split('/').next()?))));
    }
    let of_homes = homes.iter().filter_map(|home| home.rsplit('/').next()).map(str::to_owned);
    let users = me.names.iter().cloned().chain(of_homes).filter(|name| !WORDS.contains(&name.as_str())).collect();
    (homes, users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_as_whole_words_and_the_longest_first() {
        let names = [("/home/ada", "/home/user"), ("dahu30.site.fr", "node1"), ("dahu30", "node1"), ("ada", "user")];
        let redaction = Redaction { names: names.map(|(name, by)| (name.to_owned(), by.to_owned())).to_vec() };
        let check = |text: &str, expected: &str| assert_eq!(redaction.text(text), expected);
        check("/home/ada/.cache/x", "/home/user/.cache/x");
        check("--bind /scratch/ada:/home/ada", "--bind /scratch/user:/home/user");
        check("dahu30.site.fr:1,dahu30-ib", "node1:1,node1-ib");
        check("HOME=/home/ada", "HOME=/home/user");
        // Parts of other words are none of theirs.
        check("canada, adapter, dahu301, my_ada", "canada, adapter, dahu301, my_ada");
        check("näda ada", "näda user");
    }
}
