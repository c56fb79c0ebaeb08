//! The harness: everything behind the binary `sifbench`.
