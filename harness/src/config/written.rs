//! What a campaign writes itself of settings and limits; the rest is the profile's, else what is usual.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ConfigError;
use crate::{
    case::{Environment, Launcher, Settings},
    profile::{Deadline, PLAIN, Profile, Transport},
    record::Limits,
};

/// `[settings]` as written.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SettingsTable {
    pub(super) launcher: Option<Launcher>,
    environment: Option<Environment>,
    mca: BTreeMap<String, String>,
    flags: Option<Vec<String>>,
    binds: Option<Vec<String>>,
    env: BTreeMap<String, String>,
}

/// `[limits]` as written.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    hello_s: Option<Deadline>,
    silence_s: Option<Deadline>,
    total_s: Option<Deadline>,
}

/// A place's sets of transport settings that take part; the first is that of the baseline.
pub(super) type Sets = Vec<(Option<String>, Transport)>;

impl SettingsTable {
    /// With what `profile` says where nothing is written. Notes the keys that are the profile's.
    pub(super) fn at(&self, profile: &Profile, given: &mut Vec<String>) -> Self {
        let (launcher, container) = (&profile.launcher, &profile.container);
        let mut table = self.clone();
        let mut note = |key: &str, given_by_profile: bool| {
            if given_by_profile {
                given.push(key.to_owned());
            }
        };
        note("launcher", table.launcher.is_none() && launcher.kind.is_some());
        table.launcher = table.launcher.or(launcher.kind);
        note("flags", table.flags.is_none() && container.flags.is_some());
        table.flags = table.flags.or_else(|| container.flags.clone());
        note("binds", table.binds.is_none() && container.binds.is_some());
        table.binds = table.binds.or_else(|| container.binds.clone());
        for (name, own, other) in [("mca", &mut table.mca, &launcher.mca), ("env", &mut table.env, &container.env)] {
            for (key, value) in other {
                note(&format!("{name}.{key}"), !own.contains_key(key));
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        table
    }

    /// What launches get, with a set of transport settings on top.
    pub(super) fn settings(&self, (name, set): &(Option<String>, Transport)) -> Settings {
        let on_top = |own: &BTreeMap<String, String>, set: &BTreeMap<String, String>| {
            own.iter().chain(set).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        Settings {
            launcher: self.launcher.unwrap_or_default(),
            environment: self.environment.unwrap_or_default(),
            transport: name.clone(),
            mca: on_top(&self.mca, &set.mca),
            flags: self.flags.clone().unwrap_or_default(),
            binds: self.binds.clone().unwrap_or_default(),
            env: on_top(&self.env, &set.env),
        }
    }
}

impl LimitsTable {
    /// With what `profile` says where nothing is written. Notes the keys that are the profile's.
    pub(super) fn at(self, profile: &Profile, given: &mut Vec<String>) -> Self {
        let mut or = |key: &str, own: Option<Deadline>, other: Option<Deadline>| {
            if own.is_none() && other.is_some() {
                given.push(key.to_owned());
            }
            own.or(other)
        };
        let other = &profile.limits;
        Self {
            hello_s: or("hello_s", self.hello_s, other.hello_s),
            silence_s: or("silence_s", self.silence_s, other.silence_s),
            total_s: or("total_s", self.total_s, other.total_s),
        }
    }

    /// What launches get.
    pub(super) fn limits(self) -> Limits {
        let usual = Limits::default();
        Limits {
            hello_s: self.hello_s.map_or(usual.hello_s, f64::from),
            silence_s: self.silence_s.map_or(usual.silence_s, f64::from),
            total_s: self.total_s.map_or(usual.total_s, f64::from),
        }
    }
}

/// The sets of `profile` that `names` name, in their order.
pub(super) fn sets(campaign: &str, names: &[String], profile: &Profile) -> Result<Sets, ConfigError> {
    let set = |name: &String| match profile.transport.get(name) {
        _ if name == PLAIN => Ok((None, Transport::default())),
        Some(set) => Ok((Some(name.clone()), set.clone())),
        None => {
            let known: Vec<&str> = std::iter::once(PLAIN).chain(profile.transport.keys().map(String::as_str)).collect();
            Err(ConfigError::Meaning {
                origin: campaign.to_owned(),
                what: format!("transports: the profile {} has no set `{name}`", profile.name),
                hint: format!("one of {}; `sifbench site show {}`", known.join(", "), profile.name),
            })
        }
    };
    names.iter().map(set).collect()
}
