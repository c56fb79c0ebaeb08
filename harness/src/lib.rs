//! The harness: everything behind the binary `sifbench`. ARCHITECTURE.md is the map.

pub mod aa;
pub mod app;
pub mod cache;
pub mod case;
pub mod catalogue;
pub mod cli;
pub mod command;
pub mod compare;
pub mod compose;
pub mod config;
pub mod decision;
pub mod doctor;
pub mod id;
pub mod image;
pub mod mpi;
pub mod plan;
pub mod process;
pub mod record;
pub mod report;
pub mod run;
pub mod site;
pub mod stats;
pub mod store;
pub mod tarball;
pub mod tool;
pub mod wheel;
