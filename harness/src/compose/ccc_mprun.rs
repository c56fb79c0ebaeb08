//! Bridge's `ccc_mprun`, as TGCC has it: a wrapper around `srun` that chooses nodes and PMI by itself.

use crate::command::CommandSpec;

use super::spread::Spread;

/// `inner` on the ranks of `spread`, each bound to a core of its own, in the image that its words `image` name, if any.
#[must_use]
pub fn launch(inner: CommandSpec, spread: &Spread<'_>, image: &[String]) -> CommandSpec {
    let (ranks, nodes) = (spread.ranks().to_string(), spread.count().to_string());
    // `-E` hands a word on to srun.
    let outer = ["-n", &ranks, "-N", &nodes, "-c", "1", "-E", "--cpu-bind=cores --overlap"];
    inner.within(CommandSpec::new("ccc_mprun").args(outer).args(image).arg("--"))
}
