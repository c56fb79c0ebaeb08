//! OAR's job environment: a file with a line a core.

use super::{
    allocation::{Allocation, AllocationError, Read, Scheduler, Vars, var},
    hostfile,
};

/// `OAR_NODE_FILE` is what GRICAD's pages write.
const FILES: [&str; 3] = ["OAR_NODEFILE", "OAR_NODE_FILE", "OAR_FILE_NODES"];

/// The job around us, if it is OAR's.
pub(super) fn detect(vars: &Vars, read: Read<'_>) -> Result<Option<Allocation>, AllocationError> {
    let (job, file) = (var(vars, &["OAR_JOB_ID", "OAR_JOBID"]), var(vars, &FILES));
    let file = match (job, file) {
        (None, None) => return Ok(None),
        (Some(_), None) => {
            return Err(AllocationError::Absent { scheduler: Scheduler::Oar, variable: "OAR_NODEFILE" });
        }
        (_, Some(file)) => file,
    };
    let nodes = hostfile::nodes(file.as_ref(), read)?;
    Ok(Some(Allocation { scheduler: Scheduler::Oar, job: job.map(str::to_owned), nodes }))
}
