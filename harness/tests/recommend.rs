//! What synthetic runs recommend.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test has a shell read what is typed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod synthetic;

use std::process::Command;

use harness::{
    case::Launcher,
    profile::{Profile, Shelf},
    recommend::{Outcome, Recommendation, place::Place, recommend, text},
    record::{self, ProfileFact},
    report::{Verdict, table::Style},
    stats::Margin,
};

fn of(run: &synthetic::Run) -> Recommendation {
    recommend(&run.report(), &run.design, &Place::of(&run.manifest))
}

fn labels(recommendation: &Recommendation) -> [Vec<&str>; 3] {
    let Recommendation { alike, worse, ruled_out, .. } = recommendation;
    [
        alike.iter().map(|other| other.label.as_str()).collect(),
        worse.iter().map(|other| other.label.as_str()).collect(),
        ruled_out.iter().map(|out| out.label.as_str()).collect(),
    ]
}

#[test]
fn a_recommendation_as_text() {
    let text = text::render(&of(&synthetic::quick(16, 1)), Margin::default(), Style::Plain);
    insta::assert_snapshot!(text);
}

/// Plain hybrid is the least to type; where it hangs at one size, the next best is recommended, and why it is not is said.
#[test]
fn what_fails_anywhere_is_ruled_out_however_fast_it_is_elsewhere() {
    let recommendation = of(&synthetic::quick(16, 1));
    assert_eq!(recommendation.outcome, Outcome::Decided);
    let choice = recommendation.choice.as_ref().unwrap();
    assert_eq!((choice.label.as_str(), choice.native.as_str()), ("hybrid-sharens 4.1.8", "native 4.1.8"));
    assert_eq!((choice.cost.verdict, choice.figures), (Verdict::Equivalent, 18));
    let [alike, worse, out] = labels(&recommendation);
    assert_eq!(alike.len(), 3, "{alike:?}");
    assert!(worse.is_empty(), "{worse:?}");
    assert_eq!(out, ["hybrid 4.1.8", "hybrid 5.0.11 > 4.1.8"]);
    let why: Vec<&str> = recommendation.ruled_out.iter().map(|out| out.why.as_str()).collect();
    assert_eq!(why, ["hang at latency 4 MiB", "2 singletons"]);
}

#[test]
fn commands_are_typed_around_a_program_of_ones_own() {
    let choice = of(&synthetic::quick(16, 1)).choice.unwrap();
    let [command] = &choice.commands[..] else { panic!("{:?}", choice.commands) };
    assert!(command.ends_with("apptainer exec --sharens IMG ./app"), "{command}");
    assert!(command.contains("/bin/mpirun -np 2 --map-by core"), "{command}");
    assert!(choice.image.unwrap().contains("env -u OPAL_PREFIX"));
}

/// On two nodes of a place with a profile: its agent, launcher, setup and runtime, and nothing that only sifbench needs.
#[test]
fn commands_are_typed_as_the_place_of_the_run_wants_them() {
    let check = |name: &str, allocation: &str, facts: &[(&str, &str)], launcher: Launcher, expected: &[&str]| {
        let mut run = synthetic::quick(16, 1);
        let resolved = Shelf::built_in().resolve(name).unwrap();
        let text = Profile::text(&resolved.table);
        let fact = ProfileFact { name: name.into(), why: String::new(), text, setup: Default::default() };
        run.manifest.profile = Some(fact);
        let facts = std::iter::once(("allocation", allocation)).chain(facts.iter().copied());
        run.manifest.facts.extend(facts.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for case in run.design.cases.iter_mut() {
            let id = case.id();
            case.placement = "one-a-node".parse().unwrap();
            case.settings.launcher = launcher;
            let moved = case.id();
            run.records.iter_mut().filter(|record| record.case == id).for_each(|record| record.case = moved.clone());
        }
        let choice = of(&run).choice.unwrap();
        let commands = choice.commands.join("\n");
        for part in expected {
            match part.strip_prefix('!') {
                Some(part) => assert!(!commands.contains(part), "{name}: {part}: {commands}"),
                None => assert!(commands.contains(part), "{name}: {part}: {commands}"),
            }
        }
        for part in ["SIFBENCH_ATTEMPT", "TMPDIR", "APPTAINER_CONFIGDIR", "__agent", "sifbench "] {
            assert!(!commands.contains(part), "{name}: {part}: {commands}");
        }
    };
    check(
        "gricad",
        "oar job 2: n1 (1), n2 (1)",
        &[],
        Launcher::Mpirun,
        &["source /applis/site/nix.sh\n", "--host NODE1:1,NODE2:1", "--mca plm_rsh_agent oarsh", "-x PATH"],
    );
    // What the run was told wins over its profile.
    check("oar", "oar job 2: n1 (1), n2 (1)", &[("agent", "ssh -q")], Launcher::Mpirun, &["plm_rsh_agent 'ssh -q'"]);
    check("slurm", "slurm job 1: n1 (1), n2 (1)", &[], Launcher::Mpirun, &["!plm_rsh_agent", "-x PATH", "--prefix"]);
    check(
        "slurm",
        "slurm job 1: n1 (1), n2 (1)",
        &[("srun_mpi", "pmix_v4 (pmix_v4: completed)"), ("container_runtime", "singularity-ce version 4.1.0")],
        Launcher::Srun,
        &["srun --nodes=2 --ntasks=2 --ntasks-per-node=1", "--mpi=pmix_v4", "singularity exec", "!--nodelist"],
    );
}

/// A shell reads of them what the run got, wherever they are typed.
#[test]
fn variables_of_a_profile_are_those_of_the_shell_in_which_commands_are_typed() {
    let mut run = synthetic::quick(16, 1);
    let text = "schema = 1\n[container]\nruntime = \"$HOME/bin/apptainer\"\n\
        [[host_mpi]]\nversion = \"4.1.8\"\nprefix = \"$HOME/mpi\"\nsetup.source = [\"$HOME/env.sh\"]\n\
        env = { A = \"/x:${WORK}\", B = \"$HOME costs 5$\" }\n";
    let fact = ProfileFact { name: "own".into(), why: String::new(), text: text.into(), setup: Default::default() };
    run.manifest.profile = Some(fact);
    let commands = of(&run).choice.unwrap().commands;
    assert_eq!(commands[0], "source \"$HOME\"/env.sh");
    let words = |command: &str| -> Vec<String> {
        let read = format!("set -- {command}; printf '%s\\n' \"$@\"");
        let shell = Command::new("sh").args(["-c", &read]).env("HOME", "/home/a b").env("WORK", "/w").output().unwrap();
        String::from_utf8(shell.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    assert_eq!(words(&commands[0]), ["source", "/home/a b/env.sh"]);
    let launch = words(&commands[1]);
    assert_eq!(launch[..2], ["A=/x:/w", "B=/home/a b costs 5$"], "{}", commands[1]);
    assert_eq!(launch[launch.len() - 5..], ["/home/a b/bin/apptainer", "exec", "--sharens", "IMG", "./app"]);
}

#[test]
fn a_matrix_recommends_what_the_mismatch_does_not_slow_down() {
    let recommendation = of(&synthetic::crossed(16, 1));
    let choice = recommendation.choice.as_ref().unwrap();
    assert_eq!(choice.label, "hybrid-sharens 4.1.7", "of those that are the same, host and image of one version");
    let [_, worse, out] = labels(&recommendation);
    assert!(worse.contains(&"hybrid-sharens 4.1.8 > 5.0.11") && worse.contains(&"hybrid 5.0.11"), "{worse:?}");
    assert!(out.contains(&"hybrid-sharens 5.0.11 > 4.1.8") && out.contains(&"hybrid 4.1.8"), "{out:?}");
}

/// What the machine does in one duet it does not do in the next one of the same block.
#[test]
fn duets_recommend_by_what_each_takes_over_its_own_partner() {
    let recommendation = of(&synthetic::duets(30, 1));
    assert_eq!(recommendation.outcome, Outcome::Decided);
    let choice = recommendation.choice.as_ref().unwrap();
    let width = |ratio: &harness::report::Ratio| ratio.interval.map(|interval| interval.hi / interval.lo).unwrap();
    assert!(matches!(choice.cost.verdict, Verdict::Equivalent | Verdict::BelowMargin), "{:?}", choice.cost);
    assert!(choice.cost.k == 30 && width(&choice.cost) < 1.06, "{:?}", choice.cost);
    assert_eq!(recommendation.alike.len(), 2, "{:?}", labels(&recommendation));
    for other in &recommendation.alike {
        assert!(other.ratio.k == 30 && width(&other.ratio) < 1.08, "{}: {:?}", other.label, other.ratio);
    }
}

#[test]
fn too_few_blocks_decide_nothing_and_none_recommend_nothing() {
    let few = of(&synthetic::quick(4, 1));
    assert_eq!(few.outcome, Outcome::Undecided);
    assert!(few.choice.unwrap().cost.interval.is_none());
    let mut run = synthetic::quick(1, 1);
    run.records.retain(|record| record.purpose == record::Purpose::Discovery);
    run.samples.clear();
    let none = of(&run);
    assert_eq!((none.outcome, none.choice.is_none()), (Outcome::Nothing, true));
    let text = text::render(&none, Margin::default(), Style::Plain);
    assert!(text.contains("nothing can be recommended"), "{text}");
}

/// Whoever renders the published matrix again reads what is said of it.
#[test]
fn the_published_matrix_says_what_works_and_recommends_no_mismatch() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dir = harness::store::resolve(&root.join("results/vm-2-cores-matrix")).unwrap();
    let run = harness::store::load(&dir).unwrap();
    let report = harness::report::model(&run.manifest, &run.design, &run.records, &run.samples);
    assert!(run.closed && report.matrices.len() == 3);
    for matrix in &report.matrices {
        assert_eq!((matrix.hosts.len(), matrix.images.len()), (6, 6));
        let crossings = || matrix.crossings.iter().flatten();
        let mismatched = crossings().filter_map(|crossing| crossing.failed.as_ref().filter(|failed| !failed.alike));
        let outcomes: Vec<String> = mismatched.map(|failed| failed.outcome.to_string()).collect();
        assert_eq!(outcomes, ["2 singletons"; 8], "{}: hosts of 5.0 with images of 4.1, and nothing else", matrix.mode);
        let slower = crossings().filter(|c| !c.matched && c.telling.is_some_and(|t| t.verdict == Verdict::Slower));
        assert_eq!(slower.count(), 0, "{}: no mismatch that works is slower than the image's own version", matrix.mode);
    }
    let recommendation = recommend(&report, &run.design, &Place::of(&run.manifest));
    let choice = recommendation.choice.unwrap();
    assert_eq!((choice.label.as_str(), choice.cost.verdict), ("hybrid-sharens 4.1.8", Verdict::Equivalent));
}
