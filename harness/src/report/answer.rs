//! The answer of a case in one sentence: where it is slower, where faster, where the same, and what is open.

use bench_app::{Bytes, Kernel, kernel::Reading};

use crate::{
    against::Against,
    record::Outcome,
    stats::{Margin, Side},
};

use super::{CaseReport, CellReport, CellStatus, Figure, Ratio, Report, Role, Verdict, units};

/// What came out for a case.
pub(super) fn case(case: &CaseReport, report: &Report) -> String {
    let mut parts = match case.role {
        Role::Baseline => absolute(case),
        Role::Twin | Role::Compared => relative(case, report),
    };
    parts.extend(outcomes(&case.cells));
    if parts.is_empty() { "not measured".into() } else { parts.join("; ") }
}

/// What came out for a probe.
pub(super) fn probe(cells: &[CellReport], tried: bool) -> String {
    let failed = outcomes(cells);
    match (tried, failed.is_empty()) {
        (false, _) => "not tried yet".into(),
        (true, true) if cells.iter().any(|cell| cell.kernel == Kernel::Program) => {
            "works: the program ran through".into()
        }
        (true, true) => "works: every kernel and size ran through".into(),
        (true, false) => failed.join("; "),
    }
}

/// The range of the baseline's figures, a part a kernel.
fn absolute(case: &CaseReport) -> Vec<String> {
    let of = |kernel: Kernel| case.figures().filter(move |(cell, _)| cell.kernel == kernel);
    let range = |kernel: Kernel| {
        let at =
            |(cell, figure): (&CellReport, &Figure)| format!("{} at {}", units::time(figure.time.median), cell.bytes);
        let (first, last) = (of(kernel).next()?, of(kernel).last()?);
        let single = first.0.bytes == last.0.bytes;
        Some(if single { format!("{kernel} {}", at(first)) } else { format!("{kernel} {} to {}", at(first), at(last)) })
    };
    let best = |kernel: Kernel| {
        let rate = |figure: &Figure| figure.rate.as_ref().map_or(0.0, |rate| rate.median);
        let (cell, figure) = of(kernel).max_by(|a, b| rate(a.1).total_cmp(&rate(b.1)))?;
        Some(format!("{kernel} up to {} at {}", units::rate(rate(figure)), cell.bytes))
    };
    let whole = |kernel: Kernel| Some(format!("{kernel} {}", units::time(of(kernel).next()?.1.time.median)));
    let part = |kernel: Kernel| match kernel.row().reading {
        Reading::Time if kernel == Kernel::Program => whole(kernel),
        Reading::Time => range(kernel),
        Reading::Rate => best(kernel),
    };
    Kernel::EVERY.into_iter().filter_map(part).collect()
}

/// One compared figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) kernel: Kernel,
    pub(crate) bytes: Bytes,
    pub(crate) ratio: &'a Ratio,
}

/// How the figures of a case differ from those of its reference.
fn relative(case: &CaseReport, report: &Report) -> Vec<String> {
    let places = case.figures().filter_map(|(cell, figure)| {
        Some(Place { kernel: cell.kernel, bytes: cell.bytes, ratio: figure.ratio.as_ref()? })
    });
    let places: Vec<Place<'_>> = places.collect();
    let reference = report.reference(case).map_or("the baseline", |reference| reference.name.as_str());
    let mut parts = differences(&places, reference, report.margin);
    let lonely = case.figures().count() - places.len();
    if lonely > 0 {
        parts.push(match report.against {
            Against::Baseline => format!("no baseline to compare with in {lonely}"),
            Against::OwnVersion => format!("{reference} has no figure to compare with in {lonely}"),
        });
    }
    parts
}

/// How compared figures differ from those of `reference`, a part a verdict.
pub(crate) fn differences(places: &[Place<'_>], reference: &str, margin: Margin) -> Vec<String> {
    let (total, percent) = (places.len(), margin.percent());
    let with = |wanted: &dyn Fn(&Ratio) -> bool| -> Vec<Place<'_>> {
        places.iter().filter(|place| wanted(place.ratio)).copied().collect()
    };
    let mut parts = Vec::new();
    for verdict in [Verdict::Slower, Verdict::Faster] {
        let those = with(&|ratio| ratio.verdict == verdict);
        if !those.is_empty() {
            parts.push(format!("{} than {reference}: {}", verdict.words(), times_as_long(&those, places)));
        }
    }
    for (side, word) in [(Side::Above, "slower"), (Side::Below, "faster")] {
        let those = with(&|ratio| ratio.verdict == Verdict::Undecided && ratio.shown == Some(side));
        if !those.is_empty() {
            let (count, effort) = (those.len(), effort(&those));
            parts.push(format!("{word}, by {percent} % or not is open, in {count} of {total}{effort}"));
        }
    }
    let below = with(&|ratio| ratio.verdict == Verdict::BelowMargin).len();
    if below > 0 {
        parts.push(format!("different by less than {percent} % in {below} of {total}"));
    }
    let same = with(&|ratio| ratio.verdict == Verdict::Equivalent).len();
    if same == total && total > 0 {
        parts.push(format!("equivalent to {reference} within {percent} % in all {total}"));
    } else if same > 0 {
        parts.push(format!("equivalent in {same} of {total}"));
    }
    let open = with(&|ratio| ratio.verdict == Verdict::Undecided && ratio.shown.is_none());
    if !open.is_empty() {
        parts.push(format!("undecided in {} of {total}{}", open.len(), effort(&open)));
    }
    let barred = with(&|ratio| ratio.verdict == Verdict::NotComparable);
    if let Some(field) = barred.iter().find_map(|place| place.ratio.differs) {
        parts.push(format!("not comparable in {} of {total}: {} differs", barred.len(), field.words()));
    }
    parts
}

/// ` (about 3 to 40 more launches)`: what deciding them takes.
fn effort(places: &[Place<'_>]) -> String {
    let mut more: Vec<usize> = places.iter().filter_map(|place| place.ratio.more).collect();
    more.sort_unstable();
    match (more.first(), more.last()) {
        (Some(least), Some(most)) if least < most => format!(" (about {least} to {most} more launches)"),
        (Some(1), _) => " (about 1 more launch)".to_owned(),
        (Some(least), _) => format!(" (about {least} more launches)"),
        (None, _) => String::new(),
    }
}

/// `1.90x at 1 MiB (latency), 1.87-1.92x at 1-4 MiB (bandwidth, allreduce)`: kernels with the same sizes stand together.
fn times_as_long(places: &[Place<'_>], all: &[Place<'_>]) -> String {
    let of = |places: &[Place<'_>], kernel: Kernel| -> Vec<Bytes> {
        places.iter().filter(|place| place.kernel == kernel).map(|place| place.bytes).collect()
    };
    let mut groups: Vec<(String, Vec<Kernel>, Vec<f64>)> = Vec::new();
    for kernel in Kernel::EVERY {
        let here = of(places, kernel);
        if here.is_empty() {
            continue;
        }
        let sizes = runs(&of(all, kernel), |bytes| here.contains(&bytes));
        let estimates = places.iter().filter(|place| place.kernel == kernel).map(|place| place.ratio.estimate);
        match groups.iter_mut().find(|(known, _, _)| *known == sizes) {
            Some((_, kernels, all)) => {
                kernels.push(kernel);
                all.extend(estimates);
            }
            None => groups.push((sizes, vec![kernel], estimates.collect())),
        }
    }
    let everywhere = Kernel::EVERY.into_iter().filter(|kernel| !of(all, *kernel).is_empty()).count();
    let words = |(sizes, kernels, estimates): (String, Vec<Kernel>, Vec<f64>)| {
        let names: Vec<&str> = kernels.iter().map(|kernel| kernel.name()).collect();
        let names = if names.len() == everywhere { String::new() } else { format!(" ({})", names.join(", ")) };
        // A program is measured alone, and has no size.
        let at = if kernels == [Kernel::Program] { String::new() } else { format!(" at {sizes}{names}") };
        format!("{}x{at}", range(&estimates))
    };
    groups.into_iter().map(words).collect::<Vec<_>>().join(", ")
}

/// `1.87-1.92`, or one figure where they read the same.
fn range(estimates: &[f64]) -> String {
    let mut sorted = crate::stats::sorted(estimates).into_iter().map(units::digits);
    let first = sorted.next().unwrap_or_default();
    match sorted.next_back() {
        Some(last) if last != first => format!("{first}-{last}"),
        _ => first,
    }
}

/// Those sizes that `hold`, neighbours among the measured ones together: `8 B, 1-4 MiB`.
fn runs(measured: &[Bytes], hold: impl Fn(Bytes) -> bool) -> String {
    let runs = measured.split(|bytes| !hold(*bytes)).filter_map(|run| Some((run.first()?, run.last()?)));
    let words = |(first, last): (&Bytes, &Bytes)| {
        let (first, last) = (first.to_string(), last.to_string());
        match (first.split_once(' '), last.split_once(' ')) {
            _ if first == last => first,
            (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}-{last}"),
            _ => format!("{first}-{last}"),
        }
    };
    runs.map(words).collect::<Vec<_>>().join(", ")
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
