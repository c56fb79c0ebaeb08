//! What a campaign decides and when it has measured enough, agreed on before its first launch and kept with its results.

use bench_app::Kernel;
use serde::{Deserialize, Serialize};

use crate::stats::{self, Margin};

/// How the launches of two cases make the pairs that ratios rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairs {
    /// Launches of one block, one after the other.
    #[default]
    Blocks,
    /// Launches alive at once, which take turns of 50 ms at a gate: a duet of the baseline with each other case.
    Duet,
}

impl Pairs {
    /// Runs of before there was a choice are of blocks, and are written as they were.
    pub(crate) fn is_blocks(&self) -> bool {
        *self == Pairs::Blocks
    }
}

/// The `[decision]` table of a campaign.
///
/// With a precision, the run looks at its own intervals after `first_look` blocks and after every `look_every` more, and
/// stops once all of them are narrow enough. What they say plays no part in that: stopping on significance would find
/// differences where there are none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decision {
    /// The relative difference that matters: smaller ones do not.
    pub margin: Margin,
    /// The relative half-width that every primary interval has to reach; without one all blocks are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// Blocks before the first look.
    pub first_look: u32,
    /// Blocks between looks.
    pub look_every: u32,
    /// A case rests, is launched no more, from the look on at which all its own primary intervals are narrow enough: what
    /// time is left goes to those that are not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rest: bool,
    /// Minutes that the run may take, launches and what is done around them: no block is begun that would not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_min: Option<f64>,
    /// The kernels whose intervals have to be narrow enough; all where none is named.
    pub primary: Vec<Kernel>,
}

impl Default for Decision {
    fn default() -> Self {
        Self {
            margin: Margin::default(),
            precision: None,
            first_look: 10,
            look_every: 5,
            rest: false,
            budget_min: None,
            primary: Vec::new(),
        }
    }
}

impl Decision {
    /// Whether the run looks at its intervals after `block` blocks.
    #[must_use]
    pub fn looks_after(&self, block: u32) -> bool {
        block.checked_sub(self.first_look).is_some_and(|beyond| beyond.is_multiple_of(self.look_every.max(1)))
    }

    /// The last look before `block` is begun; none before the first.
    #[must_use]
    pub fn last_look(&self, block: u32) -> Option<u32> {
        let beyond = block.checked_sub(1)?.checked_sub(self.first_look)?;
        Some(block - 1 - beyond % self.look_every.max(1))
    }

    /// Whether a run of `blocks` blocks that is to stop on precision would end before it has ever looked.
    #[must_use]
    pub fn never_looks(&self, blocks: u32) -> bool {
        self.precision.is_some() && self.first_look > blocks
    }

    /// Whether the intervals of a kernel have to be narrow enough.
    #[must_use]
    pub fn is_primary(&self, kernel: Kernel) -> bool {
        self.primary.is_empty() || self.primary.contains(&kernel)
    }

    /// What cannot be meant, and what to write instead.
    ///
    /// # Errors
    /// Key and fault, and a hint.
    pub fn check(&self, blocks: u32, kernels: &[Kernel]) -> Result<(), (String, String)> {
        let fewest = stats::smallest_sample(1.0 - stats::ALPHA);
        let fault = |what: String, hint: String| Err((format!("[decision] {what}"), hint));
        if let Some(precision) = self.precision {
            if !(precision > 0.0 && precision < 1.0) {
                return fault(
                    format!("precision = {precision} is no share"),
                    "such as 0.02 for 2 % to either side".into(),
                );
            }
            if (self.first_look as usize) < fewest || self.never_looks(blocks) {
                let what = format!("first_look = {} is not between {fewest} and blocks = {blocks}", self.first_look);
                return fault(what, format!("intervals take {fewest} blocks, and `blocks` is the most there are"));
            }
            if self.look_every == 0 {
                return fault("look_every = 0 looks at nothing".into(), "such as 5".into());
            }
        }
        if self.rest && self.precision.is_none() {
            return fault(
                "rest = true, and nothing says when".into(),
                "precision = 0.03, or whatever is enough".into(),
            );
        }
        if let Some(budget) = self.budget_min.filter(|budget| budget.is_nan() || *budget <= 0.0) {
            return fault(format!("budget_min = {budget} leaves no time"), "minutes, such as 60".into());
        }
        if let Some(absent) = self.primary.iter().find(|kernel| !kernels.contains(kernel)) {
            let measured: Vec<&str> = kernels.iter().map(|kernel| kernel.name()).collect();
            return fault(
                format!("primary names {absent}, which [workload] does not measure"),
                format!("one of {}", measured.join(", ")),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_taken_from_the_first_on() {
        let decision = Decision { precision: Some(0.02), ..Decision::default() };
        let looks: Vec<u32> = (0..=30).filter(|block| decision.looks_after(*block)).collect();
        assert_eq!(looks, [10, 15, 20, 25, 30]);
        let last: Vec<Option<u32>> = [0, 10, 11, 15, 16, 20, 21].map(|block| decision.last_look(block)).to_vec();
        assert_eq!(last, [None, None, Some(10), Some(10), Some(15), Some(15), Some(20)]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let good = Decision { precision: Some(0.02), budget_min: Some(5.0), ..Decision::default() };
        let check = |decision: Decision, expected: &str| {
            let fault = decision.check(60, &[Kernel::Latency]);
            let said = fault.map_or_else(|(what, hint)| format!("{what}; {hint}"), |()| "good".to_owned());
            assert!(said.contains(expected), "{said}");
        };
        check(good.clone(), "good");
        check(Decision { precision: Some(2.0), ..good.clone() }, "precision = 2 is no share");
        check(Decision { precision: Some(f64::NAN), ..good.clone() }, "no share");
        check(Decision { first_look: 5, ..good.clone() }, "first_look = 5 is not between 6 and blocks = 60");
        check(Decision { first_look: 61, ..good.clone() }, "first_look = 61");
        check(Decision { look_every: 0, ..good.clone() }, "look_every = 0");
        check(Decision { rest: true, precision: None, ..good.clone() }, "nothing says when; precision");
        check(Decision { budget_min: Some(0.0), ..good.clone() }, "budget_min = 0 leaves no time; minutes");
        check(Decision { primary: vec![Kernel::Allreduce], ..good }, "primary names allreduce");
    }
}
