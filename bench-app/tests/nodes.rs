//! bench-app between two nodes on a link of a known rate (`two-nodes`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the program as a launcher does")]

mod launch;

use std::{process::Command, sync::PoisonError};

use bench_app::{
    Kernel, exit,
    gate::{Gate, LEASE},
    stationarity::median,
};

use launch::{Launch, MACHINE, alive, ended, mpirun};

/// Rate of the link, bits in a second.
const RATE: u64 = 500_000_000;
/// What it lets pass at once after a pause, bytes.
const BURST: u64 = 65_000;
/// Payload of a full frame, and the frame.
const FRAME: (f64, f64) = (1448.0, 1514.0);

/// Two ranks, one on each node.
fn between_nodes(args: &[&str]) -> Launch {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let network = "10.77.0.0/24";
    let mut options = vec!["--host", "n1,n2", "--bind-to", "none", "--timeout", "120"];
    let mca = [("pml", "ob1"), ("btl", "self,tcp"), ("btl_tcp_if_include", network), ("oob_tcp_if_include", network)];
    options.extend(mca.iter().flat_map(|(name, value)| ["--mca", name, value]));
    let inner = mpirun(2, &options, args);
    let mut outer = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/two-nodes"));
    outer.arg(format!("{RATE}bit")).arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // Root of the namespaces that the two nodes are.
    outer.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
    ended(&mut outer)
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test), network namespaces and iproute2"]
fn between_nodes_a_message_takes_what_the_link_takes() {
    const BYTES: u64 = 4 << 20;
    let launch = between_nodes(&["--size", "latency@4Mi:1", "--rounds", "1", "--visit-ms", "300"]).measured();
    let (payload, frame) = FRAME;
    let expected = (BYTES - BURST) as f64 / (RATE as f64 / 8e9 * payload / frame);
    let near = |ns: f64| assert!((ns / expected - 1.0).abs() < 0.03, "{ns} ns where the link takes {expected} ns");
    near(median(&launch.batches(Kernel::Latency)) / 2.0);
    // So does TCP without MPI, and a byte is quick.
    let visited = launch.visited()[0];
    near(visited.stream_ns.unwrap());
    let canary = median(&visited.canary.unwrap()[0]) / f64::from(visited.canary_trips);
    assert!(canary > 1_000.0 && canary < expected / 10.0, "{canary} ns");
    assert_eq!((launch.facts().nodes, launch.late().canary_over.as_deref()), (2, Some("10.77.0.2")));
    assert_eq!((launch.late().traffic.unwrap().carrier(), &launch.late().no_canary), ("network", &None));
}

#[test]
#[ignore = "needs mpirun and bench-app (scripts/test), network namespaces and iproute2"]
fn a_gate_between_two_nodes_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gate");
    let _gate = Gate::create(&path, LEASE).unwrap();
    let launch = between_nodes(&["--size", "latency@8", "--gate", &format!("{}:0", path.display())]);
    let failed = launch.failed(exit::FAILED);
    assert!(failed.rank == 0 && failed.message.contains("the ranks are on several nodes; hint: "), "{failed:?}");
    assert!(launch.visited().is_empty());
    assert_eq!(alive(), Vec::<String>::new());
}
