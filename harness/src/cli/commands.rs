//! What the words of the command line do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;

use crate::{
    app::{self, Compilation, Headers},
    cache::Cache,
    case::{Case, Stack},
    catalogue::Catalogue,
    cli::{
        CampaignArgs, RunArgs, Running,
        edge::{Edge, Refused},
        kit,
        nodes::{NodeArgs, Place},
        profile::{self, Chosen},
        progress::Progress,
        staging,
    },
    config::{self, Campaign, ConfigError, Overrides, Parts},
    id::{MpiVersion, Sha256, SiteId},
    image,
    kit::{Kit, MANIFEST, TOOL},
    medians::Medians,
    mpi, plan,
    record::{Design, FileFact, Manifest, SCHEMA, Staging},
    run::{
        self, Envs, Finish, Past, Runner,
        staging::{StagingError, moved},
    },
    site::{self, batch::Batch},
    store::{self, Store, Tail},
};

/// Parts as they lie in the cache, or where the profile has them.
struct Found<'a> {
    edge: &'a Edge,
    cache: &'a Cache,
    catalogue: &'a Catalogue,
    chosen: &'a Chosen,
}

impl Parts for Found<'_> {
    fn host_prefix(&self, version: &MpiVersion) -> PathBuf {
        let of_place = self.chosen.prefix(self.edge, version);
        of_place.unwrap_or_else(|| mpi::prefix(self.cache, self.catalogue, version))
    }
    fn host_env(&self, version: &MpiVersion) -> BTreeMap<String, String> {
        mpi::environment(self.cache, self.catalogue, version, &self.host_prefix(version))
    }
    fn image(&self, version: Option<&MpiVersion>, headers: Headers<'_>) -> PathBuf {
        self.chosen.profile.image(&image::path(self.cache, self.catalogue, version, headers))
    }
    fn app(&self, headers: Headers<'_>) -> PathBuf {
        app::path(self.cache, self.catalogue, headers)
    }
}

/// A campaign as it is here.
pub(super) fn campaign(args: &CampaignArgs, chosen: &Chosen) -> anyhow::Result<(Campaign, Vec<String>)> {
    let (origin, text) = config::text_of(&args.campaign, |path| fs::read_to_string(path))?;
    Ok(Campaign::with(&origin, &text, &args.overrides())?.at(&chosen.profile)?)
}

/// What a campaign means on this machine.
pub(super) fn resolved(
    edge: &Edge,
    campaign: &Campaign,
    overrides: &Overrides,
    chosen: &Chosen,
) -> anyhow::Result<Design> {
    let (cache, catalogue) = (edge.cache(), edge.catalogue()?);
    known(campaign, &catalogue, chosen)?;
    for version in campaign.loaded_versions() {
        app::compilable(&catalogue, campaign.app.headers(&version))?;
    }
    let design = campaign.design(overrides, &Found { edge, cache: &cache, catalogue: &catalogue, chosen });
    for case in design.cases.iter().chain(&design.probes) {
        case.placement.spread(case.ranks).map_err(|uneven| ConfigError::Meaning {
            origin: campaign.name.clone(),
            what: uneven.to_string(),
            hint: "the number of ranks must be a multiple of those a node".into(),
        })?;
    }
    Ok(design)
}

/// Refuses versions that nobody could install or build, and that the profile does not have either.
fn known(campaign: &Campaign, catalogue: &Catalogue, chosen: &Chosen) -> Result<(), ConfigError> {
    let hosts = campaign.host_versions().into_iter().filter(|version| chosen.profile.host(version).is_none());
    let images = campaign.image_versions().into_iter().filter(|_| chosen.profile.container.images.is_none());
    for version in hosts.chain(images) {
        catalogue.openmpi(&version).map_err(|unknown| {
            let unknown = unknown.to_string();
            let (what, hint) = unknown.split_once("; hint: ").unwrap_or((&unknown, "another version"));
            ConfigError::Meaning { origin: campaign.name.clone(), what: what.to_owned(), hint: hint.to_owned() }
        })?;
    }
    Ok(())
}

/// The files of a design that are not there, with the command that makes them.
pub(super) fn missing(design: &Design, chosen: &Chosen) -> Vec<(PathBuf, String)> {
    let mut absent: BTreeMap<PathBuf, String> = BTreeMap::new();
    for case in design.cases.iter().chain(&design.probes).filter(|case| !chosen.refuses(case)) {
        let build = |image: Option<&MpiVersion>| {
            let (flag, version) = match design.app {
                Compilation::Shared => ("", image),
                // What holds no MPI is compiled for that of the host.
                Compilation::Own => (" --app own", image.or(case.stack.host().map(|host| &host.mpi.version))),
            };
            let version = version.map_or(String::new(), |version| format!(" {version}"));
            format!("`sifbench image build{flag}{version}` makes")
        };
        if let Some(host) = case.stack.host().filter(|host| !host.prefix.join("bin/mpirun").exists()) {
            let version = &host.mpi.version;
            let remedy = match chosen.profile.host(version) {
                Some(_) => format!("the profile {} names, `sifbench site check` looks for", chosen.profile.name),
                None => format!("`sifbench mpi install {version}` makes"),
            };
            absent.insert(host.prefix.clone(), remedy);
        }
        if let Some(image) = case.stack.image().filter(|image| !image.path.exists()) {
            let built = build(image.mpi.as_ref().map(|mpi| &mpi.version));
            let remedy = chosen
                .staging(&image.path)
                .map_or_else(|| built.clone(), |stage| format!("{built} in the cache, {stage}"));
            absent.insert(image.path.clone(), remedy);
        }
        if let Stack::Native { app, .. } = &case.stack
            && !app.exists()
        {
            absent.insert(app.clone(), build(None));
        }
        if let Some(program) = program_here(case).filter(|program| !program.exists()) {
            absent.insert(program, "`native` of [program] names".to_owned());
        }
    }
    absent.into_iter().collect()
}

/// The program of a case, where it lies on the host and not on PATH.
fn program_here(case: &Case) -> Option<PathBuf> {
    let Stack::Native { .. } = &case.stack else { return None };
    case.program.as_ref()?.argv.first().filter(|word| word.contains('/')).map(PathBuf::from)
}

/// Refuses a design of which a file is not there.
pub(super) fn all_there(edge: &Edge, design: &Design, chosen: &Chosen) -> anyhow::Result<()> {
    let absent = missing(design, chosen);
    let Some((file, remedy)) = absent.first() else { return Ok(()) };
    let campaign = &design.campaign;
    let kit = edge.kit()?.map_or(String::new(), |kit| {
        format!("; hint: kit {} lacks it: `scripts/kit --campaign {campaign}` packs all of it", kit.manifest.id)
    });
    anyhow::bail!("{} is not there; hint: {remedy} it{kit}", file.display())
}

/// `sifbench run`.
pub fn run(edge: &Edge, args: &RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs { campaign, running } = args;
    let sweep = campaign.sweep();
    if let [_, _, ..] = sweep.as_slice() {
        fit(edge, &sweep, running)?;
    }
    let mut told = Vec::new();
    for campaign in sweep {
        let run = RunArgs { campaign, running: running.clone() };
        let Some(dir) = measure(edge, &run)? else { return Ok(ExitCode::from(130)) };
        told.extend(finished(edge, &dir, running.json)?);
    }
    match told.as_slice() {
        [] => {}
        [one] => edge.print(&(serde_json::to_string_pretty(one)? + "\n"))?,
        all => edge.print(&(serde_json::to_string_pretty(all)? + "\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a sweep of which the last would be refused, before the first is measured.
fn fit(edge: &Edge, sweep: &[CampaignArgs], running: &Running) -> anyhow::Result<()> {
    let place = admitted(edge, &running.nodes, running.here, Chosen::find(edge, &running.nodes)?)?;
    for args in sweep {
        let (campaign, _) = campaign(args, &place.chosen)?;
        place.admit(&resolved(edge, &campaign, &args.overrides(), &place.chosen)?)?;
    }
    Ok(())
}

/// Makes a run and closes it; its directory, or none where the user stopped it.
pub(super) fn measure(edge: &Edge, args: &RunArgs) -> anyhow::Result<Option<PathBuf>> {
    let chosen = match &args.running.resume {
        Some(dir) => recorded_or_found(edge, dir, &args.running.nodes)?,
        None => Chosen::find(edge, &args.running.nodes)?,
    };
    let mut place = admitted(edge, &args.running.nodes, args.running.here, chosen)?;
    match begun(edge, args, &mut place).and_then(|(store, run)| carry_out(edge, &mut place, store, run)) {
        Err(error) if matches!(error.downcast_ref(), Some(StagingError::Interrupted)) => {
            edge.say(&error.to_string());
            Ok(None)
        }
        done => done,
    }
}

/// The run that is gone on with, or a new one.
fn begun<'e>(edge: &'e Edge, args: &RunArgs, place: &mut Place<'e>) -> anyhow::Result<(Store, store::Run)> {
    match &args.running.resume {
        Some(dir) => {
            let (store, run) = Store::resume(dir).with_context(|| format!("cannot go on with {}", dir.display()))?;
            kit::proved(edge, &used(&run.design))?;
            staging::as_begun(place, &args.running.nodes, &run)?;
            Ok((store, run))
        }
        None => start(edge, args, place),
    }
}

/// The profile with which a run was begun, whatever suits now; what suits, where it was begun with none.
pub(super) fn recorded_or_found(edge: &Edge, dir: &Path, args: &NodeArgs) -> anyhow::Result<Chosen> {
    // A manifest that cannot be read is reported when the run is.
    match store::manifest(dir).ok().and_then(|manifest| manifest.profile) {
        Some(fact) => Chosen::recorded(edge, &fact),
        None => Chosen::find(edge, args),
    }
}

/// The place we are in, unless nothing may be measured here; what a killed harness left is cleared.
pub(super) fn admitted<'e>(edge: &'e Edge, nodes: &NodeArgs, here: bool, chosen: Chosen) -> anyhow::Result<Place<'e>> {
    if let Some(scheduler) = edge.login_node()
        && !here
        && !nodes.are_named(edge)
    {
        let reason = format!(
            "this looks like a login node of {scheduler}: figures from here would disturb others and mean nothing"
        );
        return Err(
            Refused { reason, hint: "`sifbench submit` makes a job of it; else start it inside an allocation, or with --here if this node is yours" }.into()
        );
    }
    edge.say(&chosen.told());
    let place = Place::find(edge, nodes, chosen)?;
    let stale = edge.room().clear_stale()?;
    if !stale.nothing() {
        edge.say(&format!("cleared what a killed sifbench had left: {}", run::words(&stale).join(", ")));
    }
    Ok(place)
}

/// Makes what `run` lacks, and closes it; its directory, or none where the user stopped it.
pub(super) fn carry_out<'e>(
    edge: &'e Edge,
    place: &mut Place<'e>,
    mut store: Store,
    run: store::Run,
) -> anyhow::Result<Option<PathBuf>> {
    if run.tail != Tail::default() {
        edge.say("cut off a launch that was not completely written when the run was stopped; it is made again");
    }
    place.prepare(edge, &profile::hosts_of(&run.design))?;
    place.admit(&run.design)?;
    all_there(edge, &run.design, &place.chosen)?;
    place.has_runtime(edge, &run.design)?;
    // A run that goes on may do so in another job.
    place.prove_pmi(edge, &run.design)?;
    if place.staged.is_none()
        && let Some(staged) =
            staging::bring(edge, place, (&run.design, &run.manifest.files), run.manifest.staged.first())?
    {
        store.staged(staged)?;
    }
    let staged = place.staged.take();
    let design = staged.as_ref().map_or_else(|| run.design.clone(), |staged| moved(&run.design, staged.fact().parts()));
    let (plain, scheduled) = (place.plain_env(edge), place.scheduled_env(edge, &run.design));
    let env = Envs { plain: &plain, scheduled: &scheduled };
    let runtime = &place.runtime;
    let runner = Runner { design: &design, runtime, nodes: &place.nodes, env, room: edge.room(), now };
    let (campaign, cases, blocks) = (&run.design.campaign, run.design.cases.len(), run.design.blocks);
    edge.say(&format!("{campaign}: {cases} cases, {blocks} blocks -> {}", run.dir.display()));
    edge.say(&plan::estimate(&run.design).to_string());
    plan::doubts(&run.design).iter().for_each(|why| edge.say(&format!("mind: {why}")));
    let mut progress = Progress::new(edge, &run.design);
    let past = Past { medians: Medians::of(&run.samples), records: run.records };
    let finish = runner.run(&mut store, past, &mut progress)?;
    progress.finish();
    staged.map_or(Ok(()), |staged| staging::cleared(edge, staged))?;
    // Where a job has ended, another must go on.
    let word = if Batch::of_job(edge.env()).is_some() { "submit" } else { "run" };
    let go_on = format!("go on with: sifbench {word} --resume {}", run.dir.display());
    match finish {
        Finish::Complete => {}
        Finish::Interrupted => {
            edge.say(&format!("stopped; {go_on}"));
            return Ok(None);
        }
        Finish::OutOfNodes { lost } => {
            let lost = lost.join(", ");
            let reason = format!(
                "{lost} cannot be trusted any more (LEFT in attempts.jsonl), and too few others are there; {go_on}"
            );
            return Err(Refused { reason, hint: "in another job, or once what was left there is gone" }.into());
        }
    }
    store.close()?;
    Ok(Some(run.dir))
}

/// Says what came of a run, or returns it where JSON is wanted.
fn finished(edge: &Edge, dir: &Path, json: bool) -> anyhow::Result<Option<serde_json::Value>> {
    let run = store::load(dir)?;
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    run.records.iter().for_each(|record| *outcomes.entry(record.outcome.to_string()).or_default() += 1);
    if json {
        let attempts = run.records.len();
        return Ok(Some(serde_json::json!({ "dir": dir, "attempts": attempts, "outcomes": outcomes })));
    }
    let words: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{count} x `{outcome}`")).collect();
    edge.say(&format!("{} launches: {}", run.records.len(), words.join(", ")));
    edge.print(&format!("{}\n", dir.display()))?;
    Ok(None)
}

fn start<'e>(edge: &'e Edge, args: &RunArgs, place: &mut Place<'e>) -> anyhow::Result<(Store, store::Run)> {
    let (campaign, given) = campaign(&args.campaign, &place.chosen)?;
    place.prepare(edge, &campaign.host_versions())?;
    let design = resolved(edge, &campaign, &args.campaign.overrides(), &place.chosen)?;
    let mut origins = config::origins(&format!("campaign {}", campaign.name), &args.campaign.overrides());
    origins.extend(given.into_iter().map(|key| (key, place.chosen.origin())));
    origins.extend(place.origins.clone());
    let (site, results) = (args.running.site.clone(), args.running.results.clone());
    create(edge, place, Fresh { design, origins, site, results })
}

/// A run that is to be made.
pub(super) struct Fresh {
    pub(super) design: Design,
    pub(super) origins: BTreeMap<String, String>,
    /// As a flag names it.
    pub(super) site: Option<SiteId>,
    /// As a flag names it.
    pub(super) results: Option<PathBuf>,
}

/// Makes the directory of a run, once everything that it launches is there.
pub(super) fn create<'e>(edge: &'e Edge, place: &mut Place<'e>, fresh: Fresh) -> anyhow::Result<(Store, store::Run)> {
    let Fresh { design, mut origins, site, results } = fresh;
    place.prepare(edge, &profile::hosts_of(&design))?;
    place.admit(&design)?;
    all_there(edge, &design, &place.chosen)?;
    let (site, site_origin) = match (site, edge.var("SIFBENCH_SITE"), &place.chosen.profile.site) {
        (Some(site), _, _) => (site, "flag".to_owned()),
        (None, Some(site), _) => {
            (site.parse::<SiteId>().context("SIFBENCH_SITE names no site")?, "environment".to_owned())
        }
        (None, None, Some(site)) => (site.clone(), place.chosen.origin()),
        (None, None, None) => (site::facts::site_id(), "host name".to_owned()),
    };
    origins.insert("site".into(), site_origin);
    let mut facts = site::facts::gather(&edge.tools(), &place.runtime);
    if design.nodes() > 1 {
        facts.insert("agent".into(), place.nodes.reach.to_string());
        facts.insert("instances".into(), place.nodes.strategy.to_string());
    }
    facts.insert("allocation".into(), place.allocation.to_string());
    place.prove_pmi(edge, &design)?;
    facts.extend(place.pmi.clone().map(|pmi| ("srun_mpi".to_owned(), pmi)));
    let kit = kit::proved(edge, &used(&design))?;
    place.has_runtime(edge, &design)?;
    let files = files(&design, kit.as_ref(), &place.chosen)?;
    let staged: Vec<Staging> = staging::bring(edge, place, (&design, &files), None)?.into_iter().collect();
    facts.extend(staged.iter().map(|staged| ("images_from".to_owned(), staging::told(staged))));
    facts.extend(kit.as_ref().map(|kit| ("kit".to_owned(), kit.manifest.id.clone())));
    let manifest = Manifest {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION").into(),
        site,
        started: now_seconds(),
        design: store::design_digest(&design),
        facts,
        files,
        origins,
        profile: Some(place.chosen.fact()),
        staged,
    };
    let root = edge.results(results.as_deref());
    let store = Store::create(&root, &manifest, &design)?;
    let dir = store.dir().to_owned();
    Ok((store, store::load(&dir)?))
}

/// Where everything lies that a design runs.
fn used(design: &Design) -> Vec<PathBuf> {
    let of_case = |case: &Case| {
        let app = if let Stack::Native { app, .. } = &case.stack { Some(app.clone()) } else { None };
        let image = case.stack.image().map(|image| image.path.clone());
        let host = case.stack.host().map(|host| host.prefix.clone());
        app.into_iter().chain(image).chain(host)
    };
    let used: BTreeSet<PathBuf> = design.cases.iter().chain(&design.probes).flat_map(of_case).collect();
    used.into_iter().collect()
}

/// The images and the bench-app that a design runs, with their digests, and the kit they are from.
fn files(design: &Design, kit: Option<&Kit>, chosen: &Chosen) -> anyhow::Result<Vec<FileFact>> {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    if let Some(kit) = kit {
        files.insert(kit.root.join(MANIFEST), format!("kit {}", kit.manifest.id));
        files.insert(kit.root.join(TOOL), "sifbench".to_owned());
    }
    for case in design.cases.iter().chain(&design.probes).filter(|case| !chosen.refuses(case)) {
        if let Some(image) = case.stack.image() {
            let version =
                image.mpi.as_ref().map_or("base".to_owned(), |mpi| format!("{} {}", mpi.implementation, mpi.version));
            files.insert(image.path.clone(), format!("image {version}"));
        }
        if let Stack::Native { app, .. } = &case.stack {
            files.insert(app.clone(), "bench-app".to_owned());
        }
        files.extend(program_here(case).map(|program| (program, "program".to_owned())));
    }
    let fact = |(path, name): (PathBuf, String)| -> anyhow::Result<FileFact> {
        let sha256: Sha256 = image::digest(&path)?;
        Ok(FileFact { name, path, sha256 })
    };
    files.into_iter().map(fact).collect()
}

/// Now, RFC 3339 in UTC to the millisecond.
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// Now, RFC 3339 in UTC to the second.
pub(super) fn now_seconds() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}
