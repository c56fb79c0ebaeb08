//! A recommendation on a terminal.

use unicode_width::UnicodeWidthStr as _;

use super::{Other, Outcome, Recommendation};
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
            let cost = with_interval(&choice.cost);
            let (native, figures, verdict) = (&choice.native, choice.figures, choice.cost.words(margin));
            page.entry(
                "costs",
                &format!("{cost} times {native}'s time over {figures} kernels and sizes: {verdict}"),
                5,
            );
            if let Some(worst) = choice.worst {
                let (times, kernel, bytes) = (units::digits(worst.estimate), worst.kernel, worst.bytes);
                page.entry("", &format!("worst {times} times, at {kernel} {bytes}"), 5);
            }
        }
    }
    for (title, others) in [("not shown to be worse", alike), ("worse", worse)] {
        if others.is_empty() {
            continue;
        }
        page.line(&[]);
        page.line(&[(cell(title, Tone::Strong), 0)]);
        if others.len() > FEW {
            many(&mut page, others);
            continue;
        }
        let names = others.iter().map(|other| other.label.width()).max().unwrap_or(0).min(NAME);
        for other in others {
            let words = format!("{} times as long: {}", with_interval(&other.ratio), other.ratio.words(margin));
            page.entry(&other.label, &words, names);
        }
    }
    if !ruled_out.is_empty() {
        page.line(&[]);
        page.line(&[(cell("ruled out", Tone::Strong), 0)]);
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for out in ruled_out {
        match reasons.iter_mut().find(|(why, _)| *why == out.why) {
            Some((_, labels)) => labels.push(&out.label),
            None => reasons.push((&out.why, vec![&out.label])),
        }
    }
    for (why, labels) in reasons {
        page.entry("-", &format!("{why}: {}", labels.join(", ")), 1);
    }
    page.line(&[]);
    page.paragraph(conclusion(recommendation.outcome));
    page.into_text()
}

/// Those of one mode with one verdict together: a matrix has dozens.
fn many(page: &mut Page, others: &[Other]) {
    let mut groups: Vec<(&str, Verdict, Vec<&Other>)> = Vec::new();
    for other in others {
        let mode = other.label.split(' ').next().unwrap_or_default();
        let verdict = other.ratio.verdict;
        match groups.iter_mut().find(|(known, of, _)| (*known, *of) == (mode, verdict)) {
            Some((_, _, group)) => group.push(other),
            None => groups.push((mode, verdict, vec![other])),
        }
    }
    let names = groups.iter().map(|(mode, _, _)| mode.width()).max().unwrap_or(0);
    for (mode, verdict, group) in groups {
        let estimates = [group.first(), group.last()].map(|other| other.map_or(1.0, |other| other.ratio.estimate));
        let [least, most] = units::ratios(estimates);
        let times = if group.len() > 1 { format!("{least}-{most}") } else { least };
        let versions = group.iter().filter_map(|other| Some(other.label.split_once(' ')?.1));
        let versions = versions.collect::<Vec<_>>().join(", ");
        page.entry(mode, &format!("{times} times as long, {}: {versions}", verdict.words()), names);
    }
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

const fn conclusion(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Decided => "Decided: nothing else that works can be faster by as much as matters.",
        Outcome::Undecided => "Not decided: more blocks may show something else to be faster.",
        Outcome::Nothing => "Nothing to recommend.",
    }
}
