//! Runs that are shared: nothing in them names a host or a person, and they are runs like any other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[expect(dead_code, reason = "other tests use the rest")]
mod synthetic;

use std::{
    fs,
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use harness::{
    profile::{Profile, Shelf},
    record::ProfileFact,
    store::{self, Run, Store},
};

const HOSTS: [&str; 2] = ["grelot30.alpes.fr", "grelot31.alpes.fr"];
/// What must not be read anywhere: names of hosts, long and short, of the user, of the home, of a project.
const NAMES: [&str; 6] = ["grelot30", "grelot31", "alpes", "mathilde", "/home/", "prj-42"];

/// A run that names its hosts and its user wherever a run can.
fn recorded(root: &Path, privacy: &str) -> PathBuf {
    let mut run = synthetic::quick(8, 1);
    let home = |text: String| text.replace("/home/user", "/home/mathilde").replace("/opt/", "/home/mathilde/prj-42/");
    run.design = serde_json::from_str(&home(serde_json::to_string(&run.design).unwrap())).unwrap();
    run.manifest = serde_json::from_str(&home(serde_json::to_string(&run.manifest).unwrap())).unwrap();
    run.manifest.site = "grelot30".parse().unwrap();
    run.manifest.facts.insert("allocation".into(), format!("slurm job 1: {} (1), {} (1)", HOSTS[0], HOSTS[1]));
    let resolved = Shelf::built_in().resolve("slurm").unwrap();
    let text = format!("{}\n{privacy}", Profile::text(&resolved.table));
    run.manifest.profile = Some(ProfileFact { name: "slurm".into(), why: "x".into(), text, setup: Default::default() });
    let cases: Vec<_> = run.design.cases.iter_mut().collect();
    for case in cases {
        let id = case.id();
        case.settings.binds.push("/scratch/mathilde/prj-42:/data".into());
        let named = case.id();
        run.records.iter_mut().filter(|record| record.case == id).for_each(|record| record.case = named.clone());
    }
    let mut store = Store::create(root, &run.manifest, &run.design).unwrap();
    for record in &mut run.records {
        record.command.args.push(format!("--host={}", HOSTS.join(",")));
        record.command.env.insert("HOME".into(), "/home/mathilde".into());
        record.said.push(format!("{}: mathilde may not do that in /home/mathilde", HOSTS[1]));
        if let Some(facts) = &mut record.facts {
            facts.first.host = "grelot30".into();
            facts.differing.iter_mut().for_each(|rank| rank.host = "grelot31".into());
        }
        let samples: Vec<_> = run.samples.iter().filter(|s| s.attempt == record.attempt).copied().collect();
        fs::write(store.log_path(record.attempt).with_extension("err"), "grelot31: mathilde\n").unwrap();
        store.append(record, &samples).unwrap();
    }
    let dir = store.dir().to_owned();
    store.close().unwrap();
    dir
}

fn sifbench(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifbench"));
    command.env_clear().env("HOME", "/home/mathilde").env("USER", "mathilde").env("PATH", home).current_dir(home);
    command
}

/// All that was written below a directory, and by which names.
fn written(dir: &Path) -> String {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: PathBuf| {
        let below = if path.is_dir() { written(&path) } else { String::from_utf8(fs::read(&path).unwrap()).unwrap() };
        format!("{}\n{below}", path.file_name().unwrap().to_str().unwrap())
    };
    entries.map(text).collect()
}

fn assert_nameless(what: &str, text: &str, names: &[&str]) {
    for name in names {
        let found = text.to_lowercase().find(name).map(|at| text[at.saturating_sub(80)..].chars().take(160).collect());
        assert_eq!(found, None::<String>, "{what} names {name}");
    }
}

#[test]
fn an_exported_run_names_nobody_and_is_the_same_run() {
    let home = tempfile::tempdir().unwrap();
    let dir = recorded(&home.path().join("results"), "");
    let before = written(&dir);
    assert!(NAMES.iter().all(|name| before.contains(name)), "it names nobody, so this proves nothing");
    let hide = ["--hide", "prj-42", "--hide", "alpes"];
    let shared = home.path().join("shared");
    let words = ["export", dir.to_str().unwrap(), "--to", "shared"];
    sifbench(home.path()).args(words).args(hide).assert().code(0);
    assert_eq!(written(&dir), before, "what was recorded is not touched");
    let text = written(&shared).replace("/home/user", "");
    assert_nameless("the copy", &text, &NAMES);
    assert!(text.contains("node1") && text.contains("node2") && text.contains("--host=node1,node2"));

    let [Run { records: old, samples: of_old, .. }, new] =
        [store::load(&dir).unwrap(), { store::load(&store::resolve(&shared).unwrap()).unwrap() }];
    assert!(new.closed && new.manifest.site.to_string() == "node1");
    assert_eq!((old.len(), &of_old), (new.records.len(), &new.samples));
    let known: Vec<_> = new.design.cases.iter().chain(&new.design.probes).map(|case| case.id()).collect();
    assert!(new.records.iter().all(|record| known.contains(&record.case)), "a launch of no case");
    for (old, new) in old.iter().zip(&new.records) {
        assert_eq!((&old.outcome, &old.samples, old.partner), (&new.outcome, &new.samples, new.partner));
    }

    let page = home.path().join("page.html");
    let report = sifbench(home.path()).args(["report", "shared", "--output", "page.html"]).output().unwrap();
    assert!(report.status.success(), "{report:?}");
    assert_nameless("its page", &fs::read_to_string(page).unwrap().replace("/home/user", ""), &NAMES);
    for among in ["results", "results/shared", "./results/../results"] {
        let refused = sifbench(home.path()).args(["export", "results", "--to", among]).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(3) && said.contains("hint: a directory beside it"), "{among}: {said}");
    }
    assert_eq!(written(&dir), before);
    // Of a run that somebody has moved elsewhere only its own directory is its own.
    let moved = home.path().join("moved");
    fs::rename(dir, &moved).unwrap();
    for (to, code) in [("moved/shared", 3), ("again", 0)] {
        sifbench(home.path()).args(["export", "moved", "--to", to]).assert().code(code);
    }
    let compared = sifbench(home.path()).args(["compare", "shared", "shared"]).output().unwrap();
    assert!(compared.status.success(), "{compared:?}");
}

#[test]
fn reports_hide_names_where_that_is_asked_for_or_the_profile_of_the_run_says_so() {
    let home = tempfile::tempdir().unwrap();
    let names = &NAMES[..2];
    let report = |dir: &Path, flags: &[&str]| {
        let mut page = sifbench(home.path());
        let output = page.args(["report", dir.to_str().unwrap(), "-o", "page.html"]).args(flags).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let json =
            sifbench(home.path()).args(["report", dir.to_str().unwrap(), "--json"]).args(flags).output().unwrap();
        let page = fs::read_to_string(home.path().join("page.html")).unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(json.stdout).unwrap() + &page
    };
    let open = recorded(&home.path().join("open"), "");
    let told = report(&open, &[]);
    assert!(told.contains("grelot30") && told.contains("mathilde"), "it names nobody, so this proves nothing");
    assert_nameless("a report that is asked to", &report(&open, &["--redact"]), &[names, &["mathilde"]].concat());
    let closed = recorded(&home.path().join("closed"), "[privacy]\nredact = [\"hostname\", \"user\"]\n");
    assert_nameless("a report of such a place", &report(&closed, &[]), &[names, &["mathilde"]].concat());
    let hosts = recorded(&home.path().join("hosts"), "[privacy]\nredact = [\"hostname\"]\n");
    let told = report(&hosts, &[]);
    assert_nameless("a report without hosts", &told, names);
    assert!(told.contains("mathilde"));
}
