//! What launches wrote, beside the run's own files.

use std::{fs, path::Path};

use bench_app::{Decoded, decode};

use super::LOGS;
use crate::id::AttemptId;

/// Every line that an attempt of the run in `dir` wrote and that is no frame, standard error first. Logs are no part of what
/// is committed: where they have been deleted there are none.
#[must_use]
pub fn said(dir: &Path, attempt: AttemptId) -> Vec<String> {
    let text = |stream: &str| {
        let bytes = fs::read(dir.join(LOGS).join(format!("{attempt}.{stream}"))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let foreign = |line: &&str| decode(line) == Decoded::Text;
    let [err, out] = ["err", "out"].map(text);
    err.lines().chain(out.lines()).filter(foreign).map(str::to_owned).collect()
}
