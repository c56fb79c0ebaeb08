//! A diagnosis on a terminal, 80 columns wide. Colour only repeats what a word says; a command is never broken.

use anstyle::AnsiColor;

use super::{By, Diagnosis, Examined, Group, Mend, State, Verdict};
use crate::report::layout::{Style, WIDTH, wrapped};

/// Columns before a name.
const NAME: usize = 11;
/// Columns before the text of a check, and before that of a mode.
const TEXT: usize = 23;
const MODE_TEXT: usize = 28;
/// Columns before a command that has a line of its own.
const COMMAND: usize = 4;

/// The diagnosis as text.
#[must_use]
pub fn render(diagnosis: &Diagnosis, style: Style) -> String {
    let mut page = Page { text: String::new(), style };
    let system = &diagnosis.surroundings.system;
    let title = format!("sifbench {} on {}, {}, Linux {}", diagnosis.tool, system.name, system.arch, system.kernel);
    wrapped(&title, WIDTH).iter().for_each(|line| page.line(line));
    for group in Group::ALL {
        page.heading(group.name());
        diagnosis.checks.iter().filter(|examined| examined.group == group).for_each(|examined| page.examined(examined));
    }
    page.heading("modes");
    diagnosis.modes.iter().for_each(|verdict| page.verdict(verdict));
    page.text
}

/// The diagnosis in a sentence.
#[must_use]
pub fn conclusion(diagnosis: &Diagnosis) -> String {
    let (lacking, notes) = diagnosis.counts();
    let works = diagnosis.modes.iter().filter(|verdict| verdict.for_want_of.is_empty()).count();
    let modes = match (works, diagnosis.modes.len()) {
        (works, all) if works == all => "every mode can be measured here".to_owned(),
        (0, _) => "no mode can be measured here".to_owned(),
        (works, all) => format!("{works} of {all} modes can be measured here"),
    };
    let counted = [(lacking, "lacking"), (notes, "to note")].into_iter().filter(|(count, _)| *count > 0);
    let counted: Vec<String> = counted.map(|(count, what)| format!("{count} {what}")).collect();
    if counted.is_empty() { modes } else { format!("{modes}: {}", counted.join(", ")) }
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn examined(&mut self, examined: &Examined) {
        let finding = &examined.finding;
        self.entry(finding.state.name(), examined.check, &finding.found, TEXT);
        match &finding.state {
            State::Ok => {}
            State::Note { costs, mend } => self.remedy("mind", costs, mend),
            State::Lacking { costs, modes: _, mend } => self.remedy("costs", costs, mend),
        }
    }

    fn remedy(&mut self, label: &str, costs: &str, mend: &[Mend]) {
        self.entry("", label, costs, TEXT);
        for mend in mend {
            let label = match mend.by {
                By::User => "mend",
                By::Root => "as root",
                By::Advice => {
                    self.entry("", "mend", &mend.text, TEXT);
                    continue;
                }
            };
            if TEXT + mend.text.len() <= WIDTH {
                self.lines("", label, [mend.text.clone()], TEXT);
            } else {
                self.lines("", label, [String::new()], TEXT);
                self.line(&format!("{:COMMAND$}{}", "", mend.text));
            }
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let against = verdict.for_want_of.join(", ");
        match against.is_empty() {
            true => self.entry("ok", verdict.mode.name(), verdict.mode.summary(), MODE_TEXT),
            false => self.entry("lacking", verdict.mode.name(), &format!("for want of: {against}"), MODE_TEXT),
        }
    }

    /// A state, a name and a text, which begins in `column` and goes on below itself.
    fn entry(&mut self, state: &str, name: &str, text: &str, column: usize) {
        self.lines(state, name, wrapped(text, WIDTH - column), column);
    }

    fn lines(&mut self, state: &str, name: &str, lines: impl IntoIterator<Item = String>, column: usize) {
        for (line, number) in lines.into_iter().zip(0..) {
            let (state, name) = if number == 0 { (state, name) } else { ("", "") };
            let pad = NAME - 2 - state.len();
            let state = self.coloured(state);
            self.line(format!("  {state}{:pad$}{name:<width$}{line}", "", width = column - NAME).trim_end());
        }
    }

    fn coloured(&self, state: &str) -> String {
        let colour = match state {
            "ok" => AnsiColor::Green,
            "note" => AnsiColor::Yellow,
            "lacking" => AnsiColor::Red,
            _ => return state.to_owned(),
        };
        self.styled(state, colour.on_default())
    }

    fn styled(&self, text: &str, style: anstyle::Style) -> String {
        match self.style {
            Style::Coloured => format!("{style}{text}{style:#}"),
            Style::Plain => text.to_owned(),
        }
    }

    fn heading(&mut self, text: &str) {
        let heading = self.styled(text, anstyle::Style::new().bold());
        self.line(&format!("\n{heading}"));
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }
}
