//! `sifbench pilot`: a few blocks of a campaign, and the campaign with what they teach.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::{CampaignArgs, Own, RunArgs, Running, commands, edge::Edge, nodes::NodeArgs, profile::Chosen};
use crate::{
    config::{self, Campaign, Overrides},
    decision::Pairs,
    id::SiteId,
    pilot::{self, Advice},
    plan, store,
};

/// `sifbench pilot`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sifbench pilot my.toml\n  sifbench pilot quick --blocks 6 --output tuned.toml\n  \
    sifbench pilot my.toml --from results/laptop/20261124T021500Z-0123abcd\n\n\
    The pilot is a run of its own and is kept like any other; the campaign that it writes is then measured afresh."
)]
pub(super) struct PilotArgs {
    /// A TOML file, or the name of a built-in campaign
    #[arg(default_value = "quick", value_parser = super::text())]
    campaign: String,
    /// Blocks to measure
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(i64::from(pilot::FEWEST_LAUNCHES)..=60))]
    blocks: u32,
    /// Learn from this run of the campaign, and measure nothing
    #[arg(long, value_name = "RUN", conflicts_with_all = ["blocks", "site", "results", "here"])]
    from: Option<PathBuf>,
    /// Where the campaign goes [default: NAME-tuned.toml]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name of this machine or cluster in the results [env: SIFBENCH_SITE] [default: the host name]
    #[arg(long)]
    site: Option<SiteId>,
    /// Where results are kept [env: SIFBENCH_RESULTS] [default: results]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Run here although this looks like a login node
    #[arg(long)]
    here: bool,
    /// Which nodes, and how they are reached.
    #[command(flatten)]
    nodes: NodeArgs,
    /// Print what was learnt as JSON
    #[arg(long)]
    json: bool,
}

impl PilotArgs {
    fn run(&self) -> RunArgs {
        let own = Own { blocks: Some(self.blocks), ..Own::default() };
        let campaign = CampaignArgs { campaign: self.campaign.clone(), own };
        let (site, results, nodes) = (self.site.clone(), self.results.clone(), self.nodes.clone());
        RunArgs { campaign, running: Running { resume: None, site, results, here: self.here, nodes, json: false } }
    }
}

/// Measures a few blocks, and writes the campaign with what they teach.
pub(super) fn pilot(edge: &Edge, args: &PilotArgs) -> anyhow::Result<ExitCode> {
    let (origin, text) = config::text_of(&args.campaign, |path| fs::read_to_string(path))?;
    let campaign = Campaign::parse(&origin, &text)?;
    if campaign.has_program() {
        anyhow::bail!(
            "a pilot fixes K and visits of bench-app, and {origin} measures a program whole, once a launch; hint: `precision` \
             under [decision] lets the run itself find how many blocks it takes, and `blocks` is the most of them"
        );
    }
    let dir = match &args.from {
        Some(run) => store::resolve(run)?,
        None => match commands::measure(edge, &args.run())? {
            Some(dir) => dir,
            None => return Ok(ExitCode::from(130)),
        },
    };
    let run = store::load(&dir)?;
    let advice = pilot::advise(&run.design, &run.records, &run.samples)?;
    let made = &run.manifest.started;
    let note = [
        format!(
            "K, rounds and blocks were fixed by a pilot on {}, {made}: {} launches.",
            run.manifest.site, advice.grounds.launches
        ),
        format!(
            "Between {} {}, between visits {}.",
            units(advice.grounds.pairs).1,
            percent(advice.grounds.between_launches),
            percent(advice.grounds.between_visits)
        ),
    ];
    let tuned = pilot::rewrite(&text, &advice, &note).with_context(|| format!("cannot rewrite {origin}"))?;
    let file = args.output.clone().unwrap_or_else(|| format!("{}-tuned.toml", campaign.name).into());
    fs::write(&file, &tuned)
        .with_context(|| format!("cannot write {}; hint: does its directory exist?", file.display()))?;
    let name = file.display().to_string();
    let chosen = Chosen::find(edge, &args.nodes)?;
    let (tuned, _) = Campaign::parse(&name, &tuned)?.at(&chosen.profile)?;
    let cost = advice.cost(&commands::resolved(edge, &tuned, &Overrides::default(), &chosen)?);
    if args.json {
        let value =
            serde_json::json!({ "campaign": file, "pilot": dir, "advice": advice, "estimate": cost.to_string() });
        edge.print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    edge.print(&words(&advice, &cost, &file))?;
    Ok(ExitCode::SUCCESS)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What scatters, one and many: launches, or the ratios of the two launches of duets.
const fn units(pairs: Pairs) -> (&'static str, &'static str) {
    match pairs {
        Pairs::Blocks => ("launch", "launches"),
        Pairs::Duet => ("duet", "duets"),
    }
}

/// What was learnt, at most 80 columns wide.
fn words(advice: &Advice, cost: &plan::Estimate, file: &Path) -> String {
    let grounds = &advice.grounds;
    let mut text =
        format!("a launch     {:.2} s, and {:.3} s for a visit to every cell\n", grounds.launch_s, grounds.round_s);
    let (launches, visits) = (percent(grounds.between_launches), percent(grounds.between_visits));
    let (one, many) = units(grounds.pairs);
    text += &format!("scatter      {launches} between {many}, {visits} between visits of a {one}\n");
    text += &format!("rounds       {}\n", advice.rounds);
    let reason = match (&grounds.widest, grounds.precision) {
        (Some((name, sd)), Some(precision)) => {
            format!(
                "for ±{} where most is needed:\n             {name}, ±{} from block to block",
                percent(precision),
                percent(*sd)
            )
        }
        _ => "the fewest that can show a difference: no precision is asked for".to_owned(),
    };
    text += &format!("blocks       {}, {reason}\n", advice.blocks);
    text += &format!("all of it    {cost}\n\n");
    for cell in &advice.cells {
        text += &format!("{:<20} {:>8}   K = {}\n", cell.kernel.to_string(), cell.bytes.to_string(), cell.k);
    }
    text + &format!("\n{}\n", file.display())
}
