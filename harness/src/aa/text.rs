//! An assessment for people, at most 80 columns wide.

use std::fmt::Write as _;

use super::{Assessment, Cells, Finding, LEVEL, Limit, SLOWDOWNS, Verdict};
use crate::{
    report::{layout::wrapped, table::WIDTH, units},
    stats::Share,
};

/// The assessment as text.
#[must_use]
pub fn render(assessment: &Assessment) -> String {
    let mut text = String::new();
    let source = &assessment.source;
    let mut line = |line: String| {
        writeln!(text, "{}", line.trim_end()).unwrap_or_else(|error| unreachable!("a string takes all text: {error}"));
    };
    line(format!("A/A: {}", source.words));
    let (alike, blocks) = (source.alike, source.blocks);
    line(match alike == blocks {
        true => format!("{blocks} blocks a trial, margin {} %", source.margin.percent()),
        false => {
            format!("{alike} blocks a trial, {blocks} where a slowdown is put in, margin {} %", source.margin.percent())
        }
    });
    line("\nthe baseline against itself: intervals that exclude 1".to_owned());
    for cell in &assessment.tally.cells {
        let name = units::place(cell.kernel, cell.bytes);
        line(format!("  {name:<24} {}   at most {}", share(cell.excluded), percent(cell.excluded.upper(LEVEL))));
    }
    let alarms = &assessment.tally.alarms;
    let effect = alarms.design_effect().map(|effect| format!("   design effect {effect:.1}")).unwrap_or_default();
    line(format!("  {:<24} {}{effect}", "all", share(alarms.share)));
    let cells = match source.cells {
        Cells::Worst => "slowdowns put in, worst cell",
        Cells::Pooled => "slowdowns put in, all cells",
    };
    line(format!("\n{cells:<34}called a difference   called slower"));
    for slowdown in SLOWDOWNS {
        let [shown, slower] = [Finding::Shown, Finding::Slower]
            .map(|by| share(source.found(&assessment.tally, slowdown, by).share.unwrap_or_default()));
        let name = format!("+{:.0} %", slowdown * 100.0);
        line(format!("  {name:<32} {shown}   {slower}"));
    }
    if let Some(later) = assessment.later {
        let biased = share(assessment.tally.biased);
        line("\nthe later of two equal launches of a block".to_owned());
        line(format!("  takes {later:.4} times as long; p is at most 5 % in {}", biased.trim_start()));
    }
    line(String::new());
    for requirement in &assessment.requirements {
        let (side, limit) = match requirement.limit {
            Limit::AtMost(limit) => ("at most", limit),
            Limit::AtLeast(limit) => ("at least", limit),
        };
        let (verdict, bound, limit) = (requirement.verdict.words(), percent(requirement.bound), percent(limit));
        line(format!("{verdict:<7}{:<42}{side:>8} {bound} (limit {})", requirement.what, limit.trim_start()));
    }
    for note in &assessment.notes {
        line(format!("\n{}", wrapped(note, WIDTH).join("\n")));
    }
    let summary = match assessment.verdict {
        Verdict::Passed => "The method passes.",
        Verdict::Failed => "The method fails.",
        Verdict::TooFew => "The trials are too few to say.",
    };
    line(format!("\n{summary}"));
    text
}

/// `4.7 % of 2000`.
fn share(share: Share) -> String {
    match share.rate() {
        Some(rate) => format!("{} of {:<6}", percent(rate), share.of),
        None => "-".to_owned(),
    }
}

fn percent(share: f64) -> String {
    format!("{:>5.1} %", share * 100.0)
}
