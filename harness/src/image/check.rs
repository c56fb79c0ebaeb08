//! Checks an image by launching it: its own mpirun, two ranks, a few small cells; and its labels against what this
//! version of the tool would build.

use std::{
    collections::BTreeMap,
    iter,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use bench_app::{
    Bytes, Cell, Kernel, Workload,
    workload::{BufferKind, Order},
};
use serde::Serialize;

pub use super::faults::Fault;
use super::faults::{self, Expected, Launched, Seen};
use crate::{
    app::{Compilation, Headers},
    cache::Cache,
    case::{Case, HostMpi, Image, Implementation, Mpi, Placement, Settings, Stack},
    catalogue::Catalogue,
    command::CommandSpec,
    compose::{self, APP_IN_IMAGE, apptainer::Options, apptainer::Runtime},
    id::{AttemptId, MpiVersion, Sha256},
    process::{Env, Launch, Room},
    record::{Limits, Outcome},
    run::{self, RunError, watch::Watch},
    site::nodes::Nodes,
    tool::Tools,
};

/// For a command that looks into an image.
const PATIENCE: Duration = Duration::from_secs(60);
/// Ranks of the launch.
const RANKS: u32 = 2;

/// What is found in an image, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// `openmpi 4.1.8`, or `base`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// How the launch was made, as typed in a shell; none where no MPI is there to launch with.
    pub command: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What the MPI library calls itself, as loaded.
    pub library: Option<String>,
    /// The protocol that bench-app speaks.
    pub protocol: Option<u32>,
    /// The digest of bench-app inside.
    pub app: Option<Sha256>,
    /// Labels of ours.
    pub labels: BTreeMap<String, String>,
    /// What is wrong; nothing where the image is as it should be.
    pub faults: Vec<Fault>,
}

/// A few milliseconds of every kernel at small sizes.
fn workload() -> Workload {
    let cell = |kernel: Kernel| {
        // A barrier has no message.
        let bytes = if kernel.check(Bytes(8)).is_ok() { Bytes(8) } else { Bytes(0) };
        Cell { kernel, bytes, k: NonZeroU32::new(kernel.default_k(bytes)).unwrap_or(NonZeroU32::MIN) }
    };
    Workload {
        cells: Kernel::ALL.into_iter().map(cell).collect(),
        rounds: NonZeroU32::MIN,
        visit_ms: 2,
        order: Order::Ascending,
        seed: 1,
        buffers: BufferKind::Hot,
    }
}

/// Checks images.
#[derive(Debug)]
pub struct Checker<'a> {
    /// Where they are kept.
    pub cache: &'a Cache,
    /// Where versions come from.
    pub catalogue: &'a Catalogue,
    /// Runs what looks into them.
    pub tools: &'a Tools<'a>,
    /// Enters them.
    pub runtime: &'a Runtime,
    /// Where they are launched.
    pub room: &'a Room,
    /// What launches see of the environment.
    pub env: &'a Env,
    /// A host's Open MPI, with which the base image is launched: it has none of its own.
    pub host: Option<&'a HostMpi>,
    /// Which bench-app is in them; the base image is looked at with the shared one.
    pub app: Compilation,
}

impl Checker<'_> {
    /// Checks the image with Open MPI `version`, or the base image.
    ///
    /// # Errors
    /// Only the harness's own: what is wrong with the image is in the result.
    pub fn check(&self, version: Option<&MpiVersion>) -> Result<Checked, RunError> {
        let headers = version.map_or(Headers::Shared, |version| self.app.headers(version));
        let expected = Expected::new(self.cache, self.catalogue, version, headers);
        let path = super::path(self.cache, self.catalogue, version, headers);
        let name = version.map_or("base".to_owned(), |version| format!("openmpi {version}"));
        let case = self.case(version, &path);
        let command = case.as_ref().map(|case| self.commands(case).to_string());
        let result = |seen: Seen, faults| {
            let (outcome, library, protocol) =
                seen.launch.map_or_else(Default::default, |l| (Some(l.outcome), l.library, l.protocol));
            let (name, path, command) = (name.clone(), path.clone(), command.clone());
            Checked { name, path, command, outcome, library, protocol, app: seen.app, labels: seen.labels, faults }
        };
        if !path.exists() {
            return Ok(result(Seen::default(), vec![Fault::Absent]));
        }
        let labels = match self.labels(&path) {
            Ok(labels) => labels,
            Err(why) => return Ok(result(Seen::default(), vec![Fault::Unreadable { why }])),
        };
        let launch = case.map(|case| self.launch(&case)).transpose()?;
        let seen = Seen { labels, app: self.app(&path), launch };
        let faults = faults::of(&expected, &seen);
        Ok(result(seen, faults))
    }

    /// The image's own mpirun, or for the base image the host's.
    fn case(&self, version: Option<&MpiVersion>, path: &Path) -> Option<Case> {
        let mpi = |version: &MpiVersion| Mpi { implementation: Implementation::OpenMpi, version: version.clone() };
        let image = Image { mpi: version.map(mpi), path: path.to_owned() };
        let stack = match version {
            Some(_) => Stack::Embedded { image },
            None => Stack::Bind { host: self.host?.clone(), image },
        };
        Some(Case {
            stack,
            workload: workload(),
            program: None,
            ranks: RANKS,
            placement: Placement::SameNode,
            settings: Settings::default(),
        })
    }

    fn commands(&self, case: &Case) -> CommandSpec {
        // Neither of the two modes has an instance, and on one node both can exist.
        let nodes = Nodes::alone("localhost");
        let ground = compose::Ground { runtime: self.runtime, nodes: &nodes, instance: "", gate: None };
        let commands = compose::compose(case, &case.workload, &ground);
        commands.unwrap_or_else(|why| unreachable!("two ranks on this node: {why}")).launch
    }

    fn labels(&self, path: &Path) -> Result<BTreeMap<String, String>, String> {
        let inspect = CommandSpec::new(&self.runtime.program).args(["inspect", "--json"]).arg(path.to_string_lossy());
        let said = self.tools.run(&inspect, PATIENCE).map_err(|error| chain(&error))?;
        faults::labels(&said).ok_or_else(|| format!("`{inspect}` did not print the labels as JSON"))
    }

    fn app(&self, path: &Path) -> Option<Sha256> {
        let sum = CommandSpec::new("sha256sum").arg(APP_IN_IMAGE);
        let said = self.tools.run(&self.runtime.exec(sum, path, &Options::default()), PATIENCE).ok()?;
        said.split_whitespace().next()?.parse().ok()
    }

    fn launch(&self, case: &Case) -> Result<Launched, RunError> {
        let command = self.commands(case);
        let mut watch = Watch::new(AttemptId(0), case.ranks, &case.workload.cells, case.workload.rounds);
        let launch =
            Launch { command: &command, env: self.env, deadlines: run::deadlines(&Limits::default()), log: None };
        let mut attempt = self.room.attempt("check")?;
        let ended = attempt.supervise(&launch, &mut |stream, line| watch.line(stream, line));
        drop(attempt.close());
        let outcome = match ended {
            Ok(ended) => watch.outcome(ended.exit, ended.reason),
            Err(error) => run::not_started(error)?,
        };
        let said = watch.said();
        let hello = watch.hello;
        Ok(Launched {
            outcome,
            protocol: hello.as_ref().map(|hello| hello.protocol),
            library: hello.map(|hello| hello.library),
            said,
        })
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ").replace('\n', " | ")
}
