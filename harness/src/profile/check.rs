//! What of a profile can be judged from where we are: is there what it names?

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{HostTable, Profile, Unset, Vars};
use crate::{case::Launcher, site::batch::Batch};

/// Whether something is as the profile says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Ok,
    /// It cannot be told from here, or is worth knowing.
    Note,
    /// It is not.
    Lacking,
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Note => "note",
            State::Lacking => "lacking",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is.
    pub state: State,
    /// The key that names it, dotted.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// An MPI with variables in place of their names, and what its setup changed; or why that failed.
pub type SetUp = Result<(HostTable, Vars), String>;

/// How to look.
pub struct Looks<'a> {
    /// After `extends`, with variables in place of their names.
    pub profile: &'a Profile,
    /// Those that are not set.
    pub unset: &'a [Unset],
    /// Whether a program is on `PATH`.
    pub on_path: &'a dyn Fn(&str) -> bool,
    /// Whether a file or directory is there.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// Does the setup of an MPI.
    pub set_up: &'a dyn Fn(&HostTable) -> SetUp,
    /// Whether this is a job.
    pub in_job: bool,
}

/// Looks at everything that a profile names.
#[must_use]
pub fn look(looks: &Looks<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = looks.unset.iter().map(unset).collect();
    findings.extend(scheduler(looks));
    findings.extend(launcher(looks));
    looks.profile.host_mpi.iter().for_each(|mpi| findings.extend(host(looks, mpi)));
    findings.extend(container(looks));
    for (mode, table) in &looks.profile.modes {
        if let Some(reason) = &table.unsupported {
            findings.push(note(&format!("modes.{mode}"), format!("not launched: {reason}")));
        }
    }
    findings
}

fn good(key: &str, found: impl Into<String>) -> Finding {
    Finding { state: State::Ok, key: key.to_owned(), found: found.into(), hint: None }
}

fn note(key: &str, found: impl Into<String>) -> Finding {
    Finding { state: State::Note, key: key.to_owned(), found: found.into(), hint: None }
}

fn lacking(key: &str, found: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { state: State::Lacking, key: key.to_owned(), found: found.into(), hint: Some(hint.into()) }
}

fn unset(Unset { key, variable }: &Unset) -> Finding {
    lacking(key, format!("{variable} is not set"), "load the module that sets it, or write the path itself")
}

fn scheduler(looks: &Looks<'_>) -> Option<Finding> {
    let table = &looks.profile.scheduler;
    let key = "scheduler.submit";
    match (table.kind, table.submit.first()) {
        (None | Some(Batch::Local), _) => None,
        (Some(kind), None) => Some(lacking(key, format!("no command submits to {kind}"), "submit = [\"sbatch\"]")),
        (Some(_), Some(program)) if (looks.on_path)(program) => Some(good(key, format!("{program} is on PATH"))),
        // Many sites allow jobs to be submitted from login nodes alone.
        (Some(_), Some(program)) if looks.in_job => Some(note(key, format!("no {program} in this job"))),
        (Some(_), Some(program)) => {
            Some(lacking(key, format!("no {program} on PATH"), "check it on a login node of the site"))
        }
    }
}

fn launcher(looks: &Looks<'_>) -> Vec<Finding> {
    let table = &looks.profile.launcher;
    let program = match table.kind.unwrap_or_default() {
        Launcher::Mpirun => None,
        Launcher::Srun => Some("srun"),
        Launcher::CccMprun => Some("ccc_mprun"),
    };
    let agent = table.agent.first().map(String::as_str);
    let agent = agent.map(|word| if word == "slurm" { "srun" } else { word });
    let look = |(key, program): (&str, &str)| {
        if (looks.on_path)(program) || (looks.exists)(Path::new(program)) {
            good(key, format!("{program} is on PATH"))
        } else {
            lacking(key, format!("no {program} on PATH"), "is this a node of the site?")
        }
    };
    [("launcher.kind", program), ("launcher.agent", agent)]
        .into_iter()
        .filter_map(|(key, program)| Some(look((key, program?))))
        .collect()
}

fn host(looks: &Looks<'_>, mpi: &HostTable) -> Vec<Finding> {
    let key = format!("host_mpi {}", mpi.version);
    let (mpi, changed) = match (looks.set_up)(mpi) {
        Ok(set_up) => set_up,
        Err(reason) => return vec![lacking(&key, reason, "do by hand what `setup` says, and see what it needs")],
    };
    let mut findings = Vec::new();
    if !mpi.setup.is_nothing() {
        let names = changed.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        findings.push(good(&key, format!("`{}` changes {names}", mpi.setup.typed())));
    }
    let mpirun = PathBuf::from(&mpi.prefix).join("bin/mpirun");
    findings.push(if (looks.exists)(&mpirun) {
        good(&key, mpirun.display().to_string())
    } else {
        let hint = format!("give its prefix in [[host_mpi]], or `sifbench mpi install {}`", mpi.version);
        lacking(&key, format!("no {}", mpirun.display()), hint)
    });
    findings
}

fn container(looks: &Looks<'_>) -> Vec<Finding> {
    let table = &looks.profile.container;
    let mut findings = Vec::new();
    if let Some(runtime) = &table.runtime {
        findings.push(if (looks.on_path)(runtime) || (looks.exists)(Path::new(runtime)) {
            good("container.runtime", format!("{runtime} is there"))
        } else {
            lacking("container.runtime", format!("no {runtime} on PATH"), "load its module, or `sifbench doctor`")
        });
    }
    for bind in table.binds.iter().flatten() {
        let source = bind.split(':').next().unwrap_or_default();
        if !source.contains('$') && !(looks.exists)(Path::new(source)) {
            findings.push(lacking(
                "container.binds",
                format!("no {source}"),
                "containers would not start: leave it out",
            ));
        }
    }
    for place in table.stage_to.iter().filter(|place| !place.contains('$')) {
        findings.push(if (looks.exists)(Path::new(place)) {
            good("container.stage_to", format!("{place} is there; each node must have it for itself"))
        } else {
            lacking("container.stage_to", format!("no {place}"), "a directory of each node's own disk, such as /tmp")
        });
    }
    let images = table.images.iter().filter(|images| !images.contains('$'));
    findings.extend(images.filter(|images| !(looks.exists)(Path::new(images))).map(|images| {
        lacking("container.images", format!("no {images}"), "make it, or leave it out where images may lie anywhere")
    }));
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::profile::Shelf;

    /// What is lacking of a shipped profile where there is only `there`.
    fn states(name: &str, there: &[&str], in_job: bool) -> Vec<String> {
        let profile = Shelf::built_in().resolve(name).unwrap().profile;
        let (profile, unset) = profile.expanded(&BTreeMap::new());
        let on_path = |program: &str| there.contains(&program);
        let exists = |path: &Path| there.iter().any(|known| Path::new(known) == path);
        let set_up = |mpi: &HostTable| Ok((mpi.clone(), BTreeMap::from([("PATH".to_owned(), "/x".to_owned())])));
        let looks =
            Looks { profile: &profile, unset: &unset, on_path: &on_path, exists: &exists, set_up: &set_up, in_job };
        look(&looks).into_iter().map(|f| format!("{} {}: {}", f.state.name(), f.key, f.found)).collect()
    }

    #[test]
    fn what_a_profile_names_is_looked_for() {
        let check = |name: &str, there: &[&str], in_job: bool, expected: &[&str]| {
            assert_eq!(states(name, there, in_job), expected, "{name}");
        };
        check("laptop", &[], false, &[]);
        check(
            "slurm",
            &["sbatch", "srun"],
            false,
            &["ok scheduler.submit: sbatch is on PATH", "ok launcher.agent: srun is on PATH"],
        );
        check(
            "oar",
            &[],
            true,
            &["note scheduler.submit: no oarsub in this job", "lacking launcher.agent: no oarsh on PATH"],
        );
        check(
            "oar",
            &[],
            false,
            &["lacking scheduler.submit: no oarsub on PATH", "lacking launcher.agent: no oarsh on PATH"],
        );
        check(
            "idris",
            &["sbatch", "srun"],
            false,
            &[
                "lacking container.images: SINGULARITY_ALLOWED_DIR is not set",
                "ok scheduler.submit: sbatch is on PATH",
                "ok launcher.kind: srun is on PATH",
                "ok launcher.agent: srun is on PATH",
                "lacking container.runtime: no singularity on PATH",
                "note modes.hybrid-sharens: not launched: SingularityCE has no --sharens",
            ],
        );
    }

    #[test]
    fn an_mpi_is_looked_for_where_its_setup_puts_it() {
        let found = states("gricad", &["oarsub", "oarsh", "apptainer"], false);
        let of_mpi: Vec<&String> = found.iter().filter(|words| words.contains("host_mpi 4.1.8")).collect();
        assert_eq!(
            of_mpi,
            [
                "ok host_mpi 4.1.8: `source /applis/site/nix.sh` changes PATH",
                "lacking host_mpi 4.1.8: no $HOME/.nix-profile/bin/mpirun",
            ]
        );
    }
}
