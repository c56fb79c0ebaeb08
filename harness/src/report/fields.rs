//! Facts that must be equal before two figures may be compared.
//!
//! A difference that the campaign asks for is the question: the mode, and what a mode itself decides; versions of the MPI,
//! where the cases declare different ones. Any other difference would answer a question that nobody asked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    case::{Mode, Mpi},
    id::MpiVersion,
};

use super::{CaseReport, CellReport};

/// A fact that forbids a verdict where it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// Number of ranks.
    Ranks,
    /// The MPI library, as loaded.
    Library,
    /// The contract with bench-app, which says how a kernel measures.
    Protocol,
    /// The CPUs of each rank, as obtained.
    Placement,
    /// What carried the messages: memory, the network, the fabric.
    Transport,
    /// Which memory the messages lay in.
    Buffers,
    /// Which namespaces ranks share; between cases of one mode, for modes differ in it by design.
    Isolation,
    /// K: the repetitions in a batch.
    Repetitions,
    /// The sizes that were measured.
    Sizes,
}

impl Field {
    /// What differs.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Field::Ranks => "the number of ranks",
            Field::Library => "the MPI library as loaded",
            Field::Protocol => "bench-app's protocol",
            Field::Placement => "the placement of ranks",
            Field::Transport => "what carried the messages",
            Field::Buffers => "the memory that messages lay in",
            Field::Isolation => "the isolation of ranks",
            Field::Repetitions => "K, the repetitions in a batch,",
            Field::Sizes => "the set of sizes",
        }
    }
}

/// The first fact in which two cases differ although nobody asked for it.
pub(crate) fn confounder(a: &CaseReport, b: &CaseReport) -> Option<Field> {
    let differs = [
        (Field::Ranks, a.ranks != b.ranks),
        (Field::Protocol, unequal(&a.seen.protocols, &b.seen.protocols)),
        (Field::Library, other_library(a, b)),
        (Field::Placement, unequal(&a.seen.placement, &b.seen.placement)),
        (Field::Transport, unequal(&a.seen.transport, &b.seen.transport)),
        (Field::Buffers, a.buffers != b.buffers),
        (Field::Isolation, a.mode == b.mode && unequal(&a.seen.isolation, &b.seen.isolation)),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(field, _)| field)
}

/// K, where it differs between two cells.
pub(crate) fn repetitions(a: &CellReport, b: &CellReport) -> Option<Field> {
    (a.repetitions != b.repetitions).then_some(Field::Repetitions)
}

/// Whether what launches saw differs. What one side does not know is no difference: a fact may be missing, never wrong.
fn unequal<T: Ord>(a: &[T], b: &[T]) -> bool {
    let (a, b): (BTreeSet<&T>, BTreeSet<&T>) = (a.iter().collect(), b.iter().collect());
    !a.is_empty() && !b.is_empty() && a != b
}

/// Whether the loaded versions differ, unless both cases declare what they loaded.
fn other_library(a: &CaseReport, b: &CaseReport) -> bool {
    let (ours, theirs) = (loaded(a), loaded(b));
    let known = !ours.is_empty() && !theirs.is_empty();
    known && ours != theirs && !(as_declared(a) && as_declared(b))
}

fn as_declared(case: &CaseReport) -> bool {
    declared(case).is_some_and(|mpi| loaded(case).iter().all(|loaded| loaded.as_ref() == Some(&mpi.version)))
}

/// Versions that the loaded libraries state; none of those that state none.
fn loaded(case: &CaseReport) -> BTreeSet<Option<MpiVersion>> {
    case.seen.libraries.iter().map(|library| MpiVersion::find_in(library)).collect()
}

/// The MPI whose library the ranks are to load.
fn declared(case: &CaseReport) -> Option<&Mpi> {
    match case.mode {
        Mode::Native | Mode::Bind => case.host.as_ref(),
        Mode::Embedded | Mode::Hybrid | Mode::HybridInstance | Mode::HybridSharens => case.image.as_ref(),
    }
}

/// A library that was loaded in another version than the case declares: that version, and the library's own words.
pub(super) fn undeclared(case: &CaseReport) -> Option<(&MpiVersion, &str)> {
    let expected = &declared(case)?.version;
    let other = case.seen.libraries.iter().find(|library| MpiVersion::find_in(library).as_ref() != Some(expected))?;
    Some((expected, other))
}
