//! Where images are run from: where they lie, or brought to each node's own disk first.

use std::path::Path;

use super::{
    edge::{Edge, Refused},
    nodes::{NodeArgs, Place},
    profile::Chosen,
};
use crate::{
    process::Env,
    profile::{self, Unset},
    record::{Design, FileFact, Staging},
    run::staging::{Staged, Wanted, paths},
    site::{Scheduler, nodes::job_variables},
    store::Run,
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

/// Brings what a design runs to the nodes, where that is asked for; what was brought.
pub(super) fn bring<'e>(
    edge: &'e Edge,
    place: &mut Place<'e>,
    design: &Design,
    files: &[FileFact],
) -> anyhow::Result<Option<Staging>> {
    let Some(text) = &place.stage_to else { return Ok(None) };
    let to = profile::expanded(KEY, text, edge.env()).map_err(|Unset { variable, .. }| Refused {
        reason: format!("images are to be staged to {text}, and {variable} is not set here"),
        hint: "name a directory of each node's own disk by --stage",
    })?;
    let refuse = |reason: String, hint| Err(Refused { reason, hint }.into());
    if !Path::new(&to).is_absolute() {
        return refuse(
            format!("images cannot be staged to `{to}`"),
            "an absolute path, which is each node's own: /tmp",
        );
    }
    if !place.nodes.terms.by_launcher.is_empty() {
        let reason = format!("the launcher enters images by itself there (says {})", place.nodes.terms.by);
        return refuse(reason, "images are run from where it knows them: --stage none");
    }
    let used = paths(design);
    let files: Vec<FileFact> = files.iter().filter(|file| used.contains(&file.path)).cloned().collect();
    let sbcast = place.allocation.scheduler == Scheduler::Slurm && edge.on_path("sbcast").is_some();
    let sbcast = sbcast.then(|| Env::from_parent(edge.env(), job_variables(true)).without("SLURM_EXPORT_ENV"));
    let count = files.len();
    let wanted = Wanted { place: Path::new(&to), files, sbcast };
    let env = place.scheduled_env(edge, design);
    let staged = Staged::make(edge.room(), (&place.nodes, env), &wanted, &|text| edge.say(text))?;
    let fact = staged.fact().clone();
    let nodes = fact.nodes.join(", ");
    edge.say(&format!("staged {count} files to {} on {nodes} ({})", fact.directory.display(), fact.by));
    place.staged = Some(staged);
    Ok(Some(fact))
}

/// As a fact of a run that others are compared with.
pub(super) fn told(staged: &Staging) -> String {
    format!("each node's own disk ({})", staged.place.display())
}

/// Removes what was brought, and tells of what could not be removed.
pub(super) fn cleared(edge: &Edge, staged: Staged<'_>) -> anyhow::Result<()> {
    staged.close()?.iter().for_each(|left| edge.say(left));
    Ok(())
}
