//! Launches of a machine that is made up: the real order of launches, times drawn from a seed.

use std::num::NonZeroU32;

use bench_app::{
    Bytes, Cell, Kernel, Workload,
    workload::{BufferKind, Order},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    against::Against,
    app::Compilation,
    case::{Case, Entry, HostMpi, Image, Implementation, Mpi, Placement, Settings, Stack},
    command::CommandSpec,
    decision::{Decision, Pairs},
    id::{AttemptId, MpiVersion, Sha256},
    medians::Medians,
    plan,
    record::{Design, Limits, Manifest, Observed, Outcome, Record, SCHEMA, Sample, SampleRange},
    report::{self, CaseReport, Report, Role},
    stats::Margin,
};

use super::{Assessment, Cells, FOUND, SLOWDOWNS, Source, Verdict, machine::Machine, tally::Tally};

/// Latencies of the machine in its near state, ns, by size. All feel the state of the machine in full: the worst case.
const CELLS: [(u64, f64); 4] = [(8, 300.0), (1024, 400.0), (8192, 1200.0), (65536, 7500.0)];
/// From the start of a launch to its first visit, and from its last to the next launch, s.
const START: f64 = 1.1;
/// A visit, s.
const VISIT: f64 = 0.008;
const ROUNDS: u32 = 3;
const BATCHES: u32 = 3;
/// Repetitions in a batch.
const K: u32 = 100;
/// Standard deviation of a launch's luck (where its pages lie), in all cells and in each, on the scale of logarithms.
const LUCK: f64 = 0.03;
/// Trials that look for the number of blocks with which a slowdown is found.
const SEARCH: u64 = 300;
/// Numbers of blocks that are tried when those asked for are too few.
const LADDER: [u32; 9] = [15, 20, 30, 40, 60, 80, 100, 140, 200];

/// What is to be tried.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Trials in which nothing differs.
    pub trials: u64,
    /// Blocks of each, or the most there may be.
    pub blocks: u32,
    /// Stop on this precision, as campaigns do.
    pub precision: Option<f64>,
    /// And let cases rest that reach it before the others.
    pub rest: bool,
    /// Seed of everything.
    pub seed: u64,
    /// The relative difference that matters.
    pub margin: Margin,
}

/// Tries the method on the machine that is made up.
#[must_use]
pub fn synthetic(setup: &Setup) -> Assessment {
    let mut assessment = assess(setup);
    if !finds(&assessment) {
        let with = |blocks: u32| {
            let setup = Setup { blocks, ..*setup };
            finds(&Assessment::new(source(&setup), slowed(&setup, SEARCH)))
        };
        assessment.notes.push(match setup.precision {
            Some(precision) => format!("Stopping at ±{} % is too early to find +10 % for sure.", precision * 100.0),
            None => enough(setup.blocks, with),
        });
    }
    assessment
}

fn assess(setup: &Setup) -> Assessment {
    let nothing = many(setup, setup.trials, [0.0; 3], |tally, report| {
        tally.add_twin(report);
        tally.add_family(compared(report));
    });
    Assessment::new(source(setup), nothing.merge(slowed(setup, (setup.trials / 4).max(1))))
}

fn source(setup: &Setup) -> Source {
    let Setup { trials, blocks, seed, margin, precision, rest } = *setup;
    let stop = precision.map(|precision| format!(", stopping at ±{} %", precision * 100.0)).unwrap_or_default();
    let stop = if rest { stop + ", each case by itself" } else { stop };
    let words = format!("{trials} trials on a made-up machine, seed {seed}{stop}");
    Source { words, blocks, alike: blocks, margin, family: CELLS.len() * SLOWDOWNS.len(), cells: Cells::Worst }
}

fn compared(report: &Report) -> impl Iterator<Item = &CaseReport> {
    report.cases.iter().filter(|case| case.role == Role::Compared)
}

fn slowed(setup: &Setup, trials: u64) -> Tally {
    many(setup, trials, SLOWDOWNS, |tally, report| {
        compared(report).zip(SLOWDOWNS).for_each(|(case, slowdown)| tally.add_slowed(slowdown, case));
    })
}

/// Whether the slowdown that has to be found is.
fn finds(assessment: &Assessment) -> bool {
    assessment
        .requirements
        .iter()
        .any(|requirement| requirement.what == FOUND && requirement.verdict == Verdict::Passed)
}

/// What to say where `blocks` do not find it, given whether other numbers do.
fn enough(blocks: u32, finds: impl Fn(u32) -> bool) -> String {
    let most = LADDER[LADDER.len() - 1].max(blocks);
    match LADDER.into_iter().filter(|more| *more > blocks).find(|more| finds(*more)) {
        Some(more) => format!("{blocks} blocks are too few to find +10 % on this machine; {more} find it."),
        None => format!("+10 % is not found on this machine, not even with {most} blocks."),
    }
}

/// The tally of many trials, which share the processors and nothing else: its value does not depend on how.
fn many(setup: &Setup, trials: u64, slowdowns: [f64; 3], add: fn(&mut Tally, &Report)) -> Tally {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64).min(trials.max(1));
    let work = |worker: u64| {
        let mut tally = Tally::default();
        (worker..trials).step_by(workers as usize).for_each(|trial| add(&mut tally, &report(setup, trial, slowdowns)));
        tally
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        let tallies = handles.into_iter().map(|handle| handle.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        tallies.fold(Tally::default(), Tally::merge)
    })
}

/// The report of one trial: the baseline, its twin, and three cases slowed down by `slowdowns`.
fn report(setup: &Setup, trial: u64, slowdowns: [f64; 3]) -> Report {
    let design = design(setup, trial);
    let mut rng = ChaCha8Rng::seed_from_u64(setup.seed);
    // Trials with and without slowdowns are different ones.
    rng.set_stream(2 * trial + u64::from(slowdowns != [0.0; 3]));
    let mut machine = Machine::new(ChaCha8Rng::from_rng(&mut rng));
    let (mut records, mut samples, mut time) = (Vec::new(), Vec::new(), 0.0);
    let mut medians = Medians::default();
    for number in 1..=design.blocks {
        for launch in plan::launches(&design, number, &records, &medians).into_iter().flatten() {
            let attempt = AttemptId(u32::try_from(records.len()).unwrap_or(u32::MAX) + 1);
            let compared = design.cases.iter().skip(1).position(|case| case == launch.case);
            let slowdown = compared.map_or(0.0, |which| slowdowns[which]);
            let began = time;
            let batches = measure(attempt, 1.0 + slowdown, &mut time, &mut machine, &mut rng);
            medians.add(&batches);
            samples.extend(batches);
            records.push(record(attempt, &launch, time - began));
        }
        if plan::after(&design, &records, &medians, number).is_some() {
            break;
        }
    }
    report::model(&manifest(), &design, &records, &samples)
}

/// The batches of one launch, which starts at `time` and moves it on.
fn measure(
    attempt: AttemptId,
    slowdown: f64,
    time: &mut f64,
    machine: &mut Machine,
    rng: &mut ChaCha8Rng,
) -> Vec<Sample> {
    *time += START * (1.0 + 0.2 * rng.random::<f64>());
    let luck = LUCK * normal(rng);
    let cells = CELLS.map(|(bytes, ns)| (bytes, ns * slowdown * (luck + LUCK * normal(rng)).exp()));
    let mut samples = Vec::with_capacity(CELLS.len() * (ROUNDS * BATCHES) as usize);
    for visit in 0..ROUNDS {
        for (bytes, ns) in cells {
            for batch in 0..BATCHES {
                *time += VISIT / f64::from(BATCHES);
                let disturbed = if rng.random::<f64>() < 0.05 { 1.6 } else { 1.0 };
                let noise = disturbed * (1.0 + 0.05 * rng.random::<f64>());
                let batch_ns = ns * machine.factor(*time) * noise * 2.0 * f64::from(K);
                samples.push(Sample {
                    attempt,
                    kernel: Kernel::Latency,
                    bytes: Bytes(bytes),
                    visit,
                    batch,
                    k: K,
                    ns: batch_ns as u64,
                });
            }
        }
    }
    samples
}

/// A standard normal draw (Box and Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn design(setup: &Setup, trial: u64) -> Design {
    let version: MpiVersion = "4.1.8".parse().unwrap_or_else(|_| unreachable!("a version"));
    let mpi = Mpi { implementation: Implementation::OpenMpi, version };
    let host = || HostMpi::new(mpi.clone(), "/".into());
    let hybrid = |entry| {
        let image = Image { mpi: Some(mpi.clone()), path: "/".into() };
        Stack::Hybrid { host: host(), image, entry }
    };
    let k = NonZeroU32::new(K).unwrap_or(NonZeroU32::MIN);
    let cell = |(bytes, _): (u64, f64)| Cell { kernel: Kernel::Latency, bytes: Bytes(bytes), k };
    let workload = Workload {
        cells: CELLS.map(cell).to_vec(),
        rounds: NonZeroU32::new(ROUNDS).unwrap_or(NonZeroU32::MIN),
        visit_ms: 5,
        order: Order::Shuffled,
        seed: setup.seed,
        buffers: BufferKind::Hot,
    };
    let stacks = [
        Stack::Native { host: host(), app: "/".into() },
        hybrid(Entry::Exec),
        hybrid(Entry::Instance),
        hybrid(Entry::Sharens),
    ];
    let case = |stack| Case {
        stack,
        workload: workload.clone(),
        program: None,
        ranks: 2,
        placement: Placement::default(),
        settings: Settings::default(),
    };
    Design {
        schema: SCHEMA,
        campaign: "aa".into(),
        seed: setup.seed.wrapping_add(trial),
        blocks: setup.blocks,
        app: Compilation::Shared,
        pairs: Pairs::Blocks,
        against: Against::Baseline,
        cases: stacks.map(case).to_vec(),
        probes: Vec::new(),
        limits: Limits::default(),
        decision: Decision {
            margin: setup.margin,
            precision: setup.precision,
            rest: setup.rest,
            ..Decision::default()
        },
    }
}

fn record(attempt: AttemptId, launch: &plan::Launch<'_>, seconds: f64) -> Record {
    Record {
        attempt,
        case: launch.case.id(),
        purpose: launch.purpose,
        block: launch.block,
        slot: launch.slot,
        partner: None,
        command: CommandSpec::new("/"),
        cells: launch.case.workload.cells.clone(),
        started: String::new(),
        wall_ns: (seconds * 1e9) as u64,
        beside_ns: None,
        stopped_ns: None,
        hello_ns: None,
        outcome: Outcome::Completed,
        hello: None,
        facts: None,
        observed: Observed::default(),
        said: Vec::new(),
        lost: Vec::new(),
        swept: Vec::new(),
        samples: SampleRange::empty(),
    }
}

fn manifest() -> Manifest {
    Manifest {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION").into(),
        site: "synthetic".parse().unwrap_or_else(|_| unreachable!("a site")),
        started: String::new(),
        design: Sha256::of(b""),
        facts: Default::default(),
        files: Vec::new(),
        origins: Default::default(),
        profile: None,
        staged: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aa::{CellTally, Finding, Limit};

    const SHORT: Setup =
        Setup { trials: 120, blocks: 12, precision: None, rest: false, seed: 4, margin: Margin::FIVE_PERCENT };

    fn requirement<'a>(assessment: &'a Assessment, what: &str) -> &'a super::super::Requirement {
        assessment.requirements.iter().find(|requirement| requirement.what.contains(what)).unwrap()
    }

    #[test]
    fn differences_are_seen_about_as_often_as_promised_where_there_are_none() {
        let assessment = assess(&SHORT);
        assert_eq!(assessment.tally.cells.len(), CELLS.len());
        let cell = requirement(&assessment, "cell");
        assert_eq!((cell.share.unwrap().of, cell.limit), (120, Limit::AtMost(0.08)));
        for what in ["cell", "family (Holm)", "more than 5 %"] {
            assert_ne!(requirement(&assessment, what).verdict, Verdict::Failed, "{what}: {assessment:?}");
        }
        assert!((0.9..1.1).contains(&assessment.later.unwrap()));
        // 12 blocks of a restless machine: some find it, most do not.
        let found = requirement(&assessment, "+10 %");
        assert_eq!(found.share.unwrap().of, 30);
        assert_eq!((found.verdict, assessment.verdict), (Verdict::Failed, Verdict::Failed), "{found:?}");
        let share =
            |slowdown: f64| source(&SHORT).found(&assessment.tally, slowdown, Finding::Shown).share.unwrap().rate();
        assert!(share(0.05) <= share(0.20));
    }

    #[test]
    fn stopping_on_precision_finds_nothing_where_there_is_nothing() {
        for rest in [false, true] {
            let setup = Setup { trials: 80, blocks: 30, precision: Some(0.2), rest, ..SHORT };
            let reports: Vec<Report> = (0..10).map(|trial| report(&setup, trial, [0.0; 3])).collect();
            let lengths: Vec<u32> = reports.iter().map(|report| report.blocks.begun).collect();
            assert!(
                lengths.iter().any(|length| *length < 30) && lengths.iter().any(|length| *length > 10),
                "{lengths:?}"
            );
            let fewer = |case: &CaseReport, report: &Report| case.launches.made < report.blocks.begun as usize;
            let rested = |report: &Report| report.cases.iter().any(|case| fewer(case, report));
            assert_eq!(reports.iter().any(rested), rest);
            let assessment = assess(&setup);
            for what in ["cell", "family (Holm)", "more than 5 %"] {
                assert_ne!(requirement(&assessment, what).verdict, Verdict::Failed, "{what}: {assessment:?}");
            }
        }
    }

    #[test]
    fn a_method_that_sees_differences_everywhere_fails() {
        let wrong = many(&Setup { trials: 40, blocks: 20, ..SHORT }, 40, SLOWDOWNS, |tally, report| {
            tally.add_family(compared(report));
        });
        let assessment = Assessment::new(source(&SHORT), wrong);
        assert_eq!(requirement(&assessment, "family (Holm)").verdict, Verdict::Failed);
        assert_eq!(requirement(&assessment, "more than 5 %").verdict, Verdict::Failed);
    }

    #[test]
    fn trials_depend_on_the_seed_and_not_on_the_processors() {
        let few = Setup { trials: 7, blocks: 6, ..SHORT };
        let add: fn(&mut Tally, &Report) = |tally, report| tally.add_twin(report);
        let by_one = (0..7).fold(Tally::default(), |mut tally, trial| {
            add(&mut tally, &report(&few, trial, [0.0; 3]));
            tally
        });
        let sorted = |mut cell: CellTally| {
            [&mut cell.twin, &mut cell.later].into_iter().for_each(|logs| logs.sort_by(f64::total_cmp));
            cell
        };
        let cells = |tally: Tally| tally.cells.into_iter().map(sorted).collect::<Vec<_>>();
        assert_eq!(cells(many(&few, 7, [0.0; 3], add)), cells(by_one));
        assert_ne!(report(&few, 1, [0.0; 3]), report(&few, 2, [0.0; 3]));
        assert_eq!(report(&few, 1, [0.0; 3]), report(&few, 1, [0.0; 3]));
    }

    #[test]
    fn the_blocks_that_it_takes_are_looked_for_upwards() {
        assert!(enough(15, |blocks| blocks >= 50).contains("15 blocks are too few"));
        assert!(enough(15, |blocks| blocks >= 50).contains("60 find it"));
        assert!(enough(60, |_| false).contains("not even with 200"));
    }
}
