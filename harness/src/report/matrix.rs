//! Every host with every image, a mode at a time: what each cell comes down to, for tables and heat maps.
//!
//! A cell repeats what its case says elsewhere in the report and computes nothing new: of all figures the one that matters
//! most, and what failed. A failure that the image's own version has too, in the same place, is the mode's and no mismatch.

use bench_app::{Bytes, Kernel};
use serde::{Deserialize, Serialize};

use crate::{
    case::{Mode, Within},
    id::{CaseId, MpiVersion},
    record::Outcome,
};

use super::{CaseReport, CellStatus, Ratio, Report, Role, Verdict, units, words};

/// A mode over hosts and images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// The mode.
    pub mode: Mode,
    /// Rows, ascending.
    pub hosts: Vec<MpiVersion>,
    /// Columns, ascending.
    pub images: Vec<MpiVersion>,
    /// Row by row; none where the run has no such case.
    pub crossings: Vec<Option<Crossing>>,
}

/// A host with an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// Which case.
    pub case: CaseId,
    /// Whether host and image are of one version: then it is compared with `native`, else with its own version.
    pub matched: bool,
    /// The most telling figure.
    pub telling: Option<Telling>,
    /// What failed first, in the order of cells.
    pub failed: Option<Failed>,
    /// Figures of the case.
    pub figures: usize,
    /// Whether some of its cells ran through without being analysed.
    pub ran: bool,
}

/// The figure that says most: the largest one that is surely slower, else faster, else open, else the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// What is measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Time over the reference's.
    pub estimate: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// A failure of a crossing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether host and image of one version end just so, in the same cell.
    pub alike: bool,
}

/// A matrix for each mode in which hosts meet images; none where a run crosses no versions.
pub(super) fn matrices(report: &Report) -> Vec<Matrix> {
    let crossed = |mode: &Mode| mode.row().host && matches!(mode.row().within, Within::MpiImage(_));
    Mode::ALL.into_iter().filter(crossed).filter_map(|mode| matrix(report, mode)).collect()
}

fn matrix(report: &Report, mode: Mode) -> Option<Matrix> {
    let cases = || report.cases.iter().filter(|case| case.mode == mode && case.role != Role::Twin);
    let versions = |of: fn(&CaseReport) -> Option<MpiVersion>| {
        let known: std::collections::BTreeSet<MpiVersion> = cases().filter_map(of).collect();
        known.into_iter().collect::<Vec<_>>()
    };
    let (hosts, images) = (versions(host), versions(image));
    let find = |at: (&MpiVersion, &MpiVersion)| {
        cases().find(|case| (host(case).as_ref(), image(case).as_ref()) == (Some(at.0), Some(at.1)))
    };
    let crossings = hosts.iter().flat_map(|host| images.iter().map(move |image| (host, image)));
    let crossings = crossings.map(|at| Some(crossing(report, find(at)?))).collect();
    let crosses = cases().any(|case| host(case) != image(case));
    crosses.then_some(Matrix { mode, hosts, images, crossings })
}

fn host(case: &CaseReport) -> Option<MpiVersion> {
    case.host.as_ref().map(|mpi| mpi.version.clone())
}

fn image(case: &CaseReport) -> Option<MpiVersion> {
    case.image.as_ref().map(|mpi| mpi.version.clone())
}

fn crossing(report: &Report, case: &CaseReport) -> Crossing {
    let matched = host(case) == image(case);
    let own = if matched { Some(case) } else { report.reference(case).filter(|other| other.mode == case.mode) };
    let failed = case.cells.iter().find_map(|cell| match &cell.status {
        CellStatus::Failed { outcome, .. } => {
            let theirs = own.and_then(|own| own.status(cell.kernel, cell.bytes));
            // In words, for the visit in which it happened is chance.
            let words = outcome.to_string();
            let alike = matches!(theirs, Some(CellStatus::Failed { outcome, .. }) if outcome.to_string() == words);
            Some(Failed { outcome: outcome.clone(), alike: alike && words::was_tried(outcome) })
        }
        CellStatus::Figure(_) | CellStatus::Ran => None,
    });
    let ratios = case.figures().filter_map(|(cell, figure)| Some((cell.kernel, cell.bytes, figure.ratio.as_ref()?)));
    let telling = ratios.max_by(|a, b| weight(a.2).total_cmp(&weight(b.2)));
    Crossing {
        case: case.id.clone(),
        matched,
        telling: telling.map(|(kernel, bytes, ratio)| Telling {
            kernel,
            bytes,
            estimate: ratio.estimate,
            verdict: ratio.verdict,
        }),
        failed,
        figures: case.figures().count(),
        ran: case.cells.iter().any(|cell| cell.status == CellStatus::Ran),
    }
}

/// Orders figures by how much they say: a verdict before a lesser one, and within it the farther from 1.
fn weight(ratio: &Ratio) -> f64 {
    let rank = match ratio.verdict {
        Verdict::Slower => 5.0,
        Verdict::Faster => 4.0,
        Verdict::NotComparable => 3.0,
        Verdict::Undecided => 2.0,
        Verdict::BelowMargin => 1.0,
        Verdict::Equivalent => 0.0,
    };
    let far = ratio.estimate.ln().abs();
    // A ratio of e^1000 is none: the rank always decides first.
    rank * 1e3 + if far.is_finite() { far.min(999.0) } else { 999.0 }
}

impl Matrix {
    /// Its rows: a host, and a crossing or none for each image.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&MpiVersion, &[Option<Crossing>])> {
        self.hosts.iter().zip(self.crossings.chunks(self.images.len().max(1)))
    }
}

impl Crossing {
    /// Whether nothing of it was measured because it fails.
    pub(super) fn is_broken(&self) -> bool {
        self.failed.is_some() && self.figures == 0 && !self.ran
    }

    /// What a cell says: at most nine columns, and at most nine below it.
    pub(super) fn words(&self) -> [String; 2] {
        let failed = self.failed.as_ref().map(|failed| {
            let star = if failed.alike { "*" } else { "" };
            format!("{}{star}", words::short(&failed.outcome))
        });
        let first = match (&self.telling, &failed) {
            (Some(telling), _) => format!("{} {}", units::digits(telling.estimate), word(telling.verdict)),
            (None, Some(failed)) if self.is_broken() => return [failed.clone(), String::new()],
            (None, _) if self.figures > 0 => "no ratio".to_owned(),
            (None, _) => "works".to_owned(),
        };
        let has_place = |telling: &Telling| {
            matches!(telling.verdict, Verdict::Slower | Verdict::Faster) && telling.kernel != Kernel::Program
        };
        let place = self.telling.filter(has_place);
        let below = failed.or(place.map(|telling| format!("at {}", telling.bytes))).unwrap_or_default();
        [first, below]
    }
}

/// A verdict in at most four letters.
pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Slower => "slow",
        Verdict::Faster => "fast",
        Verdict::Equivalent => "=",
        Verdict::BelowMargin => "~",
        Verdict::Undecided => "?",
        Verdict::NotComparable => "n/c",
    }
}
