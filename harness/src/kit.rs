//! A kit: one directory with everything a campaign runs, carried to a site that has neither Rust nor a network.
//!
//! Its tree is that of the cache, with a static sifbench beside it: which finds `kit.json` next to itself, looks for parts
//! there before it looks into the cache, and uses none that differs from what was packed.

pub mod pack;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    cache::Kind,
    id::Sha256,
    tree::{self, Content, Entry, look, walk},
};

/// What a kit says of itself, beside its sifbench.
pub const MANIFEST: &str = "kit.json";
/// The same digests for people without sifbench.
pub const SUMS: &str = "SHA256SUMS";
/// The harness in a kit.
pub const TOOL: &str = "sifbench";
/// The user's versions of Open MPI that parts of a kit come from.
pub const VERSIONS: &str = "versions.toml";
/// Campaigns that are not built in.
pub const CAMPAIGNS: &str = "campaigns";

/// Version of [`Manifest`].
const SCHEMA: u32 = 1;

/// `kit.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    schema: u32,
    /// First digits of the digest of all that is in it.
    pub id: String,
    /// Version of sifbench.
    pub tool: String,
    /// The processors it runs on.
    pub arch: String,
    /// Campaigns that find all they run: names of built-in ones, paths of others.
    pub campaigns: Vec<String>,
    /// Everything in it but this file and [`SUMS`], by path.
    pub files: Vec<Entry>,
}

/// A kit cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// What it says of itself cannot be read.
    #[error("cannot read {}; hint: unpack the kit again", path.display())]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no manifest, or not this version's.
    #[error("{} is not a kit's manifest: {why}; hint: unpack the kit again", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file is not what was packed.
    #[error("{} {fault}; hint: unpack the kit again, `sifbench kit check` names all that differs", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// How.
        fault: Fault,
    },
}

/// How a file differs from what was packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// There is none.
    Absent,
    /// It holds something else.
    Changed,
    /// It cannot be run.
    NotExecutable,
    /// It was not packed, and lies where parts are looked for.
    Foreign,
    /// It cannot be read, and why.
    Unreadable(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Absent => f.write_str("is missing from the kit"),
            Fault::Changed => f.write_str("is not what was packed into the kit"),
            Fault::NotExecutable => f.write_str("has lost the permission to be executed"),
            Fault::Foreign => f.write_str("is not of the kit"),
            Fault::Unreadable(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

/// A kit that is unpacked.
#[derive(Debug, Clone)]
pub struct Kit {
    /// Where.
    pub root: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The digest of that.
    pub sha256: Sha256,
}

impl Kit {
    /// The directory of the kit that a sifbench at `tool` belongs to.
    #[must_use]
    pub fn beside(tool: &Path) -> Option<PathBuf> {
        let root = tool.parent()?;
        root.join(MANIFEST).is_file().then(|| root.to_owned())
    }

    /// The kit in the directory `root`.
    ///
    /// # Errors
    /// There is none, or it is not whole.
    pub fn open(root: &Path) -> Result<Self, KitError> {
        let path = root.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(source) => return Err(KitError::Unreadable { path, source }),
        };
        let bad = |why: String| KitError::Manifest { path: path.clone(), why };
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if manifest.schema != SCHEMA {
            return Err(bad(format!("schema {}, where this sifbench reads {SCHEMA}", manifest.schema)));
        }
        if manifest.id != id(&manifest.files) {
            return Err(bad(format!("it calls itself {}, which its list of files does not make", manifest.id)));
        }
        Ok(Self { root: root.to_owned(), manifest, sha256: Sha256::of(&text) })
    }

    /// What differs among the files that are `wanted`, and what lies in their midst and was not packed.
    #[must_use]
    pub fn faults(&self, wanted: &dyn Fn(&Path) -> bool) -> Vec<(PathBuf, Fault)> {
        let files = self.manifest.files.iter().map(|packed| (self.root.join(&packed.path), &packed.content));
        let of_file = |(path, content): (PathBuf, &Content)| Some((fault(&path, content)?, path));
        let packed = files.filter(|(path, _)| wanted(path)).filter_map(of_file).map(|(fault, path)| (path, fault));
        let known: std::collections::BTreeSet<PathBuf> =
            self.manifest.files.iter().map(|packed| self.root.join(&packed.path)).collect();
        let mut there = Vec::new();
        for kind in Kind::ALL {
            // What is packed and cannot be read is found by its own name.
            drop(walk(&self.root.join(kind.directory()), &mut there));
        }
        let foreign = there.into_iter().filter(|path| wanted(path) && !known.contains(path));
        packed.chain(foreign.map(|path| (path, Fault::Foreign))).collect()
    }

    /// Refuses to go on where sifbench or a part at or below one of the `used` paths is not what was packed.
    ///
    /// # Errors
    /// The first file that differs.
    pub fn prove(&self, used: &[PathBuf]) -> Result<(), KitError> {
        let tool = self.root.join(TOOL);
        let wanted = |path: &Path| path == tool || used.iter().any(|used| path.starts_with(used));
        match self.faults(&wanted).into_iter().next() {
            Some((path, fault)) => Err(KitError::Differs { path, fault }),
            None => Ok(()),
        }
    }
}

/// How what lies at `path` differs from what was packed.
fn fault(path: &Path, packed: &Content) -> Option<Fault> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Fault::Absent,
        _ => Fault::Unreadable(error.to_string()),
    };
    let found = match look(path) {
        Ok(found) => found,
        Err(error) => return Some(unreadable(error)),
    };
    match (packed, found) {
        (
            Content::File { sha256, bytes, executable: true },
            Content::File { sha256: s, bytes: b, executable: false },
        ) if (sha256, *bytes) == (&s, b) => Some(Fault::NotExecutable),
        // A file system may call everything executable.
        (Content::File { sha256, bytes, .. }, Content::File { sha256: s, bytes: b, .. })
            if (sha256, *bytes) == (&s, b) =>
        {
            None
        }
        (Content::Link { link }, Content::Link { link: found }) if *link == found => None,
        (Content::Link { .. } | Content::File { .. }, Content::Link { .. } | Content::File { .. }) => {
            Some(Fault::Changed)
        }
    }
}

/// What a kit with these files is called.
fn id(files: &[Entry]) -> String {
    tree::digest(files).short(12).to_owned()
}
