//! `sifbench submit`: a campaign, or the rest of a run, as a job of the site's scheduler.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread::sleep,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{
    CampaignArgs, commands,
    edge::{Edge, Refused},
    nodes::NodeArgs,
    profile::{Chosen, hosts_of},
};
use crate::{
    command::CommandSpec,
    config,
    id::SiteId,
    plan,
    process::{self, Env},
    profile::Origin,
    record::Design,
    site::batch::Batch,
    store,
    submit::{self, Status, Wishes},
    tool::Tools,
};

/// For a scheduler's own commands.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between looks at a job.
const LOOK: Duration = Duration::from_secs(2);
/// Looks at which the scheduler may not know a job before it is taken for over.
const UNKNOWN: u32 = 3;

/// `sifbench submit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench submit quick --dry-run\n  \
    sifbench submit my.toml --placement one-a-node --account project42 --follow\n  \
    sifbench submit --resume results/gricad/20261124T021500Z-0123abcd\n\n\
    With --follow the exit code is the job's; Ctrl-C leaves the job alone (130).")]
pub(super) struct SubmitArgs {
    /// What to measure.
    #[command(flatten)]
    campaign: CampaignArgs,
    /// Go on with this run in a job
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all =
            ["campaign", "modes", "hosts", "images", "ranks", "placement", "blocks", "seed", "transports", "site", "results", "profile"]
    )]
    resume: Option<PathBuf>,
    /// Name of this machine or cluster in the results [env: SIFBENCH_SITE] [default: the profile's, else the host name]
    #[arg(long)]
    site: Option<SiteId>,
    /// Where results are kept [env: SIFBENCH_RESULTS] [default: results]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Nodes to ask for [default: as many as the largest case takes]
    #[arg(long, allow_negative_numbers = true, value_parser = super::count)]
    nodes: Option<std::num::NonZeroU32>,
    /// Who pays for the job
    #[arg(long, value_parser = submit::parse_account)]
    account: Option<String>,
    /// How long the job may take: H:MM:SS, H:MM or minutes [default: half as much again as the plan, and five minutes]
    #[arg(long, value_name = "TIME", value_parser = submit::parse_walltime)]
    walltime: Option<u64>,
    /// How launches are made there.
    #[command(flatten)]
    place: NodeArgs,
    /// Print the script and the command that would submit it, and submit nothing
    #[arg(long, conflicts_with = "follow")]
    dry_run: bool,
    /// Wait for the job to end, and say how it is doing
    #[arg(long)]
    follow: bool,
    /// Print JSON at the end, which of a dry run holds the script
    #[arg(long)]
    json: bool,
}

/// A job that is to be submitted.
struct Job {
    batch: Batch,
    submit: Vec<String>,
    script: String,
    wishes: Wishes,
    /// Where script and output go.
    dir: PathBuf,
    /// Where its run appears, or is.
    results: PathBuf,
    /// A run each, one after the other.
    designs: Vec<Design>,
}

/// What became of it.
#[derive(Default, Serialize)]
struct Told {
    job: Option<String>,
    script: PathBuf,
    /// What would be in it, where nothing is submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// And what would submit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    nodes: u32,
    walltime_s: u64,
    node_hours: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<PathBuf>,
}

/// Submits, and follows where that is asked for.
pub(super) fn submit(edge: &Edge, args: &SubmitArgs) -> anyhow::Result<ExitCode> {
    let mut chosen = match &args.resume {
        Some(dir) => commands::recorded_or_found(edge, dir, &args.place)?,
        None => Chosen::find(edge, &args.place)?,
    };
    edge.say(&chosen.told());
    let job = job(edge, args, &mut chosen)?;
    let Wishes { nodes, seconds, .. } = job.wishes;
    let hours = job.wishes.node_hours();
    for design in &job.designs {
        edge.say(&format!("the plan takes {}", plan::estimate(design)));
    }
    let plural = if nodes == 1 { "" } else { "s" };
    edge.say(&format!("asks for {nodes} node{plural} for {}: at most {hours:.2} node-hours", submit::clock(seconds)));
    let least: f64 = job.designs.iter().map(|design| plan::estimate(design).seconds[0]).sum();
    // What a run that is gone on with has left to do is not known here.
    if args.resume.is_none() && (seconds as f64) < least {
        edge.say("mind: that is shorter than the plan: the job is stopped before its end; `sifbench submit --resume` goes on");
    }
    let file = job.dir.join("job.sh");
    let command = CommandSpec::new(&job.submit[0]).args(&job.submit[1..]).arg(file.to_string_lossy());
    let mut told = Told { script: file, nodes, walltime_s: seconds, node_hours: hours, ..Told::default() };
    if args.dry_run && args.json {
        let planned = Told { text: Some(job.script), command: Some(command.to_string()), ..told };
        edge.print(&(serde_json::to_string_pretty(&planned)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.dry_run {
        edge.print(&format!("{}\n# {command}\n", job.script.trim_end()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let own = "hint: submit from a directory of your own, where jobs/ can be made";
    fs::create_dir_all(&job.dir).with_context(|| format!("cannot make {}; {own}", job.dir.display()))?;
    let file = &told.script;
    fs::write(file, &job.script).with_context(|| format!("cannot write {}; {own}", file.display()))?;
    // OAR runs it, where others read it.
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let said = handed_in(edge, command)?;
    let id = submit::job_id(job.batch, &said)
        .with_context(|| format!("the scheduler named no job: {}; hint: look at its queue", said.trim()))?;
    edge.say(&format!("job {id}: submitted, {}", file.display()));
    told.job = Some(id.clone());
    let code = if args.follow { follow(edge, &job, &id, &mut told)? } else { ExitCode::SUCCESS };
    if args.json {
        edge.print(&(serde_json::to_string_pretty(&told)? + "\n"))?;
    } else if let Some(run) = &told.run {
        edge.print(&format!("{}\n", run.display()))?;
    } else {
        edge.print(&format!("{id}\n"))?;
    }
    Ok(code)
}

/// What the scheduler answers to a command in the user's own environment, which jobs begin with.
fn handed_in(edge: &Edge, command: CommandSpec) -> anyhow::Result<String> {
    // A job with our mark would be taken for what we have left behind, and our private directory is gone when it begins.
    let tmp = edge
        .var("TMPDIR")
        .map_or_else(|| vec!["-u".to_owned(), "TMPDIR".to_owned()], |dir| vec![format!("TMPDIR={dir}")]);
    let clean = CommandSpec::new("env").args(["-u", process::MARKER]).args(tmp);
    let tools = Tools::new(edge.room(), Env::from_parent(edge.env(), &["*"]));
    tools
        .run(&command.within(clean), PATIENCE)
        .context("the scheduler takes no job; hint: type the command to see what it wants")
}

/// What the arguments ask for, here.
fn job(edge: &Edge, args: &SubmitArgs, chosen: &mut Chosen) -> anyhow::Result<Job> {
    let scheduler = chosen.profile.scheduler.clone();
    let batch = scheduler.kind.unwrap_or(Batch::Local);
    if batch == Batch::Local || scheduler.submit.is_empty() {
        let reason = format!("the profile {} submits to no scheduler", chosen.profile.name);
        return Err(Refused { reason, hint: "measure here with `sifbench run`, or name another by --profile" }.into());
    }
    let here = std::env::current_dir().context("cannot tell where we are")?;
    let absolute = |path: &Path| if path.is_absolute() { path.to_owned() } else { here.join(path) };
    let (designs, results, mut command) = match &args.resume {
        Some(dir) => {
            let run = store::load(dir)?;
            let dir = absolute(dir);
            (vec![run.design], dir.clone(), vec!["run".to_owned(), "--resume".to_owned(), dir.display().to_string()])
        }
        None => {
            let (campaign, _) = commands::campaign(&args.campaign, chosen)?;
            if !args.dry_run {
                chosen.prepare(edge, &campaign.host_versions())?;
            }
            let sweep = args.campaign.sweep();
            let design = |args: &CampaignArgs| commands::resolved(edge, &campaign, &args.overrides(), chosen);
            let designs = sweep.iter().map(design).collect::<anyhow::Result<Vec<Design>>>()?;
            let results = absolute(&edge.results(args.results.as_deref()));
            let named = &args.campaign.campaign;
            let built_in = config::BUILT_IN.iter().any(|(name, _)| name == named);
            let file = if built_in { named.clone() } else { absolute(Path::new(named)).display().to_string() };
            let mut words = vec!["run".to_owned(), file];
            words.extend(args.campaign.own.to_args());
            words.extend(["--results".to_owned(), results.display().to_string()]);
            let site = args.site.as_ref().map(ToString::to_string);
            let site = site.or_else(|| edge.var("SIFBENCH_SITE").map(str::to_owned));
            words.extend(site.into_iter().flat_map(|site| ["--site".to_owned(), site]));
            // A node may be called otherwise, or lack the commands by which this place was known.
            let profile = match &chosen.resolved.origin {
                Origin::File(file) => absolute(file).display().to_string(),
                Origin::BuiltIn | Origin::Run => chosen.profile.name.clone(),
            };
            words.extend(["--profile".to_owned(), profile]);
            (designs, results, words)
        }
    };
    if !args.dry_run {
        for design in &designs {
            chosen.prepare(edge, &hosts_of(design))?;
            commands::all_there(edge, design, chosen)?;
        }
    }
    command.extend(args.place.to_args());
    let wanted = designs.iter().map(Design::nodes).max().unwrap_or(1);
    let nodes = args.nodes.map_or(wanted, std::num::NonZeroU32::get);
    if nodes < wanted {
        let reason = format!("{nodes} nodes are asked for, and the largest case takes {wanted}");
        return Err(Refused { reason, hint: "ask for more by --nodes, or use --placement same-node" }.into());
    }
    let cases = designs.iter().flat_map(|design| design.cases.iter().chain(&design.probes));
    let spreads = cases.filter_map(|case| case.placement.spread(case.ranks).ok());
    let tasks = spreads.map(|spread| spread.per_node.get()).max().unwrap_or(1);
    let planned = || designs.iter().map(|design| submit::walltime(&plan::estimate(design))).sum();
    let seconds = args.walltime.unwrap_or_else(planned);
    let campaign = submit::slug(designs.first().map_or("", |design| &design.campaign));
    let name = format!("sifbench-{campaign}");
    let stamp = commands::now_seconds().replace(['-', ':'], "");
    let dir = here.join("jobs").join(format!("{stamp}-{campaign}"));
    let tool = edge.tool()?;
    for (what, path) in [("the job's script", &dir), ("results", &results), ("sifbench itself", &tool)] {
        if submit::is_of_one_node(path) {
            let reason = format!("{what}: {} is a directory that each node has for itself", path.display());
            return Err(Refused {
                reason,
                hint: "submit from the shared file system, and keep results there (--results)",
            }
            .into());
        }
    }
    if dir.to_string_lossy().contains(char::is_whitespace) {
        let reason = format!("{}: directives of schedulers take no white space in paths", dir.display());
        return Err(Refused { reason, hint: "submit from another directory" }.into());
    }
    let wishes = Wishes { name, nodes, tasks, seconds, account: args.account.clone(), output: dir.join("out") };
    let command = CommandSpec::new(tool.to_string_lossy()).args(command);
    let script = submit::script(&scheduler, &wishes, &here, &command);
    Ok(Job { batch, submit: scheduler.submit, script, wishes, dir, results, designs })
}

/// Waits for the end of a job; its exit code.
fn follow(edge: &Edge, job: &Job, id: &str, told: &mut Told) -> anyhow::Result<ExitCode> {
    let (mut known, mut unknown, mut last) = (String::new(), 0, None);
    let planned: Vec<_> = job.designs.iter().map(plan::length).collect();
    loop {
        if edge.room().stopping() {
            edge.say(&format!("job {id} goes on alone; its output: {}", job.wishes.output.display()));
            return Ok(ExitCode::from(130));
        }
        let ask = submit::ask(job.batch, id);
        let tools = Tools::new(edge.room(), Env::from_parent(edge.env(), &["*"]));
        let said = tools.try_run(&ask, PATIENCE).map(|captured| captured.stdout).unwrap_or_default();
        let status = Status::of(job.batch, &said);
        unknown = if status.is_some() { 0 } else { unknown + 1 };
        // Of a sweep the newest.
        told.run = run_of(job, id).or(told.run.take());
        let launches = told.run.as_ref().map(|run| store::attempts(run));
        let planned = planned.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ");
        let progress = launches.map_or(String::new(), |made| format!(", {made} of about {planned} launches"));
        let now = format!("{}{progress}", status.as_ref().map_or("not known to the scheduler", |s| s.state.as_str()));
        if now != known {
            edge.say(&format!("job {id}: {now}"));
            known = now;
        }
        last = status.or(last);
        if last.as_ref().is_some_and(|status: &Status| status.over) || unknown >= UNKNOWN {
            break;
        }
        sleep(LOOK);
    }
    told.state = last.as_ref().map(|status| status.state.clone());
    let closed = told.run.as_ref().is_some_and(|run| store::is_closed(run));
    if !closed {
        edge.say(&format!("what it said: {}", job.wishes.output.display()));
        if let Some(run) = &told.run {
            edge.say(&format!("go on with: sifbench submit --resume {}", run.display()));
        }
    }
    let code = last.and_then(|status| status.code).unwrap_or(i32::from(!closed));
    // What ends well without a complete run has been stopped.
    let code = if code == 0 && !closed { 1 } else { code };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The run that a job makes: the one that is gone on with, or the newest that was begun in it.
fn run_of(job: &Job, id: &str) -> Option<PathBuf> {
    if store::manifest(&job.results).is_ok() {
        return Some(job.results.clone());
    }
    let mark = format!(" job {id}:");
    let run = store::resolve(&job.results).ok()?;
    let manifest = store::manifest(&run).ok()?;
    manifest.facts.get("allocation").is_some_and(|allocation| allocation.contains(&mark)).then_some(run)
}
