//! Profiles as written, what is wrong with some, and what becomes of those that extend others.

use super::*;

fn shelf(files: &[(&str, &str)]) -> Result<Shelf, ProfileError> {
    let mut shelf = Shelf::built_in();
    for (name, text) in files {
        shelf.add_file(Path::new(name), text)?;
    }
    Ok(shelf)
}

#[test]
fn shipped_profiles_resolve_and_load_again() {
    let shelf = Shelf::built_in();
    assert_eq!(shelf.names().count(), BUILT_IN.len());
    for (name, _) in BUILT_IN {
        let resolved = shelf.resolve(name).unwrap();
        assert!(!resolved.profile.summary.is_empty() && resolved.profile.scheduler.kind.is_some(), "{name}");
        for text in [Profile::text(&resolved.table), annotated(&resolved)] {
            let again = Profile::parse(name, "other", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            assert_eq!(again, resolved.profile, "{text}");
        }
    }
}

#[test]
fn faults_are_named_with_file_line_key_and_hint() {
    let check = |text: &str, expected: &[&str]| {
        let error = Profile::parse("my.toml", "my", text).unwrap_err().to_string();
        for part in expected.iter().chain(&["my.toml", "hint"]) {
            assert!(error.contains(part), "{text}: {error}");
        }
    };
    check("", &["line 1", "`schema`", "begin with schema = 1"]);
    check("\nschema = 2", &["line 2", "`schema`", "2 is of a newer sifbench"]);
    check("schema = 1\n\nlaucher = 3", &["line 3", "laucher", "launcher"]);
    check("schema = 1\n[launcher]\nkind = \"mpiexec\"", &["line 3", "mpiexec", "ccc_mprun"]);
    check("schema = 1\n[launcher]\nkindd = \"srun\"", &["line 3", "kindd", "export_env"]);
    check("schema = 1\nname = \"My Site\"", &["line 2", "`name`", "My Site"]);
    check("schema = 1\n[scheduler]\nkind = \"lsf\"", &["line 3", "lsf", "bridge"]);
    check(
        "schema = 1\n[scheduler]\ndirectives = [\n\"-q {queue}\"]",
        &["line 3", "scheduler.directives", "{queue}", "{account}"],
    );
    check("schema = 1\n[container]\nruntime = \"docker\"", &["line 3", "container.runtime", "docker"]);
    let staged = |rest: &str| format!("schema = 1\n[container]\nstage_to = \"/tmp\"\n{rest}");
    check(&staged("").replace("/tmp", "tmp"), &["line 3", "container.stage_to", "`tmp`", "absolute"]);
    check(&staged("images = \"/allowed\""), &["line 3", "container.stage_to", "from the directory `images`"]);
    check(&staged("by_launcher = [\"-C\", \"{name}\"]"), &["line 3", "container.stage_to", "by_launcher"]);
    check("schema = 1\n[modes]\nembeded = { max_nodes = 1 }", &["line 3", "embeded", "hybrid-sharens"]);
    check("schema = 1\n[modes]\nhybrid = { max_nodes = 0 }", &["line 3", "nonzero"]);
    check(
        "schema = 1\n[modes]\nhybrid = { strategy = \"three-step\" }",
        &["line 3", "modes.hybrid.strategy", "hybrid-instance"],
    );
    check("schema = 1\n[modes.bind]\nunsupported = \" \"", &["line 3", "modes.bind.unsupported", "needs a reason"]);
    check("schema = 1\n[transport.plain]\nenv = { A = \"1\" }", &["line 2", "transport.plain", "no name of a set"]);
    check("schema = 1\n[transport.no-cma]", &["line 2", "transport.no-cma", "sets nothing"]);
    check("schema = 1\n[[host_mpi]]\nversion = \"4.1\"\nprefix = \"/\"", &["line 3", "4.1"]);
    let twice = "[[host_mpi]]\nversion = \"4.1.8\"\nprefix = \"/\"\n";
    check(&format!("schema = 1\n{twice}{twice}"), &["line 6", "4.1.8 is there twice"]);
    check("schema = 1\n[[match]]\n[[match]]\nenv = [\"=x\"]", &["line 4", "match.1.env"]);
    check("schema = 1\n[limits]\nhello_s = -1", &["line 3", "-1.0 is no deadline"]);
}

#[test]
fn what_extends_changes_values_and_leaves_the_rest() {
    let mine = "schema = 1\nextends = \"gricad\"\n[launcher]\nmca = { btl = \"^ofi\" }\n[limits]\nhello_s = 10.0\n";
    let resolved = shelf(&[("dir/mine.toml", mine)]).unwrap().resolve("mine").unwrap();
    let profile = &resolved.profile;
    assert_eq!(
        (profile.name.as_str(), resolved.extends.as_slice()),
        ("mine", ["gricad".to_owned(), "oar".to_owned()].as_slice())
    );
    assert_eq!(
        (profile.launcher.agent.as_slice(), profile.limits.hello_s.map(f64::from)),
        (["oarsh".to_owned()].as_slice(), Some(10.0))
    );
    assert_eq!(profile.site.as_ref().map(ToString::to_string).as_deref(), Some("gricad"));
    assert!(profile.matches.is_empty() && profile.summary.is_empty(), "nobody is another place by extending it");
    let from = |key: &str| resolved.from.get(key).map_or("-", String::as_str);
    let keys =
        ["launcher.agent", "launcher.mca.btl", "limits.hello_s", "host_mpi", "scheduler.kind", "match", "summary"];
    assert_eq!(keys.map(from), ["oar", "mine", "mine", "gricad", "oar", "-", "-"]);
    let text = annotated(&resolved);
    for line in ["agent = [\"oarsh\"]  # oar", "hello_s = 10.0  # mine", "# all of host_mpi: gricad"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn a_circle_and_a_gap_of_extends_are_named() {
    let extends = |name: &str| format!("schema = 1\n\nextends = \"{name}\"\n");
    let files =
        [("a.toml", extends("b")), ("b.toml", extends("c")), ("c.toml", extends("b")), ("d.toml", extends("e"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let shelf = shelf(&files).unwrap();
    let check = |name: &str, expected: &[&str]| {
        let error = shelf.resolve(name).unwrap_err().to_string();
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    };
    check("a", &["c.toml, line 3", "`extends`", "b -> c -> b", "hint"]);
    check("d", &["d.toml, line 3", "no profile `e`", "gricad"]);
    check("f", &["no profile `f`", "hint", "slurm"]);
}
