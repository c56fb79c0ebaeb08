//! Campaigns: a TOML file (what to compare, how often), resolved into a [`Design`].
//!
//! Precedence: flag, environment, campaign, site, built-in. Unknown keys are refused, with line and column.

pub mod draft;
mod workload;

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
};

use bench_app::{Kernel, Workload, workload::Order};
use serde::{Deserialize, Deserializer, de};

use crate::{
    app::{Compilation, Headers},
    case::{Case, Entry, HostMpi, Image, Implementation, Mode, Mpi, Settings, Stack, Within},
    decision::{Decision, Pairs},
    id::MpiVersion,
    record::{Design, Limits, SCHEMA},
};
use workload::WorkloadTable;

/// Campaigns that come with the tool: name and text.
pub const BUILT_IN: [(&str, &str); 2] =
    [("quick", include_str!("../campaigns/quick.toml")), ("versions", include_str!("../campaigns/versions.toml"))];

/// Why a campaign cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is not a campaign; `detail` shows the place.
    #[error("{origin} is not a valid campaign\n{detail}")]
    Syntax {
        /// File or built-in name.
        origin: String,
        /// The parser's words, with line and column.
        detail: String,
    },
    /// It is a campaign, but not one that can be run.
    #[error("{origin}: {what}; hint: {hint}")]
    Meaning {
        /// File or built-in name.
        origin: String,
        /// Key and fault.
        what: String,
        /// What to write instead.
        hint: String,
    },
}

/// A campaign as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Version of this format.
    schema: u32,
    /// Its name, kept with the results.
    pub name: String,
    #[serde(deserialize_with = "words")]
    modes: Vec<Mode>,
    versions: Vec<MpiVersion>,
    /// How often bench-app is compiled.
    #[serde(default)]
    pub app: Compilation,
    /// Ranks of every launch.
    pub ranks: NonZeroU32,
    /// Analysed blocks.
    pub blocks: u32,
    /// Seed of every order.
    pub seed: u64,
    /// How launches are paired.
    #[serde(default)]
    pub pairs: Pairs,
    workload: WorkloadTable,
    #[serde(default, rename = "probe")]
    probes: Vec<Probe>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    decision: Decision,
    #[serde(default)]
    settings: Settings,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probe {
    mode: Word<Mode>,
    host: Option<MpiVersion>,
    image: Option<MpiVersion>,
}

/// A value written as a string and parsed by its `FromStr`, so that the parser can point at it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Word<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

fn words<'de, T: FromStr<Err: fmt::Display>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Word<T>>::deserialize(deserializer)?.into_iter().map(|word| word.0).collect())
}

/// Values from flags and the environment, which win over the campaign's.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Ranks.
    pub ranks: Option<NonZeroU32>,
    /// Blocks.
    pub blocks: Option<u32>,
    /// Seed.
    pub seed: Option<u64>,
}

/// Where the parts of a case lie, by version: known without looking, so that `plan` needs nothing installed.
pub trait Parts {
    /// Prefix of the host's MPI.
    fn host_prefix(&self, version: &MpiVersion) -> PathBuf;
    /// The image with that MPI, or the base image.
    fn image(&self, version: Option<&MpiVersion>, headers: Headers<'_>) -> PathBuf;
    /// bench-app on the host.
    fn app(&self, headers: Headers<'_>) -> PathBuf;
}

impl Campaign {
    /// Reads a campaign. `origin` is what errors call it.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            origin: origin.to_owned(),
            detail: error.to_string().trim_end().to_owned(),
        };
        let campaign: Self = toml::from_str(text).map_err(syntax)?;
        let fault = |what: String, hint: &str| {
            Err(ConfigError::Meaning { origin: origin.to_owned(), what, hint: hint.to_owned() })
        };
        if campaign.schema != 1 {
            return fault(format!("schema = {} is not known", campaign.schema), "this sifbench reads schema = 1");
        }
        if campaign.modes.is_empty() || campaign.versions.is_empty() {
            return fault("nothing to compare".into(), "name at least one of `modes` and one of `versions`");
        }
        for probe in &campaign.probes {
            let (mode, needs) = (probe.mode.0, needs(probe.mode.0));
            if (probe.host.is_some(), probe.image.is_some()) != needs {
                let what = format!("[[probe]] of mode {mode} has the wrong versions");
                return fault(what, probe_hint(needs));
            }
        }
        let cells = match campaign.workload.cells() {
            Ok(cells) => cells,
            Err(what) => return fault(format!("[workload] {what}"), "see `sifbench run --help` for kernels and sizes"),
        };
        let kernels: Vec<Kernel> = Kernel::ALL.into_iter().filter(|k| cells.iter().any(|c| c.kernel == *k)).collect();
        if let Err((what, hint)) = campaign.decision.check(campaign.blocks, &kernels) {
            return fault(what, &hint);
        }
        Ok(campaign)
    }

    /// The versions of Open MPI that the host must have.
    #[must_use]
    pub fn host_versions(&self) -> Vec<MpiVersion> {
        let hosts = self.modes.iter().any(|mode| needs(*mode).0);
        let versions = self.versions.iter().filter(|_| hosts).chain(self.probes.iter().filter_map(|p| p.host.as_ref()));
        unique(versions)
    }

    /// The versions of Open MPI for which there must be images.
    #[must_use]
    pub fn image_versions(&self) -> Vec<MpiVersion> {
        let images = self.modes.iter().any(|mode| needs(*mode).1);
        let versions = self.versions.iter().filter(|_| images);
        unique(versions.chain(self.probes.iter().filter_map(|p| p.image.as_ref())))
    }

    /// The versions of Open MPI that bench-app loads: the image's, or the host's where the image has none.
    #[must_use]
    pub fn loaded_versions(&self) -> Vec<MpiVersion> {
        unique(self.versions.iter().chain(self.probes.iter().filter_map(|p| p.image.as_ref().or(p.host.as_ref()))))
    }

    /// Everything decided before the first launch.
    #[must_use]
    pub fn design(&self, overrides: &Overrides, parts: &impl Parts) -> Design {
        let seed = overrides.seed.unwrap_or(self.seed);
        let ranks = overrides.ranks.unwrap_or(self.ranks).get();
        let workload = Workload {
            cells: self.workload.cells().unwrap_or_else(|fault| unreachable!("checked when it was read: {fault}")),
            rounds: self.workload.rounds,
            visit_ms: self.workload.visit_ms.get(),
            order: Order::Shuffled,
            seed,
            buffers: self.workload.buffers,
        };
        let case = |mode, host: Option<&MpiVersion>, image: Option<&MpiVersion>| Case {
            stack: self.stack(mode, host, image, parts),
            workload: workload.clone(),
            ranks,
            settings: self.settings.clone(),
        };
        let of_version = |version| self.modes.iter().map(move |mode| (*mode, version));
        let cases = self.versions.iter().flat_map(of_version);
        Design {
            schema: SCHEMA,
            campaign: self.name.clone(),
            seed,
            blocks: overrides.blocks.unwrap_or(self.blocks),
            app: self.app,
            pairs: self.pairs,
            cases: cases.map(|(mode, version)| case(mode, Some(version), Some(version))).collect(),
            probes: self.probes.iter().map(|p| case(p.mode.0, p.host.as_ref(), p.image.as_ref())).collect(),
            limits: self.limits,
            decision: self.decision.clone(),
        }
    }

    fn stack(&self, mode: Mode, host: Option<&MpiVersion>, image: Option<&MpiVersion>, parts: &impl Parts) -> Stack {
        let mpi = |version: &MpiVersion| Mpi { implementation: Implementation::OpenMpi, version: version.clone() };
        let (needs_host, needs_image) = needs(mode);
        let (host, image) = (host.filter(|_| needs_host), image.filter(|_| needs_image));
        let loaded = image.or(host);
        let headers = loaded.map_or(Headers::Shared, |version| self.app.headers(version));
        let host = host.map(|v| HostMpi { mpi: mpi(v), prefix: parts.host_prefix(v) });
        let image = Image { mpi: image.map(mpi), path: parts.image(image, headers) };
        match (mode, host) {
            (Mode::Native, Some(host)) => Stack::Native { host, app: parts.app(headers) },
            (Mode::Embedded, _) => Stack::Embedded { image },
            (Mode::Hybrid, Some(host)) => Stack::Hybrid { host, image, entry: Entry::Exec },
            (Mode::HybridInstance, Some(host)) => Stack::Hybrid { host, image, entry: Entry::Instance },
            (Mode::HybridSharens, Some(host)) => Stack::Hybrid { host, image, entry: Entry::Sharens },
            (Mode::Bind, Some(host)) => Stack::Bind { host, image },
            (Mode::Native | Mode::Hybrid | Mode::HybridInstance | Mode::HybridSharens | Mode::Bind, None) => {
                unreachable!("a campaign is checked for versions when it is read")
            }
        }
    }
}

fn unique<'a>(versions: impl Iterator<Item = &'a MpiVersion>) -> Vec<MpiVersion> {
    let set: std::collections::BTreeSet<_> = versions.collect();
    set.into_iter().cloned().collect()
}

/// Whether a mode needs an MPI of the host, and whether an image with an MPI.
const fn needs(mode: Mode) -> (bool, bool) {
    let row = mode.row();
    (row.host, matches!(row.within, Within::MpiImage(_)))
}

const fn probe_hint(needs: (bool, bool)) -> &'static str {
    match needs {
        (true, true) => "write both `host` and `image`",
        (true, false) => "write `host` alone: its image has no MPI",
        (false, _) => "write `image` alone: the host's MPI takes no part",
    }
}

/// The text of a campaign: a file where `name` names one, else a built-in.
///
/// # Errors
/// Neither: the names that exist.
pub fn text_of(name: &str, read: impl Fn(&Path) -> std::io::Result<String>) -> Result<(String, String), ConfigError> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        return Ok((format!("built-in campaign `{name}`"), (*text).to_owned()));
    }
    read(Path::new(name)).map(|text| (name.to_owned(), text)).map_err(|error| ConfigError::Meaning {
        origin: name.to_owned(),
        what: format!("no such campaign ({error})"),
        hint: format!("a TOML file, or one of: {}", BUILT_IN.map(|(name, _)| name).join(", ")),
    })
}

/// Origins of the values that have several, for the manifest.
#[must_use]
pub fn origins(campaign: &str, overrides: &Overrides) -> BTreeMap<String, String> {
    let origin = |set: bool| if set { "flag".to_owned() } else { campaign.to_owned() };
    [
        ("ranks", overrides.ranks.is_some()),
        ("blocks", overrides.blocks.is_some()),
        ("seed", overrides.seed.is_some()),
        ("app", false),
        ("workload", false),
        ("limits", false),
        ("decision", false),
        ("settings", false),
    ]
    .into_iter()
    .map(|(key, set)| (key.to_owned(), origin(set)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats;

    fn of(headers: Headers<'_>) -> String {
        match headers {
            Headers::Shared => String::new(),
            Headers::Of(version) => format!("-of-{version}"),
        }
    }

    struct Fixed;
    impl Parts for Fixed {
        fn host_prefix(&self, version: &MpiVersion) -> PathBuf {
            format!("/mpi/{version}").into()
        }
        fn image(&self, version: Option<&MpiVersion>, headers: Headers<'_>) -> PathBuf {
            version.map_or(format!("/base{}.sif", of(headers)), |v| format!("/openmpi-{v}{}.sif", of(headers))).into()
        }
        fn app(&self, headers: Headers<'_>) -> PathBuf {
            format!("/app{}", of(headers)).into()
        }
    }

    const QUICK: &str = BUILT_IN[0].1;

    #[test]
    fn built_in_campaigns_are_valid_and_make_the_cases_they_name() {
        for (name, text) in BUILT_IN {
            assert_eq!(Campaign::parse(name, text).unwrap().name, name);
        }
        let design = Campaign::parse("quick", QUICK).unwrap().design(&Overrides::default(), &Fixed);
        let labels: Vec<_> = design.cases.iter().chain(&design.probes).map(Case::label).collect();
        let modes = ["native", "embedded", "hybrid", "hybrid-instance", "hybrid-sharens", "bind"];
        let expected: Vec<_> = modes.iter().map(|mode| format!("{mode} 4.1.8")).collect();
        assert_eq!(labels[..6], expected);
        assert_eq!(labels[6], "hybrid 5.0.11 > 4.1.8");
        assert_eq!(design.cases[5].stack.image().unwrap().path, Path::new("/base.sif"));
    }

    /// What is compiled is compiled for the library it loads: the image's, or the host's where the image has none.
    #[test]
    fn an_own_bench_app_is_that_of_the_mpi_it_loads_and_makes_no_other_case() {
        let shared = Campaign::parse("quick", QUICK).unwrap();
        let own = QUICK.replace("ranks = 2", "app = \"own\"\nranks = 2").replace(
            "mode = \"hybrid\"\nhost = \"5.0.11\"\nimage = \"4.1.8\"",
            "mode = \"hybrid\"\nhost = \"5.0.11\"\nimage = \"4.1.8\"\n[[probe]]\nmode = \"bind\"\nhost = \"5.0.11\"",
        );
        let own = Campaign::parse("own", &own).unwrap();
        let [of_shared, of_own] = [&shared, &own].map(|campaign| campaign.design(&Overrides::default(), &Fixed));
        let check = |index: usize, before: &str, after: &str| {
            let file = |design: &Design| match &design.cases.iter().chain(&design.probes).nth(index).unwrap().stack {
                Stack::Native { app, .. } => app.display().to_string(),
                Stack::Embedded { image } | Stack::Hybrid { image, .. } | Stack::Bind { image, .. } => {
                    image.path.display().to_string()
                }
            };
            assert_eq!((file(&of_shared).as_str(), file(&of_own).as_str()), (before, after));
        };
        check(0, "/app", "/app-of-4.1.8");
        check(1, "/openmpi-4.1.8.sif", "/openmpi-4.1.8-of-4.1.8.sif");
        check(5, "/base.sif", "/base-of-4.1.8.sif");
        check(6, "/openmpi-4.1.8.sif", "/openmpi-4.1.8-of-4.1.8.sif");
        let ids = |design: &Design| design.cases.iter().map(Case::id).collect::<Vec<_>>();
        assert_eq!(ids(&of_shared), ids(&of_own), "equal cases compare");
        assert_eq!((of_shared.app, of_own.app), (Compilation::Shared, Compilation::Own));
        let loaded =
            |campaign: &Campaign| campaign.loaded_versions().iter().map(MpiVersion::to_string).collect::<Vec<_>>();
        assert_eq!(loaded(&shared), ["4.1.8"], "of the probe only the host's mpirun is 5.0.11");
        assert_eq!(loaded(&own), ["4.1.8", "5.0.11"]);
    }

    #[test]
    fn built_in_campaigns_have_blocks_enough_to_show_a_difference() {
        for (name, text) in BUILT_IN {
            let design = Campaign::parse(name, text).unwrap().design(&Overrides::default(), &Fixed);
            let family = design.cases.iter().skip(1).map(|case| case.workload.cells.len()).sum::<usize>();
            let fewest = stats::Method::SignedRank.fewest(stats::ALPHA / family as f64);
            assert!(design.blocks as usize >= fewest, "{name}: {family} comparisons take {fewest} blocks");
        }
    }

    #[test]
    fn flags_win_over_the_campaign() {
        let overrides = Overrides { ranks: NonZeroU32::new(4), blocks: Some(9), seed: None };
        let design = Campaign::parse("quick", QUICK).unwrap().design(&overrides, &Fixed);
        assert_eq!((design.cases[0].ranks, design.blocks, design.seed), (4, 9, 1));
        let origins = origins("campaign quick", &overrides);
        assert_eq!((origins["blocks"].as_str(), origins["seed"].as_str()), ("flag", "campaign quick"));
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let check = |from: &str, to: &str, expected: &[&str]| {
            assert!(QUICK.contains(from), "{from}");
            let error = Campaign::parse("my.toml", &QUICK.replace(from, to)).unwrap_err().to_string();
            for part in expected.iter().chain(&["my.toml"]) {
                assert!(error.contains(part), "{to}: {error}");
            }
        };
        check("ranks = 2", "rank = 2", &["line 7, column 1", "unknown field `rank`"]);
        check("\"embedded\"", "\"embeded\"", &["unknown mode `embeded`", "hint: one of native", "line 5"]);
        check("\"8Ki\"", "\"8K\"", &["`8K` is not a size", "line 12"]);
        check("\"1Mi\", \"4Mi\"", "\"1Mi\", \"1Mi:3\"", &["latency 1 MiB is listed twice"]);
        check("schema = 1", "schema = 2", &["schema = 2", "hint: this sifbench reads"]);
        check("versions = [\"4.1.8\"]", "versions = [\"4.1\"]", &["`4.1` is not an MPI version", "line 6"]);
        check("host = \"5.0.11\"\n", "", &["[[probe]] of mode hybrid", "hint: write both"]);
        check("ranks = 2", "ranks = 0", &["line 7"]);
        check("ranks = 2", "app = \"each\"", &["unknown variant `each`", "`shared` or `own`", "line 7"]);
        check("silence_s", "silence", &["unknown field `silence`", "silence_s"]);
        check("bandwidth =", "bandwith =", &["unknown kernel `bandwith`", "line 13, column 1", "bcast", "visit_ms"]);
        check("rounds = 2\n", "", &["missing field `rounds`", "line 11"]);
        check("visit_ms = 4", "visit_ms = 4\nbuffers = \"cold\"", &["unknown variant `cold`", "rotating", "line 17"]);
        check("[limits]", "[decision]\nmargin = 5\n[limits]", &["5 is not a margin", "0.05 for 5 %", "line 25"]);
        let early = "[decision]\nprecision = 0.02\nfirst_look = 13\n[limits]";
        check("[limits]", early, &["first_look = 13 is not between 6 and blocks = 12", "hint"]);
        check("allreduce = [\"8\"", "barrier = [\"8\"", &["barrier 8 B: there is no message", "hint"]);
    }

    #[test]
    fn an_unknown_campaign_names_those_that_exist() {
        let error = text_of("qick", |_| Err(std::io::ErrorKind::NotFound.into())).unwrap_err().to_string();
        assert!(error.contains("qick") && error.contains("quick"), "{error}");
    }
}
