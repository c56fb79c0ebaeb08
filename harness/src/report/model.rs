//! From what a run has stored to its report.

use std::collections::BTreeMap;

use bench_app::{Bytes, Cell, Kernel, event::Late, kernel::Reading};

use crate::{
    against,
    case::Case,
    decision::Pairs,
    diagnose::{self, Known},
    id::{AttemptId, CaseId},
    medians::Medians,
    plan::{self, is_analysed},
    record::{Design, Manifest, Observed, Outcome, Purpose, Record, Sample},
    stats,
};

use super::{
    Blocks, Bounds, Canary, CaseReport, CellReport, CellStatus, Cost, Costs, Failure, Figure, LEVEL, LaunchFigure,
    Launches, ProbeReport, Rate, Report, Role, SCHEMA, Seen, Time, answer, judge::judge, matrix, notes::notes, words,
};

/// The report of a run.
#[must_use]
pub fn model(manifest: &Manifest, design: &Design, records: &[Record], samples: &[Sample]) -> Report {
    let run = Run { design, records, times: times(samples), medians: Medians::of(samples) };
    let margin = design.decision.margin;
    let mut cases = run.cases();
    let family = judge(&mut cases, margin);
    let mut report = Report {
        schema: SCHEMA,
        tool: manifest.tool.clone(),
        site: manifest.site.clone(),
        started: manifest.started.clone(),
        campaign: design.campaign.clone(),
        design: manifest.design.clone(),
        seed: design.seed,
        level: LEVEL,
        margin,
        pairs: design.pairs,
        decision: design.decision.clone(),
        against: design.against,
        launches_needed: stats::smallest_sample(LEVEL),
        family,
        blocks: run.blocks(),
        notes: Vec::new(),
        cases,
        bounds: run.bounds(),
        matrices: Vec::new(),
        probes: design.probes.iter().map(|case| run.probe(case)).collect(),
        failures: run.failures(),
        facts: manifest.facts.clone(),
        files: manifest.files.clone(),
        origins: manifest.origins.clone(),
    };
    report.matrices = matrix::matrices(&report);
    let answers: Vec<String> = report.cases.iter().map(|case| answer::case(case, &report)).collect();
    report.cases.iter_mut().zip(answers).for_each(|(case, answer)| case.answer = answer);
    report.notes = notes(&report);
    report
}

/// Times of one operation, ns, by attempt and cell.
type Times = BTreeMap<(AttemptId, Kernel, Bytes), Vec<f64>>;

fn times(samples: &[Sample]) -> Times {
    let mut times = Times::new();
    for sample in samples {
        let time = sample.kernel.operation_ns(sample.ns, sample.k);
        times.entry((sample.attempt, sample.kernel, sample.bytes)).or_default().push(time);
    }
    times
}

struct Run<'a> {
    design: &'a Design,
    records: &'a [Record],
    times: Times,
    medians: Medians,
}

impl<'a> Run<'a> {
    fn blocks(&self) -> Blocks {
        Blocks {
            planned: self.design.blocks,
            begun: plan::begun(self.records),
            complete: plan::next(self.design, self.records, &self.medians).is_none(),
            ended: plan::ended(self.design, self.records, &self.medians),
        }
    }

    fn bounds(&self) -> Bounds {
        let analysed = self.records.iter().filter(|r| is_analysed(r.purpose) && r.outcome == Outcome::Completed);
        let observed: Vec<&Observed> = analysed.map(|record| &record.observed).collect();
        let fastest = |of: fn(&Observed) -> &Vec<(Bytes, f64)>| {
            let mut fastest: BTreeMap<Bytes, f64> = BTreeMap::new();
            for (bytes, ns) in observed.iter().flat_map(|observed| of(observed)) {
                fastest.entry(*bytes).and_modify(|least| *least = least.min(*ns)).or_insert(*ns);
            }
            fastest.into_iter().collect()
        };
        let between_nodes =
            observed.iter().any(|observed| observed.late.as_ref().is_some_and(|l| l.canary_over.is_some()));
        let readings = stats::sorted(&observed.iter().flat_map(|o| o.canary_readings()).collect::<Vec<_>>());
        let canary = || {
            let [p10, median, p90] = [0.1, 0.5, 0.9].map(|q| stats::quantile_of_sorted(&readings, q));
            Some(Canary { between_nodes, p10: p10?, median: median?, p90: p90?, k: readings.len() })
        };
        Bounds { copies: fastest(|o| &o.copies), streams: fastest(|o| &o.streams), canary: canary() }
    }

    fn cases(&self) -> Vec<CaseReport> {
        let Some((baseline, others)) = self.design.cases.split_first() else { return Vec::new() };
        let roles = [(baseline, Role::Baseline), (baseline, Role::Twin)];
        let roles = roles.into_iter().chain(others.iter().map(|case| (case, Role::Compared)));
        roles.map(|(case, role)| self.case(case, role)).collect()
    }

    fn case(&self, case: &'a Case, role: Role) -> CaseReport {
        let id = case.id();
        let purpose = purpose_of(role);
        let made: Vec<&Record> = self.of(&id).filter(|r| r.purpose == purpose && !is_interrupted(r)).collect();
        let launches = self.completed(&id, purpose);
        let cells = sorted_cells(case).map(|cell| self.cell(case, cell, &launches)).collect();
        let first = launches.first().copied().or(self.of(&id).next());
        let suffix = if role == Role::Twin { " again" } else { "" };
        CaseReport {
            role,
            mode: case.stack.mode(),
            label: format!("{}{suffix}", case.label()),
            name: format!("{}{suffix}", self.name(case)),
            host: case.stack.host().map(|host| host.mpi.clone()),
            image: case.stack.image().and_then(|image| image.mpi.clone()),
            reference: match role {
                Role::Baseline => None,
                Role::Twin => Some(id.clone()),
                Role::Compared => against::reference(self.design, case).map(Case::id),
            },
            ranks: case.ranks,
            buffers: case.workload.buffers,
            answer: String::new(),
            cells,
            launches: Launches {
                made: made.len(),
                completed: launches.len(),
                at_rest: plan::rests(
                    self.design,
                    (case, purpose),
                    plan::begun(self.records),
                    self.records,
                    &self.medians,
                ),
            },
            costs: self.costs(role, &launches),
            seen: seen(&self.witnesses(case, &launches)),
            command: first.map(|r| r.command.to_string()),
            id,
        }
    }

    /// The label, short where the versions are the same everywhere.
    fn name(&self, case: &Case) -> String {
        let versions = |case: &Case| case.label().split_once(' ').map(|(_, versions)| versions.to_owned());
        let common = self.design.cases.iter().all(|other| versions(other) == versions(case));
        if common { case.stack.mode().to_string() } else { case.label() }
    }

    fn of(&self, case: &CaseId) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |r| r.case == *case)
    }

    /// Completed launches by their places: the last where a launch was made again.
    fn completed(&self, case: &CaseId, purpose: Purpose) -> Vec<&'a Record> {
        let completed = self.of(case).filter(|r| r.purpose == purpose && r.outcome == Outcome::Completed);
        completed.map(|r| ((r.block, r.slot), r)).collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The launches that tell what they found around them: of a program those of bench-app before it.
    fn witnesses(&self, case: &Case, launches: &[&'a Record]) -> Vec<&'a Record> {
        match case.program {
            Some(_) => self.of(&case.id()).filter(|record| record.hello.is_some()).collect(),
            None => launches.to_vec(),
        }
    }

    fn baseline_launches(&self) -> Vec<&'a Record> {
        let baseline = self.design.cases.first().map(Case::id);
        baseline.map(|id| self.completed(&id, Purpose::Measure)).unwrap_or_default()
    }

    fn cell(&self, case: &Case, cell: Cell, launches: &[&Record]) -> CellReport {
        let figure = self.figure(cell, launches);
        let retired = plan::retired(case, self.records).into_iter().find(|r| r.cell == cell).map(|r| r.outcome);
        let status = match (retired, figure) {
            (None, Some(figure)) => CellStatus::Figure(figure),
            (Some(outcome), figure) => {
                CellStatus::Failed { outcome, measured: figure.map_or(0, |figure| figure.time.k) }
            }
            (None, None) => match self.last_failure(&case.id(), cell) {
                // Found to work, and not measured yet.
                Outcome::Skipped { .. } if self.ran(&case.id(), cell) => CellStatus::Ran,
                outcome => CellStatus::Failed { outcome, measured: 0 },
            },
        };
        CellReport { kernel: cell.kernel, bytes: cell.bytes, repetitions: cell.k.get(), status }
    }

    /// Why there is no figure of a cell that has not been given up.
    fn last_failure(&self, case: &CaseId, cell: Cell) -> Outcome {
        let asked = self.of(case).filter(|r| r.cells.contains(&cell) && r.outcome != Outcome::Completed);
        let alone = self.design.pairs == Pairs::Duet
            && self
                .design
                .cases
                .first()
                .is_some_and(|baseline| !plan::remaining(baseline, self.records).contains(&cell));
        let reason = if alone { "the baseline has no figure to take turns for" } else { "the run ended before" };
        let untried = || Outcome::Skipped { reason: reason.into() };
        asked.last().map_or_else(untried, |record| record.outcome.clone())
    }

    /// Whether any launch measured the cell, analysed or not.
    fn ran(&self, case: &CaseId, cell: Cell) -> bool {
        self.of(case).any(|record| !self.batches(record.attempt, cell).is_empty())
    }

    fn figure(&self, cell: Cell, launches: &[&Record]) -> Option<Figure> {
        let medians = self.medians(cell, launches);
        let values: Vec<f64> = medians.iter().map(|launch| launch.median).collect();
        let batches: Vec<f64> = medians.iter().flat_map(|launch| self.batches(launch.attempt, cell)).copied().collect();
        let batches = stats::sorted(&batches);
        let time = Time {
            median: stats::median(&values)?,
            interval: stats::bootstrap_median(&values, LEVEL),
            k: values.len(),
            p10: stats::quantile_of_sorted(&batches, 0.1)?,
            p90: stats::quantile_of_sorted(&batches, 0.9)?,
            p99: stats::quantile_of_sorted(&batches, 0.99)?,
            min: *batches.first()?,
            batches: batches.len(),
        };
        Some(Figure { rate: rate(cell, &time), time, ratio: None, launches: medians })
    }

    fn medians(&self, cell: Cell, launches: &[&Record]) -> Vec<LaunchFigure> {
        let figure = |record: &&Record| {
            let Record { attempt, block, partner, .. } = **record;
            let canary: Vec<f64> = record.observed.canary_readings().collect();
            let (median, canary) = (self.medians.get(attempt, cell)?, stats::median(&canary));
            Some(LaunchFigure { attempt, block, partner, median, canary })
        };
        launches.iter().filter_map(figure).collect()
    }

    fn batches(&self, attempt: AttemptId, cell: Cell) -> &[f64] {
        self.times.get(&(attempt, cell.kernel, cell.bytes)).map_or(&[], Vec::as_slice)
    }

    /// What launches cost that have the machine to themselves. Those of a duet start at once, on the same cores, and the time
    /// of one is that of both.
    fn costs(&self, role: Role, launches: &[&Record]) -> Costs {
        if self.design.pairs == Pairs::Duet {
            return Costs { wall: None, hello: None, init: None, hello_extra: None };
        }
        let over = |cost: fn(&Record) -> Option<u64>| {
            let values: Vec<f64> = launches.iter().filter_map(|r| cost(r)).map(|ns| ns as f64).collect();
            let values = stats::sorted(&values);
            Some(Cost { median: stats::median(&values)?, min: *values.first()?, max: *values.last()?, k: values.len() })
        };
        let hello_extra = match role {
            Role::Baseline => None,
            Role::Twin | Role::Compared => {
                let baseline = self.baseline_launches();
                let extra = |record: &&Record| {
                    Some(record.hello_ns? as f64 - plan::pair_of(record, &baseline)?.hello_ns? as f64)
                };
                stats::signed_rank(&launches.iter().filter_map(extra).collect::<Vec<f64>>(), LEVEL)
            }
        };
        Costs {
            wall: over(|r| Some(r.wall_ns)),
            hello: over(|r| r.hello_ns),
            init: over(|r| r.hello.as_ref().map(|hello| hello.init_ns)),
            hello_extra,
        }
    }

    fn probe(&self, case: &Case) -> ProbeReport {
        let id = case.id();
        let records: Vec<&Record> = self.of(&id).filter(|r| !is_interrupted(r)).collect();
        let retired = plan::retired(case, self.records);
        let cell = |cell: Cell| {
            let outcome = retired.iter().find(|r| r.cell == cell).map(|r| r.outcome.clone());
            let status = match outcome {
                Some(outcome) => CellStatus::Failed { outcome, measured: 0 },
                None if self.ran(&id, cell) => CellStatus::Ran,
                None => CellStatus::Failed { outcome: self.last_failure(&id, cell), measured: 0 },
            };
            CellReport { kernel: cell.kernel, bytes: cell.bytes, repetitions: cell.k.get(), status }
        };
        let cells: Vec<CellReport> = sorted_cells(case).map(cell).collect();
        ProbeReport {
            mode: case.stack.mode(),
            label: case.label(),
            answer: answer::probe(&cells, !records.is_empty()),
            cells,
            seen: seen(&records),
            command: records.first().map(|r| r.command.to_string()),
            id,
        }
    }

    fn failures(&self) -> Vec<Failure> {
        let cases = self.design.cases.iter().chain(&self.design.probes);
        let labels: Vec<(CaseId, String)> = cases.map(|case| (case.id(), case.label())).collect();
        let label = |id: &CaseId| {
            let known = labels.iter().find(|(known, _)| known == id);
            known.map_or_else(|| format!("case {id}"), |(_, label)| label.clone())
        };
        let cases = || self.design.cases.iter().chain(&self.design.probes);
        let cause = |r: &Record| {
            let case = cases().find(|case| case.id() == r.case)?;
            diagnose::line(&Known::of(case, r))
        };
        let failed = self.records.iter().filter(|r| r.outcome != Outcome::Completed);
        let failure = |r: &Record| Failure {
            attempt: r.attempt,
            case: r.case.clone(),
            label: label(&r.case),
            purpose: r.purpose,
            block: r.block,
            outcome: r.outcome.clone(),
            cause: cause(r),
            said: r.said.clone(),
            swept: r.swept.clone(),
        };
        failed.map(failure).collect()
    }
}

fn rate(cell: Cell, time: &Time) -> Option<Rate> {
    let per_second = |ns: f64| cell.bytes.0 as f64 * 1e9 / ns;
    let is_rate = cell.kernel.row().reading == Reading::Rate && time.min > 0.0;
    is_rate.then(|| Rate {
        median: per_second(time.median),
        interval: time.interval.map(|interval| [per_second(interval.hi), per_second(interval.lo)]),
    })
}

fn seen(records: &[&Record]) -> Seen {
    let hellos = || records.iter().filter_map(|r| r.hello.as_ref());
    let facts = || records.iter().filter_map(|r| r.facts.as_ref());
    let late = || records.iter().filter_map(|r| r.observed.late.as_ref());
    Seen {
        libraries: distinct(hellos().map(|hello| hello.library.clone())),
        protocols: distinct(hellos().map(|hello| hello.protocol)),
        placement: distinct(facts().map(words::placement)),
        isolation: distinct(facts().map(words::isolation)),
        transport: distinct(late().filter_map(|late| Some(late.traffic?.carrier().to_owned()))),
        variables: variables(late()),
    }
}

fn variables<'a>(late: impl Iterator<Item = &'a Late> + Clone) -> BTreeMap<String, Vec<String>> {
    let names = late.clone().flat_map(|late| late.variables.keys());
    let values = |name: &String| distinct(late.clone().filter_map(|late| late.variables.get(name).cloned()));
    names.map(|name| (name.clone(), values(name))).collect()
}

fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(Vec::new(), |mut known, value| {
        if !known.contains(&value) {
            known.push(value);
        }
        known
    })
}

fn sorted_cells(case: &Case) -> impl Iterator<Item = Cell> {
    let mut cells = case.workload.cells.clone();
    cells.sort();
    cells.into_iter()
}

const fn purpose_of(role: Role) -> Purpose {
    match role {
        Role::Baseline | Role::Compared => Purpose::Measure,
        Role::Twin => Purpose::MeasureTwin,
    }
}

fn is_interrupted(record: &Record) -> bool {
    record.outcome == Outcome::Interrupted
}
