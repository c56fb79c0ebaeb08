//! The guard of this node: `sifbench __guard-room <harness pid> <scratch>`, a process that sleeps until its harness is gone.
//!
//! One that ends by itself ends its guard. One that is killed cannot clear away what it has started, and launches that end
//! without it leave things of which nobody can prove later whose they were: so its guard does at once what else the next
//! start would do.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use super::{Place, ProcessError, Room, failed, now, procfs::Identity};

pub(super) const WORD: &str = "__guard-room";

/// From the end of a harness's pipe to the end of the harness, which may write a core first.
const DYING: Duration = Duration::from_secs(60);

/// A guard, ended with this.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    id: Identity,
}

impl Guard {
    /// Starts the guard of this process's private directories. It notices the end by a pipe that nothing else inherits.
    pub(super) fn begin(place: &Place) -> Result<Self, ProcessError> {
        #[expect(clippy::disallowed_methods, reason = "this room starts processes")]
        let mut command = Command::new(&place.stage);
        command.arg0("sifbench").arg(WORD).arg(std::process::id().to_string()).arg(&place.scratch);
        // Nothing that an attempt could be told by; what ends mounts is found on a path of its own.
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::null());
        let child = command.spawn().map_err(failed("start the guard of this node"))?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        // Nobody else collects it, so it is there, if only as a zombie.
        Ok(Self { child, id: Identity::of(pid) })
    }

    pub(super) fn id(&self) -> Identity {
        self.id
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // One that was killed is collected all the same.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(super) fn guard_room(words: Vec<OsString>) -> ExitCode {
    let Ok([harness, scratch]) = <[OsString; 2]>::try_from(words) else { return ExitCode::from(2) };
    let Some(harness) = harness.to_str().and_then(|pid| pid.parse().ok()) else { return ExitCode::from(2) };
    let guarded = (|| -> Result<(), Box<dyn std::error::Error>> {
        let harness = Identity::of(harness);
        // What is meant for the harness is the harness's to answer: its end is what counts here.
        rustix::process::setsid()?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        rustix::thread::set_name(c"sif-guard")?;
        rustix::process::chdir("/")?;
        io::copy(&mut io::stdin(), &mut io::sink())?;
        let until = now() + DYING;
        while harness.lives() && now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let swept = Room::guest(Place { scratch: PathBuf::from(scratch), ..Place::default() }).clear_stale()?;
        if !swept.nothing() {
            super::tell("killed; what it had left here was cleared");
        }
        swept.left.iter().for_each(|left| super::tell(&format!("cannot clear {left}")));
        Ok(())
    })();
    match guarded {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::tell(&format!("{}: {error}", super::owner::host()));
            ExitCode::FAILURE
        }
    }
}
