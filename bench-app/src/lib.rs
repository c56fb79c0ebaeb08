//! The contract between `bench-app` (the program that is measured) and the harness (the program that measures).
//!
//! Nothing here speaks MPI: the harness links this library on machines that have no MPI at all. [`workload`] says what is
//! asked for on bench-app's command line, [`event`] what comes back on its standard output.

pub mod event;
pub mod kernel;
pub mod workload;

pub use event::{Decoded, Event, PROTOCOL, decode, encode};
pub use kernel::{Bytes, Kernel};
pub use workload::{Cell, Order, Workload};
