//! Where images and Open MPIs are run from: where they lie, or brought to each node's own disk first.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{
    edge::{Edge, Refused},
    nodes::{NodeArgs, Place},
    profile::Chosen,
};
use crate::{
    case::HostMpi,
    mpi,
    process::Env,
    profile::{self, Unset},
    record::{Design, FileFact, Staging},
    run::staging::{Staged, Wanted, imagined, paths},
    site::{Scheduler, nodes::job_variables},
    store::Run,
    tree,
};

/// What profiles call it.
pub(super) const KEY: &str = "container.stage_to";
/// What leaves images where they are, whatever a profile says.
const NONE: &str = "none";

/// Where images are to be staged to, as it is written, and who says so.
pub(super) fn named(edge: &Edge, args: &NodeArgs, chosen: &Chosen) -> Option<(String, String)> {
    let flag = args.stage.as_deref().map(|place| (place, "flag".to_owned()));
    let variable = || edge.var("SIFBENCH_STAGE").map(|place| (place, "environment".to_owned()));
    let of_place = || chosen.profile.container.stage_to.as_deref().map(|place| (place, chosen.origin()));
    let (place, by) = flag.or_else(variable).or_else(of_place)?;
    (place != NONE).then(|| (place.to_owned(), by))
}

/// A run is gone on with as it was begun: from each node's own disk, or from where images lie. The directory may be another.
pub(super) fn as_begun(place: &mut Place<'_>, args: &NodeArgs, run: &Run) -> Result<(), Refused> {
    let begun = run.manifest.staged.last().map(|staged| staged.place.to_string_lossy().into_owned());
    let named = args.stage.as_deref();
    let reason = match (&begun, named) {
        (None, Some(named)) if named != NONE => "the run was begun with images where they lie",
        (Some(_), Some(NONE)) => "the run was begun with images on the nodes' own disks",
        (_, _) => {
            place.stage_to = begun.map(|begun| named.map_or(begun, str::to_owned));
            return Ok(());
        }
    };
    let hint = "go on with it without --stage, or begin another";
    Err(Refused { reason: format!("{reason}, and half of it would be made otherwise"), hint })
}

/// The Open MPIs of hosts in a design that may be launched here, by where they lie: those that can be brought elsewhere, and those
/// that stay, which are the site's or were compiled for their place.
fn hosts<'d>(edge: &Edge, chosen: &Chosen, design: &'d Design) -> anyhow::Result<[BTreeMap<&'d Path, &'d HostMpi>; 2]> {
    let (cache, catalogue) = (edge.cache(), edge.catalogue()?);
    let cases = design.cases.iter().chain(&design.probes).filter(|case| !chosen.refuses(case));
    let hosts = cases.filter_map(|case| case.stack.host()).map(|host| (host.prefix.as_path(), host));
    let (moving, staying) = hosts.partition(|(prefix, host)| mpi::moves(&cache, &catalogue, &host.mpi.version, prefix));
    Ok([moving, staying])
}

/// Refuses a directory to which nothing can be brought, and a place where nothing is to be.
fn suits(place: &Place<'_>, to: &str) -> Result<(), Refused> {
    if !Path::new(to).is_absolute() {
        let reason = format!("images cannot be staged to `{to}`");
        return Err(Refused { reason, hint: "an absolute path, which is each node's own: /tmp" });
    }
    if !place.nodes.terms.by_launcher.is_empty() {
        let reason = format!("the launcher enters images by itself there (says {})", place.nodes.terms.by);
        return Err(Refused { reason, hint: "images are run from where it knows them: --stage none" });
    }
    Ok(())
}

/// A design as it will be launched here: what is to be staged lies in a directory that has no name yet.
pub(super) fn planned(edge: &Edge, place: &Place<'_>, design: &Design) -> anyhow::Result<Design> {
    let Some(to) = &place.stage_to else { return Ok(design.clone()) };
    // What is not set here may well be set in the job.
    profile::expanded(KEY, to, edge.env()).map_or(Ok(()), |to| suits(place, &to))?;
    let [moving, _] = hosts(edge, &place.chosen, design)?;
    let trees: Vec<PathBuf> = moving.into_keys().map(Path::to_owned).collect();
    Ok(imagined(design, Path::new(to), &trees))
}

/// The Open MPIs of hosts that are to be brought, with their digests: of a run that was begun before those that were brought then,
/// as they were.
fn trees(edge: &Edge, chosen: &Chosen, design: &Design, begun: Option<&Staging>) -> anyhow::Result<Vec<FileFact>> {
    let [moving, staying] = hosts(edge, chosen, design)?;
    if begun.is_none() {
        staying.values().for_each(|HostMpi { mpi, prefix, .. }| {
            edge.say(&format!("Open MPI {} stays in {}: it was made for that place", mpi.version, prefix.display()));
        });
    }
    let tree = |(path, host): (&Path, &HostMpi)| {
        let sha256 = match begun {
            Some(begun) => begun.trees.iter().find(|tree| tree.from == path)?.sha256.clone(),
            None => match tree::entries(path).with_context(|| unstaged(path)) {
                Ok(entries) => tree::digest(&entries),
                Err(error) => return Some(Err(error)),
            },
        };
        let name = format!("host {} {}", host.mpi.implementation, host.mpi.version);
        Some(Ok(FileFact { name, path: path.to_owned(), sha256 }))
    };
    moving.into_iter().filter_map(tree).collect()
}

fn unstaged(path: &Path) -> String {
    format!("cannot stage {}; hint: --stage none leaves it where it is", path.display())
}

/// Brings what a design runs to the nodes, where that is asked for; what was brought. A run that was `begun` with some staged
/// gets the same again.
pub(super) fn bring<'e>(
    edge: &'e Edge,
    place: &mut Place<'e>,
    (design, files): (&Design, &[FileFact]),
    begun: Option<&Staging>,
) -> anyhow::Result<Option<Staging>> {
    let Some(text) = &place.stage_to else { return Ok(None) };
    let to = profile::expanded(KEY, text, edge.env()).map_err(|Unset { variable, .. }| Refused {
        reason: format!("images are to be staged to {text}, and {variable} is not set here"),
        hint: "name a directory of each node's own disk by --stage",
    })?;
    suits(place, &to)?;
    let used = paths(design);
    let files: Vec<FileFact> = files.iter().filter(|file| used.contains(&file.path)).cloned().collect();
    let sbcast = place.allocation.scheduler == Scheduler::Slurm && edge.on_path("sbcast").is_some();
    let sbcast = sbcast.then(|| Env::from_parent(edge.env(), job_variables(true)).without("SLURM_EXPORT_ENV"));
    let trees = trees(edge, &place.chosen, design, begun)?;
    let brought = match (files.len(), trees.len()) {
        (files, 0) => format!("{files} files"),
        (files, 1) => format!("{files} files and an Open MPI"),
        (files, trees) => format!("{files} files and {trees} Open MPIs"),
    };
    let wanted = Wanted { place: Path::new(&to), files, trees, sbcast };
    let env = place.scheduled_env(edge, design);
    let staged = Staged::make(edge.room(), (&place.nodes, env), &wanted, &|text| edge.say(text))?;
    let fact = staged.fact().clone();
    let nodes = fact.nodes.join(", ");
    edge.say(&format!("staged {brought} to {} on {nodes} ({})", fact.directory.display(), fact.by));
    place.staged = Some(staged);
    Ok(Some(fact))
}

/// As a fact of a run that others are compared with.
pub(super) fn told(staged: &Staging) -> String {
    let with = if staged.trees.is_empty() { "" } else { ", with the host's Open MPI" };
    format!("each node's own disk ({}){with}", staged.place.display())
}

/// Removes what was brought, and tells of what could not be removed.
pub(super) fn cleared(edge: &Edge, staged: Staged<'_>) -> anyhow::Result<()> {
    staged.close()?.iter().for_each(|left| edge.say(left));
    Ok(())
}
