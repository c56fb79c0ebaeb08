//! Packs a kit into one archive. Equal parts make an equal archive, to the byte.
//!
//! A plain tar: images are compressed already, and every site's tar reads it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

use tar::{Builder, EntryType, Header};

use super::{MANIFEST, Manifest, SCHEMA, SUMS, TOOL, id};
use crate::{
    id::Sha256,
    tree::{Content, Entry, look, walk},
};

/// When everything in a kit was made. Not the epoch, which tar warns of and which file systems that delete what is old would.
const MTIME: u64 = 1_767_225_600;
const README: &str = include_str!("README.txt");

/// A kit could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A part cannot be read.
    #[error("cannot read {} to pack it", path.display())]
    Read {
        /// The part.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("cannot write the kit {}; hint: name a place with --output that can be written to and has room", path.display())]
    Write {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The harness would not run elsewhere.
    #[error(
        "{} needs shared libraries of this system, which another may not have; hint: `scripts/kit` builds a static sifbench \
         and makes the kit with it",
        path.display()
    )]
    NotStatic {
        /// The program.
        path: PathBuf,
    },
}

/// What goes into a kit.
#[derive(Debug, Default)]
pub struct Packing {
    parts: BTreeMap<String, Part>,
    /// Campaigns that find all they run.
    pub campaigns: Vec<String>,
}

/// Where the content of a file comes from.
#[derive(Debug)]
enum Part {
    Path(PathBuf),
    Text(String),
}

impl Packing {
    /// A kit with a harness, and nothing for it to run.
    ///
    /// # Errors
    /// The harness cannot be read, or is linked to libraries that other systems lack.
    pub fn of(tool: &Path) -> Result<Self, PackError> {
        let mut packing = Self::default();
        let is_static = is_static(tool).map_err(|source| PackError::Read { path: tool.to_owned(), source })?;
        if !is_static {
            return Err(PackError::NotStatic { path: tool.to_owned() });
        }
        packing.parts.insert(TOOL.to_owned(), Part::Path(tool.to_owned()));
        Ok(packing)
    }

    /// With a text at `place`.
    pub fn text(&mut self, place: &str, text: String) {
        self.parts.insert(place.to_owned(), Part::Text(text));
    }

    /// With a file, or all files of a directory, at `place`.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn tree(&mut self, path: &Path, place: &Path) -> Result<(), PackError> {
        let mut files = Vec::new();
        walk(path, &mut files).map_err(|source| PackError::Read { path: path.to_owned(), source })?;
        for file in files {
            let below = file.strip_prefix(path).unwrap_or(&file);
            // Joining nothing would end in a slash.
            let place = if below.as_os_str().is_empty() { place.to_owned() } else { place.join(below) };
            self.parts.insert(place.to_string_lossy().into_owned(), Part::Path(file));
        }
        Ok(())
    }

    /// What the kit says of itself.
    ///
    /// # Errors
    /// A part cannot be read.
    pub fn manifest(&mut self) -> Result<Manifest, PackError> {
        let (tool, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        self.text("README.txt", README.replace("{tool}", tool).replace("{arch}", arch));
        let packed = |(path, part): (&String, &Part)| {
            let content = match part {
                Part::Path(file) => look(file).map_err(|source| PackError::Read { path: file.clone(), source })?,
                Part::Text(text) => {
                    Content::File { sha256: Sha256::of(text.as_bytes()), bytes: text.len() as u64, executable: false }
                }
            };
            Ok(Entry { path: path.clone(), content })
        };
        let files: Vec<Entry> = self.parts.iter().map(packed).collect::<Result<_, _>>()?;
        let campaigns = self.campaigns.clone();
        Ok(Manifest { schema: SCHEMA, id: id(&files), tool: tool.into(), arch: arch.into(), campaigns, files })
    }

    /// Writes the archive of `manifest`, made by [`Packing::manifest`]: at `path` it appears whole or not at all.
    ///
    /// # Errors
    /// A part cannot be read or is no longer what it was, or the archive cannot be written.
    pub fn write(&self, manifest: &Manifest, path: &Path) -> Result<(), PackError> {
        let failed = |source| PackError::Write { path: path.to_owned(), source };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".making-{name}"));
        let written = self.archive(manifest, &draft, &failed);
        match written.and_then(|()| fs::rename(&draft, path).map_err(failed)) {
            Ok(()) => Ok(()),
            Err(error) => {
                // What is to be told is why it failed.
                drop(fs::remove_file(&draft));
                Err(error)
            }
        }
    }

    fn archive(
        &self,
        manifest: &Manifest,
        draft: &Path,
        failed: &dyn Fn(io::Error) -> PackError,
    ) -> Result<(), PackError> {
        let mut archive = Builder::new(BufWriter::new(File::create(draft).map_err(failed)?));
        let root = manifest.name();
        let json = serde_json::to_string_pretty(manifest).map_err(io::Error::from).map_err(failed)? + "\n";
        let sums = sums(manifest, &json);
        for (place, text) in [(MANIFEST, &json), (SUMS, &sums)] {
            append(&mut archive, &format!("{root}/{place}"), text.len() as u64, false, text.as_bytes())
                .map_err(failed)?;
        }
        for (packed, part) in manifest.files.iter().zip(self.parts.values()) {
            let place = format!("{root}/{}", packed.path);
            let read = |path: &Path, source| PackError::Read { path: path.to_owned(), source };
            match (&packed.content, part) {
                (Content::Link { link }, _) => {
                    let mut header = header(EntryType::Symlink, 0, true);
                    archive.append_link(&mut header, &place, link).map_err(failed)?;
                }
                (Content::File { bytes, executable, .. }, Part::Text(text)) => {
                    append(&mut archive, &place, *bytes, *executable, text.as_bytes()).map_err(failed)?;
                }
                (Content::File { bytes, executable, .. }, Part::Path(path)) => {
                    let file = File::open(path).map_err(|source| read(path, source))?;
                    // What has grown since it was looked at must not run into the next entry.
                    append(&mut archive, &place, *bytes, *executable, file.take(*bytes)).map_err(failed)?;
                }
            }
        }
        let mut file = archive.into_inner().map_err(failed)?;
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)
    }
}

impl Manifest {
    /// The name of the kit's directory, and of its archive before `.tar`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("sifbench-kit-{}-{}-{}", self.tool, self.arch, self.id)
    }
}

fn header(kind: EntryType, bytes: u64, executable: bool) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(bytes);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_mtime(MTIME);
    header
}

fn append(
    archive: &mut Builder<BufWriter<File>>,
    place: &str,
    bytes: u64,
    executable: bool,
    content: impl io::Read,
) -> io::Result<()> {
    let mut header = header(EntryType::Regular, bytes, executable);
    let mut counted = Counted { content, bytes: 0 };
    archive.append_data(&mut header, place, &mut counted)?;
    // A shorter file would shift everything behind it.
    if counted.bytes == bytes { Ok(()) } else { Err(io::Error::other(format!("{place} changed while it was packed"))) }
}

struct Counted<R> {
    content: R,
    bytes: u64,
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// What `sha256sum --check` reads.
fn sums(manifest: &Manifest, json: &str) -> String {
    let line = |sha256: &Sha256, path: &str| format!("{sha256}  {path}\n");
    let of_file = |packed: &Entry| match &packed.content {
        Content::File { sha256, .. } => Some(line(sha256, &packed.path)),
        Content::Link { .. } => None,
    };
    let own = line(&Sha256::of(json.as_bytes()), MANIFEST);
    std::iter::once(own).chain(manifest.files.iter().filter_map(of_file)).collect()
}

/// Whether a program runs without any library of the system: an ELF file that names no dynamic loader.
fn is_static(path: &Path) -> io::Result<bool> {
    const PT_INTERP: u32 = 3;
    // Program headers lie at the beginning of what linkers write.
    let mut start = Vec::new();
    File::open(path)?.take(1 << 16).read_to_end(&mut start)?;
    let bytes = |at: usize, count: usize| start.get(at..at + count).unwrap_or_default();
    let number = |at: usize, count: usize| {
        let padded = bytes(at, count).iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(padded).unwrap_or(usize::MAX)
    };
    let (is_64_bit_elf, table) = (bytes(0, 6) == [0x7f, b'E', b'L', b'F', 2, 1], number(32, 8));
    let (size, count) = (number(54, 2), number(56, 2));
    let kinds = (0..count).map(|n| number(table.saturating_add(n * size), 4));
    Ok(is_64_bit_elf && count > 0 && kinds.into_iter().all(|kind| kind != PT_INTERP as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_names_a_loader_is_not_static() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("elf");
        let check = |kinds: &[u8], expected: bool| {
            let mut elf = [0x7f, b'E', b'L', b'F', 2, 1].to_vec();
            elf.resize(64, 0);
            (elf[32], elf[54], elf[56]) = (64, 56, u8::try_from(kinds.len()).unwrap());
            for kind in kinds {
                elf.push(*kind);
                elf.resize(elf.len() + 55, 0);
            }
            fs::write(&file, elf).unwrap();
            assert_eq!(is_static(&file).unwrap(), expected, "{kinds:?}");
        };
        check(&[1, 1, 2], true);
        check(&[6, 3, 1], false);
        check(&[], false);
        fs::write(&file, "#!/bin/sh\n").unwrap();
        assert!(!is_static(&file).unwrap(), "a script needs a shell");
    }
}
