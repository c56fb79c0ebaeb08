//! Things that cost time to get, each under a name that says what it was made from.
//!
//! `<root>/{mpi,images,build}/<name>-<hash of inputs>`: equal inputs are never made twice. An entry appears whole or not
//! at all (temporary name, rename), and a failed attempt leaves the older entries alone.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::id::Sha256;

/// The cache of one user, before which lies what a kit has brought along.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    kit: Option<PathBuf>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Prefixes of MPI installations.
    Mpi,
    /// SIF files.
    Images,
    /// bench-app and the tools that build it.
    Build,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Mpi, Kind::Images, Kind::Build];

    /// Its directory in a cache and in a kit.
    #[must_use]
    pub const fn directory(self) -> &'static str {
        match self {
            Kind::Mpi => "mpi",
            Kind::Images => "images",
            Kind::Build => "build",
        }
    }
}

/// An entry that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where.
    pub path: PathBuf,
    /// Whether it was made just now.
    pub fresh: bool,
}

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {path}; hint: another place can be given with XDG_CACHE_HOME", path = path.display())]
pub struct CacheError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What a name is derived from: everything that the content of an entry depends on.
#[derive(Debug, Default, Clone)]
pub struct Inputs(Vec<u8>);

impl Inputs {
    /// With one more input; its length goes in, so that neighbours cannot run together.
    #[must_use]
    pub fn with(mut self, input: impl AsRef<[u8]>) -> Self {
        let input = input.as_ref();
        self.0.extend((input.len() as u64).to_le_bytes());
        self.0.extend(input);
        self
    }

    /// The digits that go into the name.
    #[must_use]
    pub fn hash(&self) -> String {
        Sha256::of(&self.0).short(12).to_owned()
    }
}

impl Cache {
    /// The cache below `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, kit: None }
    }

    /// The same behind a kit: what lies there is taken from there, what does not is made in the cache.
    #[must_use]
    pub fn behind(self, kit: &Path) -> Self {
        Self { kit: Some(kit.to_owned()), ..self }
    }

    /// Where an entry lies, whether it exists or not.
    #[must_use]
    pub fn path(&self, kind: Kind, name: &str) -> PathBuf {
        let of = |root: &PathBuf| root.join(kind.directory()).join(name);
        let brought = self.kit.as_ref().map(of).filter(|path| path.exists());
        brought.unwrap_or_else(|| of(&self.root))
    }

    /// Where entries of a kind are made.
    #[must_use]
    pub fn directory(&self, kind: Kind) -> PathBuf {
        self.root.join(kind.directory())
    }

    /// What [`Cache::path`] has in front of an entry's kind and name: `images/NAME.sif` of a path to it.
    #[must_use]
    pub fn name_of<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        let roots = self.kit.iter().chain([&self.root]);
        roots.filter_map(|root| path.strip_prefix(root).ok()).next()
    }

    /// Where `scripts/setup/apptainer` puts Apptainer on machines that have none.
    #[must_use]
    pub fn apptainer(&self) -> PathBuf {
        self.root.join("apptainer/bin/apptainer")
    }

    /// The entry `name`, made by `make` (given the path to create) unless it is there already.
    ///
    /// # Errors
    /// Those of `make`, and those of the file system.
    pub fn entry<E: From<CacheError>>(
        &self,
        kind: Kind,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Made, E> {
        let path = self.path(kind, name);
        if path.exists() {
            return Ok(Made { path, fresh: false });
        }
        let _lock = self.lock(kind, name)?;
        if path.exists() {
            return Ok(Made { path, fresh: false });
        }
        // The lock is held: whatever lies at the temporary name was left by somebody who died.
        let temporary = path.with_file_name(format!(".making-{name}"));
        remove(&temporary)?;
        if let Err(error) = make(&temporary) {
            remove(&temporary)?;
            return Err(error);
        }
        fs::rename(&temporary, &path).map_err(|source| CacheError {
            what: "put in place",
            path: path.clone(),
            source,
        })?;
        Ok(Made { path, fresh: true })
    }

    /// Names of the entries of a kind, sorted.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let roots = self.kit.iter().chain([&self.root]);
        let entries = roots.flat_map(|root| fs::read_dir(root.join(kind.directory())).into_iter().flatten().flatten());
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names.dedup();
        names
    }

    /// Removes an entry of the cache itself, not of a kit, and its lock; false where somebody is making it just now.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn discard(&self, kind: Kind, name: &str) -> Result<bool, CacheError> {
        let (file, lock) = self.lock_file(kind, name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(source)) => return Err(CacheError { what: "lock", path: lock, source }),
        }
        remove(&self.directory(kind).join(name))?;
        remove(&lock)?;
        Ok(true)
    }

    fn lock(&self, kind: Kind, name: &str) -> Result<File, CacheError> {
        let (file, path) = self.lock_file(kind, name)?;
        file.lock().map_err(|source| CacheError { what: "lock", path, source })?;
        Ok(file)
    }

    fn lock_file(&self, kind: Kind, name: &str) -> Result<(File, PathBuf), CacheError> {
        let directory = self.directory(kind);
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| CacheError { what, path, source }
        };
        fs::create_dir_all(&directory).map_err(failed("create", &directory))?;
        let path = directory.join(format!(".lock-{name}"));
        let file = File::create(&path).map_err(failed("create", &path))?;
        Ok((file, path))
    }
}

fn remove(path: &Path) -> Result<(), CacheError> {
    let result = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CacheError { what: "remove", path: path.to_owned(), source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Failed;
    impl From<CacheError> for Failed {
        fn from(error: CacheError) -> Self {
            panic!("{error}")
        }
    }

    fn write(text: &str) -> impl FnOnce(&Path) -> Result<(), Failed> {
        move |path| fs::write(path, text).map_err(|_| Failed)
    }

    #[test]
    fn an_entry_is_made_once_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().to_owned());
        let failing = cache.entry(Kind::Images, "a-1", |path| {
            fs::write(path, "half").unwrap();
            Err(Failed)
        });
        assert!(failing.is_err() && cache.names(Kind::Images).is_empty());
        let first = cache.entry(Kind::Images, "a-1", write("whole")).unwrap();
        assert_eq!((first.fresh, fs::read_to_string(&first.path).unwrap().as_str()), (true, "whole"));
        let second = cache.entry(Kind::Images, "a-1", |_| -> Result<(), Failed> { panic!("made twice") }).unwrap();
        assert_eq!((second.fresh, second.path), (false, first.path));
        assert_eq!(cache.names(Kind::Images), ["a-1"]);
    }

    #[test]
    fn what_a_killed_maker_left_is_no_entry() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().to_owned());
        fs::create_dir_all(root.path().join("mpi/.making-b-1/half")).unwrap();
        let made = cache.entry(Kind::Mpi, "b-1", write("whole")).unwrap();
        assert!(made.fresh && made.path.is_file());
    }

    #[test]
    fn two_makers_make_one_entry() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().to_owned());
        let fresh: usize = std::thread::scope(|scope| {
            let makers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| cache.entry(Kind::Build, "c-1", write("x")).unwrap().fresh)).collect();
            makers.into_iter().map(|maker| usize::from(maker.join().unwrap())).sum()
        });
        assert_eq!(fresh, 1);
    }

    #[test]
    fn what_a_kit_has_brought_is_not_made_again_and_all_else_is_made_in_the_cache() {
        let root = tempfile::tempdir().unwrap();
        let (kit, own) = (root.path().join("kit"), root.path().join("own"));
        fs::create_dir_all(kit.join("images")).unwrap();
        fs::write(kit.join("images/a-1"), "brought").unwrap();
        let cache = Cache::new(own.clone()).behind(&kit);
        let brought = cache.entry(Kind::Images, "a-1", |_| -> Result<(), Failed> { panic!("made again") }).unwrap();
        assert_eq!((brought.fresh, brought.path), (false, kit.join("images/a-1")));
        let made = cache.entry(Kind::Images, "b-1", write("made")).unwrap();
        assert_eq!(made.path, own.join("images/b-1"));
        assert_eq!(cache.names(Kind::Images), ["a-1", "b-1"]);
        for path in [kit.join("images/x"), own.join("images/x")] {
            assert_eq!(cache.name_of(&path), Some(Path::new("images/x")));
        }
        assert_eq!(cache.name_of(Path::new("/opt/openmpi")), None);
    }

    #[test]
    fn an_entry_is_discarded_with_its_lock_unless_it_is_being_made() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().to_owned());
        cache.entry(Kind::Images, "a-1", write("whole")).unwrap();
        let held = cache.lock(Kind::Images, "a-1").unwrap();
        assert!(!cache.discard(Kind::Images, "a-1").unwrap());
        assert_eq!(cache.names(Kind::Images), ["a-1"]);
        drop(held);
        assert!(cache.discard(Kind::Images, "a-1").unwrap());
        assert_eq!(fs::read_dir(root.path().join("images")).unwrap().count(), 0);
    }

    #[test]
    fn inputs_do_not_run_together() {
        assert_ne!(Inputs::default().with("ab").with("c").hash(), Inputs::default().with("a").with("bc").hash());
    }
}
