//! The argv of every mode, as a snapshot: the most telling file of the repository.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{collections::BTreeMap, num::NonZeroU32};

use bench_app::{
    Bytes, Cell, Kernel, Workload,
    gate::{Entrance, Job},
    workload::{BufferKind, Order},
};
use harness::{
    case::{Case, Entry, HostMpi, Image, Implementation, Launcher, Mode, Mpi, Settings, Stack},
    compose::{Around, apptainer::Runtime, compose},
};

fn mpi(version: &str) -> Mpi {
    Mpi { implementation: Implementation::OpenMpi, version: version.parse().unwrap() }
}

fn stacks() -> Vec<Stack> {
    let host = || HostMpi { mpi: mpi("5.0.11"), prefix: "/cache/mpi/openmpi-5.0.11".into() };
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

fn runtime() -> Runtime {
    Runtime { program: "apptainer".into() }
}

/// Every mode by every launcher, bare and with everything a user can add, as a person would type it.
fn grid() -> String {
    let workload = workload();
    let runtime = runtime();
    let mut text = String::new();
    let user = [("plain", Settings::default()), ("with settings", settings())];
    for (launcher, (title, settings)) in Launcher::ALL.into_iter().flat_map(|l| user.clone().map(|user| (l, user))) {
        let settings = Settings { launcher, ..settings };
        text += &format!("# {launcher:?}, {title}\n");
        for stack in stacks() {
            let case = Case { stack, workload: workload.clone(), ranks: 2, settings: settings.clone() };
            let commands = compose(&case, &workload, Around { runtime: &runtime, instance: "NAME", gate: None });
            text += &format!("\n## {}\n", case.label());
            if let Some(instance) = &commands.instance {
                text += &format!("{}\n{}\n", instance.start, instance.probe);
            }
            text += &format!("{}\n", commands.launch);
            if let Some(instance) = &commands.instance {
                text += &format!("{}\n", instance.stop);
            }
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

/// Flags, binds and variables come too late for an instance that runs already.
#[test]
fn in_the_instance_mode_the_users_options_go_to_instance_start_alone() {
    let stack = stacks().swap_remove(3);
    let case = Case { stack, workload: workload(), ranks: 2, settings: settings() };
    let commands = compose(&case, &case.workload, Around { runtime: &runtime(), instance: "NAME", gate: None });
    let start = commands.instance.unwrap().start.to_string();
    for option in ["--containall", "--bind /scratch:/data", "--env OMP_NUM_THREADS=1"] {
        assert!(start.contains(option), "{start}");
        assert!(!commands.launch.to_string().contains(option), "{}", commands.launch);
    }
}

/// Where ranks are in containers, the gate is mounted where these begin: at `instance start` in the instance mode.
#[test]
fn a_gate_is_in_the_argv_of_every_mode_and_visible_in_every_container() {
    let gate = Entrance { path: "/tmp/private/gate".into(), job: Job::Second };
    let around = Around { runtime: &runtime(), instance: "NAME", gate: Some(&gate) };
    for stack in stacks() {
        let case = Case { stack, workload: workload(), ranks: 2, settings: Settings::default() };
        let commands = compose(&case, &case.workload, around);
        let mode = case.stack.mode();
        let launch = commands.launch.to_string();
        assert!(launch.ends_with("--gate /tmp/private/gate:1"), "{mode}: {launch}");
        let enters = commands.instance.map_or(launch, |instance| instance.start.to_string());
        assert_eq!(enters.contains("--bind /tmp/private/gate"), mode.row().within.containers().is_some(), "{mode}");
    }
}
