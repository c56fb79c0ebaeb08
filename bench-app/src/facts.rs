//! What a rank finds around it, read from `/proc` and `/dev/shm` alone, and the summary of all ranks that fits a frame.

use std::{fs, os::unix::fs::MetadataExt};

use crate::event::{Event, FRAME_MAX, Facts, RankFacts, encode};

/// Bytes of one rank's record in the gather: the JSON of [`RankFacts`], padded with spaces.
pub const RECORD: usize = 512;
/// Longest host name and CPU list kept, so that a record always holds both.
const WORD_MAX: usize = 120;

impl RankFacts {
    /// Looks around. What cannot be read is 0 or empty: a fact may be missing, never wrong.
    #[must_use]
    pub fn collect(rank: u32) -> Self {
        let inode = |name: &str| fs::metadata(format!("/proc/self/ns/{name}")).map_or(0, |link| link.ino());
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        RankFacts {
            rank,
            host: word(&host),
            pid: std::process::id(),
            user_ns: inode("user"),
            ipc_ns: inode("ipc"),
            shm_dev: fs::metadata("/dev/shm").map_or(0, |directory| directory.dev()),
            cpus: word(cpus),
        }
    }

    /// The rank's record for the gather.
    #[must_use]
    pub fn to_record(&self) -> [u8; RECORD] {
        let mut record = [b' '; RECORD];
        let json = serde_json::to_vec(self).unwrap_or_else(|error| unreachable!("facts are plain data: {error}"));
        let (head, _) = record.split_at_mut(json.len());
        head.copy_from_slice(&json);
        record
    }

    fn alike(&self, other: &RankFacts) -> bool {
        RankFacts { rank: other.rank, pid: other.pid, ..self.clone() } == *other
    }
}

impl Facts {
    /// The summary of the gathered `records`, by rank: as many differing ranks as one frame holds.
    ///
    /// # Errors
    /// A record that is not what [`RankFacts::to_record`] makes, or none at all.
    pub fn from_records(records: &[u8]) -> Result<Facts, serde_json::Error> {
        let all = records.chunks(RECORD).map(serde_json::from_slice).collect::<Result<Vec<RankFacts>, _>>()?;
        let ranks = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let mut all = all.into_iter();
        let first = all.next().ok_or_else(|| serde::de::Error::custom("no rank sent its facts"))?;
        let mut differing: Vec<_> = all.filter(|facts| !first.alike(facts)).collect();
        let mut omitted = 0;
        loop {
            let event = Event::Facts(Facts { ranks, first: first.clone(), differing: differing.clone(), omitted });
            if encode(&event).len() <= FRAME_MAX || differing.pop().is_none() {
                return Ok(Facts { ranks, first, differing, omitted });
            }
            omitted += 1;
        }
    }
}

/// `text` without what JSON would have to escape, cut to what a record holds.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).take(WORD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(rank: u32, user_ns: u64) -> RankFacts {
        let (host, cpus) = ("n".repeat(WORD_MAX), "1".repeat(WORD_MAX));
        let (pid, ipc_ns, shm_dev) = (u32::MAX - rank, u64::MAX, u64::MAX);
        RankFacts { rank, host, pid, user_ns, ipc_ns, shm_dev, cpus }
    }

    fn summary(all: &[RankFacts]) -> Facts {
        let records: Vec<u8> = all.iter().flat_map(RankFacts::to_record).collect();
        Facts::from_records(&records).unwrap()
    }

    #[test]
    fn this_process_has_surroundings() {
        let here = RankFacts::collect(3);
        assert_eq!((here.rank, here.pid), (3, std::process::id()));
        assert!(here.user_ns > 0 && here.ipc_ns > 0 && !here.host.is_empty(), "{here:?}");
        assert!(here.cpus.starts_with(|c: char| c.is_ascii_digit()), "{here:?}");
        assert_eq!(summary(std::slice::from_ref(&here)).first, here);
    }

    #[test]
    fn ranks_that_are_alike_are_told_once() {
        let all = [facts(0, 7), facts(1, 7), facts(2, 8)];
        let expected = Facts { ranks: 3, first: all[0].clone(), differing: vec![all[2].clone()], omitted: 0 };
        assert_eq!(summary(&all), expected);
    }

    #[test]
    fn the_longest_facts_of_many_ranks_fit_one_frame() {
        let all: Vec<_> = (0..500).map(|rank| facts(u32::MAX - 500 + rank, u64::MAX - u64::from(rank))).collect();
        let summary = summary(&all);
        assert_eq!((summary.ranks, summary.differing.len() + summary.omitted as usize), (500, 499));
        assert!(summary.differing.len() >= 6, "{}", summary.differing.len());
        assert!(encode(&Event::Facts(summary)).len() <= FRAME_MAX);
    }

    #[test]
    fn hostile_names_are_tamed() {
        assert_eq!(word(" a\"b\\c\u{e9}d\n"), "abcd");
    }

    #[test]
    fn a_broken_record_is_an_error() {
        assert!(Facts::from_records(&[b'x'; RECORD]).is_err());
        assert!(Facts::from_records(&[]).is_err());
    }
}
