//! The job environment of LSF, and that of Flux, which has too little of it.

use super::allocation::{Allocation, AllocationError, Node, Scheduler, Vars, var};

const HOSTS: &str = "LSB_MCPU_HOSTS";

/// The job around us, if it is LSF's.
pub(super) fn detect(vars: &Vars) -> Result<Option<Allocation>, AllocationError> {
    let Some(job) = var(vars, &["LSB_JOBID"]) else { return Ok(None) };
    let value = var(vars, &[HOSTS]).ok_or(AllocationError::Absent { scheduler: Scheduler::Lsf, variable: HOSTS })?;
    let words: Vec<&str> = value.split_whitespace().collect();
    let mut nodes: Vec<Node> = Vec::new();
    for pair in words.chunks(2) {
        let node = match pair {
            [host, slots] => slots.parse().ok().map(|slots| Node::new(*host, slots)),
            _ => None,
        };
        let why = || format!("is no list of hosts with processors: `{}`", pair.join(" "));
        let counts = || AllocationError::Counts { variable: HOSTS, value: value.to_owned(), why: why() };
        nodes.push(node.ok_or_else(counts)?);
    }
    Ok(Some(Allocation { scheduler: Scheduler::Lsf, job: Some(job.to_owned()), nodes }))
}

/// A job of Flux on several nodes cannot be understood: their names are in no variable.
pub(super) fn refuse_flux(vars: &Vars) -> Result<(), AllocationError> {
    match (var(vars, &["FLUX_JOB_ID"]), var(vars, &["FLUX_JOB_NNODES"])) {
        (Some(job), Some(nodes)) if nodes != "1" => {
            Err(AllocationError::Flux { job: job.to_owned(), nodes: nodes.to_owned() })
        }
        (_, _) => Ok(()),
    }
}
