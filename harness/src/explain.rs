//! A run, case by case: what has no figure or is slow, why, and what helps.
//!
//! [`explain`] joins what the report found with the causes that [`diagnose`](crate::diagnose) sees in single launches. It is
//! pure: who asks brings the logs.

pub mod text;
pub mod trial;

use std::collections::BTreeMap;

use bench_app::{Bytes, Cell, Kernel};
use serde::Serialize;

use crate::{
    case::Case,
    diagnose::{About, Confidence, Finding, Known, diagnose},
    id::{AttemptId, CaseId},
    medians::Medians,
    record::{Outcome, Purpose, Record},
    report::{Report, Role, Verdict},
    store::Run,
};

/// Version of the explanation as JSON.
pub const SCHEMA: u32 = 1;

/// What is to be explained of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the campaign.
    pub campaign: String,
    /// The measuring place.
    pub site: String,
    /// Cases of the run, its probes among them.
    pub all: usize,
    /// Those that have something to explain, or the one that was asked for.
    pub cases: Vec<Explained>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// Which.
    pub id: CaseId,
    /// Mode and versions.
    pub label: String,
    /// What came out, in one sentence.
    pub answer: String,
    /// Launches that did not complete, those that ended alike together.
    pub endings: Vec<Ending>,
    /// The cells in which it is slower than the baseline, by more than the margin.
    pub slower: Vec<Cell>,
    /// Why figures may be slower than need be: of a launch that completed.
    pub findings: Vec<Shared>,
}

/// Launches of a case that ended alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// The same in words.
    pub words: String,
    /// Which launches.
    pub attempts: Vec<AttemptId>,
    /// Why, the most telling cause first: those that are seen in the first of them, or in the first that tells more.
    pub findings: Vec<Finding>,
}

/// A cause, and whether the baseline has it too: then it explains no difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shared {
    /// The cause.
    #[serde(flatten)]
    pub finding: Finding,
    /// Whether the baseline has it too.
    pub of_baseline_too: bool,
}

impl Explanation {
    /// Whether some failure or slowness has no known cause.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        let endings = self.cases.iter().flat_map(|case| &case.endings).flat_map(|ending| &ending.findings);
        let figures = self.cases.iter().flat_map(|case| &case.findings).map(|shared| &shared.finding);
        endings.chain(figures).any(|finding| finding.confidence == Confidence::Unknown)
    }

    /// The explanation as JSON, newline included.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.unwrap_or_else(|error| unreachable!("an explanation is plain data: {error}")) + "\n"
    }
}

/// No such case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no case `{word}` in this run; hint: one of {}", .known.join(", "))]
pub struct NoCase {
    /// What was asked for.
    word: String,
    /// What there is.
    known: Vec<String>,
}

/// Explains `run`, of which `report` is the report and `log` reads the logs: every case that needs it, or the one whose mode
/// or label is `wanted`.
///
/// # Errors
/// There is no such case.
pub fn explain(
    run: &Run,
    report: &Report,
    log: &dyn Fn(AttemptId) -> Vec<String>,
    wanted: Option<&str>,
) -> Result<Explanation, NoCase> {
    let reader = Reader { run, report, log, measured: measured(run), medians: Medians::of(&run.samples) };
    let all: Vec<&Case> = run.design.cases.iter().chain(&run.design.probes).collect();
    let is_wanted = |case: &&Case| wanted.is_none_or(|word| case.label() == word || case.stack.mode().name() == word);
    let chosen: Vec<&Case> = all.iter().copied().filter(is_wanted).collect();
    if let (true, Some(word)) = (chosen.is_empty(), wanted) {
        return Err(NoCase { word: word.to_owned(), known: all.iter().map(|case| case.label()).collect() });
    }
    let baseline: Vec<String> = run
        .design
        .cases
        .first()
        .map_or_else(Vec::new, |case| reader.causes(case).into_iter().map(|finding| finding.rule).collect());
    let explained = chosen.into_iter().map(|case| reader.case(case, &baseline));
    let cases = explained.filter(|case| wanted.is_some() || case.needs_words()).collect();
    Ok(Explanation {
        schema: SCHEMA,
        campaign: run.design.campaign.clone(),
        site: run.manifest.site.to_string(),
        all: all.len(),
        cases,
    })
}

impl Explained {
    fn needs_words(&self) -> bool {
        !self.endings.is_empty() || !self.slower.is_empty() || !self.findings.is_empty()
    }
}

/// What all batches of each launch took, ns.
fn measured(run: &Run) -> BTreeMap<AttemptId, u64> {
    let mut measured = BTreeMap::new();
    run.samples.iter().for_each(|sample| *measured.entry(sample.attempt).or_default() += sample.ns);
    measured
}

struct Reader<'a> {
    run: &'a Run,
    report: &'a Report,
    log: &'a dyn Fn(AttemptId) -> Vec<String>,
    measured: BTreeMap<AttemptId, u64>,
    medians: Medians,
}

impl Reader<'_> {
    fn case(&self, case: &Case, baseline: &[String]) -> Explained {
        let id = case.id();
        let compared = self.report.cases.iter().find(|known| known.id == id && known.role != Role::Twin);
        let probe = self.report.probes.iter().find(|probe| probe.id == id);
        let slower: Vec<Cell> = case.workload.cells.iter().copied().filter(|cell| self.is_slower(&id, *cell)).collect();
        let shared = |finding: Finding| {
            let of_baseline_too = self.is_compared(&id) && baseline.contains(&finding.rule);
            Shared { finding, of_baseline_too }
        };
        let mut findings: Vec<Shared> = self.causes(case).into_iter().map(shared).collect();
        // What everybody has is told once, at the baseline, unless somebody has to know why this case is slower.
        if slower.is_empty() {
            findings.retain(|shared| !shared.of_baseline_too);
        } else if findings.iter().all(|shared| shared.of_baseline_too) {
            findings.insert(0, Shared { finding: self.no_cause(&id), of_baseline_too: false });
        }
        Explained {
            label: case.label(),
            answer: compared.map(|case| &case.answer).or(probe.map(|probe| &probe.answer)).cloned().unwrap_or_default(),
            endings: self.endings(case),
            slower,
            findings,
            id,
        }
    }

    fn is_compared(&self, id: &CaseId) -> bool {
        self.report.cases.iter().any(|case| case.id == *id && case.role == Role::Compared)
    }

    fn is_slower(&self, id: &CaseId, cell: Cell) -> bool {
        let cases = self.report.cases.iter().filter(|case| case.id == *id && case.role == Role::Compared);
        cases.flat_map(|case| case.figures()).any(|(known, figure)| {
            let here = (known.kernel, known.bytes) == (cell.kernel, cell.bytes);
            here && figure.ratio.as_ref().is_some_and(|ratio| ratio.verdict == Verdict::Slower)
        })
    }

    fn endings(&self, case: &Case) -> Vec<Ending> {
        let id = case.id();
        let failed = |outcome: &Outcome| !matches!(outcome, Outcome::Completed | Outcome::Interrupted);
        let mut alike: Vec<(String, Vec<&Record>)> = Vec::new();
        for record in self.run.records.iter().filter(|record| record.case == id && failed(&record.outcome)) {
            let words = record.outcome.to_string();
            match alike.iter_mut().find(|(known, _)| *known == words) {
                Some((_, records)) => records.push(record),
                None => alike.push((words, vec![record])),
            }
        }
        let ending = |(words, records): (String, Vec<&Record>)| Ending {
            outcome: records[0].outcome.clone(),
            words,
            attempts: records.iter().map(|record| record.attempt).collect(),
            findings: self.told(case, &records),
        };
        alike.into_iter().map(ending).collect()
    }

    /// Why launches that ended alike did so, by the first of them that tells a cause: what ranks say may be lost.
    fn told(&self, case: &Case, records: &[&Record]) -> Vec<Finding> {
        let is_known = |findings: &Vec<Finding>| findings.iter().any(|f| f.confidence != Confidence::Unknown);
        let mut launches = records.iter().map(|record| self.diagnose(case, record));
        let first = launches.next().unwrap_or_default();
        if is_known(&first) { first } else { launches.find(is_known).unwrap_or(first) }
    }

    /// What slows the figures of a case, as one of its launches shows it: an analysed one where there is one.
    fn causes(&self, case: &Case) -> Vec<Finding> {
        let id = case.id();
        let whole = || self.run.records.iter().filter(|r| r.case == id && r.outcome == Outcome::Completed);
        let launch = whole().find(|record| record.purpose == Purpose::Measure).or_else(|| whole().next());
        launch.map_or_else(Vec::new, |record| self.diagnose(case, record))
    }

    fn diagnose(&self, case: &Case, record: &Record) -> Vec<Finding> {
        let log = (self.log)(record.attempt);
        let medians: Vec<(Kernel, Bytes, f64)> = record
            .cells
            .iter()
            .filter_map(|cell| Some((cell.kernel, cell.bytes, self.medians.get(record.attempt, *cell)?)))
            .collect();
        let measured_ns = self.measured.get(&record.attempt).copied().unwrap_or(0);
        diagnose(&Known { case, record, log: &log, medians: &medians, measured_ns })
    }

    /// That no rule knows why a case is slower, and in what its launches differ from the baseline's.
    fn no_cause(&self, id: &CaseId) -> Finding {
        let case = self.report.cases.iter().find(|case| case.id == *id && case.role == Role::Compared);
        let differences = case.zip(self.report.baseline()).map_or_else(Vec::new, |(case, baseline)| {
            let of = |case: &crate::report::CaseReport| {
                let seen = case.seen.clone();
                [seen.libraries, seen.placement, seen.isolation, seen.transport].map(|words| words.join(" or "))
            };
            let names = ["library", "placement", "ranks of a node", "messages through"];
            let pairs = names.into_iter().zip(of(case).into_iter().zip(of(baseline)));
            let differ = pairs.filter(|(_, (here, there))| here != there);
            differ.map(|(name, (here, there))| format!("{name}: {here}; baseline: {there}")).collect()
        });
        let evidence = if differences.is_empty() {
            vec!["its launches found the same around them as the baseline's".to_owned()]
        } else {
            differences
        };
        Finding {
            rule: "unknown".into(),
            about: About::Speed,
            short: "cause unknown".into(),
            cause: "No rule knows why it is slower; what differs from the baseline's launches is below.".into(),
            confidence: Confidence::Unknown,
            evidence,
            remedies: Vec::new(),
            reference: String::new(),
        }
    }
}
