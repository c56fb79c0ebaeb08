//! `sifbench run` as a job's script calls it, and what it has recorded.

use std::{collections::BTreeMap, fs, path::Path};

use harness::{
    case::Mode,
    record::{Outcome, Purpose, Record},
    store::{self, Run},
};

use crate::bed::Bed;

const SIFBENCH: &str = env!("CARGO_BIN_EXE_sifbench");

/// A campaign on as many nodes as there are ranks.
pub(crate) struct Campaign<'a> {
    pub(crate) modes: &'a [Mode],
    pub(crate) version: &'a str,
    pub(crate) ranks: u32,
    pub(crate) workload: &'a str,
    /// Tables behind `[settings]`, or keys of it.
    pub(crate) rest: &'a str,
}

impl Campaign<'_> {
    /// Writes it, and returns the command that runs it below `dir`.
    pub(crate) fn command(&self, dir: &Path) -> String {
        let modes: Vec<String> = self.modes.iter().map(|mode| format!("\"{mode}\"")).collect();
        // The nodes' cores have different numbers, which 5.0 must be told.
        let text = format!(
            "schema = 1\nname = \"cluster\"\nmodes = [{}]\nversions = [\"{}\"]\nranks = {}\nplacement = \"one-a-node\"\n\
             blocks = 1\nseed = 1\n[workload]\n{}\nrounds = 1\nvisit_ms = 20\n\
             [settings]\nmca = {{ btl = \"^ofi\", prte_hetero_nodes = \"1\" }}\n{}\n",
            modes.join(", "),
            self.version,
            self.ranks,
            self.workload,
            self.rest
        );
        let file = dir.join("campaign.toml");
        fs::write(&file, text).unwrap();
        format!("{SIFBENCH} run {} --site cluster --results {}", file.display(), dir.join("results").display())
    }
}

/// The run that has been made below `dir`.
pub(crate) fn newest(dir: &Path) -> Run {
    store::load(&store::resolve(&dir.join("results")).unwrap()).unwrap()
}

/// The numbers of ranks of all runs below `dir`, in the order in which they were begun.
pub(crate) fn sizes(dir: &Path) -> Vec<u32> {
    let mut runs: Vec<_> =
        fs::read_dir(dir.join("results/cluster")).unwrap().map(|entry| entry.unwrap().path()).collect();
    runs.sort();
    runs.iter().map(|run| store::load(run).unwrap().design.cases[0].ranks).collect()
}

/// Each mode's analysed launch.
fn measured(run: &Run) -> BTreeMap<Mode, &Record> {
    let launches = run.records.iter().filter(|record| record.purpose == Purpose::Measure);
    let of_mode = launches.map(|record| {
        let case = run.design.cases.iter().find(|case| case.id() == record.case).unwrap();
        (case.stack.mode(), record)
    });
    of_mode.collect()
}

/// Every launch of the run has measured everything on `nodes` nodes and left nothing to clear away but
/// what holds an instance.
pub(crate) fn assert_complete(what: &str, run: &Run, modes: &[Mode], nodes: u32) {
    for record in &run.records {
        let command = record.command.to_string();
        assert_eq!(record.outcome, Outcome::Completed, "{what}: {command}: {:?}", record.said);
        assert_eq!(record.facts.as_ref().map(|facts| facts.nodes), Some(nodes), "{what}: {command}");
        // Where Slurm finds a job's processes by their parents, an instance's survive the step that held it, and are swept.
        let of_instance = |words: &&String| command.contains("instance://") && words.ends_with(" processes");
        let swept: Vec<&String> = record.swept.iter().filter(|words| !of_instance(words)).collect();
        assert!(swept.is_empty(), "{what}: {command}: {swept:?}");
    }
    assert_eq!(measured(run).keys().copied().collect::<Vec<_>>(), modes, "{what}");
    assert!(run.closed, "{what}");
}

/// What launches leave on a node (the segments of OAR's database are not theirs), and which processes of the user's still run there.
pub(crate) fn left_on(bed: &Bed, node: &str) -> String {
    let look =
        "ls -A /tmp/sifbench-* /dev/shm | grep -v -e '^$' -e '^/' -e '^PostgreSQL'; ls -d /tmp/ompi.* /tmp/prte* /tmp/pmix* 2>/dev/null
        for p in /proc/[0-9]*; do grep -qs SIFBENCH_ATTEMPT= $p/environ && cat $p/cmdline | tr '\\0' ' '; done; true";
    bed.says(node, &["sh", "-c", look])
}
