//! Compares every case with its reference, launch by launch within blocks.
//!
//! All figures of all compared cases are one family: each of them may be what a reader takes away. The twin is a family of
//! its own, for it is a control and nobody's finding.

use crate::stats::{self, Margin};

use super::{
    CaseReport, CellReport, CellStatus, Role,
    fields::{confounder, repetitions},
    pairs::log_ratios,
    referred,
    verdict::{Contrast, ratios},
};

/// Gives every figure whose case has a reference its ratio; says how many comparisons make up the family of the compared.
pub(super) fn judge(cases: &mut [CaseReport], margin: Margin) -> usize {
    let of_case = |case: &CaseReport| -> Vec<Option<Contrast>> {
        let reference = referred(cases, case);
        case.cells.iter().map(|cell| compare(case, cell, reference?)).collect()
    };
    let contrasts: Vec<Vec<Option<Contrast>>> = cases.iter().map(of_case).collect();
    let [_, family] = [Role::Twin, Role::Compared].map(|role| {
        let (cases, contrasts): (Vec<_>, Vec<_>) =
            cases.iter_mut().zip(&contrasts).filter(|(case, _)| case.role == role).unzip();
        let contrasts: Vec<&Option<Contrast>> = contrasts.into_iter().flatten().collect();
        let made = contrasts.iter().filter_map(|contrast| contrast.as_ref());
        let mut judged = ratios(made.clone(), margin).into_iter();
        let cells = cases.into_iter().flat_map(|case| &mut case.cells);
        for (cell, contrast) in cells.zip(&contrasts) {
            if let (CellStatus::Figure(figure), Some(_)) = (&mut cell.status, contrast) {
                figure.ratio = judged.next();
            }
        }
        made.filter(|contrast| contrast.differs.is_none()).count()
    });
    family
}

/// A cell against the reference's, where both have figures with launches in common blocks.
fn compare(case: &CaseReport, cell: &CellReport, reference: &CaseReport) -> Option<Contrast> {
    let other = reference.cell(cell.kernel, cell.bytes)?;
    let evidence = stats::paired(&log_ratios(cell.figure()?, other.figure()?))?;
    Some(Contrast { evidence, differs: confounder(case, reference).or(repetitions(cell, other)) })
}
