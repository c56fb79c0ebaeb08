//! Reading /proc: who exists, whose child and session he is, what his environment and mappings name.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// A process, beyond reuse of its number: the start time (clock ticks since boot) goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: i32,
    pub(super) start: u64,
}

impl Identity {
    /// Of the process that has this number now; of none, one that nobody bears.
    pub(super) fn of(pid: i32) -> Self {
        process(pid).map_or(Self { pid, start: 0 }, |process| process.id)
    }

    /// Whether it has not ended; a zombie has.
    pub(super) fn lives(self) -> bool {
        process(self.pid).is_some_and(|process| process.id == self && !process.zombie)
    }
}

/// One line of /proc/PID/stat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: Identity,
    pub(super) name: String,
    pub(super) parent: i32,
    pub(super) session: i32,
    pub(super) zombie: bool,
    pub(super) stopped: bool,
}

/// Every process visible from here. What vanishes while it is being read is left out.
pub(super) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(process).collect()
}

/// The process with this number, if there is one.
pub(super) fn process(pid: i32) -> Option<Process> {
    parse_stat(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

/// `pid (name) state ppid pgrp session ..`; the name may hold blanks and brackets, so it ends at the last `)`.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
    Some(Process {
        id: Identity { pid: pid.parse().ok()?, start: fields.get(19)?.parse().ok()? },
        name: name.to_owned(),
        parent: number(1)?,
        session: number(3)?,
        zombie: matches!(fields.first(), Some(&("Z" | "X"))),
        stopped: matches!(fields.first(), Some(&("T" | "t"))),
    })
}

/// Whether the environment a process was started with holds `text` anywhere.
///
/// Anywhere, because Apptainer's starter keeps the user's variables inside a JSON document in one of its own.
pub(super) fn environment_holds(pid: i32, text: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.windows(text.len()).any(|window| window == text.as_bytes()))
}

/// A variable of the environment a process was started with.
pub(super) fn environment(pid: i32) -> impl Fn(&str) -> Option<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    move |name| {
        let value = |entry: &[u8]| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec);
        let value = environ.split(|byte| *byte == 0).find_map(value)?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }
}

/// Whether a process maps a file whose name begins like this.
pub(super) fn maps(pid: i32, start: &str) -> bool {
    let Ok(maps) = fs::File::open(format!("/proc/{pid}/maps")) else { return false };
    let lines = BufReader::new(maps).split(b'\n').map_while(Result::ok);
    lines
        .into_iter()
        .any(|line| String::from_utf8_lossy(&line).rsplit_once('/').is_some_and(|(_, name)| name.starts_with(start)))
}

/// The words of the command that a process runs. Of a script the first is its interpreter.
pub(super) fn command(pid: i32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// A process's number as it sees it itself, in the innermost of its namespaces.
pub(super) fn own_number(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("NSpid:")?.split_ascii_whitespace().last()?.parse().ok())
}

/// The inodes a process maps from the file system `device` (major, minor).
///
/// By number and not by path: a container sees the same file under another root.
pub(super) fn mapped_inodes(pid: i32, device: (u32, u32)) -> Vec<u64> {
    let Ok(maps) = fs::File::open(format!("/proc/{pid}/maps")) else { return Vec::new() };
    let lines = BufReader::new(maps).split(b'\n').map_while(Result::ok);
    lines.filter_map(|line| parse_mapping(&String::from_utf8_lossy(&line), device)).collect()
}

/// The inodes on the file system `device` (major, minor) that a process has open under a name that begins with `start`.
///
/// Only such links are followed: what lies behind another may be on a file system that does not answer any more.
pub(super) fn open_inodes(pid: i32, device: (u32, u32), start: &str) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let named = |path: &PathBuf| {
        let link = fs::read_link(path).unwrap_or_default();
        link.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    let files = entries.map(|entry| entry.path()).filter(named).filter_map(|path| fs::metadata(path).ok());
    let here = files.filter(|meta| (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev())) == device);
    here.map(|meta| meta.ino()).collect()
}

/// `address perms offset major:minor inode path`
fn parse_mapping(line: &str, (major, minor): (u32, u32)) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace().skip(3);
    let (mapped_major, mapped_minor) = fields.next()?.split_once(':')?;
    let device = (u32::from_str_radix(mapped_major, 16).ok()?, u32::from_str_radix(mapped_minor, 16).ok()?);
    let inode = fields.next()?.parse().ok()?;
    (device == (major, minor) && inode != 0).then_some(inode)
}

/// Where something is mounted at or below `root`, innermost first.
pub(super) fn mounts_below(root: &str) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mount_points(&table, root)
}

fn mount_points(table: &str, root: &str) -> Vec<String> {
    let inside = |point: &String| point.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| {
        // The four characters the kernel escapes in this table.
        [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
            .iter()
            .fold(point.to_owned(), |point, (escaped, plain)| point.replace(escaped, plain))
    });
    let mut found: Vec<String> = points.filter(inside).collect();
    found.reverse();
    found
}

/// Numbers of the signals this process ignores, as inherited from whoever started it.
pub(super) fn ignores_signal(number: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_brackets_and_blanks() {
        let stat = "42 (a) (b c) S 7 42 41 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1";
        let process = parse_stat(stat).unwrap();
        assert_eq!((process.id.pid, process.id.start), (42, 12345));
        assert_eq!((process.name.as_str(), process.parent, process.session, process.zombie), ("a) (b c", 7, 41, false));
        assert!(parse_stat(&stat.replace(" S ", " Z ")).unwrap().zombie);
        assert!(!process.stopped && parse_stat(&stat.replace(" S ", " T ")).unwrap().stopped);
        assert_eq!(parse_stat("42 (cut off"), None);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = process(pid).unwrap();
        assert!(processes().iter().any(|process| process.id == own.id));
    }

    #[test]
    fn a_process_is_told_by_its_variables_and_what_it_maps() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let variable = environment(pid);
        assert!(variable("PATH").is_some_and(|value| !value.is_empty()));
        assert_eq!([variable("PAT"), variable("PATH=")], [None, None]);
        assert!(maps(pid, "libc.so") && !maps(pid, "ibc.so") && !maps(0, "libc.so"));
    }

    #[test]
    fn mappings_are_told_by_device_and_inode() {
        let line =
            "7f00-7f01 rw-s 00000000 00:1a 77                         /dev/shm/vader_segment.n1.1000.1 (deleted)";
        assert_eq!(parse_mapping(line, (0, 0x1a)), Some(77));
        assert_eq!(parse_mapping(line, (0, 0x1b)), None);
        assert_eq!(parse_mapping("7f00-7f01 rw-p 00000000 00:00 0", (0, 0)), None);
    }

    #[test]
    fn mounts_are_taken_innermost_first() {
        let table = "30 1 0:5 / /tmp/s/a rw - fuse x rw\n31 30 0:6 / /tmp/s/a/b\\040c rw - fuse x rw\n\
                     32 1 0:7 / /tmp/sx rw - tmpfs x rw\n";
        assert_eq!(mount_points(table, "/tmp/s"), ["/tmp/s/a/b c", "/tmp/s/a"]);
    }
}
