//! Against SciPy's results (`scripts/fixtures/stats.py`), and coverage by simulation.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

#[derive(Deserialize)]
struct Expected {
    name: String,
    values: Vec<f64>,
    quantiles: BTreeMap<String, f64>,
    hodges_lehmann: f64,
    levels: Vec<AtLevel>,
}

#[derive(Deserialize)]
struct AtLevel {
    level: f64,
    signed_rank: Option<[f64; 2]>,
    median: Option<[f64; 2]>,
}

fn close(name: &str, ours: Option<f64>, theirs: Option<f64>) {
    match (ours, theirs) {
        (None, None) => {}
        (Some(ours), Some(theirs)) => assert!((ours - theirs).abs() < 1e-9, "{name}: {ours} is not {theirs}"),
        _ => panic!("{name}: {ours:?} is not {theirs:?}"),
    }
}

fn close_ends(name: &str, ours: Option<Interval>, theirs: Option<[f64; 2]>) {
    close(name, ours.map(|i| i.lo), theirs.map(|[lo, _]| lo));
    close(name, ours.map(|i| i.hi), theirs.map(|[_, hi]| hi));
}

#[test]
fn agrees_with_scipy() {
    let expected: Vec<Expected> = serde_json::from_str(include_str!("../../tests/fixtures/stats.json")).unwrap();
    assert!(expected.len() >= 20);
    for case in expected {
        let x = &case.values;
        for (q, value) in &case.quantiles {
            close(&format!("{} q{q}", case.name), quantile(x, q.parse().unwrap()), Some(*value));
        }
        close(&format!("{} centre", case.name), hodges_lehmann(x), Some(case.hodges_lehmann));
        for at in &case.levels {
            let name = format!("{} at {}", case.name, at.level);
            close_ends(&format!("{name}, signed rank"), signed_rank(x, at.level), at.signed_rank);
            close_ends(&format!("{name}, median"), median_interval(x, at.level), at.median);
        }
    }
}

#[test]
fn small_samples_have_no_interval() {
    assert_eq!([0.90, 0.95, 0.99].map(smallest_sample), [5, 6, 8]);
    for k in 0..12 {
        let values: Vec<f64> = (0..k).map(|i| f64::from(i) * 1.7).collect();
        let enough = values.len() >= 6;
        assert_eq!(signed_rank(&values, 0.95).is_some(), enough, "{k}");
        assert_eq!(median_interval(&values, 0.95).is_some(), enough, "{k}");
    }
    assert_eq!(median(&[]), None);
    assert_eq!(hodges_lehmann(&[]), None);
}

#[test]
fn six_pairs_span_their_whole_range() {
    let pairs: Vec<(f64, f64)> = [1.1, 1.3, 1.2, 1.25, 1.15, 1.4].iter().map(|r| (r * 7.0, 7.0)).collect();
    let interval = ratio(&pairs, 0.95).unwrap();
    assert!((interval.lo - 1.1).abs() < 1e-12 && (interval.hi - 1.4).abs() < 1e-12, "{interval:?}");
    assert_eq!((interval.k, interval.achieved), (6, 1.0 - 2.0 / 64.0));
    assert!(!interval.contains(1.0) && interval.contains(1.2));
    assert_eq!(ratio_estimate(&pairs[..1]).map(|(_, k)| k), Some(1));
}

#[test]
fn ties_and_zeros_are_kept() {
    let interval = signed_rank(&[0.0; 8], 0.95).unwrap();
    assert_eq!((interval.lo, interval.estimate, interval.hi, interval.k), (0.0, 0.0, 0.0, 8));
    let tied = signed_rank(&[0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1], 0.95).unwrap();
    assert!(tied.contains(0.0) && tied.contains(0.1));
    assert_eq!(ratio(&[(0.0, 1.0); 9], 0.95), None, "no logarithm, no pair");
}

/// A draw from a heavy-tailed symmetric distribution around `centre`: launches jump, they are not normal.
fn heavy_tailed(rng: &mut ChaCha8Rng, centre: f64) -> f64 {
    centre + (std::f64::consts::PI * (rng.random::<f64>() - 0.5)).tan()
}

/// Share of `trials` in which the interval of `k` draws holds `truth`, and the share that it should be.
fn coverage(
    k: usize,
    truth: f64,
    draw: impl Fn(&mut ChaCha8Rng) -> f64,
    interval: impl Fn(&[f64]) -> Option<Interval>,
) -> (f64, f64) {
    let trials = 4000;
    let mut rng = ChaCha8Rng::seed_from_u64(k as u64);
    let intervals: Vec<Interval> =
        (0..trials).map(|_| interval(&(0..k).map(|_| draw(&mut rng)).collect::<Vec<_>>()).unwrap()).collect();
    let held = intervals.iter().filter(|i| i.contains(truth)).count();
    (held as f64 / f64::from(trials), intervals[0].achieved)
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for k in [6, 10, 17] {
        let of_ratio = coverage(k, 0.3, |rng| heavy_tailed(rng, 0.3), |x| signed_rank(x, 0.95));
        let exponential = |rng: &mut ChaCha8Rng| -(1.0 - rng.random::<f64>()).ln();
        let of_median = coverage(k, std::f64::consts::LN_2, exponential, |x| median_interval(x, 0.95));
        for (seen, said) in [of_ratio, of_median] {
            assert!(said >= 0.95);
            // Four standard errors of 4000 trials.
            assert!((seen - said).abs() < 0.014, "k = {k}: {seen} of the trials, {said} promised");
        }
    }
}
