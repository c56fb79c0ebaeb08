//! Directories by what is in them: a kit packs them, and a run brings them to nodes. Times, owners and empty directories are
//! nothing of it.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::id::Sha256;

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Below the tree's root.
    pub path: String,
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
}

/// What a file of a tree is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// A symbolic link.
    Link {
        /// As it is written.
        link: String,
    },
    /// A regular file.
    File {
        /// Its digest.
        sha256: Sha256,
        /// Its length.
        bytes: u64,
        /// Whether it can be run.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        executable: bool,
    },
}

/// A tree cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct TreeError {
    /// What of it.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// All files and links below `root`, by path.
///
/// # Errors
/// One of them cannot be read, is neither, or has a name that is no text.
pub fn entries(root: &Path) -> Result<Vec<Entry>, TreeError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| TreeError { path, source }
    };
    let mut files = Vec::new();
    walk(root, &mut files).map_err(at(root))?;
    let entry = |file: &PathBuf| {
        let below = file.strip_prefix(root).ok().and_then(Path::to_str);
        let path = below.ok_or_else(|| at(file)(io::ErrorKind::InvalidData.into()))?.to_owned();
        Ok(Entry { path, content: look(file).map_err(at(file))? })
    };
    let mut entries: Vec<Entry> = files.iter().map(entry).collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries)
}

/// The digest of a tree: of one line of JSON for each entry, in their order.
#[must_use]
pub fn digest(entries: &[Entry]) -> Sha256 {
    let line = |entry: &Entry| serde_json::to_string(entry).unwrap_or_else(|e| unreachable!("plain data: {e}"));
    Sha256::of(entries.iter().map(line).collect::<Vec<_>>().join("\n").as_bytes())
}

/// What lies at `path`.
pub(crate) fn look(path: &Path) -> io::Result<Content> {
    let meta = fs::symlink_metadata(path)?;
    if meta.is_symlink() {
        let link = fs::read_link(path)?.into_os_string().into_string();
        return Ok(Content::Link { link: link.map_err(|_| io::ErrorKind::InvalidData)? });
    }
    // A pipe would keep whoever opens it waiting.
    if !meta.is_file() {
        return Err(io::Error::other("it is neither a file nor a link"));
    }
    let sha256 = Sha256::of_reader(&mut fs::File::open(path)?)?;
    Ok(Content::File { sha256, bytes: meta.len(), executable: meta.permissions().mode() & 0o111 != 0 })
}

/// All files and links at or below `path`, sorted.
pub(crate) fn walk(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut below = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    below.sort();
    below.iter().try_for_each(|path| walk(path, files))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_digest_of_a_tree_is_that_of_all_that_a_program_could_tell_it_by() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let digest = || digest(&entries(root).unwrap());
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        };
        write("lib/libmpi.so.40.30", "mpi");
        symlink("libmpi.so.40.30", root.join("lib/libmpi.so")).unwrap();
        write("bin/mpirun", "run");
        let paths: Vec<String> = entries(root).unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["bin/mpirun", "lib/libmpi.so", "lib/libmpi.so.40.30"]);
        let whole = digest();
        let differs = |what: &str, change: &dyn Fn(), back: &dyn Fn()| {
            change();
            assert_ne!(digest(), whole, "{what}");
            back();
            assert_eq!(digest(), whole, "{what}");
        };
        let mode =
            |mode| move || fs::set_permissions(root.join("bin/mpirun"), fs::Permissions::from_mode(mode)).unwrap();
        let link = |to: &'static str| {
            move || {
                fs::remove_file(root.join("lib/libmpi.so")).unwrap();
                symlink(to, root.join("lib/libmpi.so")).unwrap();
            }
        };
        differs("content", &|| write("bin/mpirun", "RUN"), &|| write("bin/mpirun", "run"));
        differs("permission", &mode(0o755), &mode(0o644));
        differs("link", &link("/elsewhere"), &link("libmpi.so.40.30"));
        differs("file", &|| write("lib/x", ""), &|| fs::remove_file(root.join("lib/x")).unwrap());
        fs::create_dir(root.join("empty")).unwrap();
        assert_eq!(digest(), whole);
        std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        assert_eq!(entries(root).unwrap_err().path, root.join("socket"));
        assert_eq!(entries(&root.join("none")).unwrap_err().source.kind(), io::ErrorKind::NotFound);
    }
}
