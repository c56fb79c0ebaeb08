//! What to type at this site, and why cases fail or are slow: the words of `recommend` and `explain` on the page.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Page, Section, command};
use crate::{
    diagnose::{About, Confidence, Finding},
    explain::{Ending, Explained, Shared},
    id::CaseId,
    recommend::{
        Choice,
        text::{conclusion, cost, entries, reasons, worst},
    },
};

/// The recommendation.
pub(super) fn recommendation(page: &Page<'_>) -> Option<Section> {
    let told = page.beside.recommendation?;
    let choice = told.choice.as_ref()?;
    let margin = page.report.margin;
    let body = html! {
        dl.answers {
            div {
                dt { span.name { (choice.label) } span.what { (choice.mode.summary()) } }
                dd { (typed(choice)) p { "Costs " (cost(choice, margin)) @if let Some(worst) = worst(choice) { "; " (worst) } "." } }
            }
            @for (title, others) in [("not shown to be worse", &told.alike), ("worse", &told.worse)] {
                @if !others.is_empty() {
                    div {
                        dt { span.what { (title) } }
                        dd { ul.plainly { @for (name, words) in entries(others, margin) { li { strong { (name) } ": " (words) } } } }
                    }
                }
            }
            @if !told.ruled_out.is_empty() {
                div {
                    dt { span.what { "ruled out" } }
                    dd { ul.plainly { @for (why, labels) in reasons(&told.ruled_out) { li { strong { (labels.join(", ")) } ": " (why) } } } }
                }
            }
        }
        p.sanity { (conclusion(told.outcome)) }
    };
    Some(Section { id: "recommendation", heading: "What to type here", body })
}

fn typed(choice: &Choice) -> Markup {
    html! {
        @for text in &choice.commands { (command(text)) }
        @if let Some(image) = &choice.image { p.what { "IMG: " (image) } }
    }
}

/// The place on the page where a case is explained.
pub(super) fn anchor(case: &CaseId) -> String {
    format!("why-{case}")
}

/// Causes with their evidence and remedies. Cases that suffer from the same stand together.
pub(super) fn causes(page: &Page<'_>) -> Option<Section> {
    let told = page.beside.explanation.filter(|told| !told.cases.is_empty())?;
    let mut groups: Vec<(Alike<'_>, Vec<&Explained>)> = Vec::new();
    for case in &told.cases {
        let alike = alike(case);
        match groups.iter_mut().find(|(known, _)| *known == alike) {
            Some((_, cases)) => cases.push(case),
            None => groups.push((alike, vec![case])),
        }
    }
    let body = html! {
        p {
            "Each cause with what speaks for it and what helps. Where several cases suffer from the same, what was seen is that of "
            "the first."
        }
        @for (_, cases) in &groups { (group(cases)) }
    };
    Some(Section { id: "causes", heading: "Why cases fail or are slow", body })
}

/// What makes two cases suffer from the same: how launches ended and why, and what slows those that complete.
type Alike<'e> = (Vec<(&'e str, BTreeSet<&'e str>)>, bool, Vec<(&'e str, bool)>);

fn alike(case: &Explained) -> Alike<'_> {
    let endings = case.endings.iter().map(|ending| {
        let rules = ending.findings.iter().map(|finding| finding.rule.as_str()).collect();
        (ending.words.as_str(), rules)
    });
    let shared = case.findings.iter().map(|shared| (shared.finding.rule.as_str(), shared.of_baseline_too)).collect();
    (endings.collect(), case.slower.is_empty(), shared)
}

fn group(cases: &[&Explained]) -> Markup {
    let Some(first) = cases.first() else { return html! {} };
    html! {
        div.cause {
            ul.plainly { @for case in cases { li id=(anchor(&case.id)) { strong { (case.label) } ": " (case.answer) "." } } }
            @for ending in &first.endings {
                h3 { (ending.words) span.what { (launches(ending)) } }
                @for known in &ending.findings { (finding(known, None)) }
            }
            @if !first.findings.is_empty() {
                h3 { @if first.slower.is_empty() { "Figures there are" } @else { "Slower" } span.what { "what shows in a launch" } }
                @for Shared { finding: known, of_baseline_too } in &first.findings { (finding(known, Some(*of_baseline_too))) }
            }
        }
    }
}

fn launches(ending: &Ending) -> String {
    let numbers: Vec<String> = ending.attempts.iter().map(|attempt| attempt.0.to_string()).collect();
    format!("{} {}", if numbers.len() == 1 { "launch" } else { "launches" }, numbers.join(", "))
}

fn finding(finding: &Finding, of_baseline_too: Option<bool>) -> Markup {
    let said = (finding.confidence, finding.about) == (Confidence::Unknown, About::Failure);
    let seen = if said { "said" } else { "seen" };
    html! {
        dl.finding {
            dt { (finding.confidence.name()) }
            dd { (finding.cause) @if of_baseline_too == Some(true) { " The baseline has it too: it explains no difference." } }
            @if !finding.evidence.is_empty() { dt { (seen) } }
            @for evidence in &finding.evidence { dd { (evidence) } }
            @if !finding.remedies.is_empty() { dt { "helps" } }
            @for advice in &finding.remedies {
                dd { (command(&advice.text)) @if !advice.campaign.is_empty() { p.what { "in a campaign: " code { (advice.campaign) } } } }
            }
            @if !finding.reference.is_empty() { dt { "see" } dd { (finding.reference) } }
        }
    }
}
