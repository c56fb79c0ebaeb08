//! Checks of schedulers and fast networks.

use super::{Finding, Mend, Surroundings, surroundings::Size};

/// Locked memory below which a fabric's provider cannot register its buffers.
const MEMLOCK_LEAST: u64 = 1 << 30;

/// Nothing is measured on a login node.
pub(super) fn scheduler(s: &Surroundings) -> Finding {
    let Some(login) = &s.login_node else {
        return Finding::ok(match s.schedulers.as_slice() {
            [] => "none".to_owned(),
            known => format!("{}, inside an allocation", known.join(", ")),
        });
    };
    let inside = match login.as_str() {
        "Slurm" => Mend::command("salloc --nodes 1 --exclusive srun --pty sifbench doctor"),
        "OAR" => Mend::command("oarsub --interactive --resource /nodes=1"),
        "PBS" => Mend::command("qsub -I -l select=1"),
        _ => Mend::command("ccc_mprun -n 2 -K -s"),
    };
    Finding::note(
        format!("{login}, and no allocation: this looks like a login node"),
        "`sifbench run` refuses here, and compute nodes may have less than this one",
        [inside],
    )
}

/// A fabric's figures need its devices, its provider inside the image, and memory that may be locked.
pub(super) fn network(s: &Surroundings) -> Finding {
    let memlock =
        s.memlock.map_or("no limit on locked memory".to_owned(), |limit| format!("{} of locked memory", Size(limit)));
    if s.fabric.is_empty() {
        return Finding::ok(format!("no fabric: shared memory and TCP ({memlock})"));
    }
    let found = format!("{}; {memlock}", s.fabric.join(", "));
    if s.memlock.is_some_and(|limit| limit < MEMLOCK_LEAST) {
        return Finding::note(
            found,
            "buffers cannot be registered: Open MPI falls back to TCP across nodes, and completes",
            [Mend::as_root("echo '* - memlock unlimited' > /etc/security/limits.d/memlock.conf")],
        );
    }
    Finding::ok(found)
}
