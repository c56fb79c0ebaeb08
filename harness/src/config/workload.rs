//! The workload of a campaign: sizes by kernel.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, str::FromStr};

use bench_app::{Bytes, Cell, Kernel, workload::BufferKind};
use serde::{Deserialize, Deserializer, de};

use super::Word;

/// Sizes by kernel, and how often and how long each is visited.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WorkloadTable {
    sizes: BTreeMap<Kernel, Vec<SizeAndK>>,
    pub(super) rounds: NonZeroU32,
    pub(super) visit_ms: NonZeroU32,
    pub(super) buffers: BufferKind,
}

/// A key of the workload's table: a kernel, or one of these three.
enum WorkloadKey {
    Rounds,
    VisitMs,
    Buffers,
    Sizes(Kernel),
}

impl FromStr for WorkloadKey {
    type Err = String;

    fn from_str(key: &str) -> Result<Self, String> {
        match key {
            "rounds" => Ok(Self::Rounds),
            "visit_ms" => Ok(Self::VisitMs),
            "buffers" => Ok(Self::Buffers),
            kernel => kernel.parse().map(Self::Sizes).map_err(|error| format!("{error}, rounds, visit_ms, buffers")),
        }
    }
}

// By hand, because serde's flattened maps lose the place of a fault.
impl<'de> Deserialize<'de> for WorkloadTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WorkloadVisitor)
    }
}

struct WorkloadVisitor;

impl<'de> de::Visitor<'de> for WorkloadVisitor {
    type Value = WorkloadTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of sizes by kernel, `rounds`, `visit_ms` and perhaps `buffers`")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<WorkloadTable, A::Error> {
        let (mut sizes, mut rounds, mut visit_ms) = (BTreeMap::new(), None, None);
        let mut buffers = BufferKind::default();
        while let Some(Word(key)) = map.next_key()? {
            match key {
                WorkloadKey::Rounds => rounds = Some(map.next_value()?),
                WorkloadKey::VisitMs => visit_ms = Some(map.next_value()?),
                WorkloadKey::Buffers => buffers = map.next_value()?,
                WorkloadKey::Sizes(kernel) => {
                    let listed: Vec<Word<SizeAndK>> = map.next_value()?;
                    sizes.insert(kernel, listed.into_iter().map(|word| word.0).collect());
                }
            }
        }
        let missing = de::Error::missing_field;
        let (rounds, visit_ms) =
            (rounds.ok_or_else(|| missing("rounds"))?, visit_ms.ok_or_else(|| missing("visit_ms"))?);
        Ok(WorkloadTable { sizes, rounds, visit_ms, buffers })
    }
}

/// `BYTES[:K]`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct SizeAndK(Bytes, Option<NonZeroU32>);

impl FromStr for SizeAndK {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((bytes, k)) = text.split_once(':') else { return Ok(Self(text.parse()?, None)) };
        let k = k.parse().map_err(|_| format!("`{k}` in `{text}` is not a K; hint: a positive whole number"))?;
        Ok(Self(bytes.parse()?, Some(k)))
    }
}

impl WorkloadTable {
    /// What is to be measured, in the order of kernels.
    pub(super) fn cells(&self) -> Result<Vec<Cell>, String> {
        let listed = self.sizes.iter();
        let all = listed.flat_map(|(kernel, sizes)| sizes.iter().map(|size| (*kernel, *size)));
        let mut cells: Vec<Cell> = Vec::new();
        for (kernel, SizeAndK(bytes, k)) in all {
            kernel.check(bytes).map_err(|why| format!("{kernel} {bytes}: {why}"))?;
            if cells.iter().any(|cell| (cell.kernel, cell.bytes) == (kernel, bytes)) {
                return Err(format!("{kernel} {bytes} is listed twice"));
            }
            let k = k.or(NonZeroU32::new(kernel.default_k(bytes))).unwrap_or(NonZeroU32::MIN);
            cells.push(Cell { kernel, bytes, k });
        }
        if cells.is_empty() { Err("has no sizes".into()) } else { Ok(cells) }
    }
}
