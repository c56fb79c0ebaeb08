//! Runs from a node's own disk.

use std::{fs, path::PathBuf, process::Stdio};

use harness::{
    case::Mode,
    record::{Outcome, Purpose},
    store,
};

use super::{Bench, SMALL, campaign, signal, text, wait_for};

const MODES: [Mode; 3] = [Mode::Native, Mode::Embedded, Mode::HybridInstance];

/// A node's own disk, and a campaign of so many blocks.
fn disk(bench: &Bench, blocks: u32) -> PathBuf {
    let disk = bench.dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    fs::write(bench.dir.path().join("campaign.toml"), campaign(&MODES, "4.1.8", blocks, SMALL, "")).unwrap();
    disk
}

fn is_empty(disk: &PathBuf) -> bool {
    fs::read_dir(disk).unwrap().next().is_none()
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn launches_run_what_was_staged_and_nothing_of_it_is_left() {
    let bench = Bench::new();
    let disk = disk(&bench, 1);
    let output = bench.sifbench(&["run", "campaign.toml", "--stage", disk.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(is_empty(&disk));
    bench.assert_clean();
    let run = bench.newest();
    let [staged] = &run.manifest.staged[..] else { panic!("{:?}", run.manifest.staged) };
    assert!(staged.place == disk && staged.directory.starts_with(&disk) && staged.by == "copy", "{staged:?}");
    // What the design names is where it lies; what is launched is where it was brought, and is the same file.
    let names: Vec<&str> = staged.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["bench-app", "image openmpi 4.1.8"]);
    for file in &staged.files {
        assert!(run.manifest.files.iter().any(|known| (&known.path, &known.sha256) == (&file.from, &file.sha256)));
    }
    let [openmpi] = &staged.trees[..] else { panic!("{:?}", staged.trees) };
    assert!(openmpi.from.join("bin/mpirun").exists() && openmpi.path.starts_with(&staged.directory), "{openmpi:?}");
    for record in run.records.iter().filter(|record| record.purpose == Purpose::Measure) {
        assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.said);
        let command = record.command.to_string();
        assert!(!command.contains(openmpi.from.to_str().unwrap()), "{command}");
        let case = run.design.cases.iter().find(|case| case.id() == record.case).unwrap();
        // An instance was started from it before.
        let of_image = case.stack.image().filter(|_| case.stack.mode() != Mode::HybridInstance);
        let run_from = of_image.map(|image| staged.directory.join(image.path.file_name().unwrap()));
        assert!(run_from.is_none_or(|path| command.contains(path.to_str().unwrap())), "{command}");
        let launched = staged.directory.join(openmpi.from.file_name().unwrap()).join("bin/mpirun");
        let by_host = case.stack.host().is_some();
        assert_eq!(record.command.program == launched.to_str().unwrap(), by_host, "{command}");
        assert!(!command.contains("/images/openmpi"), "{command}");
    }
    assert_eq!(run.manifest.origins["stage_to"], "flag");
    assert!(run.manifest.facts["images_from"].contains(disk.to_str().unwrap()));
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn what_was_staged_goes_with_a_run_that_is_stopped_or_killed_and_comes_back_with_the_rest_of_it() {
    let bench = Bench::new();
    let disk = disk(&bench, 2);
    let results = bench.dir.path().join("results");
    let begin = |arguments: &[&str], attempts: usize| {
        let child = bench.sifbench(arguments).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        wait_for("launches", || {
            store::resolve(&results).is_ok_and(|dir| {
                fs::read_to_string(dir.join("attempts.jsonl")).is_ok_and(|text| text.lines().count() >= attempts)
            })
        });
        assert!(!is_empty(&disk));
        child
    };
    let mut stopped = begin(&["run", "campaign.toml", "--stage", disk.to_str().unwrap()], 1);
    signal(&stopped, "INT");
    assert_eq!(stopped.wait().unwrap().code(), Some(130));
    assert!(is_empty(&disk));
    bench.assert_clean();

    let dir = store::resolve(&results).unwrap();
    let resume = ["run", "--resume", dir.to_str().unwrap()];
    let mut killed = begin(&resume, 3);
    signal(&killed, "KILL");
    killed.wait().unwrap();
    assert!(!is_empty(&disk), "nothing was left, so this proves nothing");
    // Not the other way within one run.
    let refused = bench.sifbench(&[&resume[..], &["--stage", "none"]].concat()).output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(is_empty(&disk), "the next start clears what a killed one left");

    let resumed = bench.sifbench(&resume).output().unwrap();
    assert!(resumed.status.success(), "{}", text(&resumed));
    assert!(is_empty(&disk));
    bench.assert_clean();
    let run = bench.newest();
    assert!(run.closed);
    let directories: Vec<&PathBuf> = run.manifest.staged.iter().map(|staged| &staged.directory).collect();
    assert_eq!(directories.len(), 3, "{directories:?}");
}
