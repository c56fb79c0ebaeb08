//! What each shipped profile makes of every mode, as a snapshot: on one node and on two.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use harness::{
    app::Headers,
    case::{Case, Mode, Placement},
    compose::{Ground, InstanceCommands, apptainer::Runtime, compose},
    config::{Campaign, Overrides, Parts},
    id::MpiVersion,
    process::{Env, Place, Room},
    profile::{BUILT_IN, Profile, Setup, Shelf},
    record::Design,
    site::{Allocation, Node, Scheduler, batch::Batch, nodes::Nodes},
};

/// Every mode with the versions that the profiles name.
const CAMPAIGN: &str = "schema = 1\nname = \"grid\"\n\
    modes = [\"native\", \"embedded\", \"hybrid\", \"hybrid-instance\", \"hybrid-sharens\", \"bind\"]\n\
    versions = [\"VERSION\"]\nranks = 2\nblocks = 6\nseed = 1\n\
    [workload]\nlatency = [\"8:200\"]\nrounds = 1\nvisit_ms = 5\n";

/// A site where everything that profiles name is set.
const ENV: [(&str, &str); 3] =
    [("HOME", "/home/ada"), ("SINGULARITY_ALLOWED_DIR", "/allowed"), ("OPENMPI_ROOT", "/opt/openmpi-4.1.4")];

struct Site(Profile);

impl Parts for Site {
    fn host_prefix(&self, version: &MpiVersion) -> PathBuf {
        let of_place = self.0.host(version).map(|host| host.expanded(&env()).0.prefix.into());
        of_place.unwrap_or_else(|| format!("/cache/mpi/openmpi-{version}").into())
    }
    fn image(&self, version: Option<&MpiVersion>, _: Headers<'_>) -> PathBuf {
        let name = version.map_or("base.sif".to_owned(), |version| format!("openmpi-{version}.sif"));
        self.0.image(&Path::new("/cache/images").join(name))
    }
    fn app(&self, _: Headers<'_>) -> PathBuf {
        "/cache/build/bench-app".into()
    }
}

fn env() -> BTreeMap<String, String> {
    ENV.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn design(profile: &Profile, text: &str, overrides: &Overrides) -> Design {
    let (campaign, _) = Campaign::with("grid", text, overrides).unwrap().at(profile).unwrap();
    campaign.design(overrides, &Site(profile.clone()))
}

/// The nodes of a job there.
fn nodes(profile: &Profile) -> Nodes {
    let scheduler = match profile.scheduler.kind.unwrap_or(Batch::Local) {
        Batch::Slurm | Batch::Bridge => Scheduler::Slurm,
        Batch::Oar => Scheduler::Oar,
        Batch::Pbs => Scheduler::Pbs,
        Batch::Local => Scheduler::Local,
    };
    let list = ["n1", "n2"].map(|host| Node::new(host, 2)).into();
    let mut nodes = Nodes::of(&Allocation { scheduler, job: None, nodes: list }, "/shared/sifbench".into());
    profile.put_on(&mut nodes, scheduler);
    let hosts = profile.host_mpi.iter().map(|host| (host.version.clone(), BTreeMap::new()));
    nodes.terms = profile.terms(hosts.collect());
    nodes
}

fn lines(case: &Case, profile: &Profile) -> String {
    let program = profile.container.runtime.clone().unwrap_or_else(|| "apptainer".to_owned());
    let (runtime, nodes) = (Runtime { program }, nodes(profile));
    let ground = Ground { runtime: &runtime, nodes: &nodes, instance: "NAME", gate: None };
    match compose(case, &case.workload, &ground) {
        Ok(commands) => {
            let (before, after) = commands.instance.as_ref().map_or_else(Default::default, InstanceCommands::to_lines);
            [before, vec![commands.launch.to_string()], after].concat().join("\n")
        }
        Err(reason) => format!("unsupported: {reason}"),
    }
}

#[test]
fn every_shipped_profile_makes_commands_of_every_mode_on_one_node_and_two() {
    let mut text = String::new();
    for (name, _) in BUILT_IN {
        let (profile, unset) = Shelf::built_in().resolve(name).unwrap().profile.expanded(&env());
        assert_eq!(unset, [], "{name}");
        let version = profile.host_mpi.first().map_or("4.1.8".to_owned(), |host| host.version.to_string());
        for placement in ["same-node", "one-a-node"] {
            text += &format!("# {name}, {placement}\n");
            let placement: Placement = placement.parse().unwrap();
            let overrides = Overrides { placement: Some(placement), ..Overrides::default() };
            let design = design(&profile, &CAMPAIGN.replace("VERSION", &version), &overrides);
            assert_eq!(design.cases.iter().map(|case| case.stack.mode()).collect::<Vec<_>>(), Mode::ALL);
            for case in &design.cases {
                text += &format!("\n## {}\n{}\n", case.label(), lines(case, &profile));
            }
            text += "\n";
        }
    }
    insta::assert_snapshot!(text);
}

fn own(text: &str) -> Profile {
    let mut shelf = Shelf::built_in();
    let name = shelf.add_file("own.toml".as_ref(), &format!("schema = 1\n{text}")).unwrap();
    shelf.resolve(&name).unwrap().profile
}

/// A campaign's own key wins over the profile, key by key, and what comes from where is told.
#[test]
fn a_campaign_wins_over_its_profile_and_what_it_leaves_open_is_the_profiles() {
    let profile = own("[launcher]\nkind = \"srun\"\nmca = { btl = \"^ofi\", pml = \"ob1\" }\n\
        [container]\nflags = [\"--contain\"]\nbinds = [\"/scratch\"]\nenv = { A = \"1\" }\n\
        [limits]\nhello_s = 120.0\ntotal_s = 900.0\n");
    let text = CAMPAIGN.replace("VERSION", "4.1.8");
    let mine = "[limits]\ntotal_s = 60.0\n[settings]\nlauncher = \"mpirun\"\nbinds = []\nmca = { pml = \"ucx\" }\n";
    let (campaign, given) = Campaign::parse("own", &(text + mine)).unwrap().at(&profile).unwrap();
    assert_eq!(given, ["flags", "mca.btl", "env.A", "hello_s"]);
    let design = campaign.design(&Overrides::default(), &Site(profile));
    let settings = &design.cases[0].settings;
    let mca: Vec<(&str, &str)> = settings.mca.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(mca, [("btl", "^ofi"), ("pml", "ucx")]);
    assert_eq!(
        (settings.launcher, settings.binds.len(), settings.flags.as_slice()),
        (harness::case::Launcher::Mpirun, 0, ["--contain".to_owned()].as_slice())
    );
    assert_eq!((design.limits.hello_s, design.limits.silence_s, design.limits.total_s), (120.0, 10.0, 60.0));
}

/// A profile without anything to say changes no case: runs of before there were profiles go on, and compare.
#[test]
fn the_profile_of_a_laptop_changes_no_case() {
    let text = CAMPAIGN.replace("VERSION", "4.1.8");
    let laptop = Shelf::built_in().resolve("laptop").unwrap().profile;
    let without = Campaign::parse("grid", &text).unwrap().design(&Overrides::default(), &Site(laptop.clone()));
    assert_eq!(design(&laptop, &text, &Overrides::default()), without);
}

#[test]
fn sets_of_transport_settings_are_crossed_with_every_case_and_tell_it_apart() {
    let profile = own("[transport.no-cma]\nmca = { btl_vader_single_copy_mechanism = \"none\" }\n\
        [transport.tcp]\nmca = { btl = \"tcp,self\" }\nenv = { UCX_TLS = \"tcp\" }\n");
    let text = CAMPAIGN.replace("VERSION", "4.1.8") + "[settings.mca]\nbtl = \"^ofi\"\n";
    let overrides = |sets: &[&str]| Overrides {
        transports: sets.iter().map(|&set| set.to_owned()).collect(),
        modes: vec![Mode::Native, Mode::Hybrid],
        ..Overrides::default()
    };
    let crossed = design(&profile, &text, &overrides(&["plain", "no-cma", "tcp"]));
    let labels: Vec<String> = crossed.cases.iter().map(Case::label).collect();
    let expected = ["native 4.1.8", "native 4.1.8 no-cma", "native 4.1.8 tcp", "hybrid 4.1.8", "hybrid 4.1.8 no-cma"];
    assert_eq!((&labels[..5], labels.len()), (expected.map(str::to_owned).as_slice(), 6));
    let ids: std::collections::BTreeSet<_> = crossed.cases.iter().map(Case::id).collect();
    assert_eq!(ids.len(), 6);
    assert_eq!(crossed.cases[2].settings.mca["btl"], "tcp,self", "a set is what was asked for");
    assert!(lines(&crossed.cases[5], &profile).contains("--mca btl tcp,self apptainer exec --env UCX_TLS=tcp"));
    assert_eq!(design(&profile, &text, &overrides(&[])).cases.len(), 2);
    let unknown = Campaign::with("grid", &text, &overrides(&["no-cna"])).unwrap().at(&profile).unwrap_err().to_string();
    assert!(unknown.contains("no set `no-cna`") && unknown.contains("hint: one of plain, no-cma, tcp"), "{unknown}");
}

/// What an MPI of the place wants of the environment is set for its launches, named for other nodes, and never in front of what
/// the launch itself wants.
#[test]
fn the_environment_of_a_sites_mpi_reaches_its_launches_alone() {
    let profile = own(
        "[[host_mpi]]\nversion = \"4.1.8\"\nprefix = \"/site/mpi\"\n[launcher]\nprefix = false\nagent = [\"oarsh\"]\n",
    );
    let vars = [("LD_LIBRARY_PATH", "/site/ucx/lib"), ("UCX_TLS", "rc"), ("PATH", "/site/bin")];
    let vars: BTreeMap<String, String> = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut nodes = nodes(&own("[scheduler]\nkind = \"oar\""));
    profile.put_on(&mut nodes, Scheduler::Oar);
    nodes.terms = profile.terms(BTreeMap::from([("4.1.8".parse().unwrap(), vars)]));
    let placement = Some("one-a-node".parse().unwrap());
    let overrides = Overrides { placement, modes: vec![Mode::Native, Mode::Hybrid], ..Overrides::default() };
    let commands = |version: &str| {
        let design = design(&profile, &CAMPAIGN.replace("VERSION", version), &overrides);
        let runtime = Runtime { program: "apptainer".into() };
        let ground = Ground { runtime: &runtime, nodes: &nodes, instance: "", gate: None };
        let launch = |case: &Case| compose(case, &case.workload, &ground).unwrap().launch;
        [launch(&design.cases[0]), launch(&design.cases[1])]
    };
    let [native, hybrid] = commands("4.1.8");
    assert_eq!(native.env["LD_LIBRARY_PATH"], "/site/mpi/lib:/site/ucx/lib");
    assert_eq!((hybrid.env["LD_LIBRARY_PATH"].as_str(), hybrid.env["UCX_TLS"].as_str()), ("/site/ucx/lib", "rc"));
    for command in [&native, &hybrid] {
        assert!(command.program == "/site/mpi/bin/mpirun" && !command.args.contains(&"--prefix".to_owned()));
        assert!(["-x UCX_TLS", "-x LD_LIBRARY_PATH"].iter().all(|export| command.to_string().contains(export)));
    }
    let [other, _] = commands("5.0.11");
    assert!(!other.env.contains_key("UCX_TLS") && other.env["LD_LIBRARY_PATH"].starts_with("/cache"), "{other}");
}

#[test]
fn a_mode_that_a_profile_rules_out_is_unsupported_with_its_reason_and_one_that_it_restricts_where_it_is_too_large() {
    let profile =
        own("[modes]\nhybrid-sharens = { unsupported = \"no namespaces for users\" }\nbind = { max_nodes = 1 }\n");
    let check = |placement: &str, mode: Mode, expected: &str| {
        let placement = Some(placement.parse().unwrap());
        let overrides = Overrides { placement, modes: vec![mode], ..Overrides::default() };
        let design = design(&profile, &CAMPAIGN.replace("VERSION", "4.1.8"), &overrides);
        let line = lines(&design.cases[0], &profile);
        assert!(line.contains(expected), "{line}");
    };
    check("same-node", Mode::HybridSharens, "unsupported: no namespaces for users (says the profile own)");
    check("same-node", Mode::Bind, "apptainer exec --bind");
    check("one-a-node", Mode::Bind, "unsupported: bind on 2 nodes: at most 1 node (says the profile own)");
    check("one-a-node", Mode::Hybrid, "apptainer exec");
}

/// A real shell: what a file and modules set is what launches get, and nothing of what was there before.
#[test]
fn what_is_sourced_and_loaded_changes_the_environment_and_what_changes_nothing_is_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("it's a site.sh");
    let text = "set -- clobbered; unexported=1; export MPI_HOME='/opt/a b'\n\
                export PATH=/opt/bin:$PATH LINES2='a\nb'\nmodule() { shift; export LOADED=\"$*\"; }\nfalse\n";
    fs::write(&site, text).unwrap();
    let parent = [("PATH", "/usr/bin:/bin"), ("HOME", "/home/ada")];
    let before = Env::from_parent(&parent.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), &[]);
    let room = Room::guest(Place { stage: env!("CARGO_BIN_EXE_sifbench").into(), scratch: dir.path().join("scratch") });
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let changes = |source: &Path, modules: &[&str]| {
        Setup { source: words(&[source.to_str().unwrap()]), modules: words(modules) }.changes(&room, &before)
    };
    let changed = changes(&site, &["openmpi/4.1.8", "x y"]).unwrap();
    let changed: Vec<(&str, &str)> = changed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let paths = [("MPI_HOME", "/opt/a b"), ("PATH", "/opt/bin:/usr/bin:/bin")];
    assert_eq!(changed, [[("LINES2", "a\nb"), ("LOADED", "openmpi/4.1.8 x y")], paths].concat());

    let fails = |text: Option<&str>, modules: &[&str], part: &str| {
        let file = dir.path().join("fails.sh");
        drop(fs::remove_file(&file));
        text.iter().for_each(|text| fs::write(&file, text).unwrap());
        let error = changes(&file, modules).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("hint"), "{error}");
    };
    fails(None, &[], "cannot read");
    fails(Some(""), &[], "changed nothing");
    fails(Some("module() { echo no such module: $2 >&2; return 1; }"), &["mpi/9"], "no such module: mpi/9");
}

/// Where the launcher enters images, its words stand where those of a runtime would, and what only a runtime can do is refused.
#[test]
fn a_launcher_that_enters_images_itself_is_told_which() {
    let profile = own("[launcher]\nkind = \"srun\"\n[scheduler]\nkind = \"slurm\"\n\
        [container]\nby_launcher = [\"--container-image={image}\"]\nenv = { A = \"1\" }\n");
    let check = |rest: &str, expected: &str| {
        let overrides = Overrides { modes: vec![Mode::Hybrid], ..Overrides::default() };
        let text = CAMPAIGN.replace("VERSION", "4.1.8") + rest;
        let line = lines(&design(&profile, &text, &overrides).cases[0], &profile);
        assert!(line.contains(expected) && !line.contains("apptainer"), "{line}");
    };
    check("", "--container-image=/cache/images/openmpi-4.1.8.sif /usr/local/bin/bench-app");
    check("", "A=1 srun");
    check("[settings]\nbinds = [\"/scratch\"]\n", "unsupported: the launcher enters images there, and takes no flags");
    check("[settings]\nenvironment = \"raw\"\n", "unsupported: the launcher enters images there, and takes no flags");
    check("[settings]\nlauncher = \"mpirun\"\n", "unsupported: the launcher enters images there, which mpirun cannot");
}
