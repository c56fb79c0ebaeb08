//! The wire between two nodes of a bed: its shaping is a limit that is known, so a figure can be right or wrong.

use bench_app::{Decoded, Event, Kernel, decode};

/// What every link of a bed is shaped to.
pub(crate) const RATE: &str = "1gbit";
const BYTES_PER_SECOND: f64 = 1e9 / 8.0;
/// Messages of this size alone are judged: one that fits into the burst beats the limit.
pub(crate) const BYTES: u64 = 4 << 20;
/// What the shaper lets through at once, `burst 64kb`.
const BURST: f64 = 65_000.0;
/// Payload and frame of a full TCP segment.
const PAYLOAD: f64 = 1448.0 / 1514.0;

/// bench-app's arguments: round trips of `BYTES`, one a batch.
pub(crate) const ARGS: [&str; 6] = ["--size", "latency@4Mi:1", "--rounds", "1", "--visit-ms", "700"];

/// The time that one message of `BYTES` takes on the wire, s.
pub(crate) fn limit() -> f64 {
    (BYTES as f64 - BURST) / (BYTES_PER_SECOND * PAYLOAD)
}

/// Two ranks on two nodes have measured the wire, and nothing else.
pub(crate) fn assert_measured(what: &str, said: &str) {
    let events: Vec<Event> = said
        .lines()
        .filter_map(|line| match decode(line) {
            Decoded::Event { event, .. } => Some(*event),
            Decoded::Text | Decoded::Garbled(_) => None,
        })
        .collect();
    let hello = events.iter().find_map(|event| if let Event::Hello(hello) = event { Some(hello) } else { None });
    assert_eq!(hello.map(|hello| hello.world), Some(2), "{what}: {said}");
    let facts = events.iter().find_map(|event| if let Event::Facts(facts) = event { Some(facts) } else { None });
    assert_eq!(facts.map(|facts| facts.nodes), Some(2), "{what}: {said}");
    assert!(matches!(events.last(), Some(Event::Done(_))), "{what}: {said}");
    let measured = events
        .iter()
        .filter_map(|event| if let Event::Measurement(measured) = event { Some(measured) } else { None })
        .filter(|measured| (measured.kernel, measured.bytes.0) == (Kernel::Latency, BYTES));
    let one_way = measured.flat_map(|m| m.ns.iter().map(move |ns| *ns as f64 / 2.0 / f64::from(m.k) / 1e9));
    assert_near(what, &one_way.collect::<Vec<_>>());
}

/// What disturbs a machine only adds to a time that the wire bounds from below: the shortest of some one-way times, s, is the
/// wire's to 3 %.
fn assert_near(what: &str, one_way: &[f64]) {
    let shortest = one_way.iter().copied().fold(f64::INFINITY, f64::min);
    let off = shortest / limit() - 1.0;
    eprintln!("{what}: {:.2} ms, {:+.1} % of the wire's limit", shortest * 1e3, off * 100.0);
    assert!(off.abs() < 0.03, "{what}: {shortest} s of {one_way:?}, where the wire takes {} s", limit());
}
