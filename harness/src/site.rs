//! Where we are: login node or not, the nodes that belong to us, and the facts of this machine.

pub mod allocation;
pub mod batch;
pub mod facts;
mod hostfile;
pub mod hostlist;
mod local;
pub mod login;
pub mod nodes;
mod oar;
mod pbs;
mod slurm;
pub mod terms;

pub use allocation::{Allocation, AllocationError, Node, Scheduler};
