//! What the store costs: an append between two launches, and reading a run of an afternoon.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

#[expect(dead_code, reason = "the reports' tests use the rest")]
#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::{hint::black_box, path::Path};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use harness::{
    id::AttemptId,
    record::{Record, Sample},
    store::{self, Store},
};

/// Of the run that is read.
const LAUNCHES: u32 = 360;
/// Batches of a cell: three visits of about seven.
const BATCHES: usize = 20;
const SIZES: [&str; 12] = ["8", "64", "256", "1Ki", "4Ki", "8Ki", "16Ki", "64Ki", "256Ki", "1Mi", "2Mi", "4Mi"];

/// A run of one native launch, with every kernel at every size.
fn one_launch() -> synthetic::Run {
    let stack = harness::case::Stack::Native { host: synthetic::host("4.1.8"), app: "/bench-app".into() };
    synthetic::run(synthetic::design(0, 1, vec![synthetic::case(stack, &SIZES)], Vec::new()))
}

/// Attempt `number`, like the one of `run`.
fn launch(run: &synthetic::Run, number: u32) -> (Record, Vec<Sample>) {
    let attempt = AttemptId(number);
    let batches = |cell: &[Sample]| -> Vec<Sample> {
        cell.iter().cycle().take(BATCHES).map(|sample| Sample { attempt, ..*sample }).collect()
    };
    let same_cell = |a: &Sample, b: &Sample| (a.kernel, a.bytes) == (b.kernel, b.bytes);
    let samples: Vec<_> = run.samples.chunk_by(same_cell).flat_map(batches).collect();
    assert_eq!(samples.len(), 3 * SIZES.len() * BATCHES);
    (Record { attempt, ..run.records[0].clone() }, samples)
}

fn create(root: &Path, run: &synthetic::Run) -> Store {
    Store::create(root, &run.manifest, &run.design).unwrap()
}

fn benches(criterion: &mut Criterion) {
    let run = one_launch();
    let root = tempfile::tempdir().unwrap();

    let mut number = 0;
    let mut growing = create(root.path(), &run);
    criterion.bench_function("append a launch", |bencher| {
        let next = || {
            number += 1;
            launch(&run, number)
        };
        bencher.iter_batched(
            next,
            |(record, samples)| growing.append(&record, &samples).unwrap(),
            BatchSize::PerIteration,
        );
    });

    let mut whole = create(root.path(), &run);
    let dir = whole.dir().to_owned();
    for number in 1..=LAUNCHES {
        let (record, samples) = launch(&run, number);
        whole.append(&record, &samples).unwrap();
    }
    drop(whole);
    criterion.bench_function("load 360 launches", |bencher| bencher.iter(|| store::load(black_box(&dir)).unwrap()));
    criterion.bench_function("resume 360 launches", |bencher| bencher.iter(|| Store::resume(black_box(&dir)).unwrap()));
    Store::resume(&dir).unwrap().0.close().unwrap();
    criterion
        .bench_function("load 360 launches, closed", |bencher| bencher.iter(|| store::load(black_box(&dir)).unwrap()));
}

criterion_group! { name = store_benches; config = Criterion::default().sample_size(30); targets = benches }
criterion_main!(store_benches);
