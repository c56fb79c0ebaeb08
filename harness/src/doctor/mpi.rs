//! Checks of MPI on the host.

use super::{Finding, Mend, Surroundings, packages::Package};
use crate::case::Mode;

/// Modes that the host's mpirun launches.
pub(super) const BY_HOST: [Mode; 5] =
    [Mode::Native, Mode::Hybrid, Mode::HybridInstance, Mode::HybridSharens, Mode::Bind];

/// Campaigns take the host's Open MPIs from the cache, or from where the user's own list of versions says they lie.
pub(super) fn installed(s: &Surroundings) -> Finding {
    let words = |ready: bool| {
        let versions = s.mpis.iter().filter(|mpi| mpi.ready == ready).map(|mpi| mpi.version.to_string());
        versions.collect::<Vec<_>>().join(", ")
    };
    let (ready, on_path) = (words(true), words(false));
    let aside = if on_path.is_empty() { String::new() } else { format!("; {on_path} on PATH") };
    let install = Mend::command("sifbench mpi install 4.1.8 5.0.11");
    if ready.is_empty() {
        let costs = "no mode that the host's mpirun launches";
        return Finding::lacking(format!("none that campaigns find{aside}"), &BY_HOST, costs, [install]);
    }
    let found = format!("{ready}{aside}");
    let lone = s.mpis.iter().find(|mpi| mpi.ready && !s.has_image(&format!("openmpi {}", mpi.version)));
    match lone.filter(|_| s.versions().is_empty() && s.has_mpi_image()) {
        Some(mpi) => {
            let costs = "no version has both a host's Open MPI and an image: only mixed pairs can be measured";
            Finding::note(found, costs, [Mend::command(format!("sifbench image build {}", mpi.version))])
        }
        None => Finding::ok(found),
    }
}

/// mpirun 4.1 looks for a remote shell even where every rank is local.
pub(super) fn ssh(s: &Surroundings) -> Finding {
    if let Some(program) = ["ssh", "rsh"].into_iter().find(|program| s.has(program)) {
        return Finding::ok(format!("{program} is there"));
    }
    let old = s.mpis.iter().any(|mpi| mpi.ready && mpi.version.major() < 5);
    let new = s.mpis.iter().any(|mpi| mpi.ready && mpi.version.major() >= 5);
    let costs = "the host's mpirun 4.1 refuses to start without a remote shell, on one node too";
    let mend = [s.system.install(Package::Ssh)];
    match (old, new) {
        (true, _) | (false, false) => Finding::lacking("no ssh and no rsh", &BY_HOST, costs, mend),
        (false, true) => Finding::note("no ssh and no rsh", costs, mend),
    }
}
