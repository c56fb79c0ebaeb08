//! Trying remedies: the same cases again, each beside itself with one change, as a run of its own.

use bench_app::{Cell, Workload};

use super::{Ending, Explained, Explanation};
use crate::{
    case::Case,
    decision::Decision,
    diagnose::remedy::Advice,
    id::CaseId,
    medians::Medians,
    record::{Design, Outcome},
    report::{
        layout::{Page, Style, Tone, cell},
        units,
    },
    store::Run,
};

/// Columns before what came of a case.
const NAME: usize = 10;
/// Cells that a trial measures at most.
const CELLS: usize = 4;

/// A case as it was, and the same case with a remedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What is tried, for a line: `--sharens`.
    pub remedy: String,
    /// The case as it was, with the cells that matter.
    pub before: Case,
    /// The case with the remedy.
    pub after: Case,
}

/// Every remedy of `explanation` that is a change of a case of `design`.
#[must_use]
pub fn trials(explanation: &Explanation, design: &Design) -> Vec<Trial> {
    let mut trials: Vec<Trial> = Vec::new();
    for explained in &explanation.cases {
        let Some(case) = find(design, &explained.id) else { continue };
        for (cells, advice) in changes(explained, case) {
            let with = |case: &Case| Case {
                workload: Workload { cells: cells.clone(), ..case.workload.clone() },
                ..case.clone()
            };
            let Some(after) = advice.case.as_ref() else { continue };
            let trial = Trial { remedy: advice.brief.clone(), before: with(case), after: with(after) };
            if !trials.contains(&trial) {
                trials.push(trial);
            }
        }
    }
    trials
}

fn find<'a>(design: &'a Design, id: &CaseId) -> Option<&'a Case> {
    design.cases.iter().chain(&design.probes).find(|case| case.id() == *id)
}

/// What can be changed about a case, with the cells that show whether it helps.
fn changes<'a>(explained: &'a Explained, case: &Case) -> Vec<(Vec<Cell>, &'a Advice)> {
    let failures = explained.endings.iter().flat_map(|ending| {
        let advice = ending.findings.first().into_iter().flat_map(|finding| &finding.remedies);
        advice.map(|advice| (cells_of(ending, case), advice))
    });
    // Of a case that fails, and is not known to be slow, the failure is what matters.
    let matters = explained.endings.is_empty() || !explained.slower.is_empty();
    let slow = explained.findings.iter().filter(move |shared| matters && !shared.of_baseline_too);
    let slow =
        slow.flat_map(|shared| shared.finding.remedies.iter().map(|advice| (some(&explained.slower, case), advice)));
    failures.chain(slow).collect()
}

/// The cell at which it ended, with the smallest of its kernel: where none is known, the smallest of all.
fn cells_of(ending: &Ending, case: &Case) -> Vec<Cell> {
    match ending.outcome.at() {
        None => some(&[], case),
        Some((kernel, bytes)) => {
            let mut of_kernel: Vec<Cell> = case
                .workload
                .cells
                .iter()
                .copied()
                .filter(|cell| cell.kernel == kernel && cell.bytes <= bytes)
                .collect();
            of_kernel.sort();
            let last = of_kernel.pop();
            of_kernel.truncate(1);
            of_kernel.into_iter().chain(last).collect()
        }
    }
}

/// The last of `cells`, and the smallest cell of the case.
fn some(cells: &[Cell], case: &Case) -> Vec<Cell> {
    let mut chosen: Vec<Cell> = cells.iter().rev().take(CELLS - 1).copied().collect();
    chosen.extend(case.workload.cells.iter().min());
    chosen.sort();
    chosen.dedup();
    chosen
}

/// The run that tries them: every case once, for its outcome and a first figure; one that fails once more, alone.
#[must_use]
pub fn design(trials: &[Trial], of: &Design) -> Design {
    let mut probes: Vec<Case> = Vec::new();
    for case in trials.iter().flat_map(|trial| [&trial.before, &trial.after]) {
        if !probes.contains(case) {
            probes.push(case.clone());
        }
    }
    Design {
        campaign: format!("remedies for {}", of.campaign),
        blocks: 0,
        cases: Vec::new(),
        probes,
        decision: Decision::default(),
        ..of.clone()
    }
}

/// Whether every launch of a case completed.
#[must_use]
pub fn completed(case: &Case, run: &Run) -> bool {
    let id = case.id();
    let mut records = run.records.iter().filter(|record| record.case == id).peekable();
    records.peek().is_some() && records.all(|record| record.outcome == Outcome::Completed)
}

/// Each case before and after, at most 80 columns wide.
#[must_use]
pub fn text(trials: &[Trial], run: &Run, style: Style) -> String {
    let mut page = Page::new(style);
    let mut before = None;
    for trial in trials {
        if before != Some(&trial.before) {
            page.line(&[]);
            page.line(&[(cell(trial.before.label(), Tone::Strong), 0)]);
            page.entry("  as it is", &came_of(&trial.before, run), NAME);
        }
        before = Some(&trial.before);
        page.line(&[(cell("", Tone::Plain), 2), (cell(&*trial.remedy, Tone::Plain), 0)]);
        page.entry("", &came_of(&trial.after, run), NAME);
    }
    page.line(&[]);
    page.paragraph("One launch each, which shows whether it works; how fast it is takes a campaign with that setting.");
    page.into_text()
}

/// What came of a case: how it ended where it failed, else its figures.
fn came_of(case: &Case, run: &Run) -> String {
    let id = case.id();
    let records: Vec<_> = run.records.iter().filter(|record| record.case == id).collect();
    if let Some(failed) = records.iter().find(|record| record.outcome != Outcome::Completed) {
        return failed.outcome.to_string();
    }
    let medians = Medians::of(&run.samples);
    let cells = records.iter().flat_map(|record| record.cells.iter().map(|cell| (record.attempt, *cell)));
    let figures: Vec<String> = cells
        .filter_map(|(attempt, cell)| {
            let time = units::time(medians.get(attempt, cell)?);
            Some(format!("{} {time}", units::place(cell.kernel, cell.bytes)))
        })
        .collect();
    if figures.is_empty() { "not tried".to_owned() } else { figures.join(", ") }
}
