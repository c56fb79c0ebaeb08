//! Slurm's `srun`: ranks and helpers as steps of the job around us.

use super::spread::Spread;
use crate::{command::CommandSpec, site::nodes::Nodes};

/// `inner` on the ranks of `spread`, each bound to a core of its own, which meet through the PMI called `pmi`, in the image that
/// srun's words `image` name, if any.
///
/// Everything is explicit, for what `sbatch` was given stands in the environment as a default of `srun`. `--overlap`
/// because a step that holds instances may be there.
#[must_use]
pub fn launch(inner: CommandSpec, spread: &Spread<'_>, (pmi, image): (&str, &[String])) -> CommandSpec {
    let hosts: Vec<&str> = spread.hosts().collect();
    let outer = step(&hosts, spread.ranks(), spread.per_node.get(), spread.around);
    inner.within(
        outer
            .args([
                "--cpus-per-task=1".to_owned(),
                "--cpu-bind=cores".to_owned(),
                format!("--mpi={pmi}"),
                "--kill-on-bad-exit=1".to_owned(),
            ])
            .args(image),
    )
}

/// `inner` once on each of `hosts`, beside whatever runs there.
#[must_use]
pub fn helper(inner: CommandSpec, hosts: &[&str], around: &Nodes) -> CommandSpec {
    let count = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    inner.within(step(hosts, count, 1, around).args(["--cpu-bind=none", "--mpi=none"]))
}

fn step(hosts: &[&str], tasks: u32, per_node: u32, around: &Nodes) -> CommandSpec {
    let step = CommandSpec::new("srun").args([
        format!("--nodes={}", hosts.len()),
        format!("--ntasks={tasks}"),
        format!("--ntasks-per-node={per_node}"),
    ]);
    // A person's job has the nodes that it was given, whole.
    if around.by_hand {
        return step.arg("--overlap");
    }
    step.args([format!("--nodelist={}", hosts.join(",")), "--overlap".to_owned(), "--export=ALL".to_owned()])
}
