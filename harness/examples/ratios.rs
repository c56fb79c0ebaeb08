//! Ratios of pairs from standard input, by the statistics of every report: what the scripts that compare programs print.
//!
//! A line is `WHAT,LAUNCH,COST,BASELINE`, without a heading. Every WHAT becomes a row with the Hodges-Lehmann ratio and its
//! exact 95 % interval over the pairs; the last two columns are the lowest and highest ratio of a launch on its own.
#![expect(clippy::print_stdout, reason = "standard output is the table")]

use std::{collections::BTreeMap, error::Error, io::stdin};

use harness::stats::{hodges_lehmann, log_ratios, signed_rank};

/// Confidence of the intervals.
const LEVEL: f64 = 0.95;

type Line = (String, String, f64, f64);
type Pairs = Vec<(f64, f64)>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows: Vec<(String, BTreeMap<String, Pairs>)> = Vec::new();
    for line in csv::ReaderBuilder::new().has_headers(false).from_reader(stdin()).deserialize() {
        let (what, launch, cost, baseline): Line = line?;
        let at = rows.iter().position(|(known, _)| *known == what).unwrap_or_else(|| {
            rows.push((what, BTreeMap::new()));
            rows.len() - 1
        });
        rows[at].1.entry(launch).or_default().push((cost, baseline));
    }
    if rows.is_empty() {
        return Err("no pairs on standard input".into());
    }
    let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    println!(
        "{:<width$} {:>7} {:>7} {:>7} {:>6} {:>8} {:>7} {:>7}",
        "", "ratio", "from", "to", "pairs", "launches", "lowest", "highest"
    );
    for (what, launches) in &rows {
        println!("{what:<width$} {}", figures(launches).ok_or_else(|| format!("{what}: no pair has a ratio"))?);
    }
    Ok(())
}

fn figures(launches: &BTreeMap<String, Pairs>) -> Option<String> {
    let all: Pairs = launches.values().flatten().copied().collect();
    let estimate_of = |pairs: &[(f64, f64)]| hodges_lehmann(&log_ratios(pairs)).map(f64::exp);
    let (logs, estimate) = (log_ratios(&all), estimate_of(&all)?);
    let pairs = logs.len();
    let ends = signed_rank(&logs, LEVEL)
        .map(|interval| interval.rescaled(f64::exp))
        .map_or([String::from("-"), String::from("-")], |i| [i.lo, i.hi].map(|end| format!("{end:.4}")));
    let own: Vec<f64> = launches.values().filter_map(|pairs| estimate_of(pairs)).collect();
    let (lowest, highest) = own.iter().fold((f64::MAX, f64::MIN), |(lo, hi), r| (lo.min(*r), hi.max(*r)));
    let [from, to] = ends;
    let count = launches.len();
    Some(format!("{estimate:>7.4} {from:>7} {to:>7} {pairs:>6} {count:>8} {lowest:>7.4} {highest:>7.4}"))
}
