//! Files of nodes: a name a line, repeated for each rank it takes (as OAR and PBS write them), or with `slots=N` (as Open
//! MPI reads them). `#` begins a remark.

use std::path::Path;

use super::allocation::{AllocationError, Node, Read};

/// The nodes of a file, in its order, each once.
///
/// # Errors
/// It cannot be read, says something else, or names none.
pub(super) fn nodes(path: &Path, read: Read<'_>) -> Result<Vec<Node>, AllocationError> {
    let text = read(path).map_err(|source| AllocationError::File { path: path.to_owned(), source })?;
    let mut nodes: Vec<Node> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default();
        let Some((host, slots)) =
            parse(line).map_err(|why| AllocationError::Line { path: path.to_owned(), line: number, why })?
        else {
            continue;
        };
        match nodes.iter_mut().find(|node| node.host == host) {
            Some(node) => node.slots += slots,
            None => nodes.push(Node::new(host, slots)),
        }
    }
    if nodes.is_empty() { Err(AllocationError::Empty { path: path.to_owned() }) } else { Ok(nodes) }
}

/// A line: nothing, or a host and what it takes.
fn parse(line: &str) -> Result<Option<(&str, u32)>, String> {
    let mut words = line.split_whitespace();
    let Some(host) = words.next() else { return Ok(None) };
    let mut slots = 1;
    for word in words {
        match word.split_once('=') {
            Some(("slots", count)) => slots = count.parse().map_err(|_| format!("`{word}` is no number of slots"))?,
            // Open MPI's other word: how far it may be oversubscribed, which is never done here.
            Some(("max_slots" | "max-slots", _)) => {}
            Some(_) | None => return Err(format!("`{word}` is not known")),
        }
    }
    if slots == 0 { Err(format!("{host} takes no rank")) } else { Ok(Some((host, slots))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Node>, AllocationError> {
        nodes(Path::new("hosts"), &|_| Ok(text.to_owned()))
    }

    #[test]
    fn a_hostfile_is_lines_of_ranks_or_of_slots() {
        let check = |text: &str, expected: &[(&str, u32)]| {
            let nodes: Vec<Node> = expected.iter().map(|(host, slots)| Node::new(*host, *slots)).collect();
            assert_eq!(read(text).unwrap(), nodes, "{text}");
        };
        check("n1\nn2\n", &[("n1", 1), ("n2", 1)]);
        check("n1\nn1\nn2\nn1\nn2", &[("n1", 3), ("n2", 2)]);
        check("# mine\nn1 slots=2 max_slots=4\n\nn2 slots=1 # slow\n", &[("n1", 2), ("n2", 1)]);
    }

    #[test]
    fn what_is_no_hostfile_names_the_line() {
        let check = |text: &str, expected: &str| {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("", "names none");
        check("# nothing\n", "names none");
        check("n1\nn2 slots=many\n", "line 2: `slots=many` is no number");
        check("n1 slots=0\n", "line 1: n1 takes no rank");
        check("n1 n2\n", "line 1: `n2` is not known");
    }
}
