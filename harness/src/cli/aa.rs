//! `sifbench aa`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    aa::{self, Setup, Verdict},
    cli::edge::Edge,
    stats::Margin,
    store,
};

/// `sifbench aa`.
#[derive(Debug, Args)]
#[command(
    group(clap::ArgGroup::new("launches").required(true)),
    after_help = "Examples:\n  sifbench aa --synthetic\n  sifbench aa --synthetic --blocks 15\n  \
        sifbench run aa && sifbench aa --real results/laptop    twelve minutes of duets\n  \
        sifbench aa --real results/laptop/* --blocks 12\n\n\
        Exit codes: 0 passed, 1 failed, 2 wrong usage or a run that cannot be read, 3 too few trials to say (runs only)"
)]
pub struct AaArgs {
    /// Launches of a made-up machine that changes its state within seconds
    #[arg(long, group = "launches")]
    synthetic: bool,
    /// Launches of runs: the baseline and its twin, which every block has
    #[arg(long, group = "launches", value_name = "RUN", num_args = 1..)]
    real: Vec<PathBuf>,
    /// Blocks of a trial [default: 60; of runs 20, or all that one has]; those of a run in which nothing is slowed down are
    /// as short as its family allows
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=1000), allow_negative_numbers = true)]
    blocks: Option<u32>,
    /// Trials without any difference; a quarter as many more have slowdowns
    #[arg(long, default_value_t = 2000, conflicts_with = "real", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(1..))]
    trials: u64,
    /// Stop a trial at the look at which every interval reaches at most this share to either side, as campaigns do
    #[arg(long, value_name = "SHARE", value_parser = margin, conflicts_with = "real", allow_negative_numbers = true)]
    precision: Option<f64>,
    /// Let a case rest that has reached the precision before the others
    #[arg(long, requires = "precision", conflicts_with = "real")]
    rest: bool,
    /// Seed of the made-up machine
    #[arg(long, default_value_t = 1, conflicts_with = "real")]
    seed: u64,
    /// The relative difference that matters; of a run its own
    #[arg(long, default_value_t = 0.05, value_parser = margin, conflicts_with = "real", allow_negative_numbers = true)]
    margin: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A margin as a flag.
pub(crate) fn margin(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number; hint: such as 0.05 for 5 %"))?;
    Margin::try_from(number).map(f64::from)
}

/// Tries the method and says whether it passes.
pub(crate) fn aa(edge: &Edge, args: &AaArgs) -> anyhow::Result<ExitCode> {
    let assessment = if args.synthetic {
        let margin = Margin::try_from(args.margin).map_err(anyhow::Error::msg)?;
        let (trials, seed) = (args.trials, args.seed);
        let (blocks, precision, rest) = (args.blocks.unwrap_or(60), args.precision, args.rest);
        aa::synthetic(&Setup { trials, blocks, precision, rest, seed, margin })
    } else {
        let load = |path: &PathBuf| -> anyhow::Result<store::Run> { Ok(store::load(&store::resolve(path)?)?) };
        let runs = args.real.iter().map(load).collect::<anyhow::Result<Vec<_>>>()?;
        let none = "no run has so many blocks with the baseline's twin; hint: fewer --blocks, or a longer run";
        aa::real(&runs, args.blocks).ok_or_else(|| anyhow::anyhow!(none))?
    };
    let json = || serde_json::to_string_pretty(&assessment).map(|json| json + "\n");
    edge.print(&if args.json { json()? } else { aa::render(&assessment) })?;
    Ok(match assessment.verdict {
        Verdict::Passed => ExitCode::SUCCESS,
        Verdict::TooFew if !args.synthetic => ExitCode::from(3),
        Verdict::TooFew | Verdict::Failed => ExitCode::FAILURE,
    })
}
