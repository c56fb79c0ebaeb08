//! What breaks in the middle of a launch over several nodes: it ends within its deadline, its outcome is named from what was
//! seen, every node that can be reached is clean, and one that cannot is not used again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use harness::{
    case::Mode,
    record::{Outcome, Purpose, Record},
};

use crate::{
    bed::{Bed, machine, text, wait_for},
    runs::{Campaign, left_on, newest},
};

/// Silence, the time to look at nodes of which one does not answer, grace, and what came before the fault.
const DEADLINE: Duration = Duration::from_secs(20);

/// What is done to a launch.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// A signal to a rank on the second node.
    Rank(&'static str),
    /// A signal to the launcher's daemon there.
    Daemon(&'static str),
    /// A signal to `mpirun`.
    Mpirun(&'static str),
    /// A node as a whole, by `scripts/testbed/fault`.
    Node(&'static str, &'static str),
}

/// One after the other, each to a launch of its own. After the second node the third is used.
const FAULTS: [Fault; 9] = [
    Fault::Rank("KILL"),
    Fault::Rank("STOP"),
    Fault::Daemon("KILL"),
    Fault::Daemon("STOP"),
    Fault::Mpirun("KILL"),
    Fault::Mpirun("TERM"),
    Fault::Mpirun("INT"),
    Fault::Node("n2", "unplug"),
    Fault::Node("n3", "kill"),
];

impl Fault {
    fn strike(self, bed: &Bed) {
        let signal = |node, signal: &str, program: &[&str]| {
            let hit = bed.on(node, &[&["pkill", &format!("-{signal}")], program].concat()).output().unwrap();
            assert!(hit.status.success(), "{self:?} hits nothing: {}", text(&hit));
        };
        match self {
            Self::Rank(by) => signal("n2", by, &["-x", "bench-app"]),
            Self::Daemon(by) => signal("n2", by, &["-x", "orted|prted"]),
            // Those of wheels go by other names.
            Self::Mpirun(by) => signal("n1", by, &["--oldest", "-f", "bin/(mpirun|prterun) -np"]),
            Self::Node(node, what) => assert!(bed.script("fault", &[node, what]).status().unwrap().success()),
        }
    }

    /// Whether the outcome is of the right kind, and what is said to be lost is what was struck. Where the launcher ends by itself
    /// its words decide, and of a lost daemon those of 5.x often blame nobody, or rank 0; where it hangs, every node is looked at.
    fn is_named(self, version: &str, record: &Record) -> bool {
        let lost: Vec<String> = record.lost.iter().map(ToString::to_string).collect();
        let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
        let (outcome, old) = (&record.outcome, version.starts_with('4'));
        let hang = matches!(outcome, Outcome::TimedOut { .. });
        let killed = matches!(outcome, Outcome::Signaled { signal: 9, .. });
        let exited = matches!(outcome, Outcome::Exited { .. });
        let of = |place: &str| {
            let nothing_else = lost.iter().all(|lost| lost.contains(place) || *lost == "rank 0 on n1 is gone");
            nothing_else && lost.iter().any(|lost| lost.contains(place)) || !old && !hang && lost.is_empty()
        };
        match self {
            Self::Rank("KILL") => {
                (killed || exited || hang) && of("n2") && lost.iter().any(|lost| lost.starts_with("rank 1 on n2 "))
            }
            Self::Rank(_) => hang && lost.contains(&"rank 1 on n2 is stopped"),
            Self::Daemon("KILL") => (exited || hang) && of("n2"),
            Self::Daemon(_) => hang && lost.contains(&"the launcher's daemon on n2 is stopped"),
            Self::Mpirun("KILL") => killed && lost == ["the launcher itself was ended by signal 9"],
            Self::Mpirun(_) => exited,
            Self::Node(node, _) => (hang || exited) && of(node),
        }
    }
}

/// A run while it is made, and what it says.
struct Running<'b> {
    bed: &'b Bed,
    child: Child,
    said: PathBuf,
}

impl Running<'_> {
    /// Waits until an attempt's rank on the second of `nodes` measures. Nothing of those before it is on either.
    fn measures(&self, attempt: usize, nodes: [&str; 2]) {
        let own = format!("SIFBENCH_ATTEMPT=a{attempt:04}.");
        // A quarter of a second of its processor is more than it takes to begin; the third node has but half of one.
        let ticks = if nodes[1] == "n3" { 8 } else { 25 };
        let spins = format!(
            "for p in $(pgrep -x bench-app); do grep -qas '{own}' /proc/$p/environ && read -r all < /proc/$p/stat && \
             set -- ${{all##*) }} && [ $((${{12}} + ${{13}})) -gt {ticks} ] && exit; done"
        );
        let wait = format!("n=0; while [ $n -lt 1000 ]; do {spins}; sleep 0.03; n=$((n + 1)); done; exit 1");
        let measures = self.bed.on(nodes[1], &["sh", "-c", &wait]).status().unwrap().success();
        assert!(measures, "in vain: attempt {attempt}\n{}", fs::read_to_string(&self.said).unwrap());
        let look = "grep -hoasz 'SIFBENCH_ATTEMPT=a[0-9]*\\.' /proc/[0-9]*/environ | tr '\\0' '\\n' | sort -u";
        for node in nodes {
            let marked = self.bed.says(node, &["sh", "-c", look]);
            assert_eq!(marked.trim(), own, "{node} runs what is not of attempt {attempt}");
        }
    }
}

/// Starts a run on the first node.
fn start<'b>(bed: &'b Bed, dir: &Path, command: &str) -> Running<'b> {
    let said = dir.join("said");
    let mut run = bed.on("n1", &["sh", "-c", &format!("exec {command}")]);
    let child = run.stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    Running { bed, child, said }
}

fn hostfile(dir: &Path, nodes: &[&str]) -> PathBuf {
    let file = dir.join("nodes");
    fs::write(&file, nodes.iter().map(|node| format!("{node} slots=1\n")).collect::<String>()).unwrap();
    file
}

/// Breaks the launches of one run, one after the other: each that was broken is made again, alone.
fn check(mode: Mode, version: &str) {
    let _machine = machine();
    let bed = Bed::up(&["--nodes", "3"]);
    let mut bystanders = ["n1", "n2"].map(|node| bed.on(node, &["sleep", "600"]).spawn().unwrap());
    let dir = bed.directory();
    let campaign = Campaign {
        modes: &[mode],
        version,
        ranks: 2,
        workload: "latency = [\"8:2\"]",
        rest: "[limits]\nsilence_s = 3.0\ntotal_s = 20.0",
    };
    let command = campaign.command(dir.path());
    let file = dir.path().join("campaign.toml");
    let text_of = fs::read_to_string(&file).unwrap();
    // The third node has the first one's processor where there are but two, so ranks must yield.
    // Launches that are long enough to be hit, and as many as there are faults: one in discovery, two a block.
    let blocks = format!("blocks = {}", FAULTS.len() / 2);
    let longer = text_of.replace("rounds = 1", "rounds = 6").replace("visit_ms = 20", "visit_ms = 150");
    fs::write(
        &file,
        longer
            .replace("blocks = 1", &blocks)
            .replace("btl = \"^ofi\"", "btl = \"^ofi\", mtl = \"^ofi\", mpi_yield_when_idle = \"1\""),
    )
    .unwrap();
    let nodes = hostfile(dir.path(), &["n1", "n2", "n3"]);
    let how = format!("--agent ssh --hostfile {}", nodes.display());
    let mut running = start(&bed, dir.path(), &format!("{command} {how}"));
    for (at, fault) in FAULTS.into_iter().enumerate() {
        // Between two of them the first is made again.
        let other = if matches!(fault, Fault::Node("n3", _)) { "n3" } else { "n2" };
        running.measures(2 * at + 1, ["n1", other]);
        fault.strike(&bed);
    }
    let status = running.child.wait().unwrap();
    let said = fs::read_to_string(&running.said).unwrap();
    eprintln!("{mode} {version}: {said}");
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("n2, n3 cannot be trusted") && said.contains("run --resume"), "{said}");
    let run = newest(dir.path());
    for (at, fault) in FAULTS.into_iter().enumerate() {
        let broken = &run.records[2 * at];
        let what = format!("{mode} {version}, {fault:?}: {:?}, {:?}", broken.outcome, broken.lost);
        assert!(fault.is_named(version, broken), "{what}: {:?}", broken.said);
        assert!(Duration::from_nanos(broken.wall_ns) < DEADLINE, "{what}: {} ns", broken.wall_ns);
        let left = broken.swept.iter().any(|words| words.contains("LEFT"));
        assert_eq!(left, matches!(fault, Fault::Node(..)), "{what}: {:?}", broken.swept);
        if let Some(again) = run.records.get(2 * at + 1) {
            assert_eq!((again.purpose, &again.outcome), (Purpose::Recheck, &Outcome::Completed), "{what}");
        }
    }
    assert_eq!(left_on(&bed, "n1"), "");
    // The node that nobody could reach is swept by its guard once the connection is known to be cut.
    assert!(bed.script("fault", &["n2", "plug"]).status().unwrap().success());
    wait_for("n2 to be clean", || left_on(&bed, "n2").is_empty());
    hostfile(dir.path(), &["n1", "n2"]);
    let resume = format!("{} run --resume {} {how}", env!("CARGO_BIN_EXE_sifbench"), run.dir.display());
    let output = bed.on("n1", &["sh", "-c", &resume]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(newest(dir.path()).closed, "{mode} {version}");
    for bystander in &mut bystanders {
        assert!(bystander.try_wait().unwrap().is_none(), "somebody else's process was killed");
    }
    bed.down();
    bystanders.iter_mut().for_each(|bystander| drop(bystander.wait()));
}

#[test]
#[ignore = "needs root and namespaces, Open MPI 4.1.8 (scripts/test as root)"]
fn whatever_breaks_in_a_native_launch_is_named_and_swept_and_the_run_goes_on() {
    check(Mode::Native, "4.1.8");
}

#[test]
#[ignore = "needs root and namespaces, an image of 5.0.11 (scripts/test as root)"]
fn whatever_breaks_in_a_launch_of_containers_is_named_and_swept_and_the_run_goes_on() {
    check(Mode::HybridSharens, "5.0.11");
}

/// The harness itself: nobody is left to sweep the nodes, its own included, but their guards.
#[test]
#[ignore = "needs root and namespaces, an image of 4.1.8 (scripts/test as root)"]
fn a_harness_that_is_killed_leaves_nothing_on_any_node_and_the_next_one_goes_on() {
    let _machine = machine();
    let bed = Bed::up(&[]);
    let dir = bed.directory();
    let nodes = hostfile(dir.path(), &["n1", "n2"]);
    let modes = &[Mode::HybridInstance];
    let workload = "latency = [\"8\"]\nrounds = 4\nvisit_ms = 500";
    let campaign = Campaign { modes, version: "4.1.8", ranks: 2, workload, rest: "" };
    let command = campaign.command(dir.path());
    let file = dir.path().join("campaign.toml");
    let text_of = fs::read_to_string(&file).unwrap();
    fs::write(&file, text_of.replace("rounds = 1\nvisit_ms = 20\n", "")).unwrap();
    let mut running = start(&bed, dir.path(), &format!("{command} --agent ssh --hostfile {}", nodes.display()));
    running.measures(1, ["n1", "n2"]);
    assert_ne!(left_on(&bed, "n1"), "", "nothing to be left: the test proves nothing");
    bed.says("n1", &["pkill", "-KILL", "-x", "sifbench"]);
    running.child.wait().unwrap();
    wait_for("both to be clean", || ["n1", "n2"].iter().all(|node| left_on(&bed, node).is_empty()));
    let resume = format!("{} run --resume {}", env!("CARGO_BIN_EXE_sifbench"), newest(dir.path()).dir.display());
    let resume = format!("{resume} --agent ssh --hostfile {}", nodes.display());
    let output = bed.on("n1", &["sh", "-c", &resume]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for node in ["n1", "n2"] {
        assert_eq!(left_on(&bed, node), "", "{node}");
    }
    bed.down();
}
