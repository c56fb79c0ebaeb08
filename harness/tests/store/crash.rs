//! Writers that are killed, files that are cut anywhere, bytes that change.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bench_app::{
    Bytes, Kernel,
    event::{Begin, WrongData},
};
use harness::{
    id::AttemptId,
    record::{Outcome, Phase, Record, Sample},
    store::{self, Store, StoreError, Tail},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{FILES, Launch, RUN, append, create, launch, numbered, samples_of, stopped};

/// The directory in which a copy of this test program commits launches until it is killed.
const WRITE_IN: &str = "SIFBENCH_TEST_WRITE_IN";

#[test]
#[expect(clippy::disallowed_methods, reason = "a second writer, to be killed")]
fn a_killed_writer_has_kept_all_that_it_committed() {
    if let Some(dir) = std::env::var_os(WRITE_IN) {
        return write_until_killed(Path::new(&dir));
    }
    let root = tempfile::tempdir().unwrap();
    let dir = stopped(root.path(), 0);
    let mut kept = 0;
    for round in 0..8_u64 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::a_killed_writer_has_kept_all_that_it_committed", "--nocapture"])
            .env(WRITE_IN, &dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = lines.filter_map(|line| line.strip_prefix("committed ")?.parse::<usize>().ok());
        let first = said.next().unwrap();
        assert_eq!(first, kept + 1);
        std::thread::sleep(Duration::from_micros(3_000 + 777 * round));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let committed = said.last().unwrap_or(first);
        let run = store::load(&dir).unwrap();
        kept = run.records.len();
        // Killed between a commit and saying so, it has kept one more.
        assert!((committed..=committed + 1).contains(&kept), "{committed} committed, {kept} kept");
        let launches: Vec<_> = (1..=u32::try_from(kept).unwrap()).map(launch).collect();
        assert_eq!(run.samples, samples_of(&launches));
        let unplaced = |record: &Record| Record { samples: launch(1).0.samples, ..record.clone() };
        assert!(run.records.iter().map(unplaced).eq(launches.into_iter().map(|(record, _)| record)));
        assert!(dir.join("lock").exists(), "the writer was not killed in the middle of it");
    }
    Store::resume(&dir).unwrap().0.close().unwrap();
    assert_eq!(store::load(&dir).unwrap().records.len(), kept);
}

fn write_until_killed(dir: &Path) {
    let (mut store, run) = Store::resume(dir).unwrap();
    // Nobody listens any more: the test has failed before it could kill us.
    let mut said = std::io::stdout();
    for number in run.records.len() as u32 + 1.. {
        append(&mut store, &[launch(number)]);
        if writeln!(said, "committed {number}").is_err() {
            return;
        }
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let (kernel, bytes) = (Kernel::Bandwidth, Bytes(1 << 20));
    let last = prop_oneof![Just(None), Just(Some(Begin { kernel, bytes, visit: 2 }))];
    prop_oneof![
        Just(Outcome::Completed),
        Just(Outcome::Interrupted),
        any::<(u32, u32)>().prop_map(|(expected, seen)| Outcome::Singletons { expected, seen }),
        last.clone().prop_map(|last| Outcome::TimedOut { phase: Phase::Silence, last }),
        (any::<i32>(), last.clone()).prop_map(|(code, last)| Outcome::Exited { code, last }),
        (any::<i32>(), last).prop_map(|(signal, last)| Outcome::Signaled { signal, last }),
        any::<String>().prop_map(|reason| Outcome::NotStarted { reason }),
        any::<(u32, u64)>().prop_map(move |(rank, at)| Outcome::WrongData(WrongData { kernel, bytes, rank, at })),
        any::<String>().prop_map(|line| Outcome::Garbled { line }),
        (2..9_u32, 0..2_u32).prop_map(|(expected, seen)| Outcome::NoTurns { expected, seen }),
        any::<String>().prop_map(|reason| Outcome::Unsupported { reason }),
        any::<String>().prop_map(|reason| Outcome::Skipped { reason }),
    ]
}

fn samples() -> impl Strategy<Value = Sample> {
    let fields = (0..3_usize, any::<u64>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<u64>());
    fields.prop_map(|(kernel, bytes, visit, batch, k, ns)| {
        let (kernel, bytes) = (Kernel::ALL[kernel], Bytes(bytes));
        Sample { attempt: AttemptId(0), kernel, bytes, visit, batch, k, ns }
    })
}

/// Launches numbered from 1 whose words, outcomes and rows are arbitrary.
fn launches(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Launch>> {
    let words = proptest::collection::vec(any::<String>(), 0..3);
    let rows = proptest::collection::vec(samples(), 0..8);
    let launch = (0..100_usize, words, outcomes(), any::<u64>(), rows);
    proptest::collection::vec(launch, count).prop_map(|launches| {
        let number = (1..).zip(launches);
        let launch = |(number, (like, said, outcome, wall_ns, samples)): (u32, (usize, _, _, _, _))| {
            let record = RUN.records[like % RUN.records.len()].clone();
            numbered(number, Record { said, outcome, wall_ns, ..record }, samples)
        };
        number.map(launch).collect()
    })
}

proptest! {
    // Each case syncs some dozen files.
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_committed_is_read_back(launches in launches(0..6)) {
        let root = tempfile::tempdir().unwrap();
        let mut store = create(root.path());
        let records = append(&mut store, &launches);
        let run = store::load(store.dir()).unwrap();
        prop_assert_eq!(&run.records, &records);
        prop_assert_eq!(&run.samples, &samples_of(&launches));
        let dir = store.dir().to_owned();
        store.close().unwrap();
        let run = store::load(&dir).unwrap();
        prop_assert!(run.closed && run.tail == Tail::default());
        prop_assert_eq!((run.records, run.samples), (records, samples_of(&launches)));
    }

    /// An append writes rows, then a line; whatever part of that is on disk, resuming finds the last commit, and with the
    /// missing launches appended the files are the same to the byte as if nothing had happened.
    #[test]
    fn a_run_resumes_at_its_last_commit_wherever_it_was_cut(
        launches in launches(1..5), cut in any::<proptest::sample::Index>(), at in 0.0..=1.0_f64, in_line in any::<bool>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut store = create(root.path());
        let dir = store.dir().to_owned();
        let length = |name: &str| fs::metadata(dir.join(name)).unwrap().len();
        let lengths = || (length("attempts.jsonl"), length("samples.csv"));
        let mut commits = vec![lengths()];
        let mut records = Vec::new();
        for launch in &launches {
            records.extend(append(&mut store, std::slice::from_ref(launch)));
            commits.push(lengths());
        }
        drop(store);
        let whole = FILES.map(|name| fs::read(dir.join(name)).unwrap());

        let made = cut.index(launches.len());
        let (from, to) = (commits[made], commits[made + 1]);
        let between = |from: u64, to: u64| from + ((to - from) as f64 * at).round() as u64;
        let (attempts, rows) = if in_line { (between(from.0, to.0), to.1) } else { (from.0, between(from.1, to.1)) };
        let kept = made + usize::from(attempts == to.0);
        for (name, length) in [("attempts.jsonl", attempts), ("samples.csv", rows)] {
            File::options().write(true).open(dir.join(name)).unwrap().set_len(length).unwrap();
        }

        let (mut store, run) = Store::resume(&dir).unwrap();
        prop_assert_eq!(&run.records, &records[..kept]);
        prop_assert_eq!(&run.samples, &samples_of(&launches[..kept]));
        prop_assert_eq!(run.tail, Tail { attempts: attempts - commits[kept].0, samples: rows - commits[kept].1 });
        prop_assert_eq!(lengths(), commits[kept]);
        append(&mut store, &launches[kept..]);
        store.close().unwrap();
        prop_assert_eq!(FILES.map(|name| fs::read(dir.join(name)).unwrap()), whole);
    }

    #[test]
    fn no_committed_byte_changes_unnoticed(
        launches in launches(1..4), file in 0..5_usize, at in any::<proptest::sample::Index>(), flip in 1..=255_u8,
        close in any::<bool>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut store = create(root.path());
        append(&mut store, &launches);
        let dir = store.dir().to_owned();
        if close { store.close().unwrap(); } else { drop(store); }
        let before = store::load(&dir).unwrap();
        let name = [FILES[1], FILES[2], FILES[3], FILES[0], "closed.json"][file % if close { 5 } else { 3 }];
        let mut bytes = fs::read(dir.join(name)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(dir.join(name), bytes).unwrap();
        match store::load(&dir) {
            Err(error) => prop_assert!(error.to_string().contains("; hint: "), "{}", error),
            // White space between the words of the seal itself.
            Ok(after) => {
                prop_assert_eq!(name, "closed.json");
                prop_assert!(after.closed && after.records == before.records && after.samples == before.samples);
            }
        }
    }

    #[test]
    fn rows_that_were_committed_and_are_gone_are_missed(launches in launches(1..4), at in any::<proptest::sample::Index>()) {
        let root = tempfile::tempdir().unwrap();
        let mut store = create(root.path());
        append(&mut store, &launches);
        let path = store.dir().join("samples.csv");
        let length = fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(at.index(length as usize) as u64).unwrap();
        let error = store::load(store.dir()).unwrap_err();
        prop_assert!(matches!(error, StoreError::Damaged { .. }), "{}", error);
    }
}
