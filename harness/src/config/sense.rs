//! What a campaign may well be written as and must not mean: launches of which every one would fail, and what is told twice.

use std::fmt::Display;

use super::{Campaign, Overrides, workload::WorkloadTable};

/// What is wrong, and what to write instead.
type Fault = (String, &'static str);

/// Characters of a name: it stands in headings, and in the names of jobs.
const LONGEST_NAME: usize = 64;

impl Campaign {
    /// What no place could measure as it was meant.
    pub(super) fn senseless(&self, overrides: &Overrides) -> Option<Fault> {
        let is_name = (1..=LONGEST_NAME).contains(&self.name.trim().chars().count());
        if !is_name || self.name.contains(char::is_control) {
            let what = format!("name = {:?} is no name", self.name);
            return Some((what, "one line of 1 to 64 characters, such as \"scaling\""));
        }
        // Equal cases have one id: the launches of both would be taken for those of each.
        let once = "name each once: what is launched in every block again is the baseline, by itself";
        if let Some(mode) = twice(&self.modes) {
            return Some((format!("modes: `{mode}` is there twice"), once));
        }
        if let Some(version) = twice(&self.versions) {
            return Some((format!("versions: {version} is there twice"), once));
        }
        if let Some(set) = twice(&self.transports) {
            return Some((format!("transports: `{set}` is there twice"), once));
        }
        let ranks = overrides.ranks.unwrap_or(self.ranks);
        (self.workload.is_some() && ranks.get() < 2).then(|| {
            let what = format!("ranks = {ranks}: every kernel of [workload] takes two ranks or more");
            (what, "ranks = 2; a [program] of your own may have one")
        })
    }

    /// What deadlines leave no time for; with those of the profile, hence only known at a place.
    pub(super) fn hasty(&self) -> Option<Fault> {
        let WorkloadTable { visit_ms, rounds, .. } = self.workload.as_ref()?;
        let limits = self.limits.limits();
        let visit_s = f64::from(visit_ms.get()) * 1e-3;
        if limits.silence_s <= visit_s {
            // Nothing is said within a visit.
            let what = format!("[limits] silence_s = {} ends every visit of visit_ms = {visit_ms}", limits.silence_s);
            return Some((what, "a visit is silent: shorten it, or let silence_s be several times as long"));
        }
        let cells = self.cells().map_or(0, |cells| cells.len());
        let visits_s = visit_s * f64::from(rounds.get()) * cells as f64;
        (limits.total_s <= visits_s).then(|| {
            let what = format!("[limits] total_s = {} ends every launch: its visits take {visits_s} s", limits.total_s);
            (what, "fewer sizes or rounds, shorter visits, or a longer total_s")
        })
    }
}

/// The first that is there before.
fn twice<T: PartialEq + Display>(all: &[T]) -> Option<&T> {
    all.iter().enumerate().find(|(at, one)| all[..*at].contains(one)).map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::BUILT_IN;
    use super::*;
    use crate::profile::Shelf;

    const QUICK: &str = BUILT_IN[0].1;

    fn read(text: &str, overrides: &Overrides) -> Result<(), String> {
        let laptop = Shelf::built_in().resolve("laptop").unwrap().profile;
        let campaign = Campaign::with("my.toml", text, overrides).map_err(|error| error.to_string())?;
        campaign.at(&laptop).map(drop).map_err(|error| error.to_string())
    }

    fn check(from: &str, to: &str, expected: &str) {
        assert!(QUICK.contains(from), "{from}");
        let error = read(&QUICK.replacen(from, to, 1), &Overrides::default()).unwrap_err();
        assert!(error.contains(expected) && error.contains("hint: "), "{to}: {error}");
    }

    #[test]
    fn what_is_told_twice_is_refused() {
        check("\"embedded\"", "\"native\"", "modes: `native` is there twice");
        check("[\"4.1.8\"]", "[\"4.1.8\", \"5.0.8\", \"4.1.8\"]", "versions: 4.1.8 is there twice");
        check("blocks = 12", "transports = [\"plain\", \"plain\"]\nblocks = 12", "transports: `plain` is there twice");
        let modes = vec!["hybrid".parse().unwrap(); 2];
        let error = read(QUICK, &Overrides { modes, ..Overrides::default() }).unwrap_err();
        assert!(error.contains("`hybrid` is there twice"), "{error}");
    }

    #[test]
    fn one_rank_measures_nothing_between_ranks() {
        check("ranks = 2", "ranks = 1", "ranks = 1: every kernel");
        let ranks = NonZeroU32::new(1);
        let error = read(QUICK, &Overrides { ranks, ..Overrides::default() }).unwrap_err();
        assert!(error.contains("ranks = 1: every kernel"), "{error}");
    }

    #[test]
    fn a_deadline_that_every_launch_would_miss_is_no_deadline() {
        check("visit_ms = 4", "visit_ms = 60000", "ends every visit of visit_ms = 60000");
        check("[limits]", "[limits]\ntotal_s = 0.08", "ends every launch: its visits take 0.096 s");
        read(&QUICK.replace("[limits]", "[limits]\ntotal_s = 0.1"), &Overrides::default()).unwrap();
    }

    #[test]
    fn a_name_is_one_line() {
        for name in ["\"\"", "\" \"", "\"a\\nb\"", &format!("{:?}", "x".repeat(65))] {
            check("name = \"quick\"", &format!("name = {name}"), "is no name");
        }
        read(&QUICK.replace("name = \"quick\"", "name = \"mesure à 2\""), &Overrides::default()).unwrap();
    }
}
