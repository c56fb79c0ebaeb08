//! Which profile suits the place we are in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ProfileError, Shelf, shelf::Origin};
use crate::site::batch::Batch;

/// A description of places: everything that is written must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Criteria {
    /// In a job of it, or where it takes jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Batch>,
    /// Variables that are set, `NAME`, or have a value, `NAME=GLOB`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Globs, one of which the host's name fits, with its domain or without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Programs that are on `PATH`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// What of a place tells which it is.
pub struct Signs<'a> {
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// The host's name.
    pub host: &'a str,
    /// Whether a program is on `PATH`.
    pub on_path: &'a dyn Fn(&str) -> bool,
    /// The scheduler that takes jobs here, asked for where nothing else decides.
    pub served: &'a dyn Fn() -> Batch,
}

impl Criteria {
    /// What holds, in words.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn met(&self, signs: &Signs<'_>) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        for entry in &self.env {
            let (name, glob) = entry.split_once('=').map_or((entry.as_str(), None), |(name, glob)| (name, Some(glob)));
            match (signs.env.get(name).filter(|value| !value.is_empty()), glob) {
                (None, _) => return Err(format!("{name} is not set")),
                (Some(value), Some(glob)) if !fits(glob, value) => {
                    return Err(format!("{name} is {value}, not {glob}"));
                }
                (Some(value), Some(_)) => words.push(format!("{name} is {value}")),
                (Some(_), None) => words.push(format!("{name} is set")),
            }
        }
        if !self.hostnames.is_empty() {
            let short = signs.host.split('.').next().unwrap_or_default();
            let fitting = self.hostnames.iter().find(|glob| fits(glob, signs.host) || fits(glob, short));
            match fitting {
                Some(glob) => words.push(format!("host {} is {glob}", signs.host)),
                None => return Err(format!("host {} is none of {}", signs.host, self.hostnames.join(", "))),
            }
        }
        for command in &self.commands {
            if !(signs.on_path)(command) {
                return Err(format!("{command} is not on PATH"));
            }
            words.push(format!("{command} is on PATH"));
        }
        if let Some(wanted) = self.scheduler {
            match Batch::of_job(signs.env) {
                Some(job) if job == wanted => words.push(format!("this is a job of {wanted}")),
                Some(job) => return Err(format!("this is a job of {job}, not of {wanted}")),
                None if (signs.served)() == wanted => words.push(format!("{wanted} takes jobs here")),
                None => return Err(format!("no job of {wanted}, and it takes none here")),
            }
        }
        if words.is_empty() {
            words.push("anywhere".to_owned());
        }
        Ok(words)
    }

    /// How much it demands: names of hosts before everything else.
    fn weight(&self) -> (bool, usize) {
        let count = self.env.len() + self.commands.len() + usize::from(self.scheduler.is_some());
        (!self.hostnames.is_empty(), count + usize::from(!self.hostnames.is_empty()))
    }
}

/// A profile that suits, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// In words.
    pub why: String,
    /// What wins: the user's own, then names of hosts, then how much is demanded.
    weight: (bool, bool, usize),
}

/// What a profile says of the place: that it suits and why, or the first reason why it does not.
///
/// # Errors
/// Why it does not suit.
pub fn suits(shelf: &Shelf, name: &str, signs: &Signs<'_>) -> Result<Choice, String> {
    let Some(entry) = shelf.get(name) else { return Err("there is no such profile".to_owned()) };
    let own = matches!(entry.origin, Origin::File(_));
    let mut best: Option<Choice> = None;
    let mut why_not = "it has no [[match]]".to_owned();
    for (number, criteria) in entry.profile.matches.iter().enumerate() {
        match criteria.met(signs) {
            Ok(words) => {
                let (hosts, count) = criteria.weight();
                let choice = Choice { name: name.to_owned(), why: words.join(", "), weight: (own, hosts, count) };
                best = best.filter(|known| known.weight >= choice.weight).or(Some(choice));
            }
            Err(reason) if number == 0 => why_not = reason,
            Err(reason) => why_not += &format!("; {reason}"),
        }
    }
    best.ok_or(why_not)
}

/// The profile that suits best.
///
/// # Errors
/// Several of the user's own are equally good.
pub fn choose(shelf: &Shelf, signs: &Signs<'_>) -> Result<Choice, ProfileError> {
    let suiting: Vec<Choice> = shelf.names().filter_map(|name| suits(shelf, name, signs).ok()).collect();
    let most = suiting.iter().map(|choice| choice.weight).max();
    let mut best = suiting.into_iter().filter(|choice| Some(choice.weight) == most);
    match (best.next(), best.next()) {
        (Some(choice), None) => Ok(choice),
        (Some(one), Some(other)) => {
            Err(ProfileError::Ambiguous { names: format!("`{}` and `{}`", one.name, other.name) })
        }
        (None, _) => unreachable!("the profile of a laptop suits everywhere"),
    }
}

/// Whether a text fits a glob of `*` and `?`.
fn fits(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    // Where the last star was, and how much of the text it has taken.
    let (mut at, mut of, mut star) = (0, 0, None);
    while of < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[of] => (at, of) = (at + 1, of + 1),
            Some(_) | None => {
                let Some((begin, taken)) = star else { return false };
                star = Some((begin, taken + 1));
                (at, of) = (begin + 1, taken + 1);
            }
        }
    }
    glob[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_whole_texts() {
        let check = |glob: &str, text: &str, expected: bool| assert_eq!(fits(glob, text), expected, "{glob} {text}");
        check("dahu*", "dahu34", true);
        check("dahu*", "dahu", true);
        check("dahu*", "f-dahu", false);
        check("*dahu*", "f-dahu.u-ga.fr", true);
        check("n?", "n1", true);
        check("n?", "n12", false);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxbyy", false);
        check("", "", true);
        check("", "x", false);
        check("**", "", true);
    }

    fn chosen(env: &[(&str, &str)], host: &str, commands: &[&str], served: Batch) -> String {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let on_path = |program: &str| commands.contains(&program);
        let signs = Signs { env: &env, host, on_path: &on_path, served: &|| served };
        let Choice { name, why, .. } = choose(&Shelf::built_in(), &signs).unwrap();
        format!("{name}: {why}")
    }

    /// Every shipped profile is chosen where it is meant, and only there.
    #[test]
    fn a_place_has_the_profile_that_describes_it_best() {
        let check = |env: &[(&str, &str)], host: &str, commands: &[&str], served: Batch, expected: &str| {
            assert_eq!(chosen(env, host, commands, served), expected);
        };
        check(&[], "ada-laptop", &["sbatch"], Batch::Local, "laptop: anywhere");
        check(&[], "login1", &["sbatch"], Batch::Slurm, "slurm: slurm takes jobs here");
        check(&[("SLURM_JOB_ID", "7")], "n1", &[], Batch::Local, "slurm: this is a job of slurm");
        check(&[("OAR_JOB_ID", "7")], "n1", &[], Batch::Slurm, "oar: this is a job of oar");
        check(
            &[("OAR_JOB_ID", "7")],
            "dahu34.u-ga.fr",
            &[],
            Batch::Local,
            "gricad: host dahu34.u-ga.fr is dahu*, this is a job of oar",
        );
        check(&[], "irene190.c-irene.tgcc.ccc.cea.fr", &["ccc_msub"], Batch::Bridge, "tgcc: ccc_msub is on PATH");
        check(
            &[("SLURM_JOB_ID", "7"), ("BRIDGE_MSUB_JOBID", "7")],
            "irene1042",
            &["ccc_mprun"],
            Batch::Local,
            "tgcc: BRIDGE_MSUB_JOBID is set",
        );
        check(
            &[("SLURM_JOB_ID", "7"), ("SLURM_CLUSTER_NAME", "lumi")],
            "nid001234",
            &[],
            Batch::Local,
            "lumi: SLURM_CLUSTER_NAME is lumi, this is a job of slurm",
        );
        check(&[], "jean-zay3", &["sbatch"], Batch::Slurm, "idris: host jean-zay3 is jean-zay*");
        check(&[("PBS_JOBID", "7")], "r1i0n3", &[], Batch::Local, "laptop: anywhere");
    }
}
