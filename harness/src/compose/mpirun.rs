//! Open MPI's `mpirun`, 4.1 (ORTE) and 5 and later (PRRTE) alike.

use std::{collections::BTreeMap, path::Path};

use crate::command::CommandSpec;

/// `inner` on `ranks` ranks of this node, each bound to a core of its own, by the Open MPI below `prefix`.
///
/// Binding is explicit because the defaults differ between the series, and a comparison of modes must not become one of
/// placements.
#[must_use]
pub fn launch(inner: CommandSpec, prefix: &Path, ranks: u32, mca: &BTreeMap<String, String>) -> CommandSpec {
    let mpirun = prefix.join("bin/mpirun");
    let outer = CommandSpec::new(mpirun.to_string_lossy()).args([
        "-np",
        &ranks.to_string(),
        "--map-by",
        "core",
        "--bind-to",
        "core",
    ]);
    let outer = mca.iter().fold(outer, |outer, (name, value)| outer.args(["--mca", name, value]));
    inner.within(outer)
}
