//! What a campaign will cost, before it runs: roughly, for its launches have not been timed yet.

use std::fmt;

use crate::{
    record::Design,
    stats::{self, Method},
};

use super::{Runs, block};

/// From the start of a launch to its first visit, and from its last visit to its end, s: what launchers, containers and
/// `MPI_Init` take. Seen: 1.1 to 1.3 s in every mode of Open MPI 4.1; `MPI_Init` of 5.0 takes up to a second more.
const START_S: f64 = 1.2;
/// The same without libfabric: 0.2 to 0.6 s in every mode of both series.
const WITHOUT_FABRIC_S: f64 = 0.5;
/// Warm-up, the pass that checks payloads and the one for tails take about as long as the visits themselves.
const VISITS: f64 = 2.0;

/// Launches and time, at least and at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Launches, where none fails.
    pub launches: [usize; 2],
    /// Time, s.
    pub seconds: [f64; 2],
    /// Nodes that are held for all of it.
    pub nodes: u32,
}

/// What `design` will cost.
#[must_use]
pub fn estimate(design: &Design) -> Estimate {
    let least = design.decision.precision.map_or(design.blocks, |_| design.decision.first_look.min(design.blocks));
    let of = |blocks: u32| {
        let numbers = (0..=blocks).chain([design.blocks + 1]);
        let launches: Vec<_> = numbers.flat_map(|number| block(design, number)).collect();
        (launches.len(), launches.iter().map(seconds).sum::<f64>())
    };
    let (fewest, shortest) = of(least);
    let (most, longest) = of(design.blocks);
    // How long a program takes only its own launches tell, and its deadline.
    let own = |blocks: u32| {
        let numbers = (0..=blocks).chain([design.blocks + 1]);
        let launches = numbers.flat_map(|number| block(design, number)).filter(|launch| launch.runs == Runs::Program);
        launches.count() as f64 * design.limits.total_s
    };
    let longest = longest + own(design.blocks);
    let budget = design.decision.budget_min.map_or(f64::INFINITY, |minutes| minutes * 60.0);
    let nodes = design.nodes();
    Estimate { launches: [fewest, most], seconds: [shortest.min(budget), longest.min(budget)], nodes }
}

fn seconds(launch: &super::Launch<'_>) -> f64 {
    let workload = &launch.case.workload;
    let visits = workload.cells.len() as f64 * f64::from(workload.rounds.get());
    let mca = &launch.case.settings.mca;
    let without = ["btl", "mtl"].iter().all(|kind| mca.get(*kind).is_some_and(|value| value == "^ofi"));
    let start = if without { WITHOUT_FABRIC_S } else { START_S };
    // Those that take turns start together.
    let start = if launch.partner.is_some() { start / 2.0 } else { start };
    start + VISITS * visits * f64::from(workload.visit_ms) * 1e-3
}

/// Comparisons that a design decides together.
fn family(design: &Design) -> usize {
    design.cases.iter().skip(1).map(|case| case.workload.cells.len()).sum()
}

/// The fewest blocks that can show a difference in the family of a design.
#[must_use]
pub fn fewest_blocks(design: &Design) -> usize {
    Method::SignedRank.fewest(stats::ALPHA / family(design).max(1) as f64)
}

/// Blocks with which this design could show no difference at all, in words.
fn in_vain(design: &Design) -> Option<String> {
    let (family, blocks, fewest) = (family(design), design.blocks, fewest_blocks(design));
    let words = || format!("{blocks} blocks can show no difference among {family} comparisons: that takes {fewest}");
    ((blocks as usize) < fewest && family > 0).then(words)
}

/// What makes a design's precision stop nothing, if it is so: a campaign is refused for that, while `--blocks` may well ask for
/// a few of them on trial.
fn unheeded(design: &Design) -> Option<String> {
    let (blocks, first) = (design.blocks, design.decision.first_look);
    design.decision.never_looks(blocks).then(|| {
        format!("{blocks} blocks end before the first look at precision, which takes first_look = {first}: --blocks {first} or more")
    })
}

/// What should be known before a design is launched, a line each.
#[must_use]
pub fn doubts(design: &Design) -> Vec<String> {
    in_vain(design).into_iter().chain(unheeded(design)).collect()
}

/// `about 2 min, 0.04 node-hours`.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [shortest, longest] = self.seconds;
        let hours = longest / 3600.0 * f64::from(self.nodes);
        if longest - shortest < 1.0 {
            write!(f, "about {}, {hours:.2} node-hours", duration(longest))
        } else {
            write!(f, "about {} to {}, at most {hours:.2} node-hours", duration(shortest), duration(longest))
        }
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
