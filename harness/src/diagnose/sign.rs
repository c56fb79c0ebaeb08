//! What can be seen of a launch, one sign each, and the words for what was seen.

use std::path::Path;

use bench_app::{
    Bytes, Kernel,
    event::{Namespace, RankFacts, ReadPeer},
};

use super::{Known, said};
use crate::{
    compose::MPI_IN_IMAGE,
    id::MpiVersion,
    process::OWNED,
    record::{Outcome, Phase, lost::Part, ranks_of},
};

/// Longest line shown as evidence.
const LINE: usize = 160;
/// Medians this near to a multiple of the tick are no coincidence, where the message itself takes microseconds.
const NEAR_TICK: f64 = 0.04;
/// Scheduler ticks of Linux, ns: 100, 250, 300 and 1000 Hz. 250 is what distributions build.
const TICK: f64 = 4e6;
/// Messages up to this size take microseconds wherever two ranks run at once.
const SMALL: Bytes = Bytes(64 << 10);

/// One thing that can be seen of a launch.
#[derive(Debug, Clone, Copy)]
pub enum Sign {
    /// One of these.
    Any(&'static [Sign]),
    /// A line holds these parts, in this order.
    Said(&'static [&'static str]),
    /// A help text was asked for whose file is not where it was looked for; its topic begins like this.
    LostHelp(&'static str),
    /// It ended with an exit code of its own, without a figure.
    Exited,
    /// An exit code that stands for a signal.
    KilledBy(i32),
    /// Nothing more came in some cell of at least this size.
    HangFrom(Bytes),
    /// It did not come to the end of `MPI_Init` in time.
    NoStart,
    /// Every rank was a world of its own.
    Singletons,
    /// Not all ranks of a program were found, to be stopped in turns.
    RanksNotFound,
    /// Who started the ranks, by what it left in their environment.
    StartedBy(Namespace),
    /// Nothing of a launcher is in the ranks' environment.
    NoLauncherSeen,
    /// The library of the ranks is at least the first version, and older than the second.
    Library([u32; 3], [u32; 3]),
    /// The directory of the launcher's server does not exist for the ranks.
    ServerDirMissing,
    /// A variable sends the library to files that are not those of the image.
    ForeignPrefix,
    /// `OPAL_PREFIX` and `PMIX_INSTALL_PREFIX` differ, or one of them is missing.
    PrefixesDiffer,
    /// Ranks of one node are in different user namespaces.
    UserNamespaces,
    /// Ranks of one node are in the same user namespace.
    OneUserNamespace,
    /// A rank was not allowed to read its neighbour's memory.
    CannotRead,
    /// A rank was not allowed to, though the other is no stranger to it.
    ReadDenied,
    /// A rank could read its neighbour's memory.
    CanRead,
    /// Ranks of one node have a `/dev/shm` each.
    SharedMemoryApart,
    /// What carried messages between ranks of one node was the network.
    CarriedByNetwork,
    /// Ranks see devices of a fabric, and what carried messages was the network.
    PastTheFabric,
    /// A parameter was set by the case, to something that begins like this.
    Parameter(&'static str, &'static str),
    /// A parameter was not set by the case.
    NoParameter(&'static str),
    /// A variable of the library reads like this.
    Variable(&'static str, &'static [&'static str]),
    /// The container runtime was given this flag.
    Flag(&'static str),
    /// The case has a host's MPI bind-mounted, or runs without a container.
    HostLibrary,
    /// Ranks of one node may run on one and the same CPU only.
    OneCpu,
    /// Some node has more ranks than CPUs they may run on.
    Oversubscribed,
    /// Small messages take a multiple of the scheduler's tick.
    Ticks,
    /// `MPI_Init` took at least so many ms.
    InitFrom(u64),
    /// It ended at least so many ms after what it measured.
    EndsLateFrom(u64),
}

impl Sign {
    /// The words for it where it is seen, empty where they would say nothing that another sign does not.
    #[must_use]
    pub fn see(&self, known: &Known<'_>) -> Option<String> {
        let (record, case) = (known.record, known.case);
        let boot = record.observed.boot.as_ref();
        let late = record.observed.late.as_ref();
        let seen = |holds: bool, words: &str| holds.then(|| words.to_owned());
        match self {
            Sign::Any(signs) => signs.iter().find_map(|sign| sign.see(known)),
            Sign::Said(parts) => said::with(known.lines(), parts).map(|line| quoted(&line)),
            Sign::LostHelp(opening) => {
                let topic = said::topic(known.lines()).filter(|topic| topic.starts_with(opening))?;
                Some(format!("the help text `{topic}` was asked for, and its file is not where it was looked for"))
            }
            Sign::Exited => match record.outcome {
                Outcome::Exited { code, .. } => Some(format!("exit code {code}")),
                _ => None,
            },
            Sign::KilledBy(signal) => match record.outcome {
                Outcome::Exited { code, .. } => {
                    seen(code == 128 + signal, &format!("exit code {code}: 128 + {signal}"))
                }
                Outcome::Signaled { signal: by, .. } => {
                    let launcher = record.lost.iter().any(|lost| lost.what == Part::Launcher);
                    seen(by == *signal && !launcher, &format!("ended by signal {by}"))
                }
                _ => None,
            },
            Sign::HangFrom(least) => match record.outcome {
                Outcome::TimedOut { phase: Phase::Silence, last: Some(at) } => {
                    seen(at.bytes >= *least, &format!("no word after {} {} began", at.kernel, at.bytes))
                }
                _ => None,
            },
            Sign::NoStart => match record.outcome {
                Outcome::TimedOut { phase: Phase::Hello, .. } => {
                    let words = match boot {
                        Some(_) => "ranks ran, and did not come back from MPI_Init in time",
                        None => "no rank said anything before the deadline",
                    };
                    Some(words.to_owned())
                }
                _ => None,
            },
            Sign::Singletons => match record.outcome {
                Outcome::Singletons { expected, seen } => Some(format!("worlds of {seen} instead of {expected}")),
                _ => None,
            },
            Sign::RanksNotFound => match record.outcome {
                Outcome::NoTurns { expected, seen } => {
                    let program = case.program.as_ref().and_then(|program| program.argv.first());
                    let program = program.map_or("the program", String::as_str);
                    Some(format!(
                        "of {expected} ranks at most {seen} had loaded an MPI or ran `{program}` at one time, in {} ms",
                        record.wall_ns / 1_000_000
                    ))
                }
                _ => None,
            },
            Sign::StartedBy(by) => {
                let boot = boot.filter(|boot| boot.namespace == Some(*by))?;
                let version = boot.ompi_version.as_deref().map_or(String::new(), |version| format!(" {version}"));
                Some(format!("started by {}{version}", launcher(*by)))
            }
            Sign::NoLauncherSeen => {
                let none = boot.is_some_and(|boot| boot.launcher_size.is_none() && boot.namespace.is_none());
                seen(none, "the ranks see none of the launcher's variables")
            }
            Sign::Library(from, before) => {
                let (version, text) = library(known)?;
                (version >= *from && version < *before).then(|| format!("the ranks' library is Open MPI {text}"))
            }
            Sign::ServerDirMissing => seen(
                boot.is_some_and(|boot| boot.server_dir == Some(false)),
                "the directory that PMIX_SERVER_TMPDIR names does not exist where the ranks are",
            ),
            Sign::ForeignPrefix => foreign_prefix(known),
            Sign::PrefixesDiffer => {
                let value = |name: &str| boot?.prefixes.get(name).map(String::as_str);
                let (opal, pmix) = (value("OPAL_PREFIX"), value("PMIX_INSTALL_PREFIX"));
                let words = |value: Option<&str>| value.unwrap_or("not set").to_owned();
                let text = format!("OPAL_PREFIX is {}, PMIX_INSTALL_PREFIX is {}", words(opal), words(pmix));
                seen(opal != pmix, &text)
            }
            Sign::UserNamespaces => {
                let (first, other) = neighbours(known)?.find(|(first, other)| first.user_ns != other.user_ns)?;
                Some(differs("user namespace", first, other, [first.user_ns, other.user_ns]))
            }
            Sign::OneUserNamespace => {
                let one = neighbours(known)?.all(|(first, other)| first.user_ns == other.user_ns);
                seen(one, "the ranks share one user namespace")
            }
            Sign::CannotRead => cannot_read(known),
            Sign::ReadDenied => {
                let denied = ranks(known)?.iter().any(|rank| rank.read_peer == ReadPeer::Denied);
                cannot_read(known).filter(|_| denied)
            }
            Sign::CanRead => {
                let ranks = ranks(known)?;
                let ok = ranks.iter().all(|rank| rank.read_peer == ReadPeer::Ok) && !ranks.is_empty();
                seen(ok, "process_vm_readv between the ranks works")
            }
            Sign::SharedMemoryApart => {
                let (first, other) = neighbours(known)?.find(|(first, other)| first.shm_dev != other.shm_dev)?;
                Some(differs("device of /dev/shm", first, other, [first.shm_dev, other.shm_dev]))
            }
            Sign::CarriedByNetwork => {
                let traffic = late?.traffic?;
                let one_node = record.facts.as_ref().is_some_and(|facts| facts.nodes == 1);
                let [moved, network] = [traffic.moved, traffic.network].map(|bytes| Bytes(bytes >> 10 << 10));
                let words = format!("of {moved} between ranks of one node, {network} went over network interfaces");
                seen(one_node && traffic.carrier() == "network", &words)
            }
            Sign::PastTheFabric => {
                let traffic = late?.traffic.filter(|traffic| traffic.carrier() == "network")?;
                let ranks = ranks(known)?;
                let seeing = ranks.iter().find(|rank| !rank.fabric.is_empty())?;
                let may_lock = seeing.memlock.map_or(String::new(), |bytes| format!(", and may lock {}", Bytes(bytes)));
                let [moved, network] = [traffic.moved, traffic.network].map(|bytes| Bytes(bytes >> 10 << 10));
                let devices = seeing.fabric.join(", ");
                Some(format!(
                    "rank {} sees {devices}{may_lock}; of {moved}, {network} went over network interfaces",
                    seeing.rank
                ))
            }
            Sign::Parameter(name, opening) => {
                let value = case.settings.mca.get(*name).filter(|value| value.starts_with(opening))?;
                Some(format!("the case sets --mca {name} {value}"))
            }
            Sign::NoParameter(name) => {
                seen(!case.settings.mca.contains_key(*name), &format!("the case does not set --mca {name}"))
            }
            Sign::Variable(name, values) => {
                let value = late?.variables.get(*name).filter(|value| values.contains(&value.as_str()))?;
                Some(format!("the library reads {name} = {value}"))
            }
            Sign::Flag(flag) => seen(
                case.settings.flags.iter().any(|known| known == flag),
                &format!("the container was started with {flag}"),
            ),
            Sign::HostLibrary => seen(case.stack.image().is_none_or(|image| image.mpi.is_none()), ""),
            Sign::OneCpu => {
                let ranks = ranks(known)?;
                let first = ranks.first()?;
                let single = first.cpus.bytes().all(|byte| byte.is_ascii_digit()) && !first.cpus.is_empty();
                let same = ranks.len() == 1 || ranks.iter().all(|rank| rank.cpus == first.cpus);
                let several = record.facts.as_ref().is_some_and(|facts| facts.ranks > 1 && facts.nodes == 1);
                seen(single && same && several, &format!("every rank may run on CPU {} alone", first.cpus))
            }
            Sign::Oversubscribed => seen(
                record.facts.as_ref().is_some_and(|facts| facts.oversubscribed),
                "a node has more ranks than CPUs they may run on",
            ),
            Sign::Ticks => ticks(known),
            Sign::InitFrom(ms) => {
                let took = record.hello.as_ref()?.init_ns / 1_000_000;
                seen(took >= *ms, &format!("MPI_Init took {took} ms"))
            }
            // Of a duet, what the other measured lies in between.
            Sign::EndsLateFrom(_) if record.partner.is_some() => None,
            Sign::EndsLateFrom(ms) => {
                // What did not complete ended when it was made to.
                let whole = record.outcome == Outcome::Completed && known.measured_ns > 0;
                let measured = whole.then_some(known.measured_ns)?;
                let rest = record.wall_ns.checked_sub(record.hello_ns?)?.checked_sub(measured)? / 1_000_000;
                let words =
                    format!("{rest} ms from MPI_Init to the end, of which {} ms measured", measured / 1_000_000);
                seen(rest >= *ms, &words)
            }
        }
    }
}

fn quoted(line: &str) -> String {
    let line = line.trim();
    let cut: String = line.chars().take(LINE).collect();
    if cut.len() < line.len() { format!("it said: {cut}…") } else { format!("it said: {cut}") }
}

const fn launcher(by: Namespace) -> &'static str {
    match by {
        Namespace::Orte => "an mpirun of Open MPI up to 4 (ORTE)",
        Namespace::Prrte => "an mpirun of Open MPI from 5 on (PRRTE)",
        Namespace::Slurm => "srun",
        Namespace::Other => "another launcher",
    }
}

/// Rank 0 and those that differ from it.
fn ranks<'a>(known: &Known<'a>) -> Option<Vec<&'a RankFacts>> {
    let facts = known.record.facts.as_ref()?;
    Some(ranks_of(facts).collect())
}

/// Rank 0 with each rank of its node that differs from it.
fn neighbours<'a>(known: &Known<'a>) -> Option<impl Iterator<Item = (&'a RankFacts, &'a RankFacts)>> {
    let facts = known.record.facts.as_ref().filter(|facts| facts.ranks > 1)?;
    Some(facts.differing.iter().filter(|rank| rank.node == facts.first.node).map(|rank| (&facts.first, rank)))
}

fn differs(what: &str, first: &RankFacts, other: &RankFacts, values: [u64; 2]) -> String {
    format!("{what} differs between ranks {} and {}: {}, {}", first.rank, other.rank, values[0], values[1])
}

fn cannot_read(known: &Known<'_>) -> Option<String> {
    let ranks = ranks(known)?;
    let (rank, errno) = ranks.iter().find_map(|rank| match rank.read_peer {
        ReadPeer::Denied => Some((rank, "EPERM".to_owned())),
        ReadPeer::NoProcess => Some((rank, "ESRCH: the process id means nothing there".to_owned())),
        ReadPeer::WrongValue => Some((rank, "other bytes: the process id means another process there".to_owned())),
        ReadPeer::Errno(number) => Some((rank, format!("errno {number}"))),
        ReadPeer::Ok | ReadPeer::Untried | ReadPeer::OtherNode => None,
    })?;
    let yama = rank.ptrace_scope.map_or("no Yama".to_owned(), |scope| format!("ptrace_scope {scope}"));
    Some(format!("process_vm_readv: {errno}, {yama}"))
}

/// A variable that names neither the image's files nor, where it has none, the host's.
fn foreign_prefix(known: &Known<'_>) -> Option<String> {
    let boot = known.record.observed.boot.as_ref()?;
    let host = known.case.stack.host().map(|host| host.prefix.as_path());
    let inside = known.case.stack.image().is_some_and(|image| image.mpi.is_some());
    let belongs = |value: &str| match inside {
        true => value.starts_with(MPI_IN_IMAGE) || value.starts_with("/usr"),
        false => host.is_none_or(|host| Path::new(value).starts_with(host) || is_staged(Path::new(value), host)),
    };
    let (name, value) = boot.prefixes.iter().find(|(_, value)| !belongs(value))?;
    Some(format!("{name} is {value} where the ranks are"))
}

/// Whether a path lies in what was brought to the node from `prefix`, which keeps its name.
fn is_staged(path: &Path, prefix: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let of_run = |place: &Path| place.parent().and_then(name).is_some_and(|name| name.starts_with(OWNED));
    path.ancestors().any(|place| of_run(place) && name(place) == name(prefix))
}

/// The version of the library that the ranks load, as loaded where they came so far, else as declared.
fn library(known: &Known<'_>) -> Option<([u32; 3], String)> {
    let loaded = known.record.hello.as_ref().and_then(|hello| MpiVersion::find_in(&hello.library));
    let stack = &known.case.stack;
    let declared = || {
        let image = stack.image().and_then(|image| image.mpi.as_ref());
        image.or(stack.host().map(|host| &host.mpi)).map(|mpi| mpi.version.clone())
    };
    let version = loaded.or_else(declared)?;
    Some((version.numbers(), version.to_string()))
}

fn ticks(known: &Known<'_>) -> Option<String> {
    let near = |ns: f64| {
        let multiple = (ns / TICK).round();
        (multiple >= 1.0 && (ns / TICK - multiple).abs() <= NEAR_TICK * multiple).then_some(multiple as u64)
    };
    // The time of a program is that of no message.
    let messages = known.medians.iter().filter(|(kernel, ..)| *kernel != Kernel::Program);
    messages.filter(|(_, bytes, _)| *bytes <= SMALL).find_map(|(kernel, bytes, ns)| {
        let multiple = near(*ns)?;
        Some(format!("{kernel} {bytes} takes {:.2} ms, {multiple} times the 4 ms of a tick at HZ 250", ns / 1e6))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_staged_is_known_by_its_name_in_a_directory_of_ours() {
        let check = |path: &str, expected: bool| {
            assert_eq!(is_staged(Path::new(path), Path::new("/cache/mpi/openmpi-4.1.4-3a25")), expected, "{path}");
        };
        check("/tmp/sifbench-1000-0123abcd/openmpi-4.1.4-3a25", true);
        check("/tmp/sifbench-1000-0123abcd/openmpi-4.1.4-3a25/lib/pmix", true);
        check("/tmp/sifbench-1000-0123abcd/openmpi-5.0.11-e216", false);
        check("/opt/openmpi-4.1.4-3a25", false);
    }
}
