//! A place where launches are made to fail.

use std::{
    collections::BTreeMap,
    fs,
    num::NonZeroU32,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bench_app::{
    Bytes, Cell, Kernel, Workload,
    workload::{BufferKind, Order},
};
use harness::{
    against::Against,
    app::{self, Headers},
    case::{Case, Entry, HostMpi, Image, Implementation, Mpi, Placement, Program, Settings, Stack},
    cli::edge::Edge,
    compose::apptainer::Runtime,
    decision::{Decision, Pairs},
    diagnose::{Finding, Known, diagnose},
    id::AttemptId,
    image,
    medians::Medians,
    mpi,
    plan::{self, Runs},
    process::{Place, Room},
    record::{Design, Limits, Manifest, Record, SCHEMA},
    run::{Envs, Runner},
    site::nodes::Nodes,
    store::{self, Store},
};
use serde::Serialize;

/// A case that is to fail, or to be slow.
pub(crate) struct Fault {
    /// The rule that must name it.
    pub(crate) rule: &'static str,
    case: Case,
    /// A shell script in the place of the container runtime, which it knows as `$APPTAINER`.
    through: Option<&'static str>,
    /// The parameter that names a host file with a single slot.
    slots: Option<&'static str>,
}

/// A launch that was made, as the fixtures have it.
#[derive(Serialize)]
pub(crate) struct Launch {
    pub(crate) case: Case,
    pub(crate) record: Record,
    pub(crate) log: Vec<String>,
    pub(crate) medians: Vec<(Kernel, Bytes, f64)>,
    pub(crate) measured_ns: u64,
}

pub(crate) struct Bench {
    dir: tempfile::TempDir,
    edge: Edge,
}

fn cell(size: &str) -> Cell {
    let (bytes, k) = size.split_once(':').map_or((size, None), |(bytes, k)| (bytes, Some(k)));
    let bytes: Bytes = bytes.parse().unwrap();
    let k = k.map_or_else(|| Kernel::Latency.default_k(bytes), |k| k.parse().unwrap());
    Cell { kernel: Kernel::Latency, bytes, k: NonZeroU32::new(k).unwrap() }
}

fn executable(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn mpi(version: &str) -> Mpi {
    Mpi { implementation: Implementation::OpenMpi, version: version.parse().unwrap() }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let place = Place { stage: env!("CARGO_BIN_EXE_sifbench").into(), ..Place::default() };
        Self { dir, edge: Edge::of_process(Room::guest(place)) }
    }

    fn host(&self, version: &str) -> HostMpi {
        let mpi = mpi(version);
        let prefix = mpi::prefix(&self.edge.cache(), &self.edge.catalogue().unwrap(), &mpi.version);
        HostMpi::new(mpi, prefix)
    }

    fn image(&self, version: Option<&str>) -> Image {
        let mpi = version.map(mpi);
        let version = mpi.as_ref().map(|mpi| &mpi.version);
        let path = image::path(&self.edge.cache(), &self.edge.catalogue().unwrap(), version, Headers::Shared);
        assert!(path.exists(), "{} is not there", path.display());
        Image { mpi, path }
    }

    pub(crate) fn hybrid(&self, host: &str, image: &str, entry: Entry) -> Fault {
        Fault::of(Stack::Hybrid { host: self.host(host), image: self.image(Some(image)), entry })
    }

    pub(crate) fn embedded(&self, image: &str) -> Fault {
        Fault::of(Stack::Embedded { image: self.image(Some(image)) })
    }

    pub(crate) fn bind(&self, host: &str) -> Fault {
        Fault::of(Stack::Bind { host: self.host(host), image: self.image(None) })
    }

    pub(crate) fn native(&self, host: &str) -> Fault {
        let app = app::path(&self.edge.cache(), &self.edge.catalogue().unwrap(), Headers::Shared);
        Fault::of(Stack::Native { host: self.host(host), app })
    }

    /// Native ranks of 4.1.8 that are this script.
    pub(crate) fn script(&self, text: &str) -> Fault {
        let count = fs::read_dir(self.dir.path()).unwrap().count();
        let app = self.dir.path().join(format!("script-{count}"));
        executable(&app, text);
        Fault::of(Stack::Native { host: self.host("4.1.8"), app })
    }

    /// Native ranks that find what srun without PMIx leaves them.
    pub(crate) fn under_pmi(&self, version: &str) -> Fault {
        self.native_through(
            version,
            "export PMI_RANK=$OMPI_COMM_WORLD_RANK PMI_SIZE=2 PMI_CONTROL_PORT=1\n\
             unset $(env | grep -o '^PMIX_[A-Z_0-9]*')\nexec",
        )
    }

    /// Native ranks of a program that is to take turns. None ever has the name that it is called by, and none loads an MPI.
    pub(crate) fn unknown_program(&self) -> Fault {
        let script = self.dir.path().join("unknown-program");
        fs::write(&script, "#!/usr/bin/env -S sh -c \"sleep 0.5\"\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let mut fault = self.native("4.1.8");
        fault.case.program = Some(Program { argv: vec![script.to_str().unwrap().to_owned()], expect: String::new() });
        fault.case.workload = Program::workload(1);
        fault
    }

    /// Native ranks under a filter of system calls that forbids to read another's memory.
    pub(crate) fn without_readv(&self, version: &str) -> Fault {
        let filter = self.dir.path().join("without-readv.py");
        fs::write(&filter, include_str!("without_readv.py")).unwrap();
        self.native_through(version, &format!("exec python3 {}", filter.display()))
    }

    /// Native ranks that find a file by the name of a fabric's device beside what else they need of /dev.
    pub(crate) fn beside_a_device(&self, version: &str) -> Fault {
        self.native_through(
            version,
            "exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none /mnt && mkdir /mnt/shm &&\n\
             for name in null zero random urandom hfi1_0; do : > /mnt/$name; done &&\n\
             for name in null zero random urandom shm; do mount --bind /dev/$name /mnt/$name; done &&\n\
             mount --no-mtab --move /mnt /dev && group=$1 && shift &&\n\
             exec unshare --user --map-user=$0 --map-group=$group \"$@\"' $(id -u) $(id -g)",
        )
    }

    /// Native ranks that come by way of a script, which ends in what makes it the program of its arguments.
    fn native_through(&self, version: &str, text: &str) -> Fault {
        let mut fault = self.native(version);
        let Stack::Native { app, .. } = &mut fault.case.stack else { unreachable!("it is native") };
        let count = fs::read_dir(self.dir.path()).unwrap().count();
        let script = self.dir.path().join(format!("native-{count}"));
        executable(&script, &format!("{text} {} \"$@\"", app.display()));
        *app = script;
        fault
    }

    /// A native bench-app that asks for a newer C library than there is.
    pub(crate) fn newer_app(&self) -> Fault {
        let mut fault = self.native("4.1.8");
        let Stack::Native { app, .. } = &mut fault.case.stack else { unreachable!("it is native") };
        let mut bytes = fs::read(&*app).unwrap();
        let names: Vec<usize> = (0..bytes.len() - 8).filter(|at| bytes[*at..].starts_with(b"GLIBC_2.")).collect();
        assert!(!names.is_empty(), "it asks for no version of the C library");
        names.into_iter().for_each(|at| bytes[at + 6] = b'9');
        *app = self.dir.path().join("newer-app");
        fs::write(&*app, bytes).unwrap();
        fs::set_permissions(&*app, fs::Permissions::from_mode(0o755)).unwrap();
        fault
    }

    /// Launches it once, in a run of its own.
    pub(crate) fn provoke(&self, fault: &Fault) -> Launch {
        let mut case = fault.case.clone();
        if let Some(name) = fault.slots {
            let file = self.dir.path().join("one-slot");
            fs::write(&file, "localhost slots=1\n").unwrap();
            case.settings.mca.insert(name.into(), file.to_str().unwrap().into());
        }
        let design = Design {
            schema: SCHEMA,
            campaign: "faults".into(),
            seed: 1,
            blocks: 0,
            pairs: if case.program.is_some() { Pairs::Duet } else { Pairs::default() },
            app: app::Compilation::default(),
            cases: Vec::new(),
            probes: vec![case],
            limits: Limits { hello_s: 4.0, silence_s: 2.0, total_s: 20.0 },
            decision: Decision::default(),
            against: Against::default(),
        };
        let manifest = Manifest {
            schema: SCHEMA,
            tool: env!("CARGO_PKG_VERSION").into(),
            site: "test".parse().unwrap(),
            started: "2026-11-25T02:30:00Z".into(),
            design: store::design_digest(&design),
            facts: BTreeMap::new(),
            files: Vec::new(),
            origins: BTreeMap::new(),
            profile: None,
            staged: Vec::new(),
        };
        let mut store = Store::create(self.dir.path(), &manifest, &design).unwrap();
        let (runtime, env) = (self.runtime(fault.through), self.edge.launch_env());
        let now = || "2026-11-25T02:30:00.000Z".to_owned();
        let (nodes, env) = (Nodes::alone("localhost"), Envs { plain: &env, scheduled: &env });
        let runner = Runner { design: &design, runtime: &runtime, nodes: &nodes, env, room: self.edge.room(), now };
        let mut made = Vec::new();
        let (record, samples) = loop {
            let step = plan::next(&design, &made, &Medians::default()).unwrap();
            let id = AttemptId(made.len() as u32 + 1);
            let (record, samples, _) = runner.make(id, &step, &nodes, &mut store).unwrap();
            // What is around a program is found out before it.
            if step.launch.runs != Runs::World {
                break (record, samples);
            }
            made.push(record);
        };
        let medians = Medians::of(&samples);
        let median = |cell: &Cell| Some((cell.kernel, cell.bytes, medians.get(record.attempt, *cell)?));
        let medians = record.cells.iter().filter_map(median).collect();
        let log = store::said(store.dir(), record.attempt);
        let case = design.probes[0].clone();
        Launch { case, record, log, medians, measured_ns: samples.iter().map(|sample| sample.ns).sum() }
    }

    fn runtime(&self, through: Option<&str>) -> Runtime {
        let runtime = self.edge.runtime();
        let Some(text) = through else { return runtime };
        let script = self.dir.path().join("runtime");
        executable(&script, &format!("APPTAINER={}\n{text}", runtime.program));
        Runtime { program: script.to_str().unwrap().into() }
    }
}

impl Launch {
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let Self { case, record, log, medians, measured_ns } = self;
        diagnose(&Known { case, record, log, medians, measured_ns: *measured_ns })
    }

    /// Writes it as the fixture `name`, without this machine's paths and without what no rule looks at.
    pub(crate) fn write(mut self, bench: &Bench, name: &str) {
        self.record.observed.tails.clear();
        self.record.observed.canary.clear();
        self.record.observed.copies.clear();
        self.log.truncate(60);
        let text = serde_json::to_string_pretty(&self).unwrap() + "\n";
        let home = std::env::var("HOME").unwrap();
        let text = text.replace(bench.dir.path().to_str().unwrap(), "/scratch").replace(&home, "/home/user");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/diagnose").join(format!("{name}.json"));
        fs::write(path, text).unwrap();
    }
}

impl Fault {
    fn of(stack: Stack) -> Self {
        let one = NonZeroU32::MIN;
        let workload = Workload {
            cells: vec![cell("8"), cell("4Mi")],
            rounds: one,
            visit_ms: 2,
            order: Order::Ascending,
            seed: 1,
            buffers: BufferKind::Hot,
        };
        let mca = BTreeMap::from([("btl".to_owned(), "^ofi".to_owned())]);
        let settings = Settings { mca, ..Settings::default() };
        let case = Case { stack, workload, program: None, ranks: 2, placement: Placement::default(), settings };
        Self { rule: "", case, through: None, slots: None }
    }

    pub(crate) fn is(self, rule: &'static str) -> Self {
        Self { rule, ..self }
    }

    pub(crate) fn mca(mut self, name: &str, value: &str) -> Self {
        self.case.settings.mca.insert(name.into(), value.into());
        self
    }

    pub(crate) fn without_mca(mut self, name: &str) -> Self {
        self.case.settings.mca.remove(name);
        self
    }

    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.case.settings.flags.push(flag.into());
        self
    }

    pub(crate) fn bind(mut self, bind: &str) -> Self {
        self.case.settings.binds.push(bind.into());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.case.settings.env.insert(name.into(), value.into());
        self
    }

    pub(crate) fn ranks(mut self, ranks: u32) -> Self {
        self.case.ranks = ranks;
        self
    }

    pub(crate) fn cells(mut self, sizes: &[&str]) -> Self {
        self.case.workload.cells = sizes.iter().map(|size| cell(size)).collect();
        self
    }

    pub(crate) fn through(self, script: &'static str) -> Self {
        Self { through: Some(script), ..self }
    }

    pub(crate) fn slots(self, parameter: &'static str) -> Self {
        Self { slots: Some(parameter), ..self }
    }

    pub(crate) fn without_image(mut self) -> Self {
        if let Stack::Hybrid { image, .. } = &mut self.case.stack {
            image.path = PathBuf::from("/nowhere/image.sif");
        }
        self
    }

    pub(crate) fn without_mpirun(mut self) -> Self {
        if let Stack::Native { host, .. } = &mut self.case.stack {
            host.prefix = PathBuf::from("/nowhere");
        }
        self
    }
}
