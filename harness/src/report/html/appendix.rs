//! What failed and what it said, how the figures were made, and what one needs to make them again.

use maud::{Markup, html};

use super::{Page, Section, command, scrolling};
use crate::{
    decision::Pairs,
    report::{CaseReport, Failure, Report, Role, rules, words},
    stats::Method,
};

/// Every launch that did not complete.
pub(super) fn failures(report: &Report) -> Option<Section> {
    if report.failures.is_empty() {
        return None;
    }
    let table = html! {
        table.plain {
            caption.unseen { "Launches that did not complete" }
            thead {
                tr { @for name in ["launch", "case", "made as", "ended as", "said", "cleared away"] { th scope="col" { (name) } } }
            }
            tbody { @for failure in &report.failures { (failed(failure)) } }
        }
    };
    let body = html! {
        p { "How a launch ended is a result. What is found in the first block, which is not analysed, is tried once more alone before it is believed." }
        (scrolling("Launches that did not complete", &table))
    };
    Some(Section { id: "failures", heading: "Launches that did not complete", body })
}

fn failed(failure: &Failure) -> Markup {
    html! {
        tr {
            th scope="row" { (failure.attempt) }
            td { (failure.label) }
            td { (words::purpose(failure.purpose)) }
            td.failed { (failure.outcome) @if let Some(cause) = &failure.cause { p.what { (cause) } } }
            td.said { @if failure.said.is_empty() { "nothing" } @else { pre tabindex="0" { (failure.said.join("\n")) } } }
            td { @if failure.swept.is_empty() { "nothing" } @else { (failure.swept.join(", ")) } }
        }
    }
}

/// Combinations that were tried for their outcome.
pub(super) fn probes(report: &Report) -> Option<Section> {
    if report.probes.is_empty() {
        return None;
    }
    let body = html! {
        p { "Launched once, and once more alone where they failed; nothing of them is compared." }
        dl.answers {
            @for probe in &report.probes {
                div {
                    dt { span.name { (probe.label) } span.what { (probe.mode.summary()) } }
                    dd {
                        (probe.answer) "."
                        @for library in &probe.seen.libraries { p.what { "Loaded: " (library) } }
                        @if let Some(text) = &probe.command { (command(text)) }
                    }
                }
            }
        }
    };
    Some(Section { id: "probes", heading: "Tried for the outcome alone", body })
}

/// Where the figures come from, in six sentences.
pub(super) fn method(report: &Report) -> Section {
    let percent = report.level * 100.0;
    let compared = match report.pairs {
        Pairs::Blocks => "launches of the same block",
        Pairs::Duet => "the two launches of a duet",
    };
    let body = html! {
        ol.method {
            li {
                "The launch is the unit: "
                @if report.is_of_programs() { "its figure is its time from start to end, a case's " }
                @else { "a launch runs every kernel and size, its figure is the median of its batches, a case's " }
                "figure is the median of its launches, and nothing is removed as an outlier."
            }
            li {
                @match report.pairs {
                    Pairs::Blocks => {
                        "A block launches every case once and the baseline twice, in an order shuffled from seed " (report.seed)
                        ", so that drifts of the machine meet all cases alike and the two baselines show what differs by chance."
                    }
                    Pairs::Duet => {
                        "A block makes a duet of the baseline with every other case, and one of the baseline with itself, in an "
                        "order shuffled from seed " (report.seed) ": both launches of a duet are alive at once and take turns on "
                        "the same cores, so that what the machine does in these seconds meets both."
                    }
                }
            }
            li {
                "A ratio compares " (compared) " (" (Method::SignedRank.words()) "), exact at " (percent) " % without "
                "assuming a distribution; an absolute figure stands alone (" (Method::Bootstrap.words()) ") and decides nothing; "
                "both need " (report.launches_needed) " launches."
            }
            li {
                "A verdict takes a margin into account, " (report.margin.percent()) " %, agreed on before the run, and the family "
                "of all " (report.family) " comparisons: slower and faster are intervals wholly beyond the margin with a p that "
                "survives Holm's adjustment, equivalent is a 90 % interval wholly within it."
            }
            li {
                @if report.is_of_programs() {
                    "The time of a launch contains what the launcher, the container runtime and MPI_Init take. That ranks find each "
                    "other is found out by a launch of bench-app in the same case, and by what the program is expected to say once."
                } @else {
                    "Latency is half a round trip, bandwidth follows from the time of 64 messages in flight, allreduce is the time of "
                    "the slowest rank; rates are derived from times and never averaged."
                }
            }
            li {
                "A launch that hangs, breaks off or falls apart is a result: it ends at a deadline, is tried once more alone, and "
                "its cell is then left out while the rest of the case is still measured."
            }
        }
    };
    Section { id: "method", heading: "Method", body }
}

/// How the run stands to the field's rules.
pub(super) fn rules(report: &Report) -> Section {
    let table = html! {
        table.plain {
            caption.unseen { "Twelve rules" }
            thead { tr { @for name in ["rule", "kept", "by this run"] { th scope="col" { (name) } } } }
            tbody {
                @for (number, rule) in (1..).zip(rules::rules(report)) {
                    tr {
                        th scope="row" { (number) ". " (rule.asks) }
                        @if rule.kept { td { "yes" } } @else { td.failed { "no" } }
                        td.said { (rule.answer) }
                    }
                }
            }
        }
    };
    let body = html! {
        p { "Hoefler and Belli's rules for benchmarks of parallel systems (SC15), filled from the data of this run." }
        (scrolling("Twelve rules", &table))
    };
    Section { id: "rules", heading: "Twelve rules", body }
}

/// Facts, files, origins of settings, and what launches found.
pub(super) fn environment(page: &Page<'_>) -> Section {
    let report = page.report;
    let run = [
        ("site", report.site.to_string()),
        ("begun", report.started.clone()),
        ("measured by", format!("sifbench {}", report.tool)),
        ("design", report.design.to_string()),
        ("seed", report.seed.to_string()),
    ];
    let pairs = |name: &str, pairs: &[(String, String)]| {
        html! {
            table.plain {
                caption { (name) }
                tbody { @for (key, value) in pairs { tr { th scope="row" { (key) } td.long { (value) } } } }
            }
        }
    };
    let owned = |(key, value): (&String, &String)| (key.clone(), value.clone());
    let run = run.map(|(key, value)| (key.to_owned(), value));
    let facts: Vec<_> = report.facts.iter().map(owned).collect();
    let origins: Vec<_> = report.origins.iter().map(owned).collect();
    let body = html! {
        div.lists {
            (pairs("The run", &run))
            @if !facts.is_empty() { (pairs("The machine", &facts)) }
            @if !origins.is_empty() { (pairs("Where settings came from", &origins)) }
        }
        @if !report.files.is_empty() { (scrolling("Files that were run", &files(report))) }
        @if !report.cases.is_empty() { (scrolling("What launches found", &found(page))) }
    };
    Section { id: "environment", heading: "Environment", body }
}

fn files(report: &Report) -> Markup {
    html! {
        table.plain {
            caption { "Files that were run" }
            thead { tr { th scope="col" { "file" } th scope="col" { "path" } th scope="col" { "SHA-256" } } }
            tbody {
                @for file in &report.files {
                    tr { th scope="row" { (file.name) } td.long { (file.path.display()) } td.long { code { (file.sha256) } } }
                }
            }
        }
    }
}

fn found(page: &Page<'_>) -> Markup {
    let several = |texts: &[String]| {
        html! { @if texts.is_empty() { "–" } @for text in texts { p { (text) } } }
    };
    let row = |case: &CaseReport| {
        html! {
            tr {
                th scope="row" { (page.name(case)) }
                td { (several(&case.seen.libraries)) }
                td { (several(&case.seen.placement)) }
                td { (several(&case.seen.isolation)) }
            }
        }
    };
    html! {
        table.plain {
            caption { "What launches found" }
            thead { tr { @for name in ["case", "library as loaded", "placement as obtained", "ranks of a host"] { th scope="col" { (name) } } } }
            tbody { @for case in &page.report.cases { (row(case)) } }
        }
    }
}

/// One launch of every case, as it was typed.
pub(super) fn commands(report: &Report) -> Option<Section> {
    let once = report.cases.iter().filter(|case| case.role != Role::Twin);
    let commands: Vec<_> = once.filter_map(|case| Some((&case.label, case.command.as_ref()?))).collect();
    if commands.is_empty() {
        return None;
    }
    let body = html! {
        p { "One launch of each case as it was executed, quoted for a shell." }
        @for (label, text) in commands {
            h3 { (label) }
            (command(text))
        }
    };
    Some(Section { id: "commands", heading: "Commands", body })
}
