//! Campaigns: a TOML file (what to compare, how often), resolved into a [`Design`].
//!
//! Precedence: flag, environment, campaign, profile, built-in. Unknown keys are refused, with line and column.

mod crossing;
pub mod draft;
mod program;
mod sense;
mod workload;
mod written;

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
};

use bench_app::{Cell, Kernel, Workload, workload::Order};
use serde::{Deserialize, Deserializer, de};

use crate::{
    against::Against,
    app::{Compilation, Headers},
    case::{
        Case, Entry, Environment, HostMpi, Image, Implementation, Launcher, Mode, Mpi, Placement, Program, Stack,
        Within,
    },
    decision::{Decision, Pairs},
    id::MpiVersion,
    profile::{Profile, Transport},
    record::{Design, SCHEMA},
};
use crossing::{Matrix, Pair};
use program::ProgramTable;
use workload::WorkloadTable;
use written::{LimitsTable, Sets, SettingsTable};

/// Campaigns that come with the tool: name and text.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("quick", include_str!("../campaigns/quick.toml")),
    ("versions", include_str!("../campaigns/versions.toml")),
    ("matrix", include_str!("../campaigns/matrix.toml")),
    ("aa", include_str!("../campaigns/aa.toml")),
    ("duet", include_str!("../campaigns/duet.toml")),
];

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
    #[serde(default)]
    versions: Vec<MpiVersion>,
    matrix: Option<Matrix>,
    /// How often bench-app is compiled.
    #[serde(default)]
    pub app: Compilation,
    /// Ranks of every launch.
    pub ranks: NonZeroU32,
    /// How they are spread over nodes.
    #[serde(default)]
    placement: Placement,
    /// Analysed blocks.
    pub blocks: u32,
    /// Seed of every order.
    pub seed: u64,
    /// How launches are paired.
    #[serde(default)]
    pub pairs: Pairs,
    workload: Option<WorkloadTable>,
    program: Option<ProgramTable>,
    #[serde(default, rename = "probe")]
    probes: Vec<Probe>,
    #[serde(default)]
    limits: LimitsTable,
    #[serde(default)]
    decision: Decision,
    #[serde(default)]
    settings: SettingsTable,
    /// Names of sets of the site's profile with each of which every case is made.
    #[serde(default)]
    transports: Vec<String>,
    #[serde(skip)]
    sets: Sets,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probe {
    mode: Word<Mode>,
    host: Option<MpiVersion>,
    image: Option<MpiVersion>,
    /// Instead of that of the settings.
    environment: Option<Environment>,
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
    /// How they are spread over nodes.
    pub placement: Option<Placement>,
    /// Blocks.
    pub blocks: Option<u32>,
    /// Seed.
    pub seed: Option<u64>,
    /// Modes; all of the campaign's where none is named.
    pub modes: Vec<Mode>,
    /// Versions of the host, of a campaign with a matrix.
    pub hosts: Vec<MpiVersion>,
    /// Versions of the images, of a campaign with a matrix.
    pub images: Vec<MpiVersion>,
    /// Sets of transport settings, of the site's profile.
    pub transports: Vec<String>,
}

/// Where the parts of a case lie, by version: known without looking, so that `plan` needs nothing installed.
pub trait Parts {
    /// Prefix of the host's MPI.
    fn host_prefix(&self, version: &MpiVersion) -> PathBuf;
    /// What programs that load it need beside it.
    fn host_env(&self, _: &MpiVersion) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// The image with that MPI, or the base image.
    fn image(&self, version: Option<&MpiVersion>, headers: Headers<'_>) -> PathBuf;
    /// bench-app on the host.
    fn app(&self, headers: Headers<'_>) -> PathBuf;
}

/// Parts that lie nowhere, for whoever asks a campaign for modes and versions alone.
pub(crate) struct Nowhere;

impl Parts for Nowhere {
    fn host_prefix(&self, _: &MpiVersion) -> PathBuf {
        PathBuf::new()
    }
    fn image(&self, _: Option<&MpiVersion>, _: Headers<'_>) -> PathBuf {
        PathBuf::new()
    }
    fn app(&self, _: Headers<'_>) -> PathBuf {
        PathBuf::new()
    }
}

impl Campaign {
    /// Reads a campaign. `origin` is what errors call it.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ConfigError> {
        Self::with(origin, text, &Overrides::default())
    }

    /// Reads a campaign, of which `overrides` may exchange the modes and versions.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn with(origin: &str, text: &str, overrides: &Overrides) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            origin: origin.to_owned(),
            detail: with_hint(error.to_string().trim_end()),
        };
        let mut campaign: Self = toml::from_str(text).map_err(syntax)?;
        let fault = |what: String, hint: &str| {
            Err(ConfigError::Meaning { origin: origin.to_owned(), what, hint: hint.to_owned() })
        };
        if campaign.schema != 1 {
            return fault(format!("schema = {} is not known", campaign.schema), "this sifbench reads schema = 1");
        }
        if !overrides.modes.is_empty() {
            campaign.modes.clone_from(&overrides.modes);
        }
        match &mut campaign.matrix {
            Some(matrix) => {
                matrix.exchange(&overrides.hosts, &overrides.images);
                if let Some((what, hint)) = matrix.fault(&campaign.versions) {
                    return fault(what, hint);
                }
            }
            None if overrides.hosts.is_empty() && overrides.images.is_empty() => {}
            None => return fault("there is no matrix whose sides could be exchanged".into(), "try `sifbench matrix`"),
        }
        if campaign.modes.is_empty() || campaign.compared().is_empty() {
            return fault("nothing to compare".into(), "name at least one of `modes` and one of `versions`");
        }
        for probe in &campaign.probes {
            let (mode, needs) = (probe.mode.0, needs(probe.mode.0));
            if (probe.host.is_some(), probe.image.is_some()) != needs {
                let what = format!("[[probe]] of mode {mode} has the wrong versions");
                return fault(what, probe_hint(needs));
            }
        }
        if !overrides.transports.is_empty() {
            campaign.transports.clone_from(&overrides.transports);
        }
        if let Some((what, hint)) = campaign.measured_fault().or_else(|| campaign.senseless(overrides)) {
            return fault(what, hint);
        }
        let cells = match campaign.cells() {
            Ok(cells) => cells,
            Err(what) => {
                let (what, hint) =
                    what.split_once("; hint: ").unwrap_or((&what, "`sifbench init -` shows sizes of kernels"));
                return fault(format!("[workload] {what}"), hint);
            }
        };
        campaign.sets = vec![(None, Transport::default())];
        let kernels: Vec<Kernel> = Kernel::EVERY.into_iter().filter(|k| cells.iter().any(|c| c.kernel == *k)).collect();
        campaign.check_pairs(origin)?;
        if let Err((what, hint)) = campaign.decision.check(campaign.blocks, &kernels) {
            return fault(what, &hint);
        }
        Ok(campaign)
    }

    /// The campaign as it is where `profile` holds: what it does not say itself the profile says. Returns the keys of those.
    ///
    /// # Errors
    /// They do not go together.
    pub fn at(mut self, profile: &Profile) -> Result<(Self, Vec<String>), ConfigError> {
        let mut given = Vec::new();
        self.settings = self.settings.at(profile, &mut given);
        self.limits = self.limits.at(profile, &mut given);
        if !self.transports.is_empty() {
            self.sets = written::sets(&format!("campaign {}", self.name), &self.transports, profile)?;
        }
        let origin = format!("campaign {} with the profile {}", self.name, profile.name);
        self.check_pairs(&origin)?;
        match self.hasty() {
            Some((what, hint)) => Err(ConfigError::Meaning { origin, what, hint: hint.to_owned() }),
            None => Ok((self, given)),
        }
    }

    fn check_pairs(&self, origin: &str) -> Result<(), ConfigError> {
        if let Some((what, hint)) = self.turns_fault() {
            return Err(ConfigError::Meaning { origin: origin.to_owned(), what, hint: hint.to_owned() });
        }
        let by_scheduler = self.settings.launcher.unwrap_or_default() != Launcher::Mpirun;
        if self.pairs != Pairs::Duet || (self.matrix.is_none() && !by_scheduler) {
            return Ok(());
        }
        Err(ConfigError::Meaning {
            origin: origin.to_owned(),
            what: "pairs = \"duet\" goes with neither a matrix nor a launcher of a scheduler".into(),
            hint: "leave `pairs` out: blocks go with everything".into(),
        })
    }

    /// What is to be measured.
    fn cells(&self) -> Result<Vec<Cell>, String> {
        self.workload.as_ref().map_or_else(|| Ok(vec![Program::CELL]), WorkloadTable::cells)
    }

    /// Whether it measures a program instead of bench-app.
    #[must_use]
    pub fn has_program(&self) -> bool {
        self.program.is_some()
    }

    /// Modes with the versions of host and image that take part, in the order of the design's cases.
    fn compared(&self) -> Vec<(Mode, Pair<'_>)> {
        match &self.matrix {
            Some(matrix) => matrix.pairs(&self.modes, &self.versions),
            None => crossing::side_by_side(&self.modes, &self.versions),
        }
    }

    /// All of them, and those of probes.
    fn all_pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        let probes = self.probes.iter().map(|probe| (probe.host.as_ref(), probe.image.as_ref()));
        self.compared().into_iter().map(|(_, pair)| pair).chain(probes)
    }

    /// The versions of Open MPI that the host must have.
    #[must_use]
    pub fn host_versions(&self) -> Vec<MpiVersion> {
        unique(self.all_pairs().filter_map(|(host, _)| host))
    }

    /// The versions of Open MPI for which there must be images.
    #[must_use]
    pub fn image_versions(&self) -> Vec<MpiVersion> {
        unique(self.all_pairs().filter_map(|(_, image)| image))
    }

    /// The versions of Open MPI that bench-app loads: the image's, or the host's where the image has none.
    #[must_use]
    pub fn loaded_versions(&self) -> Vec<MpiVersion> {
        unique(self.all_pairs().filter_map(|(host, image)| image.or(host)))
    }

    /// Everything decided before the first launch.
    #[must_use]
    pub fn design(&self, overrides: &Overrides, parts: &impl Parts) -> Design {
        let seed = overrides.seed.unwrap_or(self.seed);
        let ranks = overrides.ranks.unwrap_or(self.ranks).get();
        let placement = overrides.placement.unwrap_or(self.placement);
        let workload = self.workload.as_ref().map_or_else(
            || Program::workload(seed),
            |table| Workload {
                cells: table.cells().unwrap_or_else(|fault| unreachable!("checked when it was read: {fault}")),
                rounds: table.rounds,
                visit_ms: table.visit_ms.get(),
                order: Order::Shuffled,
                seed,
                buffers: table.buffers,
            },
        );
        let case = |mode, (host, image): Pair<'_>, set: &(Option<String>, Transport)| Case {
            stack: self.stack(mode, host, image, parts),
            workload: workload.clone(),
            program: self.program.as_ref().and_then(|program| program.of(mode)),
            ranks,
            placement,
            settings: self.settings.settings(set),
        };
        let probe = |probe: &Probe| {
            let plain = (None, Transport::default());
            let mut case = case(probe.mode.0, (probe.host.as_ref(), probe.image.as_ref()), &plain);
            case.settings.environment = probe.environment.unwrap_or(case.settings.environment);
            usual_without_an_mpi(case)
        };
        Design {
            schema: SCHEMA,
            campaign: self.name.clone(),
            seed,
            blocks: overrides.blocks.unwrap_or(self.blocks),
            app: self.app,
            pairs: self.pairs,
            against: if self.matrix.is_some() { Against::OwnVersion } else { Against::Baseline },
            cases: self
                .compared()
                .into_iter()
                .flat_map(|(mode, pair)| self.sets.iter().map(move |set| (mode, pair, set)))
                .map(|(mode, pair, set)| usual_without_an_mpi(case(mode, pair, set)))
                .collect(),
            probes: self.probes.iter().map(probe).collect(),
            limits: self.limits.limits(),
            decision: self.decision.clone(),
        }
    }

    fn stack(&self, mode: Mode, host: Option<&MpiVersion>, image: Option<&MpiVersion>, parts: &impl Parts) -> Stack {
        let mpi = |version: &MpiVersion| Mpi { implementation: Implementation::OpenMpi, version: version.clone() };
        let loaded = image.or(host);
        let headers = loaded.map_or(Headers::Shared, |version| self.app.headers(version));
        let host = host.map(|v| HostMpi { mpi: mpi(v), prefix: parts.host_prefix(v), env: parts.host_env(v) });
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

/// What has no image with an MPI cannot see more or less of the host's: it is the same case whatever the settings say.
fn usual_without_an_mpi(mut case: Case) -> Case {
    if !needs(case.stack.mode()).1 {
        case.settings.environment = Environment::default();
    }
    case
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

/// The parser's words, with a hint where it has none.
fn with_hint(detail: &str) -> String {
    let hint = if detail.contains("; hint: ") { "" } else { "; hint: `sifbench init -` prints every key, explained" };
    format!("{detail}{hint}")
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
        what: match error.kind() {
            std::io::ErrorKind::NotFound => "no such campaign".to_owned(),
            _ => format!("this campaign cannot be read ({error})"),
        },
        hint: format!("a TOML file, or one of: {}", BUILT_IN.map(|(name, _)| name).join(", ")),
    })
}

/// Origins of the values that have several, for the manifest.
#[must_use]
pub fn origins(campaign: &str, overrides: &Overrides) -> BTreeMap<String, String> {
    let origin = |set: bool| if set { "flag".to_owned() } else { campaign.to_owned() };
    let named = [
        ("modes", !overrides.modes.is_empty()),
        ("hosts", !overrides.hosts.is_empty()),
        ("images", !overrides.images.is_empty()),
        ("transports", !overrides.transports.is_empty()),
    ];
    [
        ("ranks", overrides.ranks.is_some()),
        ("placement", overrides.placement.is_some()),
        ("blocks", overrides.blocks.is_some()),
        ("seed", overrides.seed.is_some()),
        ("app", false),
        ("workload", false),
        ("limits", false),
        ("decision", false),
        ("settings", false),
    ]
    .into_iter()
    .chain(named.into_iter().filter(|(_, set)| *set))
    .map(|(key, set)| (key.to_owned(), origin(set)))
    .collect()
}

#[cfg(test)]
mod tests;
