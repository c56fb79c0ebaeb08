//! Reads what kernels, distributions and runtimes write, as pure functions over texts and over a way to read files.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    packages::System,
    surroundings::{Cgroups, Cpus, User},
};

/// The text of a file, if it can be read.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Directives of the runtime's configuration that decide whether launches work.
const DIRECTIVES: [&str; 7] = [
    "allow setuid",
    "allow setuid-mount squashfs",
    "allow user ns",
    "allow container sif",
    "mount tmp",
    "mount dev",
    "user bind control",
];

pub(super) fn number<N: std::str::FromStr>(read: Read<'_>, file: &str) -> Option<N> {
    read(file)?.split_whitespace().next()?.parse().ok()
}

/// A kernel's switch: absent where it does not have it.
pub(super) fn switch(read: Read<'_>, file: &str) -> Option<bool> {
    number::<u32>(read, file).map(|value| value != 0)
}

pub(super) fn system(read: Read<'_>, arch: &str) -> System {
    let release = read("/etc/os-release").or_else(|| read("/usr/lib/os-release")).unwrap_or_default();
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    let ids = [field("ID"), field("ID_LIKE")].into_iter().flatten();
    let ids = ids.flat_map(|ids| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    System {
        name: field("PRETTY_NAME").unwrap_or_else(|| "an unknown Linux".to_owned()),
        ids: ids.collect(),
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        arch: arch.to_owned(),
    }
}

/// The user `uid`. `sudo` is who called sudo.
pub(super) fn user(read: Read<'_>, uid: u32, login: Option<&str>, sudo: Option<&str>) -> User {
    let passwd = read("/etc/passwd").unwrap_or_default();
    let entries = || passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).filter(|entry| entry.len() == 7);
    let name = entries().find(|entry| entry[2].parse() == Ok(uid)).map(|entry| entry[0].to_owned());
    let ordinary = |entry: &Vec<&str>| {
        let shell = entry[6].rsplit('/').next().unwrap_or_default();
        entry[2].parse().is_ok_and(|uid: u32| (1000..60_000).contains(&uid)) && !["nologin", "false"].contains(&shell)
    };
    // The scripts make a user of that name where nobody else is at hand.
    let made = |entry: &Vec<&str>| ordinary(entry) && entry[0] == "sifbench";
    let other = entries().find(made).or_else(|| entries().find(ordinary)).map(|entry| entry[0].to_owned());
    User {
        name: name.or(login.map(str::to_owned)).unwrap_or_else(|| uid.to_string()),
        uid,
        ordinary: sudo.filter(|name| *name != "root").map(str::to_owned).or(other),
    }
}

/// `0-3,8` as numbers.
fn list(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

pub(super) fn cpus(read: Read<'_>) -> Cpus {
    let status = read("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(list).unwrap_or_default();
    let online = read("/sys/devices/system/cpu/online").map(|text| list(&text)).unwrap_or_default();
    let usable: Vec<u32> = allowed.iter().copied().filter(|cpu| online.is_empty() || online.contains(cpu)).collect();
    let distinct = |file: &str| {
        let values = usable.iter().map(|cpu| read(&format!("/sys/devices/system/cpu/cpu{cpu}/topology/{file}")));
        u32::try_from(values.flatten().collect::<BTreeSet<_>>().len()).unwrap_or(u32::MAX)
    };
    let length = |list: &[u32]| u32::try_from(list.len()).unwrap_or(u32::MAX).max(1);
    let or_all = |count: u32| if count == 0 { length(&usable) } else { count };
    Cpus {
        usable: length(&usable),
        online: length(&online),
        cores: or_all(distinct("thread_siblings_list")),
        sockets: distinct("physical_package_id").max(1),
        nodes: read("/sys/devices/system/node/online").map_or(1, |text| length(&list(&text))),
        quota: quota(read),
    }
}

/// The tightest limit on CPU time among our control groups, in CPUs.
fn quota(read: Read<'_>) -> Option<f64> {
    let groups = read("/proc/self/cgroup")?;
    let ratio =
        |quota: &str, period: &str| Some(quota.trim().parse::<f64>().ok()? / period.trim().parse::<f64>().ok()?);
    let limit = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ancestors = || std::path::Path::new(path).ancestors().map(|path| path.to_string_lossy().into_owned());
        let within = |group: String| match controllers {
            "" => {
                let text = read(&format!("/sys/fs/cgroup{group}/cpu.max"))?;
                let (quota, period) = text.trim().split_once(' ')?;
                ratio(quota, period)
            }
            _ if controllers.split(',').any(|name| name == "cpu") => {
                let file = |name: &str| read(&format!("/sys/fs/cgroup/{controllers}{group}/cpu.cfs_{name}_us"));
                ratio(&file("quota")?, &file("period")?)
            }
            _ => None,
        };
        ancestors().filter_map(within).filter(|cpus| *cpus > 0.0).min_by(f64::total_cmp)
    };
    groups.lines().filter_map(limit).min_by(f64::total_cmp)
}

pub(super) fn cgroups(read: Read<'_>) -> Cgroups {
    let mounts = read("/proc/self/mounts").unwrap_or_default();
    let kinds: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    match (kinds.contains(&"cgroup"), kinds.contains(&"cgroup2")) {
        (false, false) => Cgroups::Absent,
        (true, false) => Cgroups::V1,
        (true, true) => Cgroups::Hybrid,
        (false, true) => Cgroups::V2,
    }
}

/// File systems of the kernel, loaded or loadable.
pub(super) fn filesystems(read: Read<'_>, kernel: &str) -> BTreeSet<String> {
    let known = read("/proc/filesystems").unwrap_or_default();
    let known = known.lines().filter_map(|line| line.split_whitespace().next_back().map(str::to_owned));
    let modules = read(&format!("/lib/modules/{kernel}/modules.dep")).unwrap_or_default();
    let loadable = modules.lines().filter_map(|line| line.split_once(':')?.0.rsplit('/').next());
    let loadable = loadable.filter_map(|name| name.split_once(".ko").map(|(name, _)| name.to_owned()));
    let wanted = ["squashfs", "overlay", "fuse"];
    known.chain(loadable).filter(|name| wanted.contains(&name.as_str())).collect()
}

/// How many ids of a `/etc/subuid` are the user's, and the first that nobody has.
pub(super) fn subordinate(text: &str, user: &User) -> (u64, u64) {
    let (mut own, mut next) = (0, 100_000);
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(first), Some(count)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (Ok(first), Ok(count)) = (first.parse::<u64>(), count.trim().parse::<u64>()) else { continue };
        next = next.max(first.saturating_add(count));
        if name == user.name || name == user.uid.to_string() {
            own += count;
        }
    }
    (own, next)
}

/// The variables of `apptainer buildcfg`.
pub(super) fn build_configuration(said: &str) -> BTreeMap<&str, &str> {
    said.lines().filter_map(|line| line.split_once('=')).collect()
}

/// The directives that matter to launches, as a runtime's configuration has them.
pub(super) fn directives(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let directive = |line: &str| line.split_once('=').map(|(name, value)| (name.trim().into(), value.trim().into()));
    lines.filter_map(directive).filter(|(name, _): &(String, String)| DIRECTIVES.contains(&name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of a machine, as `tail -n +1 FILE..` prints them.
    fn captured(text: &'static str) -> impl Fn(&str) -> Option<String> {
        let mut files = BTreeMap::new();
        for part in text.split("==> ").skip(1) {
            let (name, content) = part.split_once(" <==\n").unwrap();
            files.insert(name.to_owned(), content.trim_end_matches('\n').to_owned() + "\n");
        }
        move |name| files.get(name).cloned()
    }

    const VM: &str = include_str!("../../tests/fixtures/doctor/bookworm-vm.txt");
    const CONTAINER: &str = include_str!("../../tests/fixtures/doctor/limited.txt");

    #[test]
    fn a_virtual_machine_is_read() {
        let read = captured(VM);
        let system = system(&read, "x86_64");
        assert_eq!((system.name.as_str(), system.ids.concat().as_str()), ("Debian GNU/Linux 12 (bookworm)", "debian"));
        assert!(system.kernel.starts_with("6."), "{}", system.kernel);
        let expected = Cpus { usable: 2, online: 2, cores: 2, sockets: 1, nodes: 1, quota: None };
        assert_eq!(cpus(&read), expected);
        assert_eq!(cgroups(&read), Cgroups::Hybrid);
        let squashfs = ["fuse", "overlay", "squashfs"].map(str::to_owned);
        assert_eq!(filesystems(&read, &system.kernel), BTreeSet::from(squashfs));
        assert_eq!(switch(&read, "/proc/sys/kernel/unprivileged_userns_clone"), None);
        assert!(number::<u64>(&read, "/proc/sys/user/max_user_namespaces").is_some_and(|most| most > 0));
    }

    #[test]
    fn smt_affinity_and_quotas_are_seen() {
        let read = captured(CONTAINER);
        let expected = Cpus { usable: 4, online: 8, cores: 2, sockets: 1, nodes: 2, quota: Some(1.5) };
        assert_eq!(cpus(&read), expected);
        assert_eq!(cgroups(&read), Cgroups::V2);
        assert_eq!(system(&read, "x86_64").ids, ["rocky", "rhel", "centos", "fedora"]);
        assert!(filesystems(&read, "5.14.0-427.el9.x86_64").contains("squashfs"), "loadable");
    }

    #[test]
    fn an_empty_machine_is_one_cpu_and_no_more() {
        let none = |_: &str| None;
        let expected = Cpus { usable: 1, online: 1, cores: 1, sockets: 1, nodes: 1, quota: None };
        assert_eq!(cpus(&none), expected);
        assert_eq!(cgroups(&none), Cgroups::Absent);
        assert_eq!(user(&none, 1234, None, None).name, "1234");
    }

    #[test]
    fn root_is_shown_somebody_else_to_be() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n\
                      svc:x:1000:1000::/:/usr/sbin/nologin\nada:x:1001:1001::/home/ada:/bin/bash\n";
        let read = |_: &str| Some(passwd.to_owned());
        let check = |sudo: Option<&str>, expected: &str| {
            let user = user(&read, 0, Some("x"), sudo);
            assert_eq!((user.name.as_str(), user.ordinary.as_deref()), ("root", Some(expected)));
        };
        check(None, "ada");
        check(Some("eve"), "eve");
        check(Some("root"), "ada");
    }

    #[test]
    fn subordinate_ids_are_added_up_and_the_next_are_free() {
        let user = User { name: "ada".into(), uid: 1001, ordinary: None };
        let check = |text: &str, expected: (u64, u64)| assert_eq!(subordinate(text, &user), expected, "{text}");
        check("", (0, 100_000));
        check("ada:100000:65536\n", (65_536, 165_536));
        check("1001:200000:65536\nbob:265536:65536\n", (65_536, 331_072));
        check("bob:100000:65536\n# ada\n", (0, 165_536));
    }

    #[test]
    fn only_directives_that_matter_are_kept() {
        let text = "# mount tmp = no\nmount tmp = yes\nmount dev = minimal\nmount proc = no\n";
        let expected = [("mount dev", "minimal"), ("mount tmp", "yes")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(directives(text), BTreeMap::from(expected));
    }
}
