//! Why a launch failed, or is slow: rules over what it told, each with its evidence.
//!
//! A rule is a row of [`rules::all`]: signs that must all be seen, the cause that follows, how sure that is, and what
//! helps. Nothing here reads or writes; who asks brings the launch. A cause is *proven* where the evidence is the fact
//! itself, *likely* where it is what is usually said then, and a *guess* where the same signs have other causes too.

pub mod remedy;
pub mod rules;
pub mod said;
mod sign;

use std::borrow::Cow;

use bench_app::{Bytes, Kernel};
use serde::{Deserialize, Serialize};

use crate::{
    case::Case,
    record::{Outcome, Record, plain},
};
use remedy::{Advice, Remedy};
pub use sign::Sign;

/// What is known of one launch.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What was to be launched.
    pub case: &'a Case,
    /// What came of it.
    pub record: &'a Record,
    /// Every line of its logs that is no frame; empty where they have not been read: then [`Record::said`] must do.
    pub log: &'a [String],
    /// Its medians, ns an operation.
    pub medians: &'a [(Kernel, Bytes, f64)],
    /// What all its batches took together, ns; 0 where that is not known.
    pub measured_ns: u64,
}

impl<'a> Known<'a> {
    /// What the record alone tells.
    #[must_use]
    pub fn of(case: &'a Case, record: &'a Record) -> Self {
        Self { case, record, log: &[], medians: &[], measured_ns: 0 }
    }

    /// What was said, and why nothing was started where that is so.
    fn lines(&self) -> impl Iterator<Item = Cow<'a, str>> {
        let lines = if self.log.is_empty() { &self.record.said } else { self.log };
        let reason = match &self.record.outcome {
            Outcome::NotStarted { reason } => Some(reason.as_str()),
            _ => None,
        };
        reason.into_iter().chain(lines.iter().map(String::as_str)).map(plain)
    }
}

/// What a rule explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A launch without figures.
    Failure,
    /// Figures that are slower than they need be, also where nothing fails.
    Speed,
}

/// What a cause is about. What fails in a later step of one thing follows from what failed in an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The launch did not get as far as a world of all ranks.
    Start,
    /// How ranks of a node copy from each other's memory.
    Copying,
    /// What carries messages.
    Carrier,
    /// Which CPUs the ranks have.
    Placement,
    /// What else ran on them.
    Ticks,
    /// `MPI_Init`.
    Init,
    /// `MPI_Finalize`.
    Finalize,
    /// A rank ended.
    Crash,
    /// A program was not stopped for its partner.
    Turns,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The evidence is the fact itself.
    Proven,
    /// It is what is said in this case, and hardly in another.
    Likely,
    /// The same signs have other causes too.
    Guess,
    /// No rule knows it.
    Unknown,
}

impl Confidence {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Proven => "proven",
            Confidence::Likely => "likely",
            Confidence::Guess => "guess",
            Confidence::Unknown => "unknown",
        }
    }
}

/// A row of the table of causes.
#[derive(Debug)]
pub struct Rule {
    /// Its name, and that of its fixture.
    pub name: &'static str,
    /// What it explains.
    pub about: About,
    /// Of the rules of one topic the first that fits is taken.
    pub topic: Topic,
    /// All of these must be seen.
    pub when: &'static [Sign],
    /// The cause in a few words, for a line beside an outcome.
    pub short: &'static str,
    /// The cause in a sentence or two.
    pub cause: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
    /// What helps, the best first.
    pub remedies: &'static [Remedy],
    /// Where it is discussed; empty where it was seen here alone.
    pub reference: &'static str,
}

/// A cause, with what speaks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's name; `unknown` where none fits.
    pub rule: String,
    /// What it explains.
    pub about: About,
    /// The cause in a few words.
    pub short: String,
    /// The cause in a sentence or two.
    pub cause: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// What was seen, a sign each.
    pub evidence: Vec<String>,
    /// What helps, the best first.
    pub remedies: Vec<Advice>,
    /// Where it is discussed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
}

impl Finding {
    /// `CMA lost across user namespaces; --sharens`: the cause and the first remedy, for a line beside an outcome.
    #[must_use]
    pub fn line(&self) -> String {
        match self.remedies.first() {
            Some(advice) if !advice.brief.is_empty() => format!("{}; {}", self.short, advice.brief),
            Some(_) | None => self.short.clone(),
        }
    }
}

/// The causes that are seen, those of a failure first, the most telling first among them. A launch that failed for a
/// reason that no rule knows says so itself, in its own first words.
#[must_use]
pub fn diagnose(known: &Known<'_>) -> Vec<Finding> {
    let mut topics: Vec<Topic> = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for rule in rules::all() {
        if let Some(finding) = (!topics.contains(&rule.topic)).then(|| find(rule, known)).flatten() {
            topics.push(rule.topic);
            findings.push(finding);
        }
    }
    if explains_itself(&known.record.outcome) {
        return findings;
    }
    findings.sort_by_key(|finding| finding.about == About::Speed);
    findings.splice(0..0, lost(known.record));
    if findings.first().is_none_or(|finding| finding.about == About::Speed) {
        findings.insert(0, unknown(known));
    }
    findings
}

/// The short cause of a launch that did not complete, for the line that says how it ended.
#[must_use]
pub fn line(known: &Known<'_>) -> Option<String> {
    if explains_itself(&known.record.outcome) {
        return None;
    }
    diagnose(known).first().filter(|finding| finding.confidence != Confidence::Unknown).map(Finding::line)
}

fn find(rule: &Rule, known: &Known<'_>) -> Option<Finding> {
    let failed = !explains_itself(&known.record.outcome);
    if rule.about == About::Failure && !failed {
        return None;
    }
    let evidence: Vec<String> = rule.when.iter().map(|sign| sign.see(known)).collect::<Option<_>>()?;
    Some(Finding {
        rule: rule.name.into(),
        about: rule.about,
        short: rule.short.into(),
        cause: rule.cause.into(),
        confidence: rule.confidence,
        evidence: evidence.into_iter().filter(|words| !words.is_empty()).collect(),
        remedies: rule.remedies.iter().filter_map(|remedy| remedy.advice(known)).collect(),
        reference: rule.reference.into(),
    })
}

/// What was seen to be gone when it ended: no rule, for it says of itself what it is.
fn lost(record: &Record) -> Option<Finding> {
    let evidence: Vec<String> = record.lost.iter().map(ToString::to_string).collect();
    (!evidence.is_empty()).then(|| Finding {
        rule: "lost".into(),
        about: About::Failure,
        short: evidence.join(", "),
        cause: "Something of the launch was gone, or did not answer, when it ended.".into(),
        confidence: Confidence::Proven,
        evidence,
        remedies: Vec::new(),
        reference: String::new(),
    })
}

/// What helps where the cause was told and lost on the way.
const AGAIN: &str = "run the case again: the text is lost in some launches and comes through in others";
fn unknown(known: &Known<'_>) -> Finding {
    let first: Vec<String> = said::meaningful(known.lines()).take(3).collect();
    let evidence = if first.is_empty() { vec!["it said nothing".to_owned()] } else { first };
    let (cause, remedies) = if said::lost(known.lines()) {
        ("mpirun lost the text in which the ranks told why; what is left is below.", Remedy::Do(AGAIN).advice(known))
    } else {
        ("No rule knows this failure; what it said first is below.", None)
    };
    Finding {
        rule: "unknown".into(),
        about: About::Failure,
        short: "cause unknown".into(),
        cause: cause.into(),
        confidence: Confidence::Unknown,
        evidence,
        remedies: remedies.into_iter().collect(),
        reference: String::new(),
    }
}

/// Whether nothing is to be explained: it is well, or its outcome already says why there is nothing.
const fn explains_itself(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Completed | Outcome::Interrupted | Outcome::Skipped { .. } | Outcome::Unsupported { .. } => true,
        Outcome::Singletons { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Exited { .. }
        | Outcome::Signaled { .. }
        | Outcome::NoTurns { .. }
        | Outcome::NotStarted { .. }
        | Outcome::WrongData(_)
        | Outcome::Garbled { .. } => false,
    }
}
