//! What a look at every node says of a launch that hangs: ranks that are gone or stopped, nodes that do not answer.

use bench_app::event::Facts;

use crate::{
    process::SeenNode,
    record::{
        lost::{Fate, Lost, Part},
        ranks_of,
    },
    site::Node,
};

/// The ranks' program.
const APP: &str = "bench-app";

/// What is lost of a launch, by what its ranks told of themselves, what was seen of it, and which nodes were silent.
#[must_use]
pub(super) fn gone(facts: Option<&Facts>, seen: &[SeenNode], silent: &[String]) -> Vec<Lost> {
    let told = facts.into_iter().flat_map(ranks_of);
    let ranks = told.filter_map(|rank| {
        let node = seen.iter().find(|node| Node::new(rank.host.as_str(), 1).is(&node.host))?;
        let found = node.processes.iter().find(|process| process.name == APP && process.pid == rank.pid);
        let how = match found {
            None => Fate::Gone,
            Some(process) if process.stopped => Fate::Stopped,
            Some(_) => return None,
        };
        Some(Lost { what: Part::Rank, rank: Some(rank.rank), host: Some(node.host.clone()), how })
    });
    let daemons =
        seen.iter().filter(|node| node.processes.iter().any(|process| process.stopped && process.name != APP));
    let lost = |what, host: &String, how| Lost { what, rank: None, host: Some(host.clone()), how };
    let daemons = daemons.map(|node| lost(Part::Daemon, &node.host, Fate::Stopped));
    let nodes = silent.iter().map(|host| lost(Part::Node, host, Fate::Unreachable));
    nodes.chain(daemons).chain(ranks).collect()
}

#[cfg(test)]
mod tests {
    use bench_app::event::RankFacts;

    use super::*;
    use crate::process::Seen;

    fn node(host: &str, processes: &[(u32, &str, bool)]) -> SeenNode {
        let seen = |&(pid, name, stopped): &(u32, &str, bool)| Seen { pid, name: name.to_owned(), stopped };
        SeenNode { host: host.to_owned(), processes: processes.iter().map(seen).collect() }
    }

    #[test]
    fn ranks_that_do_not_run_are_gone_and_nodes_that_do_not_answer_are_unreachable() {
        let rank = |rank: u32, host: &str, pid| RankFacts { rank, host: host.to_owned(), pid, ..RankFacts::default() };
        let (first, differing) = (rank(0, "n1.cluster", 7), vec![rank(1, "n2", 7), rank(2, "n3", 9)]);
        let facts = Facts { ranks: 3, first, differing, ..Facts::default() };
        let check = |seen: &[SeenNode], silent: &[&str], expected: &[&str]| {
            let silent: Vec<String> = silent.iter().map(|host| (*host).to_owned()).collect();
            let lost: Vec<String> = gone(Some(&facts), seen, &silent).iter().map(ToString::to_string).collect();
            assert_eq!(lost, expected);
        };
        let (one, three) = (node("n1", &[(7, APP, false), (3, "orterun", false)]), node("n3", &[(9, APP, false)]));
        let two = |processes: &[(u32, &str, bool)]| [one.clone(), node("n2", processes), three.clone()];
        check(&two(&[(7, APP, false)]), &[], &[]);
        check(&two(&[(7, "orted", false)]), &[], &["rank 1 on n2 is gone"]);
        check(&two(&[(7, APP, true)]), &[], &["rank 1 on n2 is stopped"]);
        check(&two(&[(7, APP, false), (4, "orted", true)]), &[], &["the launcher's daemon on n2 is stopped"]);
        check(&[one.clone(), three.clone()], &["n2"], &["n2 cannot be reached"]);
        assert!(gone(None, &two(&[]), &[]).is_empty(), "nobody knows what there was");
    }
}
