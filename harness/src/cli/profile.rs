//! The profile of this place: found by what it says of itself, or named; and what it gives to a run.

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    edge::{Edge, Refused},
    nodes::NodeArgs,
    staging,
};
use crate::{
    cache::{Cache, Kind},
    case::Case,
    command::CommandSpec,
    compose::apptainer::Runtime,
    id::MpiVersion,
    process::Env,
    profile::{self, HostTable, Profile, ProfileError, Resolved, Shelf, Signs, Unset, Vars},
    record::{Design, ProfileFact},
    site::{self, login, terms::Terms},
};

/// The profile that is in force.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// As it is written, after `extends`.
    pub(super) resolved: Resolved,
    /// With variables in place of their names.
    pub(super) profile: Profile,
    /// Why this one.
    pub(super) why: String,
    /// What it names and nobody has set.
    pub(super) unset: Vec<Unset>,
    /// What the setups that have been done changed.
    setups: BTreeMap<MpiVersion, Vars>,
    cache: Cache,
}

impl Chosen {
    /// The one that is named, else the one that suits this place.
    pub(super) fn find(edge: &Edge, args: &NodeArgs) -> anyhow::Result<Self> {
        let mut shelf = edge.shelf()?;
        let flag = args.profile.as_deref().map(|name| (name, "--profile"));
        let named = flag.or_else(|| edge.var("SIFBENCH_PROFILE").map(|name| (name, "SIFBENCH_PROFILE")));
        let (name, why) = match named {
            Some((file, by)) if file.contains('/') || file.ends_with(".toml") => {
                (add(&mut shelf, Path::new(file))?, format!("named by {by}"))
            }
            Some((name, by)) => (name.to_owned(), format!("named by {by}")),
            None => {
                let choice = with_signs(edge, |signs| profile::choose(&shelf, signs))?;
                (choice.name, choice.why)
            }
        };
        Ok(Self::of(edge, shelf.resolve(&name)?, why))
    }

    /// The one with which a run was begun.
    pub(super) fn recorded(edge: &Edge, fact: &ProfileFact) -> anyhow::Result<Self> {
        let mut shelf = Shelf::built_in();
        let name = shelf.add_recorded(&fact.name, &fact.text)?;
        Ok(Self::of(edge, shelf.resolve(&name)?, "the run was begun with it".to_owned()))
    }

    pub(super) fn of(edge: &Edge, resolved: Resolved, why: String) -> Self {
        let (profile, unset) = resolved.profile.expanded(edge.env());
        Self { resolved, profile, why, unset, setups: BTreeMap::new(), cache: edge.cache() }
    }

    /// `profile slurm (built-in): this is a job of slurm`.
    pub(super) fn told(&self) -> String {
        format!("profile {} ({}): {}", self.profile.name, self.resolved.origin, self.why)
    }

    /// Does what the MPIs of the place need before they can be used.
    ///
    /// # Errors
    /// A variable is not set that is needed now, or a setup fails.
    pub(super) fn prepare(&mut self, edge: &Edge, versions: &[MpiVersion]) -> anyhow::Result<()> {
        // Where images are staged to is a job's business: a login node need not know it.
        let needed = self.unset.iter().find(|unset| unset.key != staging::KEY);
        if let Some(Unset { key, variable }) = needed {
            let reason = format!("the profile {}: {key} names {variable}, which is not set", self.profile.name);
            return Err(
                Refused { reason, hint: "load the module that sets it; `sifbench site check` looks at all" }.into()
            );
        }
        for version in versions {
            let Some(host) = self.profile.host(version).filter(|_| !self.setups.contains_key(version)) else {
                continue;
            };
            let changed = set_up(edge, host)?;
            if let (_, Some(Unset { key, variable })) = self.host(edge, host, &changed) {
                let reason = format!("the profile {}: {key} names {variable}, which nobody sets", self.profile.name);
                return Err(
                    Refused { reason, hint: "its setup should; `sifbench site check` shows what that sets" }.into()
                );
            }
            self.setups.insert(version.clone(), changed);
        }
        Ok(())
    }

    /// An MPI of the place with its variables, those of its setup included as far as that has been done.
    fn host(&self, edge: &Edge, host: &HostTable, changed: &Vars) -> (HostTable, Option<Unset>) {
        let mut env = edge.env().clone();
        env.extend(changed.clone());
        let (host, unset) = host.expanded(&env);
        (host, unset.into_iter().next())
    }

    /// Where the place has an Open MPI.
    pub(super) fn prefix(&self, edge: &Edge, version: &MpiVersion) -> Option<std::path::PathBuf> {
        let none = Vars::new();
        let changed = self.setups.get(version).unwrap_or(&none);
        self.profile.host(version).map(|host| self.host(edge, host, changed).0.prefix.into())
    }

    /// What launches may do.
    pub(super) fn terms(&self, edge: &Edge) -> Terms {
        let none = Vars::new();
        let hosts = self.profile.host_mpi.iter().map(|host| {
            let changed = self.setups.get(&host.version).unwrap_or(&none);
            let mut env = changed.clone();
            env.extend(self.host(edge, host, changed).0.env);
            (host.version.clone(), env)
        });
        self.profile.terms(hosts.collect())
    }

    /// The container runtime, and who says so.
    pub(super) fn runtime(&self, edge: &Edge, args: &NodeArgs) -> (Runtime, Option<String>) {
        match (&args.container_runtime, &self.profile.container.runtime) {
            (Some(program), _) => (Runtime { program: program.clone() }, Some("flag".to_owned())),
            (None, Some(program)) => (Runtime { program: program.clone() }, Some(self.origin())),
            (None, None) => (edge.runtime(), None),
        }
    }

    /// What origins of settings call it.
    pub(super) fn origin(&self) -> String {
        format!("profile {}", self.profile.name)
    }

    /// What is kept of it with a run.
    pub(super) fn fact(&self) -> ProfileFact {
        ProfileFact {
            name: self.profile.name.clone(),
            why: self.why.clone(),
            text: Profile::text(&self.resolved.table),
            setup: self.setups.iter().map(|(version, vars)| (version.to_string(), vars.clone())).collect(),
        }
    }

    /// What brings an image to where it must be run from.
    pub(super) fn staging(&self, image: &Path) -> Option<String> {
        let container = &self.profile.container;
        container.images.as_ref()?;
        let file = self.cache.path(Kind::Images, &image.file_name()?.to_string_lossy());
        let file = file.to_string_lossy();
        let words: Vec<String> = container.stage.iter().map(|word| word.replace("{image}", &file)).collect();
        let (program, args) = words.split_first()?;
        Some(format!("`{}` brings", CommandSpec::new(program).args(args)))
    }

    /// What stands between a case and its launch here, before anything is composed.
    pub(super) fn refuses(&self, case: &Case) -> bool {
        let nodes = case.placement.spread(case.ranks).map_or(1, |spread| spread.nodes.get());
        self.profile.terms(BTreeMap::new()).admit(case.stack.mode(), nodes).is_err()
    }
}

/// The container runtime of this place.
pub(super) fn runtime(edge: &Edge) -> anyhow::Result<Runtime> {
    let args = NodeArgs::default();
    Ok(Chosen::find(edge, &args)?.runtime(edge, &args).0)
}

/// The versions of hosts that a design launches with.
pub(super) fn hosts_of(design: &Design) -> Vec<MpiVersion> {
    let hosts = design.cases.iter().chain(&design.probes).filter_map(|case| case.stack.host());
    let versions: std::collections::BTreeSet<&MpiVersion> = hosts.map(|host| &host.mpi.version).collect();
    versions.into_iter().cloned().collect()
}

/// What the setup of an MPI changes; nothing where there is none.
pub(super) fn set_up(edge: &Edge, host: &HostTable) -> Result<Vars, profile::SetupError> {
    if host.setup.is_nothing() {
        return Ok(Vars::new());
    }
    host.setup.changes(edge.room(), &Env::from_parent(edge.env(), &profile::SETUP_SEES))
}

/// An error with its causes, in a line.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Puts a file on the shelf; its name there.
pub(super) fn add(shelf: &mut Shelf, file: &Path) -> Result<String, ProfileError> {
    let text = fs::read_to_string(file);
    let text = text.map_err(|source| ProfileError::Unreadable { path: file.to_owned(), source })?;
    shelf.add_file(file, &text)
}

/// What of this place tells which it is.
pub(super) fn with_signs<T>(edge: &Edge, use_them: impl FnOnce(&Signs<'_>) -> T) -> T {
    let on_path = |program: &str| edge.on_path(program).is_some();
    let tools = edge.tools();
    let says = |argv: &[&str]| tools.words(argv, login::PATIENCE);
    let served = || login::Signs { env: edge.env(), on_path: &on_path, says: &says }.batch();
    let served = std::cell::LazyCell::new(served);
    use_them(&Signs { env: edge.env(), host: &site::facts::host(), on_path: &on_path, served: &|| *served })
}
