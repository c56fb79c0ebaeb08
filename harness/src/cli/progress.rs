//! What a person sees while time passes: a bar on a terminal, one line a launch everywhere; on a terminal, where versions are
//! crossed, a grid that fills, and lines only of what fails.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    case::Mode,
    cli::{edge::Edge, grid},
    diagnose::{self, Known},
    plan::{self, Launch, Look, Step},
    record::{Design, Outcome, Purpose, Record},
    run::Listener,
};

/// The progress of a run, or of the steps of a build.
pub(crate) struct Progress<'a> {
    edge: &'a Edge,
    bar: ProgressBar,
    /// Of a run.
    design: Option<&'a Design>,
    planned: u64,
    /// The modes of a run that crosses versions, on a terminal: then a grid fills instead of lines.
    crossed: Vec<Mode>,
}

impl<'a> Progress<'a> {
    /// For a run of `design`.
    pub(crate) fn new(edge: &'a Edge, design: &'a Design) -> Self {
        let planned = plan::length(design) as u64;
        let bar = if edge.is_interactive() { ProgressBar::new(planned) } else { ProgressBar::hidden() };
        // A template that does not parse is a fault of this line, seen by every test that runs a campaign.
        let crossed = if edge.is_interactive() { grid::modes(design) } else { Vec::new() };
        let below = if crossed.is_empty() { "" } else { "\n{msg}" };
        let style =
            ProgressStyle::with_template(&format!("{{bar:24}} {{pos}}/{{len}}  {{prefix}}  about {{eta}} left{below}"));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { edge, bar, design: Some(design), planned, crossed }
    }

    /// For the steps of a build, whose number is not known.
    pub(crate) fn steps(edge: &'a Edge) -> Self {
        let bar = if edge.is_interactive() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { edge, bar, design: None, planned: 0, crossed: Vec::new() }
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
        let blocks = self.design.map_or(0, |design| design.blocks);
        match block {
            0 => "discovery".to_owned(),
            n if n <= blocks => format!("block {n}/{blocks}"),
            _ => "probe".to_owned(),
        }
    }

    /// The launches that the budget has room for, where there is one, if they go on as they did.
    fn affordable(&self, made: &[Record]) -> Option<u64> {
        let budget = self.design?.decision.budget_min? * 60.0;
        let spent: f64 = made.iter().map(Record::spent).sum();
        (spent > 0.0).then(|| (budget / spent * made.len() as f64) as u64)
    }
}

/// How a launch ended, and why where that is known: `hang at latency 4 MiB: CMA lost across user namespaces; --sharens`.
fn ending(launch: &Launch<'_>, record: &Record) -> String {
    let cause = diagnose::line(&Known::of(launch.case, record));
    cause.map_or_else(|| record.outcome.to_string(), |cause| format!("{}: {cause}", record.outcome))
}

/// What a look sees: `after 35 blocks ±1.3 % (hybrid 5.0.11, latency 1 MiB), ±1 % wanted; at rest: embedded 5.0.11`.
fn glance(look: &Look, wanted: f64) -> String {
    let percent = |share: f64| format!("±{} %", (share * 1e3).round() / 10.0);
    let widest = look.widest.as_ref().map_or_else(String::new, |(name, cell, half)| {
        let width = half.map_or_else(|| "no interval yet".to_owned(), |half| percent(half.exp_m1()));
        format!(" {width} ({name}, {} {})", cell.kernel, cell.bytes)
    });
    let rest = if look.at_rest.is_empty() { String::new() } else { format!("; at rest: {}", look.at_rest.join(", ")) };
    format!("after {} blocks{widest}, {} wanted{rest}", look.block, percent(wanted))
}

impl Listener for Progress<'_> {
    fn begins(&mut self, step: &Step<'_>, made: &[Record]) {
        // Rechecks come on top of what was planned.
        let extra = made.iter().filter(|record| record.purpose == Purpose::Recheck).count() as u64;
        let (planned, behind) = (self.planned + extra, made.len() as u64);
        // What is tried for its outcome is tried behind the budget too.
        self.bar.set_length(self.affordable(made).map_or(planned, |room| room.clamp(behind, planned.max(behind))));
        self.bar.set_position(behind);
        let Launch { case, block, .. } = step.launch;
        let labels: Vec<String> = step.launches().map(|launch| launch.case.label()).collect();
        self.bar.set_prefix(format!("{} {}", self.place(block), labels.join(" with ")));
        let modes = &self.crossed;
        if let (Some(design), false) = (self.design, modes.is_empty()) {
            // Discovery goes mode by mode; a block mixes them, and shows one.
            let of_block = modes[block as usize % modes.len()];
            let own = case.stack.mode();
            let mode = if block == 0 && modes.contains(&own) { own } else { of_block };
            self.bar.set_message(grid::grid(design, made, mode, case).join("\n"));
        }
    }

    fn looked(&mut self, look: &Look) {
        let wanted = self.design.and_then(|design| design.decision.precision).unwrap_or_default();
        self.line(&glance(look, wanted));
    }

    fn ended(&mut self, launch: &Launch<'_>, record: &Record) {
        let again = match record.purpose {
            Purpose::Recheck => " again, alone",
            Purpose::MeasureTwin => " (twin)",
            Purpose::Discovery | Purpose::Measure | Purpose::Probe => "",
        };
        let completed = matches!(record.outcome, Outcome::Completed | Outcome::Interrupted);
        if completed && !self.crossed.is_empty() {
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

#[cfg(test)]
mod tests {
    use bench_app::{Bytes, Cell, Kernel};

    use super::*;

    #[test]
    fn a_glance_tells_how_far_it_is() {
        let cell = Cell { kernel: Kernel::Latency, bytes: Bytes(1 << 20), k: std::num::NonZeroU32::MIN };
        let of = |half, at_rest: &[&str]| {
            let widest = Some(("hybrid 5.0.11".to_owned(), cell, half));
            glance(&Look { block: 35, widest, at_rest: at_rest.iter().map(|name| (*name).to_owned()).collect() }, 0.01)
        };
        let far = "after 35 blocks ±1.3 % (hybrid 5.0.11, latency 1 MiB), ±1 % wanted";
        assert_eq!(of(Some(0.0129), &[]), far);
        assert_eq!(of(Some(0.0129), &["bind", "embedded"]), format!("{far}; at rest: bind, embedded"));
        assert!(of(None, &[]).contains("no interval yet (hybrid"));
    }
}
