//! Open MPI's own launcher across nodes, by ssh.

use crate::{
    bed::{Bed, Installed, machine, text},
    wire,
};

#[test]
#[ignore = "needs root and namespaces, Open MPI 4.1.8 and 5.0.11 (scripts/test as root)"]
fn mpirun_over_ssh_measures_the_wire() {
    let _machine = machine();
    let bed = Bed::up(&["--rate", wire::RATE]);
    let installed = Installed::of(&bed);
    for version in ["4.1.8", "5.0.11"] {
        let command = installed.mpirun(version, &["--host", "n1,n2"], &wire::ARGS);
        let output = bed.on("n1", &command).output().unwrap();
        wire::assert_measured(&format!("mpirun {version} over ssh"), &text(&output));
    }
    bed.down();
}
