//! What reports of trials say, counted.

use bench_app::{Bytes, Kernel};
use serde::{Deserialize, Serialize};

use crate::{
    report::{CaseReport, CellReport, LaunchFigure, Ratio, Report, Verdict},
    stats::{self, Share, Side},
};

/// Counts over trials.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Of each cell, the trials in which the interval of the baseline's twin excluded 1.
    pub cells: Vec<CellTally>,
    /// Families in which any comparison was called different (Holm) although none is.
    pub families: Share,
    /// Families in which any comparison was called slower or faster, by more than the margin, although none is.
    pub changed: Share,
    /// What was found of the slowdowns that were injected.
    pub found: Vec<Found>,
    /// Comparisons of the earlier with the later of two equal launches of a block, in which p was at most 5 %.
    pub biased: Share,
    /// How many times as long the later one took, a figure a comparison.
    #[serde(skip)]
    pub later: Vec<f64>,
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

impl Tally {
    /// Adds the baseline's twin: as a comparison, and by the order in which the two were launched.
    pub(super) fn add_twin(&mut self, report: &Report) {
        let (Some(twin), Some(baseline)) = (report.twin(), report.baseline()) else { return };
        for (cell, ratio) in ratios(twin) {
            if let Some(interval) = ratio.interval {
                self.add_cell(CellTally {
                    kernel: cell.kernel,
                    bytes: cell.bytes,
                    excluded: Share::once(!interval.contains(1.0)),
                });
            }
        }
        for (cell, figure) in twin.figures() {
            let same = |other: &CellReport| (other.kernel, other.bytes) == (cell.kernel, cell.bytes);
            let reference = baseline.figures().find(|(other, _)| same(other)).map(|(_, figure)| figure);
            let pairs = reference.map(|reference| by_order(&figure.launches, &reference.launches));
            if let Some(evidence) = stats::paired(&stats::log_ratios(&pairs.unwrap_or_default())) {
                self.later.push(evidence.estimate().exp());
                self.biased += Share::once(evidence.p() <= stats::ALPHA);
            }
        }
    }

    /// Adds a family in which nothing differs.
    pub(super) fn add_family<'a>(&mut self, cases: impl Iterator<Item = &'a CaseReport>) {
        let family: Vec<&Ratio> = cases.flat_map(ratios).map(|(_, ratio)| ratio).collect();
        let changed = |ratio: &&Ratio| matches!(ratio.verdict, Verdict::Slower | Verdict::Faster);
        self.families += Share::once(family.iter().any(|ratio| ratio.shown.is_some()));
        self.changed += Share::once(family.iter().any(changed));
    }

    /// Adds a case that was slowed down.
    pub(super) fn add_slowed(&mut self, slowdown: f64, case: &CaseReport) {
        for (cell, ratio) in ratios(case) {
            self.add_found(Found {
                slowdown,
                kernel: cell.kernel,
                bytes: cell.bytes,
                shown: Share::once(ratio.shown == Some(Side::Above)),
                slower: Share::once(ratio.verdict == Verdict::Slower),
            });
        }
    }

    fn add_cell(&mut self, cell: CellTally) {
        match self.cells.iter_mut().find(|known| (known.kernel, known.bytes) == (cell.kernel, cell.bytes)) {
            Some(known) => known.excluded += cell.excluded,
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

    /// Both together.
    pub(super) fn merge(mut self, other: Self) -> Self {
        other.cells.into_iter().for_each(|cell| self.add_cell(cell));
        other.found.into_iter().for_each(|found| self.add_found(found));
        self.families += other.families;
        self.changed += other.changed;
        self.biased += other.biased;
        self.later.extend(other.later);
        self
    }
}

fn ratios(case: &CaseReport) -> impl Iterator<Item = (&CellReport, &Ratio)> {
    case.figures().filter_map(|(cell, figure)| Some((cell, figure.ratio.as_ref()?)))
}

/// Launches of the same blocks, the later of each two over the earlier.
fn by_order(launches: &[LaunchFigure], others: &[LaunchFigure]) -> Vec<(f64, f64)> {
    let pair = |launch: &LaunchFigure| {
        let other = others.iter().find(|other| other.block == launch.block)?;
        let pair = (launch.median, other.median);
        Some(if launch.attempt > other.attempt { pair } else { (pair.1, pair.0) })
    };
    launches.iter().filter_map(pair).collect()
}
