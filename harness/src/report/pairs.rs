//! Which launches of a run are compared with which.
//!
//! Launches made one after the other are pairs by block, those of a duet by duet. Two cases of which each took turns with the
//! baseline never met: then each is held against its own partner, and the two ratios of a block are compared. That adds the
//! luck of two more launches, and keeps out what the machine did between one duet and the other.

use crate::stats;

use super::{Figure, LaunchFigure};

/// The pairs that launches make with others.
pub(crate) fn pairs<'l>(
    launches: &'l [LaunchFigure],
    others: &'l [LaunchFigure],
) -> Vec<(&'l LaunchFigure, &'l LaunchFigure)> {
    let is_pair = |one: &LaunchFigure, other: &LaunchFigure| match (one.partner, other.partner) {
        (None, None) => one.block == other.block,
        (partner, of_other) => partner == Some(other.attempt) && of_other == Some(one.attempt),
    };
    let partner = |launch: &LaunchFigure| others.iter().find(|other| is_pair(launch, other));
    launches.iter().filter_map(|launch| Some((launch, partner(launch)?))).collect()
}

/// The logarithms of one figure's launches over another's, of launches that make pairs.
pub(crate) fn log_ratios(figure: &Figure, reference: &Figure) -> Vec<f64> {
    let pairs = pairs(&figure.launches, &reference.launches);
    stats::log_ratios(&pairs.iter().map(|(one, other)| (one.median, other.median)).collect::<Vec<_>>())
}

/// The logarithm of one figure over another of the same run, in every block in which it can be told: straight where their
/// launches make pairs, or else by what each takes over its partner of `baseline`.
pub(crate) fn by_block(figure: &Figure, reference: &Figure, baseline: Option<&Figure>) -> Vec<(u32, f64)> {
    let straight = in_blocks(figure, reference);
    let Some(baseline) = baseline.filter(|_| straight.is_empty()) else { return straight };
    let (ratios, others) = (in_blocks(figure, baseline), in_blocks(reference, baseline));
    let over = |(block, log): (u32, f64)| {
        let (_, other) = others.iter().find(|(of, _)| *of == block)?;
        Some((block, log - other))
    };
    ratios.into_iter().filter_map(over).collect()
}

fn in_blocks(figure: &Figure, reference: &Figure) -> Vec<(u32, f64)> {
    let pairs = pairs(&figure.launches, &reference.launches).into_iter();
    pairs.map(|(one, other)| (one.block, (one.median / other.median).ln())).filter(|(_, log)| log.is_finite()).collect()
}
