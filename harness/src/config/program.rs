//! The `[program]` table of a campaign: a program of the user's, measured whole.

use serde::Deserialize;

use super::Campaign;
use crate::{
    case::{Mode, Placement, Program},
    decision::Pairs,
};

/// As written. The command inside is that of the host where nothing else is said.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramTable {
    native: Option<Vec<String>>,
    container: Option<Vec<String>>,
    expect: String,
    #[serde(default)]
    stop_and_go: bool,
}

impl ProgramTable {
    /// What a case of `mode` launches; none where nothing says it.
    pub(super) fn of(&self, mode: Mode) -> Option<Program> {
        let argv = match mode {
            Mode::Native => &self.native,
            Mode::Embedded | Mode::Hybrid | Mode::HybridInstance | Mode::HybridSharens | Mode::Bind => {
                if self.container.is_some() { &self.container } else { &self.native }
            }
        };
        Some(Program { argv: argv.clone()?, expect: self.expect.clone() })
    }
}

impl Campaign {
    /// What cannot be meant by `[workload]` and `[program]`, and what to write instead.
    pub(super) fn measured_fault(&self) -> Option<(String, &'static str)> {
        let fault = |what: &str, hint| Some((what.to_owned(), hint));
        let program = match (&self.workload, &self.program) {
            (Some(_), Some(_)) => {
                return fault("both [workload] and [program]", "bench-app is measured by one, a program by the other");
            }
            (None, None) => {
                return fault("nothing to measure", "write [workload] with sizes, or [program] with a command");
            }
            (Some(_), None) => return None,
            (None, Some(program)) => program,
        };
        for (key, argv) in [("native", &program.native), ("container", &program.container)] {
            if argv.as_ref().is_some_and(|argv| argv.first().is_none_or(String::is_empty)) {
                return Some((
                    format!("[program] {key} names no program"),
                    "such as [\"/opt/app/bin/app\", \"-in\", \"input\"]",
                ));
            }
        }
        let probes = self.probes.iter().map(|probe| probe.mode.0);
        let mut modes = self.modes.iter().copied().chain(probes);
        if let Some(mode) = modes.find(|mode| program.of(*mode).is_none()) {
            let what = format!("[program] says nothing to launch in mode {mode}");
            return Some((what, "`native = [..]` is the command on the host, `container = [..]` the one in images"));
        }
        None
    }

    /// Why launches of its program cannot take turns, and what to write instead.
    pub(super) fn turns_fault(&self) -> Option<(String, &'static str)> {
        let program = self.program.as_ref().filter(|_| self.pairs == Pairs::Duet)?;
        if !program.stop_and_go {
            let what = "pairs = \"duet\" with [program] stops and continues its processes by signals";
            return Some((
                what.into(),
                "write `stop_and_go = true` under [program] if it bears that, or leave `pairs` out",
            ));
        }
        if self.placement != Placement::default() {
            let what =
                "a program takes turns on one node only: a message between nodes would find its receiver stopped";
            return Some((what.into(), "leave `placement` out, or `pairs`: blocks go with everything"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "schema = 1\nname = \"own\"\nversions = [\"4.1.8\"]\nranks = 2\nblocks = 6\nseed = 1\n";
    const NATIVE: &str = "[program]\nnative = [\"/opt/app/bin/app\", \"-in\", \"case\"]\nexpect = \"2 procs\"\n";

    fn read(keys: &str, modes: &str, tables: &str) -> Result<Campaign, String> {
        Campaign::parse("own", &format!("{HEAD}modes = [{modes}]\n{keys}\n{tables}")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_launched_is_the_hosts_command_unless_images_have_another() {
        let check = |more: &str, modes: &str, expected: &[&str]| {
            let campaign = read("", modes, &format!("{NATIVE}{more}")).unwrap();
            assert!(campaign.has_program());
            let design = campaign.design(&super::super::Overrides::default(), &super::super::Nowhere);
            let first = |case: &crate::case::Case| case.program.as_ref().unwrap().argv[0].clone();
            assert_eq!(design.cases.iter().map(first).collect::<Vec<_>>(), expected);
            assert!(design.cases.iter().all(|case| case.workload.cells == [Program::CELL]));
        };
        let modes = "\"native\", \"hybrid\", \"bind\"";
        check("", modes, &["/opt/app/bin/app"; 3]);
        check("container = [\"/app\"]", modes, &["/opt/app/bin/app", "/app", "/app"]);
    }

    /// Where it lies is no part of what it is.
    #[test]
    fn a_case_has_the_same_id_wherever_its_program_lies() {
        let id = |of: &str, with: &str| {
            let campaign = read("", "\"native\"", &NATIVE.replace(of, with)).unwrap();
            campaign.design(&super::super::Overrides::default(), &super::super::Nowhere).cases[0].id()
        };
        let own = id("", "");
        assert_eq!(own, id("/opt/app/bin", "/home/ada"));
        assert_ne!(own, id("bin/app", "bin/other"));
        assert_ne!(own, id("\"case\"", "\"larger\""));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_to_write() {
        let check = |keys: &str, modes: &str, tables: &str, expected: &str| {
            let error = read(keys, modes, tables).map(|_| ()).unwrap_err();
            assert!(error.contains(expected) && error.contains("hint: "), "{error}");
        };
        let workload = "[workload]\nlatency = [\"8\"]\nrounds = 1\nvisit_ms = 1\n";
        let container = "[program]\ncontainer = [\"/app\"]\nexpect = \"\"\n";
        check("", "\"native\"", &format!("{workload}{NATIVE}"), "both [workload] and [program]");
        check("", "\"native\"", "", "nothing to measure");
        check("", "\"native\"", "[program]\nnative = []\nexpect = \"\"", "native names no program");
        check("", "\"hybrid\", \"native\"", container, "nothing to launch in mode native");
        check("pairs = \"duet\"", "\"native\"", NATIVE, "stop_and_go = true");
        let bears = format!("{NATIVE}stop_and_go = true");
        check("pairs = \"duet\"\nplacement = \"one-a-node\"", "\"native\"", &bears, "one node only");
        read("pairs = \"duet\"", "\"native\"", &bears).unwrap();
        let error = read("", "\"native\"", "[program]\nnative = [\"/app\"]").map(|_| ()).unwrap_err();
        assert!(error.contains("missing field `expect`"), "{error}");
    }
}
