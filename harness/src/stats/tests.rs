//! Against the results of SciPy and statsmodels (`scripts/fixtures/stats.py`), and coverage by simulation.

use std::collections::BTreeMap;

use proptest::prelude::{prop_assert_eq, proptest};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

#[derive(Deserialize)]
struct Fixtures {
    one_sample: Vec<OneSample>,
    two_samples: Vec<TwoSamples>,
    families: Vec<Family>,
    shares: Vec<Ends>,
}

#[derive(Deserialize)]
struct OneSample {
    name: String,
    values: Vec<f64>,
    quantiles: BTreeMap<String, f64>,
    hodges_lehmann: f64,
    p: f64,
    margin: f64,
    p_beyond: f64,
    levels: Vec<AtLevel>,
}

#[derive(Deserialize)]
struct AtLevel {
    level: f64,
    interval: Option<[f64; 2]>,
}

#[derive(Deserialize)]
struct TwoSamples {
    name: String,
    values: Vec<f64>,
    reference: Vec<f64>,
    shift: f64,
    p: f64,
    levels: Vec<AtLevel>,
}

#[derive(Deserialize)]
struct Family {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

#[derive(Deserialize)]
struct Ends {
    #[serde(flatten)]
    share: Share,
    upper: f64,
    lower: f64,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("../../tests/fixtures/stats.json")).unwrap()
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
fn one_sample_agrees_with_scipy() {
    let expected = fixtures().one_sample;
    assert!(expected.len() >= 20);
    for case in expected {
        let (x, name) = (&case.values, &case.name);
        for (q, value) in &case.quantiles {
            close(&format!("{name} q{q}"), quantile(x, q.parse().unwrap()), Some(*value));
        }
        close(&format!("{name} centre"), hodges_lehmann(x), Some(case.hodges_lehmann));
        let evidence = paired(x).unwrap();
        close(&format!("{name} p"), Some(evidence.p()), Some(case.p));
        close(&format!("{name} p beyond"), Some(evidence.p_beyond(case.margin)), Some(case.p_beyond));
        for at in &case.levels {
            close_ends(&format!("{name} at {}", at.level), signed_rank(x, at.level), at.interval);
        }
    }
}

#[test]
fn two_samples_agree_with_scipy() {
    let expected = fixtures().two_samples;
    assert!(expected.len() >= 14);
    for case in expected {
        let evidence = unpaired(&case.values, &case.reference).unwrap();
        close(&format!("{} shift", case.name), Some(evidence.estimate()), Some(case.shift));
        close(&format!("{} p", case.name), Some(evidence.p()), Some(case.p));
        for at in &case.levels {
            close_ends(&format!("{} at {}", case.name, at.level), evidence.interval(at.level), at.interval);
        }
    }
}

#[test]
fn families_and_shares_agree_with_statsmodels_and_scipy() {
    for Family { p, adjusted } in fixtures().families {
        for (ours, theirs) in holm(&p).into_iter().zip(adjusted) {
            close("Holm", Some(ours), Some(theirs));
        }
    }
    for Ends { share, upper, lower } in fixtures().shares {
        close(&format!("{share:?} upper"), Some(share.upper(0.95)), Some(upper));
        close(&format!("{share:?} lower"), Some(share.lower(0.95)), Some(lower));
    }
    assert_eq!(Share { count: 0, of: 0 }.rate(), None);
}

proptest! {
    /// Whatever the ties: intervals and p values of one sample never contradict each other.
    #[test]
    fn intervals_and_p_values_agree(values in proptest::collection::vec(-4_i8..8, 1..14), margin in 0.2..3.0_f64) {
        let evidence = paired(&values.into_iter().map(f64::from).collect::<Vec<_>>()).unwrap();
        let excluded = evidence.interval(0.95).is_some_and(|interval| !interval.contains(0.0));
        prop_assert_eq!(evidence.p() <= 1.0 - 0.95, excluded);
        let within = evidence.interval(0.90).is_some_and(|i| -margin < i.lo && i.hi < margin);
        prop_assert_eq!(evidence.p_beyond(margin) <= ALPHA, within);
    }
}

#[test]
fn small_samples_have_no_interval() {
    assert_eq!([0.90, 0.95, 0.99].map(smallest_sample), [5, 6, 8]);
    for k in 0..12 {
        let values: Vec<f64> = (0..k).map(|i| f64::from(i) * 1.7).collect();
        let enough = values.len() >= 6;
        assert_eq!(signed_rank(&values, 0.95).is_some(), enough, "{k}");
        assert_eq!(bootstrap_median(&values, 0.95).is_some(), enough, "{k}");
    }
    assert_eq!(median(&[]), None);
    assert_eq!(hodges_lehmann(&[]), None);
}

#[test]
fn six_pairs_span_their_whole_range() {
    let pairs: Vec<(f64, f64)> = [1.1, 1.3, 1.2, 1.25, 1.15, 1.4].iter().map(|r| (r * 7.0, 7.0)).collect();
    let evidence = paired(&log_ratios(&pairs)).unwrap();
    let interval = evidence.interval(0.95).unwrap().rescaled(f64::exp);
    assert!((interval.lo - 1.1).abs() < 1e-12 && (interval.hi - 1.4).abs() < 1e-12, "{interval:?}");
    assert_eq!((interval.k, interval.achieved), (6, 1.0 - 2.0 / 64.0));
    assert!(!interval.contains(1.0) && interval.contains(1.2));
}

#[test]
fn ties_and_zeros_are_kept() {
    let interval = signed_rank(&[0.0; 8], 0.95).unwrap();
    assert_eq!((interval.lo, interval.estimate, interval.hi, interval.k), (0.0, 0.0, 0.0, 8));
    let tied = signed_rank(&[0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1], 0.95).unwrap();
    assert!(tied.contains(0.0) && tied.contains(0.1));
    assert_eq!(paired(&log_ratios(&[(0.0, 1.0); 9])), None, "no logarithm, no pair");
}

/// A draw from a heavy-tailed symmetric distribution around `centre`: launches jump, they are not normal.
fn heavy_tailed(rng: &mut ChaCha8Rng, centre: f64) -> f64 {
    centre + (std::f64::consts::PI * (rng.random::<f64>() - 0.5)).tan()
}

/// Share of trials in which the interval of `k` draws holds `truth`, and the share that it should be.
fn coverage(
    trials: u32,
    k: usize,
    truth: f64,
    draw: impl Fn(&mut ChaCha8Rng) -> f64,
    interval: impl Fn(&[f64]) -> Option<Interval>,
) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(k as u64);
    let intervals: Vec<Interval> =
        (0..trials).map(|_| interval(&(0..k).map(|_| draw(&mut rng)).collect::<Vec<_>>()).unwrap()).collect();
    let held = intervals.iter().filter(|i| i.contains(truth)).count();
    (held as f64 / f64::from(trials), intervals[0].achieved)
}

/// A right-skewed draw with median ln 2: the delays of a noisy machine.
fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for k in [6, 10, 17] {
        let of_ratio = coverage(2000, k, 0.3, |rng| heavy_tailed(rng, 0.3), |x| signed_rank(x, 0.95));
        let of_shift = coverage(2000, 2 * k, 0.3, exponential, |x| {
            let shifted: Vec<f64> = x[..k].iter().map(|value| value + 0.3).collect();
            unpaired(&shifted, &x[k..])?.interval(0.95)
        });
        for (seen, said) in [of_ratio, of_shift] {
            assert!(said >= 0.95);
            // Four standard errors of so many trials.
            assert!((seen - said).abs() < 0.02, "k = {k}: {seen} of the trials, {said} promised");
        }
    }
}

#[test]
fn the_bootstrap_of_a_median_holds_the_truth_about_as_often_as_it_says() {
    for k in [6, 7, 10, 15] {
        let (seen, _) = coverage(2000, k, std::f64::consts::LN_2, exponential, |x| bootstrap_median(x, 0.95));
        assert!((0.935..0.985).contains(&seen), "k = {k}: {seen}");
    }
}

#[test]
fn the_fewest_launches_follow_from_the_most_extreme_result() {
    let check = |method: Method, p: f64, expected: usize| assert_eq!(method.fewest(p), expected, "{method:?} {p}");
    check(Method::SignedRank, 0.05, 6);
    check(Method::SignedRank, 0.05 / 30.0, 11);
    check(Method::SignedRank, 1.0, 1);
    check(Method::RankSum, 0.05, 4);
    check(Method::RankSum, 0.05 / 30.0, 7);
}

/// `k` log ratios spread evenly by `spread` around `centre`.
fn spread(centre: f64, spread: f64, k: usize) -> Evidence {
    let place = |i: usize| centre + spread * (2.0 * i as f64 / (k - 1) as f64 - 1.0);
    paired(&(0..k).map(place).collect::<Vec<_>>()).unwrap()
}

#[test]
fn evidence_becomes_decisions() {
    let check = |evidence: Evidence, family: usize, shown: Option<Side>, expected: &str| {
        let others = (1..family).map(|_| spread(0.0, 0.02, 12));
        let family: Vec<Evidence> = std::iter::once(evidence).chain(others).collect();
        let judged = judge(&family.iter().collect::<Vec<_>>(), Margin::default())[0];
        assert_eq!((judged.shown, format!("{:?}", judged.finding).as_str()), (shown, expected));
    };
    let (above, below) = (Some(Side::Above), Some(Side::Below));
    check(spread(0.60, 0.1, 12), 60, above, "Beyond(Above)");
    check(spread(-0.60, 0.1, 12), 60, below, "Beyond(Below)");
    check(spread(0.0, 0.02, 12), 60, None, "Within");
    check(spread(0.02, 0.01, 12), 60, above, "Within");
    // Shown, but a part of the interval lies within the margin.
    check(spread(0.08, 0.07, 12), 1, above, "Open { more: Some(1) }");
    check(spread(0.10, 0.15, 12), 1, above, "Open { more: Some(10) }");
    check(spread(0.10, 0.15, 12), 60, None, "Open { more: Some(15) }");
    // Far beyond, but too few for a family of 60: 12 are the fewest.
    check(spread(0.60, 0.1, 8), 60, None, "Open { more: Some(4) }");
    check(spread(0.60, 0.1, 3), 60, None, "Open { more: Some(9) }");
    check(spread(0.0, 0.2, 12), 60, None, "Open { more: Some(15) }");
    check(spread(0.05_f64.ln_1p(), 0.2, 12), 60, None, "Open { more: None }");
}

#[test]
fn about_half_of_the_undecided_are_decided_after_the_launches_they_are_said_to_need() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut normal = move || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let (mut promised, mut kept) = (0, 0);
    while promised < 400 {
        let centre = 0.1 * normal();
        let mut launches: Vec<f64> = (0..12).map(|_| centre + 0.12 * normal()).collect();
        let decided = |launches: &[f64]| judge(&[&paired(launches).unwrap()], Margin::default())[0].finding;
        let Finding::Open { more: Some(more @ ..100) } = decided(&launches) else { continue };
        launches.extend((0..more).map(|_| centre + 0.12 * normal()));
        promised += 1;
        kept += usize::from(!matches!(decided(&launches), Finding::Open { .. }));
    }
    let share = f64::from(u32::try_from(kept).unwrap()) / 400.0;
    assert!((0.35..0.7).contains(&share), "{share}");
}

#[test]
fn margins_are_fractions() {
    assert_eq!(Margin::default().percent(), 5.0);
    assert_eq!(Margin::try_from(0.07).unwrap().percent(), 7.0);
    for bad in [0.0, -0.1, 5.0, f64::NAN] {
        assert!(Margin::try_from(bad).unwrap_err().contains("hint"), "{bad}");
    }
}
