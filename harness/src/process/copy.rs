//! What a run needs, brought to a node's own disk: `sifbench __copy <directory> <shape> <from> <name> <digest> ..` copies each file
//! or tree into the directory unless it is there already, proves it by its digest, and prints what came of it as JSON.

mod tree;

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rustix::fs::{StatVfsMountFlags, statvfs};
use serde::{Deserialize, Serialize};

use super::{guest, owner};
use crate::{command::CommandSpec, id::Sha256};

/// Copies files to a node.
pub const COPY: &str = "__copy";

/// What is to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whether it is a file.
    pub shape: Shape,
    /// Where it lies.
    pub from: PathBuf,
    /// What it is called in the directory.
    pub name: String,
    /// What it must be.
    pub sha256: Sha256,
}

/// What has a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A file: that of its bytes.
    File,
    /// A directory: [`crate::tree::digest`].
    Tree,
}

impl Shape {
    const ALL: [Self; 2] = [Self::File, Self::Tree];

    const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Tree => "tree",
        }
    }
}

/// What came of it on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The node's own name for itself.
    pub host: String,
    /// Files that it has copied; the others were there. Trees, which nobody else brings, are not counted.
    pub copied: u32,
    /// Why it has not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// What stands against a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Of what kind.
    pub kind: FaultKind,
    /// What was being read or written.
    pub path: PathBuf,
    /// In words.
    pub what: String,
}

/// Kinds of faults, for whoever must say what to do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// There is no room.
    Full,
    /// What was read or written is something else.
    Differs,
    /// Programs may not be run from there.
    NoExec,
    /// The operating system refuses.
    System,
}

impl Order {
    /// The command that carries out `orders` on a node.
    #[must_use]
    pub fn command(tool: &Path, directory: &Path, orders: &[Self]) -> CommandSpec {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let words = orders.iter().flat_map(|order| {
            [order.shape.word().to_owned(), text(&order.from), order.name.clone(), order.sha256.to_string()]
        });
        CommandSpec::new(text(tool)).args([COPY.to_owned(), text(directory)]).args(words)
    }
}

pub(super) fn copy(words: Vec<OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let Some(directory) = words.next().map(PathBuf::from) else { return ExitCode::from(2) };
    let mut orders = Vec::new();
    while let Some(shape) = words.next() {
        let shape = Shape::ALL.into_iter().find(|known| shape == known.word());
        let (from, name, digest) = (words.next(), words.next().and_then(text), words.next().and_then(text));
        let sha256 = digest.and_then(|digest| digest.parse().ok());
        let (Some(shape), Some(from), Some(name), Some(sha256)) = (shape, from, name, sha256) else {
            return ExitCode::from(2);
        };
        orders.push(Order { shape, from: from.into(), name, sha256 });
    }
    let mut copied = 0;
    let done = orders.iter().try_for_each(|order| {
        let has_copied = order.carry_out(&directory)?;
        copied += u32::from(has_copied && order.shape == Shape::File);
        Ok(())
    });
    guest::print(&Copied { host: owner::host(), copied, fault: done.err() })
}

fn text(word: OsString) -> Option<String> {
    word.into_string().ok()
}

impl Order {
    /// Has it in `directory`, and tells whether it had to be copied.
    fn carry_out(&self, directory: &Path) -> Result<bool, Fault> {
        let to = directory.join(&self.name);
        match self.shape {
            Shape::File => self.have_file(&to),
            Shape::Tree => self.have_tree(&to),
        }
    }

    fn have_file(&self, to: &Path) -> Result<bool, Fault> {
        let there = File::open(to).and_then(|mut file| Sha256::of_reader(&mut file));
        let copied = match there {
            Ok(found) if found == self.sha256 => false,
            // What somebody else has begun to bring, or has brought wrongly.
            Ok(_) => {
                fs::remove_file(to).map_err(at(to))?;
                true
            }
            Err(_) => true,
        };
        if copied {
            // Half of a file would go on filling the disk.
            self.copy(to).inspect_err(|_| drop(fs::remove_file(to)))?;
        }
        self.runnable(to)?;
        Ok(copied)
    }

    fn copy(&self, to: &Path) -> Result<(), Fault> {
        let mut from = File::open(&self.from).map_err(at(&self.from))?;
        let meta = from.metadata().map_err(at(&self.from))?;
        has_room(to, meta.len())?;
        let mut made = OpenOptions::new().write(true).create_new(true).mode(0o500).open(to).map_err(at(to))?;
        let mut source = Tee { from: &mut from, to: &mut made, failed: None };
        let read = Sha256::of_reader(&mut source);
        if let Some(error) = source.failed.take() {
            return Err(at(to)(error));
        }
        let read = read.map_err(at(&self.from))?;
        made.sync_all().map_err(at(to))?;
        self.must_be(&self.from, &read)?;
        let written = File::open(to).and_then(|mut file| Sha256::of_reader(&mut file)).map_err(at(to))?;
        self.must_be(to, &written)
    }

    fn must_be(&self, path: &Path, found: &Sha256) -> Result<(), Fault> {
        if *found == self.sha256 {
            return Ok(());
        }
        let what = format!("its SHA-256 is {} there, where {} is due", found.short(12), self.sha256.short(12));
        Err(Fault { kind: FaultKind::Differs, path: path.to_owned(), what })
    }

    /// Whether what is a program can be run where it lies now.
    fn runnable(&self, to: &Path) -> Result<(), Fault> {
        let mut magic = [0; 4];
        let is_program =
            File::open(to).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF";
        if is_program { may_run(to) } else { Ok(()) }
    }
}

/// Before the disk is full: whoever else works on this node would suffer.
fn has_room(to: &Path, bytes: u64) -> Result<(), Fault> {
    let free = statvfs(to).or_else(|_| statvfs(to.parent().unwrap_or(to))).map(|fs| fs.f_bavail * fs.f_frsize);
    match free {
        Ok(free) if free < bytes => {
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            let what = format!("it takes {:.1} MiB, and {:.1} MiB are free", mib(bytes), mib(free));
            Err(Fault { kind: FaultKind::Full, path: to.to_owned(), what })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether the file system where it lies lets programs run.
fn may_run(to: &Path) -> Result<(), Fault> {
    if statvfs(to).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        let what = "its file system is mounted `noexec`".to_owned();
        return Err(Fault { kind: FaultKind::NoExec, path: to.to_owned(), what });
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(io::Error) -> Fault {
    move |error| {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let kind = if full { FaultKind::Full } else { FaultKind::System };
        Fault { kind, path: path.to_owned(), what: error.to_string() }
    }
}

/// Writes what is read.
struct Tee<'a> {
    from: &'a mut File,
    to: &'a mut File,
    /// Why it could not be written.
    failed: Option<io::Error>,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.to.write_all(&buffer[..count]).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_copied_once_and_proved_every_time() {
        let dir = tempfile::tempdir().unwrap();
        let (from, place) = (dir.path().join("image.sif"), dir.path().join("place"));
        fs::create_dir(&place).unwrap();
        fs::write(&from, "image").unwrap();
        let (shape, name) = (Shape::File, "1.sif".to_owned());
        let order = Order { shape, from: from.clone(), name, sha256: Sha256::of(b"image") };
        let to = place.join("1.sif");
        assert_eq!(order.carry_out(&place), Ok(true));
        assert_eq!(fs::read(&to).unwrap(), b"image");
        // What was there is not read again from where it came.
        fs::write(&from, "other").unwrap();
        assert_eq!(order.carry_out(&place), Ok(false));
        // What is there and is something else is brought once more.
        fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&to, "torn").unwrap();
        fs::write(&from, "image").unwrap();
        assert_eq!(order.carry_out(&place), Ok(true));
        assert_eq!(fs::read(&to).unwrap(), b"image");
    }

    #[test]
    fn what_stands_against_a_copy_names_the_kind_and_the_place() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("image.sif");
        fs::write(&from, "image").unwrap();
        let sha256 = Sha256::of;
        let order =
            |digest: &[u8]| Order { shape: Shape::File, from: from.clone(), name: "x".into(), sha256: sha256(digest) };
        let check = |order: &Order, place: &Path, kind: FaultKind, path: &Path, what: &str| {
            let fault = order.carry_out(place).unwrap_err();
            assert_eq!((fault.kind, fault.path.as_path()), (kind, path));
            assert!(fault.what.contains(what), "{}", fault.what);
        };
        check(&order(b"due"), dir.path(), FaultKind::Differs, &from, "is due");
        let nowhere = dir.path().join("nowhere");
        check(&order(b"image"), &nowhere, FaultKind::System, &nowhere.join("x"), "No such file");
        let gone = Order { from: nowhere.clone(), ..order(b"image") };
        check(&gone, dir.path(), FaultKind::System, &nowhere, "No such file");
        let full = at(&from)(io::ErrorKind::StorageFull.into());
        assert_eq!(full.kind, FaultKind::Full);
    }
}
