//! What is read of the machine beside each visit, without any MPI between the timestamps: the canary, and a copy of as
//! many bytes as the visit's messages have.

use std::{hint::black_box, path::Path};

use bench_app::{
    Workload,
    canary::{BATCHES, Canary, Invitation},
    clock::Start,
    pages::Pages,
    stationarity::median,
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

/// The instruments of one rank.
pub(crate) struct Instruments {
    canary: Result<Canary, String>,
    /// On rank 0: from where, and where to.
    copied: Option<(Pages, Pages)>,
}

impl Instruments {
    /// The instruments of a rank that measures in `pair`, or in none. Collective over the pair.
    pub(crate) fn new(pair: Option<&Comm>, workload: &Workload) -> Result<Instruments, MpiError> {
        let Some(pair) = pair else {
            return Ok(Instruments { canary: Err("only ranks 0 and 1 have one".into()), copied: None });
        };
        let largest = workload.cells.iter().map(|cell| cell.bytes.0 as usize).max().unwrap_or(0);
        let pages = || Pages::new(largest, NEUTRAL);
        let copied = (pair.rank == 0).then(|| (pages(), pages()));
        Ok(Instruments { canary: meet(pair, Path::new("/dev/shm"))?, copied })
    }

    /// Reads the canary, where there is one and the other rank does the same.
    pub(crate) fn canary(&mut self) -> Option<[u64; BATCHES]> {
        let reading = self.canary.as_mut().ok()?.read();
        if reading.is_none() {
            // The two flags may now disagree about whose turn it is, so there is no other reading.
            self.canary = Err("the other rank did not answer in time".into());
        }
        reading
    }

    /// Why there is no canary (any more).
    pub(crate) fn silent_because(&self) -> Option<&str> {
        self.canary.as_ref().err().map(String::as_str)
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
