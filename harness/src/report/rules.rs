//! The twelve rules of Hoefler and Belli ("Scientific Benchmarking of Parallel Computing Systems", SC15), each with what
//! this run does about it: filled from the data, so a run that breaks one says so.

use bench_app::Bytes;

use super::{CaseReport, CellStatus, Report, Role, units, words::percent};
use crate::{decision::Pairs, stats::Method};

/// A rule, and how a run stands to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// What the rule asks for, in few words.
    pub(super) asks: &'static str,
    /// Whether this run does it.
    pub(super) kept: bool,
    /// What it does.
    pub(super) answer: String,
}

/// All twelve, in the paper's order.
pub(super) fn rules(report: &Report) -> [Rule; 12] {
    let rule = |asks, (kept, answer)| Rule { asks, kept, answer };
    [
        rule("Name the base case and give its absolute performance", base(report)),
        rule("Give reasons for a subset", subset(report)),
        rule("Summarise costs by means that suit them, rates from costs", (true, RATES.to_owned())),
        rule("Do not average ratios", (true, RATIOS.to_owned())),
        rule("Say whether values are deterministic; give intervals", intervals(report)),
        rule("Do not assume normal distributions", (true, normality())),
        rule("Compare by sound statistics", compared(report)),
        rule("Look beyond the centre", (true, CENTRE.to_owned())),
        rule("Document every factor and the whole set-up", documented(report)),
        rule("Say how processes are synchronised and times summarised", (true, synchronised(report))),
        rule("Show bounds of what is possible", bounds(report)),
        rule("Plot what one needs; lines only where they mean a trend", (true, PLOTS.to_owned())),
    ]
}

const RATES: &str =
    "Times are kept and their medians compared; a rate is bytes over the median time, and no rates are averaged.";
const RATIOS: &str =
    "A ratio is estimated from logarithms of pairs of launches; no mean over ratios of sizes or modes is formed.";
const CENTRE: &str =
    "Every figure has its p10, p90, p99 and minimum over batches, and every launch is a dot in the pictures.";
const PLOTS: &str = "Launches are dots in the order they were made; lines join sizes of one case and break where a size has no \
                     figure.";

fn once(report: &Report) -> impl Iterator<Item = &CaseReport> {
    report.cases.iter().filter(|case| case.role != Role::Twin)
}

fn base(report: &Report) -> (bool, String) {
    match report.baseline() {
        Some(baseline) if baseline.figures().next().is_some() => {
            let figures = baseline.figures().count();
            let launched = match report.pairs {
                Pairs::Blocks => "launched twice a block",
                Pairs::Duet => "a partner in every duet",
            };
            let label = &baseline.label;
            (true, format!("{label}, {launched}; its {figures} absolute times stand beside every ratio."))
        }
        Some(baseline) => (false, format!("{} has no figures.", baseline.label)),
        None => (false, "The design has no cases.".to_owned()),
    }
}

fn subset(report: &Report) -> (bool, String) {
    let cells = || once(report).flat_map(|case| &case.cells);
    let absent = cells().filter(|cell| matches!(cell.status, CellStatus::Failed { .. })).count();
    let lost: usize = report.cases.iter().map(|case| case.launches.made - case.launches.completed).sum();
    let all = cells().count();
    let words = match (absent, lost) {
        (0, 0) => format!("Nothing is left out: all {all} cells of the design have figures, and all launches count."),
        _ => format!(
            "{absent} of {all} cells have no figure and show their outcome instead; {lost} analysed launches did not complete, \
             are listed and count for no figure."
        ),
    };
    match report.blocks.complete {
        true => (true, words),
        false => (false, format!("The run stopped before its end. {words}")),
    }
}

fn intervals(report: &Report) -> (bool, String) {
    let figures = || report.cases.iter().flat_map(CaseReport::figures);
    let (all, without) = (figures().count(), figures().filter(|(_, figure)| figure.time.interval.is_none()).count());
    let level = percent(report.level);
    match without {
        0 if all > 0 => {
            (true, format!("Not deterministic: all {all} figures have intervals at {level} % over launches."))
        }
        _ => (
            false,
            format!("Not deterministic, and {without} of {all} figures rest on too few launches for an interval."),
        ),
    }
}

fn normality() -> String {
    let (ratio, absolute) = (Method::SignedRank.words(), Method::Bootstrap.words());
    format!(
        "None is: {ratio} for ratios, {absolute} for absolute times; launches in the order of time show what depends on it."
    )
}

fn compared(report: &Report) -> (bool, String) {
    let needed = Method::SignedRank.fewest(crate::stats::ALPHA / report.family.max(1) as f64);
    let (begun, family) = (report.blocks.begun as usize, report.family);
    let words = format!(
        "Exact tests, Holm's adjustment over {family} comparisons, equivalence by two one-sided tests with a margin of {} %, \
         stated before the run.",
        report.margin.percent()
    );
    match begun >= needed || family == 0 {
        true => (true, words),
        false => {
            (false, format!("{words} But {begun} blocks cannot show a difference in this family: that takes {needed}."))
        }
    }
}

fn documented(report: &Report) -> (bool, String) {
    let unknown: Vec<&str> = once(report)
        .filter(|case| {
            case.launches.completed > 0 && (case.seen.libraries.is_empty() || case.seen.placement.is_empty())
        })
        .map(|case| &*case.name)
        .collect();
    let words = format!(
        "Seed {}, {} facts of the machine, {} files with digests, the library as loaded, the placement as obtained and the \
         exact command of every case.",
        report.seed,
        report.facts.len(),
        report.files.len()
    );
    match unknown.is_empty() {
        true => (true, words),
        false => (false, format!("{words} But the facts of {} are not known.", unknown.join(", "))),
    }
}

fn synchronised(report: &Report) -> String {
    if report.is_of_programs() {
        return "A program synchronises itself. Its time is that of the whole launch, from the start of the launcher to its end, \
                with nothing discarded."
            .to_owned();
    }
    let several = once(report).any(|case| case.seen.placement.iter().any(|words| hosts(words) > 1));
    let sync = if several {
        "Collectives begin after a barrier of our own messages, across nodes"
    } else {
        "Collectives begin at an announced time of the node's one clock, repetitions with a late rank do not count"
    };
    format!(
        "{sync}; their time is that of the slowest rank. Warm-up is discarded at every visit by the same rule in every case."
    )
}

fn bounds(report: &Report) -> (bool, String) {
    let known = &report.bounds;
    let canary = known.canary.map(|canary| {
        let [p10, median, p90] = [canary.p10, canary.median, canary.p90].map(units::time);
        let what = match canary.between_nodes {
            true => "A byte goes to the other node and back over TCP",
            false => "A flag goes between the two ranks' cores and back",
        };
        format!("{what} without MPI in {median} (p10 {p10}, p90 {p90}).")
    });
    let listed = |what: &str, times: &[(Bytes, f64)]| {
        let times: Vec<String> = times.iter().map(|(bytes, ns)| format!("{bytes} {}", units::time(*ns))).collect();
        (!times.is_empty()).then(|| format!("{what}: {}.", times.join(", ")))
    };
    let copies = listed("Fastest copies within one rank's memory", &known.copies);
    let streams = listed("Fastest ways to the other node over TCP without MPI", &known.streams);
    match [canary, copies, streams].into_iter().flatten().collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => (false, "No launch has recorded any.".to_owned()),
        words => (true, words),
    }
}

/// Hosts named in a placement: `rank 0 on node 1 CPU 0, rank 1 on node 2 CPU 0`.
fn hosts(placement: &str) -> usize {
    let named =
        placement.split(", ").filter_map(|rank| rank.split(" on ").nth(1)?.split_once(" CPU").map(|(host, _)| host));
    named.filter(|host| !host.is_empty()).collect::<std::collections::BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_counted_only_where_they_are_named() {
        let check = |placement: &str, expected: usize| assert_eq!(hosts(placement), expected, "{placement}");
        check("rank 0 on CPU 0, rank 1 on CPU 1", 0);
        check("rank 0 on node 1 CPU 0, rank 1 on node 2 CPU 0", 2);
        check("rank 0 on node 1 CPU 0, rank 1 on node 1 CPU 1, 2 more ranks elsewhere", 1);
    }
}
