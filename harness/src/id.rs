//! Names that are parsed once and trusted afterwards.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Why a text is not the identifier it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}; hint: {hint}")]
pub struct BadId {
    text: String,
    what: &'static str,
    hint: &'static str,
}

/// A measuring place, as it appears in `results/<site>/`: lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteId(String);

impl FromStr for SiteId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = (1..=64).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('-');
        let bad = || BadId {
            text: text.to_owned(),
            what: "a site name",
            hint: "1 to 64 lower-case letters, digits and hyphens, such as `laptop` or `gricad-dahu`",
        };
        good.then(|| Self(text.to_owned())).ok_or_else(bad)
    }
}

/// A version of an MPI library: `4.1.8`, `5.0.11`, `6.0.0rc2`. A release sorts after its candidates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MpiVersion {
    numbers: [u32; 3],
    candidate: Option<u32>,
}

impl MpiVersion {
    /// The first number, which decides the launcher's family (ORTE below 5, PRRTE from 5).
    #[must_use]
    pub fn major(&self) -> u32 {
        self.numbers[0]
    }

    /// The three numbers, without what says that it is a candidate.
    #[must_use]
    pub const fn numbers(&self) -> [u32; 3] {
        self.numbers
    }

    /// The version that a library states of itself, as in `Open MPI v4.1.8, package: ..`.
    #[must_use]
    pub fn find_in(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || c == ',').find_map(|word| word.trim_start_matches('v').parse().ok())
    }
}

impl FromStr for MpiVersion {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { text: text.to_owned(), what: "an MPI version", hint: "such as `4.1.8` or `6.0.0rc2`" };
        let (release, candidate) = match text.split_once("rc") {
            Some((release, number)) => (release, Some(number.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let numbers: Vec<u32> = release.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
        let numbers = numbers.try_into().map_err(|_| bad())?;
        Ok(Self { numbers, candidate })
    }
}

impl fmt::Display for MpiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        let candidate = self.candidate.map(|n| format!("rc{n}")).unwrap_or_default();
        f.pad(&format!("{major}.{minor}.{patch}{candidate}"))
    }
}

impl Ord for MpiVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |v: &Self| (v.numbers, v.candidate.unwrap_or(u32::MAX));
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for MpiVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(String);

impl Sha256 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(sha2::Sha256::new_with_prefix(bytes))
    }

    /// The digest of all that `reader` yields.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub fn of_reader(reader: &mut impl std::io::Read) -> std::io::Result<Self> {
        let mut hasher = sha2::Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(Self::finish(hasher)),
                n => hasher.update(&buffer[..n]),
            }
        }
    }

    fn finish(hasher: sha2::Sha256) -> Self {
        Self(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The first `digits` hexadecimal digits, for names.
    #[must_use]
    pub fn short(&self, digits: usize) -> &str {
        &self.0[..digits.min(self.0.len())]
    }
}

impl FromStr for Sha256 {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let good = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let bad =
            || BadId { text: text.to_owned(), what: "a SHA-256 digest", hint: "64 lower-case hexadecimal digits" };
        good.then(|| Self(text.to_owned())).ok_or_else(bad)
    }
}

/// Names a case: a digest of what is measured, free of paths, so that equal cases compare across sites.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseId(String);

impl CaseId {
    /// The id of a case whose identity (see [`crate::case::Case::id`]) is written as `identity`.
    #[must_use]
    pub fn of(identity: &str) -> Self {
        Self(Sha256::of(identity.as_bytes()).short(12).to_owned())
    }
}

impl FromStr for CaseId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let good = text.len() == 12 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let bad = || BadId { text: text.to_owned(), what: "a case id", hint: "12 lower-case hexadecimal digits" };
        good.then(|| Self(text.to_owned())).ok_or_else(bad)
    }
}

/// Numbers the attempts of a run from 1, in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub u32);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("a{:04}", self.0))
    }
}

macro_rules! as_string {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    )*};
}
macro_rules! display_inner {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}
as_string!(SiteId, MpiVersion, Sha256, CaseId);
display_inner!(SiteId, Sha256, CaseId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_print_and_sort() {
        let sorted = ["3.1.6", "4.1.0", "4.1.8", "5.0.8", "5.0.11", "6.0.0rc2", "6.0.0"];
        let mut versions: Vec<MpiVersion> = sorted.iter().rev().map(|text| text.parse().unwrap()).collect();
        versions.sort();
        assert_eq!(versions.iter().map(ToString::to_string).collect::<Vec<_>>(), sorted);
        for bad in ["", "4", "4.1", "4.1.x", "4.1.8.2", "v4.1.8", "4.1.8rc"] {
            assert!(bad.parse::<MpiVersion>().unwrap_err().to_string().contains(bad));
        }
    }

    #[test]
    fn a_library_states_its_version() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(MpiVersion::find_in(text).map(|v| v.to_string()).as_deref(), expected);
        };
        check("Open MPI v4.1.8, package: Open MPI root@host Distribution", Some("4.1.8"));
        check("mpirun (Open MPI) 5.0.11", Some("5.0.11"));
        check("Open MPI v6.0.0rc2, package", Some("6.0.0rc2"));
        check("MPICH Version: unknown", None);
    }

    #[test]
    fn sites_are_path_components() {
        assert!("gricad-dahu".parse::<SiteId>().is_ok());
        for bad in ["", "../up", "Laptop", "a b", "-x"] {
            assert!(bad.parse::<SiteId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_match_the_standard() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(b"abc").to_string(), abc);
        assert_eq!(Sha256::of_reader(&mut &b"abc"[..]).unwrap().to_string(), abc);
    }
}
