//! A recommendation on a terminal.

use unicode_width::UnicodeWidthStr as _;

use super::{Outcome, Recommendation};
use crate::{
    report::{
        Ratio,
        layout::{Page, Style, Tone, cell},
        units,
    },
    stats::Margin,
};

/// Widest name of a case before its text goes below it.
const NAME: usize = 32;

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
        Outcome::Decided => "Decided: everything else is worse, the same, or ruled out.",
        Outcome::Undecided => "Not decided: more blocks may show another order, or another cost.",
        Outcome::Nothing => "Nothing to recommend.",
    }
}
