//! `sifbench init`: a campaign for this machine, to be edited.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::{
    doctor,
    edge::{Edge, Refused},
};
use crate::{
    app::Headers,
    case::Mode,
    catalogue::Catalogue,
    config::{
        Campaign,
        draft::{Ground, draft},
    },
    doctor::Surroundings,
    id::MpiVersion,
    image, mpi,
};

/// `sifbench init`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench init\n  sifbench init scaling.toml\n  sifbench init - | less")]
pub(super) struct InitArgs {
    /// Where the campaign goes; `-` is standard output
    #[arg(default_value = "campaign.toml")]
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Writes the campaign, and says what comes next.
pub(super) fn init(edge: &Edge, args: &InitArgs) -> anyhow::Result<ExitCode> {
    let text = draft(&ground(doctor::look(edge)?, &edge.catalogue()?));
    if args.file == Path::new("-") {
        edge.print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = args.file.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!args.force);
    match options.open(&args.file) {
        Ok(mut file) => file.write_all(text.as_bytes()).with_context(|| format!("cannot write {shown}"))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let reason = format!("{shown} is there already");
            return Err(Refused { reason, hint: "give another name, or --force to write over it" }.into());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write {shown}; hint: does its directory exist?"));
        }
    }
    edge.print(&format!("{shown}\n"))?;
    edge.say("next:");
    for command in next(edge, &shown, &Campaign::parse(&shown, &text)?)? {
        edge.say(&format!("  {command}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn ground(surroundings: Surroundings, catalogue: &Catalogue) -> Ground {
    let versions = |ready: bool| {
        let mpis = surroundings.mpis.iter().filter(|mpi| mpi.ready == ready);
        mpis.map(|mpi| mpi.version.clone()).collect()
    };
    let (cores, ready, on_path) = (surroundings.cpus.cores, versions(true), versions(false));
    let known = catalogue.for_both().cloned().collect();
    // What can be installed later is no reason; that a runtime will never do something is one.
    let old = surroundings
        .runtime
        .as_ref()
        .filter(|runtime| runtime.version().is_some() && !runtime.can_share())
        .map(|runtime| runtime.said.clone());
    let without = old.map(|said| (Mode::HybridSharens, format!("{said} has no --sharens, Apptainer 1.3 has")));
    Ground { cores, ready, on_path, known, without: without.into_iter().collect() }
}

/// The commands that lead from a campaign to a report, without those whose work is done.
fn next(edge: &Edge, file: &str, campaign: &Campaign) -> anyhow::Result<Vec<String>> {
    let (cache, catalogue) = (edge.cache(), edge.catalogue()?);
    let absent = |what: &str, versions: Vec<MpiVersion>, there: &dyn Fn(&MpiVersion) -> bool| {
        let versions: Vec<_> = versions.iter().filter(|version| !there(version)).map(ToString::to_string).collect();
        (!versions.is_empty()).then(|| format!("sifbench {what} {}", versions.join(" ")))
    };
    let installed = |version: &MpiVersion| mpi::prefix(&cache, &catalogue, version).exists();
    let built = |version: &MpiVersion| image::path(&cache, &catalogue, Some(version), Headers::Shared).exists();
    let install = absent("mpi install", campaign.host_versions(), &installed);
    let build = absent("image build", campaign.image_versions(), &built);
    let steps = ["plan", "run"].map(|word| format!("sifbench {word} {file}"));
    Ok(install.into_iter().chain(build).chain(steps).chain(["sifbench report".to_owned()]).collect())
}
