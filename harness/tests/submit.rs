//! `sifbench submit --dry-run` for each scheduler, as a snapshot, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{fs, path::Path};

use assert_cmd::Command;
use predicates::{prelude::PredicateBooleanExt, str::contains};

const SIFBENCH: &str = env!("CARGO_BIN_EXE_sifbench");
const QUICK: &str = include_str!("../campaigns/quick.toml");

/// A directory that is no node's own.
fn shared() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn submit(dir: &Path, words: &str) -> Command {
    let mut command = Command::new(SIFBENCH);
    command.env_clear().env("HOME", dir).env("PATH", dir).current_dir(dir);
    command.arg("submit").args(words.split_whitespace());
    command
}

/// What would be submitted, without what differs from machine to machine.
fn dry(dir: &Path, words: &str) -> String {
    let assert = submit(dir, &format!("{words} --dry-run")).assert().code(0);
    let output = assert.get_output();
    let text = format!("{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let text = text.replace(dir.to_str().unwrap(), "DIR").replace(SIFBENCH, "SIFBENCH");
    let stamp =
        |word: &str| word.split_once("DIR/jobs/").and_then(|(_, rest)| rest.split('-').next()).map(str::to_owned);
    let stamps: std::collections::BTreeSet<String> = text.split_whitespace().filter_map(stamp).collect();
    stamps.iter().fold(text, |text, stamp| text.replace(stamp, "TIME"))
}

#[test]
fn every_scheduler_gets_its_script() {
    let dir = shared();
    let pbs = "schema = 1\n[scheduler]\nkind = \"pbs\"\nsubmit = [\"qsub\"]\n\
        directives = [\"-N {name}\", \"-l select={nodes}:mpiprocs={tasks}\", \"-l walltime={walltime}\", \"-A {account}\", \
        \"-j oe\", \"-o {output}\"]\n";
    fs::write(dir.path().join("pbs.toml"), pbs).unwrap();
    fs::write(dir.path().join("it's mine.toml"), QUICK).unwrap();
    let mut text = String::new();
    for words in [
        "quick --profile slurm --placement one-a-node",
        "quick --profile oar --placement one-a-node --account pr-mine --walltime 1:30",
        "quick --profile tgcc --modes native --ranks 4 --placement 2-a-node --account gen42 --walltime 30",
        "quick --profile ./pbs.toml --blocks 2 --nodes 3 --agent ssh",
        "versions --profile lumi --account project_1 --site lumi-c --pmi pmi2",
    ] {
        text += &format!("## {words}\n{}\n", dry(dir.path(), words));
    }
    insta::assert_snapshot!(text);
    // Of a sweep the job has nodes for the largest, and time for all of it.
    let walltime = |ranks: &str| {
        let script = dry(dir.path(), &format!("quick --profile slurm --placement one-a-node --ranks {ranks}"));
        let (_, asked) = script.split_once("--time=").unwrap();
        let times: Vec<u64> = asked.split_whitespace().next().unwrap().split(':').map(|n| n.parse().unwrap()).collect();
        (script, times.iter().fold(0, |sum, n| sum * 60 + n))
    };
    let ((sweep, both), (_, two), (_, three)) = (walltime("2,3"), walltime("2"), walltime("3"));
    assert!(sweep.contains("--nodes=3") && sweep.contains(" --ranks 2,3 "), "{sweep}");
    assert_eq!(both, two + three);
    // A file's name is quoted for the script's shell, and absolute, for the job begins elsewhere.
    let mut quoted = submit(dir.path(), "--profile slurm --dry-run");
    quoted.arg("it's mine.toml").assert().code(0).stdout(contains(r"/it'\''s mine.toml' --results"));
    assert!(!dir.path().join("jobs").exists(), "a dry run leaves nothing");
    // A name is kept as it is written; what it gives its name to has one word, below jobs/.
    fs::write(dir.path().join("odd.toml"), QUICK.replace("name = \"quick\"", "name = \"../a b/c\"")).unwrap();
    let odd = dry(dir.path(), "odd.toml --profile slurm");
    assert!(odd.contains("--job-name=sifbench--a-b-c\n") && odd.contains("TIME--a-b-c/out\n"), "{odd}");
    let json = submit(dir.path(), "quick --profile slurm --dry-run --json").assert().code(0);
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    let (script, command) = (json["text"].as_str().unwrap(), json["command"].as_str().unwrap());
    assert!(script.starts_with("#!") && script.contains("#SBATCH --nodes=1"), "{json}");
    assert!(command.starts_with("sbatch ") && command.ends_with(json["script"].as_str().unwrap()), "{json}");
    assert_eq!((&json["job"], &json["nodes"]), (&serde_json::Value::Null, &1.into()));
    let ranks = dry(dir.path(), "quick --profile tgcc --nodes 4294967295");
    assert!(ranks.contains("-n 8589934590\n"), "{ranks}");
    let short = submit(dir.path(), "quick --profile slurm --dry-run --walltime 0:00:05").assert().code(0);
    short.stderr(contains("mind: that is shorter than the plan"));
}

#[test]
fn what_cannot_be_submitted_is_refused_with_what_to_do() {
    let dir = shared();
    let check = |words: &str, code: i32, expected: &str| {
        let refused = submit(dir.path(), words).assert().code(code);
        refused.stderr(contains(expected).and(contains("hint")));
    };
    check("quick --dry-run", 3, "the profile laptop submits to no scheduler");
    check(
        "quick --profile slurm --dry-run --results /tmp/results",
        3,
        "results: /tmp/results is a directory that each node has",
    );
    check("quick --profile slurm --dry-run --results /dev/shm/x", 3, "/dev/shm/x is a directory that each node has");
    check("quick --profile slurm --dry-run --placement one-a-node --nodes 1", 3, "takes 2");
    check("quick --profile slurm --dry-run --walltime soon", 2, "`soon` is no time");
    for account in ["a b", "", "x\n#SBATCH --nodes=99", "x\nrm y"] {
        let mut job = submit(dir.path(), "quick --profile slurm --dry-run --account");
        job.arg(account).assert().code(2).stderr(contains("is no account\nhint: one word")).stdout("");
    }
    check("quick --profile slurm", 1, "is not there");
    let private = tempfile::tempdir_in("/tmp").unwrap();
    let refused = submit(private.path(), "quick --profile slurm --dry-run").assert().code(3);
    refused.stderr(contains("the job's script: /tmp/").and(contains("hint: submit from the shared file system")));
}
