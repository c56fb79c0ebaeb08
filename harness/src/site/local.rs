//! No scheduler: this machine alone.

use super::allocation::{Allocation, Node, Scheduler};

/// This machine, with as many slots as it has cores.
pub(super) fn allocation(here: Node) -> Allocation {
    Allocation { scheduler: Scheduler::Local, job: None, nodes: vec![here] }
}
