//! Checks an image by launching it: its own mpirun, two ranks, a few small cells; and its labels against what this
//! version of the tool would build.

use std::{
    collections::BTreeMap,
    fmt, iter,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use bench_app::{Bytes, Cell, Kernel, PROTOCOL, Workload, workload::Order};
use serde::{Deserialize, Serialize};

use super::digest;
use crate::{
    app,
    cache::Cache,
    case::{Case, HostMpi, Image, Implementation, Mpi, Settings, Stack},
    catalogue::Catalogue,
    command::CommandSpec,
    compose::{self, APP_IN_IMAGE, apptainer::Options, apptainer::Runtime},
    id::{AttemptId, MpiVersion, Sha256},
    process::{Env, Launch, Room},
    record::{Limits, Outcome},
    run::{self, RunError, watch::Watch},
    tool::Tools,
};

/// For a command that looks into an image.
const PATIENCE: Duration = Duration::from_secs(60);
/// Ranks of the launch.
const RANKS: u32 = 2;

/// What is found in an image, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// `openmpi 4.1.8`, or `base`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// How the launch was made, as typed in a shell; none where no MPI is there to launch with.
    pub command: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What the MPI library calls itself, as loaded.
    pub library: Option<String>,
    /// The protocol that bench-app speaks.
    pub protocol: Option<u32>,
    /// The digest of bench-app inside.
    pub app: Option<Sha256>,
    /// Labels of ours.
    pub labels: BTreeMap<String, String>,
    /// What is wrong; nothing where the image is as it should be.
    pub faults: Vec<Fault>,
}

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
struct Expected {
    version: Option<MpiVersion>,
    labels: BTreeMap<String, String>,
    /// Known where bench-app has been built on this machine.
    app: Option<Sha256>,
}

impl Expected {
    fn new(cache: &Cache, catalogue: &Catalogue, version: Option<&MpiVersion>) -> Self {
        let app = digest(&app::path(cache)).ok();
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
struct Seen {
    labels: BTreeMap<String, String>,
    app: Option<Sha256>,
    launch: Option<Launched>,
}

#[derive(Debug)]
struct Launched {
    outcome: Outcome,
    library: Option<String>,
    protocol: Option<u32>,
    said: Vec<String>,
}

/// Everything wrong with what was `seen`.
fn faults(expected: &Expected, seen: &Seen) -> Vec<Fault> {
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
fn labels(said: &str) -> Option<BTreeMap<String, String>> {
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

/// A few milliseconds of every kernel at small sizes.
fn workload() -> Workload {
    let cell = |kernel: Kernel| {
        let bytes = Bytes(8);
        Cell { kernel, bytes, k: NonZeroU32::new(kernel.default_k(bytes)).unwrap_or(NonZeroU32::MIN) }
    };
    Workload {
        cells: Kernel::ALL.into_iter().map(cell).collect(),
        rounds: NonZeroU32::MIN,
        visit_ms: 2,
        order: Order::Ascending,
        seed: 1,
    }
}

/// Checks images.
#[derive(Debug)]
pub struct Checker<'a> {
    /// Where they are kept.
    pub cache: &'a Cache,
    /// Where versions come from.
    pub catalogue: &'a Catalogue,
    /// Runs what looks into them.
    pub tools: &'a Tools<'a>,
    /// Enters them.
    pub runtime: &'a Runtime,
    /// Where they are launched.
    pub room: &'a Room,
    /// What launches see of the environment.
    pub env: &'a Env,
    /// A host's Open MPI, with which the base image is launched: it has none of its own.
    pub host: Option<&'a HostMpi>,
}

impl Checker<'_> {
    /// Checks the image with Open MPI `version`, or the base image.
    ///
    /// # Errors
    /// Only the harness's own: what is wrong with the image is in the result.
    pub fn check(&self, version: Option<&MpiVersion>) -> Result<Checked, RunError> {
        let expected = Expected::new(self.cache, self.catalogue, version);
        let path = super::path(self.cache, self.catalogue, version);
        let name = version.map_or("base".to_owned(), |version| format!("openmpi {version}"));
        let case = self.case(version, &path);
        let command = case.as_ref().map(|case| self.commands(case).to_string());
        let result = |seen: Seen, faults| {
            let (outcome, library, protocol) =
                seen.launch.map_or_else(Default::default, |l| (Some(l.outcome), l.library, l.protocol));
            let (name, path, command) = (name.clone(), path.clone(), command.clone());
            Checked { name, path, command, outcome, library, protocol, app: seen.app, labels: seen.labels, faults }
        };
        if !path.exists() {
            return Ok(result(Seen::default(), vec![Fault::Absent]));
        }
        let labels = match self.labels(&path) {
            Ok(labels) => labels,
            Err(why) => return Ok(result(Seen::default(), vec![Fault::Unreadable { why }])),
        };
        let launch = case.map(|case| self.launch(&case)).transpose()?;
        let seen = Seen { labels, app: self.app(&path), launch };
        let faults = faults(&expected, &seen);
        Ok(result(seen, faults))
    }

    /// The image's own mpirun, or for the base image the host's.
    fn case(&self, version: Option<&MpiVersion>, path: &Path) -> Option<Case> {
        let mpi = |version: &MpiVersion| Mpi { implementation: Implementation::OpenMpi, version: version.clone() };
        let image = Image { mpi: version.map(mpi), path: path.to_owned() };
        let stack = match version {
            Some(_) => Stack::Embedded { image },
            None => Stack::Bind { host: self.host?.clone(), image },
        };
        Some(Case { stack, workload: workload(), ranks: RANKS, settings: Settings::default() })
    }

    fn commands(&self, case: &Case) -> CommandSpec {
        // Neither of the two modes has an instance.
        compose::compose(case, &case.workload, self.runtime, "").launch
    }

    fn labels(&self, path: &Path) -> Result<BTreeMap<String, String>, String> {
        let inspect = CommandSpec::new(&self.runtime.program).args(["inspect", "--json"]).arg(path.to_string_lossy());
        let said = self.tools.run(&inspect, PATIENCE).map_err(|error| chain(&error))?;
        labels(&said).ok_or_else(|| format!("`{inspect}` did not print the labels as JSON"))
    }

    fn app(&self, path: &Path) -> Option<Sha256> {
        let sum = CommandSpec::new("sha256sum").arg(APP_IN_IMAGE);
        let said = self.tools.run(&self.runtime.exec(sum, path, &Options::default()), PATIENCE).ok()?;
        said.split_whitespace().next()?.parse().ok()
    }

    fn launch(&self, case: &Case) -> Result<Launched, RunError> {
        let command = self.commands(case);
        let mut watch = Watch::new(AttemptId(0), case.ranks, &case.workload.cells, case.workload.rounds);
        let launch =
            Launch { command: &command, env: self.env, deadlines: run::deadlines(&Limits::default()), log: None };
        let mut attempt = self.room.attempt("check")?;
        let ended = attempt.supervise(&launch, &mut |stream, line| watch.line(stream, line));
        drop(attempt.close());
        let outcome = match ended {
            Ok(ended) => watch.outcome(ended.exit, ended.reason),
            Err(error) => run::not_started(error)?,
        };
        let said = watch.said();
        let hello = watch.hello;
        Ok(Launched {
            outcome,
            protocol: hello.as_ref().map(|hello| hello.protocol),
            library: hello.map(|hello| hello.library),
            said,
        })
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ").replace('\n', " | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSPECTED: &str = include_str!("../../tests/fixtures/inspect-openmpi-4.1.8.json");

    fn expected() -> Expected {
        let cache = Cache::new("/nowhere".into());
        let mut expected = Expected::new(&cache, &Catalogue::built_in(), Some(&"4.1.8".parse().unwrap()));
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
        assert_eq!(faults(&expected(), &seen()), []);
    }

    #[test]
    fn what_differs_is_named_with_what_it_should_be() {
        let check = |change: &dyn Fn(&mut Seen), expected_words: &str| {
            let mut seen = seen();
            change(&mut seen);
            let faults: Vec<String> = faults(&expected(), &seen).iter().map(ToString::to_string).collect();
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
        assert_eq!(faults(&expected, &seen()), []);
        let changed = Seen { app: Some(Sha256::of(b"another")), ..seen() };
        assert!(matches!(faults(&expected, &changed).as_slice(), [Fault::Differs { what, .. }] if what == "bench-app"));
    }
}
