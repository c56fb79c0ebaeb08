//! What a launcher's environment says of a rank, before (and independently of) `MPI_Init`.

/// Variables that hold the rank, the one nearest to the process first: an `mpirun` inside a Slurm step sets its own.
const RANK: [&str; 4] = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"];
/// The same for the number of ranks. PMIx has none in the environment: Open MPI and Slurm add theirs beside it.
const SIZE: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];
/// Only inside a step do Slurm's variables speak of this process: a batch script has a `SLURM_PROCID` too.
const STEP: &str = "SLURM_STEP_NUM_TASKS";

/// A rank as its launcher sees it; all unknown where nobody launched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LauncherView {
    /// Rank in the launcher's job.
    pub rank: Option<u32>,
    /// Ranks in the launcher's job.
    pub size: Option<u32>,
}

impl LauncherView {
    /// Reads the view from the environment `variable` looks names up in. Values that are no numbers count as absent.
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let in_step = variable(STEP).is_some();
        let first = |names: &[&str]| {
            let speaks = |name: &&&str| in_step || !name.starts_with("SLURM_");
            names.iter().filter(speaks).find_map(|name| variable(name)?.parse().ok())
        };
        LauncherView { rank: first(&RANK), size: first(&SIZE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_told_apart() {
        let check = |variables: &[(&str, &str)], rank: Option<u32>, size: Option<u32>| {
            let lookup = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(LauncherView::detect(lookup), LauncherView { rank, size }, "{variables:?}");
        };
        check(&[], None, None);
        check(&[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "4"), ("PMIX_RANK", "1")], Some(1), Some(4));
        check(&[("PMI_RANK", "0"), ("PMI_SIZE", "2")], Some(0), Some(2));
        let srun = ("SLURM_STEP_NUM_TASKS", "8");
        check(&[("PMIX_RANK", "3"), ("SLURM_PROCID", "3"), srun], Some(3), Some(8));
        check(&[("SLURM_PROCID", "5"), srun], Some(5), Some(8));
        let batch_script = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "64")];
        check(&batch_script, None, None);
        let mpirun_in_step =
            [("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2"), ("SLURM_PROCID", "0"), srun];
        check(&mpirun_in_step, Some(1), Some(2));
        check(&[("PMIX_RANK", "wildcard"), ("PMI_RANK", "2")], Some(2), None);
    }
}
