//! The command line as a user meets it, on a machine that has nothing installed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use assert_cmd::Command;
use predicates::{prelude::PredicateBooleanExt, str::contains};

/// sifbench with an empty home and cache, and no programs on PATH.
fn sifbench(home: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifbench"));
    command.env_clear().env("HOME", home.path()).env("PATH", home.path()).current_dir(home.path());
    command
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn help_teaches_and_goes_to_standard_output() {
    for words in [
        "--help",
        "plan --help",
        "run --help",
        "matrix --help",
        "report --help",
        "recommend --help",
        "compare --help",
        "aa --help",
        "image build --help",
        "kit build --help",
        "kit check --help",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        sifbench(&home()).args(words).assert().code(0).stdout(contains("Example"));
    }
}

#[test]
fn plan_needs_nothing_installed_and_prints_pasteable_commands() {
    let home = home();
    let plan = sifbench(&home).args(["plan", "quick", "--blocks", "1"]).assert().code(0);
    plan.stdout(
        contains("apptainer exec --sharens")
            .and(contains("instance start"))
            .and(contains("# absent: `sifbench mpi install 4.1.8` makes"))
            .and(contains("# block 1 of 1")),
    );
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "plan leaves nothing behind");
}

#[test]
fn plan_prints_one_block_of_many_unless_all_are_asked_for() {
    let home = home();
    let plan = |words: &str| {
        let plan = sifbench(&home).args(["plan", "quick"]).args(words.split_whitespace()).assert().code(0);
        text(&plan)
    };
    let titles = |text: &str| text.lines().filter(|line| line.contains("block")).map(str::to_owned).collect::<Vec<_>>();
    let launches = |text: &str| text.lines().filter(|line| line.contains("mpirun")).count();
    let (short, whole) = (plan(""), plan("--every-block"));
    for part in ["# block 0: discovery", "# block 1 of 12", "# blocks 2 to 12 of 12: the same launches", "# probes: "] {
        assert!(short.contains(part), "{part}: {short}");
    }
    assert!(whole.contains("# block 12 of 12") && !whole.contains("the same launches"), "{:?}", titles(&whole));
    assert_eq!(launches(&whole) - launches(&short), 11 * 7, "{:?}", titles(&short));
    assert!(plan("--blocks 2").contains("# block 2 of 2: the same launches in another order"));
    for blocks in ["--blocks 1", "--blocks 0"] {
        assert_eq!(plan(blocks), plan(&format!("{blocks} --every-block")), "nothing is left out");
    }
}

#[test]
fn plan_shows_what_is_brought_to_the_nodes_and_run_from_there() {
    let home = home();
    let plan = |flags: &[&str]| {
        let output = sifbench(&home).args(["plan", "quick", "--blocks", "1"]).args(flags).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let commands = |plan: &str| plan.lines().filter(|line| !line.starts_with('#')).collect::<String>();
    let staged = plan(&["--stage", "/disk"]);
    assert!(
        staged.contains("# first: images, bench-app and Open MPIs of the cache to /disk, on each node"),
        "{staged}"
    );
    // What is absent is absent where it is made.
    assert!(staged.contains("absent") && staged.contains("/images/openmpi-4.1.8"), "{staged}");
    assert!(commands(&staged).contains("/disk/sifbench-NAME/openmpi-4.1.8"), "{staged}");
    assert!(!commands(&staged).contains("/images/") && !commands(&staged).contains("/mpi/"), "{staged}");
    assert_eq!(plan(&["--stage", "none"]), plan(&[]));
    // As `run` has it; of a variable only the job may know what it is.
    let relative = sifbench(&home).args(["plan", "quick", "--stage", "disk"]).assert().code(3);
    relative.stderr(contains("images cannot be staged to `disk`").and(contains("hint: an absolute path")));
    assert!(plan(&["--stage", "$DISK"]).contains("cache to $DISK, on each node"));
}

#[test]
fn plan_names_what_makes_the_parts_of_a_bench_app_for_each_version() {
    let home = home();
    let campaign = |mode: &str, version: &str| {
        let text = format!(
            "schema = 1\nname = \"own\"\napp = \"own\"\nmodes = [\"{mode}\"]\nversions = [\"{version}\"]\nranks = 2\n\
             blocks = 1\nseed = 1\n[workload]\nlatency = [\"8\"]\nrounds = 1\nvisit_ms = 1\n"
        );
        std::fs::write(home.path().join("own.toml"), text).unwrap();
        sifbench(&home).args(["plan", "own.toml"]).assert()
    };
    for mode in ["native", "embedded", "hybrid", "bind"] {
        let plan = campaign(mode, "5.0.11").code(0);
        plan.stdout(contains("# absent: `sifbench image build --app own 5.0.11` makes").and(contains("-5.0.11-own-")));
    }
    campaign("embedded", "4.1.4").code(1).stderr(contains("no headers of Open MPI 4.1.4").and(contains("hint")));
}

#[test]
fn plan_as_json_has_every_launch_of_every_block() {
    let output = sifbench(&home()).args(["plan", "quick", "--blocks", "2", "--json"]).output().unwrap();
    let launches: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    // Six modes in discovery, seven launches a block with the twin, one probe.
    assert_eq!(launches.len(), 6 + 2 * 7 + 1);
    assert!(launches.iter().all(|launch| launch["argv"].as_array().unwrap().len() > 3));
}

#[test]
fn usage_and_campaign_faults_exit_with_2_and_say_where() {
    let home = home();
    sifbench(&home).arg("mesure").assert().code(2).stderr(contains("mesure"));
    sifbench(&home).args(["plan", "qick"]).assert().code(2).stderr(contains("qick").and(contains("hint")));
    std::fs::write(home.path().join("bad.toml"), "schema = 1\nmode = 3\n").unwrap();
    sifbench(&home)
        .args(["plan", "bad.toml"])
        .assert()
        .code(2)
        .stderr(contains("line 2, column 1").and(contains("`mode`")).and(contains("\nhint: `sifbench init -`")));
}

/// A hint has a line of its own wherever a fault is found, and a number below nothing is a value and no flag.
#[test]
fn values_of_flags_are_told_with_a_hint() {
    let home = home();
    let check = |words: &str, expected: &str| {
        let fault = sifbench(&home).args(words.split(' ')).assert().code(2);
        let text = String::from_utf8(fault.get_output().stderr.clone()).unwrap();
        assert!(text.contains(expected) && !text.contains("; hint: ") && !text.contains("tip:"), "{words}: {text}");
    };
    check("plan quick --modes natve", "unknown mode `natve`\nhint: one of native");
    check("plan quick --ranks 0", "`0` is no count\nhint: a whole number");
    check("plan quick --ranks -1", "`-1` is no count\nhint: a whole number");
    check("plan quick --ranks 2,x", "`x` is no count");
    check("plan quick --blocks -3", "-3 is not in 0..");
    check("submit quick --nodes 0", "`0` is no count");
    for (flag, command) in ["agent", "pmi", "stage", "profile", "container-runtime"]
        .into_iter()
        .flat_map(|flag| ["plan", "run"].map(|command| (flag, command)))
    {
        check(&format!("{command} quick --{flag}="), "that says nothing\nhint: without the flag");
    }
    check("compare a b --margin -1", "-1 is not a margin\nhint: such as 0.05 for 5 %");
    check("compare a b --margin 5%", "`5%` is not a number\nhint: such as 0.05 for 5 %");
    check("aa --synthetic --trials 0", "0 is not in 1..");
    check("aa --synthetic --margin -1", "-1 is not a margin");
}

/// Whatever takes a file as text says which one is none.
#[test]
fn a_name_that_is_no_text_is_named() {
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"caf\xe9.toml");
    for words in ["plan", "run", "matrix", "submit", "pilot", "compare results", "kit build --campaign"] {
        let refused = sifbench(&home()).args(words.split(' ')).arg(odd).assert().code(2);
        let named = contains("'caf\u{fffd}.toml'").and(contains("it is not UTF-8\nhint: rename it"));
        refused.stderr(named);
    }
}

#[test]
fn run_names_what_is_absent_and_the_command_that_makes_it() {
    let missing = sifbench(&home()).args(["run", "quick"]).assert().code(1);
    missing.stderr(contains("is not there").and(contains("hint")).and(contains("sifbench ")));
}

/// Every launch of an image would fail alike, and a whole campaign of them would be measured.
#[test]
fn run_wants_the_container_runtime_before_it_begins() {
    let home = home();
    let plan = sifbench(&home).args(["plan", "quick"]).output().unwrap();
    for line in String::from_utf8(plan.stdout).unwrap().lines().filter(|line| line.starts_with("# absent: ")) {
        let path = std::path::Path::new(line.rsplit_once(' ').unwrap().1);
        let file = if line.contains("mpi install") { path.join("bin/mpirun") } else { path.to_owned() };
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
    }
    let check = |flags: &[&str], name: &str| {
        let run = sifbench(&home).args(["run", "quick"]).args(flags).assert().code(1);
        let hint = contains("hint: `sifbench doctor`").and(contains("--container-runtime"));
        run.stderr(contains(format!("the container runtime `{name}` is not there")).and(hint));
    };
    check(&[], "apptainer");
    check(&["--container-runtime", "docker"], "docker");
    check(&["--container-runtime", "/no/apptainer"], "/no/apptainer");
    assert!(!home.path().join("results").exists(), "nothing was begun");
}

#[test]
fn a_version_that_is_not_known_is_named_before_anything_else() {
    let home = home();
    for words in ["plan matrix --hosts 4.1.99", "run matrix --images 4.1.99"] {
        let refused = sifbench(&home).args(words.split(' ')).assert().code(2);
        refused.stderr(contains("matrix: Open MPI 4.1.99 is not in the catalogue").and(contains("hint: one of 4.1")));
    }
}

#[test]
fn run_refuses_on_a_login_node() {
    let home = home();
    std::fs::write(home.path().join("sbatch"), "").unwrap();
    let refused = sifbench(&home).args(["run", "quick"]).assert().code(3);
    refused.stderr(contains("login node of Slurm").and(contains("hint")));
    let inside = |nodes: &str| {
        let mut run = sifbench(&home);
        run.args(["run", "quick"]).env("SLURM_JOB_ID", "7").env("SLURM_JOB_NODELIST", nodes).assert()
    };
    inside(&host()).code(1).stderr(contains("is not there"));
    inside("").code(1).stderr(contains("SLURM_JOB_NODELIST is not set").and(contains("hint")));
    inside("elsewhere[1-2]").code(3).stderr(contains("is none of the nodes of slurm job 7").and(contains("hint")));
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

#[test]
fn a_design_must_fit_the_nodes_there_are() {
    let home = home();
    let check = |words: &str, hostfile: &str, code: i32, expected: &str| {
        let file = home.path().join("nodes");
        std::fs::write(&file, hostfile).unwrap();
        let run = ["run", "quick", "--hostfile", file.to_str().unwrap()];
        let run = sifbench(&home).args(run).args(words.split(' ')).assert().code(code);
        run.stderr(contains(expected).and(contains("hint")));
    };
    let here = host();
    check("--placement one-a-node", &here, 3, "takes 2 nodes");
    check("--placement one-a-node", &format!("{here}\nn2"), 1, "is not there");
    check("--placement 2-a-node --ranks 4", &format!("{here} slots=2\nn2 slots=1"), 3, "n2 takes 1 ranks, not 2");
    check("--placement 2-a-node --ranks 3", &here, 2, "3 ranks cannot be placed 2-a-node");
    check("--placement nowhere", &here, 2, "unknown placement");
    check("--ranks 2", "n2 slots=2", 3, "is none of the nodes");
    check("--ranks 2", "", 2, "names none");
    check("--ranks 2", "n1 slots=x", 2, "line 1");
    let none = sifbench(&home).args(["run", "quick", "--hostfile", "none"]).assert().code(2);
    none.stderr(contains("the file of nodes none cannot be read").and(contains("hint")));
}

#[test]
fn plan_shows_several_nodes_before_there_are_any() {
    let plan = sifbench(&home()).args(["plan", "quick", "--placement", "one-a-node", "--agent", "oarsh"]).assert();
    plan.code(0).stdout(
        contains(":1,NODE2:1 --map-by ppr:1:node")
            .and(contains("__agent 1 oarsh NODE2 'apptainer instance start"))
            .and(contains("# unsupported: the image's own mpirun")),
    );
}

#[test]
fn run_refuses_more_ranks_than_cores() {
    let refused = sifbench(&home()).args(["run", "quick", "--ranks", "5000"]).assert().code(3);
    refused.stderr(contains("5000 ranks"));
}

/// One that has no room for its last run does not begin with its first.
#[test]
fn a_sweep_is_a_run_for_each_number_of_ranks_and_refused_as_a_whole() {
    let words = ["plan", "quick", "--blocks", "1", "--placement", "one-a-node", "--ranks", "2,3"];
    let plan = sifbench(&home()).args(words).output().unwrap();
    let text = String::from_utf8(plan.stdout).unwrap();
    let (two, three) = text.rsplit_once("# quick: ").unwrap();
    assert!(two.contains("-np 2 ") && !two.contains("-np 3 ") && three.contains("-np 3 "), "{text}");
    let json = sifbench(&home()).args(words).arg("--json").output().unwrap();
    let launches: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(launches.len(), 2 * (6 + 7 + 1));

    let home = home();
    let refused = sifbench(&home).args(["run", "quick", "--ranks", "2,5000"]).assert().code(3);
    refused.stderr(contains("5000 ranks"));
    assert!(!home.path().join("results").exists(), "nothing was begun");
}

/// The published run: its hangs and singletons, with what was seen and what to type.
#[test]
fn explain_names_causes_with_their_evidence_and_what_to_type() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/vm-2-cores");
    let explain = |words: &[&str]| sifbench(&home()).arg("explain").arg(published).args(words).assert();
    let text = explain(&["hybrid 4.1.8"]).code(0).get_output().stdout.clone();
    let text = String::from_utf8(text).unwrap();
    for part in ["hang at latency 4 MiB", "user namespace differs between ranks", "EPERM", "apptainer exec --sharens"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json = explain(&["--json"]).code(0).get_output().stdout.clone();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let cases = json["cases"].as_array().unwrap();
    let rules: Vec<_> = cases.iter().map(|case| &case["endings"][0]["findings"][0]["rule"]).collect();
    assert!(["newer-launcher", "hang-cma"].iter().all(|rule| rules.iter().any(|found| found == rule)), "{rules:?}");
    explain(&["hybird"]).code(2).stderr(contains("no case `hybird`").and(contains("hint: one of native 4.1.8")));
    sifbench(&home()).arg("explain").assert().code(2).stderr(contains("hint"));
}

/// What the front page claims of the method.
#[test]
fn the_published_test_of_the_method_passes() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/vm-2-cores-aa");
    let told = sifbench(&home()).args(["aa", "--real", published]).assert().code(0);
    told.stdout(contains("The method passes.").and(contains(" of 900")));
}

/// The page of the published run says what to type, and leads from its hang to the remedy.
#[test]
fn the_page_holds_what_recommend_and_explain_say() {
    let home = home();
    let page = home.path().join("page.html");
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/vm-2-cores");
    sifbench(&home).args(["report", published, "-o"]).arg(&page).assert().code(0);
    let page = std::fs::read_to_string(&page).unwrap().replace("<span>", "").replace("</span>", "");
    for part in ["id=\"recommendation\"", "href=\"#why-", "<dt>proven</dt>", "user namespace differs between ranks"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("<code>apptainer exec --sharens</code>"));
}

/// The reason would stand above all the tables, out of sight.
#[test]
fn a_page_that_cannot_be_written_is_said_before_any_table() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/vm-2-cores");
    let home = home();
    std::fs::create_dir(home.path().join("taken")).unwrap();
    let report = sifbench(&home).args(["report", published, "-o", "taken"]).assert().code(1);
    report.stdout("").stderr(contains("cannot write taken").and(contains("hint: --output FILE")));
}

#[test]
fn report_without_a_run_says_where_it_looked() {
    let home = home();
    let hints = |words: &str, code: i32| {
        let said = sifbench(&home).args(words.split(' ')).assert().code(code).get_output().stderr.clone();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("no run in "), "{said}");
        said.lines().filter_map(|line| line.strip_prefix("hint: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    for (words, code) in [("report", 1), ("explain", 2), ("recommend", 2), ("export --to x", 1), ("compare a b", 2)] {
        let told = hints(words, code);
        // Once, and no flag that only `run` has.
        assert!(told.len() == 1 && told[0].starts_with("`sifbench run` makes one"), "{words}: {told:?}");
        assert!(!told[0].contains("--results"), "{words}: {told:?}");
    }
    let told = hints("explain hybrid-sharens", 2);
    assert!(told.iter().any(|hint| hint.contains("`sifbench explain results 'hybrid-sharens'`")), "{told:?}");
}

#[test]
fn aa_asks_where_launches_come_from_and_takes_runs_as_they_are() {
    let home = home();
    sifbench(&home).arg("aa").assert().code(2).stderr(contains("--synthetic"));
    sifbench(&home).args(["aa", "--real", "results", "--seed", "3"]).assert().code(2).stderr(contains("--seed"));
    sifbench(&home).args(["aa", "--synthetic", "--margin", "5"]).assert().code(2).stderr(contains("0.05 for 5 %"));
    sifbench(&home).args(["aa", "--real", "results"]).assert().code(2).stderr(contains("results"));
}

#[test]
fn lists_are_empty_without_a_cache_and_valid_json() {
    for words in [["mpi", "list"], ["image", "list"]] {
        let output = sifbench(&home()).args(words).arg("--json").output().unwrap();
        assert!(output.status.success());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), serde_json::json!([]));
    }
}

#[test]
fn an_image_that_is_not_there_is_named_with_what_makes_it() {
    let home = home();
    for (words, command) in [("4.1.8", "image build 4.1.8"), ("--app own 4.1.8", "image build --app own 4.1.8")] {
        let checked = sifbench(&home).args(["image", "check"]).args(words.split(' ')).assert().code(1);
        checked.stdout(contains("not built yet").and(contains(format!("made by       sifbench {command}\n"))));
    }
    sifbench(&home).args(["image", "check", "4.0.9"]).assert().code(2).stderr(contains("hint: one of 4.1"));
}

#[test]
fn images_of_other_versions_are_pruned_and_nothing_else() {
    let home = home();
    let images = home.path().join(".cache/sifbench/images");
    std::fs::create_dir_all(&images).unwrap();
    let plan = text(&sifbench(&home).args(["plan", "quick", "--modes", "embedded"]).assert().code(0));
    let current = plan.split_whitespace().find(|word| word.ends_with(".sif")).unwrap().rsplit('/').next().unwrap();
    let kept = [current, "mine.sif", "my-own-0123456789ab.sif", "openmpi-4.1.8-mine.sif", "openmpi-4.1.8.txt"];
    let old = "openmpi-4.1.8-0123456789ab.sif";
    for name in kept.iter().chain(&[old]) {
        std::fs::write(images.join(name), "").unwrap();
    }
    std::fs::write(images.join(format!(".lock-{old}")), "").unwrap();
    let names = || {
        let entries =
            std::fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    let prune = |words: &str| sifbench(&home).args(words.split(' ')).assert().code(0).stdout(contains(old));
    prune("image prune --dry-run").stderr(contains("old images would be removed: 1"));
    assert_eq!(names(), before);
    prune("image prune").stderr(contains("old images removed: 1"));
    assert_eq!(names(), kept.iter().map(|&name| name.to_owned()).collect());
}

#[test]
fn errors_are_plain_text_where_colour_is_not_wanted() {
    let output = sifbench(&home()).args(["plan", "qick"]).env("NO_COLOR", "1").output().unwrap();
    assert!(!output.stderr.contains(&0x1b));
}

fn text(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// On this machine, whatever it is called, a laptop's profile is taken, and a user's own where it suits better.
#[test]
fn a_place_has_a_profile_which_is_named_in_every_plan() {
    let home = home();
    let plan = |words: &[&str]| sifbench(&home).args(["plan", "quick", "--blocks", "1"]).args(words).assert();
    plan(&[]).code(0).stdout(contains("# profile laptop (built-in): anywhere\n"));
    let sites = home.path().join(".config/sifbench/sites");
    std::fs::create_dir_all(&sites).unwrap();
    let own = format!(
        "schema = 1\nextends = \"slurm\"\n[[match]]\nhostnames = [\"{}\"]\n[launcher]\nkind = \"srun\"\n\
         [modes]\nhybrid-sharens = {{ unsupported = \"none here\" }}\n",
        host()
    );
    std::fs::write(sites.join("own.toml"), own).unwrap();
    let found = plan(&[]).code(0);
    for part in [
        "# profile own (",
        "# from it: launcher, pmi",
        "# unsupported: none here (says the profile own)",
        " srun --nodes=1",
    ] {
        assert!(text(&found).contains(part), "{part}: {}", text(&found));
    }
    plan(&["--profile", "laptop", "--container-runtime", "singularity"]).code(0).stdout(
        contains("# profile laptop (built-in): named by --profile").and(contains("singularity exec --sharens")),
    );
    plan(&["--profile", "laptpo"]).code(2).stderr(contains("no profile `laptpo`").and(contains("hint")));
    let list = sifbench(&home).args(["site", "list", "--json"]).assert().code(0);
    let list: serde_json::Value = serde_json::from_str(&text(&list)).unwrap();
    let chosen: Vec<_> = list.as_array().unwrap().iter().filter(|p| p["chosen"] == true).map(|p| &p["name"]).collect();
    assert_eq!(chosen, ["own"]);
    std::fs::write(sites.join("bad.toml"), "schema = 1\n\nlaunch = 1\n").unwrap();
    plan(&[]).code(2).stderr(contains("bad.toml").and(contains("line 3")).and(contains("hint")));
}

#[test]
fn a_profile_is_shown_checked_and_drafted() {
    let home = home();
    let site = |words: &[&str]| sifbench(&home).arg("site").args(words).assert();
    let shown = text(&site(&["show", "gricad"]).code(0));
    assert!(shown.contains("agent = [\"oarsh\"]  # oar") && shown.contains("site = \"gricad\"  # gricad"), "{shown}");
    std::fs::write(home.path().join("shown.toml"), &shown).unwrap();
    site(&["show", "shown.toml"]).code(0).stdout(contains("oarsh"));
    site(&["check"]).code(0).stdout(contains("# hybrid 4.1.8, same-node").and(contains("instance start")));
    let lacking = site(&["check", "oar"]).code(1);
    let lacking = text(&lacking);
    for part in
        ["# hybrid 4.1.8, one-a-node", "__agent 1 oarsh", "lacking  scheduler.submit: no oarsub on PATH", "hint: "]
    {
        assert!(lacking.contains(part), "{part}: {lacking}");
    }
    let json: serde_json::Value = serde_json::from_str(&text(&site(&["check", "oar", "--json"]).code(1))).unwrap();
    assert_eq!(json["findings"][0]["state"], "lacking");
    let draft = text(&site(&["probe", "--name", "here"]).code(0));
    std::fs::write(home.path().join("here.toml"), &draft).unwrap();
    site(&["show", "here.toml", "--json"]).code(0).stdout(contains("\"extends\": [\n    \"laptop\"\n  ]"));
    site(&["probe", "--json"]).code(0).stdout(contains("\"scheduler\": \"local\""));
}
