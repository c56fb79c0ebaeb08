//! A campaign as a job: the script, what a scheduler answers to it, and how the job is doing. Nothing here runs anything.

use std::path::{Path, PathBuf};

use crate::{
    command::CommandSpec,
    plan::Estimate,
    profile::{SchedulerTable, placeholders},
    site::batch::Batch,
};

/// What a job asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// Its name in the queue.
    pub name: String,
    /// Nodes.
    pub nodes: u32,
    /// Ranks on each.
    pub tasks: u32,
    /// Until the scheduler stops it, s.
    pub seconds: u64,
    /// Who pays.
    pub account: Option<String>,
    /// Where what it says goes.
    pub output: PathBuf,
}

/// From the launches that were planned to what is asked for: launches that hang take longer, and a job has to start.
const MARGIN: f64 = 1.5;
const START_S: f64 = 300.0;
/// Schedulers reckon in minutes, and people in five of them.
const STEP_S: u64 = 300;

/// How long a job may take whose launches take as long as `estimate` says.
#[must_use]
pub fn walltime(estimate: &Estimate) -> u64 {
    let wanted = (estimate.seconds[1] * MARGIN + START_S).ceil() as u64;
    wanted.div_ceil(STEP_S) * STEP_S
}

/// A time as people write it for schedulers: `H:MM:SS`, `H:MM`, or minutes.
///
/// # Errors
/// It is none.
pub fn parse_walltime(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is no time; hint: H:MM:SS, H:MM, or minutes, such as 1:30:00");
    let parts: Vec<u64> = text.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
    let seconds = match parts.as_slice() {
        [minutes] => minutes.checked_mul(60),
        [hours, minutes] if *minutes < 60 => hours.checked_mul(3600).and_then(|s| s.checked_add(minutes * 60)),
        [hours, minutes, seconds] if *minutes < 60 && *seconds < 60 => {
            hours.checked_mul(3600).and_then(|s| s.checked_add(minutes * 60 + seconds))
        }
        _ => None,
    };
    seconds.filter(|seconds| *seconds > 0).ok_or_else(bad)
}

/// Who pays, as a directive takes it: in a script's head a space ends the word, and a line break the directive.
///
/// # Errors
/// It is not one word.
pub fn parse_account(text: &str) -> Result<String, String> {
    let is_word = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    is_word
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no account; hint: one word, as the scheduler's accounting has it"))
}

/// A campaign's name as a part of the names of jobs and files.
#[must_use]
pub fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    name.trim().chars().map(plain).collect::<String>().trim_start_matches('.').to_owned()
}

/// `H:MM:SS`, which every scheduler understands.
#[must_use]
pub fn clock(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

impl Wishes {
    /// What a name in a directive stands for; nothing where nobody has said.
    fn value(&self, name: &str) -> Option<String> {
        match name {
            "nodes" => Some(self.nodes.to_string()),
            "tasks" => Some(self.tasks.to_string()),
            "ranks" => Some((u64::from(self.nodes) * u64::from(self.tasks)).to_string()),
            "walltime" => Some(clock(self.seconds)),
            "seconds" => Some(self.seconds.to_string()),
            "account" => self.account.clone(),
            "name" => Some(self.name.clone()),
            "output" => Some(self.output.display().to_string()),
            _ => None,
        }
    }

    /// A directive with values, unless it names something that nobody has said.
    fn filled(&self, directive: &str) -> Option<String> {
        placeholders(directive).try_fold(directive.to_owned(), |text, name| {
            self.value(name).map(|value| text.replace(&format!("{{{name}}}"), &value))
        })
    }

    /// Node-hours, at most.
    #[must_use]
    pub fn node_hours(&self) -> f64 {
        self.seconds as f64 / 3600.0 * f64::from(self.nodes)
    }
}

/// The script of a job that runs `command` in `dir`. It ends with it, so that it is the command whom the scheduler tells to stop.
#[must_use]
pub fn script(scheduler: &SchedulerTable, wishes: &Wishes, dir: &Path, command: &CommandSpec) -> String {
    let mark = scheduler.kind.and_then(Batch::mark);
    let directives = scheduler.directives.iter().filter_map(|directive| wishes.filled(directive));
    let head: String =
        mark.into_iter().flat_map(|mark| directives.clone().map(move |d| format!("{mark} {d}\n"))).collect();
    let cd = CommandSpec::new("cd").arg(dir.to_string_lossy());
    format!("#!/bin/sh\n{head}{cd} || exit\nexec {command}\n")
}

/// Whether a directory is a node's own, and so invisible from the others or gone with the job.
#[must_use]
pub fn is_of_one_node(path: &Path) -> bool {
    ["/tmp", "/var/tmp", "/dev/shm", "/run"].iter().any(|own| path.starts_with(own))
}

/// The job's number in what the scheduler answered.
#[must_use]
pub fn job_id(batch: Batch, said: &str) -> Option<String> {
    let number = |text: &str| Some(text.trim().to_owned()).filter(|id| id.starts_with(|c: char| c.is_ascii_digit()));
    match batch {
        // `sbatch --parsable`: the number, and the cluster behind a semicolon.
        Batch::Slurm => said.lines().rev().find_map(|line| {
            number(line.strip_prefix("Submitted batch job").unwrap_or(line).split(';').next().unwrap_or_default())
        }),
        Batch::Oar => said.lines().find_map(|line| number(line.strip_prefix("OAR_JOB_ID=")?)),
        Batch::Pbs => said.lines().rev().find_map(number),
        // `Submitted Batch Session 1234567`.
        Batch::Bridge => said.lines().rev().find_map(|line| number(line.rsplit(' ').next()?)),
        Batch::Local => None,
    }
}

/// What asks a scheduler how a job is doing.
#[must_use]
pub fn ask(batch: Batch, job: &str) -> CommandSpec {
    match batch {
        Batch::Slurm | Batch::Bridge => CommandSpec::new("scontrol").args(["--oneliner", "show", "job", job]),
        Batch::Oar => CommandSpec::new("oarstat").args(["-f", "-j", job]),
        Batch::Pbs | Batch::Local => CommandSpec::new("qstat").args(["-x", "-f", job]),
    }
}

/// How a job is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The scheduler's word for it.
    pub state: String,
    /// Whether it is over.
    pub over: bool,
    /// Its exit code, where it is over and that is told.
    pub code: Option<i32>,
}

impl Status {
    /// From what was answered to [`ask`]; none where the scheduler does not know the job (any more).
    #[must_use]
    pub fn of(batch: Batch, said: &str) -> Option<Self> {
        let (state, code) = match batch {
            Batch::Slurm | Batch::Bridge => (word(said, "JobState=")?, word(said, "ExitCode=")),
            Batch::Oar => (word(said, "state = ")?, word(said, "exit_code = ")),
            Batch::Pbs | Batch::Local => (word(said, "job_state = ")?, word(said, "Exit_status = ")),
        };
        let alive: &[&str] = match batch {
            Batch::Slurm | Batch::Bridge => {
                &["PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "REQUEUED", "COMPLETING", "STOPPED", "RESIZING"]
            }
            Batch::Oar => &[
                "Waiting",
                "Hold",
                "toLaunch",
                "toAckReservation",
                "Launching",
                "Running",
                "Suspended",
                "Resuming",
                "Finishing",
            ],
            Batch::Pbs | Batch::Local => &["Q", "R", "H", "E", "W", "T", "S", "B", "M"],
        };
        let over = !alive.contains(&state.as_str());
        // `1:0` of Slurm: code and signal. OAR tells the status of wait, code times 256, with the code in brackets.
        let code = code.filter(|_| over).and_then(|code| {
            let (number, signal) = code.split_once(':').unwrap_or((&code, "0"));
            let number: i32 = number.parse().ok()?;
            let signal: i32 = signal.parse().ok()?;
            let number = if batch == Batch::Oar && number >= 256 { number / 256 } else { number };
            Some(if signal == 0 { number } else { 128 + signal })
        });
        Some(Self { state, over, code })
    }
}

/// The word behind a key.
fn word(text: &str, key: &str) -> Option<String> {
    let starts =
        text.match_indices(key).find(|(at, _)| text[..*at].chars().next_back().is_none_or(char::is_whitespace))?;
    let rest = &text[starts.0 + key.len()..];
    rest.split(|c: char| c.is_whitespace() || c == ',').next().filter(|word| !word.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_for_any_scheduler() {
        let check = |text: &str, seconds: u64, written: &str| {
            assert_eq!(parse_walltime(text), Ok(seconds));
            assert_eq!(clock(seconds), written);
        };
        check("30", 1800, "0:30:00");
        check("1:30", 5400, "1:30:00");
        check("12:00:05", 43205, "12:00:05");
        check("100:00:00", 360_000, "100:00:00");
        for bad in ["", "0", "1:60", "x", "1:2:3:4", "-5", "99999999999999999999"] {
            assert!(parse_walltime(bad).unwrap_err().contains("hint"), "{bad}");
        }
    }

    #[test]
    fn a_job_is_given_half_as_much_again_and_time_to_start() {
        let check = |seconds: f64, expected: u64| {
            let estimate = Estimate { launches: [1, 1], seconds: [0.0, seconds], nodes: 2 };
            assert_eq!(walltime(&estimate), expected);
        };
        check(0.0, 300);
        check(19.0, 600);
        check(3600.0, 5700);
    }

    #[test]
    fn jobs_are_known_by_what_schedulers_answer() {
        let check =
            |batch, said: &str, expected: Option<&str>| assert_eq!(job_id(batch, said).as_deref(), expected, "{said}");
        check(Batch::Slurm, "42\n", Some("42"));
        check(Batch::Slurm, "sbatch: a word of the site\n42;cluster\n", Some("42"));
        check(Batch::Slurm, "Submitted batch job 42\n", Some("42"));
        check(Batch::Slurm, "sbatch: error: Batch job submission failed\n", None);
        check(Batch::Oar, "Generate a job key...\nOAR_JOB_ID=3\n", Some("3"));
        check(Batch::Oar, "# No free resource\n", None);
        check(Batch::Bridge, "Submitted Batch Session 1234567\n", Some("1234567"));
        check(Batch::Pbs, "88.pbs01\n", Some("88.pbs01"));
    }

    #[test]
    fn a_job_is_over_when_its_scheduler_says_so() {
        let check = |batch, said: &str, expected: Option<(&str, bool, Option<i32>)>| {
            let status = Status::of(batch, said);
            assert_eq!(status.as_ref().map(|s| (s.state.as_str(), s.over, s.code)), expected, "{said}");
        };
        let slurm = |state: &str, code: &str| {
            format!("JobId=4 JobName=q JobState={state} Reason=None ExitCode={code} RunTime=00")
        };
        check(Batch::Slurm, &slurm("PENDING", "0:0"), Some(("PENDING", false, None)));
        check(Batch::Slurm, &slurm("COMPLETED", "0:0"), Some(("COMPLETED", true, Some(0))));
        check(Batch::Slurm, &slurm("FAILED", "3:0"), Some(("FAILED", true, Some(3))));
        check(Batch::Slurm, &slurm("TIMEOUT", "0:15"), Some(("TIMEOUT", true, Some(143))));
        check(Batch::Slurm, "slurm_load_jobs error: Invalid job id specified", None);
        let oar = |state: &str, code: &str| {
            format!("job_id: 3\n    job_array_id = 3\n    state = {state}\n    exit_code = {code}\n")
        };
        check(Batch::Oar, &oar("Running", ""), Some(("Running", false, None)));
        check(Batch::Oar, &oar("Terminated", "0 (0,0,0)"), Some(("Terminated", true, Some(0))));
        check(Batch::Oar, &oar("Error", "33280 (130,0,0)"), Some(("Error", true, Some(130))));
        check(Batch::Pbs, "Job Id: 8\n    job_state = F\n    Exit_status = 1\n", Some(("F", true, Some(1))));
    }

    #[test]
    fn directories_of_one_node_are_told() {
        for own in ["/tmp", "/tmp/x", "/var/tmp/x", "/dev/shm/y"] {
            assert!(is_of_one_node(Path::new(own)), "{own}");
        }
        for shared in ["/home/ada", "/tmpfoo", "/scratch/tmp"] {
            assert!(!is_of_one_node(Path::new(shared)), "{shared}");
        }
    }
}
