//! The contract between `bench-app` (the program that is measured) and the harness (the program that measures).
//!
//! Nothing here speaks MPI: the harness links this library on machines that have no MPI at all. [`workload`] says what is
//! asked for on bench-app's command line, [`event`] what comes back on its standard output, [`exit`] how it may end.
//! The other modules are the parts of the program that need no MPI, so that they are tested where there is none.

pub mod boot;
pub mod bytes;
pub mod canary;
pub mod clock;
pub mod event;
pub mod exit;
pub mod facts;
pub mod gate;
pub mod kernel;
pub mod launcher;
pub mod pages;
pub mod payload;
pub mod shared;
pub mod stationarity;
pub mod system;
pub mod table;
pub mod tails;
pub mod wire;
pub mod workload;

pub use bytes::Bytes;
pub use event::{Decoded, Event, PROTOCOL, decode, encode};
pub use kernel::Kernel;
pub use workload::{Cell, Order, Workload};
