//! `sifbench image check`: what is in images, and whether they work.

use std::process::ExitCode;

use clap::Args;

use super::{
    edge::{Edge, Refused},
    profile,
};
use crate::{
    app::Compilation,
    case::{HostMpi, Implementation, Mpi},
    id::MpiVersion,
    image::{
        self,
        check::{Checked, Checker, Fault},
    },
    mpi, site,
};

/// `sifbench image check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench image check\n  sifbench image check 4.1.8 5.0.11\n  \
    sifbench image check --json | jq -r '.[] | select(.faults != []) | .name'\n\n\
    Exit codes: 0 every image is as it should be, 1 one is not")]
pub(super) struct CheckArgs {
    /// Versions of Open MPI; without any, every image that this version of the tool uses and that is there
    versions: Vec<MpiVersion>,
    /// Those with the bench-app that is shared by all versions, or with their own
    #[arg(long, value_enum, default_value_t)]
    app: Compilation,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks images.
pub(super) fn check(edge: &Edge, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    if site::facts::cores() < 2 {
        let reason = "two ranks on one core would take turns, and time out".to_owned();
        return Err(Refused { reason, hint: "check on a machine, or in an allocation, with two cores" }.into());
    }
    let (cache, catalogue, tools) = (edge.cache(), edge.catalogue()?, edge.tools());
    let (runtime, env, room) = (profile::runtime(edge)?, edge.launch_env(), edge.room());
    let host = mpi::list(&cache, &catalogue, &tools, "").into_iter().next_back().map(|installed| HostMpi {
        env: mpi::environment(&cache, &catalogue, &installed.version, &installed.prefix),
        mpi: Mpi { implementation: Implementation::OpenMpi, version: installed.version },
        prefix: installed.prefix,
    });
    let wanted: Vec<Option<MpiVersion>> = match args.versions.is_empty() {
        true => image::current(&cache, &catalogue, args.app),
        false => args.versions.iter().cloned().map(Some).collect(),
    };
    catalogue.know(&args.versions)?;
    if wanted.is_empty() {
        anyhow::bail!("there are no images to check; hint: `sifbench image build 4.1.8` makes one");
    }
    let checker = Checker {
        cache: &cache,
        catalogue: &catalogue,
        tools: &tools,
        runtime: &runtime,
        room,
        env: &env,
        host: host.as_ref(),
        app: args.app,
    };
    let mut all = Vec::new();
    for version in &wanted {
        let checked = checker.check(version.as_ref())?;
        if room.stopping() {
            return Ok(ExitCode::from(130));
        }
        if !args.json {
            edge.print(&words(&checked, &build(version.as_ref(), args.app)))?;
        }
        all.push(checked);
    }
    if args.json {
        edge.print(&(serde_json::to_string_pretty(&all)? + "\n"))?;
    }
    let sound = all.iter().all(|checked| checked.faults.is_empty());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What makes an image.
fn build(version: Option<&MpiVersion>, app: Compilation) -> String {
    let own = if app.is_shared() { "" } else { " --app own" };
    let version = version.map_or(String::new(), |version| format!(" {version}"));
    format!("sifbench image build{own}{version}")
}

/// An image in words: a line that says whether it is as it should be, what is in it, and what is wrong.
fn words(checked: &Checked, build: &str) -> String {
    let state = if checked.faults.is_empty() { "ok" } else { "FAULTY" };
    let mut text = format!("{state:<7} {}\n", checked.name);
    let mut fact = |name: &str, value: Option<String>| {
        text += &value.map_or(String::new(), |value| format!("        {name:<15} {value}\n"));
    };
    fact("image", Some(checked.path.display().to_string()));
    // What comes after the version is who built it, and when.
    let library = checked.library.as_ref().and_then(|library| library.split(',').next());
    fact("library", library.map(str::to_owned));
    let protocol = checked.protocol.map_or(String::new(), |protocol| format!(", protocol {protocol}"));
    fact("bench-app", checked.app.as_ref().map(|app| format!("sha256 {}{protocol}", app.short(16))));
    let how = if checked.name == "base" { "two ranks of the host's mpirun" } else { "two ranks of its own mpirun" };
    fact("launch", checked.outcome.as_ref().map(|outcome| format!("{how}: {outcome}")));
    if checked.command.is_none() {
        fact("launch", Some("not made: no Open MPI in the cache to launch it with".to_owned()));
    }
    for fault in &checked.faults {
        fact("fault", Some(fault.to_string()));
        if *fault == Fault::Absent {
            fact("  made by", Some(build.to_owned()));
        }
        if let Fault::Launch { said, .. } = fault {
            said.iter().take(6).for_each(|line| fact("  it said", Some(line.clone())));
            fact("  again with", checked.command.clone());
        }
    }
    text
}
