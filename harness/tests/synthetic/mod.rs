//! A run that never happened: the real plan, followed by launches whose times and failures are drawn from a seed.

use std::path::PathBuf;

use bench_app::{
    Bytes, Kernel, PROTOCOL, Workload,
    event::{Begin, Facts, Hello, RankFacts},
    workload::{BufferKind, Cell, Order},
};
use harness::{
    against::Against,
    app::Compilation,
    case::{Case, Entry, HostMpi, Image, Implementation, Mode, Mpi, Placement, Program, Settings, Stack},
    command::CommandSpec,
    decision::{Decision, Pairs},
    explain::explain,
    id::{AttemptId, Sha256},
    medians::Medians,
    plan,
    recommend::{place::Place, recommend},
    record::{
        Design, FileFact, Limits, Manifest, Observed, Outcome, Phase, Purpose, Record, SCHEMA, Sample, SampleRange,
    },
    report::html::{self, Beside},
    store,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a run has stored.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) manifest: Manifest,
    pub(crate) design: Design,
    pub(crate) records: Vec<Record>,
    pub(crate) samples: Vec<Sample>,
}

impl Run {
    /// The page, with all that can be known beside the report; nothing was said but what the records keep.
    pub(crate) fn page(&self) -> String {
        let report = self.report();
        let recommendation = recommend(&report, &self.design, &Place::of(&self.manifest));
        let run = store::Run {
            dir: PathBuf::new(),
            manifest: self.manifest.clone(),
            design: self.design.clone(),
            records: self.records.clone(),
            samples: self.samples.clone(),
            closed: true,
            tail: store::Tail { attempts: 0, samples: 0 },
        };
        let explanation = explain(&run, &report, &|_| Vec::new(), None).unwrap();
        html::render(&report, Beside { recommendation: Some(&recommendation), explanation: Some(&explanation) })
    }

    pub(crate) fn report(&self) -> harness::report::Report {
        harness::report::model(&self.manifest, &self.design, &self.records, &self.samples)
    }
}

const SIZES: [&str; 6] = ["8", "1Ki", "8Ki", "64Ki", "1Mi", "4Mi"];

/// The quick campaign on one machine: six modes of 4.1.8, where plain hybrid hangs at latency 4 MiB, and a probe of host
/// 5.0.11 with image 4.1.8, which ends in singletons.
pub(crate) fn quick(blocks: u32, seed: u64) -> Run {
    let mixed = Stack::Hybrid { host: host("5.0.11"), image: image(Some("4.1.8")), entry: Entry::Exec };
    let cases = every_mode("4.1.8").into_iter().map(|stack| case(stack, &SIZES)).collect();
    run(design(blocks, seed, cases, vec![case(mixed, &["8", "64Ki"])]))
}

/// Every mode of two versions in one run.
pub(crate) fn two_versions(blocks: u32, seed: u64) -> Run {
    let stacks = every_mode("5.0.11").into_iter().chain(every_mode("4.1.8"));
    run(design(blocks, seed, stacks.map(|stack| case(stack, &SIZES)).collect(), Vec::new()))
}

/// Four hosts crossed with four images, in three modes beside `native`: a host of 5.0 with an image of 4.1 ends in
/// singletons, and plain hybrid with an image of 4.1 hangs at latency 4 MiB whatever the host. 5.0.11 under a host of 4.1
/// is slowed down.
pub(crate) fn crossed(blocks: u32, seed: u64) -> Run {
    let versions = ["4.1.7", "4.1.8", "5.0.8", "5.0.11"];
    let native = versions.map(|version| Stack::Native { host: host(version), app: "/home/user/bench-app".into() });
    let hybrid = |entry| {
        let of_host = move |h| versions.map(|i| Stack::Hybrid { host: host(h), image: image(Some(i)), entry });
        versions.into_iter().flat_map(of_host)
    };
    let stacks = native.into_iter().chain(hybrid(Entry::Exec)).chain(hybrid(Entry::Sharens));
    let cases = stacks.map(|stack| case(stack, &["8", "1Mi", "4Mi"])).map(|mut case| {
        case.workload.cells.retain(|cell| cell.kernel != Kernel::Bandwidth);
        case
    });
    let design = design(blocks, seed, cases.collect(), Vec::new());
    run(Design { campaign: "matrix".into(), against: Against::OwnVersion, ..design })
}

/// The quick campaign in duets, of the modes in which nothing hangs, on a machine that takes three times as long in every
/// third duet: for both of it.
pub(crate) fn duets(blocks: u32, seed: u64) -> Run {
    let works = |stack: &Stack| !matches!(stack.mode(), Mode::Embedded | Mode::Hybrid);
    let cases = every_mode("4.1.8").into_iter().filter(works).map(|stack| case(stack, &SIZES)).collect();
    let mut run = run(Design { pairs: Pairs::Duet, ..design(blocks, seed, cases, Vec::new()) });
    let far = |attempt: AttemptId| {
        let of = |r: &&Record| r.attempt == attempt && r.partner.is_some();
        // By a rule that takes blocks apart.
        run.records.iter().find(of).is_some_and(|r| (r.block + r.slot / 2).is_multiple_of(3))
    };
    let factors: Vec<u64> = run.samples.iter().map(|sample| if far(sample.attempt) { 3 } else { 1 }).collect();
    run.samples.iter_mut().zip(factors).for_each(|(sample, factor)| sample.ns *= factor);
    run
}

/// A program of one's own by duets, in the modes that work for every size.
pub(crate) fn programs(blocks: u32, seed: u64) -> Run {
    let program = Program { argv: vec!["./stencil".into(), "15000".into()], expect: "2 ranks".into() };
    let of = |stack| Case { program: Some(program.clone()), workload: Program::workload(seed), ..case(stack, &[]) };
    let cases = every_mode("4.1.8").into_iter().map(of).collect();
    let mut run = run(Design { pairs: Pairs::Duet, ..design(blocks, seed, cases, Vec::new()) });
    // A row a launch, and none of bench-app's that come before; and of itself a program tells nothing.
    run.samples.retain(|sample| (sample.visit, sample.batch) == (0, 0));
    for record in run.records.iter_mut().filter(|record| record.partner.is_some()) {
        (record.hello, record.hello_ns, record.facts) = (None, None, None);
        record.observed = Observed::default();
        record.stopped_ns = Some(record.wall_ns / 2);
    }
    run
}

fn every_mode(version: &str) -> Vec<Stack> {
    let hybrid = |entry| Stack::Hybrid { host: host(version), image: image(Some(version)), entry };
    vec![
        Stack::Native { host: host(version), app: "/home/user/.cache/sifbench/bench-app".into() },
        Stack::Embedded { image: image(Some(version)) },
        hybrid(Entry::Exec),
        hybrid(Entry::Instance),
        hybrid(Entry::Sharens),
        Stack::Bind { host: host(version), image: image(None) },
    ]
}

/// Every launch of `design`, as the plan asks for them.
pub(crate) fn run(design: Design) -> Run {
    let (mut records, mut samples, mut medians) = (Vec::new(), Vec::new(), Medians::default());
    while let Some(step) = plan::next(&design, &records, &medians) {
        let first = records.len() as u32 + 1;
        for (planned, at) in step.launches().zip(0..) {
            let attempt = AttemptId(first + at);
            let mut rng = ChaCha8Rng::seed_from_u64(design.seed);
            rng.set_stream(u64::from(attempt.0));
            let partner = step.partner.as_ref().map(|_| AttemptId(first + 1 - at));
            let (record, rows) = launch(planned, &step.cells, (attempt, partner), &mut rng);
            records.push(record);
            medians.add(&rows);
            samples.extend(rows);
        }
    }
    Run { manifest: manifest(&design), design, records, samples }
}

pub(crate) fn design(blocks: u32, seed: u64, cases: Vec<Case>, probes: Vec<Case>) -> Design {
    let (limits, decision) = (Limits::default(), Decision::default());
    Design {
        schema: SCHEMA,
        campaign: "quick".into(),
        seed,
        blocks,
        app: Compilation::Shared,
        pairs: Pairs::Blocks,
        against: Against::Baseline,
        cases,
        probes,
        limits,
        decision,
    }
}

pub(crate) fn case(stack: Stack, sizes: &[&str]) -> Case {
    let sizes: Vec<Bytes> = sizes.iter().map(|size| size.parse().unwrap()).collect();
    let cell = |kernel: Kernel, bytes: Bytes| Cell { kernel, bytes, k: kernel.default_k(bytes).try_into().unwrap() };
    let cells = Kernel::USUAL.into_iter().flat_map(|kernel| sizes.iter().map(move |bytes| cell(kernel, *bytes)));
    let rounds = 3.try_into().unwrap();
    let workload = Workload {
        cells: cells.collect(),
        rounds,
        visit_ms: 5,
        order: Order::Shuffled,
        seed: 1,
        buffers: BufferKind::Hot,
    };
    let (placement, settings) = (Placement::default(), Settings::default());
    Case { stack, workload, program: None, ranks: 2, placement, settings }
}

pub(crate) fn host(version: &str) -> HostMpi {
    HostMpi::new(mpi(version), PathBuf::from(format!("/home/user/.cache/sifbench/mpi/{version}")))
}

pub(crate) fn image(version: Option<&str>) -> Image {
    let name = version.map_or("base".into(), |version| format!("openmpi-{version}"));
    Image { mpi: version.map(mpi), path: PathBuf::from(format!("/home/user/.cache/sifbench/images/{name}.sif")) }
}

fn mpi(version: &str) -> Mpi {
    Mpi { implementation: Implementation::OpenMpi, version: version.parse().unwrap() }
}

/// A launch of some cells, as an attempt with or without a partner.
pub(crate) fn launch(
    planned: &plan::Launch<'_>,
    cells: &[Cell],
    (attempt, partner): (AttemptId, Option<AttemptId>),
    rng: &mut ChaCha8Rng,
) -> (Record, Vec<Sample>) {
    let plan::Launch { case, purpose, block, slot, .. } = planned.clone();
    let mode = case.stack.mode();
    let (outcome, measured) = outcome(case, cells);
    let state = 1.0 + 0.03 * normal(rng);
    let state = state * mismatch(case);
    let samples: Vec<Sample> = measured.iter().flat_map(|cell| rows(attempt, mode, *cell, state, rng)).collect();
    let init_ns = (38e6 * (1.0 + 0.1 * normal(rng).abs())) as u64;
    let hello_ns = (entry_ms(mode) * 1e6 * (1.0 + 0.04 * normal(rng).abs())) as u64 + init_ns;
    let hung = matches!(outcome, Outcome::TimedOut { .. });
    let split = matches!(outcome, Outcome::Singletons { .. });
    let record = Record {
        attempt,
        case: case.id(),
        purpose,
        block,
        slot,
        partner,
        command: command(case, &plan::workload(planned, cells.to_vec(), 7)),
        cells: cells.to_vec(),
        started: format!("2026-11-24T02:{:02}:{:02}.000Z", 30 + attempt.0 / 60, attempt.0 % 60),
        wall_ns: hello_ns + 1_050_000_000 + if hung { 10_000_000_000 } else { 0 },
        beside_ns: None,
        stopped_ns: None,
        hello_ns: Some(hello_ns),
        hello: Some(hello(case, split, init_ns)),
        facts: Some(facts(mode)),
        observed: observed(case, state),
        lost: Vec::new(),
        said: if hung { vec![CMA.into()] } else { Vec::new() },
        swept: if hung { vec!["2 processes of ours".into()] } else { Vec::new() },
        samples: SampleRange { offset: 0, bytes: 0, sha256: Sha256::of(b"") },
        outcome,
    };
    (record, samples)
}

/// A canary around one visit, and copies at 12 bytes a nanosecond.
fn observed(case: &Case, state: f64) -> Observed {
    let latency = case.workload.cells.iter().filter(|cell| cell.kernel == Kernel::Latency);
    let copies = latency.map(|cell| (cell.bytes, 15.0 + cell.bytes.0 as f64 / 12.0)).collect();
    Observed { canary: vec![(0, 80.0 * state, 81.0 * state)], copies, visits: 1, ..Observed::default() }
}

const CMA: &str = "WARNING: CMA is not available due to different user namespaces.";

/// How a launch ends, and the cells that it measures before it does.
fn outcome(case: &Case, cells: &[Cell]) -> (Outcome, Vec<Cell>) {
    let versions = (case.stack.host().map(|h| &h.mpi.version), case.stack.image().and_then(|i| i.mpi.as_ref()));
    if let (Some(host), Some(image)) = versions
        && host.major() > image.version.major()
    {
        return (Outcome::Singletons { expected: case.ranks, seen: 1 }, Vec::new());
    }
    let old = case.stack.image().and_then(|image| image.mpi.as_ref()).is_some_and(|mpi| mpi.version.major() < 5);
    let hangs = |cell: &Cell| {
        case.stack.mode() == Mode::Hybrid && old && cell.kernel == Kernel::Latency && cell.bytes == Bytes(4 << 20)
    };
    let mut ordered = cells.to_vec();
    ordered.sort_by_key(|cell| (cell.bytes, cell.kernel));
    match ordered.iter().position(hangs) {
        None => (Outcome::Completed, ordered),
        Some(at) => {
            let last = Some(Begin { kernel: ordered[at].kernel, bytes: ordered[at].bytes, visit: 0 });
            (Outcome::TimedOut { phase: Phase::Silence, last }, ordered[..at].to_vec())
        }
    }
}

/// The batches of one cell: three visits of six.
fn rows(attempt: AttemptId, mode: Mode, cell: Cell, state: f64, rng: &mut ChaCha8Rng) -> Vec<Sample> {
    let operations = f64::from(cell.kernel.row().operations);
    let launch = state * (1.0 + 0.015 * normal(rng));
    let mut row = |visit: u32, batch: u32| {
        let slow = if rng.random::<f64>() < 0.05 { 1.6 } else { 1.0 };
        let operation = operation_ns(mode, cell) * launch * slow * (1.0 + 0.04 * rng.random::<f64>());
        let ns = (operation * operations * f64::from(cell.k.get())) as u64;
        Sample { attempt, kernel: cell.kernel, bytes: cell.bytes, visit, batch, k: cell.k.get(), ns }
    };
    (0..3).flat_map(|visit| (0..6).map(move |batch| (visit, batch))).map(|(visit, batch)| row(visit, batch)).collect()
}

fn operation_ns(mode: Mode, cell: Cell) -> f64 {
    let bytes = cell.bytes.0 as f64;
    let native = match cell.kernel {
        Kernel::Bandwidth | Kernel::Bibw | Kernel::Mbw => 140.0 + bytes / 10.5,
        Kernel::Allreduce | Kernel::AllreduceInPlace => 800.0 + bytes / 2.6,
        Kernel::Latency | Kernel::Barrier | Kernel::Bcast | Kernel::Alltoall => 290.0 + bytes / 9.0,
        Kernel::Program => 1e9,
    };
    native * factor(mode, bytes)
}

/// Without CMA: faster at 4-64 KiB, slower from 1 MiB.
fn factor(mode: Mode, bytes: f64) -> f64 {
    match mode {
        Mode::Hybrid if bytes >= 1e6 => 1.9,
        Mode::Hybrid if bytes >= 4096.0 => 0.68,
        Mode::Hybrid => 1.06,
        Mode::Native | Mode::Embedded | Mode::HybridInstance | Mode::HybridSharens | Mode::Bind => 1.0,
    }
}

/// What a host of another series costs an image.
fn mismatch(case: &Case) -> f64 {
    let versions = case.stack.host().zip(case.stack.image().and_then(|image| image.mpi.as_ref()));
    match versions {
        Some((host, image)) if host.mpi.version.major() < image.version.major() => 1.25,
        Some(_) | None => 1.0,
    }
}

fn entry_ms(mode: Mode) -> f64 {
    match mode {
        Mode::Native => 70.0,
        Mode::Embedded => 150.0,
        Mode::Hybrid | Mode::Bind => 190.0,
        Mode::HybridInstance => 120.0,
        Mode::HybridSharens => 240.0,
    }
}

/// A rough standard normal draw: the sum of twelve uniform ones.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn hello(case: &Case, split: bool, init_ns: u64) -> Hello {
    let image = case.stack.image().and_then(|image| image.mpi.as_ref());
    let version = image.or(case.stack.host().map(|host| &host.mpi)).map(|mpi| mpi.version.to_string()).unwrap();
    Hello {
        protocol: PROTOCOL,
        version: "0.1.0".into(),
        world: if split { 1 } else { case.ranks },
        launcher_size: Some(case.ranks),
        library: format!("Open MPI v{version}, package: Open MPI root@build Distribution"),
        init_ns,
    }
}

fn facts(mode: Mode) -> Facts {
    let user_ns = |rank: u64| match mode {
        Mode::Native => 4_026_531_837,
        Mode::Embedded | Mode::HybridInstance | Mode::HybridSharens => 4_026_532_300,
        Mode::Hybrid | Mode::Bind => 4_026_532_300 + rank,
    };
    let rank = |rank: u32| RankFacts {
        rank,
        host: "node1".into(),
        pid: 1000 + rank,
        user_ns: user_ns(rank.into()),
        ipc_ns: 4_026_531_839,
        shm_dev: 24,
        cpus: rank.to_string(),
        ..RankFacts::default()
    };
    Facts { ranks: 2, nodes: 1, first: rank(0), differing: vec![rank(1)], ..Facts::default() }
}

fn command(case: &Case, workload: &Workload) -> CommandSpec {
    let app = CommandSpec::new("/opt/sifbench/bench-app").args(workload.to_args());
    let prefix = case.stack.host().map_or("/opt/openmpi".into(), |host| host.prefix.display().to_string());
    let mpirun = CommandSpec::new(format!("{prefix}/bin/mpirun")).args(["-np", "2", "--map-by", "core"]);
    let exec = CommandSpec::new("apptainer").arg("exec");
    let path = case.stack.image().map_or(String::new(), |image| image.path.display().to_string());
    match case.stack.mode() {
        Mode::Native => app.within(mpirun).env("LD_LIBRARY_PATH", format!("{prefix}/lib")),
        Mode::Embedded => app.within(mpirun).within(exec.arg(path)),
        Mode::Hybrid => app.within(exec.arg(path)).within(mpirun),
        Mode::HybridInstance => app.within(exec.arg("instance://sifbench-7f3a")).within(mpirun),
        Mode::HybridSharens => app.within(exec.arg("--sharens").arg(path)).within(mpirun),
        Mode::Bind => app.within(exec.arg("--bind").arg(&prefix).arg(path)).within(mpirun),
    }
}

pub(crate) fn manifest(design: &Design) -> Manifest {
    let text = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let file =
        |name: &str, path: &str| FileFact { name: name.into(), path: path.into(), sha256: Sha256::of(name.as_bytes()) };
    Manifest {
        schema: SCHEMA,
        tool: "0.1.0".into(),
        site: "laptop".parse().unwrap(),
        started: "2026-11-24T02:30:00Z".into(),
        design: Sha256::of(serde_json::to_string(design).unwrap().as_bytes()),
        facts: text(&[
            ("clock_source", "kvm-clock"),
            ("container_runtime", "apptainer version 1.4.5"),
            ("cores", "2"),
            ("cpu", "Intel(R) Xeon(R) Processor @ 2.60GHz"),
            ("hypervisor", "yes"),
            ("kernel", "6.1.0-28-amd64"),
            ("memory", "8145128 kB"),
            ("os", "Debian GNU/Linux 12 (bookworm)"),
        ]),
        files: vec![
            file("bench-app", "/home/user/.cache/sifbench/bench-app"),
            file("image 4.1.8", "/home/user/.cache/sifbench/images/openmpi-4.1.8.sif"),
            file("image base", "/home/user/.cache/sifbench/images/base.sif"),
        ],
        origins: text(&[("blocks", "campaign"), ("seed", "flag"), ("site", "built-in")]),
        profile: None,
        staged: Vec::new(),
    }
}

/// An analysed launch of `mode` in `block`.
pub(crate) fn analysed(run: &mut Run, mode: Mode, block: u32) -> &mut Record {
    let case = run.design.cases.iter().find(|case| case.stack.mode() == mode).map(Case::id).unwrap();
    let wanted = |r: &&mut Record| (&r.case, r.purpose, r.block) == (&case, Purpose::Measure, block);
    run.records.iter_mut().find(wanted).unwrap()
}
