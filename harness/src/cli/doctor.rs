//! `sifbench doctor`: what is here, what is lacking, what to type.

use std::process::ExitCode;

use clap::Args;

use super::{edge::Edge, parts, profile};
use crate::{
    doctor::{
        Diagnosis, Surroundings,
        gather::{self, Here},
        table,
    },
    image::Bootstrap,
};

/// `sifbench doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench doctor\n  \
    sifbench doctor --json | jq -r '.checks[] | select(.state == \"lacking\") | .mend[].text'\n\n\
    Exit codes: 0 every mode can be measured here, 1 something is lacking")]
pub(super) struct DoctorArgs {
    /// Print JSON, with everything that was found
    #[arg(long)]
    json: bool,
}

/// What there is on this machine.
pub(super) fn look(edge: &Edge) -> anyhow::Result<Surroundings> {
    let (cache, catalogue, tools, runtime) = (edge.cache(), edge.catalogue()?, edge.tools(), profile::runtime(edge)?);
    let debian_mirror = matches!(parts::machine_bootstrap(edge), Bootstrap::Debootstrap { .. });
    let (env, cache, catalogue, tools, runtime) = (edge.env(), &cache, &catalogue, &tools, &runtime);
    Ok(gather::gather(&Here { env, tools, cache, catalogue, runtime, debian_mirror }))
}

/// Examines the machine.
pub(super) fn doctor(edge: &Edge, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let diagnosis = Diagnosis::of(look(edge)?);
    if args.json {
        edge.print(&(serde_json::to_string_pretty(&diagnosis)? + "\n"))?;
    } else {
        edge.print(&table::render(&diagnosis, edge.style()))?;
        edge.say(&format!("\n{}", table::conclusion(&diagnosis)));
    }
    let (lacking, _) = diagnosis.counts();
    Ok(if lacking == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
