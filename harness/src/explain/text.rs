//! An explanation on a terminal, at most 80 columns wide; what is to be typed has a line of its own where it is long.

use crate::{
    diagnose::{About, Confidence, Finding},
    report::{
        layout::{Page, Style, Tone, WIDTH, cell, wrapped},
        units,
    },
};

use super::{Ending, Explained, Explanation, Shared};

/// Columns before a label, and of it.
const LABEL: usize = 4;
const NAME: usize = 10;

/// The explanation as text.
#[must_use]
pub fn render(explanation: &Explanation, style: Style) -> String {
    let mut text = Text { page: Page::new(style) };
    let Explanation { campaign, site, all, cases, .. } = explanation;
    let count = cases.len();
    text.page.paragraph(&match (count, all) {
        (0, _) => format!("{campaign} on {site}: nothing to explain; every case has its figures, and none is slower"),
        (_, 1) => format!("{campaign} on {site}: one case"),
        (_, all) => format!("{campaign} on {site}: {count} of {all} cases"),
    });
    cases.iter().for_each(|case| text.case(case));
    text.page.into_text()
}

struct Text {
    page: Page,
}

impl Text {
    fn case(&mut self, case: &Explained) {
        self.page.line(&[]);
        self.page.line(&[(cell(&case.label, Tone::Strong), 0)]);
        self.indented(&case.answer, 2, Tone::Plain);
        for (ending, at) in case.endings.iter().zip(0..) {
            self.ending(ending, &case.endings[..at]);
        }
        if !case.findings.is_empty() {
            let cells: Vec<String> =
                case.slower.iter().map(|slower| units::place(slower.kernel, slower.bytes)).collect();
            let title = match cells.is_empty() {
                true => "figures there are; what shows in a launch:".to_owned(),
                false => format!("slower: {}; what shows in a launch:", cells.join(", ")),
            };
            self.page.line(&[]);
            self.indented(&title, 2, Tone::Slower);
        }
        case.findings.iter().for_each(|shared| self.shared(shared));
    }

    /// An ending; what has been said of an `earlier` one is not said again.
    fn ending(&mut self, ending: &Ending, earlier: &[Ending]) {
        let launches: Vec<String> = ending.attempts.iter().map(|attempt| attempt.0.to_string()).collect();
        let noun = if launches.len() == 1 { "launch" } else { "launches" };
        self.page.line(&[]);
        self.indented(&format!("{} ({noun} {})", ending.words, launches.join(", ")), 2, Tone::Failed);
        for finding in &ending.findings {
            let mut told = earlier.iter().flat_map(|ending| &ending.findings);
            let known = told.any(|told| told.rule == finding.rule && told.remedies == finding.remedies);
            match known && finding.confidence != Confidence::Unknown {
                true => self.labelled("as above", &finding.short),
                false => self.finding(finding),
            }
        }
    }

    fn shared(&mut self, shared: &Shared) {
        self.finding(&shared.finding);
        if shared.of_baseline_too {
            self.labelled("mind", "the baseline has it too: it explains no difference");
        }
    }

    fn finding(&mut self, finding: &Finding) {
        self.labelled(finding.confidence.name(), &finding.cause);
        let said = (finding.confidence, finding.about) == (Confidence::Unknown, About::Failure);
        let seen = if said { "said" } else { "seen" };
        for (evidence, first) in finding.evidence.iter().zip(firsts()) {
            self.labelled(if first { seen } else { "" }, evidence);
        }
        for (advice, first) in finding.remedies.iter().zip(firsts()) {
            self.typed(if first { "remedy" } else { "or" }, &advice.text);
            if !advice.campaign.is_empty() {
                self.typed("campaign", &advice.campaign);
            }
        }
        if !finding.reference.is_empty() {
            self.labelled("see", &finding.reference);
        }
    }

    fn labelled(&mut self, label: &str, text: &str) {
        let indent = LABEL + NAME;
        for (line, first) in wrapped(text, WIDTH - indent).into_iter().zip(firsts()) {
            let label = if first { label } else { "" };
            self.page.line(&[
                (cell("", Tone::Plain), LABEL),
                (cell(label, Tone::Dim), NAME),
                (cell(line, Tone::Plain), 0),
            ]);
        }
    }

    /// As [`Text::labelled`]; what fits on a line of its own is not broken.
    fn typed(&mut self, label: &str, text: &str) {
        if LABEL + NAME + text.len() > WIDTH && 2 + text.len() <= WIDTH {
            if !label.is_empty() {
                self.labelled(label, "");
            }
            self.indented(text, 2, Tone::Plain);
        } else {
            self.labelled(label, text);
        }
    }

    fn indented(&mut self, text: &str, columns: usize, tone: Tone) {
        for line in wrapped(text, WIDTH - columns) {
            self.page.line(&[(cell("", Tone::Plain), columns), (cell(line, tone), 0)]);
        }
    }
}

fn firsts() -> impl Iterator<Item = bool> {
    std::iter::once(true).chain(std::iter::repeat(false))
}
