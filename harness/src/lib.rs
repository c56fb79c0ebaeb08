//! The harness: everything behind the binary `sifbench`.

pub mod command;
pub mod process;
