//! Facts of this machine that a figure depends on: read, never guessed. What cannot be read is left out.

use std::{collections::BTreeMap, fs, time::Duration};

use crate::{command::CommandSpec, compose::apptainer::Runtime, id::SiteId, tool::Tools};

/// Files that hold one fact each.
const FILES: [(&str, &str); 8] = [
    ("kernel", "/proc/sys/kernel/osrelease"),
    ("clock_source", "/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    ("governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    ("transparent_hugepage", "/sys/kernel/mm/transparent_hugepage/enabled"),
    ("smt", "/sys/devices/system/cpu/smt/control"),
    ("ptrace_scope", "/proc/sys/kernel/yama/ptrace_scope"),
    ("l2", "/sys/devices/system/cpu/cpu0/cache/index2/size"),
    ("load", "/proc/loadavg"),
];

/// Facts by name, as text.
#[must_use]
pub fn gather(tools: &Tools<'_>, runtime: &Runtime) -> BTreeMap<String, String> {
    let mut facts: BTreeMap<String, String> = FILES
        .iter()
        .filter_map(|(name, file)| Some(((*name).to_owned(), fs::read_to_string(file).ok()?.trim().to_owned())))
        .collect();
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.insert(name.to_owned(), value);
        }
    };
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    fact("cpu", field(&cpuinfo, "model name", ':'));
    let virtual_machine = cpuinfo.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor"));
    fact("hypervisor", virtual_machine.then(|| "yes".to_owned()));
    fact("cores", Some(cores().to_string()));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    fact("memory", field(&memory, "MemTotal", ':'));
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    fact("os", field(&system, "PRETTY_NAME", '=').map(|name| name.trim_matches('"').to_owned()));
    let version = CommandSpec::new(&runtime.program).arg("--version");
    fact("container_runtime", tools.run(&version, Duration::from_secs(20)).ok().map(|said| said.trim().to_owned()));
    facts
}

fn field(text: &str, name: &str, separator: char) -> Option<String> {
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(separator)?;
    Some(value.trim().to_owned())
}

/// Cores this process may use.
#[must_use]
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// The name of this host.
#[must_use]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The host name as a site name, without its domain.
#[must_use]
pub fn site_id() -> SiteId {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let short = name.split('.').next().unwrap_or_default();
    let clean: String = short.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    clean
        .trim_start_matches('-')
        .parse()
        .unwrap_or_else(|_| "unnamed".parse().unwrap_or_else(|_| unreachable!("a name")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(field("a\nMemTotal:  12 kB\n", "MemTotal", ':').as_deref(), Some("12 kB"));
        assert_eq!(field("PRETTY_NAME=\"Debian\"", "PRETTY_NAME", '=').as_deref(), Some("\"Debian\""));
        assert_eq!(field("", "x", ':'), None);
    }
}
