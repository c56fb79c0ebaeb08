//! `sifbench explain`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use crate::{
    cli::edge::Edge,
    explain::{self, text},
    report, store,
};

/// `sifbench explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sifbench explain                               the newest run: all that failed or is slow, why, what helps\n  \
    sifbench explain results/laptop hybrid         one case of it, by mode or by mode and versions\n  \
    sifbench explain --json | jq '.cases[].endings[].findings[0].rule'\n\n\
    A cause is proven (the evidence is the fact itself), likely, a guess, or unknown.\n\n\
    Exit codes: 0 every failure has a known cause, 1 some cause is unknown, 2 wrong usage")]
pub(super) struct ExplainArgs {
    /// A run, or a directory of runs (its newest is taken) [env: SIFBENCH_RESULTS] [default: results]
    dir: Option<PathBuf>,
    /// A case of it: its mode, or mode and versions as the report has them
    case: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Explains, and says whether something stays unknown.
pub(super) fn explain(edge: &Edge, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let dir = store::resolve(&edge.results(args.dir.as_deref()))
        .context("there is nothing to explain; hint: `sifbench run quick` makes a run")?;
    let run = store::load(&dir)?;
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    let log = |attempt| store::said(&dir, attempt);
    let explanation = explain::explain(&run, &report, &log, args.case.as_deref())?;
    edge.print(&if args.json { explanation.to_json() } else { text::render(&explanation, edge.style()) })?;
    Ok(if explanation.has_unknown() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
