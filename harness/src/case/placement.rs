//! How ranks are spread over nodes: the shape, not the names of hosts, so that equal cases compare across sites.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

/// How ranks are spread over nodes. Written `same-node`, `one-a-node`, or `4-a-node`.
///
/// On a node each rank is bound to a core of its own. With several a node, neighbouring ranks are on the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Placement {
    /// All on one node, whatever else the allocation holds.
    #[default]
    SameNode,
    /// So many on each node.
    PerNode(NonZeroU32),
}

impl Placement {
    /// Ranks of `ranks` that a node gets, and nodes that it takes.
    ///
    /// # Errors
    /// The ranks cannot be spread evenly.
    pub fn spread(self, ranks: u32) -> Result<Spread, Uneven> {
        let whole = NonZeroU32::new(ranks).unwrap_or(NonZeroU32::MIN);
        let (per_node, nodes) = match self {
            Placement::SameNode => (whole, NonZeroU32::MIN),
            Placement::PerNode(per_node) => match (ranks % per_node, NonZeroU32::new(ranks / per_node)) {
                (0, Some(nodes)) => (per_node, nodes),
                (_, _) => return Err(Uneven { ranks, placement: self }),
            },
        };
        Ok(Spread { per_node, nodes })
    }

    /// A case has the name it had before there was a choice.
    pub(super) fn is_usual(&self) -> bool {
        *self == Placement::default()
    }
}

/// Ranks a node, on so many nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Ranks each node gets.
    pub per_node: NonZeroU32,
    /// Nodes.
    pub nodes: NonZeroU32,
}

/// Ranks that cannot be spread evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{ranks} ranks cannot be placed {placement}")]
pub struct Uneven {
    ranks: u32,
    placement: Placement,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Placement::SameNode => f.pad("same-node"),
            Placement::PerNode(NonZeroU32::MIN) => f.pad("one-a-node"),
            Placement::PerNode(ranks) => f.pad(&format!("{ranks}-a-node")),
        }
    }
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("unknown placement `{text}`; hint: same-node, one-a-node, or a number such as 4-a-node");
        match (text, text.strip_suffix("-a-node")) {
            ("same-node", _) => Ok(Placement::SameNode),
            (_, Some("one")) => Ok(Placement::PerNode(NonZeroU32::MIN)),
            (_, Some(ranks)) => ranks.parse().map(Placement::PerNode).map_err(|_| bad()),
            (_, None) => Err(bad()),
        }
    }
}

impl TryFrom<String> for Placement {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Placement> for String {
    fn from(placement: Placement) -> String {
        placement.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_is_a_word() {
        let check = |text: &str, written: &str| {
            let placement: Placement = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&placement).unwrap(), format!("\"{written}\""));
            assert_eq!(serde_json::from_str::<Placement>(&format!("\"{text}\"")).unwrap(), placement);
        };
        check("same-node", "same-node");
        check("one-a-node", "one-a-node");
        check("1-a-node", "one-a-node");
        check("16-a-node", "16-a-node");
        for bad in ["", "0-a-node", "two-a-node", "-a-node", "node", "4"] {
            assert!(bad.parse::<Placement>().unwrap_err().contains("hint"), "{bad}");
        }
    }

    #[test]
    fn ranks_are_spread_evenly_or_not_at_all() {
        let check = |placement: &str, ranks: u32, expected: Option<(u32, u32)>| {
            let spread = placement.parse::<Placement>().unwrap().spread(ranks);
            let numbers = spread.ok().map(|spread| (spread.per_node.get(), spread.nodes.get()));
            assert_eq!(numbers, expected, "{ranks} {placement}");
        };
        check("same-node", 8, Some((8, 1)));
        check("one-a-node", 2, Some((1, 2)));
        check("4-a-node", 8, Some((4, 2)));
        check("4-a-node", 4, Some((4, 1)));
        check("4-a-node", 6, None);
        check("4-a-node", 2, None);
        check("one-a-node", 0, None);
    }
}
