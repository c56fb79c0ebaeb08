//! What bench-app says on its standard output: one frame a line, `@sifbench <len> <crc32> <json>`.
//!
//! Launchers mix, cut and prefix the output of ranks. Length and checksum tell a damaged frame from a missing one; text
//! that is no frame passes by unharmed. Frames stay under [`FRAME_MAX`] bytes and are written only between visits.
//! After `MPI_Init` only rank 0 *of its own world* speaks, so N hellos are N singletons.

use serde::{Deserialize, Serialize};

use crate::{
    bytes::Bytes,
    canary::{self, BATCHES},
    kernel::Kernel,
};

pub use crate::{
    boot::{Boot, Namespace},
    facts::{Facts, Late, MoreFacts, RankFacts, ReadPeer, Traffic},
    stationarity::Settled,
    tails::Trace,
};

/// Version of this contract. bench-app states it in [`Boot`] and [`Hello`]; the harness refuses another.
pub const PROTOCOL: u32 = 2;
/// Longest frame, newline included: what pipes pass on unbroken.
pub const FRAME_MAX: usize = 4096;
/// Batches in one [`Measurement`] frame: 20 digits each still fit.
pub const BATCHES_PER_FRAME: usize = 160;

const MARK: &str = "@sifbench ";

/// Everything bench-app can say, in the order in which it says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Before `MPI_Init` (some failures never return from it): launcher ranks below 16.
    Boot(Boot),
    /// After `MPI_Init`: rank 0 of its own world.
    Hello(Hello),
    /// What the ranks found around them.
    Facts(Facts),
    /// Ranks that found no room in the first frame of facts.
    MoreFacts(MoreFacts),
    /// A visit begins: a hang is then known by its kernel and size.
    Begin(Begin),
    /// Batches of a visit that has ended.
    Measurement(Measurement),
    /// How single repetitions of a cell are distributed, once a launch.
    Trace(Trace),
    /// A visit has ended: how it was made.
    Visited(Visited),
    /// A payload arrived changed; nothing measured afterwards would mean anything.
    WrongData(WrongData),
    /// An MPI call failed, or the gate is no way on; bench-app then aborts its world.
    Failed(Failed),
    /// What is found out after everything was measured.
    Late(Late),
    /// All was measured and said.
    Done(Done),
}

/// A world that has formed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the binary.
    pub protocol: u32,
    /// bench-app's version.
    pub version: String,
    /// Size of `MPI_COMM_WORLD`.
    pub world: u32,
    /// World size according to the launcher's environment: larger than `world` proves singletons.
    pub launcher_size: Option<u32>,
    /// `MPI_Get_library_version`, first line: the library as loaded.
    pub library: String,
    /// Duration of `MPI_Init` on this rank, ns.
    pub init_ns: u64,
}

/// The visit that begins now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// What is measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Visit of this cell, from 0.
    pub visit: u32,
}

/// Raw batches of one visit, warm-up left out. A long visit takes several frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Visit of this cell, from 0.
    pub visit: u32,
    /// Repetitions in each batch.
    pub k: u32,
    /// Batches discarded as warm-up before the first.
    pub discarded: u32,
    /// Index of `ns[0]` among the visit's kept batches.
    pub first: u32,
    /// Duration of each batch, ns, in time order.
    pub ns: Vec<u64>,
}

/// How the ranks of a visit began together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// After a barrier a batch, whose repetitions follow each other.
    Batch,
    /// Each repetition at a moment said ahead, on the clock of their one node.
    RoundTime,
    /// Each repetition after a barrier of messages.
    Barrier,
}

/// A visit, beside its batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Visited {
    /// What was measured.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// Visit of this cell, from 0.
    pub visit: u32,
    /// Whether its batches came out alike from first to last.
    pub settled: Settled,
    /// How its repetitions began.
    pub sync: Sync,
    /// Repetitions begun together, each by itself; 0 where a batch begins together.
    pub made: u32,
    /// Those among them in which a rank was late: they are in no batch.
    pub late: u32,
    /// Batches of the canary before and after, ns for `canary_trips` each: of a flag in memory, or of a byte over TCP
    /// where the two ranks are on different nodes.
    pub canary: Option<[[u64; BATCHES]; 2]>,
    /// Round trips in each of these batches.
    #[serde(default = "flag_trips")]
    pub canary_trips: u32,
    /// Time of copying as many bytes within rank 0's memory, ns; none for small ones.
    pub copy_ns: Option<f64>,
    /// Half the round trip of as long a message over TCP, without MPI, ns; none on one node, and for small ones.
    #[serde(default)]
    pub stream_ns: Option<f64>,
}

fn flag_trips() -> u32 {
    canary::ROUND_TRIPS
}

/// The first byte that was not what had been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongData {
    /// What was checked.
    pub kernel: Kernel,
    /// The message size.
    pub bytes: Bytes,
    /// The rank that saw it.
    pub rank: u32,
    /// Offset of the byte (allreduce: of the element) in the message.
    pub at: u64,
}

/// Why a rank cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The rank that saw it.
    pub rank: u32,
    /// Which MPI call, and the library's words for its error class; or what is wrong with the gate.
    pub message: String,
}

/// The end of a complete run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Visits made, over all cells.
    pub visits: u32,
    /// From hello to done, ns.
    pub wall_ns: u64,
}

/// The frame of `event`, newline included.
#[must_use]
pub fn encode(event: &Event) -> String {
    let json = serde_json::to_string(event).unwrap_or_else(|error| unreachable!("events are plain data: {error}"));
    format!("{MARK}{} {:08x} {json}\n", json.len(), crc32fast::hash(json.as_bytes()))
}

/// What a line of a launch's standard output turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// A whole frame. `before` is text that some launcher or library put on the same line.
    Event {
        /// The event.
        event: Box<Event>,
        /// Foreign text before the frame, mostly empty.
        before: String,
    },
    /// No frame: somebody else's words.
    Text,
    /// A frame that is cut, mixed or of another protocol: why.
    Garbled(String),
}

/// Reads one line, without its newline.
#[must_use]
pub fn decode(line: &str) -> Decoded {
    let Some(at) = line.find(MARK) else { return Decoded::Text };
    let (before, frame) = line.split_at(at);
    match parse(&frame[MARK.len()..]) {
        Ok(event) => Decoded::Event { event: Box::new(event), before: before.to_owned() },
        Err(why) => Decoded::Garbled(why),
    }
}

fn parse(frame: &str) -> Result<Event, String> {
    let mut parts = frame.splitn(3, ' ');
    let (Some(len), Some(crc), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("frame without length, checksum and body".into());
    };
    let len: usize = len.parse().map_err(|_| format!("`{len}` is no frame length"))?;
    let json = json.trim_end_matches('\r');
    if json.len() != len {
        return Err(format!("frame of {} bytes announced as {len}", json.len()));
    }
    let crc = u32::from_str_radix(crc, 16).map_err(|_| format!("`{crc}` is no checksum"))?;
    if crc32fast::hash(json.as_bytes()) != crc {
        return Err("checksum differs".into());
    }
    serde_json::from_str(json).map_err(|error| format!("unknown event: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_assert_ne, prop_oneof, proptest};

    use super::*;

    fn events() -> impl Strategy<Value = Event> {
        let measurement =
            (0..Kernel::ALL.len(), any::<u32>(), proptest::collection::vec(any::<u64>(), 0..=BATCHES_PER_FRAME))
                .prop_map(|(kernel, visit, ns)| {
                    let (kernel, bytes) = (Kernel::ALL[kernel], Bytes(u64::from(visit)));
                    Event::Measurement(Measurement { kernel, bytes, visit, k: visit, discarded: 2, first: 0, ns })
                });
        let hello = ("\\PC{0,200}", any::<u32>(), any::<u64>()).prop_map(|(library, world, init_ns)| {
            let (version, launcher_size) = ("0.1.0".into(), Some(world));
            Event::Hello(Hello { protocol: PROTOCOL, version, world, launcher_size, library, init_ns })
        });
        let failed = ("\\PC{0,300}", any::<u32>()).prop_map(|(message, rank)| Event::Failed(Failed { rank, message }));
        prop_oneof![measurement, hello, failed]
    }

    fn decode_event(line: &str) -> Option<Event> {
        match decode(line) {
            Decoded::Event { event, .. } => Some(*event),
            Decoded::Text | Decoded::Garbled(_) => None,
        }
    }

    proptest! {
        #[test]
        fn frames_round_trip(event in events()) {
            let line = encode(&event);
            prop_assert!(line.len() <= FRAME_MAX, "{} bytes", line.len());
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(decode_event(line.trim_end_matches('\n')), Some(event));
        }

        #[test]
        fn foreign_text_before_a_frame_is_kept_apart(event in events(), text in "[a-z0-9 .:,-]{0,80}") {
            let line = format!("{text}{}", encode(&event).trim_end());
            prop_assert_eq!(decode(&line), Decoded::Event { event: Box::new(event), before: text });
        }

        #[test]
        fn a_cut_frame_is_garbled(event in events(), cut in 0.0..1.0_f64) {
            let line = encode(&event);
            let body = line.trim_end_matches('\n');
            let mut at = MARK.len() + ((body.len() - MARK.len()) as f64 * cut) as usize;
            while !body.is_char_boundary(at) { at -= 1; }
            let garbled = matches!(decode(&body[..at]), Decoded::Garbled(_));
            prop_assert!(garbled, "{}", &body[..at]);
        }

        #[test]
        fn a_changed_byte_never_passes_as_the_same_event(event in events(), at in any::<proptest::sample::Index>()) {
            let line = encode(&event);
            let mut bytes = line.trim_end().as_bytes().to_vec();
            let at = MARK.len() + at.index(bytes.len() - MARK.len());
            bytes[at] ^= 1;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert_ne!(decode_event(text), Some(event));
            }
        }

        #[test]
        fn text_without_the_mark_is_nobodys_frame(text in "[^@]{0,200}") {
            prop_assert_eq!(decode(&text), Decoded::Text);
        }
    }
}
