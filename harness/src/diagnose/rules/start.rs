//! Why ranks do not come as far as a world of all of them.

use bench_app::event::Namespace;

use super::{AT_START, SHARE, without};
use crate::diagnose::{
    Confidence::{Guess, Likely},
    Rule, Sign,
    Sign::{
        Any, Flag, ForeignPrefix, Library, LostHelp, NoLauncherSeen, NoStart, PrefixesDiffer, Said, ServerDirMissing,
        Singletons, StartedBy,
    },
    remedy::{Change, Remedy},
};

const PREFIXES: &[&str] = &["OPAL_PREFIX", "PMIX_INSTALL_PREFIX", "PMIX_PREFIX", "OMPI_MCA_mca_base_component_path"];

/// What makes an mpirun take part in a job of Slurm.
const JOB: &[&str] =
    &["SLURM_JOB_ID", "SLURM_JOBID", "SLURM_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NNODES", "SLURM_TASKS_PER_NODE"];

/// `MPI_Init` failed or did not return: once a world has formed, neither prefixes nor directories are what is wrong.
const FAILS_IN_INIT: Sign = Any(&[
    LostHelp(""),
    Said(&["opal_init:startup:internal-failure"]),
    Said(&["opal_shmem_base_select failed"]),
    Said(&["opal_init failed"]),
    Said(&["MPI_INIT failed"]),
    Said(&["An error occurred in MPI_Init"]),
    NoStart,
]);

/// Failures before the first message.
pub(super) const START: &[Rule] = &[
    Rule {
        name: "mpirun-missing",
        when: &[Said(&["mpirun`: No such file or directory"])],
        short: "mpirun is not there",
        cause: "The host's mpirun does not exist.",
        remedies: &[Remedy::Do("sifbench mpi install {host}")],
        ..AT_START
    },
    Rule {
        name: "glibc",
        when: &[Said(&["version `GLIBC_", "' not found"])],
        short: "a program newer than the image's libc",
        cause: "The program, or a library it loads, was built with a newer glibc than the one inside.",
        remedies: &[
            Remedy::Do(
                "build it in the oldest userland it shall run in (sifbench image build compiles bench-app for glibc 2.28)",
            ),
            Remedy::Do("take an image with a newer userland"),
        ],
        ..AT_START
    },
    Rule {
        name: "library-missing",
        when: &[Said(&["error while loading shared libraries"])],
        short: "a shared library is not found",
        cause: "The program does not find a library where it looks: LD_LIBRARY_PATH, or what is bind-mounted, hides it.",
        remedies: &[
            Remedy::Change(Change::WithoutEnv(&["LD_LIBRARY_PATH"])),
            Remedy::Do("apptainer exec IMAGE ldd /usr/local/bin/bench-app shows which"),
        ],
        ..AT_START
    },
    Rule {
        name: "root",
        when: &[Said(&["has detected an attempt to run as root"])],
        short: "mpirun refuses root",
        cause: "mpirun does not run as root, not even as the root of a user namespace.",
        remedies: &[without("--fakeroot"), Remedy::Do("run as an ordinary user: scripts/setup/as-user COMMAND")],
        ..AT_START
    },
    Rule {
        name: "slots-orte",
        when: &[Said(&["not enough slots available"]), Said(&["\"slot\" is the Open MPI term"])],
        short: "more ranks than cores or slots",
        cause: "mpirun was given fewer slots (cores, or those of a host file) than ranks.",
        remedies: &[Remedy::Do(
            "fewer ranks: sifbench run --ranks N; mpirun --oversubscribe starts them all the same, but its figures are of \
             waiting and not of messages",
        )],
        ..AT_START
    },
    Rule {
        name: "slots-prrte",
        when: &[Said(&["not enough slots available"]), Said(&["\"slot\" is the PRRTE term"])],
        short: "more ranks than cores or slots",
        cause: "mpirun was given fewer slots (cores, or those of a host file) than ranks.",
        remedies: &[Remedy::Do(
            "fewer ranks: sifbench run --ranks N; mpirun --map-by :OVERSUBSCRIBE starts them all the same, but its figures are \
             of waiting and not of messages",
        )],
        ..AT_START
    },
    Rule {
        name: "job-inside",
        when: &[Any(&[Said(&["srun: not found"]), Said(&["srun: command not found"]), Said(&["plm_slurm_module.c"])])],
        short: "the image's mpirun looks for a job's srun",
        cause: "The mpirun that looks for srun sees the variables of a job of Slurm, and there is no srun where it runs.",
        remedies: &[
            Remedy::Change(Change::WithoutEnv(JOB)),
            Remedy::Change(Change::Mca("plm", "isolated")),
            Remedy::Do("env -u SLURM_JOB_ID -u SLURM_JOBID -u SLURM_NODELIST apptainer exec .."),
        ],
        reference: "singularity issue 1695",
        ..AT_START
    },
    Rule {
        name: "no-ssh",
        when: &[Said(&["plm_rsh_agent:"])],
        short: "no ssh where mpirun runs",
        cause: "mpirun of Open MPI 4 wants the program ssh (plm_rsh_agent), also on a single node.",
        remedies: &[
            Remedy::Change(Change::WithoutMca("plm_rsh_agent")),
            Remedy::Change(Change::Mca("plm", "isolated")),
            Remedy::Do("install openssh-client in the image"),
        ],
        ..AT_START
    },
    Rule {
        name: "session-directory",
        when: &[ServerDirMissing, FAILS_IN_INIT],
        short: "the launcher's session directory is not visible inside",
        cause: "The ranks do not see the directory in which mpirun keeps its session (in /tmp or TMPDIR).",
        remedies: &[
            without("--contain"),
            without("--containall"),
            without("--no-mount tmp"),
            Remedy::Do("bind it: apptainer exec --bind /tmp (campaign: [settings] binds = [\"/tmp\"])"),
        ],
        reference: "openpmix/openpmix issue 3839",
        ..AT_START
    },
    Rule {
        name: "launcher-speaks-pmi",
        when: &[Singletons, Said(&["No PMIx server was reachable, but a PMI1/2 was detected"])],
        short: "the launcher speaks PMI 1 or 2, not PMIx",
        cause: "Open MPI 5 finds its world through PMIx alone; the launcher offers PMI 1 or 2, so each rank became a world of \
                its own.",
        remedies: &[Remedy::Do("srun --mpi=pmix (srun --mpi=list names what this Slurm has), or mpirun")],
        reference: "open-mpi/ompi issue 13523",
        ..AT_START
    },
    Rule {
        name: "environment-dropped",
        when: &[Singletons, NoLauncherSeen],
        short: "the launcher's variables do not reach the ranks",
        cause: "The container drops the environment, and with it how ranks find their launcher (PMIX_, OMPI_, PRTE_): each \
                became a world of its own.",
        remedies: &[
            without("--cleanenv"),
            without("--containall"),
            Remedy::Do("pass PMIX_*, OMPI_* and PRTE_* on, each as APPTAINERENV_NAME"),
        ],
        reference: "open-mpi/ompi issue 13523",
        ..AT_START
    },
    Rule {
        name: "newer-launcher",
        when: &[Singletons, StartedBy(Namespace::Prrte), Library([4, 0, 0], [5, 0, 0])],
        short: "Open MPI 4 under a launcher of 5 or later",
        cause: "The ranks' Open MPI 4 does not recognise the launcher of Open MPI 5 and later: each rank became a world of \
                its own.",
        remedies: &[
            Remedy::Do("launch with an Open MPI 4 of the host: sifbench mpi install {image}, and host = \"{image}\""),
            Remedy::Do("mode embedded or bind; under Slurm srun --mpi=pmix"),
        ],
        reference: "open-mpi/ompi issue 11509",
        ..AT_START
    },
    Rule {
        name: "prefixes-differ",
        when: &[PrefixesDiffer, Library([4, 0, 0], [5, 0, 0]), Any(&[LostHelp("evars"), NoStart])],
        short: "OPAL_PREFIX and PMIX_INSTALL_PREFIX differ",
        cause: "Open MPI 4 wants both prefixes, and equal, or neither: with one alone MPI_Init fails, or never returns.",
        remedies: &[
            Remedy::Change(Change::WithoutEnv(PREFIXES)),
            Remedy::Do(
                "env -u OPAL_PREFIX -u PMIX_INSTALL_PREFIX -u PMIX_PREFIX apptainer exec .. (or set both inside)",
            ),
        ],
        ..AT_START
    },
    Rule {
        name: "foreign-prefix",
        when: &[ForeignPrefix, FAILS_IN_INIT],
        short: "the host's prefix variables reach into the image",
        cause: "A variable sends the library inside to files that are not the image's own.",
        confidence: Likely,
        remedies: &[
            Remedy::Change(Change::WithoutEnv(PREFIXES)),
            Remedy::Do(
                "env -u OPAL_PREFIX -u PMIX_INSTALL_PREFIX -u PMIX_PREFIX apptainer exec .. (or set both inside)",
            ),
        ],
        ..AT_START
    },
    Rule {
        name: "fakeroot",
        when: &[
            Flag("--fakeroot"),
            Any(&[Said(&["PMIX ERROR: UNREACHABLE"]), Said(&["Unreachable in file", "_client.c"]), NoStart]),
        ],
        short: "--fakeroot keeps ranks from their launcher",
        cause: "Within --fakeroot a rank has another user id than mpirun, which does not accept its connection.",
        confidence: Likely,
        remedies: &[without("--fakeroot")],
        reference: "apptainer/apptainer issue 2387",
        ..AT_START
    },
    Rule {
        name: "launcher-unreachable",
        when: &[Any(&[Said(&["PMIX ERROR: UNREACHABLE", "ptl_tcp"]), Said(&["Unreachable in file", "_client.c"])])],
        short: "ranks cannot connect to their launcher",
        cause: "The ranks do not reach mpirun's server: a network namespace of their own, another user id, or a firewall.",
        confidence: Guess,
        remedies: &[without("--net"), without("--network=none")],
        ..AT_START
    },
    Rule {
        name: "bind-overload",
        when: &[Said(&["would result in binding more"])],
        short: "more ranks than cores to bind them to",
        cause: "mpirun has fewer cores than ranks, and refuses to bind two ranks to one core.",
        remedies: &[Remedy::Do(
            "fewer ranks: sifbench run --ranks N; mpirun --bind-to core:overload-allowed starts them all the same, but its \
             figures are of waiting and not of messages",
        )],
        ..AT_START
    },
    Rule {
        name: "cma-requested",
        when: &[Said(&["CMA support was requested"]), Said(&["not available due to different user namespaces"])],
        short: "CMA asked for across user namespaces",
        cause: "CMA is asked for by name, and each rank has a user namespace of its own: Open MPI gives up.",
        remedies: &[SHARE, Remedy::Change(Change::WithoutMca("btl_vader_single_copy_mechanism"))],
        reference: "open-mpi/ompi issue 6844",
        ..AT_START
    },
    Rule {
        name: "component-missing",
        when: &[Said(&["A requested component was not found"])],
        short: "Open MPI lacks a component it is asked for",
        cause: "A component that is asked for by name is not in this Open MPI, or a library that it needs is not there.",
        remedies: &[
            Remedy::Change(Change::WithoutMca("btl")),
            Remedy::Do("ompi_info --parsable, where the ranks are, lists the components"),
        ],
        ..AT_START
    },
    Rule {
        name: "sharens-first-gone",
        when: &[Any(&[
            Said(&["first process with --sharens has already exited"]),
            Said(&["could not open proc directory /proc/"]),
        ])],
        short: "the process whose namespaces are shared is gone",
        cause: "The first rank had ended before the others joined its namespaces, or a lock of an earlier launch names a \
                process that is gone.",
        confidence: Guess,
        remedies: &[Remedy::Do(
            "look for the first rank's own error above; else remove your /dev/shm/sharens_instance_N of no process N, and run \
             again",
        )],
        reference: "apptainer/apptainer issues 1906, 2713",
        ..AT_START
    },
];
