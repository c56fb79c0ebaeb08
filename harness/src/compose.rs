//! The one idea: a mode is a composition of wrappers over an argv.
//!
//! [`compose`] is the table of ARCHITECTURE.md and README.md in code. Both wrappers, a launcher (`mpirun`, `srun`,
//! `ccc_mprun`) and [`apptainer::Runtime::exec`], take a [`CommandSpec`] and return one.

pub mod apptainer;
pub mod ccc_mprun;
pub mod mpirun;
pub mod spread;
pub mod srun;

use std::path::Path;

use bench_app::{Workload, gate::Entrance};

use crate::{
    case::{Case, Entry, Environment, HostMpi, Launcher, Program, Settings, Stack},
    command::CommandSpec,
    site::nodes::{Nodes, Strategy},
};
use apptainer::{Options, Runtime};
use mpirun::Mpirun;
use spread::Spread;

/// Where bench-app lies in every image.
pub const APP_IN_IMAGE: &str = "/usr/local/bin/bench-app";
/// Where an image's own MPI lies.
pub const MPI_IN_IMAGE: &str = "/opt/openmpi";

/// What a launch is made with, whatever the case.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The container runtime.
    pub runtime: &'a Runtime,
    /// The nodes there are.
    pub nodes: &'a Nodes,
    /// The instance's name, where the mode has one.
    pub instance: &'a str,
    /// Where it takes turns with another launch, if it does. The path is the same in containers.
    pub gate: Option<&'a Entrance>,
}

/// Where an image says what overrules the host's leaks, and nothing else (containers/*.def).
const OVERRULES: &str = "/.singularity.d/env/91-environment.sh";

/// The commands of one launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// What must run around it, in the instance mode.
    pub instance: Option<InstanceCommands>,
    /// The launch itself.
    pub launch: CommandSpec,
    /// Whether it sees the scheduler's variables: only launchers that need them do.
    pub scheduled: bool,
    /// The other nodes that take part.
    pub elsewhere: Vec<String>,
}

/// The life of an instance on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceCommands {
    /// Begins it.
    pub start: Start,
    /// Each succeeds while it lives.
    pub probe: Vec<CommandSpec>,
    /// They stop it.
    pub stop: Vec<CommandSpec>,
}

impl InstanceCommands {
    /// Before the launch and after it, as a person would type it.
    #[must_use]
    pub fn to_lines(&self) -> (Vec<String>, Vec<String>) {
        let lines = |commands: &[CommandSpec]| commands.iter().map(ToString::to_string).collect::<Vec<_>>();
        let start = match &self.start {
            Start::Each(commands) => lines(commands),
            Start::Held { holder, .. } => vec![format!("{holder} &")],
        };
        let stop = match &self.start {
            Start::Each(_) => lines(&self.stop),
            Start::Held { .. } => vec!["kill %1".to_owned()],
        };
        ([start, lines(&self.probe)].concat(), stop)
    }
}

/// How an instance is started on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// These end, and the instance stays.
    Each(Vec<CommandSpec>),
    /// This stays for as long as the instance lives, and says so once a node.
    Held {
        /// What holds it.
        holder: CommandSpec,
        /// Nodes.
        nodes: u32,
    },
}

/// What the holder of an instance says on each node once the instance lives there.
pub const HELD: &str = "sifbench: the instance is held";

/// The commands that launch `workload` as `case` wants it.
///
/// # Errors
/// The combination cannot exist there, and why.
pub fn compose(case: &Case, workload: &Workload, ground: &Ground<'_>) -> Result<Commands, String> {
    let turns = ground.gate.map(|gate| ["--gate".to_owned(), gate.to_string()]);
    let app = |path: &str| CommandSpec::new(path).args(workload.to_args()).args(turns.iter().flatten().cloned());
    around(case, &app, ground)
}

/// The commands that launch the program of `case`, which takes no turns by itself; none where it has no program.
#[must_use]
pub fn program(case: &Case, ground: &Ground<'_>) -> Option<Result<Commands, String>> {
    let Program { argv, .. } = case.program.as_ref()?;
    let (program, args) = argv.split_first()?;
    Some(around(case, &|_| CommandSpec::new(program).args(args), &Ground { gate: None, ..*ground }))
}

/// The same around any program: `app` makes its command from where bench-app would lie.
///
/// # Errors
/// The combination cannot exist there, and why.
pub fn around(case: &Case, app: &dyn Fn(&str) -> CommandSpec, ground: &Ground<'_>) -> Result<Commands, String> {
    let Case { stack, settings, .. } = case;
    let Ground { runtime, nodes, instance, gate } = *ground;
    let spread = Spread::of(case, nodes)?;
    nodes.terms.admit(stack.mode(), spread.count())?;
    let launch_into = |inner, host: &HostMpi, image: &[String]| {
        let inner = nodes.terms.env_of(&host.mpi.version).fold(inner, with_variable);
        match settings.launcher {
            Launcher::Mpirun => {
                let mpirun = Mpirun { mpi: &host.mpi, prefix: &host.prefix, mca: &settings.mca };
                if spread.is_several() { mpirun.across(inner, &spread) } else { mpirun.here(inner, case.ranks) }
            }
            Launcher::Srun => srun::launch(with_mca(inner, settings), &spread, (&nodes.pmi, image)),
            Launcher::CccMprun => ccc_mprun::launch(with_mca(inner, settings), &spread, image),
        }
    };
    let launch = |inner, host: &HostMpi| launch_into(inner, host, &[]);
    // On one node mpirun forks, and must not take the job for a reason to do otherwise.
    let scheduled = spread.is_several() || settings.launcher != Launcher::Mpirun;
    if gate.is_some() && scheduled {
        return Err("launches take turns on one node, under mpirun".to_owned());
    }
    let commands = |launch| Commands {
        instance: None,
        launch,
        scheduled,
        elsewhere: spread.hosts().skip(1).map(str::to_owned).collect(),
    };
    let options = Options::from_settings(settings);
    let options = gate.iter().fold(options, |options, gate| options.bind(&gate.path.to_string_lossy()));
    let options = match (settings.environment, stack.image().is_some_and(|image| image.mpi.is_some())) {
        // What is no file is not read there: the image is as if nobody had prepared it.
        (Environment::Raw, true) => options.bind(&format!("/dev/null:{OVERRULES}")),
        (Environment::Raw, false) | (Environment::Clean, _) => options,
    };
    Ok(match stack {
        Stack::Native { host, app: path } => {
            let app = app(&path.to_string_lossy());
            let env = host.environment();
            let app = env.iter().chain(&settings.env).fold(app, |app, (name, value)| app.env(name, value));
            commands(launch(app, host))
        }
        Stack::Embedded { image } => {
            let Some(mpi) = image.mpi.as_ref().filter(|_| !spread.is_several()) else {
                return Err("the image's own mpirun cannot start its daemons in containers on other nodes".into());
            };
            // Inside is no launcher but the image's own, and it takes no part in a job: the variables of one would make it
            // look for programs that only the host has.
            let mpirun = Mpirun { mpi, prefix: Path::new(MPI_IN_IMAGE), mca: &settings.mca };
            let launch = runtime.exec(mpirun.here(app(APP_IN_IMAGE), case.ranks), &image.path, &options);
            Commands { scheduled: false, ..commands(launch) }
        }
        Stack::Hybrid { host, image, entry: Entry::Exec } => match nodes.terms.entering(&image.path) {
            Some(words) => {
                by_launcher(settings)?;
                let app = settings.env.iter().fold(app(APP_IN_IMAGE), |app, (name, value)| app.env(name, value));
                commands(launch_into(app, host, &words))
            }
            None => commands(launch(runtime.exec(app(APP_IN_IMAGE), &image.path, &options), host)),
        },
        Stack::Hybrid { host, image, entry: Entry::Sharens } => {
            let options = options.flag("--sharens");
            commands(launch(runtime.exec(app(APP_IN_IMAGE), &image.path, &options), host))
        }
        Stack::Hybrid { host, image, entry: Entry::Instance } => {
            let life = Life {
                start: runtime.instance_start(&image.path, instance, &options),
                probe: runtime.exec_instance(CommandSpec::new("true"), instance),
                stop: runtime.instance_stop(instance),
            };
            let enter = runtime.exec_instance(app(APP_IN_IMAGE), instance);
            let around = match nodes.strategy {
                Strategy::InRank => return Ok(commands(launch(life.in_rank(enter, &nodes.tool), host))),
                Strategy::HolderStep if spread.is_several() => life.held(&spread),
                Strategy::HolderStep | Strategy::ThreeStep => life.in_steps(&spread),
            };
            Commands { instance: Some(around), ..commands(launch(enter, host)) }
        }
        Stack::Bind { host, image } => {
            let prefix = host.prefix.to_string_lossy();
            let env = host.environment();
            let options = env.iter().fold(options.bind(&prefix), |options, (name, value)| options.env(name, value));
            commands(launch(runtime.exec(app(APP_IN_IMAGE), &image.path, &options), host))
        }
    })
}

/// The life of an instance on one node.
struct Life {
    start: CommandSpec,
    probe: CommandSpec,
    stop: CommandSpec,
}

impl Life {
    /// The words of its commands, each after their number.
    fn words(&self) -> [Vec<String>; 2] {
        let words = |command: &CommandSpec| [vec![command.program.clone()], command.args.clone()].concat();
        [words(&self.start), words(&self.stop)]
    }

    /// A rank that enters it by `enter`, and starts and stops it where it is the first of its node.
    fn in_rank(&self, enter: CommandSpec, tool: &Path) -> CommandSpec {
        let counted = self.words().into_iter().flat_map(|words| [vec![words.len().to_string()], words].concat());
        enter.within(CommandSpec::new(tool.to_string_lossy()).arg("__in-rank").args(counted))
    }

    /// A step on every node holds it.
    fn held(&self, spread: &Spread<'_>) -> InstanceCommands {
        let [start, stop] = self.words();
        let hosts: Vec<&str> = spread.hosts().collect();
        if spread.around.by_hand {
            let hold = CommandSpec::new("sh").args(["-c".to_owned(), format!("{} && sleep infinity", self.start)]);
            let start = Start::Held { holder: srun::helper(hold, &hosts, spread.around), nodes: spread.count() };
            return InstanceCommands { start, probe: spread.everywhere(&self.probe), stop: Vec::new() };
        }
        let hold = CommandSpec::new(spread.around.tool.to_string_lossy())
            .args(["__hold".to_owned(), start.len().to_string()])
            .args(start)
            .args(stop);
        let start = Start::Held { holder: srun::helper(hold, &hosts, spread.around), nodes: spread.count() };
        InstanceCommands { start, probe: spread.everywhere(&self.probe), stop: Vec::new() }
    }

    /// A command starts it, and another one stops it.
    fn in_steps(&self, spread: &Spread<'_>) -> InstanceCommands {
        InstanceCommands {
            start: Start::Each(spread.everywhere(&self.start)),
            probe: spread.everywhere(&self.probe),
            stop: spread.everywhere(&self.stop),
        }
    }
}

/// Where the launcher enters images there is no runtime to be told anything.
fn by_launcher(settings: &Settings) -> Result<(), String> {
    let Settings { launcher, environment, flags, binds, .. } = settings;
    if *launcher == Launcher::Mpirun {
        return Err("the launcher enters images there, which mpirun cannot".to_owned());
    }
    if !flags.is_empty() || !binds.is_empty() || *environment == Environment::Raw {
        return Err("the launcher enters images there, and takes no flags and binds of a container runtime".to_owned());
    }
    Ok(())
}

/// With what the site's own MPI wants of the environment, behind what the command itself wants of it.
fn with_variable(inner: CommandSpec, (name, value): (&str, &str)) -> CommandSpec {
    let value = match inner.env.get(name) {
        Some(own) if name.ends_with("PATH") && own != value => format!("{own}:{value}"),
        Some(own) => own.clone(),
        None => value.to_owned(),
    };
    inner.env(name, value)
}

/// Only `mpirun` takes parameters as arguments; to others they are variables.
fn with_mca(inner: CommandSpec, settings: &Settings) -> CommandSpec {
    settings.mca.iter().fold(inner, |inner, (name, value)| inner.env(format!("OMPI_MCA_{name}"), value))
}
