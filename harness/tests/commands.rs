//! The argv of every mode, as a snapshot: the most telling file of the repository.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{collections::BTreeMap, num::NonZeroU32};

use bench_app::{
    Bytes, Cell, Kernel, Workload,
    gate::{Entrance, Job},
    workload::{BufferKind, Order},
};
use harness::{
    case::{Case, Entry, Environment, HostMpi, Image, Implementation, Launcher, Mode, Mpi, Placement, Settings, Stack},
    compose::{Commands, Ground, apptainer::Runtime, compose},
    site::{
        Allocation, Node, Scheduler,
        nodes::{Nodes, Reach, Strategy},
    },
};

fn mpi(version: &str) -> Mpi {
    Mpi { implementation: Implementation::OpenMpi, version: version.parse().unwrap() }
}

fn stacks() -> Vec<Stack> {
    let host = || HostMpi::new(mpi("5.0.11"), "/cache/mpi/openmpi-5.0.11".into());
    let image = || Image { mpi: Some(mpi("4.1.8")), path: "/cache/images/openmpi-4.1.8.sif".into() };
    let hybrid = |entry| Stack::Hybrid { host: host(), image: image(), entry };
    vec![
        Stack::Native { host: host(), app: "/cache/build/bench-app".into() },
        Stack::Embedded { image: image() },
        hybrid(Entry::Exec),
        hybrid(Entry::Instance),
        hybrid(Entry::Sharens),
        Stack::Bind { host: host(), image: Image { mpi: None, path: "/cache/images/base.sif".into() } },
    ]
}

fn settings() -> Settings {
    let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    Settings {
        launcher: Launcher::default(),
        environment: Environment::Raw,
        transport: None,
        mca: map("btl_vader_single_copy_mechanism", "none"),
        flags: vec!["--containall".into()],
        binds: vec!["/scratch:/data".into()],
        env: map("OMP_NUM_THREADS", "1"),
    }
}

fn workload() -> Workload {
    let cell = Cell { kernel: Kernel::Latency, bytes: Bytes(8), k: NonZeroU32::new(200).unwrap() };
    let rounds = NonZeroU32::new(3).unwrap();
    Workload { cells: vec![cell], rounds, visit_ms: 5, order: Order::Shuffled, seed: 1, buffers: BufferKind::Hot }
}

fn nodes(scheduler: Scheduler, hosts: &[&str]) -> Nodes {
    let nodes = hosts.iter().map(|host| Node::new(*host, 2)).collect();
    Nodes::of(&Allocation { scheduler, job: None, nodes }, "/shared/sifbench".into())
}

fn composed(case: &Case, nodes: &Nodes) -> Result<Commands, String> {
    let runtime = Runtime { program: "apptainer".into() };
    compose(case, &case.workload, &Ground { runtime: &runtime, nodes, instance: "NAME", gate: None })
}

/// The commands of a case as a person would type them.
fn lines(case: &Case, nodes: &Nodes) -> String {
    let text = match composed(case, nodes) {
        Ok(commands) => {
            let (before, after) = commands.instance.map_or_else(Default::default, |instance| instance.to_lines());
            [before, vec![commands.launch.to_string()], after].concat().join("\n")
        }
        Err(reason) => format!("unsupported: {reason}"),
    };
    format!("\n## {}\n{text}\n", case.label())
}

/// Every mode by every launcher on one node, bare and with everything a user can add.
fn grid() -> String {
    let nodes = nodes(Scheduler::Slurm, &["n1", "n2"]);
    let mut text = String::new();
    let user = [("plain", Settings::default()), ("with settings", settings())];
    for (launcher, (title, settings)) in Launcher::ALL.into_iter().flat_map(|l| user.clone().map(|user| (l, user))) {
        let settings = Settings { launcher, ..settings };
        text += &format!("# {launcher:?}, {title}\n");
        for stack in stacks() {
            let (placement, settings) = (Placement::default(), settings.clone());
            text += &lines(&Case { stack, workload: workload(), program: None, ranks: 2, placement, settings }, &nodes);
        }
        text += "\n";
    }
    text
}

#[test]
fn every_mode_has_the_command_it_is_said_to_have() {
    assert_eq!(stacks().iter().map(Stack::mode).collect::<Vec<_>>(), Mode::ALL);
    insta::assert_snapshot!(grid());
}

/// The ways over several nodes: a launcher, how nodes are reached, and how instances live there.
fn ways() -> Vec<(&'static str, Launcher, Nodes)> {
    let of = |scheduler| nodes(scheduler, &["n1", "n2"]);
    let in_rank = Nodes { strategy: Strategy::InRank, ..of(Scheduler::Slurm) };
    let by_hand = Nodes { strategy: Strategy::ThreeStep, ..of(Scheduler::Slurm) };
    let ssh = Nodes {
        reach: Reach::parse("ssh -F /shared/ssh config"),
        exports: vec!["UCX_TLS".into()],
        ..of(Scheduler::Local)
    };
    vec![
        ("mpirun in an OAR job", Launcher::Mpirun, of(Scheduler::Oar)),
        ("mpirun in a Slurm job", Launcher::Mpirun, of(Scheduler::Slurm)),
        ("mpirun over ssh with words of its own", Launcher::Mpirun, ssh),
        ("srun", Launcher::Srun, of(Scheduler::Slurm)),
        ("srun, instances started and stopped by steps", Launcher::Srun, by_hand),
        ("srun, instances started and stopped by ranks", Launcher::Srun, in_rank),
        ("ccc_mprun", Launcher::CccMprun, of(Scheduler::Slurm)),
    ]
}

/// Every mode on several nodes in every way, for hosts of both series.
fn grid_of_nodes() -> String {
    let mut text = String::new();
    for (title, launcher, nodes) in ways() {
        let several_a_node = launcher == Launcher::Srun;
        let (ranks, placement) = if several_a_node { (4, "2-a-node") } else { (2, "one-a-node") };
        text += &format!("# {title}, {placement}\n");
        for stack in stacks() {
            let settings = Settings { launcher, ..settings() };
            let case = Case {
                stack,
                workload: workload(),
                program: None,
                ranks,
                placement: placement.parse().unwrap(),
                settings,
            };
            text += &lines(&case, &nodes);
        }
        if launcher == Launcher::Mpirun {
            let host = HostMpi::new(mpi("4.1.8"), "/cache/mpi/openmpi-4.1.8".into());
            let stack = Stack::Native { host, app: "/cache/build/bench-app".into() };
            let (placement, settings) = (placement.parse().unwrap(), Settings::default());
            text += &lines(&Case { stack, workload: workload(), program: None, ranks, placement, settings }, &nodes);
        }
        text += "\n";
    }
    text
}

#[test]
fn every_mode_has_its_command_on_several_nodes_too() {
    insta::assert_snapshot!(grid_of_nodes());
}

/// The image's own mpirun would look for the scheduler's programs, and on one node the host's has no business with it.
#[test]
fn only_launches_that_take_part_in_a_job_see_it() {
    let check = |launcher, placement: &str, expected: &[Mode]| {
        let nodes = nodes(Scheduler::Slurm, &["n1", "n2"]);
        let settings = Settings { launcher, ..Settings::default() };
        let placement = placement.parse().unwrap();
        let case = |stack| Case {
            stack,
            workload: workload(),
            program: None,
            ranks: 2,
            placement,
            settings: settings.clone(),
        };
        let seeing = |stack: Stack| {
            let mode = stack.mode();
            composed(&case(stack), &nodes).is_ok_and(|commands| commands.scheduled).then_some(mode)
        };
        assert_eq!(stacks().into_iter().filter_map(seeing).collect::<Vec<_>>(), expected, "{launcher:?} {placement}");
    };
    let hosts: Vec<Mode> = Mode::that(|row| row.host);
    check(Launcher::Mpirun, "same-node", &[]);
    check(Launcher::Mpirun, "one-a-node", &hosts);
    check(Launcher::Srun, "same-node", &hosts);
    check(Launcher::Srun, "one-a-node", &hosts);
}

#[test]
fn what_the_nodes_do_not_hold_is_unsupported_and_says_why() {
    let check = |ranks, placement: &str, expected: &str| {
        let (stack, placement) = (stacks().swap_remove(0), placement.parse().unwrap());
        let case = Case { stack, workload: workload(), program: None, ranks, placement, settings: Settings::default() };
        let reason = composed(&case, &nodes(Scheduler::Oar, &["n1", "n2"])).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
    };
    check(3, "one-a-node", "it takes 3 nodes, and there are 2");
    check(3, "2-a-node", "3 ranks cannot be placed 2-a-node");
}

/// Flags, binds and variables come too late for an instance that runs already.
#[test]
fn in_the_instance_mode_the_users_options_go_to_instance_start_alone() {
    let (stack, placement) = (stacks().swap_remove(3), Placement::default());
    let case = Case { stack, workload: workload(), program: None, ranks: 2, placement, settings: settings() };
    let commands = composed(&case, &nodes(Scheduler::Local, &["n1"])).unwrap();
    let start = commands.instance.unwrap().to_lines().0.swap_remove(0);
    for option in ["--containall", "--bind /scratch:/data", "--env OMP_NUM_THREADS=1"] {
        assert!(start.contains(option), "{start}");
        assert!(!commands.launch.to_string().contains(option), "{}", commands.launch);
    }
}

/// What the host's own libraries need would send an image's to files that it does not have.
#[test]
fn what_a_hosts_libraries_need_reaches_only_the_ranks_that_load_them() {
    let needs = |host: &mut HostMpi| {
        host.env = [("OPAL_SYSCONFDIR", "/cache/etc"), ("LD_LIBRARY_PATH", "/cache/deep/lib")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    };
    for mut stack in stacks() {
        match &mut stack {
            Stack::Native { host, .. } | Stack::Hybrid { host, .. } | Stack::Bind { host, .. } => needs(host),
            Stack::Embedded { .. } => {}
        }
        let loads = matches!(stack, Stack::Native { .. } | Stack::Bind { .. });
        let (placement, settings) = (Placement::default(), Settings::default());
        let case = Case { stack, workload: workload(), ranks: 2, placement, settings, program: None };
        let launch = composed(&case, &nodes(Scheduler::Local, &["n1"])).unwrap().launch.to_string();
        for variable in ["OPAL_SYSCONFDIR=/cache/etc", "LD_LIBRARY_PATH=/cache/deep/lib"] {
            assert_eq!(launch.contains(variable), loads, "{launch}");
        }
        assert!(!launch.contains("5.0.11/lib"), "{launch}");
    }
}

/// Where ranks are in containers, the gate is mounted where these begin: at `instance start` in the instance mode.
#[test]
fn a_gate_is_in_the_argv_of_every_mode_and_visible_in_every_container() {
    let gate = Entrance { path: "/tmp/private/gate".into(), job: Job::Second };
    let (runtime, nodes) = (Runtime { program: "apptainer".into() }, nodes(Scheduler::Local, &["n1"]));
    let ground = Ground { runtime: &runtime, nodes: &nodes, instance: "NAME", gate: Some(&gate) };
    for stack in stacks() {
        let (placement, settings) = (Placement::default(), Settings::default());
        let case = Case { stack, workload: workload(), program: None, ranks: 2, placement, settings };
        let commands = compose(&case, &case.workload, &ground).unwrap();
        let (mode, launch) = (case.stack.mode(), commands.launch.to_string());
        assert!(launch.ends_with("--gate /tmp/private/gate:1"), "{mode}: {launch}");
        let enters = commands.instance.map_or(launch, |instance| instance.to_lines().0.swap_remove(0));
        assert_eq!(enters.contains("--bind /tmp/private/gate"), mode.row().within.containers().is_some(), "{mode}");
    }
}
