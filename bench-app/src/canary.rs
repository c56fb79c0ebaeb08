//! A flag that goes to and fro between two ranks of a node, without any MPI: what the machine itself takes.
//!
//! Where two ranks run (one core complex, two of them, sharing a hypervisor's core) decides what small messages cost, and
//! can change within seconds. The canary is taken before and after each visit, so that such a change can be seen.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use crate::{clock, shared::Shared};

/// Batches of one reading.
pub const BATCHES: usize = 9;
/// Round trips of a batch.
pub const ROUND_TRIPS: u32 = 50;
/// After that a reading is given up: its ranks share a core, or one is gone.
const PATIENCE_NS: u64 = 20_000_000;
/// Looks at the flag between two looks at the clock.
const LOOKS: u32 = 4096;

/// Which end of the flag a rank holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Sends first and times.
    Lead,
    /// Answers.
    Answer,
}

/// One end of a shared flag.
#[derive(Debug)]
pub struct Canary {
    flag: Shared,
    end: End,
    /// What the flag reads when all round trips so far are over.
    count: u32,
}

/// Where an invited rank finds the flag, and what it must read there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The file.
    pub path: PathBuf,
    /// The flag's first value: another file of the same name has another.
    pub nonce: u32,
}

impl Canary {
    /// Makes a flag in `directory`. The file is to be removed once the other rank has come.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn invite(directory: &Path) -> io::Result<(Canary, Invitation)> {
        // Even, so that the first round trip begins with an odd value.
        let nonce = (clock::now() as u32 ^ std::process::id().rotate_left(16)) & !1;
        let path = directory.join(format!("sifbench-canary-{}-{nonce:08x}", std::process::id()));
        let flag = Shared::create(&path, 1)?;
        flag.words()[0].store(nonce, Ordering::Release);
        Ok((Canary { flag, end: End::Lead, count: nonce }, Invitation { path, nonce }))
    }

    /// Takes the other end.
    ///
    /// # Errors
    /// The file is not there, or it is another one.
    pub fn join(invitation: &Invitation) -> io::Result<Canary> {
        let flag = Shared::open(&invitation.path, 1)?;
        if flag.words()[0].load(Ordering::Acquire) != invitation.nonce {
            return Err(io::Error::other("another file of that name"));
        }
        Ok(Canary { flag, end: End::Answer, count: invitation.nonce })
    }

    /// Durations of [`BATCHES`] batches of [`ROUND_TRIPS`], ns, while the other rank does the same; none where it does not.
    pub fn read(&mut self) -> Option<[u64; BATCHES]> {
        let begun = clock::now();
        let mut batches = [0; BATCHES];
        for batch in &mut batches {
            let start = clock::now();
            for _ in 0..ROUND_TRIPS {
                self.round_trip(begun)?;
            }
            *batch = clock::now() - start;
        }
        Some(batches)
    }

    #[inline]
    fn round_trip(&mut self, begun: u64) -> Option<()> {
        let flag = &self.flag.words()[0];
        let (there, back) = (self.count.wrapping_add(1), self.count.wrapping_add(2));
        self.count = back;
        let (awaited, said) = match self.end {
            End::Lead => {
                flag.store(there, Ordering::Release);
                (back, None)
            }
            End::Answer => (there, Some(back)),
        };
        let mut looks = 0;
        while flag.load(Ordering::Acquire) != awaited {
            looks += 1;
            if looks == LOOKS {
                looks = 0;
                if clock::now() - begun > PATIENCE_NS {
                    return None;
                }
            }
        }
        if let Some(said) = said {
            flag.store(said, Ordering::Release);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ends_count_together() {
        let directory = tempfile::tempdir().unwrap();
        let (mut lead, invitation) = Canary::invite(directory.path()).unwrap();
        let mut answer = Canary::join(&invitation).unwrap();
        std::fs::remove_file(&invitation.path).unwrap();
        // On a busy machine a reading may be given up, but the two then end alike: the flag is never half-way.
        let (led, answered) = std::thread::scope(|scope| {
            let other = scope.spawn(|| answer.read());
            (lead.read(), other.join().unwrap())
        });
        if led.is_some() && answered.is_some() {
            assert_eq!(lead.count, answer.count);
            assert_eq!(lead.count, invitation.nonce.wrapping_add(2 * ROUND_TRIPS * BATCHES as u32));
        }
        assert!(led.iter().flatten().all(|ns| *ns > 0));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let (mut lead, _) = Canary::invite(directory.path()).unwrap();
        let start = clock::now();
        assert_eq!(lead.read(), None);
        assert!(clock::now() - start >= PATIENCE_NS);
    }

    #[test]
    fn a_file_of_somebody_else_is_no_flag() {
        let directory = tempfile::tempdir().unwrap();
        let (_lead, invitation) = Canary::invite(directory.path()).unwrap();
        let wrong = Invitation { nonce: invitation.nonce + 2, ..invitation.clone() };
        assert!(Canary::join(&wrong).is_err());
        std::fs::remove_file(&invitation.path).unwrap();
        assert_eq!(Canary::join(&invitation).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
