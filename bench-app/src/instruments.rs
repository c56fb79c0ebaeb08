//! What is read of the machine beside each visit, without any MPI between the timestamps: the canary, and a copy of as
//! many bytes as the visit's messages have. Between two nodes both go over TCP.

use std::{hint::black_box, io, net::Ipv4Addr, path::Path};

use bench_app::{
    Workload,
    canary::{self, BATCHES, Canary, Invitation},
    clock::Start,
    facts::this_node,
    pages::Pages,
    stationarity::median,
    wire::{self, ADDRESSES, Address, Door, Wire},
};

use crate::{
    buffers::NEUTRAL,
    mpi_ffi::{Comm, MpiError},
};

/// Room for an invitation on its way: the nonce, then the path.
const LETTER: usize = 256;
/// Below this a copy says nothing about memory.
const LEAST_COPIED: usize = 1024;
/// Bytes copied in one batch, at least; batches of one figure.
const COPIED: usize = 256 << 10;
const COPIES: usize = 3;

/// Bytes sent over TCP for one figure, at least; and messages of any size.
const STREAMED: usize = 128 << 10;
const STREAMS: usize = 2;

/// The way between ranks 0 and 1 that no MPI has to do with.
enum Way {
    /// A flag in the memory of their node.
    Flag(Canary),
    /// A connection of their nodes, and what is sent over it.
    Wire(Wire, Vec<u8>),
}

/// The instruments of one rank.
pub(crate) struct Instruments {
    /// Else why there is none (any more).
    way: Result<Way, String>,
    /// On rank 0: from where, and where to.
    copied: Option<(Pages, Pages)>,
}

impl Instruments {
    /// The instruments of a rank that measures in `pair`, or in none. Collective over the pair.
    pub(crate) fn new(pair: Option<&Comm>, workload: &Workload) -> Result<Instruments, MpiError> {
        let Some(pair) = pair else {
            return Ok(Instruments { way: Err("only ranks 0 and 1 have one".into()), copied: None });
        };
        let largest = workload.cells.iter().map(|cell| cell.bytes.0 as usize).max().unwrap_or(0);
        let pages = || Pages::new(largest, NEUTRAL);
        let copied = (pair.rank == 0).then(|| (pages(), pages()));
        let way = if on_one_node(pair)? {
            meet(pair, Path::new("/dev/shm"))?.map(Way::Flag)
        } else {
            connect(pair)?.map(|wire| Way::Wire(wire, vec![0; largest]))
        };
        Ok(Instruments { way, copied })
    }

    /// Reads the canary, where there is one and the other rank does the same.
    pub(crate) fn canary(&mut self) -> Option<[u64; BATCHES]> {
        let reading = match self.way.as_mut().ok()? {
            // The two ends may then disagree about whose turn it is, so there is no other reading.
            Way::Flag(canary) => canary.read().ok_or_else(|| "the other rank did not answer in time".into()),
            Way::Wire(wire, _) => wire.read().map_err(over_tcp),
        };
        self.unless_lost(reading)
    }

    /// Half the round trip of `len` bytes over TCP, ns, while the other rank does the same. None on one node.
    pub(crate) fn stream_ns(&mut self, len: usize) -> Option<f64> {
        let Way::Wire(wire, buffer) = self.way.as_mut().ok().filter(|_| len >= LEAST_COPIED)? else { return None };
        let times = STREAMED.div_ceil(len).max(STREAMS) as u32;
        let taken = wire.half_round_trip(&mut buffer[..len], times).map_err(over_tcp);
        self.unless_lost(taken)
    }

    fn unless_lost<T>(&mut self, reading: Result<T, String>) -> Option<T> {
        reading.map_err(|why| self.way = Err(why)).ok()
    }

    /// Round trips in a batch of the canary.
    pub(crate) fn trips(&self) -> u32 {
        match self.way {
            Ok(Way::Wire(..)) => wire::ROUND_TRIPS,
            Ok(Way::Flag(_)) | Err(_) => canary::ROUND_TRIPS,
        }
    }

    /// Address of the other rank's node, where the canary goes there over TCP.
    pub(crate) fn wire(&self) -> Option<String> {
        match &self.way {
            Ok(Way::Wire(wire, _)) => wire.peer().map(|address| address.ip().to_string()),
            Ok(Way::Flag(_)) | Err(_) => None,
        }
    }

    /// Why there is no canary (any more).
    pub(crate) fn silent_because(&self) -> Option<&str> {
        self.way.as_ref().err().map(String::as_str)
    }

    /// Time of copying `len` bytes, ns.
    pub(crate) fn copy_ns(&mut self, len: usize) -> Option<f64> {
        let (from, into) = self.copied.as_mut().filter(|_| len >= LEAST_COPIED)?;
        let times = COPIED.div_ceil(len);
        let mut batches = [0; COPIES];
        for ns in &mut batches {
            let start = Start::now();
            for _ in 0..times {
                into.head_mut(len).copy_from_slice(black_box(from.head(len)));
                black_box(&mut *into);
            }
            *ns = start.ns();
        }
        Some(median(&batches) / times as f64)
    }
}

fn over_tcp(error: io::Error) -> String {
    format!("TCP between the nodes: {error}")
}

/// Whether both ranks run under one kernel. Collective over the pair.
fn on_one_node(pair: &Comm) -> Result<bool, MpiError> {
    let (own, peer) = (this_node().to_le_bytes(), 1 - pair.rank);
    Ok(pair.swap(&own, peer, peer)? == own)
}

/// Rank 0 opens a port and rank 1 comes there; else why there is no connection. Collective over the pair.
fn connect(pair: &Comm) -> Result<Result<Wire, String>, MpiError> {
    let peer = 1 - pair.rank;
    let hosts = || wire::addresses(&std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default());
    let opened = (pair.rank == 0).then(|| Door::open(hosts()));
    let address = opened.as_ref().and_then(|opened| opened.as_ref().ok()).map(|(_, address)| address);
    let heard = pair.swap(&write_address(address), peer, peer)?;
    let wire = match opened {
        Some(opened) => opened.and_then(|(door, _)| door.answer()),
        None => read_address(&heard).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into()).and_then(|at| Wire::go(&at)),
    };
    let came = pair.swap(&[u8::from(wire.is_ok())], peer, peer)? == [1];
    Ok(match wire {
        Ok(wire) if came => Ok(wire),
        Ok(_) => Err("TCP between the nodes: the other rank saw no connection".into()),
        Err(error) => Err(over_tcp(error)),
    })
}

/// Words of an address on its way: nonce, port, hosts.
fn write_address(address: Option<&Address>) -> [u8; LETTER] {
    let mut letter = [0; LETTER];
    if let Some(Address { hosts, port, nonce }) = address {
        let hosts = hosts.iter().map(|host| u64::from(host.to_bits()));
        let words = [*nonce, (*port).into()].into_iter().chain(hosts);
        letter.as_chunks_mut().0.iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
    }
    letter
}

fn read_address(letter: &[u8; LETTER]) -> Option<Address> {
    let words: Vec<u64> = letter.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let hosts = words[2..2 + ADDRESSES].iter().filter(|word| **word != 0);
    let hosts: Vec<_> = hosts.map(|word| Ipv4Addr::from_bits(*word as u32)).collect();
    (!hosts.is_empty()).then(|| Address { hosts, port: words[1] as u16, nonce: words[0] })
}

/// Rank 0 makes a flag in `directory` and rank 1 takes its other end; else why there is none. Collective over the pair.
fn meet(pair: &Comm, directory: &Path) -> Result<Result<Canary, String>, MpiError> {
    let peer = 1 - pair.rank;
    let made = if pair.rank == 0 { Some(Canary::invite(directory)) } else { None };
    let invitation = made.as_ref().and_then(|made| made.as_ref().ok()).map(|(_, invitation)| invitation.clone());
    let letter = pair.swap(&write(invitation.as_ref()), peer, peer)?;
    let joined = if pair.rank == 1 { read(&letter).map(|invitation| Canary::join(&invitation)) } else { None };
    let came = pair.swap(&[u8::from(matches!(joined, Some(Ok(_))))], peer, peer)? == [1];
    if let Some(invitation) = invitation {
        std::fs::remove_file(invitation.path).ok();
    }
    let place = directory.display();
    Ok(match (made, joined) {
        (Some(Ok((canary, _))), _) if came => Ok(canary),
        (Some(Ok(_)), _) => Err(format!("{place} is not common to both ranks")),
        (Some(Err(error)), _) => Err(format!("{place}: {error}")),
        (None, Some(joined)) => joined.map_err(|error| format!("{place}: {error}")),
        (None, None) => Err("not invited".into()),
    })
}

fn write(invitation: Option<&Invitation>) -> [u8; LETTER] {
    let mut letter = [0; LETTER];
    if let Some(Invitation { path, nonce }) = invitation {
        letter[..4].copy_from_slice(&nonce.to_le_bytes());
        letter[4..].iter_mut().zip(path.as_os_str().as_encoded_bytes()).for_each(|(place, byte)| *place = *byte);
    }
    letter
}

fn read(letter: &[u8; LETTER]) -> Option<Invitation> {
    let (nonce, path) = letter.split_first_chunk()?;
    let path = std::str::from_utf8(path).ok()?.trim_end_matches('\0');
    (!path.is_empty()).then(|| Invitation { path: path.into(), nonce: u32::from_le_bytes(*nonce) })
}
