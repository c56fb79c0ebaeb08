//! Slurm's job environment.

use super::{
    allocation::{Allocation, AllocationError, Node, Scheduler, Vars, var},
    hostlist,
};

/// Names of nodes: the second is what Slurm before 2.6 and Bridge's wrappers write.
const NODES: [&str; 2] = ["SLURM_JOB_NODELIST", "SLURM_NODELIST"];
/// Ranks a node takes: what was asked for in tasks, which `mpirun` goes by too, else the processors.
const SLOTS: [&str; 2] = ["SLURM_TASKS_PER_NODE", "SLURM_JOB_CPUS_PER_NODE"];

/// The job around us, if it is Slurm's.
pub(super) fn detect(vars: &Vars) -> Result<Option<Allocation>, AllocationError> {
    let Some(job) = var(vars, &["SLURM_JOB_ID", "SLURM_JOBID"]) else { return Ok(None) };
    let list = var(vars, &NODES)
        .ok_or(AllocationError::Absent { scheduler: Scheduler::Slurm, variable: "SLURM_JOB_NODELIST" })?;
    let hosts = hostlist::expand(list)
        .map_err(|source| AllocationError::Hostlist { variable: "SLURM_JOB_NODELIST", source })?;
    let slots = match SLOTS.into_iter().find_map(|name| Some((name, var(vars, &[name])?))) {
        Some((variable, value)) => {
            let counts = |why| AllocationError::Counts { variable, value: value.to_owned(), why };
            let slots = counts_per_node(value, hosts.len()).map_err(counts)?;
            if slots.len() != hosts.len() {
                return Err(counts(format!("counts {} nodes, not {}", slots.len(), hosts.len())));
            }
            slots
        }
        None => vec![1; hosts.len()],
    };
    let nodes = hosts.into_iter().zip(slots).map(|(host, slots)| Node { host, slots }).collect();
    Ok(Some(Allocation { scheduler: Scheduler::Slurm, job: Some(job.to_owned()), nodes }))
}

/// `2(x3),1`: a count a node, with repetitions, for at most `most` nodes and one more.
fn counts_per_node(text: &str, most: usize) -> Result<Vec<u32>, String> {
    let mut counts = Vec::new();
    for part in text.split(',') {
        let bad = || format!("is not a list of counts: `{part}` is no count such as 2 or 2(x3)");
        let (count, times) = match part.split_once("(x") {
            Some((count, times)) => (count, times.strip_suffix(')').ok_or_else(bad)?.parse().map_err(|_| bad())?),
            None => (part, 1),
        };
        let count: u32 = count.trim().parse().map_err(|_| bad())?;
        // What is too many is told by one more than there may be.
        counts.extend(std::iter::repeat_n(count, times.min(most + 1)));
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_node_are_unfolded() {
        let check = |text: &str, expected: &[u32]| assert_eq!(counts_per_node(text, 8).as_deref(), Ok(expected));
        check("2", &[2]);
        check("2(x3),1", &[2, 2, 2, 1]);
        check("1,2(x2),72", &[1, 2, 2, 72]);
        check("1(x4000000000)", &[1; 9]);
        for bad in ["", "x", "2(x)", "2(3)", "2(x3", "2,,3", "-1"] {
            assert!(counts_per_node(bad, 8).is_err(), "{bad}");
        }
    }
}
