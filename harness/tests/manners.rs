//! The commands beside measuring: what helps a person along, on a machine that has nothing installed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use assert_cmd::Command;
use harness::case::Mode;
use predicates::{
    prelude::PredicateBooleanExt,
    str::{contains, starts_with},
};

const SIFBENCH: &str = env!("CARGO_BIN_EXE_sifbench");

/// sifbench with an empty home and cache, and no programs on PATH.
fn sifbench(home: &tempfile::TempDir) -> Command {
    let mut command = Command::new(SIFBENCH);
    command.env_clear().env("HOME", home.path()).env("PATH", home.path()).current_dir(home.path());
    command
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn json(command: &mut Command) -> (serde_json::Value, i32) {
    let output = command.output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

#[test]
fn doctor_names_what_is_lacking_what_it_costs_and_what_to_type() {
    let doctor = sifbench(&home()).arg("doctor").assert().code(1);
    doctor
        .stdout(
            contains("lacking  Open MPI")
                .and(contains("sifbench mpi install"))
                .and(contains("no Apptainer and no Singularity"))
                .and(contains("for want of:"))
                .and(contains("\x1b").not()),
        )
        .stderr(contains("no mode can be measured here"));
}

#[test]
fn doctor_as_json_has_every_check_and_what_it_was_told() {
    let (diagnosis, code) = json(sifbench(&home()).args(["doctor", "--json"]));
    assert_eq!((code, &diagnosis["schema"]), (1, &serde_json::json!(1)));
    let checks = diagnosis["checks"].as_array().unwrap();
    assert!(checks.len() >= 20 && checks.iter().all(|check| check["found"].as_str().is_some_and(|f| !f.is_empty())));
    for check in checks.iter().filter(|check| check["state"] == "lacking") {
        assert!(!check["costs"].as_str().unwrap().is_empty() && check["mend"].is_array(), "{check}");
    }
    assert_eq!(diagnosis["modes"].as_array().unwrap().len(), Mode::ALL.len());
    assert!(diagnosis["surroundings"]["cpus"]["usable"].as_u64().unwrap() >= 1);
}

#[test]
fn doctor_knows_a_login_node() {
    let home = home();
    std::fs::write(home.path().join("oarsub"), "").unwrap();
    sifbench(&home).arg("doctor").assert().stdout(contains("this looks like a login node").and(contains("oarsub -")));
    let inside = sifbench(&home).arg("doctor").env("OAR_JOB_ID", "7").assert();
    inside.stdout(contains("OAR, inside an allocation"));
}

#[test]
fn init_writes_a_campaign_that_can_be_planned_and_says_what_comes_next() {
    let home = home();
    let init = sifbench(&home).args(["init", "my.toml"]).assert().code(0);
    init.stdout("my.toml\n").stderr(
        contains("next:")
            .and(contains("sifbench mpi install 4.1.8"))
            .and(contains("sifbench image build 4.1.8"))
            .and(contains("sifbench run my.toml")),
    );
    sifbench(&home).args(["plan", "my.toml"]).assert().code(0).stdout(contains("# first: "));
}

#[test]
fn init_writes_over_nothing_unless_it_is_told_to() {
    let home = home();
    let file = home.path().join("campaign.toml");
    std::fs::write(&file, "mine").unwrap();
    sifbench(&home).arg("init").assert().code(3).stderr(contains("is there already").and(contains("hint: ")));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    sifbench(&home).args(["init", "--force"]).assert().code(0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("schema = 1"));
    sifbench(&home).args(["init", "none/such.toml"]).assert().code(1).stderr(contains("hint: "));
    sifbench(&home).args(["init", "-"]).assert().code(0).stdout(starts_with("# A campaign"));
}

#[test]
fn image_check_says_what_is_not_there() {
    let (checked, code) = json(sifbench(&home()).args(["image", "check", "4.1.8", "--json"]));
    assert_eq!(code, 1);
    assert_eq!(checked[0]["name"], "openmpi 4.1.8");
    assert_eq!(checked[0]["faults"], serde_json::json!([{ "fault": "absent" }]));
    let check = sifbench(&home()).args(["image", "check", "4.1.8"]).assert().code(1);
    check.stdout(contains("FAULTY  openmpi 4.1.8").and(contains("not built yet")));
    sifbench(&home()).args(["image", "check"]).assert().code(1).stderr(contains("hint: "));
}

#[test]
fn all_versions_are_built_or_some_but_not_both() {
    sifbench(&home()).args(["image", "build", "--all", "4.1.8"]).assert().code(2);
    let build = sifbench(&home()).args(["image", "build", "--all"]).assert().code(1);
    build.stderr(contains("hint: "));
}

#[test]
fn completions_are_for_the_shell_that_was_named() {
    for (shell, words) in [("bash", "complete -F"), ("zsh", "#compdef sifbench"), ("fish", "complete -c sifbench")] {
        let output = sifbench(&home()).args(["completions", shell]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(words) && text.contains("doctor"), "{shell}");
        if shell == "bash" {
            Command::new("bash").args(["-n", "/dev/stdin"]).write_stdin(text).assert().success();
        }
    }
    sifbench(&home()).args(["completions", "tcsh"]).assert().code(2).stderr(contains("bash"));
}

/// The manual is the list of all commands: each has a page, and teaches by example.
#[test]
fn every_command_has_a_manual_page_and_help_with_an_example() {
    let home = home();
    let output = sifbench(&home).args(["man", "pages"]).output().unwrap();
    let files: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert!(files.len() >= 14, "{files:?}");
    for file in &files {
        let page = std::fs::read_to_string(home.path().join(file)).unwrap();
        assert!(page.contains(".SH EXAMPLES\n.nf\n") && page.contains(".SH \"EXIT STATUS\""), "{file}");
        let name = file.trim_start_matches("pages/sifbench").trim_start_matches('-').trim_end_matches(".1");
        let words = name.split('-').filter(|word| !word.is_empty());
        let help = sifbench(&home).args(words).arg("--help").assert().code(0);
        let help = String::from_utf8(help.get_output().stdout.clone()).unwrap();
        let branch = files.iter().any(|other| other.starts_with(&format!("pages/sifbench-{name}-")));
        assert!(branch || help.contains("Example"), "{file}: {help}");
    }
}

#[test]
fn readers_may_leave_early() {
    let home = home();
    for words in ["plan quick --blocks 300", "plan quick --blocks 300 --json", "--help", "completions bash", "init -"] {
        let line = format!("{SIFBENCH} {words} | true");
        let mut shell = Command::new("bash");
        shell.args(["-o", "pipefail", "-c", &line]).current_dir(home.path());
        shell.assert().code(0).stderr("");
    }
}

#[test]
fn errors_say_what_to_do() {
    let home = home();
    std::fs::create_dir(home.path().join("results")).unwrap();
    let check = |words: &str, code: i32| {
        sifbench(&home).args(words.split(' ')).assert().code(code).stderr(contains("hint: ").or(contains("--help")));
    };
    check("plan nothing.toml", 2);
    check("run quick", 1);
    check("run --resume results/none", 1);
    check("run quick --ranks 5000", 3);
    check("report results", 1);
    check("report nowhere", 1);
    check("mpi install 4.0.9", 2);
    check("mpi install", 2);
    check("mpi install 4.1.8", 1);
    check("image build 4.0.9", 2);
    check("image build 4.1.8", 1);
    check("image check nothing", 2);
    check("run quick --site UPPER", 2);
    check("mpi install 4.1.8 4.0.9", 2);
}
