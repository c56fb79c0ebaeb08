//! `sifbench report`: tables here, and a page.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context as _;

use super::{ReportArgs, edge::Edge, export};
use crate::{
    explain,
    recommend::{self, place::Place},
    redact::{Kind, Redaction},
    report::{self, html::Beside},
    store,
};

/// What helps where the page cannot be written.
const ELSEWHERE: &str = "--output FILE puts the page elsewhere; --json writes none";

/// Reports a run.
pub(super) fn report(edge: &Edge, args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let dir = store::resolve(&edge.results(args.dir.as_deref())).context("there is nothing to report")?;
    let run = store::load(&dir)?;
    let mut kinds = export::of_profile(&run.manifest);
    if args.redact {
        kinds = Kind::ALL.to_vec();
    }
    let redaction = Redaction::of(&run, &kinds, &export::person(edge), &[]);
    // A page is what is shared: names that the place wants hidden are not in it.
    let run = if kinds.is_empty() { run } else { redaction.run(&run).context("the run cannot be redacted")? };
    let report = report::model(&run.manifest, &run.design, &run.records, &run.samples);
    if args.json {
        edge.print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let named = || {
        let name = dir.file_name().unwrap_or_default();
        Path::new("reports").join(run.manifest.site.to_string()).join(name).join("report.html")
    };
    let output = args.output.clone().unwrap_or_else(named);
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent
        .map_or(Ok(()), fs::create_dir_all)
        .with_context(|| format!("cannot create the directory of {}; hint: {ELSEWHERE}", output.display()))?;
    let recommendation = recommend::recommend(&report, &run.design, &Place::of(&run.manifest));
    let log = |attempt| store::said(&dir, attempt).iter().map(|line| redaction.text(line)).collect();
    let explanation = explain::explain(&run, &report, &log, None)?;
    let beside = Beside { recommendation: Some(&recommendation), explanation: Some(&explanation) };
    fs::write(&output, report::html::render(&report, beside))
        .with_context(|| format!("cannot write {}; hint: {ELSEWHERE}", output.display()))?;
    // Behind the page: what keeps that from being written is then the last thing said.
    edge.print(&report::table::render(&report, edge.style()))?;
    edge.say(&format!("report: {}", output.display()));
    Ok(ExitCode::SUCCESS)
}
