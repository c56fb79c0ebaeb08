//! What a person sees while time passes: a bar on a terminal, one line a launch everywhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cli::edge::Edge,
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
}

impl<'a> Progress<'a> {
    /// For a run of `design`.
    pub(crate) fn new(edge: &'a Edge, design: &Design) -> Self {
        let planned = plan::length(design) as u64;
        let bar = if edge.is_interactive() { ProgressBar::new(planned) } else { ProgressBar::hidden() };
        // A template that does not parse is a fault of this line, seen by every test that runs a campaign.
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}  about {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { edge, bar, blocks: design.blocks, planned }
    }

    /// For the steps of a build, whose number is not known.
    pub(crate) fn steps(edge: &'a Edge) -> Self {
        let bar = if edge.is_interactive() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { edge, bar, blocks: 0, planned: 0 }
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

impl Listener for Progress<'_> {
    fn begins(&mut self, step: &Step<'_>, made: &[Record]) {
        // Rechecks come on top of what was planned.
        let extra = made.iter().filter(|record| record.purpose == Purpose::Recheck).count() as u64;
        self.bar.set_length(self.planned + extra);
        self.bar.set_position(made.len() as u64);
        let labels: Vec<String> = step.launches().map(|launch| launch.case.label()).collect();
        self.bar.set_message(format!("{} {}", self.place(step.launch.block), labels.join(" with ")));
    }

    fn ended(&mut self, launch: &Launch<'_>, record: &Record) {
        let again = match record.purpose {
            Purpose::Recheck => " again, alone",
            Purpose::MeasureTwin => " (twin)",
            Purpose::Discovery | Purpose::Measure | Purpose::Probe => "",
        };
        let seconds = Duration::from_nanos(record.wall_ns).as_secs_f64();
        let place = self.place(record.block);
        let label = format!("{}{again}", launch.case.label());
        self.line(&format!("{place:<10} {label:<32} {seconds:>6.1} s  {}", record.outcome));
        if !matches!(record.outcome, Outcome::Completed | Outcome::Interrupted) {
            record.said.iter().take(3).for_each(|line| self.line(&format!("           | {line}")));
        }
    }
}
