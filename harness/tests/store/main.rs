//! Runs on disk: what is committed is read back, whatever happens to whoever writes it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod crash;
mod damage;
mod life;
#[expect(dead_code, reason = "the reports' tests use the rest")]
#[path = "../synthetic/mod.rs"]
mod synthetic;

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use harness::{
    id::AttemptId,
    record::{Record, Sample},
    store::Store,
};

const FILES: [&str; 4] = ["manifest.json", "design.json", "attempts.jsonl", "samples.csv"];

static RUN: LazyLock<synthetic::Run> = LazyLock::new(|| synthetic::quick(1, 1));

type Launch = (Record, Vec<Sample>);

/// Attempt `number`, always the same: a launch of the synthetic run under that number.
fn launch(number: u32) -> Launch {
    let record = &RUN.records[number as usize % RUN.records.len()];
    let samples = RUN.samples.iter().filter(|sample| sample.attempt == record.attempt);
    numbered(number, record.clone(), samples.copied().collect())
}

fn numbered(number: u32, record: Record, samples: Vec<Sample>) -> Launch {
    let attempt = AttemptId(number);
    let samples = samples.into_iter().map(|sample| Sample { attempt, ..sample }).collect();
    (Record { attempt, ..record }, samples)
}

fn create(root: &Path) -> Store {
    Store::create(root, &RUN.manifest, &RUN.design).unwrap()
}

/// Appends launches, and returns them as they must be read back.
fn append(store: &mut Store, launches: &[Launch]) -> Vec<Record> {
    let append = |(record, samples): &Launch| {
        let samples = store.append(record, samples).unwrap();
        Record { samples, ..record.clone() }
    };
    launches.iter().map(append).collect()
}

/// A run of `attempts` launches that nobody writes any more.
fn stopped(root: &Path, attempts: u32) -> PathBuf {
    let mut store = create(root);
    append(&mut store, &(1..=attempts).map(launch).collect::<Vec<_>>());
    store.dir().to_owned()
}

fn closed(root: &Path, attempts: u32) -> PathBuf {
    let dir = stopped(root, attempts);
    Store::resume(&dir).unwrap().0.close().unwrap();
    dir
}

fn samples_of(launches: &[Launch]) -> Vec<Sample> {
    launches.iter().flat_map(|(_, samples)| samples.clone()).collect()
}
