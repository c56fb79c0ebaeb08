//! A line of `attempts.jsonl`: the record as one JSON object, whose last member is the digest of what precedes it.
//!
//! A changed digit is still JSON. With its digest a line proves itself, and through the digest in `samples` its rows.

use crate::{id::Sha256, record::Record};

const BEFORE: &str = ",\"sha256\":\"";
const AFTER: &str = "\"}";
const DIGITS: usize = 64;

/// The line of `record`, newline included.
pub(super) fn encode(record: &Record) -> String {
    let json = serde_json::to_string(record).unwrap_or_else(|error| unreachable!("plain data: {error}"));
    let body = json.strip_suffix('}').unwrap_or_else(|| unreachable!("a record is an object"));
    let digest = Sha256::of(body.as_bytes());
    format!("{body}{BEFORE}{digest}{AFTER}\n")
}

/// Reads a line without its newline; else what is wrong with it.
pub(super) fn decode(line: &[u8]) -> Result<Record, String> {
    if !proves_itself(line) {
        return Err("the line differs from what was committed".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| format!("no record of an attempt: {error}"))
}

/// Whether `tail`, which no newline ends, is what an interrupted append can leave: any part of a line, but not a whole
/// one with something else where its newline should be.
pub(super) fn is_torn(tail: &[u8]) -> bool {
    !tail.split_last().is_some_and(|(_, line)| proves_itself(line))
}

fn proves_itself(line: &[u8]) -> bool {
    let body = line.len().checked_sub(BEFORE.len() + DIGITS + AFTER.len());
    let Some((body, seal)) = body.and_then(|at| line.split_at_checked(at)) else { return false };
    seal == format!("{BEFORE}{}{AFTER}", Sha256::of(body)).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_line_before_it() {
        let seal = |body: &str| format!("{body}{BEFORE}{}{AFTER}", Sha256::of(body.as_bytes()));
        assert!(proves_itself(seal("{\"a\":1").as_bytes()));
        assert!(!proves_itself(seal("{\"a\":1").replace('1', "2").as_bytes()));
        assert!(decode(seal("{\"a\":1").as_bytes()).unwrap_err().contains("missing field"));
        assert!(decode(b"{}").unwrap_err().contains("differs"));
    }

    #[test]
    fn a_part_of_a_line_is_torn_and_a_whole_one_with_a_wrong_end_is_not() {
        let line = format!("{{\"a\":1{BEFORE}{}{AFTER}", Sha256::of(b"{\"a\":1"));
        for cut in 0..=line.len() {
            assert!(is_torn(&line.as_bytes()[..cut]), "{cut}");
        }
        assert!(!is_torn(format!("{line}x").as_bytes()));
        assert!(is_torn(&[0; 100]));
    }
}
