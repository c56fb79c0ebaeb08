//! The command line: words and help. What the words do is in [`commands`].

pub mod aa;
mod check;
pub mod commands;
pub mod compare;
mod doctor;
pub mod edge;
mod explain;
mod export;
mod grid;
mod init;
mod kit;
mod manual;
mod nodes;
mod parts;
mod pilot;
mod plan;
mod profile;
mod progress;
mod recommend;
mod report;
mod site;
mod staging;
mod submit;

use std::{ffi::OsString, num::NonZeroU32, path::PathBuf, process::ExitCode};

use clap::{
    Args, CommandFactory as _, Parser, Subcommand,
    builder::{OsStringValueParser, TypedValueParser},
};

use crate::{
    app::Compilation,
    case::{Mode, Placement},
    config::Overrides,
    id::{MpiVersion, SiteId},
    image::Bootstrap,
    process::{Place, Room},
};

/// What a container costs an MPI program on this machine, with numbers that can be defended.
///
/// sifbench launches one MPI benchmark natively and in every way Apptainer offers, in random order and many times,
/// keeps every raw batch, and says which differences are real, which launches hang, and what was typed.
#[derive(Debug, Parser)]
#[command(
    name = "sifbench",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        sifbench doctor                     what this machine has and lacks\n  \
        sifbench site list                  profiles of places, and which one this is\n  \
        sifbench plan quick                 the exact commands, nothing is run\n  \
        sifbench mpi install 4.1.8          an Open MPI for the host side\n  \
        sifbench image build 4.1.8          the image beside it\n  \
        sifbench init my.toml               a campaign of your own, explained\n  \
        sifbench pilot my.toml              how often and how long to measure, by a few blocks of it\n  \
        sifbench run quick                  measure; Ctrl-C stops cleanly\n  \
        sifbench run --resume results/..    go on\n  \
        sifbench submit quick --dry-run     the script of a job for the scheduler here\n  \
        sifbench matrix                     every host's Open MPI with every image's\n  \
        sifbench report                     tables, and an HTML page of the newest run\n  \
        sifbench export --to shared         a copy of a run without names of hosts and people\n  \
        sifbench recommend                  what to type here, and what it costs\n  \
        sifbench explain                    why cases failed or are slow, and what helps\n  \
        sifbench compare results/a results/b     what changed from one run to another\n  \
        scripts/kit                         all of it in one archive, for a site without network\n\n\
        Exit codes: 0 done, 1 failed or lacking, 2 wrong usage or campaign, 3 refused here, 130 interrupted"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a campaign for this machine, every key explained
    Init(init::InitArgs),
    /// Print the exact commands of a campaign; needs nothing installed
    Plan(PlanArgs),
    /// Measure a campaign, or go on with a run that was stopped
    Run(RunArgs),
    /// Measure a campaign in a job of the site's scheduler, or go on with a run in one
    Submit(submit::SubmitArgs),
    /// Cross Open MPIs of the host with images: what works, and what a mismatch costs
    Matrix(MatrixArgs),
    /// Fix a campaign's K, visits and blocks by a few blocks of it
    Pilot(pilot::PilotArgs),
    /// Show a run: tables here, and one self-contained HTML page
    Report(ReportArgs),
    /// Copy a run without names of hosts and people, to share it
    Export(export::ExportArgs),
    /// Say what to type here, what it costs, and what is ruled out
    Recommend(recommend::RecommendArgs),
    /// Say why cases have no figure or are slow, with the evidence and what helps
    Explain(explain::ExplainArgs),
    /// Compare runs, or cases of a run: figures, ratios, verdicts, and an exit code to gate on
    Compare(compare::CompareArgs),
    /// Test the method itself: how often it sees differences where there are none, and finds those there are
    Aa(aa::AaArgs),
    /// Check this machine: what is here, what is lacking, what that costs, and what to type
    Doctor(doctor::DoctorArgs),
    /// What is particular about places: launchers, schedulers, MPIs, runtimes, what is impossible
    Site {
        #[command(subcommand)]
        command: site::SiteCommand,
    },
    /// Open MPIs of the host
    Mpi {
        #[command(subcommand)]
        command: MpiCommand,
    },
    /// Images with bench-app and an Open MPI
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Everything a campaign runs, in one archive for a site without Rust and network
    Kit {
        #[command(subcommand)]
        command: kit::KitCommand,
    },
    /// Print completions for a shell
    Completions(manual::CompletionsArgs),
    /// Write manual pages, one a command
    Man(manual::ManArgs),
}

/// A campaign and what overrides it.
#[derive(Debug, Clone, Args)]
pub struct CampaignArgs {
    /// A TOML file, or the name of a built-in campaign
    #[arg(default_value = "quick", value_parser = text())]
    pub campaign: String,
    /// What overrides it.
    #[command(flatten)]
    pub own: Own,
}

/// What overrides a campaign.
#[derive(Debug, Clone, Default, Args)]
pub struct Own {
    /// Modes instead of the campaign's
    #[arg(long, value_delimiter = ',', value_name = "MODE,..", value_parser = clap::value_parser!(Mode))]
    modes: Vec<Mode>,
    /// Open MPIs of the host, where the campaign crosses them with images
    #[arg(long, value_delimiter = ',', value_name = "VERSION,..")]
    hosts: Vec<MpiVersion>,
    /// Open MPIs of the images, where the campaign crosses them with hosts
    #[arg(long, value_delimiter = ',', value_name = "VERSION,..")]
    images: Vec<MpiVersion>,
    /// Ranks of every launch; of several numbers each makes a run of its own, one after the other
    #[arg(long, value_delimiter = ',', value_name = "N,..", allow_negative_numbers = true, value_parser = count)]
    ranks: Vec<NonZeroU32>,
    /// How ranks are spread over nodes: same-node, one-a-node, or a number such as 4-a-node
    #[arg(long)]
    placement: Option<Placement>,
    /// Analysed blocks, or the most of them where the campaign stops on precision
    #[arg(long, allow_negative_numbers = true)]
    pub blocks: Option<u32>,
    /// Seed of every random order
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Sets of transport settings of the site's profile with each of which every case is made; `plain` is none
    #[arg(long, value_delimiter = ',', value_name = "SET,..")]
    transports: Vec<String>,
}

impl Own {
    /// The same as words of a command line.
    fn to_args(&self) -> Vec<String> {
        fn list<T: ToString>(values: &[T]) -> Option<String> {
            let words: Vec<String> = values.iter().map(ToString::to_string).collect();
            (!words.is_empty()).then(|| words.join(","))
        }
        let Own { modes, hosts, images, ranks, placement, blocks, seed, transports } = self;
        let given = [
            ("--modes", list(modes)),
            ("--hosts", list(hosts)),
            ("--images", list(images)),
            ("--ranks", list(ranks)),
            ("--placement", placement.map(|placement| placement.to_string())),
            ("--blocks", blocks.map(|blocks| blocks.to_string())),
            ("--seed", seed.map(|seed| seed.to_string())),
            ("--transports", list(transports)),
        ];
        given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
    }
}

impl CampaignArgs {
    /// A campaign for each number of ranks: cases of different size are not compared with each other.
    #[must_use]
    pub fn sweep(&self) -> Vec<Self> {
        let of = |ranks: &NonZeroU32| Self { own: Own { ranks: vec![*ranks], ..self.own.clone() }, ..self.clone() };
        if self.own.ranks.is_empty() { vec![self.clone()] } else { self.own.ranks.iter().map(of).collect() }
    }

    /// The values given as flags, of one of a sweep.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        let Own { modes, hosts, images, ranks, placement, blocks, seed, transports } = &self.own;
        let (modes, hosts, images) = (modes.clone(), hosts.clone(), images.clone());
        let transports = transports.clone();
        let (ranks, placement, blocks, seed) = (ranks.first().copied(), *placement, *blocks, *seed);
        Overrides { ranks, placement, blocks, seed, modes, hosts, images, transports }
    }
}

/// `sifbench plan`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sifbench plan quick --blocks 2")]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub campaign: CampaignArgs,
    /// Where it would run.
    #[command(flatten)]
    pub nodes: nodes::NodeArgs,
    /// Print the launches of every block, not of the first alone
    #[arg(long)]
    pub every_block: bool,
    /// Print JSON, with every block
    #[arg(long)]
    pub json: bool,
}

/// `sifbench run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench run quick --site laptop\n  sifbench run my.toml --blocks 20\n  \
    sifbench run collectives.toml --placement one-a-node --ranks 2,4,8\n  sifbench run --resume results/laptop/20261124T021500Z-0123abcd")]
pub struct RunArgs {
    /// What to measure.
    #[command(flatten)]
    pub campaign: CampaignArgs,
    /// Where and how.
    #[command(flatten)]
    pub running: Running,
}

/// `sifbench matrix`: the same for the campaign of that name.
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Cross Open MPIs of the host with images: what works, and what a mismatch costs\n\n\
        Every cell is tried once, and once more alone where it fails; the blocks that follow measure what works. How long \
        that takes is said first, and it can be stopped and resumed. `sifbench plan matrix` shows the commands.",
    after_help = "Examples:\n  sifbench matrix\n  sifbench matrix --hosts 4.1.8,5.0.11 --images 4.1.8,5.0.11 --modes native,hybrid\n  \
    sifbench matrix mine.toml --blocks 6\n  sifbench matrix --resume results/laptop/20261124T021500Z-0123abcd"
)]
pub struct MatrixArgs {
    /// A TOML file with a [matrix], or the name of a built-in campaign
    #[arg(default_value = "matrix", value_parser = text())]
    campaign: String,
    /// What overrides it.
    #[command(flatten)]
    own: Own,
    /// Where and how.
    #[command(flatten)]
    running: Running,
}

impl From<MatrixArgs> for RunArgs {
    fn from(MatrixArgs { campaign, own, running }: MatrixArgs) -> Self {
        Self { campaign: CampaignArgs { campaign, own }, running }
    }
}

/// Where and how a campaign is run.
#[derive(Debug, Clone, Args)]
pub struct Running {
    /// Go on with this run, with the campaign it was started with
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["campaign", "modes", "hosts", "images", "ranks", "placement", "blocks", "seed", "transports", "site", "profile"]
    )]
    pub resume: Option<PathBuf>,
    /// Name of this machine or cluster in the results [env: SIFBENCH_SITE] [default: the host name]
    #[arg(long)]
    pub site: Option<SiteId>,
    /// Where results are kept [env: SIFBENCH_RESULTS] [default: results]
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Where to run.
    #[command(flatten)]
    pub nodes: nodes::NodeArgs,
    /// Run here although this looks like a login node
    #[arg(long)]
    pub here: bool,
    /// Print the run's directory and outcome counts as JSON at the end
    #[arg(long)]
    pub json: bool,
}

/// `sifbench report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench report\n  sifbench report results/laptop --output page.html\n  \
    sifbench report --json | jq .cases")]
pub struct ReportArgs {
    /// A run, or a directory of runs (its newest is taken) [env: SIFBENCH_RESULTS] [default: results]
    pub dir: Option<PathBuf>,
    /// Where the HTML page goes [default: reports/SITE/RUN/report.html]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the report as JSON and write no page
    #[arg(long)]
    pub json: bool,
    /// Hide names of hosts and people in all of it [default: as the profile's privacy.redact says]
    #[arg(long)]
    pub redact: bool,
}

#[derive(Debug, Subcommand)]
enum MpiCommand {
    /// Install versions into the cache, from wheels or a Debian's packages; system directories are never touched
    #[command(after_help = "Example:\n  sifbench mpi install 4.1.8 5.0.11")]
    Install {
        /// Versions, such as 4.1.8
        #[arg(required = true)]
        versions: Vec<MpiVersion>,
    },
    /// List those in the cache and on PATH
    #[command(after_help = "Example:\n  sifbench mpi list --json | jq -r '.[].version'")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Build images; what is there already is not built again
    #[command(after_help = "Examples:\n  sifbench image build 4.1.8\n  sifbench image build --all\n  \
        sifbench image build 5.0.11 --source docker:debian:trixie-slim\n  \
        sifbench image build --app own 5.0.11")]
    Build(BuildArgs),
    /// Check images: launch two ranks by their own mpirun, and compare what is in them with what would be built
    Check(check::CheckArgs),
    /// Remove those in the cache that this version of the tool would not use; nothing else
    #[command(after_help = "Examples:\n  sifbench image prune --dry-run\n  sifbench image prune")]
    Prune {
        /// List them, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List those in the cache
    #[command(after_help = "Example:\n  sifbench image list --json | jq -r '.[] | select(.current | not) | .path'")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `sifbench image build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Versions of Open MPI; without any, the base image alone
    pub versions: Vec<MpiVersion>,
    /// Every version of the catalogue
    #[arg(long, conflicts_with = "versions")]
    pub all: bool,
    /// Compile bench-app once for all versions, or for each against its own headers
    #[arg(long, value_enum, default_value_t)]
    pub app: Compilation,
    /// Where the Debian inside comes from: docker:IMAGE or debootstrap:MIRROR [default: apt's mirror, else docker]
    #[arg(long)]
    pub source: Option<Bootstrap>,
}

/// A number of things of which there is at least one.
fn count(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| format!("`{text}` is no count; hint: a whole number from 1 on, such as 2"))
}

/// A word that is text, as everything is that results are kept with; what is none is named.
fn text() -> impl TypedValueParser<Value = String> {
    let text =
        |word: OsString| word.into_string().map_err(|_| "it is not UTF-8; hint: rename it, or name a link to it");
    OsStringValueParser::new().try_map(text)
}

/// Runs the tool with `args` and maps what happens to an exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        // Help and version go to standard output and are no failures; clap knows which is which.
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return if edge::is_written(&edge::usage(&error)) { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    let room = match Room::take_charge(Place::default()) {
        Ok(room) => room,
        Err(error) => return edge::fail(&error.into()),
    };
    let edge = edge::Edge::of_process(room);
    let result = match &cli.command {
        Command::Init(args) => init::init(&edge, args),
        Command::Plan(args) => plan::plan(&edge, args),
        Command::Run(args) => commands::run(&edge, args),
        Command::Submit(args) => submit::submit(&edge, args),
        Command::Matrix(args) => commands::run(&edge, &args.clone().into()),
        Command::Pilot(args) => pilot::pilot(&edge, args),
        Command::Report(args) => report::report(&edge, args),
        Command::Export(args) => export::export(&edge, args),
        Command::Recommend(args) => Ok(edge::answered(recommend::recommend(&edge, args))),
        Command::Explain(args) => Ok(edge::answered(explain::explain(&edge, args))),
        Command::Compare(args) => Ok(edge::answered(compare::compare(&edge, args))),
        Command::Aa(args) => Ok(edge::answered(aa::aa(&edge, args))),
        Command::Doctor(args) => doctor::doctor(&edge, args),
        Command::Site { command } => site::site(&edge, command),
        Command::Mpi { command: MpiCommand::Install { versions } } => parts::mpi_install(&edge, versions),
        Command::Mpi { command: MpiCommand::List { json } } => parts::mpi_list(&edge, *json),
        Command::Image { command: ImageCommand::Build(args) } => parts::image_build(&edge, args),
        Command::Image { command: ImageCommand::Check(args) } => check::check(&edge, args),
        Command::Image { command: ImageCommand::Prune { dry_run } } => parts::image_prune(&edge, *dry_run),
        Command::Image { command: ImageCommand::List { json } } => parts::image_list(&edge, *json),
        Command::Kit { command: kit::KitCommand::Build(args) } => kit::build(&edge, args),
        Command::Kit { command: kit::KitCommand::Check { dir, json } } => kit::check(&edge, dir.as_deref(), *json),
        Command::Completions(args) => manual::completions(&edge, args, Cli::command()),
        Command::Man(args) => manual::man(&edge, args, Cli::command()),
    };
    result.unwrap_or_else(|error| edge::fail(&error))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
