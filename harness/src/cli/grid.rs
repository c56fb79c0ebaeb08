//! A matrix as it fills: hosts below each other, images beside each other, in the mode that is launched just now.

use crate::{
    case::{Case, Mode},
    id::MpiVersion,
    plan,
    record::{Design, Outcome, Purpose, Record},
    report,
};

const HOST: usize = 9;
const COLUMN: usize = 10;

/// The modes in which a design crosses versions.
pub(super) fn modes(design: &Design) -> Vec<Mode> {
    let crosses = |case: &&Case| case_pair(case).is_some_and(|[host, image]| host != image);
    let mut modes: Vec<Mode> = design.cases.iter().filter(crosses).map(|case| case.stack.mode()).collect();
    modes.dedup();
    modes
}

/// The lines of one of these modes, in which `now` is marked.
pub(super) fn grid(design: &Design, records: &[Record], mode: Mode, now: &Case) -> Vec<String> {
    let of_mode = design.cases.iter().filter(|case| case.stack.mode() == mode);
    let crossed: Vec<(&Case, [&MpiVersion; 2])> = of_mode.filter_map(|case| Some((case, case_pair(case)?))).collect();
    let side = |side: usize| {
        let versions: std::collections::BTreeSet<&MpiVersion> = crossed.iter().map(|(_, pair)| pair[side]).collect();
        versions.into_iter().collect::<Vec<_>>()
    };
    let (hosts, images) = (side(0), side(1));
    let padded = |words: Vec<String>| words.iter().map(|word| format!("{word:<COLUMN$}")).collect::<String>();
    let line = |head: &str, words: Vec<String>| format!("{head:<HOST$}{}", padded(words)).trim_end().to_owned();
    let cell = |pair: [&MpiVersion; 2]| {
        let Some((case, _)) = crossed.iter().find(|(_, known)| *known == pair) else { return "-".to_owned() };
        let mark = if *case == now { ">" } else { "" };
        mark.to_owned() + &word(design, records, case)
    };
    let heads = line(short(mode), images.iter().map(ToString::to_string).collect());
    let row = |host: &&MpiVersion| line(&host.to_string(), images.iter().map(|image| cell([host, image])).collect());
    std::iter::once(heads).chain(hosts.iter().map(row)).collect()
}

/// The end of a mode's name tells it from the others.
fn short(mode: Mode) -> &'static str {
    mode.name().rsplit('-').next().unwrap_or_default()
}

fn case_pair(case: &Case) -> Option<[&MpiVersion; 2]> {
    Some([&case.stack.host()?.mpi.version, &case.stack.image()?.mpi.as_ref()?.version])
}

/// What is known of a case: `.` nothing yet, `again` that it failed once, `ok` that it works, `3/15` how often it was measured, else how it fails.
fn word(design: &Design, records: &[Record], case: &Case) -> String {
    let id = case.id();
    let of_case = || records.iter().filter(|record| record.case == id);
    let completed =
        |purpose: Purpose| of_case().filter(|r| r.purpose == purpose && r.outcome == Outcome::Completed).count();
    let retired = plan::retired(case, records);
    let star = if retired.is_empty() { "" } else { "*" };
    match completed(Purpose::Measure) {
        _ if retired.len() == case.workload.cells.len() => report::short(&retired[0].outcome),
        0 if of_case().next().is_none() => ".".to_owned(),
        // Doubtful until it was launched once more, alone.
        0 if retired.is_empty() && !of_case().any(|record| record.outcome == Outcome::Completed) => "again".to_owned(),
        0 => format!("ok{star}"),
        count => format!("{count}/{}{star}", design.blocks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{BUILT_IN, Campaign, Nowhere, Overrides},
        record::SampleRange,
    };

    fn record(case: &Case, purpose: Purpose, outcome: &Outcome) -> Record {
        let json = serde_json::json!({
            "attempt": 1, "case": case.id(), "purpose": purpose, "block": 0, "slot": 0, "cells": case.workload.cells,
            "command": { "program": "true", "args": [] }, "started": "", "wall_ns": 1, "outcome": outcome,
            "samples": SampleRange::empty(),
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_grid_fills_with_what_is_known() {
        let versions = |text: &str| text.split(' ').map(|word| word.parse().unwrap()).collect::<Vec<_>>();
        let overrides = Overrides {
            modes: vec![Mode::Native, Mode::HybridSharens],
            hosts: versions("4.1.8 5.0.11"),
            images: versions("4.1.8 5.0.11"),
            ..Overrides::default()
        };
        let design = Campaign::with("matrix", BUILT_IN[2].1, &overrides).unwrap().design(&overrides, &Nowhere);
        let [_, _, old, old_new, new_old, new] = &design.cases[..] else { panic!("{}", design.cases.len()) };
        assert_eq!(modes(&design), [Mode::HybridSharens]);
        let singletons = Outcome::Singletons { expected: 2, seen: 1 };
        let records = [
            record(old, Purpose::Measure, &Outcome::Completed),
            record(old_new, Purpose::Discovery, &Outcome::Completed),
            record(new_old, Purpose::Discovery, &singletons),
            record(new_old, Purpose::Recheck, &singletons),
        ];
        let expected = ["sharens  4.1.8     5.0.11", "4.1.8    1/15      ok", "5.0.11   singleton >."];
        assert_eq!(grid(&design, &records, Mode::HybridSharens, new), expected);
        let doubtful = grid(&design, &records[..3], Mode::HybridSharens, new_old);
        assert_eq!(doubtful[2], "5.0.11   >again    .");
    }
}
