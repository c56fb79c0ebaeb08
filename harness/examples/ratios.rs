//! Ratios of pairs from standard input, by the statistics of every report: what the scripts that compare programs print.
//!
//! usage: ratios [FILE]     FILE gets one CSV row a launch, from which the table can be made again
//!
//! A line is `WHAT,LAUNCH,COST,BASELINE`, costs in ns, without a heading. The launch is the unit: its effect is the
//! Hodges-Lehmann ratio of its pairs. Every WHAT becomes a row with the Hodges-Lehmann ratio of its launches and the exact
//! signed-rank interval.
#![expect(clippy::print_stdout, reason = "standard output is the table")]

use std::{collections::BTreeMap, error::Error, io::stdin};

use harness::stats::{hodges_lehmann, log_ratios, median, signed_rank};

/// Confidence of the intervals.
const LEVEL: f64 = 0.95;

type Line = (String, String, f64, f64);
type Pairs = Vec<(f64, f64)>;

/// One launch: medians of both costs, and the logarithm of their ratio.
struct Launch {
    name: String,
    pairs: usize,
    cost: f64,
    baseline: f64,
    effect: f64,
}

impl Launch {
    fn of(name: String, pairs: &Pairs) -> Option<Launch> {
        let (costs, baselines): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let (cost, baseline) = (median(&costs)?, median(&baselines)?);
        Some(Launch { name, pairs: pairs.len(), cost, baseline, effect: hodges_lehmann(&log_ratios(pairs))? })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = read()?;
    let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    println!(
        "{:<width$} {:>10} {:>10} {:>7} {:>7} {:>7} {:>8}",
        "", "ns", "baseline", "ratio", "from", "to", "launches"
    );
    for (what, launches) in &rows {
        println!("{what:<width$} {}", figures(launches).ok_or_else(|| format!("{what}: no pair has a ratio"))?);
    }
    if let Some(file) = std::env::args_os().nth(1) {
        let mut table = csv::Writer::from_path(file)?;
        table.write_record(["what", "launch", "pairs", "ns", "baseline_ns", "ratio"])?;
        for (what, launches) in &rows {
            for Launch { name, pairs, cost, baseline, effect } in launches {
                let numbers = [format!("{cost:.2}"), format!("{baseline:.2}"), format!("{:.6}", effect.exp())];
                table.write_record([what, name, &pairs.to_string()].into_iter().chain(&numbers))?;
            }
        }
        table.flush()?;
    }
    Ok(())
}

/// What is compared, in the order in which it comes first, with its launches.
fn read() -> Result<Vec<(String, Vec<Launch>)>, Box<dyn Error>> {
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
    let launches = |pairs: BTreeMap<String, Pairs>| {
        pairs.into_iter().filter_map(|(name, pairs)| Launch::of(name, &pairs)).collect::<Vec<_>>()
    };
    Ok(rows.into_iter().map(|(what, pairs)| (what, launches(pairs))).collect())
}

fn figures(launches: &[Launch]) -> Option<String> {
    let effects: Vec<f64> = launches.iter().map(|launch| launch.effect).collect();
    let over = |of: fn(&Launch) -> f64| median(&launches.iter().map(of).collect::<Vec<_>>());
    let (cost, baseline) = (over(|launch| launch.cost)?, over(|launch| launch.baseline)?);
    let ratio = hodges_lehmann(&effects)?.exp();
    let [from, to] = signed_rank(&effects, LEVEL)
        .map(|interval| interval.rescaled(f64::exp))
        .map_or([String::from("-"), String::from("-")], |i| [i.lo, i.hi].map(|end| format!("{end:.4}")));
    Some(format!("{cost:>10.1} {baseline:>10.1} {ratio:>7.4} {from:>7} {to:>7} {:>8}", launches.len()))
}
