//! Sentences: what came out, for the head of tables and pages.

use bench_app::event::Facts;

use crate::{
    case::{Implementation, Mpi},
    decision::Pairs,
    plan::Ended,
    record::{Outcome, Purpose, ranks_of},
};

use super::{Blocks, Failure, Ratio, Report, Role, Verdict, units};

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
    let blocks = blocks(report);
    let duets = match report.pairs {
        Pairs::Blocks => "",
        Pairs::Duet => ", of duets",
    };
    let (count, libraries, ranks) = (once().count(), versions.join(", "), ranks.join(" or "));
    format!("{count} cases of {libraries} with {ranks} ranks in {blocks}{duets}, begun {}", report.started)
}

/// How many blocks, and why no more.
fn blocks(report: &Report) -> String {
    let Blocks { planned, begun, .. } = report.blocks;
    let target = report.decision.precision.map(percent);
    match (report.blocks.ended.filter(|_| report.blocks.complete), target) {
        (None, _) => format!("{begun} of {planned} blocks"),
        (Some(Ended::Blocks), None) => format!("{planned} blocks"),
        (Some(Ended::Blocks), Some(_)) => format!("{planned} blocks, the most there may be"),
        (Some(Ended::Precision), target) => {
            let target = target.unwrap_or_default();
            format!("{begun} of at most {planned} blocks, enough for ±{target} %")
        }
        (Some(Ended::Budget), _) => {
            let minutes = report.decision.budget_min.unwrap_or_default();
            format!("{begun} of at most {planned} blocks, all that {minutes} min have room for")
        }
    }
}

/// A share in percent, without idle digits.
pub(super) fn percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}

/// `Open MPI 4.1.8`.
pub(super) fn library(mpi: &Mpi) -> String {
    let family = match mpi.implementation {
        Implementation::OpenMpi => "Open MPI",
    };
    format!("{family} {}", mpi.version)
}

/// How to read the matrices.
pub(super) fn matrix(report: &Report) -> String {
    let percent = report.margin.percent();
    format!(
        "Of each host with each image the figure that says most: on the diagonal time over native's of that version, which is \
         what the mode costs; elsewhere over the image's own version under its own host, which is what the mismatch costs. \
         slow, fast: by more than {percent} %; = the same within {percent} % at all sizes; ~ different, by less; ? undecided; n/c not \
         comparable. A word without a figure, or below one, is how it ended; * the image's own version ends just so: the mode's \
         doing, no mismatch."
    )
}

/// What the permanent pair of baselines says about all other figures.
pub(super) fn sanity(report: &Report) -> Option<String> {
    let twin = report.twin()?;
    let ratios: Vec<&Ratio> = twin.figures().filter_map(|(_, figure)| figure.ratio.as_ref()).collect();
    let intervals = || ratios.iter().filter_map(|r| r.interval);
    let excluding = intervals().filter(|interval| !interval.contains(1.0)).count();
    let claimed = ratios.iter().filter(|r| matches!(r.verdict, Verdict::Slower | Verdict::Faster)).count();
    let estimates = || ratios.iter().map(|r| r.estimate);
    let lowest = estimates().min_by(f64::total_cmp)?;
    let highest = estimates().max_by(f64::total_cmp)?;
    let came_out = format!(
        "The baseline against itself came out between {} and {} times as long",
        units::ratio(lowest),
        units::ratio(highest),
    );
    let of = match intervals().count() {
        // Without an interval nothing is excluded and nothing claimed, which says nothing of the machine.
        0 => return Some(format!("{came_out}; its launches are too few for an interval.")),
        all if all == ratios.len() => format!("{all} figures"),
        some => format!("{some} figures that have one"),
    };
    Some(format!(
        "{came_out}; the interval excludes 1 in {excluding} of {of} (by chance alone in about 1 of 20), and in {claimed} a \
         difference of more than {} % is claimed.",
        report.margin.percent(),
    ))
}

/// One word or two for a table's cell, at most nine columns wide.
pub(crate) fn short(outcome: &Outcome) -> String {
    use crate::record::Phase;
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::Singletons { .. } => "singleton".into(),
        Outcome::TimedOut { phase: Phase::Hello, .. } => "no start".into(),
        Outcome::TimedOut { phase: Phase::Silence, .. } => "hang".into(),
        Outcome::TimedOut { phase: Phase::Total, .. } => "over time".into(),
        Outcome::Exited { code, .. } => format!("exit {code}"),
        Outcome::Signaled { signal, .. } => format!("signal {signal}"),
        Outcome::NoTurns { .. } => "no turns".into(),
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
    let mut groups: Vec<(&Failure, Vec<String>)> = Vec::new();
    for failure in &report.failures {
        let attempt = format!("{} {}", failure.attempt, purpose(failure.purpose));
        let alike = |known: &Failure| {
            (&known.label, known.outcome.to_string()) == (&failure.label, failure.outcome.to_string())
        };
        match groups.iter_mut().find(|(known, _)| alike(known)) {
            Some((_, attempts)) => attempts.push(attempt),
            None => groups.push((failure, vec![attempt])),
        }
    }
    let words = |(failure, attempts): (&Failure, Vec<String>)| {
        let cause = failure.cause.as_ref().map_or(String::new(), |cause| format!(" ({cause})"));
        (failure.label.clone(), format!("{}{cause}: {}", failure.outcome, attempts.join(", ")))
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

/// The CPUs of each rank: `rank 0 on CPU 0, rank 1 on CPU 1`; with several nodes `rank 0 on node 1 CPU 0`, nodes numbered in
/// the order of ranks, because a comparison asks for their shape and not for their names.
pub(super) fn placement(facts: &Facts) -> String {
    let mut ranks: Vec<_> = ranks_of(facts).collect();
    ranks.sort_by_key(|rank| rank.rank);
    let mut hosts: Vec<&str> = Vec::new();
    for rank in &ranks {
        if !hosts.contains(&&*rank.host) {
            hosts.push(&rank.host);
        }
    }
    let node = |host: &str| hosts.iter().position(|known| *known == host).map_or(0, |index| index + 1);
    let mut words: Vec<String> = ranks
        .iter()
        .map(|rank| match hosts.len() {
            0 | 1 => format!("rank {} on CPU {}", rank.rank, rank.cpus),
            _ => format!("rank {} on node {} CPU {}", rank.rank, node(&rank.host), rank.cpus),
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
        | Outcome::NoTurns { .. }
        | Outcome::NotStarted { .. }
        | Outcome::WrongData(_)
        | Outcome::Garbled { .. }
        | Outcome::Unsupported { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use bench_app::event::RankFacts;

    use super::*;

    #[test]
    fn nodes_are_numbered_so_that_runs_of_other_nodes_compare() {
        let check = |hosts: [&str; 3], expected: &str| {
            let rank = |(rank, host): (u32, &str)| RankFacts {
                rank,
                host: host.to_owned(),
                cpus: rank.to_string(),
                ..RankFacts::default()
            };
            let mut ranks = (0..).zip(hosts).map(rank);
            let first = ranks.next().unwrap();
            let facts = Facts { ranks: 3, first, differing: ranks.collect(), ..Facts::default() };
            assert_eq!(placement(&facts), expected);
        };
        check(["a", "a", "a"], "rank 0 on CPU 0, rank 1 on CPU 1, rank 2 on CPU 2");
        let spread = "rank 0 on node 1 CPU 0, rank 1 on node 2 CPU 1, rank 2 on node 1 CPU 2";
        check(["dahu7", "dahu3", "dahu7"], spread);
        check(["n1", "n2", "n1"], spread);
    }
}
