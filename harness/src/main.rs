//! `sifbench`: maps the library's outcome to an exit code, nothing else.
fn main() {}
