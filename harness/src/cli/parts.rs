//! `sifbench mpi` and `sifbench image`: what launches are made of.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;

use super::{BuildArgs, edge::Edge, profile, progress::Progress};
use crate::{
    app::{Compilation, Headers},
    cache::Kind,
    debian,
    id::MpiVersion,
    image::{self, Bootstrap, Builder},
    mpi,
};

/// `sifbench mpi install`.
pub(super) fn mpi_install(edge: &Edge, versions: &[MpiVersion]) -> anyhow::Result<ExitCode> {
    let (cache, catalogue, tools) = (edge.cache(), edge.catalogue()?, edge.tools());
    // Before the first is installed.
    catalogue.know(versions)?;
    for version in versions {
        let made = mpi::install(&cache, &catalogue, &tools, version)
            .with_context(|| format!("cannot install Open MPI {version}"))?;
        edge.say(&format!("Open MPI {version}: {}", if made.fresh { "installed" } else { "there already" }));
        edge.print(&format!("{}\n", made.path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sifbench mpi list`.
pub(super) fn mpi_list(edge: &Edge, json: bool) -> anyhow::Result<ExitCode> {
    let installed = mpi::list(&edge.cache(), &edge.catalogue()?, &edge.tools(), edge.var("PATH").unwrap_or_default());
    if json {
        edge.print(&(serde_json::to_string_pretty(&installed)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    for mpi in &installed {
        edge.print(&format!("{:<10} {:<6} {}\n", mpi.version, mpi.origin, mpi.prefix.display()))?;
    }
    if installed.is_empty() {
        edge.say("no Open MPI in the cache or on PATH; `sifbench mpi install 4.1.8` gets one");
    }
    Ok(ExitCode::SUCCESS)
}

/// `sifbench image build`.
pub(super) fn image_build(edge: &Edge, args: &BuildArgs) -> anyhow::Result<ExitCode> {
    let (cache, catalogue, tools, runtime) = (edge.cache(), edge.catalogue()?, edge.tools(), profile::runtime(edge)?);
    let bootstrap = args.source.clone().unwrap_or_else(|| machine_bootstrap(edge));
    let builder =
        Builder { cache: &cache, catalogue: &catalogue, tools: &tools, runtime: &runtime, bootstrap, app: args.app };
    catalogue.know(&args.versions)?;
    let spinner = Progress::steps(edge);
    let say = |text: &str| spinner.step(text);
    let mut built = Vec::new();
    let all: Vec<&MpiVersion> = match args.app {
        Compilation::Shared => catalogue.for_images().collect(),
        // Versions that hosts can have are those with headers.
        Compilation::Own => catalogue.for_both().collect(),
    };
    let versions: Vec<&MpiVersion> = args.versions.iter().chain(all.into_iter().filter(|_| args.all)).collect();
    match (versions.is_empty(), args.app) {
        (true, Compilation::Shared) => built.push(("base".to_owned(), builder.base(Headers::Shared, &say)?)),
        (true, Compilation::Own) => anyhow::bail!("a bench-app of its own is that of a version; hint: name versions"),
        (false, Compilation::Shared | Compilation::Own) => {}
    }
    for version in versions {
        if args.app == Compilation::Own {
            // `bind` needs it even where the image above it is there already.
            built.push((format!("base {version}"), builder.base(args.app.headers(version), &say)?));
        }
        built.push((version.to_string(), builder.openmpi(version, &say)?));
    }
    spinner.finish();
    for (name, made) in built {
        edge.say(&format!("image {name}: {}", if made.fresh { "built" } else { "there already" }));
        edge.print(&format!("{}\n", made.path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where this machine takes the userlands of its images from.
pub(super) fn machine_bootstrap(edge: &Edge) -> Bootstrap {
    let debootstrap = edge.on_path("debootstrap").is_some() || Path::new("/usr/sbin/debootstrap").is_file();
    Bootstrap::of_machine(&debian::apt_sources(), debootstrap)
}

/// `sifbench image prune`.
pub(super) fn image_prune(edge: &Edge, dry_run: bool) -> anyhow::Result<ExitCode> {
    let cache = edge.cache();
    let (mut count, mut bytes) = (0, 0);
    for image in image::old(&cache, &edge.catalogue()?) {
        let name = image.path.file_name().unwrap_or_default().to_string_lossy();
        if !dry_run && !cache.discard(Kind::Images, &name)? {
            edge.say(&format!("{}: kept, somebody is building it", image.path.display()));
            continue;
        }
        (count, bytes) = (count + 1, bytes + image.bytes);
        edge.print(&format!("{}\n", image.path.display()))?;
    }
    let (mib, done) = (bytes.div_ceil(1 << 20), if dry_run { "would be removed" } else { "removed" });
    edge.say(&format!("old images {done}: {count}, {mib} MiB"));
    Ok(ExitCode::SUCCESS)
}

/// `sifbench image list`.
pub(super) fn image_list(edge: &Edge, json: bool) -> anyhow::Result<ExitCode> {
    let images = image::list(&edge.cache(), &edge.catalogue()?);
    if json {
        edge.print(&(serde_json::to_string_pretty(&images)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    for image in &images {
        let state = if image.current { "current" } else { "old" };
        let mib = image.bytes.div_ceil(1 << 20);
        let name = if image.app.is_shared() { image.name.clone() } else { format!("{} own", image.name) };
        edge.print(&format!("{name:<20} {state:<8} {mib:>4} MiB  {}\n", image.path.display()))?;
    }
    if images.is_empty() {
        edge.say("no images yet; `sifbench image build 4.1.8` makes one");
    }
    Ok(ExitCode::SUCCESS)
}
