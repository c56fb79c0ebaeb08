//! The one idea: a mode is a composition of wrappers over an argv.
//!
//! [`compose`] is the table of ARCHITECTURE.md and README.md in code. Both wrappers, a launcher ([`mpirun::launch`]) and
//! [`apptainer::Runtime::exec`], take a [`CommandSpec`] and return one.

pub mod apptainer;
pub mod mpirun;

use std::path::Path;

use bench_app::{Workload, gate::Entrance};

use crate::{
    case::{Case, Entry, HostMpi, Launcher, Stack},
    command::CommandSpec,
};
use apptainer::{Options, Runtime};

/// Where bench-app lies in every image.
pub const APP_IN_IMAGE: &str = "/usr/local/bin/bench-app";
/// Where an image's own MPI lies.
pub const MPI_IN_IMAGE: &str = "/opt/openmpi";

/// The commands of one launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// What must run around it, in the instance mode.
    pub instance: Option<InstanceCommands>,
    /// The launch itself.
    pub launch: CommandSpec,
}

/// The life of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceCommands {
    /// Starts it.
    pub start: CommandSpec,
    /// Succeeds while it lives.
    pub probe: CommandSpec,
    /// Stops it.
    pub stop: CommandSpec,
}

/// What a launch finds around it.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The container runtime.
    pub runtime: &'a Runtime,
    /// What the instance is called, where the mode has one.
    pub instance: &'a str,
    /// Where it takes turns with another launch, if it does. The path is the same in containers.
    pub gate: Option<&'a Entrance>,
}

/// The commands that launch `workload` as `case` wants it.
#[must_use]
pub fn compose(case: &Case, workload: &Workload, around: Around<'_>) -> Commands {
    let Case { stack, ranks, settings, .. } = case;
    let Around { runtime, instance, gate } = around;
    let turns = gate.map(|gate| ["--gate".to_owned(), gate.to_string()]);
    let app = |path: &str| CommandSpec::new(path).args(workload.to_args()).args(turns.iter().flatten().cloned());
    let launch = |inner, host: &HostMpi| match settings.launcher {
        Launcher::Mpirun => mpirun::launch(inner, &host.prefix, *ranks, &settings.mca),
    };
    let options = Options::from_settings(settings);
    let options = gate.iter().fold(options, |options, gate| options.bind(&gate.path.to_string_lossy()));
    let alone = |launch| Commands { instance: None, launch };
    match stack {
        Stack::Native { host, app: path } => {
            let app = app(&path.to_string_lossy()).env("LD_LIBRARY_PATH", library_dir(host));
            let app = settings.env.iter().fold(app, |app, (name, value)| app.env(name, value));
            alone(launch(app, host))
        }
        Stack::Embedded { image } => {
            // Inside is no launcher but the image's own.
            let launch = mpirun::launch(app(APP_IN_IMAGE), Path::new(MPI_IN_IMAGE), *ranks, &settings.mca);
            alone(runtime.exec(launch, &image.path, &options))
        }
        Stack::Hybrid { host, image, entry: Entry::Exec } => {
            alone(launch(runtime.exec(app(APP_IN_IMAGE), &image.path, &options), host))
        }
        Stack::Hybrid { host, image, entry: Entry::Sharens } => {
            let options = options.flag("--sharens");
            alone(launch(runtime.exec(app(APP_IN_IMAGE), &image.path, &options), host))
        }
        Stack::Hybrid { host, image, entry: Entry::Instance } => Commands {
            instance: Some(InstanceCommands {
                start: runtime.instance_start(&image.path, instance, &options),
                probe: runtime.exec_instance(CommandSpec::new("true"), instance),
                stop: runtime.instance_stop(instance),
            }),
            launch: launch(runtime.exec_instance(app(APP_IN_IMAGE), instance), host),
        },
        Stack::Bind { host, image } => {
            let prefix = host.prefix.to_string_lossy();
            let options = options.bind(&prefix).env("LD_LIBRARY_PATH", &library_dir(host));
            alone(launch(runtime.exec(app(APP_IN_IMAGE), &image.path, &options), host))
        }
    }
}

fn library_dir(host: &HostMpi) -> String {
    host.prefix.join("lib").to_string_lossy().into_owned()
}
