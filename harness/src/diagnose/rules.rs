//! The table of causes. The first rule that fits wins in its topic, so the more telling ones come first.
//!
//! Every rule has a launch that was made to fail in its way, kept under `tests/fixtures/diagnose/` by the rule's name
//! (CONTRIBUTING.md, "A rule"): what is not there has not been seen.

mod start;
mod world;

use super::{
    Rule,
    remedy::{Change, Remedy},
};

const SHARE: Remedy = Remedy::Change(Change::ShareNamespaces);

const fn without(flag: &'static str) -> Remedy {
    Remedy::Change(Change::WithoutFlag(flag))
}

/// Every cause that is known, in order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    start::START.iter().chain(world::WORLD)
}
