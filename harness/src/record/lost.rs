//! What was gone when a launch ended, as far as somebody has seen it: its processes on every node, in the launcher's words and
//! by looking. The exit code of a launcher tells neither which of them it was nor why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A part of a launch that was gone, or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// What it is.
    pub what: Part,
    /// Its number, where it is a rank whose number is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Its node, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What has become of it.
    pub how: Fate,
}

/// A part of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A rank.
    Rank,
    /// The launcher's daemon on a node.
    Daemon,
    /// The launcher itself.
    Launcher,
    /// A node with all that runs there.
    Node,
}

/// What has become of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// A signal ended it.
    Signal(i32),
    /// It does not run any more; why is not known.
    Gone,
    /// It is stopped (SIGSTOP).
    Stopped,
    /// Another one found its connection closed.
    Disconnected,
    /// It does not answer.
    Unreachable,
}

/// `rank 1 on n2 was ended by signal 9`.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref();
        match (self.what, self.rank) {
            (Part::Rank, Some(rank)) => write!(f, "rank {rank}")?,
            (Part::Rank, None) => f.write_str("a rank")?,
            (Part::Daemon, _) => f.write_str("the launcher's daemon")?,
            (Part::Launcher, _) => f.write_str("the launcher itself")?,
            (Part::Node, _) => f.write_str(host.unwrap_or("a node"))?,
        }
        if let Some(host) = host.filter(|_| self.what != Part::Node) {
            write!(f, " on {host}")?;
        }
        match self.how {
            Fate::Signal(signal) => write!(f, " was ended by signal {signal}"),
            Fate::Gone => f.write_str(" is gone"),
            Fate::Stopped => f.write_str(" is stopped"),
            Fate::Disconnected => f.write_str(" closed its connections"),
            Fate::Unreachable => f.write_str(" cannot be reached"),
        }
    }
}

/// Gathers what the lines of a launch say of lost parts.
#[derive(Debug, Default)]
pub struct Words {
    lost: Vec<Lost>,
    /// A sentence that may go on in the next line: Open MPI 5 breaks what 4 says in one.
    begun: Option<String>,
    /// The process whose exit code comes next.
    named: Option<u32>,
    /// Whether a daemon, a peer, or who found its connection closed, is about to be named.
    daemon: bool,
    peer: bool,
    closed: bool,
    /// The first rank that found so.
    finder: Option<u32>,
}

impl Words {
    /// Takes one line of standard error.
    pub fn line(&mut self, line: &str) {
        let line = line.trim();
        let broken = self.begun.take().and_then(|begun| by_signal(&format!("{begun} {line}")));
        if let Some(lost) = broken.or_else(|| by_signal(line)) {
            return self.add(lost);
        }
        if line.contains(NOTICED) {
            self.begun = Some(line.to_owned());
        } else if let Some(name) = line.strip_prefix("Process name:") {
            // [[4277,1],1] in Open MPI 4, [prterun-n1-475@1,1] in 5.
            self.named = name.trim().strip_suffix(']').and_then(|name| name.rsplit(',').next()?.parse().ok());
        } else if let Some(code) = line.strip_prefix("Exit code:") {
            // What stands between, a container's runtime, says by its exit code which signal it was.
            let signal =
                code.trim().parse::<i32>().ok().map(|code| code - 128).filter(|signal| (1..65).contains(signal));
            if let (Some(rank), Some(signal)) = (self.named.take(), signal) {
                let how = Fate::Signal(signal);
                self.add(Lost { what: Part::Rank, rank: Some(rank), host: None, how });
            }
        } else if line.contains("has lost communication with a remote daemon") {
            self.daemon = true;
        } else if line.contains("peer process has unexpectedly disconnected") {
            self.peer = true;
        } else if let Some((_, host)) = line.split_once("] on node ").filter(|_| line.starts_with("Remote daemon:")) {
            if std::mem::take(&mut self.daemon) {
                self.add(Lost { what: Part::Daemon, rank: None, host: Some(host.to_owned()), how: Fate::Gone });
            }
        } else if let Some(host) = line.strip_prefix("Peer host:")
            && std::mem::take(&mut self.peer)
        {
            self.disconnected(Some(host.trim()));
        } else if let Some((_, words)) = line.split_once("] peer: ") {
            // Of the BTL for TCP: `n2 mca_btl_tcp_frag_send: writev failed: Broken pipe (32)`.
            let host = words.split_once(" mca_btl_tcp_frag_").filter(|(_, how)| how.contains(" failed: "));
            host.iter().for_each(|(host, _)| self.disconnected(Some(host)));
        } else if line.ends_with("An error occurred in Socket closed") {
            self.closed = true;
        } else if let Some((_, process)) = line.split_once("reported by process [")
            && std::mem::take(&mut self.closed)
        {
            let rank = process.strip_suffix(']').and_then(|name| name.rsplit(',').next()?.parse().ok());
            self.finder = self.finder.or(rank);
            self.disconnected(None);
        }
    }

    fn disconnected(&mut self, host: Option<&str>) {
        self.add(Lost { what: Part::Rank, rank: None, host: host.map(str::to_owned), how: Fate::Disconnected });
    }

    fn add(&mut self, lost: Lost) {
        if !self.lost.contains(&lost) {
            self.lost.push(lost);
        }
    }

    /// The signal that ended a rank which is gone, by these words.
    #[must_use]
    pub fn signal_of(&self, gone: &Lost) -> Option<i32> {
        let told =
            self.lost.iter().filter(|told| gone.how == Fate::Gone && told.rank.is_some() && told.rank == gone.rank);
        told.filter_map(|told| if let Fate::Signal(signal) = told.how { Some(signal) } else { None }).next()
    }

    /// What is lost of a world of as many ranks as `world`, of which `ranks` are known with their hosts. A closed connection
    /// follows from the end of what is named.
    #[must_use]
    pub fn lost(&self, world: u32, ranks: &[(u32, &str)]) -> Vec<Lost> {
        let named = self.lost.iter().any(|lost| lost.how != Fate::Disconnected);
        let told = self.lost.iter().filter(|lost| !named || lost.how != Fate::Disconnected).cloned();
        // The first connection that was found closed names the first that ended; the others only follow.
        let told = told.take(if named { usize::MAX } else { 1 });
        let host_of = |rank| ranks.iter().find(|known| known.0 == rank).map(|known| known.1.to_owned());
        told.map(|mut lost| {
            if lost.how == Fate::Disconnected && ranks.len() == world as usize {
                lost.rank = self.other_end(lost.host.as_deref(), ranks);
            }
            Lost { host: lost.host.or_else(|| host_of(lost.rank?)), ..lost }
        })
        .collect()
    }

    /// The rank at the other end of a closed connection, where there is but one that it can be.
    fn other_end(&self, host: Option<&str>, ranks: &[(u32, &str)]) -> Option<u32> {
        let is_there = |at: &str| host.is_none_or(|host| at == host || at.split('.').next() == Some(host));
        let mut others = ranks.iter().filter(|(rank, at)| Some(*rank) != self.finder && is_there(at));
        others.next().filter(|_| others.next().is_none()).map(|(rank, _)| *rank)
    }
}

/// How the sentence on a rank that a signal ended begins.
const NOTICED: &str = "noticed that process rank ";

/// `mpirun noticed that process rank 1 with PID 292 on node n2 exited on signal 9 (Killed).`
fn by_signal(line: &str) -> Option<Lost> {
    let (_, rest) = line.split_once(NOTICED)?;
    let (rank, rest) = rest.split_once(' ')?;
    let (_, rest) = rest.split_once(" on node ")?;
    let (host, rest) = rest.split_once(" exited on signal ")?;
    let signal = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let (rank, host) = (rank.parse().ok(), Some(host.to_owned()));
    Some(Lost { what: Part::Rank, rank, host, how: Fate::Signal(signal) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(text: &str, world: u32, ranks: &[(u32, &str)]) -> Vec<String> {
        let mut words = Words::default();
        text.lines().for_each(|line| words.line(line));
        words.lost(world, ranks).iter().map(ToString::to_string).collect()
    }

    fn said(text: &str) -> Vec<String> {
        said_of(text, 4, &[(1, "n2")])
    }

    /// As said on two nodes by `mpirun` 4.1.8 and 5.0.11.
    #[test]
    fn what_is_lost_is_named_from_the_launchers_words() {
        let check = |text: &str, expected: &[&str]| assert_eq!(said(text), expected, "{text}");
        check(
            "mpirun noticed that process rank 1 with PID 292 on node n2 exited on signal 9 (Killed).",
            &["rank 1 on n2 was ended by signal 9"],
        );
        let broken = "prterun noticed that process rank 1 with PID 292 on node n2 exited on\nsignal 9 (Killed).";
        check(broken, &["rank 1 on n2 was ended by signal 9"]);
        check(&broken.replace("\n", "\n\n"), &[]);
        check(&format!("{broken}\n{broken}").replace("rank 1", "rank 0"), &["rank 0 on n2 was ended by signal 9"]);
        let container = "the job to be terminated. The first process to do so was:\n\n  Process name: [[4277,1],1]\n  \
                         Exit code:    137\n-----";
        check(container, &["rank 1 on n2 was ended by signal 9"]);
        check(&container.replace("[[4277,1],1]", "[prterun-n1-1560@1,1]"), &["rank 1 on n2 was ended by signal 9"]);
        check(&container.replace("137", "1"), &[]);
        let daemon = "PRTE has lost communication with a remote daemon.\n\n  HNP daemon   : [prterun-n1-475@0,0] on node n1\n  \
                      Remote daemon: [prterun-n1-475@0,1] on node n2\n";
        check(daemon, &["the launcher's daemon on n2 is gone"]);
        let peer = "An MPI communication peer process has unexpectedly disconnected.  This\n\n  Local host: n1\n  \
                    Local PID:  2274\n  Peer host:  n2\n";
        check(peer, &["a rank on n2 closed its connections"]);
        check(&format!("{peer}{}", peer.replace("host:  n2", "host:  n1")), &["a rank on n2 closed its connections"]);
        check(&format!("{peer}{container}"), &["rank 1 on n2 was ended by signal 9"]);
        check("Peer host: n2\nRemote daemon: [x] on node n2\nExit code: 137\nhello", &[]);
    }

    /// As said on two nodes by 5.0.11, in either order.
    #[test]
    fn the_other_end_of_a_closed_connection_is_named_where_it_can_be_but_one() {
        let found = "[n1:00000] *** An error occurred in Socket closed\n\
                     [n1:00000] *** reported by process [4061855745,0]\n[n1:00000] *** on a NULL communicator";
        let sent = "[n1][[32296,1],0][/openmpi-5.0.11/opal/mca/btl/tcp/btl_tcp_frag.c:127:mca_btl_tcp_frag_send] peer: n2 \
                    mca_btl_tcp_frag_send: writev failed: Broken pipe (32)";
        let peer = "An MPI communication peer process has unexpectedly disconnected.  This\n  Peer host:  n2\n";
        let check = |text: &str, ranks: &[(u32, &str)], expected: &str| {
            assert_eq!(said_of(text, ranks.len() as u32, ranks), [expected], "{text}, {ranks:?}");
        };
        let (two, three) = ([(0, "n1.cluster"), (1, "n2.cluster")], [(0, "n1"), (1, "n2"), (2, "n3")]);
        check(found, &two, "rank 1 on n2.cluster closed its connections");
        for text in [sent, peer, &format!("{sent}\n{found}")] {
            check(text, &two, "rank 1 on n2 closed its connections");
            check(text, &three, "rank 1 on n2 closed its connections");
            check(text, &[(0, "n1"), (1, "n2"), (2, "n2")], "a rank on n2 closed its connections");
        }
        check(found, &three, "a rank closed its connections");
        assert_eq!(said_of(found, 4, &two), ["a rank closed its connections"], "not all ranks are known");
        assert_eq!(said(&found.replace("Socket closed", "MPI_Send")), [""; 0]);
        assert_eq!(said(&sent.replace("failed: Broken pipe (32)", "done")), [""; 0]);
    }

    #[test]
    fn a_signal_is_that_of_the_rank_which_is_gone() {
        let mut words = Words::default();
        words
            .line("mpirun noticed that process rank 3 with PID 7 on node n2 exited on signal 11 (Segmentation fault).");
        let check = |rank, how, expected| {
            assert_eq!(words.signal_of(&Lost { what: Part::Rank, rank, host: None, how }), expected);
        };
        check(Some(3), Fate::Gone, Some(11));
        check(Some(3), Fate::Stopped, None);
        check(Some(2), Fate::Gone, None);
        check(None, Fate::Gone, None);
    }
}
