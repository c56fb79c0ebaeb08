//! The table of causes. The first rule that fits wins in its topic, so the more telling ones come first.
//!
//! Every rule has a launch that was made to fail in its way, kept under `tests/fixtures/diagnose/` by the rule's name
//! (CONTRIBUTING.md, "A rule"): what is not there has not been seen.

mod runtime;
mod start;
mod world;

use super::{
    About, Confidence, Rule, Topic,
    remedy::{Change, Remedy},
};

const SHARE: Remedy = Remedy::Change(Change::ShareNamespaces);

const fn without(flag: &'static str) -> Remedy {
    Remedy::Change(Change::WithoutFlag(flag))
}

/// What rows have in common whose launch fails before its ranks are one world, and whose evidence is the fact itself.
const AT_START: Rule = Rule {
    name: "",
    about: About::Failure,
    topic: Topic::Start,
    when: &[],
    short: "",
    cause: "",
    confidence: Confidence::Proven,
    remedies: &[],
    reference: "",
};

/// Every cause that is known, in order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    runtime::RUNTIME.iter().chain(start::START).chain(world::WORLD)
}
