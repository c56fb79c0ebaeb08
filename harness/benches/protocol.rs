//! What the protocol costs: framing on the side of the ranks, reading on the side of the harness.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::{hint::black_box, num::NonZeroU32};

use bench_app::{
    Bytes, Cell, Event, Kernel, PROTOCOL, decode, encode,
    event::{BATCHES_PER_FRAME, Begin, Done, Hello, Measurement},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use harness::{
    id::AttemptId,
    process::{Exit, Reason, Stream},
    record::Outcome,
    run::watch::Watch,
};

const SIZES: [u64; 12] =
    [8, 64, 256, 1 << 10, 4 << 10, 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 2 << 20, 4 << 20];
const ROUNDS: u32 = 3;

fn measurement(kernel: Kernel, bytes: Bytes, visit: u32, batches: usize) -> Event {
    let ns = (0..batches as u64).map(|batch| 51_200 + 37 * batch).collect();
    Event::Measurement(Measurement { kernel, bytes, visit, k: 200, discarded: 2, first: 0, ns })
}

/// A whole launch as rank 0 frames it: three kernels at twelve sizes in three rounds.
fn launch() -> (Vec<Cell>, Vec<Event>) {
    let kernels = [Kernel::Latency, Kernel::Bandwidth, Kernel::Allreduce];
    let cells: Vec<Cell> = kernels
        .into_iter()
        .flat_map(|kernel| SIZES.map(|bytes| Cell { kernel, bytes: Bytes(bytes), k: NonZeroU32::MIN }))
        .collect();
    let library = "Open MPI v4.1.8, package: Open MPI".to_owned();
    let (version, launcher_size) = ("0.1.0".to_owned(), Some(2));
    let hello = Hello { protocol: PROTOCOL, version, world: 2, launcher_size, library, init_ns: 38_000_000 };
    let visits = (0..ROUNDS).flat_map(|visit| cells.iter().map(move |cell| (visit, *cell)));
    let visits = visits.flat_map(|(visit, Cell { kernel, bytes, .. })| {
        [Event::Begin(Begin { kernel, bytes, visit }), measurement(kernel, bytes, visit, 60)]
    });
    let done = Event::Done(Done { visits: ROUNDS * cells.len() as u32, wall_ns: 1_000_000_000 });
    let events = std::iter::once(Event::Hello(hello)).chain(visits).chain([done]).collect();
    (cells, events)
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("protocol");
    let event = measurement(Kernel::Latency, Bytes(8), 0, BATCHES_PER_FRAME);
    let frame = encode(&event);
    group.throughput(Throughput::Bytes(frame.len() as u64));
    group.bench_function("encode a full frame", |bencher| bencher.iter(|| encode(black_box(&event))));
    group.bench_function("decode a full frame", |bencher| bencher.iter(|| decode(black_box(frame.trim_end()))));

    let words = "WARNING: The default btl_vader_single_copy_mechanism CMA is not available";
    group.throughput(Throughput::Bytes(words.len() as u64));
    group.bench_function("pass by a line of somebody else's", |bencher| bencher.iter(|| decode(black_box(words))));

    let (cells, events) = launch();
    let lines: Vec<String> = events.iter().map(|event| encode(event).trim_end().to_owned()).collect();
    group.throughput(Throughput::Bytes(lines.iter().map(|line| line.len() as u64).sum()));
    group.bench_function("follow a launch of 108 visits", |bencher| {
        bencher.iter(|| {
            let mut watch = Watch::new(AttemptId(1), 2, &cells, NonZeroU32::new(ROUNDS).unwrap());
            for line in &lines {
                black_box(watch.line(Stream::Out, black_box(line)));
            }
            assert_eq!(watch.outcome(Exit::Code(0), Reason::Itself), Outcome::Completed);
            watch.samples.len()
        });
    });
    group.finish();
}

criterion_group!(protocol, benches);
criterion_main!(protocol);
