//! `sifbench explain`.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use crate::{
    case::Mode,
    cli::{
        commands::{self, Fresh},
        edge::Edge,
        nodes::NodeArgs,
        profile::Chosen,
    },
    explain::{self, text, trial},
    report,
    store::{self, Run},
};

/// `sifbench explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sifbench explain                           the newest run: what failed or is slow, what helps\n  \
    sifbench explain results/laptop hybrid     one case of it, by mode or by mode and versions\n  \
    sifbench explain results/laptop hybrid --try-remedies     each of its remedies, beside itself\n  \
    sifbench explain --json | jq '.cases[].endings[].findings[0].rule'\n\n\
    A cause is proven (the evidence is the fact itself), likely, a guess, or unknown.\n\n\
    Exit codes: 0 every cause is known, 1 some cause is unknown, 2 wrong usage or no such run or case;\n\
    with --try-remedies: 0 some remedy led to figures or none was needed, 1 none did, 130 stopped")]
pub(super) struct ExplainArgs {
    /// A run, or a directory of runs (its newest is taken) [env: SIFBENCH_RESULTS] [default: results]
    dir: Option<PathBuf>,
    /// A case of it: its mode, or mode and versions as the report has them
    case: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Repeat each case with and without every remedy that is a setting of it, as a run of its own: this one stays as it is
    #[arg(long, conflicts_with = "json")]
    try_remedies: bool,
    /// Where that run is kept [env: SIFBENCH_RESULTS] [default: results]
    #[arg(long, value_name = "DIR", requires = "try_remedies")]
    results: Option<PathBuf>,
    /// Launch here although this looks like a login node
    #[arg(long, requires = "try_remedies")]
    here: bool,
}

/// Explains, and says whether something stays unknown.
pub(super) fn explain(edge: &Edge, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let dir = store::resolve(&edge.results(args.dir.as_deref())).with_context(|| nothing(args))?;
    let run = store::load(&dir)?;
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    let log = |attempt| store::said(&dir, attempt);
    let explanation = explain::explain(&run, &report, &log, args.case.as_deref())?;
    if args.try_remedies {
        return try_remedies(edge, args, &run, &trial::trials(&explanation, &run.design));
    }
    edge.print(&if args.json { explanation.to_json() } else { text::render(&explanation, edge.style()) })?;
    Ok(if explanation.has_unknown() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// That there is no such run; a case that stands where the run does is told from a directory by its mode.
fn nothing(args: &ExplainArgs) -> String {
    let word = args.dir.as_ref().filter(|_| args.case.is_none()).map(|dir| dir.display().to_string());
    let is_case = |word: &String| word.split(' ').next().is_some_and(|mode| mode.parse::<Mode>().is_ok());
    let hint = word
        .filter(is_case)
        .map(|case| format!("; hint: a case stands after its run: `sifbench explain results '{case}'`"));
    format!("there is nothing to explain{}", hint.unwrap_or_default())
}

/// Makes a run of the trials, and says what came of each beside what it was without.
fn try_remedies(edge: &Edge, args: &ExplainArgs, of: &Run, trials: &[trial::Trial]) -> anyhow::Result<ExitCode> {
    if trials.is_empty() {
        edge.say("no remedy here is a setting that could be tried; `sifbench explain` names what helps");
        return Ok(ExitCode::SUCCESS);
    }
    let nodes = NodeArgs::default();
    let mut place = commands::admitted(edge, &nodes, args.here, Chosen::find(edge, &nodes)?)?;
    let origins = BTreeMap::from([("remedies of".to_owned(), of.dir.display().to_string())]);
    let fresh = Fresh { design: trial::design(trials, &of.design), origins, site: None, results: args.results.clone() };
    let (store, run) = commands::create(edge, &mut place, fresh)?;
    let Some(dir) = commands::carry_out(edge, &mut place, store, run)? else { return Ok(ExitCode::from(130)) };
    let run = store::load(&dir)?;
    edge.print(&trial::text(trials, &run, edge.style()))?;
    let helped = trials.iter().any(|trial| trial::completed(&trial.after, &run));
    Ok(if helped { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
