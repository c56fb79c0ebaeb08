//! `sifbench compare`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use crate::{
    cli::{aa, edge::Edge},
    compare::{self, Operand, Outcome, text},
    report::{self, Report},
    stats::Margin,
    store,
};

/// `sifbench compare`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sifbench compare results/before results/after           every case that both have\n  \
    sifbench compare results/laptop:hybrid results/dahu:hybrid-sharens\n  \
    sifbench compare --in results/laptop native hybrid      two cases of one run, pair by pair\n  \
    sifbench compare results/before results/after --csv > after.csv\n\n\
    A run is its directory, or a directory of runs (its newest is taken); a case is its mode, or mode and versions\n\
    as the report has them (\"hybrid 5.0.11\"). The first is the reference of all others.\n\n\
    Exit codes: 0 equivalent or better, 1 worse, 2 wrong usage or a run that cannot be read, 3 not decided or not comparable")]
pub struct CompareArgs {
    /// RUN, RUN:CASE, or with --in CASE; the first is the reference
    #[arg(required = true, num_args = 2.., value_name = "WHAT", value_parser = super::text())]
    what: Vec<String>,
    /// Compare cases of this run
    #[arg(long = "in", value_name = "RUN")]
    within: Option<PathBuf>,
    /// The relative difference that matters, agreed on beforehand [default: that of the reference's campaign]
    #[arg(long, value_parser = aa::margin, allow_negative_numbers = true)]
    margin: Option<f64>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV, one row a kernel and size
    #[arg(long)]
    csv: bool,
}

/// What is compared, as asked for: a run and a case of it.
struct Asked {
    run: PathBuf,
    case: Option<String>,
}

impl Asked {
    /// `RUN:CASE`, unless all of it is a path.
    fn parse(text: &str, exists: impl Fn(&Path) -> bool) -> Self {
        match text.rsplit_once(':') {
            Some((run, case)) if !exists(Path::new(text)) => Self { run: run.into(), case: Some(case.to_owned()) },
            _ => Self { run: text.into(), case: None },
        }
    }
}

/// Compares and says whether anything is worse.
pub(crate) fn compare(edge: &Edge, args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let asked = args.what.iter().map(|what| match &args.within {
        Some(run) => Asked { run: run.clone(), case: Some(what.clone()) },
        None => Asked::parse(what, Path::exists),
    });
    let asked: Vec<Asked> = asked.collect();
    if let Some(mind) = itself(&asked) {
        edge.say(&format!("mind: {mind}"));
    }
    let loaded: Vec<(String, Report, Option<String>)> = asked.into_iter().map(load).collect::<anyhow::Result<_>>()?;
    let operands: Vec<Operand<'_>> = loaded
        .iter()
        .map(|(name, report, case)| Operand { name: name.as_str(), report, case: case.as_deref() })
        .collect();
    let margin = args.margin.map(Margin::try_from).transpose().map_err(anyhow::Error::msg)?;
    let (reference, others) = operands.split_first().context("nothing to compare")?;
    let comparison = compare::compare(reference, others, margin)?;
    let output = match (args.json, args.csv) {
        (true, _) => comparison.to_json(),
        (false, true) => comparison.to_csv(),
        (false, false) => text::render(&comparison, edge.style()),
    };
    edge.print(&output)?;
    Ok(match comparison.outcome {
        Outcome::NotWorse => ExitCode::SUCCESS,
        Outcome::Worse => ExitCode::FAILURE,
        Outcome::Undecided => ExitCode::from(3),
    })
}

/// A run, or a case of one, that is compared with itself: a directory and a run in it may well be the same.
fn itself(asked: &[Asked]) -> Option<String> {
    let named = |asked: &Asked| Some((fs::canonicalize(store::resolve(&asked.run).ok()?).ok()?, asked.case.clone()));
    let all: Vec<_> = asked.iter().filter_map(named).collect();
    let (run, case) = all.iter().enumerate().find(|(at, one)| all[..*at].contains(one))?.1;
    let case = case.as_ref().map_or(String::new(), |case| format!(", {case}"));
    Some(format!("{}{case} is compared with itself; `sifbench aa` is for what no difference looks like", run.display()))
}

fn load(asked: Asked) -> anyhow::Result<(String, Report, Option<String>)> {
    let dir = store::resolve(&asked.run)?;
    let run = store::load(&dir)?;
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    Ok((dir.display().to_string(), report, asked.case))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_follows_the_last_colon_unless_the_whole_is_a_path() {
        let check = |text: &str, run: &str, case: Option<&str>| {
            let asked = Asked::parse(text, |path| path == Path::new("odd:name"));
            assert_eq!((asked.run.as_path(), asked.case.as_deref()), (Path::new(run), case), "{text}");
        };
        check("results/laptop", "results/laptop", None);
        check("results/laptop:hybrid 5.0.11 > 4.1.8", "results/laptop", Some("hybrid 5.0.11 > 4.1.8"));
        check("odd:name", "odd:name", None);
        check("odd:name:bind", "odd:name", Some("bind"));
    }
}
