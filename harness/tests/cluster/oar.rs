//! Real OAR: its node file, its cpusets, and `oarsh` as the way to other nodes.

use std::fs;

use crate::{
    bed::{Bed, Installed, machine},
    cluster::{modes, submit},
    wire,
};

const OARSUB: [&str; 7] = ["oarsub", "-l", "/nodes=2,walltime=0:05:00", "-O", "OUT", "-E", "OUT"];

#[test]
#[ignore = "needs root and namespaces, OAR, Open MPI 4.1.8 and 5.0.11 (scripts/test --oar as root)"]
fn mpirun_by_oarsh_measures_the_wire_and_the_end_of_a_job_deletes_no_file_of_the_user() {
    let _machine = machine();
    let bed = Bed::up(&["--rate", wire::RATE, "oar"]);
    let installed = Installed::of(&bed);
    bed.says("n2", &["touch", "/tmp/of-the-user"]);
    for version in ["4.1.8", "5.0.11"] {
        let options = ["--hostfile", "$OAR_NODEFILE", "--mca", "plm_rsh_agent", "oarsh"];
        let job = bed.batch(&OARSUB, &installed.mpirun(version, &options, &wire::ARGS).join(" "));
        wire::assert_measured(&format!("mpirun {version} by oarsh"), &job);
    }
    assert_eq!(bed.says("n2", &["ls", "/tmp"]), "of-the-user\n");
    for device in fs::read_dir("/dev").unwrap().flatten() {
        assert!(!device.file_name().to_string_lossy().contains("oar"), "{device:?}");
    }
    bed.down();
}

#[test]
#[ignore = "needs root and namespaces, OAR, images of 4.1.8 and 5.0.11 (scripts/test --oar as root)"]
fn modes_measure_on_two_nodes_of_oar_by_oarsh() {
    let _machine = machine();
    let bed = Bed::up(&["oar"]);
    for version in ["4.1.8", "5.0.11"] {
        modes::check(&bed, &OARSUB, 2, (version, "", ""));
    }
    bed.down();
}

#[test]
#[ignore = "needs root and namespaces, OAR, images of 4.1.8 (scripts/test --oar as root)"]
fn a_job_of_oar_is_followed_and_one_that_is_stopped_is_gone_on_with() {
    let _machine = machine();
    let bed = Bed::up(&["oar"]);
    submit::check(&bed, "oar", (8, "0:00:25"));
    bed.down();
}
