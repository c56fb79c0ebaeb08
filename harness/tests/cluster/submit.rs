//! `sifbench submit` to real schedulers: followed to the end, and gone on with after the scheduler has stopped it.

use std::{fs, path::Path, process::Output};

use harness::{case::Mode, record::Outcome, store};

use crate::{
    bed::{Bed, machine, text},
    runs::{Campaign, assert_complete, newest},
};

const SIFBENCH: &str = env!("CARGO_BIN_EXE_sifbench");
const MODES: [Mode; 2] = [Mode::Native, Mode::Hybrid];

/// A campaign of so many blocks, whose launches last for seconds.
fn campaign(dir: &Path, blocks: u32) {
    let campaign = Campaign { modes: &MODES, version: "4.1.8", ranks: 2, workload: "latency = [\"8\"]", rest: "" };
    campaign.command(dir);
    let file = dir.join("campaign.toml");
    let text = fs::read_to_string(&file).unwrap().replace("blocks = 1", &format!("blocks = {blocks}"));
    fs::write(&file, text.replace("visit_ms = 20", "visit_ms = 700")).unwrap();
}

/// Submits from the first node, where the scheduler takes jobs, and waits for the end.
fn followed(bed: &Bed, dir: &Path, words: &str) -> Output {
    let command = format!("cd {} && exec {SIFBENCH} submit {words} --follow", dir.display());
    bed.on("n1", &["sh", "-c", &command]).output().unwrap()
}

/// A job to its end; then one that the scheduler stops after `seconds`, before its `blocks` are made, and what is left of it.
pub(crate) fn check(bed: &Bed, scheduler: &str, (blocks, walltime): (u32, &str)) {
    let dir = bed.directory();
    campaign(dir.path(), 1);
    let done = followed(bed, dir.path(), "campaign.toml --site cluster --walltime 0:05:00");
    let said = text(&done);
    assert!(done.status.success(), "{said}");
    for part in
        [format!("profile {scheduler} (built-in)"), "asks for 2 nodes for 0:05:00: at most 0.17 node-hours".to_owned()]
    {
        assert!(said.contains(&part), "{part}: {said}");
    }
    let run = newest(dir.path());
    assert_complete(scheduler, &run, &MODES, 2);
    assert!(said.contains(&format!("{}\n", run.dir.display())), "{said}");
    assert!(run.manifest.facts["allocation"].starts_with(&format!("{scheduler} job ")), "{:?}", run.manifest.facts);

    campaign(dir.path(), blocks);
    let killed = followed(bed, dir.path(), &format!("campaign.toml --site cluster --walltime {walltime}"));
    let said = text(&killed);
    let run = newest(dir.path());
    assert!(!killed.status.success() && !run.closed && !run.records.is_empty(), "{said}");
    assert!(said.contains(&format!("go on with: sifbench submit --resume {}", run.dir.display())), "{said}");
    let finished = followed(bed, dir.path(), &format!("--resume {} --walltime 0:10:00", run.dir.display()));
    assert!(finished.status.success(), "{}", text(&finished));
    let made = run.records.len();
    let run = store::load(&run.dir).unwrap();
    assert!(run.closed && run.records.len() > made);
    for record in run.records {
        assert!(
            matches!(record.outcome, Outcome::Completed | Outcome::Interrupted),
            "{scheduler}: {:?}",
            record.outcome
        );
    }
}

#[test]
#[ignore = "needs root and namespaces, Slurm, images of 4.1.8 (scripts/test as root)"]
fn a_job_of_slurm_is_followed_and_one_that_is_stopped_is_gone_on_with() {
    let _machine = machine();
    let bed = Bed::up(&["slurm"]);
    check(&bed, "slurm", (24, "0:01:00"));
    bed.down();
}
