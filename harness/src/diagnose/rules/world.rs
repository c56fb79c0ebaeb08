//! Why a world that has formed hangs, breaks off or is slow.

use bench_app::Bytes;

use super::{SHARE, without};
use crate::diagnose::{
    About::{Failure, Speed},
    Confidence::{Guess, Likely, Proven},
    Rule,
    Sign::{
        Any, CanRead, CannotRead, CarriedByNetwork, EndsLateFrom, HangFrom, InitFrom, KilledBy, Library, NoParameter,
        OneCpu, OneUserNamespace, Oversubscribed, Parameter, PastTheFabric, RanksNotFound, ReadDenied, Said,
        SharedMemoryApart, Ticks, UserNamespaces,
    },
    Topic,
    remedy::{Change, Remedy},
};

const NO_COPY: Remedy = Remedy::Change(Change::Mca("btl_vader_single_copy_mechanism", "none"));

/// Failures after that, and what slows figures that there are.
pub(super) const WORLD: &[Rule] = &[
    Rule {
        name: "hang-cma",
        about: Failure,
        topic: Topic::Copying,
        when: &[HangFrom(Bytes(32 << 10)), UserNamespaces, CannotRead, Library([4, 0, 2], [5, 0, 0])],
        short: "CMA lost across user namespaces",
        cause: "Each rank has a user namespace of its own, so none may read another's memory (CMA); what Open MPI 4 does \
                instead gets stuck with large messages.",
        confidence: Likely,
        remedies: &[SHARE, NO_COPY],
        reference: "open-mpi/ompi issues 6961, 6986, 6568",
    },
    Rule {
        name: "hang-one-cpu",
        about: Failure,
        topic: Topic::Placement,
        when: &[HangFrom(Bytes(0)), OneCpu],
        short: "all ranks on one CPU",
        cause: "Ranks share a single CPU: one that waits for a message spins, and keeps the other from sending it.",
        confidence: Likely,
        remedies: &[Remedy::Do(
            "look what binds them: taskset -p PID, a cpuset of the job, --cpu-set or --bind-to of mpirun",
        )],
        reference: "",
    },
    Rule {
        name: "killed",
        about: Failure,
        topic: Topic::Crash,
        when: &[Any(&[KilledBy(9), Said(&["exited on signal 9"])])],
        short: "a rank was killed (SIGKILL)",
        cause: "Somebody killed a rank: the kernel for want of memory, a limit of the scheduler, or a person.",
        confidence: Guess,
        remedies: &[Remedy::Do("dmesg | grep -i 'out of memory' as root; the job's limits of memory and time")],
        reference: "",
    },
    Rule {
        name: "ranks-not-found",
        about: Failure,
        topic: Topic::Turns,
        when: &[RanksNotFound],
        short: "its ranks are not known by their MPI or name",
        cause: "To be stopped in turns a rank must be found: by the number from its launcher, and by a shared MPI (libmpi*) that \
                it loads or the name of the program in the campaign. Not all were, or not for as long as a turn; it was \
                never stopped, so nothing is compared with it.",
        confidence: Proven,
        remedies: &[
            Remedy::Do(
                "name in [program] what the ranks run in the end, where a wrapper starts it with an MPI linked in",
            ),
            Remedy::Do("give it more to do, if it lasts no longer than a few turns of 50 ms"),
            Remedy::Do("leave `pairs` out: launches one after the other need no turns"),
        ],
        reference: "",
    },
    Rule {
        name: "crashed",
        about: Failure,
        topic: Topic::Crash,
        when: &[Any(&[KilledBy(11), Said(&["exited on signal 11"])])],
        short: "a rank crashed (SIGSEGV)",
        cause: "A rank ended by a segmentation fault.",
        confidence: Proven,
        remedies: &[Remedy::Do("the launch's own words, in the logs/ of the run, name the library in the backtrace")],
        reference: "",
    },
    Rule {
        name: "tcp-by-setting",
        about: Speed,
        topic: Topic::Carrier,
        when: &[CarriedByNetwork, Parameter("btl", "tcp")],
        short: "over TCP within the node, as asked for",
        cause: "Messages between ranks of one node go over TCP, because the case asks for it.",
        confidence: Proven,
        remedies: &[Remedy::Change(Change::WithoutMca("btl"))],
        reference: "",
    },
    Rule {
        name: "tcp-shm-apart",
        about: Speed,
        topic: Topic::Carrier,
        when: &[CarriedByNetwork, SharedMemoryApart],
        short: "over TCP: each rank has its own /dev/shm",
        cause: "Messages between ranks of one node go over TCP, and nothing said so: each rank has a /dev/shm of its own, \
                so they have no memory in common.",
        confidence: Proven,
        remedies: &[without("--contain"), without("--containall"), SHARE],
        reference: "",
    },
    Rule {
        name: "tcp-shm-small",
        about: Speed,
        topic: Topic::Carrier,
        when: &[Said(&["not enough space for", "/dev/shm"])],
        short: "over TCP: /dev/shm is too small",
        cause: "/dev/shm has no room for the segments of shared memory (4 MiB a rank in Open MPI 4, 16 MiB in 5), so messages \
                take another way.",
        confidence: Proven,
        remedies: &[Remedy::Do("a larger /dev/shm: 16 MiB a rank (mount -o remount,size=1G /dev/shm, as root)")],
        reference: "",
    },
    Rule {
        name: "ucx-shm",
        about: Speed,
        topic: Topic::Carrier,
        when: &[Said(&["UCX", "/proc/", "/fd/", "failed: Permission denied"])],
        short: "UCX cannot open another rank's shared memory",
        cause: "UCX opens shared memory by way of the other process's descriptors, which another user namespace forbids, and \
                takes another way.",
        confidence: Proven,
        remedies: &[SHARE, Remedy::Change(Change::Env("UCX_POSIX_USE_PROC_LINK", "n"))],
        reference: "",
    },
    Rule {
        name: "fabric-unused",
        about: Speed,
        topic: Topic::Carrier,
        when: &[PastTheFabric],
        short: "over TCP, though there is a fabric",
        cause: "The ranks see devices of a fabric, and their messages went over network interfaces. Mostly the image lacks what \
                speaks to the devices: a provider's library, or the right to lock memory.",
        confidence: Guess,
        remedies: &[
            Remedy::Do("ibv_devinfo, fi_info or ucx_info -d in the image shows what it can use of the devices"),
            Remedy::Do(
                "an Open MPI with UCX or libfabric in the image, and the provider's libraries of this site (--bind)",
            ),
            Remedy::Do("ulimit -l unlimited, where the ranks run"),
        ],
        reference: "",
    },
    Rule {
        name: "cma-off",
        about: Speed,
        topic: Topic::Copying,
        when: &[
            Any(&[
                Parameter("btl_vader_single_copy_mechanism", "none"),
                Parameter("btl_vader_single_copy_mechanism", "emulated"),
                Parameter("smsc", "^"),
            ]),
            CanRead,
        ],
        short: "CMA switched off by a setting",
        cause: "Ranks could copy from each other's memory at once, but a setting forbids it: large messages are copied twice.",
        confidence: Proven,
        remedies: &[
            Remedy::Change(Change::WithoutMca("btl_vader_single_copy_mechanism")),
            Remedy::Change(Change::WithoutMca("smsc")),
        ],
        reference: "",
    },
    Rule {
        name: "cma-lost",
        about: Speed,
        topic: Topic::Copying,
        when: &[UserNamespaces, CannotRead],
        short: "CMA lost across user namespaces",
        cause: "Each rank has a user namespace of its own, so none may read another's memory (CMA), and larger messages \
                are copied twice. Mostly that is slower from 1 MiB on; below, it was seen both faster and slower.",
        confidence: Proven,
        remedies: &[SHARE],
        reference: "open-mpi/ompi issues 6844, 6997; apptainer/apptainer issue 1583",
    },
    Rule {
        name: "cma-denied",
        about: Speed,
        topic: Topic::Copying,
        when: &[OneUserNamespace, ReadDenied],
        short: "CMA forbidden: ptrace is restricted",
        cause: "Ranks share a user namespace, and still none may read another's memory (CMA): seccomp or Yama forbids it. Open \
                MPI tries all the same, and copies twice in the end.",
        confidence: Proven,
        remedies: &[
            NO_COPY,
            Remedy::Do("sysctl kernel.yama.ptrace_scope=0 as an administrator, where Yama is what forbids it"),
        ],
        reference: "open-mpi/ompi issue 4948",
    },
    Rule {
        name: "one-cpu",
        about: Speed,
        topic: Topic::Placement,
        when: &[OneCpu],
        short: "all ranks on one CPU",
        cause: "Ranks share a single CPU: a message waits until the scheduler lets the other one run.",
        confidence: Proven,
        remedies: &[Remedy::Do(
            "look what binds them: taskset -p PID, a cpuset of the job, --cpu-set or --bind-to of mpirun",
        )],
        reference: "",
    },
    Rule {
        name: "oversubscribed",
        about: Speed,
        topic: Topic::Placement,
        when: &[Oversubscribed],
        short: "more ranks than CPUs",
        cause: "A node has more ranks than CPUs they may run on: figures are of waiting and not of messages.",
        confidence: Proven,
        remedies: &[Remedy::Do("fewer ranks: sifbench run --ranks N")],
        reference: "",
    },
    Rule {
        name: "ticks",
        about: Speed,
        topic: Topic::Ticks,
        when: &[Ticks],
        short: "figures are multiples of the scheduler's tick",
        cause: "Small messages take as long as the scheduler's turns: something else ran on the ranks' CPUs.",
        confidence: Likely,
        remedies: &[Remedy::Do("nothing else on these CPUs: top -1, and the job's neighbours")],
        reference: "",
    },
    Rule {
        name: "init-ofi",
        about: Speed,
        topic: Topic::Init,
        when: &[InitFrom(700), Library([5, 0, 0], [6, 0, 0]), NoParameter("mtl"), NoParameter("btl")],
        short: "slow MPI_Init: libfabric looks for devices",
        cause: "MPI_Init of Open MPI 5 takes about a second while libfabric (mtl and btl ofi) looks for devices there are \
                none of. It is neither the container nor the mode.",
        confidence: Likely,
        remedies: &[Remedy::Change(Change::Mcas([("mtl", "^ofi"), ("btl", "^ofi")]))],
        reference: "",
    },
    Rule {
        name: "finalize-ofi",
        about: Speed,
        topic: Topic::Finalize,
        when: &[EndsLateFrom(800), Library([4, 1, 0], [5, 0, 0]), NoParameter("btl")],
        short: "slow MPI_Finalize: btl ofi",
        cause: "MPI_Finalize of Open MPI 4.1 takes a second where its btl ofi is loaded, which only one-sided transfers use. \
                No figure contains it.",
        confidence: Likely,
        remedies: &[Remedy::Change(Change::Mca("btl", "^ofi"))],
        reference: "",
    },
];
