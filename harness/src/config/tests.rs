//! Campaigns as written, and the designs they become.

use super::*;
use crate::{against::reference, stats};

fn of(headers: Headers<'_>) -> String {
    match headers {
        Headers::Shared => String::new(),
        Headers::Of(version) => format!("-of-{version}"),
    }
}

struct Fixed;
impl Parts for Fixed {
    fn host_prefix(&self, version: &MpiVersion) -> PathBuf {
        format!("/mpi/{version}").into()
    }
    fn image(&self, version: Option<&MpiVersion>, headers: Headers<'_>) -> PathBuf {
        version.map_or(format!("/base{}.sif", of(headers)), |v| format!("/openmpi-{v}{}.sif", of(headers))).into()
    }
    fn app(&self, headers: Headers<'_>) -> PathBuf {
        format!("/app{}", of(headers)).into()
    }
}

const QUICK: &str = BUILT_IN[0].1;

#[test]
fn built_in_campaigns_are_valid_and_make_the_cases_they_name() {
    for (name, text) in BUILT_IN {
        assert_eq!(Campaign::parse(name, text).unwrap().name, name);
    }
    let design = Campaign::parse("quick", QUICK).unwrap().design(&Overrides::default(), &Fixed);
    let labels: Vec<_> = design.cases.iter().chain(&design.probes).map(Case::label).collect();
    let modes = ["native", "embedded", "hybrid", "hybrid-instance", "hybrid-sharens", "bind"];
    let expected: Vec<_> = modes.iter().map(|mode| format!("{mode} 4.1.8")).collect();
    assert_eq!(labels[..6], expected);
    assert_eq!(labels[6], "hybrid 5.0.11 > 4.1.8");
    assert_eq!(design.cases[5].stack.image().unwrap().path, Path::new("/base.sif"));
}

/// What is compiled is compiled for the library it loads: the image's, or the host's where the image has none.
#[test]
fn an_own_bench_app_is_that_of_the_mpi_it_loads_and_makes_no_other_case() {
    let shared = Campaign::parse("quick", QUICK).unwrap();
    let own = QUICK.replace("ranks = 2", "app = \"own\"\nranks = 2").replace(
        "mode = \"hybrid\"\nhost = \"5.0.11\"\nimage = \"4.1.8\"",
        "mode = \"hybrid\"\nhost = \"5.0.11\"\nimage = \"4.1.8\"\n[[probe]]\nmode = \"bind\"\nhost = \"5.0.11\"",
    );
    let own = Campaign::parse("own", &own).unwrap();
    let [of_shared, of_own] = [&shared, &own].map(|campaign| campaign.design(&Overrides::default(), &Fixed));
    let check = |index: usize, before: &str, after: &str| {
        let file = |design: &Design| match &design.cases.iter().chain(&design.probes).nth(index).unwrap().stack {
            Stack::Native { app, .. } => app.display().to_string(),
            Stack::Embedded { image } | Stack::Hybrid { image, .. } | Stack::Bind { image, .. } => {
                image.path.display().to_string()
            }
        };
        assert_eq!((file(&of_shared).as_str(), file(&of_own).as_str()), (before, after));
    };
    check(0, "/app", "/app-of-4.1.8");
    check(1, "/openmpi-4.1.8.sif", "/openmpi-4.1.8-of-4.1.8.sif");
    check(5, "/base.sif", "/base-of-4.1.8.sif");
    check(6, "/openmpi-4.1.8.sif", "/openmpi-4.1.8-of-4.1.8.sif");
    let ids = |design: &Design| design.cases.iter().map(Case::id).collect::<Vec<_>>();
    assert_eq!(ids(&of_shared), ids(&of_own), "equal cases compare");
    assert_eq!((of_shared.app, of_own.app), (Compilation::Shared, Compilation::Own));
    let loaded = |campaign: &Campaign| campaign.loaded_versions().iter().map(MpiVersion::to_string).collect::<Vec<_>>();
    assert_eq!(loaded(&shared), ["4.1.8"], "of the probe only the host's mpirun is 5.0.11");
    assert_eq!(loaded(&own), ["4.1.8", "5.0.11"]);
}

#[test]
fn built_in_campaigns_have_blocks_enough_to_show_a_difference() {
    for (name, text) in BUILT_IN {
        let design = Campaign::parse(name, text).unwrap().design(&Overrides::default(), &Fixed);
        let family = design.cases.iter().skip(1).map(|case| case.workload.cells.len()).sum::<usize>();
        let fewest = stats::Method::SignedRank.fewest(stats::ALPHA / family as f64);
        assert!(design.blocks as usize >= fewest, "{name}: {family} comparisons take {fewest} blocks");
    }
}

#[test]
fn flags_win_over_the_campaign() {
    let overrides = Overrides { ranks: NonZeroU32::new(4), blocks: Some(9), ..Overrides::default() };
    let design = Campaign::parse("quick", QUICK).unwrap().design(&overrides, &Fixed);
    assert_eq!((design.cases[0].ranks, design.blocks, design.seed), (4, 9, 1));
    let origins = origins("campaign quick", &overrides);
    assert_eq!((origins["blocks"].as_str(), origins["seed"].as_str()), ("flag", "campaign quick"));
    assert!(!origins.contains_key("hosts"));
}

#[test]
fn a_matrix_takes_other_sides_and_modes_from_flags() {
    let versions = |text: &str| text.split(' ').map(|word| word.parse().unwrap()).collect();
    let overrides = Overrides {
        modes: vec![Mode::Native, Mode::Hybrid],
        hosts: versions("5.0.11"),
        images: versions("4.1.8 5.0.11"),
        ..Overrides::default()
    };
    let matrix = |overrides| Campaign::with("matrix", BUILT_IN[2].1, overrides).unwrap();
    let design = matrix(&overrides).design(&overrides, &Fixed);
    let labels: Vec<_> = design.cases.iter().map(Case::label).collect();
    assert_eq!(labels, ["native 5.0.11", "hybrid 5.0.11 > 4.1.8", "hybrid 5.0.11"]);
    assert_eq!(design.against, Against::OwnVersion);
    assert_eq!(origins("campaign matrix", &overrides)["hosts"], "flag");
    let refused = Campaign::with("quick", QUICK, &overrides).unwrap_err().to_string();
    assert!(refused.contains("no matrix") && refused.contains("sifbench matrix"), "{refused}");
}

/// Six versions on either side: every cell is compared with its image's own version, and the diagonal with native.
#[test]
fn what_a_mismatch_costs_is_told_from_what_the_mode_costs() {
    let design = Campaign::parse("matrix", BUILT_IN[2].1).unwrap().design(&Overrides::default(), &Fixed);
    assert_eq!(design.cases.len(), 3 * 6 + 3 * 36);
    let check = |label: &str, expected: Option<&str>| {
        let case = design.cases.iter().find(|case| case.label() == label).unwrap();
        assert_eq!(reference(&design, case).map(Case::label).as_deref(), expected, "{label}");
    };
    check("native 4.1.7", None);
    check("native 5.0.11", Some("native 4.1.7"));
    check("embedded 5.0.8", Some("native 5.0.8"));
    check("bind 4.1.8", Some("native 4.1.8"));
    check("hybrid 4.1.8", Some("native 4.1.8"));
    check("hybrid 4.1.8 > 5.0.11", Some("hybrid 5.0.11"));
    check("hybrid-sharens 5.0.11 > 4.1.7", Some("hybrid-sharens 4.1.7"));

    let mut design = design;
    design.cases.retain(|case| case.label() != "hybrid 5.0.11" && case.label() != "native 5.0.8");
    let label = |label: &str| {
        let case = design.cases.iter().find(|case| case.label() == label).unwrap();
        reference(&design, case).map(Case::label)
    };
    assert_eq!(label("hybrid 4.1.8 > 5.0.11").as_deref(), Some("native 5.0.11"), "the next best");
    assert_eq!(label("embedded 5.0.8"), None, "another version's native says nothing");
}

#[test]
fn faults_are_named_with_their_place() {
    let check = |from: &str, to: &str, expected: &[&str]| {
        assert!(QUICK.contains(from), "{from}");
        let error = Campaign::parse("my.toml", &QUICK.replace(from, to)).unwrap_err().to_string();
        for part in expected.iter().chain(&["my.toml", "; hint: "]) {
            assert!(error.contains(part), "{to}: {error}");
        }
    };
    check("ranks = 2", "rank = 2", &["line 7, column 1", "unknown field `rank`"]);
    check("\"embedded\"", "\"embeded\"", &["unknown mode `embeded`", "hint: one of native", "line 5"]);
    check("\"8Ki\"", "\"8K\"", &["`8K` is not a size", "line 12"]);
    check("\"1Mi\", \"4Mi\"", "\"1Mi\", \"1Mi:3\"", &["latency 1 MiB is listed twice"]);
    check("schema = 1", "schema = 2", &["schema = 2", "hint: this sifbench reads"]);
    check("versions = [\"4.1.8\"]", "versions = [\"4.1\"]", &["`4.1` is not an MPI version", "line 6"]);
    check("host = \"5.0.11\"\n", "", &["[[probe]] of mode hybrid", "hint: write both"]);
    check("ranks = 2", "ranks = 0", &["line 7"]);
    check("ranks = 2", "app = \"each\"", &["unknown variant `each`", "`shared` or `own`", "line 7"]);
    check("silence_s", "silence", &["unknown field `silence`", "silence_s"]);
    for deadline in ["-1.0", "0", "nan", "inf", "1e300"] {
        let lines = format!("[limits]\ntotal_s = {deadline}");
        check("[limits]", &lines, &["is no deadline", "hint: seconds", "total_s", "line 25"]);
    }
    check("bandwidth =", "bandwith =", &["unknown kernel `bandwith`", "line 13, column 1", "bcast", "visit_ms"]);
    check("rounds = 2\n", "", &["missing field `rounds`", "line 11"]);
    check("visit_ms = 4", "visit_ms = 4\nbuffers = \"cold\"", &["unknown variant `cold`", "rotating", "line 17"]);
    check("[limits]", "[decision]\nmargin = 5\n[limits]", &["5 is not a margin", "0.05 for 5 %", "line 25"]);
    let early = "[decision]\nprecision = 0.02\nfirst_look = 13\n[limits]";
    check("[limits]", early, &["first_look = 13 is not between 6 and blocks = 12", "hint"]);
    let only = "barrier 8 B: there is no message; hint: its only size is 0";
    check("allreduce = [\"8\"", "barrier = [\"8\"", &[only]);
    check("allreduce = [\"8\"", "allreduce = [\"7\"", &["allreduce 7 B: ", "; hint: `sifbench init -`"]);
}

#[test]
fn an_unknown_campaign_names_those_that_exist() {
    let error = text_of("qick", |_| Err(std::io::ErrorKind::NotFound.into())).unwrap_err().to_string();
    assert!(error.starts_with("qick: no such campaign; hint: a TOML file, or one of: quick"), "{error}");
    let closed = text_of("mine.toml", |_| Err(std::io::ErrorKind::PermissionDenied.into())).unwrap_err().to_string();
    assert!(closed.starts_with("mine.toml: this campaign cannot be read (permission denied)"), "{closed}");
}
