//! Sentences: what came out, for the head of tables and pages.

use bench_app::{Kernel, event::Facts, kernel::Reading};

use crate::{
    case::{Implementation, Mpi},
    record::{Outcome, Purpose},
};

use super::{CaseReport, CellReport, CellStatus, Figure, Ratio, Report, Role, Verdict, units};

/// What was measured, in one sentence.
pub(super) fn measured(report: &Report) -> String {
    let once = || report.cases.iter().filter(|case| case.role != Role::Twin);
    let mut versions: Vec<String> = Vec::new();
    for mpi in once().flat_map(|case| [&case.host, &case.image]).flatten() {
        let known = versions.iter().any(|words| *words == library(mpi));
        versions.extend((!known).then(|| library(mpi)));
    }
    let mut ranks: Vec<String> = once().map(|case| case.ranks.to_string()).collect();
    ranks.dedup();
    let blocks = report.blocks;
    let blocks = match blocks.complete {
        true => format!("{} blocks", blocks.planned),
        false => format!("{} of {} blocks", blocks.begun, blocks.planned),
    };
    let (count, libraries, ranks) = (once().count(), versions.join(", "), ranks.join(" or "));
    format!("{count} cases of {libraries} with {ranks} ranks in {blocks}, begun {}", report.started)
}

/// `Open MPI 4.1.8`.
pub(super) fn library(mpi: &Mpi) -> String {
    let family = match mpi.implementation {
        Implementation::OpenMpi => "Open MPI",
    };
    format!("{family} {}", mpi.version)
}

/// What came out for a case, in one sentence.
pub(super) fn answer(case: &CaseReport) -> String {
    let figures: Vec<_> = case.figures().collect();
    let mut parts = match case.role {
        Role::Baseline => absolute(&figures),
        Role::Twin | Role::Compared => relative(&figures),
    };
    parts.extend(outcomes(&case.cells));
    if parts.is_empty() { "not measured".into() } else { parts.join("; ") }
}

/// What came out for a probe, in one sentence.
pub(super) fn probe_answer(cells: &[CellReport], tried: bool) -> String {
    let failed = outcomes(cells);
    match (tried, failed.is_empty()) {
        (false, _) => "not tried yet".into(),
        (true, true) => "works: every kernel and size ran through".into(),
        (true, false) => failed.join("; "),
    }
}

/// The range of the baseline's figures, a part a kernel.
fn absolute(figures: &[(&CellReport, &Figure)]) -> Vec<String> {
    let of = |kernel: Kernel| figures.iter().filter(move |(cell, _)| cell.kernel == kernel);
    let range = |kernel: Kernel| {
        let (first, last) = (of(kernel).next()?, of(kernel).next_back()?);
        let at =
            |(cell, figure): &(&CellReport, &Figure)| format!("{} at {}", units::time(figure.time.median), cell.bytes);
        Some(format!("{kernel} {} to {}", at(first), at(last)))
    };
    let best = |kernel: Kernel| {
        let rate = |figure: &Figure| figure.rate.as_ref().map_or(0.0, |rate| rate.median);
        let (cell, figure) = of(kernel).max_by(|a, b| rate(a.1).total_cmp(&rate(b.1)))?;
        Some(format!("{kernel} up to {} at {}", units::rate(rate(figure)), cell.bytes))
    };
    let part = |kernel: Kernel| match kernel.row().reading {
        Reading::Time => range(kernel),
        Reading::Rate => best(kernel),
    };
    Kernel::ALL.into_iter().filter_map(part).collect()
}

/// How many figures differ from the baseline's, and the one that differs most.
fn relative(figures: &[(&CellReport, &Figure)]) -> Vec<String> {
    let compared: Vec<(&CellReport, &Ratio)> =
        figures.iter().filter_map(|(cell, figure)| Some((*cell, figure.ratio.as_ref()?))).collect();
    let with = |verdict: Verdict| -> Vec<(&CellReport, &Ratio)> {
        compared.iter().filter(|(_, ratio)| ratio.verdict == verdict).copied().collect()
    };
    let total = compared.len();
    let mut parts = Vec::new();
    for verdict in [Verdict::Slower, Verdict::Faster] {
        let those = with(verdict);
        let distance = |ratio: &Ratio| ratio.estimate.ln().abs();
        if let Some(most) = those.iter().max_by(|a, b| distance(a.1).total_cmp(&distance(b.1))) {
            let (count, word) = (those.len(), verdict.words());
            parts.push(format!("{word} in {count} of {total} figures, most at {}", place_and_ratio(*most)));
        }
    }
    let same = with(Verdict::NoDifferenceShown);
    if !same.is_empty() {
        let others = if parts.is_empty() { "of" } else { "of the" };
        parts.push(format!("no difference shown in {} {others} {total}", same.len()));
    }
    let undecided = with(Verdict::Undecided);
    if let Some(launches) = undecided.iter().map(|(_, ratio)| ratio.k).max() {
        parts.push(format!("undecided in {} of {total} ({launches} launches are too few)", undecided.len()));
    }
    let lonely = figures.len() - total;
    if lonely > 0 {
        parts.push(format!("no baseline to compare with in {lonely}"));
    }
    parts
}

fn place_and_ratio((cell, ratio): (&CellReport, &Ratio)) -> String {
    let ends = ratio.interval.as_ref();
    let ends = ends.map(|i| format!(" ({} to {})", units::ratio(i.lo), units::ratio(i.hi))).unwrap_or_default();
    format!("{} {}: {} times as long{ends}", cell.kernel, cell.bytes, units::ratio(ratio.estimate))
}

/// Outcomes other than figures, each once; sizes that were not tried because of one are counted with it.
fn outcomes(cells: &[CellReport]) -> Vec<String> {
    let mut parts: Vec<(String, usize)> = Vec::new();
    for cell in cells {
        let CellStatus::Failed { outcome, .. } = &cell.status else { continue };
        let (words, untried) = match outcome {
            Outcome::Skipped { reason } => (reason.clone(), 1),
            other => (other.to_string(), 0),
        };
        match parts.iter_mut().find(|(known, _)| *known == words) {
            Some((_, count)) => *count += untried,
            None => parts.push((words, untried)),
        }
    }
    let words = |(words, untried): (String, usize)| match untried {
        0 => words,
        1 => format!("{words} (1 size not tried)"),
        n => format!("{words} ({n} sizes not tried)"),
    };
    parts.into_iter().map(words).collect()
}

/// What the permanent pair of baselines says about all other figures.
pub(super) fn sanity(report: &Report) -> Option<String> {
    let twin = report.twin()?;
    let ratios: Vec<&Ratio> = twin.figures().filter_map(|(_, figure)| figure.ratio.as_ref()).collect();
    let differ = ratios.iter().filter(|r| matches!(r.verdict, Verdict::Slower | Verdict::Faster)).count();
    let estimates = || ratios.iter().map(|r| r.estimate);
    let lowest = estimates().min_by(f64::total_cmp)?;
    let highest = estimates().max_by(f64::total_cmp)?;
    Some(format!(
        "The baseline against itself came out between {} and {} times as long; {differ} of {} figures differ, and about 1 \
         in 20 does by chance alone. Take no other difference of that size for real.",
        units::ratio(lowest),
        units::ratio(highest),
        ratios.len(),
    ))
}

/// One word or two for a table's cell, at most nine columns wide.
pub(super) fn short(outcome: &Outcome) -> String {
    use crate::record::Phase;
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::Singletons { .. } => "singleton".into(),
        Outcome::TimedOut { phase: Phase::Hello, .. } => "no start".into(),
        Outcome::TimedOut { phase: Phase::Silence, .. } => "hang".into(),
        Outcome::TimedOut { phase: Phase::Total, .. } => "over time".into(),
        Outcome::Exited { code, .. } => format!("exit {code}"),
        Outcome::Signaled { signal, .. } => format!("signal {signal}"),
        Outcome::NotStarted { .. } => "no launch".into(),
        Outcome::WrongData(_) => "bad data".into(),
        Outcome::Garbled { .. } => "garbled".into(),
        Outcome::Unsupported { .. } => "cannot".into(),
        Outcome::Skipped { .. } => "not tried".into(),
        Outcome::Interrupted => "stopped".into(),
    }
}

/// Attempts that did not complete, those of one case that ended alike together: its label, and how and why.
pub(super) fn failures(report: &Report) -> Vec<(String, String)> {
    let mut groups: Vec<(&str, String, Vec<String>)> = Vec::new();
    for failure in &report.failures {
        let outcome = failure.outcome.to_string();
        let attempt = format!("{} {}", failure.attempt, purpose(failure.purpose));
        match groups.iter_mut().find(|(label, known, _)| (*label, &**known) == (&*failure.label, &*outcome)) {
            Some((_, _, attempts)) => attempts.push(attempt),
            None => groups.push((&failure.label, outcome, vec![attempt])),
        }
    }
    let words = |(label, outcome, attempts): (&str, String, Vec<String>)| {
        (label.to_owned(), format!("{outcome}: {}", attempts.join(", ")))
    };
    groups.into_iter().map(words).collect()
}

/// Why an attempt was made.
pub(super) const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Discovery => "discovery",
        Purpose::Recheck => "recheck alone",
        Purpose::Measure => "analysed",
        Purpose::MeasureTwin => "baseline again",
        Purpose::Probe => "probe",
    }
}

/// The CPUs of each rank: `rank 0 on CPU 0, rank 1 on CPU 1`.
pub(super) fn placement(facts: &Facts) -> String {
    let several_hosts = facts.differing.iter().any(|rank| rank.host != facts.first.host);
    let mut ranks: Vec<_> = std::iter::once(&facts.first).chain(&facts.differing).collect();
    ranks.sort_by_key(|rank| rank.rank);
    let mut words: Vec<String> = ranks
        .iter()
        .map(|rank| match several_hosts {
            true => format!("rank {} on {} CPU {}", rank.rank, rank.host, rank.cpus),
            false => format!("rank {} on CPU {}", rank.rank, rank.cpus),
        })
        .collect();
    if facts.omitted > 0 {
        words.push(format!("{} more ranks elsewhere", facts.omitted));
    }
    if facts.ranks as usize > ranks.len() + facts.omitted as usize {
        words.push(format!("all others as rank {}", facts.first.rank));
    }
    words.join(", ")
}

/// Which namespaces the ranks of rank 0's host share with it: what decides how they can copy memory.
pub(super) fn isolation(facts: &Facts) -> String {
    let neighbours: Vec<_> = facts.differing.iter().filter(|rank| rank.host == facts.first.host).collect();
    let shared = |same: bool| if same { "shared" } else { "one a rank" };
    let user = neighbours.iter().all(|rank| rank.user_ns == facts.first.user_ns);
    let shm = neighbours.iter().all(|rank| rank.shm_dev == facts.first.shm_dev);
    format!("user namespace {}, /dev/shm {}", shared(user), shared(shm))
}

/// Whether an outcome says something about the case. What was not tried, or stopped by the user, did not fail.
pub(super) const fn was_tried(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Skipped { .. } | Outcome::Interrupted => false,
        Outcome::Completed
        | Outcome::Singletons { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Exited { .. }
        | Outcome::Signaled { .. }
        | Outcome::NotStarted { .. }
        | Outcome::WrongData(_)
        | Outcome::Garbled { .. }
        | Outcome::Unsupported { .. } => true,
    }
}
