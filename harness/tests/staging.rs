//! What a run brings to a node's own disk: it is there beside everything that comes and goes, proved, and gone at the end,
//! whatever the end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the tool as a remote shell does")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

use harness::{
    command::CommandSpec,
    id::Sha256,
    process::{Env, GUARDED, Place, Room},
    record::FileFact,
    run::staging::{Staged, StagingError, Wanted},
    site::nodes::Nodes,
    tree,
};

const SIFBENCH: &str = env!("CARGO_BIN_EXE_sifbench");

/// A test's private place: a node's disk, where images lie, and where attempts are.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        ["disk", "images"].iter().for_each(|name| fs::create_dir(dir.path().join(name)).unwrap());
        Self { dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn room(&self) -> Room {
        Room::guest(Place { stage: SIFBENCH.into(), scratch: self.at("scratch") })
    }

    /// What lies on the disk.
    fn on_disk(&self) -> Vec<PathBuf> {
        fs::read_dir(self.at("disk")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn image(&self, name: &str, text: &str) -> FileFact {
        let path = self.at("images").join(name);
        fs::write(&path, text).unwrap();
        FileFact { name: format!("image {name}"), path, sha256: Sha256::of(text.as_bytes()) }
    }

    /// An Open MPI of the host, of one program.
    fn openmpi(&self, text: &str) -> FileFact {
        let path = self.at("images").join("openmpi");
        fs::create_dir_all(path.join("bin")).unwrap();
        fs::write(path.join("bin/mpirun"), text).unwrap();
        let sha256 = tree::digest(&tree::entries(&path).unwrap());
        FileFact { name: "host openmpi".into(), path, sha256 }
    }

    /// Stages files and trees on this node alone.
    fn stage<'r>(
        &self,
        room: &'r Room,
        (files, trees): (&[FileFact], &[FileFact]),
        place: &Path,
    ) -> Result<Staged<'r>, StagingError> {
        let nodes = Nodes { tool: SIFBENCH.into(), ..Nodes::alone("here") };
        // The name by which a node answers.
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let nodes = Nodes { list: vec![harness::site::Node::new(host.trim(), 2)], ..nodes };
        let (files, trees) = (files.to_vec(), trees.to_vec());
        Staged::make(room, (&nodes, env()), &Wanted { place, files, trees, sbcast: None }, &|_| {})
    }
}

fn env() -> Env {
    Env::from_parent(&BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]), &[])
}

/// A guard of a node where an attempt has a directory besides its private one.
fn guard(marker: &str, scratch: &Path, owned: &Path) -> (Child, BufReader<ChildStdout>, String) {
    let words = ["__guard", marker, scratch.to_str().unwrap(), "600", owned.to_str().unwrap()];
    let mut guard = Command::new(SIFBENCH).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(guard.stdout.take().unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    (guard, heard, line.trim().to_owned())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_is_staged_stays_beside_attempts_that_come_and_go_and_goes_with_the_run() {
    let bench = Bench::new();
    let room = bench.room();
    let files = [bench.image("a.sif", "one"), bench.image("b.sif", "two")];
    let trees = [bench.openmpi("run")];
    let staged = bench.stage(&room, (&files, &trees), &bench.at("disk")).unwrap();
    let fact = staged.fact().clone();
    assert_eq!((fact.by.as_str(), fact.place.as_path()), ("copy", bench.at("disk").as_path()));
    assert_eq!(bench.on_disk(), std::slice::from_ref(&fact.directory));
    assert_eq!(fs::metadata(&fact.directory).unwrap().permissions().mode() & 0o777, 0o700);
    room.capture(&CommandSpec::new("true"), &env(), Duration::from_secs(10)).unwrap();
    drop(room.attempt("a0001").unwrap());
    for (file, text) in fact.files.iter().zip(["one", "two"]) {
        assert_eq!(fs::read_to_string(&file.path).unwrap(), text);
        assert!(file.path.starts_with(&fact.directory) && file.from.starts_with(bench.at("images")), "{file:?}");
    }
    let [openmpi] = &fact.trees[..] else { panic!("{fact:?}") };
    assert_eq!((&openmpi.from, &openmpi.path), (&trees[0].path, &fact.directory.join("openmpi")));
    assert_eq!(fs::read_to_string(openmpi.path.join("bin/mpirun")).unwrap(), "run");
    assert_eq!(staged.close().unwrap(), Vec::<String>::new());
    assert!(bench.on_disk().is_empty() && !bench.at("scratch").exists());
    assert!(bench.at("images/a.sif").exists());
}

#[test]
fn what_cannot_be_staged_says_where_and_leaves_nothing() {
    let bench = Bench::new();
    let room = bench.room();
    let check_all = |parts_of: (&[FileFact], &[FileFact]), place: &Path, parts: &[&str]| {
        let error = bench.stage(&room, parts_of, place).unwrap_err().to_string();
        parts.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
        assert!(error.contains("; hint: "), "{error}");
        assert!(bench.on_disk().is_empty() && !bench.at("scratch").exists(), "{error}");
    };
    let check = |files: &[FileFact], place: &Path, parts: &[&str]| check_all((files, &[]), place, parts);
    let good = bench.image("a.sif", "one");
    let replaced = FileFact { sha256: Sha256::of(b"as it was"), ..bench.image("b.sif", "as it is") };
    check(&[good.clone(), replaced], &bench.at("disk"), &["images/b.sif", "is due", "replaced since"]);
    let gone = FileFact { path: bench.at("images/gone.sif"), ..good.clone() };
    check(&[gone], &bench.at("disk"), &["images/gone.sif", "No such file"]);
    check(std::slice::from_ref(&good), &bench.at("nowhere"), &["nowhere", "No such file", "--stage"]);
    let as_it_was = bench.openmpi("run");
    bench.openmpi("another");
    check_all((&[good], &[as_it_was]), &bench.at("disk"), &["images/openmpi", "is due", "replaced since"]);
}

#[test]
fn a_guard_clears_what_was_staged_once_nobody_listens_and_the_next_one_what_a_killed_one_left() {
    let bench = Bench::new();
    let (base, staged) = (bench.at("scratch"), bench.at("disk/sifbench-1-0123abcd"));
    let begin = || {
        let (guard, heard, line) = guard("staging.1.2.3.", &base.join("0123abcd"), &staged);
        assert_eq!(line, GUARDED);
        fs::write(staged.join("x.sif"), "image").unwrap();
        fs::set_permissions(staged.join("x.sif"), fs::Permissions::from_mode(0o500)).unwrap();
        (guard, heard)
    };
    let (mut alone, heard) = begin();
    drop(heard);
    assert!(alone.wait().unwrap().success());
    assert!(bench.on_disk().is_empty() && !base.exists());

    let (mut killed, _heard) = begin();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(staged.exists());
    let other = bench.at("disk/sifbench-1-4567abcd");
    let (mut next, heard, line) = guard("staging.4.5.6.", &base.join("4567abcd"), &other);
    assert_eq!(line, GUARDED);
    assert_eq!(bench.on_disk(), std::slice::from_ref(&other));
    drop(heard);
    assert!(next.wait().unwrap().success() && bench.on_disk().is_empty());
}

#[test]
fn a_directory_that_is_there_already_is_nobodys_to_take_or_to_remove() {
    let bench = Bench::new();
    let theirs = bench.at("disk/sifbench-1-0123abcd");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("precious"), "").unwrap();
    let (refused, _heard, line) = guard("staging.1.2.3.", &bench.at("scratch/0123abcd"), &theirs);
    let refused = refused.wait_with_output().unwrap();
    assert_eq!(line, "");
    assert!(
        !refused.status.success() && said(&refused).contains("sifbench-1-0123abcd: File exists"),
        "{}",
        said(&refused)
    );
    assert!(theirs.join("precious").exists() && !bench.at("scratch").exists());
}
