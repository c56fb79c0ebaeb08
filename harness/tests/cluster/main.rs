//! Several nodes: real launchers and real schedulers on a test bed (`scripts/testbed`), which takes root to make.
//!
//! These tests are operators: they run as root, bring a bed up, have its ordinary user run things on its nodes, break
//! nodes, and take the bed down. `scripts/test`, started as root, runs them last and installs what they need.
//! Their names begin with `cluster::`, by which others leave them out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the tool as a user does")]
#![expect(clippy::print_stderr, reason = "how near a figure came is worth seeing (--nocapture)")]

mod bed;
mod runs;
mod wire;

#[path = "."]
mod cluster {
    mod embedded;
    mod faults;
    mod in_rank;
    mod modes;
    mod nodes;
    mod oar;
    mod slurm;
    mod ssh;
    mod staged;
    mod submit;
}
