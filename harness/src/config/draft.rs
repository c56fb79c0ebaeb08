//! A campaign to begin with, written for one machine: every key is there and explained, and it can be run as it is.

use std::collections::BTreeMap;

use crate::{case::Mode, id::MpiVersion};

/// The campaign, with names in capitals for what depends on the machine.
const TEMPLATE: &str = include_str!("draft.toml");

/// What a draft depends on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Cores that ranks can have.
    pub cores: u32,
    /// Versions of Open MPI that the host has where campaigns look for them.
    pub ready: Vec<MpiVersion>,
    /// Versions on `PATH`.
    pub on_path: Vec<MpiVersion>,
    /// Versions that a host and an image can both have.
    pub known: Vec<MpiVersion>,
    /// Modes that cannot work here, with the reason.
    pub without: Vec<(Mode, String)>,
}

impl Ground {
    /// The newest version of each series that the host has, else of 4.1: few enough for a first run.
    fn versions(&self) -> Vec<MpiVersion> {
        let known = |versions: &[MpiVersion]| -> BTreeMap<u32, MpiVersion> {
            let mut versions: Vec<_> = versions.iter().filter(|version| self.known.contains(version)).collect();
            versions.sort();
            versions.into_iter().map(|version| (version.major(), version.clone())).collect()
        };
        let newest = [&self.ready, &self.on_path].map(|versions| known(versions));
        let found = newest.into_iter().find(|versions| !versions.is_empty());
        let default = || known(&self.known).into_iter().take(1).collect();
        found.unwrap_or_else(default).into_values().collect()
    }

    /// Half the cores: the other half is for what runs besides, and for the ranks' own progress threads.
    fn ranks(&self) -> u32 {
        (self.cores / 2).clamp(2, 16)
    }
}

/// The text of a campaign for `ground`.
#[must_use]
pub fn draft(ground: &Ground) -> String {
    let versions = ground.versions();
    let works = |mode: &&Mode| !ground.without.iter().any(|(without, _)| without == *mode);
    let summary = |mode: Mode| format!("#   {mode:<18}{}", mode.summary());
    let reason = |(mode, reason): &(Mode, String)| format!("# {mode} is left out: {reason}");
    let cores = if ground.cores == 1 { "one core".to_owned() } else { format!("{} cores", ground.cores) };
    let known = ground.known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    [
        ("@SUMMARIES\n", lines(Mode::ALL.into_iter().map(summary))),
        ("@MODES", quoted(Mode::ALL.iter().filter(works))),
        ("@WITHOUT\n", lines(ground.without.iter().map(reason))),
        ("@KNOWN", known),
        ("@VERSIONS", quoted(&versions)),
        // As wide as its name in the template, so that the remarks stay below each other.
        ("@RANKS", format!("{:<6}", ground.ranks())),
        ("@CORES", cores),
        ("@PROBES\n", probes(&versions, &ground.known)),
    ]
    .into_iter()
    .fold(TEMPLATE.to_owned(), |text, (name, value)| text.replace(name, &value))
}

/// Both ways between the oldest and the newest version; where there is one only, an example that is commented out.
fn probes(versions: &[MpiVersion], known: &[MpiVersion]) -> String {
    let probe = |mark: &str, host: &MpiVersion, image: &MpiVersion| {
        let keys = ["[[probe]]".to_owned(), "mode = \"hybrid\"".to_owned()];
        let keys = keys.into_iter().chain([format!("host = \"{host}\""), format!("image = \"{image}\"")]);
        lines(keys.map(|key| format!("{mark}{key}")))
    };
    match versions {
        [oldest, .., newest] => format!("{}\n{}", probe("", newest, oldest), probe("", oldest, newest)),
        [only] => probe("#", known.iter().rfind(|version| *version != only).unwrap_or(only), only),
        [] => String::new(),
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

fn quoted(words: impl IntoIterator<Item: ToString>) -> String {
    let words = words.into_iter().map(|word| format!("\"{}\"", word.to_string()));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Campaign;

    fn versions(text: &str) -> Vec<MpiVersion> {
        text.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    fn ground(cores: u32, ready: &str, on_path: &str) -> Ground {
        let known = versions("4.1.7 4.1.8 5.0.8 5.0.11");
        Ground { cores, ready: versions(ready), on_path: versions(on_path), known, without: Vec::new() }
    }

    /// The draft with every line that is commented out, and not prose, in use.
    fn in_use(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest.to_owned() + "\n",
            Some(_) | None => line.to_owned() + "\n",
        };
        text.lines().map(line).collect()
    }

    /// Without a table: what is measured is bench-app or a program.
    fn lacking(table: &str, text: &str) -> String {
        let (before, rest) = text.split_once(&format!("{table}\n")).unwrap();
        format!("{before}{}", &rest[rest.find("\n[").unwrap()..])
    }

    #[test]
    fn whatever_is_here_the_draft_is_a_campaign() {
        for cores in [1, 2, 3, 8, 256] {
            for ready in ["", "4.1.8", "5.0.11 4.1.8", "4.1.7 4.1.8 5.0.8", "4.0.1"] {
                for on_path in ["", "4.1.7", "3.1.6"] {
                    for without in [vec![], vec![(Mode::HybridSharens, "no \"sharens\"".to_owned())]] {
                        let ground = Ground { without, ..ground(cores, ready, on_path) };
                        let text = draft(&ground);
                        let campaign = Campaign::parse("draft", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
                        assert!(campaign.ranks.get() <= cores.max(2), "{cores}: {}", campaign.ranks);
                        assert!(!text.contains('@'), "{text}");
                        for other in ["[program]", "[workload]"] {
                            let text = lacking(other, &in_use(&text));
                            Campaign::parse("draft in use", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn versions_are_those_of_the_host() {
        let check = |ready: &str, on_path: &str, expected: &str| {
            let campaign = Campaign::parse("draft", &draft(&ground(2, ready, on_path))).unwrap();
            assert_eq!(campaign.image_versions(), versions(expected), "{ready} / {on_path}");
        };
        check("", "", "4.1.8");
        check("4.1.7 4.1.8", "", "4.1.8");
        check("5.0.11 4.1.8 5.0.8", "", "4.1.8 5.0.11");
        check("", "4.1.7", "4.1.7");
        check("4.1.8", "4.1.7", "4.1.8");
        check("3.1.6", "", "4.1.8");
    }

    /// The parser itself says which keys there are, so that a new one cannot be forgotten here.
    #[test]
    fn every_key_of_the_format_is_in_the_draft() {
        let text = in_use(&draft(&ground(8, "4.1.8", "")));
        for table in ["schema = 1", "[workload]", "[program]", "[decision]", "[limits]", "[settings]", "[[probe]]"] {
            let heading = text.lines().find(|line| line.starts_with(table)).unwrap_or_else(|| panic!("no {table}"));
            let stray = text.replacen(heading, &format!("{heading}\nstray = 1"), 1);
            let error = Campaign::parse("draft", &stray).unwrap_err().to_string();
            let keys: Vec<&str> = match error.split_once("hint: one of ") {
                Some((_, keys)) => keys.trim().split(", ").collect(),
                None => {
                    let (words, _) = error.split_once("; hint: ").unwrap();
                    words.split("expected").last().unwrap_or_default().split('`').skip(1).step_by(2).collect()
                }
            };
            assert!(!keys.is_empty(), "{table}: {error}");
            for key in keys {
                let begins = [format!("{key} = "), format!("[{key}]"), format!("[[{key}]]")];
                let there = text.lines().any(|line| begins.iter().any(|begin| line.starts_with(begin)));
                assert!(there, "{key} of {table} is not explained");
            }
        }
    }
}
