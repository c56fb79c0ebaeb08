//! `sifbench recommend`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use crate::{
    cli::edge::Edge,
    recommend::{self, Outcome, place::Place, text},
    report, store,
};

/// `sifbench recommend`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sifbench recommend\n  sifbench recommend results/laptop --json | jq -r '.choice.commands[]'\n\n\
    It chooses among what a run measured: `sifbench run quick` measures one version, `sifbench matrix` crosses several.\n\n\
    Exit codes: 0 decided, 1 nothing can be recommended, 2 wrong usage or a run that cannot be read, 3 not decided"
)]
pub(super) struct RecommendArgs {
    /// A run, or a directory of runs (its newest is taken) [env: SIFBENCH_RESULTS] [default: results]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Says what to type here, and how far that is decided.
pub(super) fn recommend(edge: &Edge, args: &RecommendArgs) -> anyhow::Result<ExitCode> {
    let dir = store::resolve(&edge.results(args.dir.as_deref())).context("there is nothing to choose from")?;
    let run = store::load(&dir)?;
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    let recommendation = recommend::recommend(&report, &run.design, &Place::of(&run.manifest));
    let output = if args.json {
        serde_json::to_string_pretty(&recommendation)? + "\n"
    } else {
        text::render(&recommendation, report.margin, edge.style())
    };
    edge.print(&output)?;
    Ok(match recommendation.outcome {
        Outcome::Decided => ExitCode::SUCCESS,
        Outcome::Nothing => ExitCode::FAILURE,
        Outcome::Undecided => ExitCode::from(3),
    })
}
