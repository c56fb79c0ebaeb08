//! The job environment of PBS and Torque: a file with a line a rank.

use super::{
    allocation::{Allocation, AllocationError, Read, Scheduler, Vars, var},
    hostfile,
};

/// The job around us, if it is of PBS.
pub(super) fn detect(vars: &Vars, read: Read<'_>) -> Result<Option<Allocation>, AllocationError> {
    let Some(job) = var(vars, &["PBS_JOBID"]) else { return Ok(None) };
    let file = var(vars, &["PBS_NODEFILE"])
        .ok_or(AllocationError::Absent { scheduler: Scheduler::Pbs, variable: "PBS_NODEFILE" })?;
    let nodes = hostfile::nodes(file.as_ref(), read)?;
    Ok(Some(Allocation { scheduler: Scheduler::Pbs, job: Some(job.to_owned()), nodes }))
}
