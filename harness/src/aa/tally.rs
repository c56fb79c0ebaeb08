//! What reports of trials say, counted.

use bench_app::{Bytes, Kernel};
use serde::{Deserialize, Serialize};

use crate::{
    report::{CaseReport, CellReport, LaunchFigure, Ratio, Report, Verdict, pairs::pairs},
    stats::{self, Clustered, Evidence, Share, Side},
};

/// Counts over trials. Those in which nothing differs and those with a slowdown are different trials.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// What the baseline's twin showed, cell by cell.
    pub cells: Vec<CellTally>,
    /// Of all cells together, the comparisons of the twin whose interval excluded 1; those of a trial are a cluster.
    pub alarms: Clustered,
    /// Families in which any comparison was called different (Holm) although none is.
    pub families: Share,
    /// Comparisons called slower or faster, by more than the margin, although none is; those of a trial are a cluster.
    pub claims: Clustered,
    /// What was found of the slowdowns that were injected, cell by cell.
    pub found: Vec<Found>,
    /// The same of all cells together.
    pub found_in_all: Vec<FoundInAll>,
    /// Comparisons of the earlier with the later of two equal launches of a block, in which p was at most 5 %.
    pub biased: Share,
}

/// One cell of the baseline against itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellTally {
    /// What was measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Trials in which the 95 % interval of the ratio excluded 1.
    pub excluded: Share,
    /// Of each trial, the logarithm of the twin's time over the baseline's.
    #[serde(skip)]
    pub twin: Vec<f64>,
    /// Of each trial, the logarithm of the later launch's time over the earlier's.
    #[serde(skip)]
    pub later: Vec<f64>,
}

/// How often a slowdown was found in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The slowdown: 0.10 is 1.10 times as long.
    pub slowdown: f64,
    /// What was measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Called different, on the right side, in its family (Holm).
    pub shown: Share,
    /// Called slower: different by more than the margin.
    pub slower: Share,
}

/// How often a slowdown was found in all cells; those of a trial are a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundInAll {
    /// The slowdown.
    pub slowdown: f64,
    /// Called different.
    pub shown: Clustered,
    /// Called slower.
    pub slower: Clustered,
}

impl Tally {
    /// Adds the baseline's twin: as a comparison, and by the order in which the two were launched.
    pub(super) fn add_twin(&mut self, report: &Report) {
        let (Some(twin), Some(baseline)) = (report.twin(), report.baseline()) else { return };
        let mut alarms = Share::default();
        for (cell, figure) in twin.figures() {
            let same = |other: &CellReport| (other.kernel, other.bytes) == (cell.kernel, cell.bytes);
            let reference = baseline.figures().find(|(other, _)| same(other)).map(|(_, figure)| figure);
            let (Some(ratio), Some(reference)) = (&figure.ratio, reference) else { continue };
            let excluded = ratio.interval.map(|interval| Share::once(!interval.contains(1.0))).unwrap_or_default();
            let later = stats::paired(&stats::log_ratios(&by_order(&figure.launches, &reference.launches)));
            alarms += excluded;
            self.biased += later.as_ref().map(|later| Share::once(later.p() <= stats::ALPHA)).unwrap_or_default();
            self.add_cell(CellTally {
                kernel: cell.kernel,
                bytes: cell.bytes,
                excluded,
                twin: vec![ratio.estimate.ln()],
                later: later.iter().map(Evidence::estimate).collect(),
            });
        }
        self.alarms += Clustered::once(alarms);
    }

    /// Adds a family in which nothing differs.
    pub(super) fn add_family<'a>(&mut self, cases: impl Iterator<Item = &'a CaseReport>) {
        let family: Vec<&Ratio> = cases.flat_map(ratios).map(|(_, ratio)| ratio).collect();
        let changed = |ratio: &&&Ratio| matches!(ratio.verdict, Verdict::Slower | Verdict::Faster);
        self.families += Share::once(family.iter().any(|ratio| ratio.shown.is_some()));
        self.claims += Clustered::once(Share { count: family.iter().filter(changed).count(), of: family.len() });
    }

    /// Adds a case that was slowed down.
    pub(super) fn add_slowed(&mut self, slowdown: f64, case: &CaseReport) {
        let mut all = [Share::default(); 2];
        for (cell, ratio) in ratios(case) {
            let [shown, slower] = [ratio.shown == Some(Side::Above), ratio.verdict == Verdict::Slower].map(Share::once);
            all.iter_mut().zip([shown, slower]).for_each(|(sum, share)| *sum += share);
            self.add_found(Found { slowdown, kernel: cell.kernel, bytes: cell.bytes, shown, slower });
        }
        let [shown, slower] = all.map(Clustered::once);
        self.add_found_in_all(FoundInAll { slowdown, shown, slower });
    }

    fn add_cell(&mut self, cell: CellTally) {
        match self.cells.iter_mut().find(|known| (known.kernel, known.bytes) == (cell.kernel, cell.bytes)) {
            Some(known) => {
                known.excluded += cell.excluded;
                known.twin.extend(cell.twin);
                known.later.extend(cell.later);
            }
            None => self.cells.push(cell),
        }
    }

    fn add_found(&mut self, found: Found) {
        let place = |found: &Found| (found.slowdown, found.kernel, found.bytes);
        match self.found.iter_mut().find(|known| place(known) == place(&found)) {
            Some(known) => {
                known.shown += found.shown;
                known.slower += found.slower;
            }
            None => self.found.push(found),
        }
    }

    fn add_found_in_all(&mut self, found: FoundInAll) {
        match self.found_in_all.iter_mut().find(|known| known.slowdown == found.slowdown) {
            Some(known) => {
                known.shown += found.shown;
                known.slower += found.slower;
            }
            None => self.found_in_all.push(found),
        }
    }

    /// Both together.
    pub(super) fn merge(mut self, other: Self) -> Self {
        other.cells.into_iter().for_each(|cell| self.add_cell(cell));
        other.found.into_iter().for_each(|found| self.add_found(found));
        other.found_in_all.into_iter().for_each(|found| self.add_found_in_all(found));
        self.alarms += other.alarms;
        self.families += other.families;
        self.claims += other.claims;
        self.biased += other.biased;
        self
    }
}

fn ratios(case: &CaseReport) -> impl Iterator<Item = (&CellReport, &Ratio)> {
    case.figures().filter_map(|(cell, figure)| Some((cell, figure.ratio.as_ref()?)))
}

/// Launches that make pairs, the later of each two over the earlier: in duets that is the one which had the second turn.
fn by_order(launches: &[LaunchFigure], others: &[LaunchFigure]) -> Vec<(f64, f64)> {
    let in_order = |(launch, other): (&LaunchFigure, &LaunchFigure)| {
        let (launched, before) = (launch.attempt, other.attempt);
        if launched > before { (launch.median, other.median) } else { (other.median, launch.median) }
    };
    pairs(launches, others).into_iter().map(in_order).collect()
}
