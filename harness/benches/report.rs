//! What a report costs to make, for a campaign as large as one gets: six modes, twelve sizes, sixty blocks.

#[expect(dead_code, clippy::unwrap_used, reason = "written for tests, which use more of it")]
#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::report::{
    html::{self, Beside},
    table::{self, Style},
};

const SIZES: [&str; 12] = ["8", "64", "1Ki", "2Ki", "3072", "8Ki", "16Ki", "24Ki", "48Ki", "128Ki", "1Mi", "4Mi"];

fn report(criterion: &mut Criterion) {
    let modes = synthetic::quick(1, 1).design.cases;
    let cases = modes.into_iter().map(|case| synthetic::case(case.stack, &SIZES)).collect();
    let run = synthetic::run(synthetic::design(60, 1, cases, Vec::new()));
    let report = run.report();
    let mut group = criterion.benchmark_group("report");
    group.sample_size(10);
    group.bench_function("model", |bencher| bencher.iter(|| black_box(&run).report()));
    group.bench_function("table", |bencher| bencher.iter(|| table::render(black_box(&report), Style::Plain)));
    group.bench_function("html", |bencher| bencher.iter(|| html::render(black_box(&report), Beside::default())));
    group.bench_function("json", |bencher| bencher.iter(|| black_box(&report).to_json()));
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
