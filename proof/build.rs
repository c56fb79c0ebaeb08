//! Compiles the C loop with MPI's own compiler, as a benchmark in C would be.
#![expect(clippy::disallowed_methods, reason = "a build script starts the compiler that its environment names")]

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=src/pingpong.c");
    println!("cargo::rerun-if-env-changed=MPICC");
    let mpicc = env::var("MPICC").unwrap_or_else(|_| "mpicc".into());
    let out = env::var("OUT_DIR").unwrap_or_else(|error| panic!("cargo sets OUT_DIR: {error}"));
    let object = Path::new(&out).join("pingpong.o");
    let compiled = Command::new(&mpicc).args(["-O2", "-c", "src/pingpong.c", "-o"]).arg(&object).status();
    match compiled {
        Ok(status) if status.success() => println!("cargo::rustc-link-arg-bins={}", object.display()),
        Ok(status) => panic!("{mpicc}: {status}"),
        Err(error) => panic!("cannot start {mpicc}: {error}; hint: MPICC names MPI's C compiler"),
    }
}
