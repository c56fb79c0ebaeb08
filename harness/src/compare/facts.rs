//! Facts in which what is compared differs: where to look for the cause.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::{CaseReport, Report};

use super::pairs::{Match, Operand};

/// Facts that are never the same twice.
const RESTLESS: [&str; 1] = ["load"];

/// A fact that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which.
    pub what: String,
    /// On the reference's side; empty where it is not known.
    pub reference: String,
    /// On the other side.
    pub compared: String,
}

/// All facts that differ: of the runs, then of the cases.
pub(super) fn differences(reference: &Operand<'_>, others: &[Operand<'_>], matches: &[Match<'_>]) -> Vec<Difference> {
    let of_runs = others.iter().flat_map(|other| unequal("", &of_run(reference.report), &of_run(other.report)));
    let of_cases = matches.iter().flat_map(|found| {
        let (a, b) = (found.reference.case, found.compared.case);
        unequal(&format!("{}: ", b.name), &of_case(a), &of_case(b))
    });
    let mut all: Vec<Difference> = Vec::new();
    for difference in of_runs.chain(of_cases) {
        if !all.contains(&difference) {
            all.push(difference);
        }
    }
    all
}

type Facts = BTreeMap<String, String>;

fn unequal(prefix: &str, reference: &Facts, compared: &Facts) -> Vec<Difference> {
    let names: std::collections::BTreeSet<&String> = reference.keys().chain(compared.keys()).collect();
    let value = |facts: &Facts, name: &String| facts.get(name).cloned().unwrap_or_default();
    let difference = |name: &String| Difference {
        what: format!("{prefix}{name}"),
        reference: value(reference, name),
        compared: value(compared, name),
    };
    names.into_iter().map(difference).filter(|difference| difference.reference != difference.compared).collect()
}

fn of_run(report: &Report) -> Facts {
    let known = report.facts.iter().filter(|(name, _)| !RESTLESS.contains(&name.as_str()));
    let facts = known.map(|(name, value)| (name.clone(), value.clone()));
    let files = report.files.iter().map(|file| (format!("file {}", file.name), file.sha256.short(12).to_owned()));
    let run = [
        ("site", report.site.to_string()),
        ("campaign", report.campaign.clone()),
        ("sifbench", report.tool.clone()),
        ("margin", format!("{} %", report.margin.percent())),
    ];
    facts.chain(files).chain(run.map(|(name, value)| (name.to_owned(), value))).collect()
}

fn of_case(case: &CaseReport) -> Facts {
    let protocols: Vec<String> = case.seen.protocols.iter().map(ToString::to_string).collect();
    let facts = [
        ("ranks", case.ranks.to_string()),
        ("library", joined(&case.seen.libraries)),
        ("protocol", joined(&protocols)),
        ("placement", joined(&case.seen.placement)),
        ("isolation", joined(&case.seen.isolation)),
        ("transport", joined(&case.seen.transport)),
        ("buffers", format!("{:?}", case.buffers).to_lowercase()),
    ];
    let variables = case.seen.variables.iter().map(|(name, values)| (name.clone(), joined(values)));
    facts.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(variables).collect()
}

/// Values seen, in an order that does not depend on which launch came first.
fn joined(values: &[String]) -> String {
    let mut values = values.to_vec();
    values.sort();
    values.join(" or ")
}
