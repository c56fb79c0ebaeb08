//! Facts of all ranks on their way to rank 0, in memory that does not depend on their number.

use bench_app::{
    event::{Facts, Late, RankFacts, ReadPeer, Traffic},
    facts::{DIFFERING, RECORD, VARIABLES, fabric_bytes, network_bytes, this_node, word},
    pages::{Lane, LaneMut},
    system,
};

use crate::{
    mpi_ffi::{Comm, MpiError, control_variables},
    session::Failure,
};

/// Words of a mask of CPUs: as many as Linux has on any machine of today.
const CPU_WORDS: usize = 128;
/// The untimed pass: round trips of a message that every transport has settled on, and that no known fault hangs at.
const ROUND_TRIPS: usize = 32;
const MESSAGE: usize = 64 << 10;

/// What every rank has to know of where the ranks are.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// All ranks run under one kernel, and hence by one clock.
    pub(crate) one_node: bool,
    /// Some node has more ranks than CPUs for them.
    pub(crate) crowded: bool,
    /// Ranks on this rank's node.
    pub(crate) neighbours: u32,
}

/// What the ranks of `world` find around them: where they are, and on rank 0 the summary. Collective.
pub(crate) fn facts(world: &Comm) -> Result<(Place, Option<Facts>), Failure> {
    let mut own = RankFacts::collect(world.rank.unsigned_abs());
    own.read_peer = next_rank(world)?.map_or(ReadPeer::Untried, |next| next.read());
    let record = own.to_record();
    let first = RankFacts::from_record(&world.broadcast(record)?)?;
    let differs = !own.alike(&first);
    let speaks = differs & (world.before(differs.into())? < DIFFERING as u64);
    let node = Node::of(world, &own)?;
    let own_clock = own.node == first.node && own.time_ns == first.time_ns;
    let counted = [differs, node.leads, node.crowded, !own_clock].map(u64::from);
    let [differing, nodes, crowded, other_clocks] = world.total(&counted)?;
    let place = Place { one_node: other_clocks == 0, crowded: crowded > 0, neighbours: node.ranks };
    if world.rank != 0 {
        if speaks {
            world.outgoing(Lane::of(&record), 0).send()?;
        }
        return Ok((place, None));
    }
    let told = differing.min(DIFFERING as u64);
    let mut ranks = Vec::new();
    for _ in 0..told {
        ranks.push(RankFacts::from_record(&world.receive_any::<RECORD>()?)?);
    }
    ranks.sort_by_key(|facts| facts.rank);
    let facts = Facts {
        ranks: world.size.unsigned_abs(),
        nodes: number(nodes),
        oversubscribed: place.crowded,
        first,
        differing: ranks,
        omitted: number(differing - told),
    };
    Ok((place, Some(facts)))
}

/// Where the next rank's memory can be tried.
struct Next {
    pid: u32,
    address: u64,
    node: u64,
}

impl Next {
    fn read(&self) -> ReadPeer {
        if self.node == this_node() { system::read_peer(self.pid, self.address) } else { ReadPeer::OtherNode }
    }
}

/// Tells the rank before this one where its memory can be tried, and hears the same of the next one. Collective.
fn next_rank(world: &Comm) -> Result<Option<Next>, MpiError> {
    let Comm { rank, size, .. } = *world;
    let own = [u64::from(std::process::id()), system::magic_address(), this_node()];
    let mut bytes = [0; 24];
    bytes.as_chunks_mut().0.iter_mut().zip(own).for_each(|(place, value)| *place = value.to_le_bytes());
    let heard = world.swap(&bytes, (rank + size - 1) % size, (rank + 1) % size)?;
    let words: Vec<u64> = heard.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    Ok((size > 1).then(|| Next { pid: words[0] as u32, address: words[1], node: words[2] }))
}

/// The ranks of one node.
struct Node {
    /// This rank is the first of them.
    leads: bool,
    /// They are more than the CPUs that they may run on.
    crowded: bool,
    ranks: u32,
}

impl Node {
    /// This rank's node. Collective.
    fn of(world: &Comm, own: &RankFacts) -> Result<Node, MpiError> {
        let node = world.split((own.node ^ own.node >> 32) as u32)?;
        let mut cpus = [0; CPU_WORDS];
        own.mark_cpus(&mut cpus);
        let cpus: u32 = node.any_bits(&cpus)?.iter().map(|word| word.count_ones()).sum();
        let ranks = node.size.unsigned_abs();
        let leads = node.rank == 0;
        node.free()?;
        Ok(Node { leads, crowded: ranks > cpus && cpus > 0, ranks })
    }
}

/// What rank 0 of `pair` finds out at the end, to be completed by what only the session knows; nothing on rank 1.
/// Collective over the pair.
pub(crate) fn late(pair: &Comm) -> Result<Option<Late>, Failure> {
    system::allow_reading();
    let next = next_rank(pair)?;
    let before = Counters::now();
    let mut buffer = vec![1; MESSAGE];
    let mut message = vec![2; MESSAGE];
    for _ in 0..ROUND_TRIPS {
        if pair.rank == 0 {
            pair.outgoing(Lane::of(&message), 1).send()?;
            pair.incoming(LaneMut::of(&mut buffer), 1).receive()?;
        } else {
            pair.incoming(LaneMut::of(&mut message), 0).receive()?;
            pair.outgoing(Lane::of(&buffer), 0).send()?;
        }
    }
    if pair.rank != 0 {
        return Ok(None);
    }
    let traffic = Counters::now().since(&before, 2 * (ROUND_TRIPS * MESSAGE) as u64);
    let variables = control_variables(&VARIABLES)?.into_iter().map(|(name, value)| (name, word(&value)));
    Ok(Some(Late {
        traffic: Some(traffic),
        read_allowed: next.map_or(ReadPeer::Untried, |next| next.read()),
        variables: variables.collect(),
        last_level_cache: system::last_level_cache(),
        ..Late::default()
    }))
}

/// Bytes sent by this node so far.
struct Counters {
    network: u64,
    fabric: u64,
}

impl Counters {
    fn now() -> Counters {
        let network = network_bytes(&std::fs::read_to_string("/proc/net/dev").unwrap_or_default());
        Counters { network, fabric: fabric_bytes("/sys/class/infiniband".as_ref()) }
    }

    fn since(&self, before: &Counters, moved: u64) -> Traffic {
        let more = |now: u64, then: u64| now.saturating_sub(then);
        Traffic { moved, network: more(self.network, before.network), fabric: more(self.fabric, before.fabric) }
    }
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
