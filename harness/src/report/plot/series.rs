//! Which cases share a panel, and how each is drawn wherever it appears.

use crate::{
    case::Mode,
    report::{CaseReport, Report, Role},
};

use super::{
    ink::{Ink, SERIES},
    mark::{Mark, Style},
};

/// A case as it is drawn.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Series<'r> {
    pub(in crate::report) case: &'r CaseReport,
    pub(in crate::report) style: Style,
}

/// Cases that share panels: the baseline, and as many others as can be told apart.
#[derive(Debug, Clone)]
pub(in crate::report) struct Sheet<'r> {
    pub(in crate::report) series: Vec<Series<'r>>,
}

const BASELINE: Style = Style { mark: Mark::Disc, ink: Ink::Text };
const TWIN: Style = Style { mark: Mark::Ring, ink: Ink::Text };
const MARKS: [Mark; SERIES] = [Mark::Right, Mark::Square, Mark::Diamond, Mark::Plus, Mark::Star, Mark::Pentagon];
/// A sheet goes on with the next version only while it is emptier than this.
const WORTH_A_SHEET: usize = 3;

const fn place_of(mode: Mode) -> usize {
    match mode {
        Mode::Native => 0,
        Mode::Embedded => 1,
        Mode::Hybrid => 2,
        Mode::HybridInstance => 3,
        Mode::HybridSharens => 4,
        Mode::Bind => 5,
    }
}

fn styled(place: usize) -> Style {
    Style { mark: MARKS[place], ink: Ink::Series(place as u8) }
}

/// The sheets of a report: a version's cases stay together where they fit. A mode keeps its style from sheet to sheet.
pub(in crate::report) fn sheets(report: &Report) -> Vec<Sheet<'_>> {
    let Some(baseline) = report.baseline() else { return Vec::new() };
    let mut groups: Vec<Vec<&CaseReport>> = Vec::new();
    for case in report.cases.iter().filter(|case| case.role == Role::Compared) {
        match groups.last_mut() {
            Some(group) if group.len() < SERIES && (group.len() < WORTH_A_SHEET || alike(group, case)) => {
                group.push(case);
            }
            Some(_) | None => groups.push(vec![case]),
        }
    }
    if groups.is_empty() {
        groups.push(Vec::new());
    }
    groups.into_iter().map(|group| sheet(baseline, group)).collect()
}

fn sheet<'r>(baseline: &'r CaseReport, group: Vec<&'r CaseReport>) -> Sheet<'r> {
    let mut free: Vec<usize> = (0..SERIES).collect();
    let take = |case: &CaseReport| {
        let own = free.iter().position(|place| *place == place_of(case.mode));
        own.map(|at| free.remove(at))
    };
    // Every mode takes its own place first, so that only one that is there twice has to move.
    let places: Vec<Option<usize>> = group.iter().copied().map(take).collect();
    let mut free = free.into_iter();
    let mut series = vec![Series { case: baseline, style: BASELINE }];
    for (case, place) in group.into_iter().zip(places) {
        let place = place.or_else(|| free.next()).unwrap_or_else(|| unreachable!("a group is no larger than SERIES"));
        series.push(Series { case, style: styled(place) });
    }
    Sheet { series }
}

fn alike(group: &[&CaseReport], case: &CaseReport) -> bool {
    group.last().is_some_and(|last| versions(last) == versions(case))
}

/// The versions in a case's label.
fn versions(case: &CaseReport) -> &str {
    case.label.split_once(' ').map_or("", |(_, versions)| versions)
}

/// How a case of the report is drawn.
pub(in crate::report) fn style(sheets: &[Sheet<'_>], case: &CaseReport) -> Style {
    match case.role {
        Role::Baseline => BASELINE,
        Role::Twin => TWIN,
        Role::Compared => {
            let mut series = sheets.iter().flat_map(|sheet| sheet.series.iter().skip(1));
            let known = series.find(|series| series.case.id == case.id);
            known.map_or_else(|| unreachable!("every case is on a sheet"), |series| series.style)
        }
    }
}

impl Sheet<'_> {
    /// The versions of its compared cases, each once.
    pub(in crate::report) fn versions(&self) -> String {
        let mut known: Vec<&str> = Vec::new();
        for series in self.series.iter().skip(1) {
            if !known.contains(&versions(series.case)) {
                known.push(versions(series.case));
            }
        }
        known.join(", ")
    }
}
