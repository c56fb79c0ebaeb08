//! What is wrong with an image: what was seen in it, held against what this version of the tool would build.

use std::{collections::BTreeMap, fmt};

use bench_app::PROTOCOL;
use serde::{Deserialize, Serialize};

use super::digest;
use crate::{
    app::{self, Headers},
    cache::Cache,
    catalogue::Catalogue,
    id::{MpiVersion, Sha256},
    record::Outcome,
};

/// What can be wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// It has not been built.
    Absent,
    /// The runtime cannot look into it.
    Unreadable {
        /// The runtime's words.
        why: String,
    },
    /// The launch did not complete.
    Launch {
        /// How it ended.
        outcome: String,
        /// The first lines it said besides frames.
        said: Vec<String>,
    },
    /// Something in it is not what this version of the tool would build.
    Differs {
        /// A label, `library`, `protocol` or `bench-app`.
        what: String,
        /// What it would be.
        expected: String,
        /// What it is, if it is there.
        found: Option<String>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Absent => f.write_str("not built yet"),
            Fault::Unreadable { why } => write!(f, "cannot be read: {why}"),
            Fault::Launch { outcome, .. } => write!(f, "the launch: {outcome}"),
            Fault::Differs { what, expected, found: Some(found) } => {
                write!(f, "{what} is {}, not {}", cut(found), cut(expected))
            }
            Fault::Differs { what, expected, found: None } => {
                write!(f, "{what} is not there, should be {}", cut(expected))
            }
        }
    }
}

/// A value with its digest cut short: what differs shows at once.
fn cut(value: &str) -> String {
    match value.rsplit_once(|c: char| !c.is_ascii_hexdigit()) {
        Some((before, digest)) if digest.len() == 64 => format!("{}{}..", &value[..=before.len()], &digest[..12]),
        None if value.len() == 64 => format!("{}..", &value[..12]),
        Some(_) | None => value.to_owned(),
    }
}

/// What this version of the tool would build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    version: Option<MpiVersion>,
    labels: BTreeMap<String, String>,
    /// Known where bench-app has been built on this machine.
    app: Option<Sha256>,
}

impl Expected {
    pub(super) fn new(
        cache: &Cache,
        catalogue: &Catalogue,
        version: Option<&MpiVersion>,
        headers: Headers<'_>,
    ) -> Self {
        let app = digest(&app::path(cache, catalogue, headers)).ok();
        let mut labels = BTreeMap::from([("org.sifbench.app.protocol".to_owned(), PROTOCOL.to_string())]);
        labels.extend(app.iter().map(|app| ("org.sifbench.app.sha256".to_owned(), app.to_string())));
        if let Some(version) = version {
            labels.insert("org.sifbench.openmpi.version".into(), version.to_string());
            let source = catalogue.openmpi(version).ok().map(|release| release.source.identity(version));
            labels.extend(source.map(|source| ("org.sifbench.openmpi.source".to_owned(), source)));
        }
        Self { version: version.cloned(), labels, app }
    }
}

/// What was seen in an image that can be read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) app: Option<Sha256>,
    pub(super) launch: Option<Launched>,
}

#[derive(Debug)]
pub(super) struct Launched {
    pub(super) outcome: Outcome,
    pub(super) library: Option<String>,
    pub(super) protocol: Option<u32>,
    pub(super) said: Vec<String>,
}

/// Everything wrong with what was `seen`.
pub(super) fn of(expected: &Expected, seen: &Seen) -> Vec<Fault> {
    let differs = |what: &str, expected: &dyn fmt::Display, found: Option<String>| {
        let expected = expected.to_string();
        (found.as_ref() != Some(&expected)).then(|| Fault::Differs { what: what.to_owned(), expected, found })
    };
    let labels =
        expected.labels.iter().filter_map(|(name, value)| differs(name, value, seen.labels.get(name).cloned()));
    // Where bench-app has not been built here, the image is still held to its own label.
    let app = expected.app.as_ref().map(ToString::to_string);
    let app = app.or_else(|| seen.labels.get("org.sifbench.app.sha256").cloned());
    let app = app.and_then(|app| differs("bench-app", &app, seen.app.as_ref().map(ToString::to_string)));
    let mut faults: Vec<Fault> = labels.chain(app).collect();
    let Some(launch) = &seen.launch else { return faults };
    if launch.outcome != Outcome::Completed {
        faults.push(Fault::Launch { outcome: launch.outcome.to_string(), said: launch.said.clone() });
    }
    // A launch that never said hello has failed already; a library that was never loaded differs from none.
    if let Some(library) = &launch.library
        && let Some(version) = &expected.version
    {
        let found = MpiVersion::find_in(library).map_or_else(|| library.clone(), |version| version.to_string());
        faults.extend(differs("library", version, Some(found)));
    }
    faults.extend(launch.protocol.and_then(|protocol| differs("protocol", &PROTOCOL, Some(protocol.to_string()))));
    faults
}

/// The labels in what `apptainer inspect --json` says, ours only.
pub(super) fn labels(said: &str) -> Option<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Inspected {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        attributes: Attributes,
    }
    #[derive(Deserialize)]
    struct Attributes {
        #[serde(default)]
        labels: BTreeMap<String, String>,
    }
    let inspected: Inspected = serde_json::from_str(said).ok()?;
    let ours = inspected.data.attributes.labels.into_iter().filter(|(name, _)| name.starts_with("org.sifbench."));
    Some(ours.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSPECTED: &str = include_str!("../../tests/fixtures/inspect-openmpi-4.1.8.json");

    fn expected() -> Expected {
        let cache = Cache::new("/nowhere".into());
        let mut expected =
            Expected::new(&cache, &Catalogue::built_in(), Some(&"4.1.8".parse().unwrap()), Headers::Shared);
        let app = labels(INSPECTED).unwrap()["org.sifbench.app.sha256"].clone();
        expected.labels.insert("org.sifbench.app.sha256".into(), app.clone());
        expected.labels.insert("org.sifbench.app.protocol".into(), "1".into());
        expected.app = Some(app.parse().unwrap());
        expected
    }

    fn seen() -> Seen {
        let labels = labels(INSPECTED).unwrap();
        let app = labels["org.sifbench.app.sha256"].parse().ok();
        let library = Some("Open MPI v4.1.8, package: Open MPI, ident: 4.1.8".to_owned());
        let launch = Launched { outcome: Outcome::Completed, library, protocol: Some(PROTOCOL), said: Vec::new() };
        Seen { labels, app, launch: Some(launch) }
    }

    #[test]
    fn labels_are_read_from_what_the_runtime_prints() {
        let labels = labels(INSPECTED).unwrap();
        assert_eq!(labels.len(), 4, "{labels:?}");
        assert_eq!(labels["org.sifbench.openmpi.version"], "4.1.8");
        assert_eq!(super::labels("INFO: not json"), None);
    }

    #[test]
    fn an_image_as_it_should_be_has_no_faults() {
        assert_eq!(of(&expected(), &seen()), []);
    }

    #[test]
    fn what_differs_is_named_with_what_it_should_be() {
        let check = |change: &dyn Fn(&mut Seen), expected_words: &str| {
            let mut seen = seen();
            change(&mut seen);
            let faults: Vec<String> = of(&expected(), &seen).iter().map(ToString::to_string).collect();
            assert!(faults.iter().any(|fault| fault.contains(expected_words)), "{expected_words}: {faults:?}");
        };
        let launch = |seen: &mut Seen, change: &dyn Fn(&mut Launched)| change(seen.launch.as_mut().unwrap());
        check(&|s| drop(s.labels.remove("org.sifbench.app.protocol")), "app.protocol is not there, should be");
        check(
            &|s| drop(s.labels.insert("org.sifbench.openmpi.version".into(), "4.1.7".into())),
            "org.sifbench.openmpi.version is 4.1.7, not 4.1.8",
        );
        check(&|s| s.app = None, "bench-app is not there");
        check(&|s| s.app = Some(Sha256::of(b"another")), "bench-app is ae448ac86c4e.., not fad8ae0a9580..");
        check(
            &|s| launch(s, &|l| l.library = Some("Open MPI v5.0.11, package: x".into())),
            "library is 5.0.11, not 4.1.8",
        );
        check(&|s| launch(s, &|l| l.protocol = Some(99)), "protocol is 99, not");
        check(
            &|s| {
                launch(s, &|l| {
                    l.outcome = Outcome::Singletons { expected: 2, seen: 1 };
                });
            },
            "the launch: 2 singletons",
        );
    }

    /// Where bench-app has not been built here, the image is still held to its own label.
    #[test]
    fn a_changed_bench_app_is_seen_without_one_of_our_own() {
        let mut expected = expected();
        expected.app = None;
        assert_eq!(of(&expected, &seen()), []);
        let changed = Seen { app: Some(Sha256::of(b"another")), ..seen() };
        assert!(matches!(of(&expected, &changed).as_slice(), [Fault::Differs { what, .. }] if what == "bench-app"));
    }
}
