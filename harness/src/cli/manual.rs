//! Help beside `--help`: completions for shells, and manual pages made from the same definition.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, roman},
};

use super::edge::Edge;

/// What the tool's exit code says, for `--help`, manual pages and the README alike.
pub(super) const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", "done (launches that hang or fail are results)"),
    ("1", "failed, or something that was checked is not as it should be"),
    (
        "2",
        "wrong usage, or a campaign or a profile that cannot be read; compare, recommend, explain, aa: no such run or case",
    ),
    ("3", "refused here: a login node, more ranks than cores"),
    ("130", "interrupted; the run can be resumed"),
];

/// Variables that are read, for manual pages.
const ENVIRONMENT: [(&str, &str); 14] = [
    ("SIFBENCH_SITE", "name of this machine or cluster in the results, where --site does not give one"),
    ("SIFBENCH_PROFILE", "the profile of this place, a name or a file, where --profile does not say"),
    ("SIFBENCH_RESULTS", "where results are kept, where --results does not say"),
    ("SIFBENCH_HOSTFILE", "nodes from a file, where --hostfile names none"),
    ("SIFBENCH_AGENT", "how other nodes are reached, where --agent does not say"),
    ("SIFBENCH_INSTANCES", "how instances live on nodes, where --instances does not say"),
    ("SIFBENCH_PMI", "what `srun --mpi` is given, where --pmi does not say"),
    ("SIFBENCH_STAGE", "where images are brought to on each node, where --stage does not say"),
    ("SIFBENCH_VERSIONS", "a list of versions of Open MPI of your own [default: ~/.config/sifbench/versions.toml]"),
    ("XDG_CACHE_HOME", "the cache lies in sifbench below it [default: ~/.cache]"),
    ("PATH", "where apptainer (else singularity), python3, cargo and gcc are looked for"),
    ("NO_COLOR", "when set, no colours"),
    ("PIP_*, PYTHON*, CARGO_*, RUSTUP_*", "passed on to pip and cargo when parts are installed or built"),
    ("APPTAINER_*, SINGULARITY_*", "passed on when images are built; launches that are measured do not see them"),
];

/// Files and directories, for manual pages.
const FILES: [(&str, &str); 9] = [
    ("results/<site>/<utc>-<design>/", "one run: manifest, design, attempts, raw samples, logs"),
    ("reports/<site>/<run>/report.html", "the page that `sifbench report` writes"),
    ("jobs/<time>-<campaign>/", "what `sifbench submit` gave the scheduler, and what the job said"),
    ("~/.config/sifbench/sites/*.toml", "profiles of places of your own; `sifbench site probe` drafts one"),
    ("~/.config/sifbench/versions.toml", "versions of Open MPI besides those that are built in, or instead of them"),
    ("~/.cache/sifbench/mpi/", "Open MPIs of the host"),
    ("~/.cache/sifbench/images/", "images; `sifbench image list` tells which are current"),
    ("kit.json", "beside the program: it lies in a kit, whose parts come before those of the cache"),
    ("/tmp/sifbench-<uid>/", "private directories of running launches, removed at their end"),
];

/// `sifbench completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sifbench completions bash > ~/.local/share/bash-completion/completions/sifbench\n  \
    sifbench completions zsh > ~/.zfunc/_sifbench\n  \
    sifbench completions fish > ~/.config/fish/completions/sifbench.fish")]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// `sifbench man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sifbench man ~/.local/share/man/man1\n  sifbench man . && man ./sifbench-run.1")]
pub(super) struct ManArgs {
    /// Where the pages go; the directory is made if it is not there
    dir: PathBuf,
}

/// What helps where pages cannot be written.
const ELSEWHERE: &str = "a directory of your own, such as ~/.local/share/man/man1";

/// Prints a shell's completions of `command`.
pub(super) fn completions(edge: &Edge, args: &CompletionsArgs, mut command: Command) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "sifbench", &mut text);
    edge.print(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a manual page for `command` and for each command below it.
pub(super) fn man(edge: &Edge, args: &ManArgs, mut command: Command) -> anyhow::Result<ExitCode> {
    command.build();
    fs::create_dir_all(&args.dir)
        .with_context(|| format!("cannot create {}; hint: {ELSEWHERE}", args.dir.display()))?;
    let pages = pages(&command)?;
    for (name, page) in &pages {
        let file = Path::new(&args.dir).join(format!("{name}.1"));
        fs::write(&file, page).with_context(|| format!("cannot write {}; hint: {ELSEWHERE}", file.display()))?;
        edge.print(&format!("{}\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The pages of a command that is built, by name: `sifbench`, `sifbench-run`, `sifbench-image-build`.
fn pages(command: &Command) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = vec![(command.get_display_name().unwrap_or(command.get_name()).to_owned(), page(command)?)];
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        pages.extend(self::pages(sub)?);
    }
    Ok(pages)
}

fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let man = Man::new(command.clone()).source(concat!("sifbench ", env!("CARGO_PKG_VERSION"))).manual("sifbench");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut page)?;
    }
    let mut rest = Roff::new();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    rest.control("SH", ["EXAMPLES"]).control("nf", []).text([roman(examples(command))]).control("fi", []);
    let sections = [("EXIT STATUS", &EXIT_STATUS[..]), ("ENVIRONMENT", &ENVIRONMENT), ("FILES", &FILES)];
    for (title, entries) in sections {
        rest.control("SH", [title]);
        for (term, text) in entries {
            let [term, text]: [Vec<Inline>; 2] = [vec![bold(*term)], vec![roman(*text)]];
            rest.control("TP", []).text(term).text(text);
        }
    }
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// What `--help` shows below its options: a command with subcommands shows theirs.
fn examples(command: &Command) -> String {
    let own = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let own = own.split("\n\n").next().unwrap_or_default();
    let lines = own.lines().skip_while(|line| !line.starts_with("Example")).skip(1).map(str::to_owned);
    let below = command.get_subcommands().filter(|sub| sub.get_name() != "help").map(examples);
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { below.collect::<Vec<_>>().join("\n") } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_exit_status_is_in_the_help_and_in_the_readme() {
        let help = Cli::command().get_after_help().unwrap().to_string();
        let readme = include_str!("../../../README.md");
        for (code, _) in EXIT_STATUS {
            assert!(help.contains(&format!(" {code} ")), "{code}");
            assert!(readme.contains(&format!("| {code} |")), "{code}");
        }
    }

    #[test]
    fn every_variable_that_help_names_is_in_the_manual() {
        let mut command = Cli::command();
        command.build();
        let help: String =
            leaves(&command).into_iter().map(|leaf| leaf.clone().render_long_help().to_string()).collect();
        let named: std::collections::BTreeSet<&str> =
            help.split("[env:").skip(1).filter_map(|rest| rest.split(']').next().map(str::trim)).collect();
        assert!(named.len() >= 8, "{named:?}");
        for name in named {
            assert!(ENVIRONMENT.iter().any(|(known, _)| *known == name), "{name}");
        }
    }

    /// Columns at which clap breaks lines.
    const WIDTH: usize = 100;

    /// Every command that has none below it.
    fn leaves(command: &Command) -> Vec<&Command> {
        let below: Vec<&Command> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
        if below.is_empty() { vec![command] } else { below.into_iter().flat_map(leaves).collect() }
    }

    #[test]
    fn every_command_shows_an_example_of_itself() {
        let mut command = Cli::command();
        command.build();
        let leaves = leaves(&command);
        assert!(leaves.len() >= 10, "{}", leaves.len());
        for leaf in leaves {
            let name = leaf.get_bin_name().unwrap_or_default();
            assert!(name.starts_with("sifbench "), "{name}");
            let examples = examples(leaf);
            assert!(examples.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {examples:?}");
            assert!(leaf.get_about().is_some(), "{name} says nothing of itself");
            let broken: Vec<&str> = examples.lines().filter(|line| line.chars().count() > WIDTH).collect();
            assert!(broken.is_empty(), "{name}: --help breaks {broken:?}");
        }
    }

    #[test]
    fn every_page_has_the_sections_of_a_manual_page() {
        let mut command = Cli::command();
        command.build();
        let pages = pages(&command).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["sifbench", "sifbench-run", "sifbench-image", "sifbench-image-build"] {
            assert!(names.contains(&name), "{names:?}");
        }
        for (name, page) in &pages {
            let page = String::from_utf8(page.clone()).unwrap();
            let sections = ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES"];
            let mut rest = page.as_str();
            for section in sections {
                let quoted = if section.contains(' ') { format!("\"{section}\"") } else { section.to_owned() };
                let heading = format!(".SH {quoted}\n");
                let at =
                    rest.find(&heading).unwrap_or_else(|| panic!("{name} lacks {section}, or has it out of order"));
                rest = &rest[at + heading.len()..];
            }
            assert!(page.contains("sifbench"), "{name}");
        }
    }
}
