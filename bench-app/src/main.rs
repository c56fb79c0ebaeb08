//! Measures; see the library for the contract.
fn main() {}
