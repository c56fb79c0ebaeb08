//! Real OAR: its node file, its cpusets, and `oarsh` as the way to other nodes.

use std::{fs, os::unix::fs::PermissionsExt};

use harness::process::GUARDED;

use crate::{
    bed::{Bed, Installed, machine, wait_for},
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

/// The harness's node is gone for the others, and no connection is closed: what is left is the time that an attempt may last.
#[test]
#[ignore = "needs root and namespaces, OAR (scripts/test --oar as root)"]
fn a_node_that_is_cut_off_from_the_harness_is_swept_by_its_guard_once_the_attempts_time_is_over() {
    const MARKER: &str = "a0001.1.2.3.";
    let _machine = machine();
    let bed = Bed::up(&["oar"]);
    let dir = bed.directory();
    let (script, said) = (dir.path().join("job"), dir.path().join("said"));
    let base = format!("/tmp/sifbench-{}", bed.says("n2", &["id", "-u"]).trim());
    let rank = format!("oarsh n2 'env SIFBENCH_ATTEMPT={MARKER} setsid sleep 600 >/dev/null 2>&1 </dev/null &'");
    let guard = format!("oarsh n2 {} __guard {MARKER} {base}/0123abcd 10", env!("CARGO_BIN_EXE_sifbench"));
    fs::write(&script, format!("#!/bin/sh\n{rank}\nexec {guard} >{} 2>&1\n", said.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let out = dir.path().join("out");
    let submit = OARSUB.map(|word| if word == "OUT" { out.to_str().unwrap() } else { word });
    bed.says("n1", &[&submit[..], &[script.to_str().unwrap()]].concat());
    wait_for("the guard", || fs::read_to_string(&said).is_ok_and(|said| said.trim() == GUARDED));
    assert!(bed.script("fault", &["n1", "unplug"]).status().unwrap().success());
    let count =
        || bed.says("n2", &["sh", "-c", &format!("pgrep -cx sleep -u $(id -u); ls -A {base} 2>/dev/null; true")]);
    assert_eq!(count().split_whitespace().collect::<Vec<_>>(), ["1", "0123abcd"]);
    wait_for("the time to be over", || count().trim() == "0");
    assert!(bed.script("fault", &["n1", "plug"]).status().unwrap().success());
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
