//! bench-app under a real `mpirun`, for the tests of its own. `scripts/test` names both: SIFBENCH_TEST_MPIRUN is the
//! launcher, in a prefix whose `lib` holds its library, and SIFBENCH_TEST_APP the binary. An ordinary user runs these, one
//! test after the other.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bench_app::{
    Decoded, Event, Kernel, decode,
    event::{Facts, Failed, Late, Trace, Visited},
    exit,
};

/// Two launches at once on two cores would look like hangs.
pub(crate) static MACHINE: Mutex<()> = Mutex::new(());
/// No launch here takes a tenth of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A launch that has ended.
pub(crate) struct Launch {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Event>,
    pub(crate) said: String,
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; hint: scripts/test sets it"))
}

/// `mpirun`, with `options` and `ranks`, of bench-app with `args`.
pub(crate) fn mpirun(ranks: u32, options: &[&str], args: &[&str]) -> Command {
    let (mpirun, app) = (variable("SIFBENCH_TEST_MPIRUN"), variable("SIFBENCH_TEST_APP"));
    let prefix = Path::new(&mpirun).parent().and_then(Path::parent).unwrap().to_owned();
    let mut command = Command::new(&mpirun);
    command.args(["-np", &ranks.to_string()]).args(options).arg(app).args(args);
    command.env("LD_LIBRARY_PATH", prefix.join("lib")).stdin(Stdio::null());
    command
}

pub(crate) fn launch(ranks: u32, options: &[&str], args: &[&str]) -> Launch {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    ended(&mut mpirun(ranks, options, args))
}

/// What came of `command`, once it has ended.
pub(crate) fn ended(command: &mut Command) -> Launch {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let events = stdout.lines().filter_map(|line| match decode(line) {
        Decoded::Event { event, .. } => Some(*event),
        Decoded::Text => None,
        Decoded::Garbled(why) => panic!("{why}: {line}"),
    });
    let (code, events) = (status.code(), events.collect());
    Launch { code, events, said: String::from_utf8_lossy(&stderr).into_owned() }
}

impl Launch {
    pub(crate) fn measured(self) -> Self {
        assert_eq!(self.code, Some(exit::MEASURED.into()), "{:?}\n{}", self.events.last(), self.said);
        assert!(matches!(self.events.last(), Some(Event::Done(_))), "{:?}", self.events.last());
        self
    }

    /// What the rank says that could not go on, in a launch that ended with `code`.
    pub(crate) fn failed(&self, code: u8) -> &Failed {
        assert_eq!(self.code, Some(code.into()), "{:?}\n{}", self.events.last(), self.said);
        self.events.iter().find_map(|e| if let Event::Failed(failed) = e { Some(failed) } else { None }).unwrap()
    }

    pub(crate) fn facts(&self) -> &Facts {
        self.events.iter().find_map(|e| if let Event::Facts(facts) = e { Some(facts) } else { None }).unwrap()
    }

    pub(crate) fn late(&self) -> &Late {
        self.events.iter().find_map(|e| if let Event::Late(late) = e { Some(late) } else { None }).unwrap()
    }

    pub(crate) fn visited(&self) -> Vec<&Visited> {
        self.events.iter().filter_map(|e| if let Event::Visited(visited) = e { Some(visited) } else { None }).collect()
    }

    pub(crate) fn traces(&self) -> Vec<&Trace> {
        self.events.iter().filter_map(|e| if let Event::Trace(trace) = e { Some(trace) } else { None }).collect()
    }

    /// Batches of `kernel`, all sizes and visits.
    pub(crate) fn batches(&self, kernel: Kernel) -> Vec<u64> {
        let of = |event: &Event| match event {
            Event::Measurement(m) if m.kernel == kernel => m.ns.clone(),
            _ => Vec::new(),
        };
        self.events.iter().flat_map(of).collect()
    }
}

/// Processes that run bench-app, by their command line.
pub(crate) fn alive() -> Vec<String> {
    let app = variable("SIFBENCH_TEST_APP");
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let runs = |path: &Path| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let own = line.split(|byte| *byte == 0).next().is_some_and(|program| program == app.as_bytes());
        own.then(|| path.file_name().unwrap().to_string_lossy().into_owned())
    };
    processes.filter_map(|path| runs(&path)).collect()
}
