//! The harness: everything behind the binary `sifbench`.

pub mod case;
pub mod command;
pub mod compose;
pub mod config;
pub mod id;
pub mod plan;
pub mod process;
pub mod record;
pub mod report;
pub mod stats;
