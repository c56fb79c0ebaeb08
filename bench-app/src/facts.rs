//! What ranks find around them, and its summary: what rank 0 found, and the ranks that differ. Its size does not depend
//! on their number.

mod look;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Event, FRAME_MAX, encode};

pub use look::{fabric_bytes, network_bytes, this_node};

/// Bytes of one rank's record on its way to rank 0: the JSON of [`RankFacts`], padded with spaces.
pub const RECORD: usize = 2048;
/// Ranks that are told of besides rank 0.
pub const DIFFERING: usize = 31;
/// Longest host name, CPU list and value kept, so that records and frames always hold them.
const WORD_MAX: usize = 120;

/// One rank's surroundings. Namespaces are inodes of `/proc/self/ns/*`. What cannot be read is 0, empty or none: a fact
/// may be missing, never wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RankFacts {
    /// Rank in `MPI_COMM_WORLD`.
    pub rank: u32,
    /// Host name.
    pub host: String,
    /// The running kernel's identity (from its boot id): equal on ranks of one node, in whatever containers.
    pub node: u64,
    /// Process id as the rank sees it.
    pub pid: u32,
    /// User namespace: two ranks in different ones cannot read each other's memory.
    pub user_ns: u64,
    /// PID namespace.
    pub pid_ns: u64,
    /// IPC namespace.
    pub ipc_ns: u64,
    /// Mount namespace.
    pub mnt_ns: u64,
    /// Network namespace.
    pub net_ns: u64,
    /// UTS namespace.
    pub uts_ns: u64,
    /// Time namespace: two ranks in different ones may read different clocks.
    pub time_ns: u64,
    /// Device number of `/dev/shm`: equal on ranks that can share memory there.
    pub shm_dev: u64,
    /// Size of `/dev/shm`, bytes.
    pub shm_total: u64,
    /// Free in `/dev/shm`, bytes.
    pub shm_free: u64,
    /// Device number of `/tmp`, where launchers keep their session directories.
    pub tmp_dev: u64,
    /// Size of `/tmp`, bytes.
    pub tmp_total: u64,
    /// Free in `/tmp`, bytes.
    pub tmp_free: u64,
    /// CPUs the rank may run on (`Cpus_allowed_list`), for instance `0-1`.
    pub cpus: String,
    /// Whether the process may be traced at all (`PR_GET_DUMPABLE`).
    pub dumpable: bool,
    /// Yama's restriction on tracing, where there is Yama.
    pub ptrace_scope: Option<u8>,
    /// Limit on locked memory, bytes; none where unlimited.
    pub memlock: Option<u64>,
    /// Fabric devices visible here: `infiniband/uverbs0`, `hfi1_0`, `cxi0`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fabric: Vec<String>,
    /// Whether this rank could read the next rank's memory, before anything was done to allow it.
    pub read_peer: ReadPeer,
}

/// What came of reading eight known bytes of the next rank's memory with `process_vm_readv`, as single-copy transports do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadPeer {
    /// Not tried: there is no other rank, or it is not known where its memory is.
    #[default]
    Untried,
    /// The next rank is on another node.
    OtherNode,
    /// The bytes were read.
    Ok,
    /// `EPERM`: another user namespace, Yama, or a seccomp filter.
    Denied,
    /// `ESRCH`: its process id means nothing here.
    NoProcess,
    /// Other bytes were read: its process id means another process here.
    WrongValue,
    /// The kernel does not have the call, or another error number.
    Errno(i32),
}

/// The facts of all ranks: rank 0's, and those of the ranks that differ from it in more than rank and process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Ranks in the world.
    pub ranks: u32,
    /// Nodes they are on.
    #[serde(default)]
    pub nodes: u32,
    /// Whether some node has more ranks than CPUs they may run on: such figures are of waiting, not of messages.
    #[serde(default)]
    pub oversubscribed: bool,
    /// Rank 0.
    pub first: RankFacts,
    /// Ranks that differ from rank 0, by rank: the first of them.
    pub differing: Vec<RankFacts>,
    /// Ranks that differ and are not told of.
    pub omitted: u32,
}

/// Differing ranks that found no room in the frame of [`Facts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoreFacts {
    /// By rank.
    pub differing: Vec<RankFacts>,
}

/// What is found out once all figures are out, because it may disturb or crash what it asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Late {
    /// What an untimed pass between ranks 0 and 1 did to the counters of rank 0's node.
    pub traffic: Option<Traffic>,
    /// Whether rank 0 could read rank 1's memory once rank 1 had allowed it (`PR_SET_PTRACER_ANY`): with
    /// [`RankFacts::read_peer`] this tells Yama from user namespaces.
    pub read_allowed: ReadPeer,
    /// Control variables of the library (`MPI_T`), those of [`VARIABLES`] that it has: switch points between protocols,
    /// how messages are copied.
    pub variables: BTreeMap<String, String>,
    /// Why there was no canary (any more).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_canary: Option<String>,
    /// Address of rank 1's node, where the canary went there over TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_over: Option<String>,
    /// Bytes through which rank 0's buffers rotated; none where they were hot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotating: Option<u64>,
    /// Size of the last-level cache of rank 0's CPU, bytes, where the kernel tells.
    pub last_level_cache: Option<u64>,
}

/// Bytes that an untimed pass moved, and where they were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Payload in both directions.
    pub moved: u64,
    /// Sent by network interfaces meanwhile, the loopback included (`/proc/net/dev`).
    pub network: u64,
    /// Sent by InfiniBand and Omni-Path ports meanwhile, where they have counters.
    pub fabric: u64,
}

/// Control variables that are asked for: Open MPI's 4.1 and 5 names, and MPICH's.
pub const VARIABLES: [&str; 16] = [
    "btl",
    "pml",
    "btl_vader_single_copy_mechanism",
    "btl_vader_get_limit",
    "btl_vader_eager_limit",
    "btl_vader_max_send_size",
    "btl_vader_flags",
    "btl_sm_get_limit",
    "btl_sm_eager_limit",
    "btl_sm_max_send_size",
    "btl_sm_flags",
    "smsc",
    "btl_tcp_eager_limit",
    "coll_tuned_use_dynamic_rules",
    "MPIR_CVAR_CH4_IPC_CMA_P2P_THRESHOLD",
    "MPIR_CVAR_CH4_OFI_EAGER_THRESHOLD",
];

impl Traffic {
    /// What carried the bytes: half of the payload on a wire is no coincidence.
    #[must_use]
    pub fn carrier(&self) -> &'static str {
        match () {
            () if self.fabric >= self.moved / 2 => "fabric",
            () if self.network >= self.moved / 2 => "network",
            () => "memory",
        }
    }
}

impl RankFacts {
    /// The rank's record on its way to rank 0.
    #[must_use]
    pub fn to_record(&self) -> [u8; RECORD] {
        let mut record = [b' '; RECORD];
        let json = serde_json::to_vec(self).unwrap_or_else(|error| unreachable!("facts are plain data: {error}"));
        let (head, _) = record.split_at_mut(json.len());
        head.copy_from_slice(&json);
        record
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It is not what [`RankFacts::to_record`] makes.
    pub fn from_record(record: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(record)
    }

    /// Whether the two differ in nothing but which process they are, and in what changes from moment to moment.
    #[must_use]
    pub fn alike(&self, other: &RankFacts) -> bool {
        let RankFacts { rank, pid, shm_free, tmp_free, .. } = *other;
        RankFacts { rank, pid, shm_free, tmp_free, ..self.clone() } == *other
    }

    /// The CPUs the rank may run on, one bit each, lowest first, as many as `mask` holds.
    pub fn mark_cpus(&self, mask: &mut [u64]) {
        for range in self.cpus.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else { continue };
            for cpu in first..=last.min(mask.len() * 64 - 1) {
                mask[cpu / 64] |= 1 << (cpu % 64);
            }
        }
    }
}

impl Facts {
    /// The frames that say all of this: one, and more for the ranks that it has no room for.
    #[must_use]
    pub fn into_frames(mut self) -> Vec<Event> {
        let mut rest = std::mem::take(&mut self.differing).into_iter().peekable();
        let mut fill = |frame: &dyn Fn(Vec<RankFacts>) -> Event| {
            let mut held = Vec::new();
            while let Some(next) = rest.peek() {
                let more: Vec<_> = held.iter().chain([next]).cloned().collect();
                if encode(&frame(more)).len() > FRAME_MAX {
                    break;
                }
                held.extend(rest.next());
            }
            (frame(held), rest.peek().is_some())
        };
        let (first, mut more) = fill(&|differing| Event::Facts(Facts { differing, ..self.clone() }));
        let mut frames = vec![first];
        while more {
            let (frame, rest) = fill(&|differing| Event::MoreFacts(MoreFacts { differing }));
            frames.push(frame);
            more = rest;
        }
        frames
    }
}

/// `text` without what JSON would have to escape, cut to what a record holds.
#[must_use]
pub fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).take(WORD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(rank: u32) -> RankFacts {
        let text = || "n".repeat(WORD_MAX);
        let (most, rest) = (u64::MAX, RankFacts::default());
        RankFacts {
            rank,
            host: text(),
            node: most,
            pid: u32::MAX - rank,
            user_ns: most - u64::from(rank),
            pid_ns: most,
            ipc_ns: most,
            mnt_ns: most,
            net_ns: most,
            uts_ns: most,
            time_ns: most,
            shm_dev: most,
            shm_total: most,
            shm_free: most,
            tmp_dev: most,
            tmp_total: most,
            tmp_free: most,
            cpus: text(),
            ptrace_scope: Some(3),
            memlock: Some(most),
            fabric: vec![text(); look::DEVICES],
            read_peer: ReadPeer::Errno(i32::MIN),
            ..rest
        }
    }

    #[test]
    fn ranks_are_alike_whatever_process_they_are() {
        let one = longest(1);
        let mut two = RankFacts { rank: 2, pid: 7, shm_free: 0, tmp_free: 1, ..one.clone() };
        assert!(one.alike(&two));
        two.ipc_ns = 5;
        assert!(!one.alike(&two));
    }

    #[test]
    fn no_rank_is_lost_between_frames_and_none_is_too_long() {
        for count in [0, 1, 2, DIFFERING] {
            let differing: Vec<_> = (1..=count as u32).map(longest).collect();
            let facts = Facts { ranks: 500, first: longest(0), differing: differing.clone(), ..Facts::default() };
            let frames = facts.into_frames();
            assert!(frames.iter().all(|frame| encode(frame).len() <= FRAME_MAX));
            let told: Vec<RankFacts> = frames
                .into_iter()
                .flat_map(|frame| match frame {
                    Event::Facts(facts) => facts.differing,
                    Event::MoreFacts(more) => more.differing,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(told, differing);
        }
    }

    #[test]
    fn late_facts_fit_a_frame() {
        let variables = VARIABLES.map(|name| (name.to_owned(), "v".repeat(WORD_MAX))).into();
        let late = Late { variables, ..Late::default() };
        assert!(encode(&Event::Late(late)).len() <= FRAME_MAX);
    }

    #[test]
    fn cpu_lists_become_bits() {
        let check = |cpus: &str, expected: [u64; 2]| {
            let mut mask = [0; 2];
            RankFacts { cpus: cpus.into(), ..RankFacts::default() }.mark_cpus(&mut mask);
            assert_eq!(mask, expected, "{cpus}");
        };
        check("0-1", [3, 0]);
        check("0,2-3,64", [13, 1]);
        check("126-200", [0, 3 << 62]);
        check("", [0, 0]);
    }

    #[test]
    fn what_carried_a_message_follows_from_the_counters() {
        let carrier = |network, fabric| Traffic { moved: 1000, network, fabric }.carrier();
        assert_eq!([carrier(20, 0), carrier(1100, 0), carrier(0, 1050)], ["memory", "network", "fabric"]);
    }

    #[test]
    fn a_broken_record_is_an_error() {
        assert!(RankFacts::from_record(&[b'x'; RECORD]).is_err());
        assert!(RankFacts::from_record(&[]).is_err());
    }
}
