//! What a case is compared with: the baseline of its run, or, where versions are crossed, its own version.

use serde::{Deserialize, Serialize};

use crate::{
    case::{Case, Mode, Stack},
    id::MpiVersion,
    record::Design,
};

/// How the cases of a design find what they are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Against {
    /// All are compared with the first case.
    #[default]
    Baseline,
    /// A host with another version's image is compared with that version's own host in the same mode: the ratio is what
    /// the mismatch costs. Everything else is compared with `native` of the version that its ranks load.
    OwnVersion,
}

impl Against {
    /// What is usual is not written.
    pub(crate) fn is_baseline(&self) -> bool {
        *self == Against::Baseline
    }
}

/// The case that `case` of `design` is compared with; none for the baseline.
///
/// Where a version's own case is not part of the design, it is `native` of that version; where that is not either, there is
/// none, for a ratio to another version's would say nothing about the mismatch or the mode.
#[must_use]
pub fn reference<'a>(design: &'a Design, case: &Case) -> Option<&'a Case> {
    let baseline = design.cases.first().filter(|baseline| baseline.id() != case.id())?;
    let (mode, host, image) = parts(&case.stack);
    let find = |wanted: (Mode, Option<&MpiVersion>, Option<&MpiVersion>)| {
        design.cases.iter().find(|other| parts(&other.stack) == wanted)
    };
    let matched = || find((mode, image, image)).filter(|_| host.is_some() && image.is_some() && host != image);
    let native = || find((Mode::Native, image.or(host), None));
    match design.against {
        Against::Baseline => Some(baseline),
        Against::OwnVersion if mode == Mode::Native => Some(baseline),
        Against::OwnVersion => matched().or_else(native),
    }
}

fn parts(stack: &Stack) -> (Mode, Option<&MpiVersion>, Option<&MpiVersion>) {
    let image = stack.image().and_then(|image| image.mpi.as_ref());
    (stack.mode(), stack.host().map(|host| &host.mpi.version), image.map(|mpi| &mpi.version))
}
