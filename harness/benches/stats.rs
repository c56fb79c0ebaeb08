//! What the statistics of a campaign cost, as large as one gets, and how often their intervals hold the truth: the thorough
//! version of what tests check quickly.
#![expect(clippy::print_stderr, reason = "coverage is a table to be read")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::stats::{Evidence, Interval, Judgement, Margin, bootstrap_median, judge, paired, unpaired};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const MODES: usize = 6;
const SIZES: usize = 12;
const LAUNCHES: usize = 60;
/// Simulated samples of each kind and length.
const TRIALS: u32 = if cfg!(debug_assertions) { 1_000 } else { 20_000 };
const LEVEL: f64 = 0.95;

/// A launch's luck: exponential, with a state of the machine that makes one in eight three times as long.
fn launch(rng: &mut ChaCha8Rng) -> f64 {
    let state = if rng.random::<f64>() < 0.125 { 3.0 } else { 1.0 };
    state * (1.0 + 0.1 * exponential(rng))
}

/// A right-skewed draw with median ln 2.
fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}

fn launches(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| launch(rng)).collect()
}

/// One case's launches against the baseline's.
type Contrast<'a> = dyn Fn(&[f64], &[f64]) -> Option<Evidence> + 'a;

/// Everything that is computed of a campaign's launches: absolute values of all cases, ratios and decisions of all but the
/// baseline, and once more unpaired, as against another run.
fn campaign(cells: &[Vec<f64>]) -> (Vec<Option<Interval>>, Vec<Judgement>, Vec<Judgement>) {
    let absolute = cells.iter().map(|launches| bootstrap_median(launches, LEVEL)).collect();
    let (baseline, others) = cells.split_at(SIZES);
    let family = |contrast: &Contrast<'_>| {
        let evidence: Vec<Evidence> =
            others.iter().zip(baseline.iter().cycle()).filter_map(|(a, b)| contrast(a, b)).collect();
        judge(&evidence.iter().collect::<Vec<_>>(), Margin::default())
    };
    let differences = |a: &[f64], b: &[f64]| paired(&a.iter().zip(b).map(|(a, b)| (a / b).ln()).collect::<Vec<_>>());
    let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<_>>();
    (absolute, family(&differences), family(&|a, b| unpaired(&logs(a), &logs(b))))
}

fn cost(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let cells: Vec<Vec<f64>> = (0..MODES * SIZES).map(|_| launches(&mut rng, LAUNCHES)).collect();
    #[expect(clippy::disallowed_methods, reason = "how long it takes is the question")]
    let begun = std::time::Instant::now();
    let (absolute, decided, unpaired) = campaign(&cells);
    let took = begun.elapsed();
    assert_eq!((absolute.len(), decided.len(), unpaired.len()), (MODES * SIZES, 60, 60));
    eprintln!("a whole campaign takes {took:?}");
    let mut group = criterion.benchmark_group("stats");
    group.sample_size(10);
    group.bench_function("campaign", |bencher| bencher.iter(|| campaign(black_box(&cells))));
    group.finish();
}

/// Share of trials in which an interval holds what it is for, and the share that it promises.
fn share(k: usize, seed: u64, trial: impl Fn(&mut ChaCha8Rng) -> Option<(Interval, f64)>) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed + k as u64);
    let (mut held, mut promised) = (0_u32, 0.0);
    for _ in 0..TRIALS {
        let Some((interval, truth)) = trial(&mut rng) else { continue };
        held += u32::from(interval.contains(truth));
        promised = interval.achieved;
    }
    (f64::from(held) / f64::from(TRIALS), promised)
}

fn coverage(_: &mut Criterion) {
    // Four standard errors.
    let error = |promised: f64| 4.0 * (promised * (1.0 - promised) / f64::from(TRIALS)).sqrt();
    eprintln!("coverage of 95 % intervals in {TRIALS} trials: k, paired, unpaired (each of what is exact), bootstrap");
    // An unoptimised build only shows that it runs.
    let samples: &[usize] = if cfg!(debug_assertions) { &[6, 10, 15] } else { &[6, 7, 10, 15, 20, 30, 60] };
    for &k in samples {
        let ratios = share(k, 100, |rng| {
            let logs: Vec<f64> = (0..k).map(|_| (launch(rng) / launch(rng)).ln() + 0.3).collect();
            Some((paired(&logs)?.interval(LEVEL)?, 0.3))
        });
        let shifts = share(k, 200, |rng| {
            let shifted: Vec<f64> = launches(rng, k).iter().map(|value| value + 0.3).collect();
            Some((unpaired(&shifted, &launches(rng, k))?.interval(LEVEL)?, 0.3))
        });
        let medians = share(k, 300, |rng| {
            let values: Vec<f64> = (0..k).map(|_| exponential(rng)).collect();
            Some((bootstrap_median(&values, LEVEL)?, std::f64::consts::LN_2))
        });
        let of = |(held, promised): (f64, f64)| format!("{:.1} of {:.1} %", held * 100.0, promised * 100.0);
        eprintln!("{k:>3}  {}  {}  {:.1} %", of(ratios), of(shifts), medians.0 * 100.0);
        for (held, promised) in [ratios, shifts] {
            assert!((held - promised).abs() < error(promised), "k = {k}: {held} is not {promised}");
        }
        assert!((0.94..0.99).contains(&medians.0), "k = {k}: {}", medians.0);
    }
}

criterion_group!(benches, cost, coverage);
criterion_main!(benches);
