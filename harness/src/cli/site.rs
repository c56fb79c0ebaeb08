//! `sifbench site`: profiles of places, which of them this is, and whether one is as it says.

use std::{fs, path::Path, process::ExitCode};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    commands,
    edge::Edge,
    nodes::{NodeArgs, Place},
    profile::{self, Chosen},
};
use crate::{
    case::{Case, Placement},
    compose::{self, Commands, Ground, InstanceCommands},
    config::{self, Campaign, Overrides},
    mpi,
    profile::{self as profiles, Finding, HostTable, Looks, SetUp, State, look},
    site::{batch::Batch, facts},
};

#[derive(Debug, Subcommand)]
pub(super) enum SiteCommand {
    /// List profiles: which suit this place and why, and which is chosen
    #[command(after_help = "Example:\n  sifbench site list --json | jq -r '.[] | select(.chosen) | .name'")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a profile after what it extends, with where each value comes from
    #[command(after_help = "Examples:\n  sifbench site show\n  sifbench site show gricad > mine.toml")]
    Show {
        /// A name or a file [default: the one that suits this place]
        profile: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every command that a profile makes of a campaign, and look for what it names
    Check(CheckArgs),
    /// Draft a profile from what is found here
    #[command(after_help = "Example:\n  sifbench site probe > ~/.config/sifbench/sites/mine.toml")]
    Probe {
        /// What it is called
        #[arg(long, default_value = "mine")]
        name: crate::id::SiteId,
        /// Print what was found as JSON, and no draft
        #[arg(long)]
        json: bool,
    },
}

/// `sifbench site check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench site check\n  sifbench site check mine.toml --campaign quick\n\n\
    Exit codes: 0 everything that can be looked for is there, 1 something is lacking, 2 the profile cannot be read")]
pub(super) struct CheckArgs {
    /// A name or a file [default: the one that suits this place]
    profile: Option<String>,
    /// The campaign whose commands are shown: a file, or a built-in one
    #[arg(long, default_value = "quick", value_parser = super::text())]
    campaign: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Carries out one of them.
pub(super) fn site(edge: &Edge, command: &SiteCommand) -> anyhow::Result<ExitCode> {
    match command {
        SiteCommand::List { json } => list(edge, *json),
        SiteCommand::Show { profile, json } => show(edge, profile.as_deref(), *json),
        SiteCommand::Check(args) => check(edge, args),
        SiteCommand::Probe { name, json } => probe(edge, name.to_string(), *json),
    }
}

/// One profile of the list.
#[derive(Serialize)]
struct Listed {
    name: String,
    origin: String,
    summary: String,
    /// Why it suits.
    #[serde(skip_serializing_if = "Option::is_none")]
    suits: Option<String>,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    /// Whether it is the one that is taken.
    chosen: bool,
}

fn list(edge: &Edge, json: bool) -> anyhow::Result<ExitCode> {
    let shelf = edge.shelf()?;
    let chosen = Chosen::find(edge, &NodeArgs::default())?.profile.name;
    let listed = profile::with_signs(edge, |signs| {
        let list = shelf.names().map(|name| -> anyhow::Result<Listed> {
            let resolved = shelf.resolve(name)?;
            let (suits, why_not) = match profiles::suits(&shelf, name, signs) {
                Ok(choice) => (Some(choice.why), None),
                Err(reason) => (None, Some(reason)),
            };
            let (origin, summary) = (resolved.origin.to_string(), resolved.profile.summary);
            Ok(Listed { name: name.to_owned(), origin, summary, suits, why_not, chosen: name == chosen })
        });
        list.collect::<anyhow::Result<Vec<_>>>()
    })?;
    if json {
        edge.print(&(serde_json::to_string_pretty(&listed)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    for Listed { name, origin, summary, suits, why_not, chosen } in &listed {
        let mark = if *chosen { ">" } else { " " };
        edge.print(&format!("{mark} {name:<12} {summary}\n"))?;
        let suits = suits.as_ref().map(|why| format!("suits: {why}"));
        let why_not = why_not.as_ref().map(|why| format!("does not suit: {why}"));
        edge.print(&format!("{:15}{} ({origin})\n", "", suits.or(why_not).unwrap_or_default()))?;
    }
    edge.say(&format!("{chosen} is taken here; your own lie in {}", edge.sites().display()));
    Ok(ExitCode::SUCCESS)
}

/// The profile that is named, else the one that suits.
fn named(edge: &Edge, name: Option<&str>) -> anyhow::Result<Chosen> {
    Chosen::find(edge, &NodeArgs::with_profile(name))
}

fn show(edge: &Edge, name: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let Chosen { resolved, why, .. } = named(edge, name)?;
    if json {
        let (name, origin) = (&resolved.profile.name, resolved.origin.to_string());
        let value = serde_json::json!({
            "name": name, "origin": origin, "why": why, "extends": resolved.extends,
            "profile": resolved.table, "from": resolved.from,
        });
        edge.print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    edge.print(&profiles::annotated(&resolved))?;
    Ok(ExitCode::SUCCESS)
}

/// The commands of a case, for `check --json`.
#[derive(Serialize)]
struct Shown {
    case: String,
    placement: Placement,
    before: Vec<String>,
    command: String,
    after: Vec<String>,
}

fn check(edge: &Edge, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let chosen = named(edge, args.profile.as_deref())?;
    let (origin, text) = config::text_of(&args.campaign, |path| fs::read_to_string(path))?;
    let (campaign, _) = Campaign::parse(&origin, &text)?.at(&chosen.profile)?;
    let findings = findings(edge, &chosen);
    let told = chosen.told();
    let mut shown = Vec::new();
    let local = chosen.profile.scheduler.kind.is_none_or(|kind| kind == Batch::Local);
    let placements = [Placement::default(), Placement::PerNode(std::num::NonZeroU32::MIN)];
    for placement in placements.into_iter().take(if local { 1 } else { 2 }) {
        let overrides = Overrides { placement: Some(placement), ..Overrides::default() };
        let design = commands::resolved(edge, &campaign, &overrides, &chosen)?;
        let place = Place::imagined(edge, &NodeArgs::default(), chosen.clone(), &design)?;
        shown.extend(design.cases.iter().chain(&design.probes).map(|case| typed(case, &place)));
    }
    let lacking = findings.iter().filter(|finding| finding.state == State::Lacking).count();
    let code = if lacking == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if args.json {
        let name = &chosen.profile.name;
        let value = serde_json::json!({ "profile": name, "why": chosen.why, "commands": shown, "findings": findings });
        edge.print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
        return Ok(code);
    }
    edge.print(&format!("# {told}\n"))?;
    for Shown { case, placement, before, command, after } in &shown {
        edge.print(&format!("\n# {case}, {placement}\n"))?;
        for line in before.iter().chain([command]).chain(after) {
            edge.print(&format!("{line}\n"))?;
        }
    }
    edge.print("\n")?;
    for Finding { state, key, found, hint } in &findings {
        edge.print(&format!("{:<8} {key}: {found}\n", state.name()))?;
        if let Some(hint) = hint {
            edge.print(&format!("{:<8} hint: {hint}\n", ""))?;
        }
    }
    let conclusion = if lacking == 0 { "nothing is lacking".to_owned() } else { format!("{lacking} lacking") };
    edge.say(&format!("{}: {conclusion}", chosen.profile.name));
    Ok(code)
}

/// What of the profile is there.
fn findings(edge: &Edge, chosen: &Chosen) -> Vec<Finding> {
    let set_up = |host: &HostTable| -> SetUp {
        let changed = profile::set_up(edge, host).map_err(|error| profile::in_words(&error))?;
        let mut env = edge.env().clone();
        env.extend(changed.clone());
        match host.expanded(&env) {
            (host, unset) if unset.is_empty() => Ok((host, changed)),
            (_, unset) => Err(format!("{} names {}, which nobody sets", unset[0].key, unset[0].variable)),
        }
    };
    look(&Looks {
        profile: &chosen.profile,
        unset: &chosen.unset,
        on_path: &|program| edge.on_path(program).is_some(),
        exists: &Path::exists,
        set_up: &set_up,
        in_job: Batch::of_job(edge.env()).is_some(),
    })
}

fn typed(case: &Case, place: &Place) -> Shown {
    let ground = Ground { runtime: &place.runtime, nodes: &place.nodes, instance: "sifbench-NAME", gate: None };
    let (before, command, after) = match compose::compose(case, &case.workload, &ground) {
        Ok(Commands { instance, launch, .. }) => {
            let (before, after) = instance.as_ref().map_or_else(Default::default, InstanceCommands::to_lines);
            (before, launch.to_string(), after)
        }
        Err(reason) => (Vec::new(), format!("# unsupported: {reason}"), Vec::new()),
    };
    Shown { case: case.label(), placement: case.placement, before, command, after }
}

fn probe(edge: &Edge, name: String, json: bool) -> anyhow::Result<ExitCode> {
    let chosen = Chosen::find(edge, &NodeArgs::default())?;
    let batch = profile::with_signs(edge, |signs| Batch::of_job(signs.env).unwrap_or_else(|| (signs.served)()));
    let found = mpi::list(&edge.cache(), &edge.catalogue()?, &edge.tools(), edge.var("PATH").unwrap_or_default());
    let mut mpis: Vec<(crate::id::MpiVersion, String)> = Vec::new();
    for mpi in found.iter().filter(|mpi| mpi.origin != "cache") {
        if mpis.iter().all(|(version, _)| *version != mpi.version) {
            mpis.push((mpi.version.clone(), mpi.prefix.display().to_string()));
        }
    }
    let runtime = ["apptainer", "singularity"].into_iter().find(|program| edge.on_path(program).is_some());
    let cluster = edge.var("SLURM_CLUSTER_NAME").map(|name| ("SLURM_CLUSTER_NAME", name.to_owned()));
    let ground = profiles::Ground {
        host: facts::host(),
        batch,
        suits: chosen.profile.name,
        mpis,
        runtime: runtime.map(str::to_owned),
        modules: ["MODULESHOME", "LMOD_PKG"].iter().any(|name| edge.var(name).is_some()),
        cluster,
    };
    if json {
        let value = serde_json::json!({
            "host": ground.host, "scheduler": ground.batch, "suits": ground.suits, "mpis": ground.mpis,
            "runtime": ground.runtime, "modules": ground.modules,
        });
        edge.print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    edge.print(&profiles::draft(&name, &ground))?;
    Ok(ExitCode::SUCCESS)
}
