//! `sifbench export`: a copy of a run that can be shared, without names of hosts and people.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::edge::{Edge, Refused};
use crate::{
    id::SiteId,
    profile::Profile,
    record::Manifest,
    redact::{Kind, Person, Redaction},
    store::{self, Run, Store},
};

/// `sifbench export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench export results/gricad --to shared\n  \
    sifbench export results/gricad --to shared --hide my-project && sifbench report shared\n\n\
    The copy is a run like any other: `report`, `compare` and the others take it. What was recorded is not touched.")]
pub(super) struct ExportArgs {
    /// A run, or a directory of runs (its newest is taken) [env: SIFBENCH_RESULTS] [default: results]
    dir: Option<PathBuf>,
    /// Where the copy goes: TO/<site>/<run>
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// What is hidden [default: the profile's privacy.redact, else all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,..")]
    redact: Vec<Kind>,
    /// A word that must not be read either: an account, a project, a directory
    #[arg(long, value_name = "WORD", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    hide: Vec<String>,
}

/// Copies a run without names.
pub(super) fn export(edge: &Edge, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let dir = store::resolve(&edge.results(args.dir.as_deref())).context("there is nothing to export")?;
    let run = store::load(&dir)?;
    among_its_like(&dir, &run.manifest.site, &args.to)?;
    let wanted = of_profile(&run.manifest);
    let kinds = match (args.redact.is_empty(), wanted.is_empty()) {
        (false, _) => args.redact.clone(),
        (true, false) => wanted,
        (true, true) => Kind::ALL.to_vec(),
    };
    let redaction = Redaction::of(&run, &kinds, &person(edge), &args.hide);
    let shared = redaction.run(&run).context("the run cannot be copied")?;
    let to = write(&args.to, &shared, &redaction)?;
    edge.print(&format!("{}\n", to.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses to put the copy among the runs it is of: it began when its original did, and either may then be the newest there.
///
/// Runs are kept in `<site>/<run>`; one that lies elsewhere has nothing around it that is theirs.
fn among_its_like(run: &Path, site: &SiteId, to: &Path) -> Result<(), Refused> {
    let root = fs::canonicalize(run).ok().and_then(|run| {
        let above = run.parent()?;
        let is_kept = above.file_name().is_some_and(|name| name == site.to_string().as_str());
        Some(if is_kept { above.parent()?.to_owned() } else { run })
    });
    match root.zip(real(to)) {
        Some((root, there)) if there.starts_with(&root) => Err(Refused {
            reason: format!(
                "{} is where the run itself is kept, and the copy would pass for another of them",
                to.display()
            ),
            hint: "a directory beside it, such as --to shared",
        }),
        Some(_) | None => Ok(()),
    }
}

/// Where a path leads, whose end need not be there yet.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let known = path.ancestors().find(|known| known.exists())?;
    Some(fs::canonicalize(known).ok()?.join(path.strip_prefix(known).ok()?))
}

/// Writes it as a run of its own, with what its launches wrote.
fn write(root: &Path, shared: &Run, redaction: &Redaction) -> anyhow::Result<PathBuf> {
    let mut store = Store::create(root, &shared.manifest, &shared.design)?;
    let mut rest = shared.samples.as_slice();
    for record in &shared.records {
        let own = rest.iter().take_while(|sample| sample.attempt == record.attempt).count();
        let (samples, others) = rest.split_at(own);
        store.append(record, samples)?;
        rest = others;
        for stream in ["out", "err"] {
            let log = |path: PathBuf| path.with_extension(stream);
            let name = record.attempt.to_string();
            let Ok(bytes) = fs::read(log(shared.dir.join("logs").join(name))) else { continue };
            let path = log(store.log_path(record.attempt));
            fs::write(&path, redaction.text(&String::from_utf8_lossy(&bytes)))
                .with_context(|| format!("cannot write {}; hint: is the file system full?", path.display()))?;
        }
    }
    let dir = store.dir().to_owned();
    if shared.closed {
        store.close()?;
    }
    Ok(dir)
}

/// What the profile of a run wants hidden where it is shared.
pub(super) fn of_profile(manifest: &Manifest) -> Vec<Kind> {
    let profile = manifest.profile.as_ref();
    let profile = profile.and_then(|fact| Profile::parse("manifest.json", &fact.name, &fact.text).ok());
    profile.map(|profile| profile.privacy.redact).unwrap_or_default()
}

/// Who shares it.
pub(super) fn person(edge: &Edge) -> Person {
    let of = |names: &[&str]| names.iter().filter_map(|name| edge.var(name)).map(str::to_owned).collect();
    Person { names: of(&["USER", "LOGNAME", "SUDO_USER"]), homes: of(&["HOME"]) }
}
