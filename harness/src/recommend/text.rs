//! A recommendation on a terminal.

use unicode_width::UnicodeWidthStr as _;

use super::{Choice, Other, Outcome, Recommendation, RuledOut};
use crate::{
    report::{
        Ratio, Verdict,
        layout::{Page, Style, Tone, cell},
        units,
    },
    stats::Margin,
};

/// Widest name of a case before its text goes below it.
const NAME: usize = 32;
/// Cases that are listed one by one.
const FEW: usize = 8;

/// The recommendation as text.
#[must_use]
pub fn render(recommendation: &Recommendation, margin: Margin, style: Style) -> String {
    let mut page = Page::new(style);
    let Recommendation { site, campaign, choice, alike, worse, ruled_out, .. } = recommendation;
    match choice {
        None => page.paragraph(&format!(
            "On {site} nothing can be recommended: nothing in a container was measured in full ({campaign})."
        )),
        Some(choice) => {
            page.line(&[(cell(format!("on {site}: {}", choice.label), Tone::Strong), 0)]);
            page.line(&[(cell(choice.mode.summary(), Tone::Dim), 0)]);
            page.line(&[]);
            // Not wrapped: to be copied.
            choice.commands.iter().for_each(|command| page.line(&[(cell(command, Tone::Plain), 0)]));
            page.line(&[]);
            choice.image.iter().for_each(|words| page.entry("IMG", words, 5));
            page.entry("costs", &cost(choice, margin), 5);
            worst(choice).iter().for_each(|words| page.entry("", words, 5));
        }
    }
    for (title, others) in [("not shown to be worse", alike), ("worse", worse)] {
        if others.is_empty() {
            continue;
        }
        page.line(&[]);
        page.line(&[(cell(title, Tone::Strong), 0)]);
        let entries = entries(others, margin);
        let names = entries.iter().map(|(name, _)| name.width()).max().unwrap_or(0).min(NAME);
        entries.iter().for_each(|(name, words)| page.entry(name, words, names));
    }
    if !ruled_out.is_empty() {
        page.line(&[]);
        page.line(&[(cell("ruled out", Tone::Strong), 0)]);
    }
    for (why, labels) in reasons(ruled_out) {
        page.entry("-", &format!("{why}: {}", labels.join(", ")), 1);
    }
    page.line(&[]);
    page.paragraph(conclusion(recommendation.outcome));
    page.into_text()
}

/// What the recommended case costs.
pub(crate) fn cost(choice: &Choice, margin: Margin) -> String {
    let Choice { native, figures, cost, .. } = choice;
    let (times, verdict) = (with_interval(cost), cost.words(margin));
    // One figure is that of a program, or of one cell: there is nothing that it sums up.
    let over = if *figures == 1 { String::new() } else { format!(" over {figures} kernels and sizes") };
    format!("{times} times {native}'s time{over}: {verdict}")
}

/// Where it comes off worst.
pub(crate) fn worst(choice: &Choice) -> Option<String> {
    let worst = choice.worst.filter(|_| choice.figures > 1)?;
    let (times, place) = (units::digits(worst.estimate), units::place(worst.kernel, worst.bytes));
    Some(format!("worst {times} times, at {place}"))
}

/// Other cases with what they take: one by one, or those of one mode with one verdict together, since a matrix has dozens.
pub(crate) fn entries(others: &[Other], margin: Margin) -> Vec<(&str, String)> {
    if others.len() > FEW {
        return many(others);
    }
    let words = |other: &Other| format!("{} times as long: {}", with_interval(&other.ratio), other.ratio.words(margin));
    others.iter().map(|other| (other.label.as_str(), words(other))).collect()
}

/// Reasons, each with the cases that are ruled out for it.
pub(crate) fn reasons(ruled_out: &[RuledOut]) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for out in ruled_out {
        match reasons.iter_mut().find(|(why, _)| *why == out.why) {
            Some((_, labels)) => labels.push(&out.label),
            None => reasons.push((&out.why, vec![&out.label])),
        }
    }
    reasons
}

fn many(others: &[Other]) -> Vec<(&str, String)> {
    let mut groups: Vec<(&str, Verdict, Vec<&Other>)> = Vec::new();
    for other in others {
        let mode = other.label.split(' ').next().unwrap_or_default();
        let verdict = other.ratio.verdict;
        match groups.iter_mut().find(|(known, of, _)| (*known, *of) == (mode, verdict)) {
            Some((_, _, group)) => group.push(other),
            None => groups.push((mode, verdict, vec![other])),
        }
    }
    groups
        .into_iter()
        .map(|(mode, verdict, group)| {
            let estimates = [group.first(), group.last()].map(|other| other.map_or(1.0, |other| other.ratio.estimate));
            let [least, most] = units::ratios(estimates);
            let times = if group.len() > 1 { format!("{least}-{most}") } else { least };
            let versions = group.iter().filter_map(|other| Some(other.label.split_once(' ')?.1));
            let versions = versions.collect::<Vec<_>>().join(", ");
            (mode, format!("{times} times as long, {}: {versions}", verdict.words()))
        })
        .collect()
}

/// `1.02 (0.99-1.05)`.
fn with_interval(ratio: &Ratio) -> String {
    match &ratio.interval {
        Some(interval) => {
            let [estimate, lo, hi] = units::ratios([ratio.estimate, interval.lo, interval.hi]);
            format!("{estimate} ({lo}-{hi})")
        }
        None => format!("{} ({} pairs, too few for an interval)", units::ratio(ratio.estimate), ratio.k),
    }
}

/// How far it is decided, in a sentence.
pub(crate) const fn conclusion(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Decided => "Decided: nothing else that works can be faster by as much as matters.",
        Outcome::Undecided => "Not decided: more blocks may show something else to be faster.",
        Outcome::Nothing => "Nothing to recommend.",
    }
}
