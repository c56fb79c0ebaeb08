//! A directory with all that is in it, such as an Open MPI: copied file by file, and proved as a whole.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink},
    path::Path,
};

use super::{Fault, Order, at, has_room, may_run};
use crate::tree::{self, Content, Entry, TreeError};

impl Order {
    /// Has the tree at `to`, and tells whether it had to be copied.
    pub(super) fn have_tree(&self, to: &Path) -> Result<bool, Fault> {
        let is_there = tree::entries(to).is_ok_and(|entries| tree::digest(&entries) == self.sha256);
        if !is_there {
            clear(to).map_err(at(to))?;
            // Half of a tree would go on filling the disk.
            self.copy_tree(to).inspect_err(|_| drop(clear(to)))?;
        }
        may_run(to)?;
        Ok(!is_there)
    }

    fn copy_tree(&self, to: &Path) -> Result<(), Fault> {
        let entries = tree::entries(&self.from).map_err(unreadable)?;
        self.must_be(&self.from, &tree::digest(&entries))?;
        has_room(to, entries.iter().map(bytes).sum())?;
        make(to).map_err(at(to))?;
        for entry in &entries {
            let (from, to) = (self.from.join(&entry.path), to.join(&entry.path));
            to.parent().map_or(Ok(()), make).map_err(at(&to))?;
            match &entry.content {
                Content::Link { link } => symlink(link, &to).map_err(at(&to))?,
                Content::File { executable, .. } => copy_file(&from, &to, *executable)?,
            }
        }
        let written = tree::entries(to).map_err(unreadable)?;
        self.must_be(to, &tree::digest(&written))
    }
}

fn copy_file(from: &Path, to: &Path, executable: bool) -> Result<(), Fault> {
    let mut source = File::open(from).map_err(at(from))?;
    let mode = if executable { 0o500 } else { 0o400 };
    let mut made = OpenOptions::new().write(true).create_new(true).mode(mode).open(to).map_err(at(to))?;
    io::copy(&mut source, &mut made).and_then(|_| made.sync_all()).map_err(at(to))
}

fn bytes(entry: &Entry) -> u64 {
    match &entry.content {
        Content::Link { .. } => 0,
        Content::File { bytes, .. } => *bytes,
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn clear(to: &Path) -> io::Result<()> {
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn unreadable(TreeError { path, source }: TreeError) -> Fault {
    at(&path)(source)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::PathBuf};

    use super::*;
    use crate::process::{FaultKind, Shape};

    /// A small Open MPI, and an order to copy it as it is.
    fn order(dir: &Path) -> Order {
        let from = dir.join("openmpi");
        fs::create_dir_all(from.join("lib/openmpi")).unwrap();
        fs::create_dir_all(from.join("bin")).unwrap();
        fs::write(from.join("bin/mpirun"), "run").unwrap();
        fs::set_permissions(from.join("bin/mpirun"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(from.join("lib/openmpi/mca_btl_tcp.so"), "tcp").unwrap();
        symlink("openmpi/mca_btl_tcp.so", from.join("lib/tcp.so")).unwrap();
        let sha256 = tree::digest(&tree::entries(&from).unwrap());
        Order { shape: Shape::Tree, from, name: "openmpi".into(), sha256 }
    }

    #[test]
    fn a_tree_is_copied_once_and_proved_every_time() {
        let dir = tempfile::tempdir().unwrap();
        let (order, place) = (order(dir.path()), dir.path().join("place"));
        fs::create_dir(&place).unwrap();
        assert_eq!(order.carry_out(&place), Ok(true));
        let at = |path: &str| place.join("openmpi").join(path);
        assert_eq!(fs::read_to_string(at("lib/tcp.so")).unwrap(), "tcp");
        assert_eq!(fs::metadata(at("bin/mpirun")).unwrap().permissions().mode() & 0o777, 0o500);
        assert_eq!(order.carry_out(&place), Ok(false));
        // What has come to it is not part of it, and what is lacking is brought again.
        fs::write(at("lib/openmpi/mca_btl_evil.so"), "").unwrap();
        assert_eq!(order.carry_out(&place), Ok(true));
        assert!(!at("lib/openmpi/mca_btl_evil.so").exists());
        fs::remove_file(at("lib/tcp.so")).unwrap();
        assert_eq!(order.carry_out(&place), Ok(true));
        assert!(at("lib/tcp.so").exists());
    }

    #[test]
    fn a_tree_that_is_another_is_not_brought_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let order = order(dir.path());
        let check = |order: &Order, kind: FaultKind, path: PathBuf| {
            let fault = order.carry_out(&dir.path().join("place")).unwrap_err();
            assert_eq!((fault.kind, fault.path), (kind, path), "{}", fault.what);
            assert!(!dir.path().join("place/openmpi").exists());
        };
        fs::create_dir(dir.path().join("place")).unwrap();
        fs::write(order.from.join("bin/mpirun"), "RUN").unwrap();
        check(&order, FaultKind::Differs, order.from.clone());
        let gone = Order { from: dir.path().join("gone"), ..order };
        check(&gone, FaultKind::System, gone.from.clone());
    }
}
