//! What to type at this site: of all that a run measured in containers, the case that costs least, what it costs beside
//! `native`, what is as good as can be told, and what is out of the question.
//!
//! A case's cost is one number a block: the mean over all kernels and sizes of the logarithm of its time over native's, so
//! each kernel and size weighs the same. Launches make the pairs that they make in the report (`by_block`). A case that
//! fails anywhere is not recommended, however fast it is elsewhere.

pub mod place;
mod shell;
pub mod text;

use std::collections::BTreeMap;

use bench_app::{Bytes, Kernel};
use serde::Serialize;

use crate::{
    case::{Case, Environment, Mode, Stack, Within},
    command::CommandSpec,
    compose::{self, Ground},
    id::SiteId,
    record::Design,
    report::{
        CaseReport, CellStatus, Ratio, Report, Role, Verdict,
        fields::confounder,
        pairs::by_block,
        verdict::{Contrast, ratios},
    },
    stats,
};
use place::Place;

/// What to type, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The measuring place.
    pub site: SiteId,
    /// Name of the campaign.
    pub campaign: String,
    /// The relative difference that matters, %.
    pub margin_percent: f64,
    /// How far it is decided.
    pub outcome: Outcome,
    /// What to type; none where nothing can be recommended.
    pub choice: Option<Choice>,
    /// What was not shown to be worse than the choice, the least costly first.
    pub alike: Vec<Other>,
    /// What was shown to be worse, the least costly first.
    pub worse: Vec<Other>,
    /// What fails or must not be compared, in the design's order.
    pub ruled_out: Vec<RuledOut>,
}

/// How far a recommendation is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing else that works can be faster by as much as the margin.
    Decided,
    /// Something else may be.
    Undecided,
    /// Nothing can be recommended.
    Nothing,
}

/// The case that is recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// Mode and versions.
    pub label: String,
    /// Its mode.
    pub mode: Mode,
    /// What to type around a program of one's own, in this order: `IMG` is the image, `./app` the program.
    pub commands: Vec<String>,
    /// What `IMG` has to be like.
    pub image: Option<String>,
    /// What it is compared with.
    pub native: String,
    /// Time over native's.
    pub cost: Ratio,
    /// Where it comes off worst: the largest time over native's, at one kernel and size.
    pub worst: Option<Worst>,
    /// Kernels and sizes that it rests on.
    pub figures: usize,
}

/// A figure of the recommended case.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Worst {
    /// What is measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Time over native's.
    pub estimate: f64,
}

/// Another case that works.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Other {
    /// Mode and versions.
    pub label: String,
    /// Time over the recommended case's.
    pub ratio: Ratio,
}

/// A case that is out of the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuledOut {
    /// Mode and versions.
    pub label: String,
    /// How it failed, or what forbids a comparison.
    pub why: String,
}

/// What the report of `design` recommends, as it is typed at `place`.
#[must_use]
pub fn recommend(report: &Report, design: &Design, place: &Place) -> Recommendation {
    let in_containers = report.cases.iter().filter(|c| c.role != Role::Twin && c.mode.row().within != Within::Nothing);
    let mut ruled_out: Vec<RuledOut> = Vec::new();
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for case in in_containers {
        match candidate(report, design, case) {
            Ok(candidate) => candidates.push(candidate),
            Err(why) => ruled_out.push(RuledOut { label: case.label.clone(), why }),
        }
    }
    let failed = report.probes.iter().filter(|p| p.cells.iter().any(|c| matches!(c.status, CellStatus::Failed { .. })));
    ruled_out.extend(failed.map(|probe| RuledOut { label: probe.label.clone(), why: probe.answer.clone() }));
    let (choice, alike, worse) = chosen(report, &candidates, place);
    // What is slower than the choice, or at least not faster by what matters, cannot overturn it.
    let open = |other: &Other| match other.ratio.verdict {
        Verdict::Slower | Verdict::Equivalent | Verdict::BelowMargin => false,
        Verdict::Faster | Verdict::NotComparable => true,
        Verdict::Undecided => other.ratio.interval.is_none_or(|interval| interval.lo.ln() < -report.margin.log()),
    };
    let outcome = match &choice {
        None => Outcome::Nothing,
        Some(_) if alike.iter().any(open) => Outcome::Undecided,
        Some(choice) if choice.cost.interval.is_none() => Outcome::Undecided,
        Some(_) => Outcome::Decided,
    };
    Recommendation {
        site: report.site.clone(),
        campaign: report.campaign.clone(),
        margin_percent: report.margin.percent(),
        outcome,
        choice,
        alike,
        worse,
        ruled_out,
    }
}

/// A case that works wherever its native case does.
struct Candidate<'r> {
    report: &'r CaseReport,
    case: &'r Case,
    /// `native` of the version that its ranks load, else the report's first.
    native: &'r CaseReport,
    /// The logarithm of its cost over native's, block by block.
    cost: Vec<f64>,
    /// The same over the baseline's of the run, whichever native it belongs to, as one number.
    beside_all: f64,
}

fn candidate<'r>(report: &'r Report, design: &'r Design, case: &'r CaseReport) -> Result<Candidate<'r>, String> {
    let failed = case.cells.iter().find_map(|cell| match &cell.status {
        CellStatus::Failed { outcome, .. } => Some(outcome.to_string()),
        CellStatus::Ran => Some("works, but is not measured".to_owned()),
        CellStatus::Figure(_) => None,
    });
    if let Some(why) = failed {
        return Err(why);
    }
    let parts = design.cases.iter().find(|other| other.id() == case.id).ok_or("is not part of the design")?;
    let native = native_of(report, case).ok_or("there is no native case to compare it with")?;
    if let Some(field) = confounder(case, native) {
        return Err(format!("not comparable with {}: {} differs", native.label, field.words()));
    }
    let cost = over(report, case, native);
    if cost.is_empty() {
        return Err(format!("no figures in common with {}", native.label));
    }
    let beside = report.baseline().map(|baseline| over(report, case, baseline)).unwrap_or_default();
    let beside_all = stats::hodges_lehmann(&beside).unwrap_or(0.0);
    Ok(Candidate { report: case, case: parts, native, cost, beside_all })
}

/// `native` of the version that the ranks of `case` load, else the first there is.
fn native_of<'r>(report: &'r Report, case: &CaseReport) -> Option<&'r CaseReport> {
    let loaded = case.image.as_ref().or(case.host.as_ref());
    let natives = || report.cases.iter().filter(|other| other.mode == Mode::Native && other.role != Role::Twin);
    natives().find(|native| native.host.as_ref() == loaded).or_else(|| natives().next())
}

/// The logarithm of one case's cost over another's, in every block in which all its cells can be told; none where one of them
/// has no counterpart.
fn over<'r>(report: &'r Report, case: &CaseReport, other: &'r CaseReport) -> Vec<f64> {
    let baseline = report.baseline();
    let mut blocks: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (cell, figure) in case.figures() {
        let figure_of = |case: &'r CaseReport| case.cell(cell.kernel, cell.bytes)?.figure();
        let Some(reference) = figure_of(other) else { return Vec::new() };
        for (block, log) in by_block(figure, reference, baseline.and_then(figure_of)) {
            blocks.entry(block).or_default().push(log);
        }
    }
    let cells = case.figures().count();
    let whole = blocks.into_values().filter(|logs| logs.len() == cells);
    whole.map(|logs| logs.iter().sum::<f64>() / cells as f64).collect()
}

/// The choice, what is not shown to be worse, and what is.
fn chosen(report: &Report, candidates: &[Candidate<'_>], place: &Place) -> (Option<Choice>, Vec<Other>, Vec<Other>) {
    let beside = |best: &Candidate<'_>| -> Vec<(usize, Ratio)> {
        let others = candidates.iter().enumerate().filter(|(_, other)| !std::ptr::eq(*other, best));
        let contrasts: Vec<(usize, Contrast)> =
            others.filter_map(|(at, other)| Some((at, contrast(report, other, best)?))).collect();
        let judged = ratios(contrasts.iter().map(|(_, contrast)| contrast), report.margin);
        contrasts.iter().map(|(at, _)| *at).zip(judged).collect()
    };
    let Some(fastest) = candidates.iter().min_by(|a, b| a.beside_all.total_cmp(&b.beside_all)) else {
        return (None, Vec::new(), Vec::new());
    };
    // Of those that are the same for sure, the one that is the least to type and to mind.
    let same = beside(fastest)
        .into_iter()
        .filter(|(_, ratio)| matches!(ratio.verdict, Verdict::Equivalent | Verdict::BelowMargin));
    let same = same.map(|(at, _)| &candidates[at]).chain([fastest]);
    let best = same.min_by_key(|candidate| trouble(candidate)).unwrap_or(fastest);
    let label = |at: usize| candidates[at].report.label.clone();
    let mut others: Vec<Other> =
        beside(best).into_iter().map(|(at, ratio)| Other { label: label(at), ratio }).collect();
    others.sort_by(|a, b| a.ratio.estimate.total_cmp(&b.ratio.estimate));
    let (worse, alike) = others.into_iter().partition(|other| other.ratio.verdict == Verdict::Slower);
    (choice(report, best, place), alike, worse)
}

/// One candidate over another, block by block.
fn contrast(report: &Report, candidate: &Candidate<'_>, best: &Candidate<'_>) -> Option<Contrast> {
    let logs = over(report, candidate.report, best.report);
    let same = candidate.report.cells.len() == best.report.cells.len();
    Some(Contrast {
        evidence: stats::paired(&logs).filter(|_| same)?,
        differs: confounder(candidate.report, best.report),
    })
}

/// What a user has to mind, the least first: versions that differ, more than one command, an image for one node only.
fn trouble(candidate: &Candidate<'_>) -> (bool, u8) {
    let differ = candidate.report.image.is_some()
        && candidate.report.host.is_some()
        && candidate.report.host != candidate.report.image;
    let steps = match candidate.report.mode {
        Mode::Native | Mode::Hybrid => 0,
        Mode::HybridSharens => 1,
        Mode::Bind => 2,
        Mode::HybridInstance => 3,
        // It cannot leave its node.
        Mode::Embedded => 4,
    };
    (differ, steps)
}

fn choice(report: &Report, best: &Candidate<'_>, place: &Place) -> Option<Choice> {
    let evidence = stats::paired(&best.cost)?;
    let contrast = Contrast { evidence, differs: None };
    let cost = ratios(std::iter::once(&contrast), report.margin).into_iter().next()?;
    let (commands, image) = typed(best.case, place);
    let worst = best.report.figures().filter_map(|(cell, figure)| {
        let theirs = best.native.cell(cell.kernel, cell.bytes)?.figure()?;
        let baseline = report.baseline().and_then(|case| case.cell(cell.kernel, cell.bytes)?.figure());
        let logs: Vec<f64> = by_block(figure, theirs, baseline).into_iter().map(|(_, log)| log).collect();
        let estimate = stats::hodges_lehmann(&logs)?.exp();
        Some(Worst { kernel: cell.kernel, bytes: cell.bytes, estimate })
    });
    Some(Choice {
        label: best.report.label.clone(),
        mode: best.report.mode,
        commands,
        image,
        native: best.native.label.clone(),
        cost,
        worst: worst.max_by(|a, b| a.estimate.total_cmp(&b.estimate)),
        figures: best.report.figures().count(),
    })
}

/// The commands of a case around a program of one's own, and what its image must be like.
fn typed(case: &Case, place: &Place) -> (Vec<String>, Option<String>) {
    let mut case = case.clone();
    let image =
        match &mut case.stack {
            Stack::Native { .. } => None,
            Stack::Embedded { image } | Stack::Hybrid { image, .. } | Stack::Bind { image, .. } => {
                image.path = "IMG".into();
                Some(image.mpi.as_ref().map_or_else(
                    || "needs no MPI of its own".to_owned(),
                    |mpi| format!("holds Open MPI {}", mpi.version),
                ))
            }
        };
    let overrules = matches!(case.stack, Stack::Hybrid { .. }) && case.settings.environment == Environment::Clean;
    // What was measured raw needs no flag to be so in an image that nobody has prepared.
    case.settings.environment = Environment::default();
    let hint = "and overrules the prefixes that the host's mpirun leaks (sifbench's images do; with others, put `env -u \
                OPAL_PREFIX -u PMIX_PREFIX -u PMIX_INSTALL_PREFIX -u PRTE_PREFIX` before the last `apptainer`)";
    let image = image.map(|words| if overrules { format!("{words}, {hint}") } else { words });
    let nodes = place.nodes(&case);
    let ground = Ground { runtime: place.runtime(), nodes: &nodes, instance: "NAME", gate: None };
    // What was measured can be composed.
    let Ok(commands) = compose::around(&case, &|_| CommandSpec::new("./app"), &ground) else {
        return (Vec::new(), image);
    };
    let (before, after) = commands.instance.map_or_else(Default::default, |instance| instance.to_lines());
    let setup = case.stack.host().and_then(|host| place.setup(&host.mpi.version)).into_iter().collect();
    let lines = [setup, before, vec![commands.launch.to_string()], after].concat();
    (lines.iter().map(|line| shell::typed(line)).collect(), image)
}
