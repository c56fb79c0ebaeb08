//! A run from its first appearance to its end, and how it is found again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::SystemTime,
};

use flate2::{Compression, write::GzEncoder};
use harness::{
    id::Sha256,
    record::{Manifest, Record, SCHEMA, Sample, Staging},
    store::{self, Run, Store, StoreError, Tail},
};

use super::{FILES, RUN, append, closed, create, launch, numbered, samples_of, stopped};

/// Everything below a directory, with its content and the time of its last change.
fn picture(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let file = |path: PathBuf| {
        let changed = fs::metadata(&path).unwrap().modified().unwrap();
        let content = if path.is_dir() { format!("{:?}", picture(&path)).into() } else { fs::read(&path).unwrap() };
        (path, (content, changed))
    };
    paths.map(file).collect()
}

#[test]
fn a_run_appears_under_its_site_its_time_and_its_design() {
    let root = tempfile::tempdir().unwrap();
    let results = root.path().join("a/results");
    let names: Vec<_> = [create(&results), create(&results), create(&results)]
        .iter()
        .map(|store| store.dir().strip_prefix(results.canonicalize().unwrap()).unwrap().to_str().unwrap().to_owned())
        .collect();
    let digits = store::design_digest(&RUN.design).short(8).to_owned();
    let name = format!("laptop/20261124T023000Z-{digits}");
    assert_eq!(names, [name.clone(), format!("{name}-2"), format!("{name}-3")]);
    let mut files: Vec<_> = picture(&results.join(&name)).into_keys().collect();
    files.iter_mut().for_each(|file| *file = file.file_name().unwrap().into());
    let expected = ["attempts.jsonl", "design.json", "logs", "manifest.json", "samples.csv"];
    assert_eq!(files, expected.map(PathBuf::from));
    let written = fs::read(results.join(&name).join("design.json")).unwrap();
    assert_eq!(store::load(&results.join(&name)).unwrap().manifest.design, Sha256::of(&written));
    assert_eq!(fs::read_dir(results.join("laptop")).unwrap().count(), 3, "drafts are left");
}

#[test]
fn a_place_that_cannot_hold_runs_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    fs::create_dir(root.path().join("results")).unwrap();
    fs::write(root.path().join("results/laptop"), "").unwrap();
    for (results, named) in [("file", "file"), ("file/below", "file"), ("results", "results/laptop")] {
        let error = Store::create(&root.path().join(results), &RUN.manifest, &RUN.design).unwrap_err().to_string();
        let expected = format!("cannot create {}; hint: a directory is needed", root.path().join(named).display());
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_run_that_is_gone_on_with_adds_to_its_manifest_where_its_files_lie_now() {
    let root = tempfile::tempdir().unwrap();
    let staging = |directory: &str| Staging {
        place: "/tmp".into(),
        directory: directory.into(),
        by: "copy".into(),
        nodes: vec!["n1".into()],
        files: Vec::new(),
        trees: Vec::new(),
    };
    let mut store = create(root.path());
    append(&mut store, &[launch(1)]);
    store.staged(staging("/tmp/one")).unwrap();
    let dir = store.dir().to_owned();
    drop(store);
    let (mut store, run) = Store::resume(&dir).unwrap();
    assert_eq!(run.manifest.staged, [staging("/tmp/one")]);
    // As a harness leaves it that is killed while it writes.
    fs::write(dir.join(".manifest.json.new"), "{").unwrap();
    store.staged(staging("/tmp/two")).unwrap();
    append(&mut store, &[launch(2)]);
    store.close().unwrap();
    let run = store::load(&dir).unwrap();
    assert_eq!(run.manifest.staged, ["/tmp/one", "/tmp/two"].map(staging));
    assert!(run.closed && !dir.join(".manifest.json.new").exists());
}

#[test]
fn a_run_is_readable_while_it_is_written_and_when_it_is_closed() {
    let root = tempfile::tempdir().unwrap();
    let launches: Vec<_> = (1..=5).map(launch).collect();
    let mut store = create(root.path());
    let mut records = Vec::new();
    for made in 0..launches.len() {
        let run = store::load(store.dir()).unwrap();
        assert_eq!((run.records, run.samples), (records.clone(), samples_of(&launches[..made])));
        assert!(!run.closed && run.tail == Tail::default());
        records.extend(append(&mut store, &launches[made..=made]));
    }
    let dir = store.dir().to_owned();
    store.close().unwrap();
    let run = store::load(&dir).unwrap();
    assert_eq!((run.records, run.samples, run.closed), (records, samples_of(&launches), true));
    assert_eq!(run.design, RUN.design);
}

#[test]
fn a_reader_beside_a_writer_sees_one_commit_after_the_other() {
    let root = tempfile::tempdir().unwrap();
    let launches: Vec<_> = (1..=40).map(launch).collect();
    let mut store = create(root.path());
    let dir = store.dir().to_owned();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            append(&mut store, &launches);
            store.close().unwrap();
        });
        let mut seen = BTreeSet::new();
        loop {
            let run = store::load(&dir).unwrap();
            let made = run.records.len();
            assert_eq!(run.samples, samples_of(&launches[..made]));
            assert!(seen.last().is_none_or(|last| *last <= made) && (!run.closed || made == launches.len()));
            seen.insert(made);
            if run.closed {
                break;
            }
        }
        writer.join().unwrap();
        assert!(seen.len() > 2, "read only {seen:?}: the test proves nothing");
    });
}

#[test]
fn a_reader_passes_over_a_tail_and_resuming_cuts_it_off() {
    let root = tempfile::tempdir().unwrap();
    let dir = stopped(root.path(), 2);
    let whole = picture(&dir);
    let add = |name: &str, bytes: &[u8]| {
        File::options().append(true).open(dir.join(name)).unwrap().write_all(bytes).unwrap();
    };
    add("samples.csv", b"3,latency,8,0,");
    add("attempts.jsonl", &[0; 7]);
    let tail = Tail { attempts: 7, samples: 14 };
    let read = store::load(&dir).unwrap();
    assert_eq!((read.records.len(), read.tail), (2, tail));
    let (store, resumed) = Store::resume(&dir).unwrap();
    assert_eq!((resumed.records, resumed.samples, resumed.tail), (read.records, read.samples, tail));
    drop(store);
    let contents = |picture: &BTreeMap<PathBuf, (Vec<u8>, SystemTime)>| -> Vec<Vec<u8>> {
        picture.values().map(|(content, _)| content.clone()).collect()
    };
    assert_eq!(contents(&picture(&dir)), contents(&whole));
}

#[test]
fn a_closed_run_is_not_touched() {
    let root = tempfile::tempdir().unwrap();
    let dir = closed(root.path(), 2);
    let before = picture(&dir);
    let refused = Store::resume(&dir).unwrap_err();
    assert!(matches!(refused, StoreError::Closed { .. }) && refused.to_string().contains("; hint: "), "{refused}");
    store::load(&dir).unwrap();
    assert_eq!(picture(&dir), before);
}

#[test]
fn one_harness_writes_a_run() {
    let root = tempfile::tempdir().unwrap();
    let mut store = create(root.path());
    let dir = store.dir().to_owned();
    let refused = Store::resume(&dir).unwrap_err().to_string();
    let lock = dir.join("lock");
    assert!(refused.contains("is being written by process") && refused.contains(lock.to_str().unwrap()), "{refused}");
    append(&mut store, &[launch(1)]);
    drop(store);
    let (mut first, _) = Store::resume(&dir).unwrap();
    // Somebody followed the hint although this harness lives.
    fs::remove_file(&lock).unwrap();
    let (mut second, _) = Store::resume(&dir).unwrap();
    append(&mut second, &[launch(2)]);
    fs::write(&lock, "{}").unwrap();
    let (record, samples) = launch(2);
    let lost = first.append(&record, &samples).unwrap_err();
    assert!(matches!(lost, StoreError::LockLost { .. }), "{lost}");
    drop(first);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "{}", "a lock of somebody else was removed");
    assert_eq!(store::load(&dir).unwrap().records.len(), 2);
}

#[test]
fn what_others_write_into_a_running_run_stops_it() {
    for name in ["attempts.jsonl", "samples.csv"] {
        let root = tempfile::tempdir().unwrap();
        let mut store = create(root.path());
        append(&mut store, &[launch(1)]);
        File::options().append(true).open(store.dir().join(name)).unwrap().write_all(b"foreign\n").unwrap();
        let (record, samples) = launch(2);
        let error = store.append(&record, &samples).unwrap_err();
        assert!(matches!(error, StoreError::Changed { .. }) && error.to_string().contains(name), "{error}");
        let error = store.close().unwrap_err();
        assert!(matches!(error, StoreError::Changed { .. }), "{error}");
    }
}

#[test]
fn attempts_are_committed_in_order_with_their_own_rows() {
    let root = tempfile::tempdir().unwrap();
    let mut store = create(root.path());
    let (first, samples) = launch(1);
    let check = |store: &mut Store, record: &Record, samples: &[Sample], expected: &str| {
        let error = store.append(record, samples).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check(&mut store, &launch(2).0, &[], "attempt 2 is to be committed where 1 is due");
    let (_, strays) = numbered(3, first.clone(), samples.clone());
    check(&mut store, &first, &strays, "a sample of attempt 3 is to be committed with attempt 1");
    store.append(&first, &samples).unwrap();
    check(&mut store, &first, &samples, "attempt 1 is to be committed where 2 is due");
    assert_eq!(store::load(store.dir()).unwrap().records.len(), 1);
}

#[test]
fn the_newest_run_of_a_directory_is_found() {
    let root = tempfile::tempdir().unwrap();
    let start = |site: &str, started: &str| {
        let manifest = Manifest { site: site.parse().unwrap(), started: started.into(), ..RUN.manifest.clone() };
        Store::create(root.path(), &manifest, &RUN.design).unwrap().dir().to_owned()
    };
    let check =
        |path: &Path, expected: &Path| assert_eq!(store::resolve(path).unwrap().canonicalize().unwrap(), expected);
    let old = start("alpha", "2026-11-24T02:30:00Z");
    let new = start("alpha", "2026-11-25T02:30:00Z");
    let other = start("zeta", "2026-11-24T23:00:00Z");
    check(&old, &old);
    check(&root.path().join("alpha"), &new);
    check(&root.path().join("zeta"), &other);
    check(root.path(), &new);
    // By its own time, whatever a copy is called.
    let copy = root.path().join("zeta/copy");
    fs::rename(&other, &copy).unwrap();
    check(root.path(), &new);
    check(&root.path().join("zeta"), &copy.canonicalize().unwrap());
    // What a killed harness had not finished is no run.
    let unfinished = root.path().join("alpha/.new-1-0");
    fs::rename(start("alpha", "2026-11-26T02:30:00Z"), &unfinished).unwrap();
    check(root.path(), &new);
    // A damaged one is found, to be reported as such, rather than an older one.
    let damaged = start("zeta", "2026-11-27T02:30:00Z");
    fs::write(damaged.join("manifest.json"), "{").unwrap();
    check(root.path(), &damaged);
}

#[test]
fn where_no_run_is_the_place_is_named() {
    let root = tempfile::tempdir().unwrap();
    let (empty, file) = (root.path().join("empty"), root.path().join("file"));
    fs::create_dir(&empty).unwrap();
    fs::write(&file, "").unwrap();
    let check = |error: StoreError, path: &Path| {
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("; hint: "), "{text}");
    };
    let absent = root.path().join("absent");
    for path in [&empty, &file, &absent] {
        check(store::resolve(path).unwrap_err(), path);
        check(store::load(path).unwrap_err(), path);
        check(Store::resume(path).unwrap_err(), path);
    }
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0, "a lock in somebody's directory");
}

/// What is published may be packed; it is proved like any other, and nobody goes on with it.
#[test]
fn a_closed_run_reads_alike_when_it_is_packed() {
    let root = tempfile::tempdir().unwrap();
    let dir = closed(root.path(), 5);
    let plain = store::load(&dir).unwrap();
    let pack = |name: &str, content: &[u8]| {
        let mut file = GzEncoder::new(File::create(dir.join(format!("{name}.gz"))).unwrap(), Compression::best());
        file.write_all(content).unwrap();
        file.finish().unwrap();
    };
    let names = ["attempts.jsonl", "samples.csv"];
    let contents = names.map(|name| fs::read(dir.join(name)).unwrap());
    for (name, content) in names.iter().zip(&contents) {
        pack(name, content);
        fs::remove_file(dir.join(name)).unwrap();
    }
    let packed = store::load(&dir).unwrap();
    assert!(packed.closed && packed.tail == Tail::default());
    assert_eq!((packed.records, packed.samples), (plain.records, plain.samples));
    assert!(Store::resume(&dir).is_err());
    let mut changed = contents[1].clone();
    let last = changed.len() - 2;
    changed[last] ^= 1;
    pack("samples.csv", &changed);
    let error = store::load(&dir).unwrap_err().to_string();
    assert!(error.contains("samples.csv") && error.contains("differ"), "{error}");
    fs::write(dir.join("samples.csv.gz"), "no archive").unwrap();
    assert!(store::load(&dir).unwrap_err().to_string().contains("samples.csv"));
}

/// The examples of the specification, put together, are a run.
#[test]
fn the_specification_shows_a_whole_run() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/README.md")).unwrap();
    let example = |name: &str| {
        let section = text.split_once(&format!("\n## `{name}`\n")).unwrap().1;
        let block = section.split_once("\n```").unwrap().1.split_once('\n').unwrap().1;
        block.split_once("```").unwrap().0.to_owned()
    };
    let dir = tempfile::tempdir().unwrap();
    for name in FILES.iter().chain(&["closed.json"]) {
        fs::write(dir.path().join(name), example(name)).unwrap();
    }
    let Run { manifest, design, records, samples, closed, .. } = store::load(dir.path()).unwrap();
    assert!(closed && manifest.schema == SCHEMA && records.len() == 1 && samples.len() == 2);
    assert_eq!(records[0].case, design.cases[0].id());
    fs::remove_file(dir.path().join("closed.json")).unwrap();
    fs::write(dir.path().join("lock"), example("lock")).unwrap();
    let refused = Store::resume(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("is being written by process 4242 on node1"), "{refused}");
}
