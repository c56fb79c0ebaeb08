//! Images on each node's own disk: brought by Slurm's own `sbcast` where it is there, else read by every node itself; and gone
//! from every node, whatever becomes of the run.

use std::{fs, path::Path, thread::sleep, time::Duration};

use harness::{case::Mode, record::Staging};

use crate::{
    bed::{Bed, machine, wait_for},
    runs::{Campaign, assert_complete, left_on, newest},
};

const MODES: [Mode; 3] = [Mode::Native, Mode::Hybrid, Mode::HybridInstance];
const NODES: [&str; 2] = ["n1", "n2"];

fn campaign(dir: &Path, version: &str) -> String {
    let workload = "latency = [\"8\"]";
    Campaign { modes: &MODES, version, ranks: 2, workload, rest: "" }.command(dir)
}

/// What is staged on a node.
fn staged_on(bed: &Bed, node: &str) -> String {
    bed.says(node, &["sh", "-c", "ls -d /var/tmp/sifbench-* /var/tmp/sifbench-*/* 2>/dev/null; true"])
}

/// A run from /var/tmp, which each node has for itself, to its end.
fn check(bed: &Bed, submit: &[&str], (version, flags): (&str, &str), by: &str) -> Staging {
    let dir = bed.directory();
    let said = bed.batch(submit, &format!("{} --stage /var/tmp {flags}", campaign(dir.path(), version)));
    assert!(said.ends_with("exit 0\n"), "{said}");
    let run = newest(dir.path());
    assert_complete(flags, &run, &MODES, 2);
    let [staged] = &run.manifest.staged[..] else { panic!("{:?}", run.manifest.staged) };
    assert_eq!((staged.by.as_str(), &staged.nodes[..]), (by, &NODES.map(str::to_owned)[..]), "{said}");
    assert_eq!(staged.files.len(), 2, "{staged:?}");
    let [openmpi] = &staged.trees[..] else { panic!("{staged:?}") };
    for command in run.records.iter().map(|record| record.command.to_string()) {
        let nowhere_else = !staged.parts().any(|part| command.contains(part.from.to_str().unwrap()));
        assert!(nowhere_else && command.contains(openmpi.path.join("bin/mpirun").to_str().unwrap()), "{command}");
    }
    for node in NODES {
        assert_eq!(staged_on(bed, node), "", "{node}: {said}");
        assert_eq!(left_on(bed, node), "", "{node}");
    }
    staged.clone()
}

/// A full disk of the second node.
fn check_full(bed: &Bed, submit: &[&str]) {
    let dir = bed.directory();
    let command = format!("{} --stage /run/full", campaign(dir.path(), "4.1.8"));
    for (node, size) in [("n1", "200m"), ("n2", "8m")] {
        let make = format!("mkdir -p /run/full && mount -t tmpfs -o size={size},mode=1777 full /run/full");
        assert!(bed.script("run", &["-n", node, "--root", "sh", "-c", &make]).status().unwrap().success());
    }
    let said = bed.batch(submit, &command);
    assert!(said.contains("n2: cannot stage /run/full/") && said.contains(" MiB are free"), "{said}");
    assert!(said.contains("hint: make room there") && said.ends_with("exit 1\n"), "{said}");
    assert!(!dir.path().join("results").exists(), "a run that cannot begin is none");
    for node in NODES {
        assert_eq!(bed.says(node, &["ls", "-A", "/run/full"]), "", "{node}");
    }
}

/// A job that is ended in the middle of a run.
fn cancel(bed: &Bed, submit: &[&str], cancel: &[&str]) {
    let dir = bed.directory();
    let command = format!("{} --stage /var/tmp", campaign(dir.path(), "4.1.8"));
    let text = fs::read_to_string(dir.path().join("campaign.toml")).unwrap().replace("blocks = 1", "blocks = 60");
    fs::write(dir.path().join("campaign.toml"), text).unwrap();
    let script = dir.path().join("long");
    fs::write(&script, format!("#!/bin/sh\nexec {command}\n")).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let out = dir.path().join("long-out");
    let mut words: Vec<String> = submit.iter().map(|word| word.replace("OUT", out.to_str().unwrap())).collect();
    words.push(script.to_str().unwrap().to_owned());
    let job = bed.says("n1", &words);
    let job = job.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty()).unwrap();
    wait_for("the images to be on every node", || NODES.iter().all(|node| staged_on(bed, node).contains(".sif")));
    sleep(Duration::from_secs(3));
    let cancelled: Vec<&str> = cancel.iter().copied().chain([job]).collect();
    bed.says("n1", &cancelled);
    let over = |node: &&str| !bed.on(node, &["pgrep", "-x", "sifbench"]).output().unwrap().status.success();
    wait_for("the end of the job", || NODES.iter().all(over));
}

#[test]
#[ignore = "needs root and namespaces, Slurm, images and Open MPIs 4.1.8 and 4.1.4 (scripts/test as root)"]
fn images_and_open_mpis_are_staged_on_two_nodes_of_slurm_and_are_gone_after_every_end() {
    let _machine = machine();
    let bed = Bed::up(&["slurm"]);
    let submit = ["sbatch", "-N2", "--ntasks-per-node=1", "--output=OUT"];
    let cast = check(&bed, &submit, ("4.1.8", ""), "sbcast");
    let hosts = "printf 'n1 slots=1\\nn2 slots=1\\n' > /run/hosts";
    assert!(bed.script("run", &["--root", "sh", "-c", hosts]).status().unwrap().success());
    // Debian's, whose libraries are told where they lie.
    let copied = check(&bed, &submit, ("4.1.4", "--agent ssh --hostfile /run/hosts"), "copy");
    assert_ne!(cast.directory, copied.directory);
    check_full(&bed, &submit);
    cancel(&bed, &submit, &["scancel"]);
    wait_for("guards to have cleared every node", || NODES.iter().all(|node| staged_on(&bed, node).is_empty()));
    bed.down();
}

#[test]
#[ignore = "needs root and namespaces, OAR, images of 4.1.8 (scripts/test --oar as root)"]
fn what_a_job_of_oar_staged_and_could_not_remove_goes_with_the_next_start() {
    let _machine = machine();
    let bed = Bed::up(&["oar"]);
    let submit = ["oarsub", "-l", "/nodes=2,walltime=0:05:00", "-O", "OUT", "-E", "OUT"];
    check_full(&bed, &submit);
    cancel(&bed, &submit, &["oardel"]);
    // OAR kills all of a job at once, guards too. (At sites it also empties /tmp and /var/tmp; a bed's does not.) What is left
    // goes with the next start.
    assert!(NODES.iter().any(|node| !staged_on(&bed, node).is_empty()));
    check(&bed, &submit, ("4.1.8", ""), "copy");
    bed.down();
}
