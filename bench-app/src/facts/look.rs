//! Looking around: what a rank reads from `/proc`, `/sys` and `/dev`.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::{RankFacts, ReadPeer, word};
use crate::system;

/// Fabric devices named.
pub(super) const DEVICES: usize = 6;

impl RankFacts {
    /// Looks around.
    #[must_use]
    pub fn collect(rank: u32) -> Self {
        let inode = |name: &str| fs::metadata(format!("/proc/self/ns/{name}")).map_or(0, |link| link.ino());
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
        let (shm, tmp) = (system::space(Path::new("/dev/shm")), system::space(Path::new("/tmp")));
        RankFacts {
            rank,
            host: word(&host),
            node: this_node(),
            pid: std::process::id(),
            user_ns: inode("user"),
            pid_ns: inode("pid"),
            ipc_ns: inode("ipc"),
            mnt_ns: inode("mnt"),
            net_ns: inode("net"),
            uts_ns: inode("uts"),
            time_ns: inode("time"),
            shm_dev: shm.device,
            shm_total: shm.total,
            shm_free: shm.free,
            tmp_dev: tmp.device,
            tmp_total: tmp.total,
            tmp_free: tmp.free,
            cpus: word(cpus),
            dumpable: system::dumpable(),
            ptrace_scope: scope.and_then(|scope| scope.trim().parse().ok()),
            memlock: system::memlock(),
            fabric: fabric(Path::new("/dev")),
            read_peer: ReadPeer::Untried,
        }
    }
}

/// A number for this node: the running kernel's, and its host name, because nodes may be namespaces of one kernel.
/// A container keeps both, unless it is given a host name of its own.
#[must_use]
pub fn this_node() -> u64 {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    node(&read("random/boot_id"), &read("hostname"))
}

/// The boot id's first sixteen digits, and a digest of the host name.
fn node(boot_id: &str, host: &str) -> u64 {
    let digits: String = boot_id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0) ^ u64::from(crc32fast::hash(host.trim().as_bytes()))
}

/// Devices of fabrics below `dev`, by name.
fn fabric(dev: &Path) -> Vec<String> {
    let names = |directory: &Path| -> Vec<String> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| word(&entry.file_name().to_string_lossy())).collect();
        names.sort();
        names
    };
    let is_fabric = |name: &String| name.starts_with("hfi1_") || name.starts_with("cxi");
    let verbs = names(&dev.join("infiniband")).into_iter().map(|name| format!("infiniband/{name}"));
    verbs.chain(names(dev).into_iter().filter(is_fabric)).take(DEVICES).collect()
}

/// Bytes sent so far by the interfaces of `/proc/net/dev`'s text.
#[must_use]
pub fn network_bytes(text: &str) -> u64 {
    let sent = |line: &str| line.split_once(':')?.1.split_whitespace().nth(8)?.parse::<u64>().ok();
    text.lines().filter_map(sent).sum()
}

/// Bytes sent so far by the ports below `class` (`/sys/class/infiniband`), which count in words of four bytes.
#[must_use]
pub fn fabric_bytes(class: &Path) -> u64 {
    let within = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let ports = within(class).flat_map(|device| within(&device.join("ports")).collect::<Vec<_>>());
    let words = |port: &Path| fs::read_to_string(port.join("counters/port_xmit_data")).ok()?.trim().parse::<u64>().ok();
    ports.filter_map(|port| words(&port)).fold(0, |sum, words| sum.wrapping_add(words.wrapping_mul(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_surroundings() {
        let here = RankFacts::collect(3);
        assert_eq!((here.rank, here.pid), (3, std::process::id()));
        let namespaces = [here.user_ns, here.pid_ns, here.ipc_ns, here.mnt_ns, here.net_ns, here.uts_ns];
        assert!(!namespaces.contains(&0) && !here.host.is_empty() && here.node != 0, "{here:?}");
        assert!(here.cpus.starts_with(|c: char| c.is_ascii_digit()), "{here:?}");
        assert!(here.tmp_total >= here.tmp_free && here.tmp_total > 0, "{here:?}");
        assert_eq!(RankFacts::from_record(&here.to_record()).unwrap(), here);
    }

    #[test]
    fn counters_are_summed_over_interfaces_and_ports() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes\n    \
                    lo: 500 4 0 0 0 0 0 0 1500 4 0 0 0 0 0 0\n  eth0:1234567890 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n";
        assert_eq!(network_bytes(text), 1507);
        let class = tempfile::tempdir().unwrap();
        for (port, words) in [("mlx5_0/ports/1", "10\n"), ("mlx5_1/ports/1", "5\n")] {
            let counters = class.path().join(port).join("counters");
            fs::create_dir_all(&counters).unwrap();
            fs::write(counters.join("port_xmit_data"), words).unwrap();
        }
        assert_eq!(fabric_bytes(class.path()), 60);
        assert_eq!(fabric_bytes(Path::new("/nowhere")), 0);
    }

    #[test]
    fn devices_of_fabrics_are_found_by_name() {
        let dev = tempfile::tempdir().unwrap();
        fs::create_dir(dev.path().join("infiniband")).unwrap();
        for name in ["infiniband/uverbs0", "hfi1_0", "cxi0", "null", "sda"] {
            fs::write(dev.path().join(name), "").unwrap();
        }
        assert_eq!(fabric(dev.path()), ["infiniband/uverbs0", "cxi0", "hfi1_0"]);
    }

    #[test]
    fn hostile_names_are_tamed() {
        assert_eq!(word(" a\"b\\c\u{e9}d\n"), "abcd");
        let boot = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n";
        assert_eq!(node(boot, "\n"), 0x0f1e_2d3c_4b5a_6978);
        assert_ne!(node(boot, "n1\n"), node(boot, "n2\n"));
    }
}
