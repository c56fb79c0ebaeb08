//! What TCP takes between two nodes, without any MPI: a byte that goes to and fro, and messages as raw streams.
//!
//! Between nodes no memory is common, so this stands where the [canary](crate::canary) stands on one node: it names the
//! state of the machine and its network, and is the limit of an MPI that speaks TCP. An MPI on a fabric is below it.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    time::Duration,
};

use crate::{
    canary::{BATCHES, End},
    clock::{self, Start},
};

/// Round trips of a batch: a byte takes a hundred times as long as a flag.
pub const ROUND_TRIPS: u32 = 10;
/// How long two ends look for each other: what a firewall swallows would be waited for much longer.
pub const MEETING: Duration = Duration::from_millis(1500);
/// After that one address is given up.
const ONE_ADDRESS: Duration = Duration::from_millis(300);
/// Addresses of a node that are tried.
pub const ADDRESSES: usize = 8;
/// After that a reading is given up.
const PATIENCE: Duration = Duration::from_millis(200);
/// The slowest stream that is waited for, bytes in a millisecond.
const SLOWEST: u64 = 4 << 10;

/// Where the other rank listens, and what to say there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The rank's own addresses, without the loopback.
    pub hosts: Vec<Ipv4Addr>,
    /// The port.
    pub port: u16,
    /// Said by who comes: others may knock too.
    pub nonce: u64,
}

/// An end that waits for the other one.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    nonce: u64,
}

impl Door {
    /// Opens a port of this node, reached by `hosts`.
    ///
    /// # Errors
    /// There is no port, or no address but the loopback's.
    pub fn open(mut hosts: Vec<Ipv4Addr>) -> io::Result<(Door, Address)> {
        if hosts.is_empty() {
            return Err(io::Error::new(ErrorKind::AddrNotAvailable, "this node has no address but its loopback's"));
        }
        hosts.truncate(ADDRESSES);
        let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        listener.set_nonblocking(true)?;
        let (port, nonce) =
            (listener.local_addr()?.port(), clock::now() ^ u64::from(std::process::id()).rotate_left(40));
        Ok((Door { listener, nonce }, Address { hosts, port, nonce }))
    }

    /// Waits for the end that has the nonce; sends others away.
    ///
    /// # Errors
    /// It did not come in time.
    pub fn answer(self) -> io::Result<Wire> {
        let begun = Start::now();
        while begun.elapsed() < MEETING {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    stream.set_read_timeout(Some(ONE_ADDRESS))?;
                    let mut said = [0; 8];
                    if (&stream).read_exact(&mut said).is_ok() && said == self.nonce.to_le_bytes() {
                        (&stream).write_all(&[1])?;
                        return Wire::new(stream, End::Lead);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, "the other rank did not come"))
    }
}

/// One end of a connection between two ranks.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    end: End,
}

impl Wire {
    fn new(stream: TcpStream, end: End) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        // A core of its own: both ends look instead of sleeping, as MPI libraries do.
        stream.set_nonblocking(true)?;
        Ok(Wire { stream, end })
    }

    /// Goes to where the other end waits, by the first of its addresses that leads there.
    ///
    /// # Errors
    /// None does.
    pub fn go(address: &Address) -> io::Result<Wire> {
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        let begun = Start::now();
        for host in &address.hosts {
            if begun.elapsed() + ONE_ADDRESS > MEETING {
                break;
            }
            match knock(SocketAddrV4::new(*host, address.port).into(), address.nonce) {
                Ok(stream) => return Wire::new(stream, End::Answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Address of the other end.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Durations of [`BATCHES`] batches of [`ROUND_TRIPS`] of one byte, ns, while the other rank does the same.
    ///
    /// # Errors
    /// The other end is gone or does not answer in time; there is no other reading then.
    pub fn read(&mut self) -> io::Result<[u64; BATCHES]> {
        let begun = Start::now();
        let mut batches = [0; BATCHES];
        for batch in &mut batches {
            let start = Start::now();
            for _ in 0..ROUND_TRIPS {
                self.exchange(&mut [0], begun, PATIENCE)?;
            }
            *batch = start.ns();
        }
        Ok(batches)
    }

    /// Half the round trip of a message as long as `buffer`, the shortest of `times`, ns; its contents are used up.
    ///
    /// # Errors
    /// As [`Wire::read`].
    pub fn half_round_trip(&mut self, buffer: &mut [u8], times: u32) -> io::Result<f64> {
        let begun = Start::now();
        let patience = PATIENCE + Duration::from_millis(2 * u64::from(times) * buffer.len() as u64 / SLOWEST);
        let mut shortest = u64::MAX;
        for _ in 0..times {
            let start = Start::now();
            self.exchange(buffer, begun, patience)?;
            shortest = shortest.min(start.ns());
        }
        Ok(shortest as f64 / 2.0)
    }

    #[inline]
    fn exchange(&mut self, buffer: &mut [u8], begun: Start, patience: Duration) -> io::Result<()> {
        match self.end {
            End::Lead => {
                self.send(buffer, begun, patience)?;
                self.receive(buffer, begun, patience)
            }
            End::Answer => {
                self.receive(buffer, begun, patience)?;
                self.send(buffer, begun, patience)
            }
        }
    }

    fn send(&mut self, buffer: &[u8], begun: Start, patience: Duration) -> io::Result<()> {
        let mut at = 0;
        while at < buffer.len() {
            at += moved((&self.stream).write(&buffer[at..]), begun, patience)?;
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], begun: Start, patience: Duration) -> io::Result<()> {
        let mut at = 0;
        while at < buffer.len() {
            at += moved((&self.stream).read(&mut buffer[at..]), begun, patience)?;
        }
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The other end then sees that nobody is here.
        self.stream.shutdown(Shutdown::Both).ok();
    }
}

fn knock(at: SocketAddr, nonce: u64) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&at, ONE_ADDRESS)?;
    stream.set_read_timeout(Some(ONE_ADDRESS))?;
    stream.write_all(&nonce.to_le_bytes())?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// Bytes that one system call moved: none where it would have had to wait, an error where waiting has no end.
#[inline]
fn moved(result: io::Result<usize>, begun: Start, patience: Duration) -> io::Result<usize> {
    match result {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(count),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            if begun.elapsed() < patience { Ok(0) } else { Err(ErrorKind::TimedOut.into()) }
        }
        Err(error) => Err(error),
    }
}

/// IPv4 addresses of this node but its loopback's, from the text of `/proc/net/fib_trie`.
#[must_use]
pub fn addresses(fib_trie: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let lines = || fib_trie.lines().map(str::trim);
    for (leaf, kind) in lines().zip(lines().skip(1)) {
        let Some(address) = leaf.strip_prefix("|-- ").and_then(|text| text.parse().ok()) else { continue };
        let address: Ipv4Addr = address;
        if kind == "/32 host LOCAL" && !address.is_loopback() && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Wire, Wire) {
        let (door, address) = Door::open(vec![Ipv4Addr::LOCALHOST]).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| Wire::go(&address).unwrap());
            (door.answer().unwrap(), other.join().unwrap())
        })
    }

    #[test]
    fn a_byte_and_a_message_go_to_and_fro() {
        let (mut lead, mut answer) = pair();
        let mut ends = |len: usize| {
            std::thread::scope(|scope| {
                let other =
                    scope.spawn(|| (answer.read().unwrap(), answer.half_round_trip(&mut vec![2; len], 2).unwrap()));
                let own = (lead.read().unwrap(), lead.half_round_trip(&mut vec![1; len], 2).unwrap());
                (own, other.join().unwrap())
            })
        };
        let (small, large) = (ends(1), ends(8 << 20));
        assert!(small.0.0.iter().chain(&large.1.0).all(|ns| *ns > 0));
        // Eight mebibytes are more than any loopback carries in the time of a byte.
        assert!(large.0.1 > small.0.1 && large.0.1 > 100_000.0, "{small:?} {large:?}");
    }

    #[test]
    fn strangers_are_sent_away_and_the_second_address_will_do() {
        let (door, address) = Door::open(vec![Ipv4Addr::LOCALHOST]).unwrap();
        // 192.0.2.0/24 is nobody's (RFC 5737); 127.0.0.2 leads here too.
        let hosts = vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(127, 0, 0, 2)];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let stranger = Address { nonce: address.nonce + 1, ..address.clone() };
                assert!(Wire::go(&stranger).is_err());
                let wire = Wire::go(&Address { hosts, ..address.clone() }).unwrap();
                assert_eq!(wire.peer().unwrap().ip(), Ipv4Addr::new(127, 0, 0, 2));
            });
            door.answer().unwrap();
        });
    }

    #[test]
    fn nobody_waits_for_ever() {
        let (door, address) = Door::open(vec![Ipv4Addr::LOCALHOST]).unwrap();
        assert_eq!(door.answer().unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(Wire::go(&address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let (mut lead, answer) = pair();
        assert_eq!(lead.read().unwrap_err().kind(), ErrorKind::TimedOut);
        drop(answer);
        assert!(lead.read().is_err());
        assert_eq!(Door::open(Vec::new()).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_node_knows_its_addresses() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.77.0.0\n        /24 link UNICAST\n     |-- 10.77.0.1\n        \
                    /32 host LOCAL\n     |-- 10.77.0.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        \
                    /32 host LOCAL\nLocal:\n     |-- 10.77.0.1\n        /32 host LOCAL\n     |-- 192.168.9.5\n        \
                    /32 host LOCAL\n";
        assert_eq!(addresses(text), [Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(192, 168, 9, 5)]);
        assert_eq!(addresses(""), [] as [Ipv4Addr; 0]);
    }
}
