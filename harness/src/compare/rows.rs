//! A comparison as CSV: one row a cell.

use serde::Serialize;

use crate::report::{Ratio, Time};

use super::{CellPair, Comparison, Measured, Pair};

#[derive(Serialize)]
struct Row<'a> {
    reference_run: &'a str,
    reference_case: &'a str,
    compared_run: &'a str,
    compared_case: &'a str,
    kernel: &'a str,
    bytes: u64,
    reference_ns: Option<f64>,
    reference_lo: Option<f64>,
    reference_hi: Option<f64>,
    reference_k: Option<usize>,
    compared_ns: Option<f64>,
    compared_lo: Option<f64>,
    compared_hi: Option<f64>,
    compared_k: Option<usize>,
    ratio: Option<f64>,
    ratio_lo: Option<f64>,
    ratio_hi: Option<f64>,
    level: f64,
    method: Option<&'static str>,
    p: Option<f64>,
    adjusted_p: Option<f64>,
    margin: f64,
    verdict: String,
    more_launches: Option<usize>,
    penalty_reference: Option<f64>,
    penalty_compared: Option<f64>,
    penalty_ratio: Option<f64>,
    penalty_lo: Option<f64>,
    penalty_hi: Option<f64>,
    penalty_verdict: Option<String>,
}

impl Comparison {
    /// The comparison as CSV with a header. Times in ns; the words of verdicts are those of the table.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for (pair, cell) in self.pairs.iter().flat_map(|pair| pair.cells.iter().map(move |cell| (pair, cell))) {
            let written = writer.serialize(self.row(pair, cell));
            written.unwrap_or_else(|error| unreachable!("rows are flat and memory takes them: {error}"));
        }
        let bytes = writer.into_inner().unwrap_or_else(|error| unreachable!("memory takes all bytes: {error}"));
        String::from_utf8(bytes).unwrap_or_else(|error| unreachable!("made of text: {error}"))
    }

    fn row<'a>(&self, pair: &'a Pair, cell: &'a CellPair) -> Row<'a> {
        let (a, b, ratio) = (time(&cell.reference), time(&cell.compared), cell.ratio.as_ref());
        let ends = |time: Option<&Time>| time.and_then(|time| time.interval);
        let of_ratio = |ratio: Option<&Ratio>| ratio.and_then(|ratio| ratio.interval);
        let penalty = cell.penalty.as_ref();
        let of_penalty = of_ratio(penalty.map(|penalty| &penalty.ratio));
        Row {
            reference_run: &pair.reference.run,
            reference_case: &pair.reference.case,
            compared_run: &pair.compared.run,
            compared_case: &pair.compared.case,
            kernel: cell.kernel.name(),
            bytes: cell.bytes.0,
            reference_ns: a.map(|time| time.median),
            reference_lo: ends(a).map(|interval| interval.lo),
            reference_hi: ends(a).map(|interval| interval.hi),
            reference_k: a.map(|time| time.k),
            compared_ns: b.map(|time| time.median),
            compared_lo: ends(b).map(|interval| interval.lo),
            compared_hi: ends(b).map(|interval| interval.hi),
            compared_k: b.map(|time| time.k),
            ratio: ratio.map(|ratio| ratio.estimate),
            ratio_lo: of_ratio(ratio).map(|interval| interval.lo),
            ratio_hi: of_ratio(ratio).map(|interval| interval.hi),
            level: self.level,
            method: of_ratio(ratio).map(|interval| interval.method.words()),
            p: ratio.map(|ratio| ratio.p),
            adjusted_p: ratio.and_then(|ratio| ratio.adjusted_p),
            margin: self.margin.into(),
            verdict: cell.words(self.margin),
            more_launches: ratio.and_then(|ratio| ratio.more),
            penalty_reference: penalty.map(|penalty| penalty.reference),
            penalty_compared: penalty.map(|penalty| penalty.compared),
            penalty_ratio: penalty.map(|penalty| penalty.ratio.estimate),
            penalty_lo: of_penalty.map(|interval| interval.lo),
            penalty_hi: of_penalty.map(|interval| interval.hi),
            penalty_verdict: penalty.map(|penalty| penalty.ratio.words(self.margin)),
        }
    }
}

fn time(measured: &Measured) -> Option<&Time> {
    match measured {
        Measured::Figure { time, .. } => Some(time),
        Measured::Failed { .. } | Measured::Absent => None,
    }
}
