//! A profile in a real run: its MPI with its setup, what it rules out, and what the run keeps of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the tool as a user does")]

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use harness::{
    cache::Cache,
    case::Mode,
    catalogue::Catalogue,
    mpi,
    record::Outcome,
    store::{self, Run},
};

const CAMPAIGN: &str = "schema = 1\nname = \"site\"\nmodes = [\"native\", \"hybrid\", \"hybrid-sharens\"]\nversions = [\"4.1.8\"]\n\
    ranks = 2\nblocks = 1\nseed = 1\n[workload]\nlatency = [\"8\"]\nrounds = 1\nvisit_ms = 4\n";

/// Where the user's cache has an Open MPI.
fn cached(version: &str) -> PathBuf {
    let home = std::env::var("HOME").unwrap();
    let cache = std::env::var("XDG_CACHE_HOME").map_or_else(|_| PathBuf::from(home).join(".cache"), PathBuf::from);
    let prefix = mpi::prefix(&Cache::new(cache.join("sifbench")), &Catalogue::built_in(), &version.parse().unwrap());
    assert!(prefix.exists(), "{} is missing; hint: sifbench mpi install {version}", prefix.display());
    prefix
}

/// The outcomes of each mode, each once.
fn outcomes(run: &Run) -> BTreeMap<Mode, Vec<String>> {
    let mut outcomes: BTreeMap<Mode, Vec<String>> = BTreeMap::new();
    for record in &run.records {
        let case = run.design.cases.iter().find(|case| case.id() == record.case).unwrap();
        let of_mode = outcomes.entry(case.stack.mode()).or_default();
        of_mode.push(record.outcome.to_string());
        of_mode.dedup();
        assert!(record.outcome == Outcome::Completed || record.wall_ns == 0, "{:?} was launched", record.command);
    }
    outcomes
}

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image, and no root (scripts/test)"]
fn a_run_takes_its_sites_mpi_leaves_out_what_is_ruled_out_and_keeps_the_profile() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("campaign.toml"), CAMPAIGN).unwrap();
    let site = format!("export SITE_MPI='{}' SITE_SAYS='it is set'\n", cached("4.1.8").display());
    fs::write(at("site.sh"), site).unwrap();
    let profile = "schema = 1\nextends = \"laptop\"\nsite = \"test-site\"\n[launcher]\nmca = { btl = \"^ofi\" }\n\
        [[host_mpi]]\nversion = \"4.1.8\"\nprefix = \"$SITE_MPI\"\nsetup = { source = [\"$HERE/site.sh\"] }\n\
        [modes]\nhybrid-sharens = { unsupported = \"ruled out for a test\" }\n";
    fs::write(at("mine.toml"), profile).unwrap();
    let sifbench = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifbench"));
        let output = command.args(args).current_dir(dir.path()).env("HERE", dir.path()).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{said}");
        said
    };
    let plan = sifbench(&["plan", "campaign.toml", "--profile", "mine.toml"]);
    assert!(plan.contains("before Open MPI 4.1.8: source ") && plan.contains("# unsupported: ruled out"), "{plan}");
    sifbench(&["site", "check", "./mine.toml", "--campaign", "campaign.toml"]);

    let said = sifbench(&["run", "campaign.toml", "--profile", "mine.toml"]);
    assert!(said.contains("profile mine (mine.toml): named by --profile"), "{said}");
    let run = store::load(&store::resolve(&at("results")).unwrap()).unwrap();
    let completed = || vec!["completed".to_owned()];
    let ruled_out = vec!["unsupported: ruled out for a test (says the profile mine)".to_owned()];
    let expected = [(Mode::Native, completed()), (Mode::Hybrid, completed()), (Mode::HybridSharens, ruled_out)];
    assert_eq!(outcomes(&run), BTreeMap::from(expected));
    assert_eq!(run.manifest.site.to_string(), "test-site");
    for (key, origin) in [("site", "profile mine"), ("mca.btl", "profile mine"), ("seed", "campaign site")] {
        assert_eq!(run.manifest.origins[key], origin, "{key}");
    }
    let kept = run.manifest.profile.unwrap();
    assert_eq!((kept.name.as_str(), kept.setup["4.1.8"]["SITE_SAYS"].as_str()), ("mine", "it is set"));
    assert!(kept.text.contains("$SITE_MPI") && !kept.text.contains("extends"), "{}", kept.text);
    let native = &run.records[0].command;
    assert_eq!(native.env["SITE_SAYS"], "it is set", "{native}");
    assert!(native.program.starts_with(cached("4.1.8").to_str().unwrap()), "{native}");

    let report = sifbench(&["report", "results"]);
    assert!(report.contains("ruled out for a test"), "{report}");
    // Named by nobody, and on a machine that suits another profile.
    let stopped = store::resolve(&at("results")).unwrap();
    fs::remove_file(stopped.join("closed.json")).unwrap();
    let again = sifbench(&["run", "--resume", stopped.to_str().unwrap()]);
    assert!(again.contains("profile mine (of the run): the run was begun with it"), "{again}");
}
