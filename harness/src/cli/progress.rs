//! What a person sees while time passes: a bar on a terminal, one line a launch everywhere; on a terminal, where versions are
//! crossed, a grid that fills, and lines only of what fails.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    case::Mode,
    cli::{edge::Edge, grid},
    diagnose::{self, Known},
    plan::{self, Launch, Step},
    record::{Design, Outcome, Purpose, Record},
    run::Listener,
};

/// The progress of a run, or of the steps of a build.
pub(crate) struct Progress<'a> {
    edge: &'a Edge,
    bar: ProgressBar,
    blocks: u32,
    planned: u64,
    /// What is launched, where it crosses versions, and in which modes: then a grid fills instead of lines.
    crossed: Option<(&'a Design, Vec<Mode>)>,
}

impl<'a> Progress<'a> {
    /// For a run of `design`.
    pub(crate) fn new(edge: &'a Edge, design: &'a Design) -> Self {
        let planned = plan::length(design) as u64;
        let bar = if edge.is_interactive() { ProgressBar::new(planned) } else { ProgressBar::hidden() };
        // A template that does not parse is a fault of this line, seen by every test that runs a campaign.
        let modes = grid::modes(design);
        let crossed = (edge.is_interactive() && !modes.is_empty()).then_some((design, modes));
        let below = if crossed.is_some() { "\n{msg}" } else { "" };
        let style =
            ProgressStyle::with_template(&format!("{{bar:24}} {{pos}}/{{len}}  {{prefix}}  about {{eta}} left{below}"));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { edge, bar, blocks: design.blocks, planned, crossed }
    }

    /// For the steps of a build, whose number is not known.
    pub(crate) fn steps(edge: &'a Edge) -> Self {
        let bar = if edge.is_interactive() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { edge, bar, blocks: 0, planned: 0, crossed: None }
    }

    /// A step of a build begins.
    pub(crate) fn step(&self, text: &str) {
        if self.bar.is_hidden() {
            self.edge.say(text);
        } else {
            self.bar.set_message(text.to_owned());
        }
    }

    /// Clears the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| self.edge.say(text));
    }

    fn place(&self, block: u32) -> String {
        match block {
            0 => "discovery".to_owned(),
            n if n <= self.blocks => format!("block {n}/{}", self.blocks),
            _ => "probe".to_owned(),
        }
    }
}

/// How a launch ended, and why where that is known: `hang at latency 4 MiB: CMA lost across user namespaces; --sharens`.
fn ending(launch: &Launch<'_>, record: &Record) -> String {
    let cause = diagnose::line(&Known::of(launch.case, record));
    cause.map_or_else(|| record.outcome.to_string(), |cause| format!("{}: {cause}", record.outcome))
}

impl Listener for Progress<'_> {
    fn begins(&mut self, step: &Step<'_>, made: &[Record]) {
        // Rechecks come on top of what was planned.
        let extra = made.iter().filter(|record| record.purpose == Purpose::Recheck).count() as u64;
        self.bar.set_length(self.planned + extra);
        self.bar.set_position(made.len() as u64);
        let Launch { case, block, .. } = step.launch;
        let labels: Vec<String> = step.launches().map(|launch| launch.case.label()).collect();
        self.bar.set_prefix(format!("{} {}", self.place(block), labels.join(" with ")));
        if let Some((design, modes)) = &self.crossed {
            // Discovery goes mode by mode; a block mixes them, and shows one.
            let of_block = modes[block as usize % modes.len()];
            let own = case.stack.mode();
            let mode = if block == 0 && modes.contains(&own) { own } else { of_block };
            self.bar.set_message(grid::grid(design, made, mode, case).join("\n"));
        }
    }

    fn ended(&mut self, launch: &Launch<'_>, record: &Record) {
        let again = match record.purpose {
            Purpose::Recheck => " again, alone",
            Purpose::MeasureTwin => " (twin)",
            Purpose::Discovery | Purpose::Measure | Purpose::Probe => "",
        };
        let completed = matches!(record.outcome, Outcome::Completed | Outcome::Interrupted);
        if completed && self.crossed.is_some() {
            return;
        }
        let seconds = Duration::from_nanos(record.wall_ns).as_secs_f64();
        let place = self.place(record.block);
        let label = format!("{}{again}", launch.case.label());
        self.line(&format!("{place:<10} {label:<32} {seconds:>6.1} s  {}", ending(launch, record)));
        record
            .swept
            .iter()
            .filter(|words| words.contains("LEFT"))
            .for_each(|words| self.line(&format!("           {words}")));
        if !completed {
            record.said.iter().take(3).for_each(|line| self.line(&format!("           | {line}")));
        }
    }
}
