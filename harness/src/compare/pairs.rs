//! From operands to compared cases.

use crate::{
    decision::Pairs,
    report::{
        CaseReport, CellReport, CellStatus, Field, Figure, LEVEL, Report, Role,
        answer::{self, Place},
        fields::{confounder, repetitions},
        pairs::{by_block, log_ratios},
        units,
        verdict::{Contrast, ratios},
    },
    stats::{self, ALPHA, Margin, Method},
};

use super::{CellPair, CompareError, Comparison, Measured, Outcome, Pair, Penalty, SCHEMA, Side, facts};

/// A run that is compared, or a case of it.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The run.
    pub report: &'a Report,
    /// The case: its mode, or mode and versions. Without one, every case that the reference has too.
    pub case: Option<&'a str>,
}

/// A case and its run.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    operand: &'a Operand<'a>,
    pub(super) case: &'a CaseReport,
}

/// Two cases of which one is compared with the other.
#[derive(Clone, Copy)]
pub(super) struct Match<'a> {
    pub(super) reference: Chosen<'a>,
    pub(super) compared: Chosen<'a>,
    /// Which of the other operands, from 0.
    number: usize,
}

/// Compares every other operand with `reference`. `margin` replaces that of the reference's campaign.
///
/// # Errors
/// A case that is not there, or nothing to compare.
pub fn compare(
    reference: &Operand<'_>,
    others: &[Operand<'_>],
    margin: Option<Margin>,
) -> Result<Comparison, CompareError> {
    let matches: Vec<Vec<Match<'_>>> = others
        .iter()
        .enumerate()
        .map(|(number, other)| matching(reference, other, number))
        .collect::<Result<_, _>>()?;
    let matches = matches.concat();
    let margin = margin.unwrap_or(reference.report.margin);
    let drafts: Vec<Vec<Draft>> = matches.iter().map(draft).collect();
    let judged = |contrast: fn(&Draft) -> Option<&Contrast>| {
        ratios(drafts.iter().flatten().filter_map(contrast), margin).into_iter()
    };
    let mut of_figures = judged(|draft| draft.contrast.as_ref());
    let mut of_penalties = judged(|draft| draft.penalty.as_ref().map(|penalty| &penalty.contrast));
    let family = of_figures.as_slice().iter().filter(|ratio| ratio.adjusted_p.is_some()).count();
    let finish = |draft: &Draft| CellPair {
        ratio: draft.contrast.as_ref().and_then(|_| of_figures.next()),
        penalty: draft.penalty.as_ref().and_then(|draft| {
            Some(Penalty { reference: draft.reference, compared: draft.compared, ratio: of_penalties.next()? })
        }),
        ..draft.cell.clone()
    };
    let cells: Vec<CellPair> = drafts.iter().flatten().map(finish).collect();
    let mut cells = cells.into_iter();
    let pair = |(found, drafts): (&Match<'_>, &Vec<Draft>)| {
        let cells = cells.by_ref().take(drafts.len()).collect();
        pair(found, cells, margin)
    };
    let pairs: Vec<Pair> = matches.iter().zip(&drafts).map(pair).collect();
    let outcome = pairs.iter().flat_map(|pair| &pair.cells).map(CellPair::outcome).max();
    Ok(Comparison {
        schema: SCHEMA,
        level: LEVEL,
        margin,
        family,
        facts: facts::differences(reference, others, &matches),
        notes: notes(&matches, &pairs, family),
        pairs,
        outcome: outcome.unwrap_or(Outcome::Undecided),
    })
}

/// The cases of `other` that are compared, each with its reference.
fn matching<'a>(
    reference: &'a Operand<'a>,
    other: &'a Operand<'a>,
    number: usize,
) -> Result<Vec<Match<'a>>, CompareError> {
    let found = |a: &'a CaseReport, b: &'a CaseReport| Match {
        reference: Chosen { operand: reference, case: a },
        compared: Chosen { operand: other, case: b },
        number,
    };
    match (reference.case, other.case) {
        (Some(a), Some(b)) => Ok(vec![found(find(reference, a)?, find(other, b)?)]),
        (None, None) => {
            let once = |operand: &'a Operand<'a>| operand.report.cases.iter().filter(|case| case.role != Role::Twin);
            let same = |a: &'a CaseReport| once(other).find(|b| a.label == b.label).map(|b| found(a, b));
            let matches: Vec<Match<'_>> = once(reference).filter_map(same).collect();
            let nothing = || CompareError::NothingInCommon {
                run: other.name.to_owned(),
                reference: reference.name.to_owned(),
                known: known(reference),
            };
            if matches.is_empty() { Err(nothing()) } else { Ok(matches) }
        }
        (Some(_), None) | (None, Some(_)) => {
            Err(CompareError::Mixed { run: other.name.to_owned(), reference: reference.name.to_owned() })
        }
    }
}

/// The case that a word names: by its name or label, or by its mode where only one case has it.
fn find<'a>(operand: &Operand<'a>, word: &str) -> Result<&'a CaseReport, CompareError> {
    let cases = &operand.report.cases;
    let named = cases.iter().find(|case| case.name == word || case.label == word);
    let mut of_mode = cases.iter().filter(|case| case.role != Role::Twin && case.mode.name() == word);
    let only = of_mode.next().filter(|_| of_mode.next().is_none());
    named.or(only).ok_or_else(|| CompareError::NoCase {
        run: operand.name.to_owned(),
        case: word.to_owned(),
        known: known(operand),
    })
}

fn known(operand: &Operand<'_>) -> String {
    operand.report.cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Match<'_> {
    /// Whether both are of one run, so that launches make pairs.
    pub(super) fn is_paired(&self) -> bool {
        let [a, b] = [self.reference, self.compared].map(|chosen| chosen.operand.report);
        (&a.site, &a.started, &a.design) == (&b.site, &b.started, &b.design)
    }

    /// Whether both took turns with the baseline, and not with each other.
    fn never_met(&self) -> bool {
        let cases = [self.reference.case, self.compared.case];
        let in_duets = self.is_paired() && self.reference.operand.report.pairs == Pairs::Duet;
        in_duets && cases.iter().all(|case| case.role != Role::Baseline)
    }
}

/// A cell whose ratios wait for their families.
struct Draft {
    cell: CellPair,
    contrast: Option<Contrast>,
    penalty: Option<PenaltyDraft>,
}

struct PenaltyDraft {
    reference: f64,
    compared: f64,
    contrast: Contrast,
}

fn draft(found: &Match<'_>) -> Vec<Draft> {
    let (a, b) = (found.reference.case, found.compared.case);
    let mut places: Vec<_> = a.cells.iter().chain(&b.cells).map(|cell| (cell.kernel, cell.bytes)).collect();
    places.sort_unstable();
    places.dedup();
    let draft = |(kernel, bytes)| {
        let (reference, compared) = (a.cell(kernel, bytes), b.cell(kernel, bytes));
        let both = reference.zip(compared);
        Draft {
            cell: CellPair {
                kernel,
                bytes,
                reference: measured(reference),
                compared: measured(compared),
                ratio: None,
                penalty: None,
            },
            contrast: both.and_then(|cells| contrast(found, cells)),
            penalty: both.and_then(|cells| penalty(found, cells)),
        }
    };
    places.into_iter().map(draft).collect()
}

fn measured(cell: Option<&CellReport>) -> Measured {
    match cell.map(|cell| &cell.status) {
        Some(CellStatus::Figure(figure)) => Measured::Figure { time: figure.time.clone(), rate: figure.rate.clone() },
        Some(CellStatus::Failed { outcome, .. }) => Measured::Failed { outcome: outcome.to_string() },
        Some(CellStatus::Ran) | None => Measured::Absent,
    }
}

/// The times of two cells against each other.
fn contrast(found: &Match<'_>, (reference, compared): (&CellReport, &CellReport)) -> Option<Contrast> {
    let (a, b) = (reference.figure()?, compared.figure()?);
    let evidence = if found.is_paired() {
        let baseline = found.reference.operand.report.baseline();
        let baseline = baseline.and_then(|case| case.cell(reference.kernel, reference.bytes)?.figure());
        stats::paired(&by_block(b, a, baseline).into_iter().map(|(_, log)| log).collect::<Vec<_>>())
    } else {
        stats::unpaired(&logs(b), &logs(a))
    };
    let differs = confounder(found.reference.case, found.compared.case).or(repetitions(reference, compared));
    Some(Contrast { evidence: evidence?, differs })
}

fn logs(figure: &Figure) -> Vec<f64> {
    figure.launches.iter().map(|launch| launch.median.ln()).filter(|log| log.is_finite()).collect()
}

/// What either case loses against what its own run compares it with, there against here.
fn penalty(found: &Match<'_>, cells: (&CellReport, &CellReport)) -> Option<PenaltyDraft> {
    if found.is_paired() {
        return None;
    }
    let [a_reference, b_reference] =
        [found.reference, found.compared].map(|chosen| chosen.operand.report.reference(chosen.case));
    let (a_reference, b_reference) = (a_reference?, b_reference?);
    // What a matrix holds a mismatch against is the same mode: that ratio and one over native say different things.
    if a_reference.mode != b_reference.mode {
        return None;
    }
    let (a, a_differs) = own_penalty(found.reference.case, a_reference, cells.0)?;
    let (b, b_differs) = own_penalty(found.compared.case, b_reference, cells.1)?;
    let between = confounder(found.reference.case, found.compared.case).or(repetitions(cells.0, cells.1));
    let centre = |logs: &[f64]| stats::hodges_lehmann(logs).map(f64::exp);
    Some(PenaltyDraft {
        reference: centre(&a)?,
        compared: centre(&b)?,
        contrast: Contrast { evidence: stats::unpaired(&b, &a)?, differs: between.or(a_differs).or(b_differs) },
    })
}

/// The log ratios of a cell of `case` to its reference, and the fact that forbids to compare them.
fn own_penalty(case: &CaseReport, reference: &CaseReport, cell: &CellReport) -> Option<(Vec<f64>, Option<Field>)> {
    let other = Some(reference).filter(|_| case.role == Role::Compared)?.cell(cell.kernel, cell.bytes)?;
    let differs = confounder(case, reference).or(repetitions(cell, other));
    Some((log_ratios(cell.figure()?, other.figure()?), differs))
}

fn pair(found: &Match<'_>, cells: Vec<CellPair>, margin: Margin) -> Pair {
    let paired = found.is_paired();
    let letter = |number: usize| char::from(b'A' + u8::try_from(number % 26).unwrap_or(0)).to_string();
    let side = |chosen: Chosen<'_>, number: usize| Side {
        name: if paired { chosen.case.name.clone() } else { letter(number) },
        run: chosen.operand.name.to_owned(),
        started: chosen.operand.report.started.clone(),
        case: chosen.case.label.clone(),
    };
    let (reference, compared) = (side(found.reference, 0), side(found.compared, found.number + 1));
    let answer = answer(&cells, &reference.name, margin);
    Pair { reference, compared, paired, answer, cells }
}

/// What came out, in one sentence.
fn answer(cells: &[CellPair], reference: &str, margin: Margin) -> String {
    let places = cells
        .iter()
        .filter_map(|cell| Some(Place { kernel: cell.kernel, bytes: cell.bytes, ratio: cell.ratio.as_ref()? }));
    let mut parts = answer::differences(&places.collect::<Vec<_>>(), reference, margin);
    let mut others: Vec<(String, Vec<String>)> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.ratio.is_none()) {
        let (words, place) = (cell.words(margin), units::place(cell.kernel, cell.bytes));
        match others.iter_mut().find(|(known, _)| *known == words) {
            Some((_, places)) => places.push(place),
            None => others.push((words, vec![place])),
        }
    }
    parts.extend(others.into_iter().map(|(words, places)| format!("{words} at {}", places.join(", "))));
    if parts.is_empty() { "nothing measured".to_owned() } else { parts.join("; ") }
}

fn notes(matches: &[Match<'_>], pairs: &[Pair], family: usize) -> Vec<String> {
    let never_met = matches.iter().any(Match::never_met).then(|| {
        "Cases that took turns with the baseline, and not with each other, are compared by what each takes over its own \
         partner."
            .to_owned()
    });
    let unpaired = pairs.iter().any(|pair| !pair.paired).then(|| {
        "Runs share no blocks: whatever changed on the machine between them is part of every ratio. Penalties are free of \
         what slows the baseline down alike."
            .to_owned()
    });
    let too_few = pairs.iter().find_map(|pair| {
        let method = if pair.paired { Method::SignedRank } else { Method::RankSum };
        let fewest = method.fewest(ALPHA / family.max(1) as f64);
        let k = pair.cells.iter().filter_map(|cell| cell.ratio.as_ref()).map(|ratio| ratio.k).max()?;
        let each = if pair.paired { "" } else { " on each side" };
        (k < fewest).then(|| {
            format!(
                "With {k} launches{each} no difference can be shown among {family} comparisons: that takes {fewest}."
            )
        })
    });
    unpaired.into_iter().chain(never_met).chain(too_few).collect()
}
