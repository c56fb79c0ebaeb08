//! A draft of a profile from where we stand: what was found is written, what must be asked for is explained.

use super::BUILT_IN;
use crate::{id::MpiVersion, site::batch::Batch};

/// What a draft depends on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The host's name.
    pub host: String,
    /// The scheduler, in a job of which we are or which takes jobs here.
    pub batch: Batch,
    /// The profile that suits as yet.
    pub suits: String,
    /// Open MPIs that are here: version and prefix.
    pub mpis: Vec<(MpiVersion, String)>,
    /// The container runtime on `PATH`.
    pub runtime: Option<String>,
    /// Whether there is a command `module`.
    pub modules: bool,
    /// The cluster's name, where the scheduler tells it.
    pub cluster: Option<(&'static str, String)>,
}

/// The text of a profile called `name`, which loads as it is.
#[must_use]
pub fn draft(name: &str, ground: &Ground) -> String {
    let mut text = String::new();
    let mut line = |line: &str| text.extend([line, "\n"]);
    line(
        "# What is particular about this place, drafted by `sifbench site probe` from where it stood. `sifbench site check FILE`",
    );
    line(
        "# looks for everything it names; in ~/.config/sifbench/sites/ it is found by its [[match]], elsewhere by --profile FILE.",
    );
    line("schema = 1");
    line(&format!("name = {}", quoted(name)));
    line(&format!("summary = {}", quoted(&format!("drafted on {}", ground.host))));
    let parent = if BUILT_IN.iter().any(|(built_in, _)| *built_in == ground.suits) { &ground.suits } else { "laptop" };
    line(&format!("extends = {:<22} # the rest is from there: `sifbench site show {parent}`", quoted(parent)));
    line(&format!("#site = {:<25} # its name in results, else the host's", quoted(name)));
    line("\n[[match]]                        # chosen by itself where all of this holds");
    if ground.batch != Batch::Local {
        line(&format!("scheduler = {}", quoted(&ground.batch.to_string())));
    }
    match &ground.cluster {
        Some((variable, value)) => line(&format!("env = [{}]", quoted(&format!("{variable}={}", globless(value))))),
        None => line(&format!("hostnames = [{}]", quoted(&pattern(&ground.host)))),
    }
    line("\n[launcher]");
    line("#kind = \"mpirun\"                 # or \"srun\", \"ccc_mprun\"");
    line("#agent = [\"ssh\"]                 # how other nodes are reached, or [\"slurm\"]");
    line("#export_env = [\"OMP_NUM_THREADS\"]    # variables that must reach ranks on every node");
    line("#mca = { btl = \"^ofi\" }          # parameters of Open MPI");
    line("\n[container]");
    match &ground.runtime {
        Some(runtime) => line(&format!("runtime = {}", quoted(runtime))),
        None => line("#runtime = \"apptainer\"           # none is on PATH here: which module brings it?"),
    }
    line("#binds = [\"/scratch\"]            # what programs must see besides home and /tmp");
    for (version, prefix) in &ground.mpis {
        line("\n[[host_mpi]]");
        line(&format!("version = {}", quoted(&version.to_string())));
        line(&format!("prefix = {}", quoted(prefix)));
        if ground.modules {
            line(&format!(
                "#setup = {{ modules = [{}] }}    # if it comes from one",
                quoted(&format!("openmpi/{version}"))
            ));
        }
    }
    if ground.mpis.is_empty() {
        line("\n# No Open MPI is on PATH here. One from a module or a prefix of your own:");
        line("#[[host_mpi]]\n#version = \"4.1.8\"\n#prefix = \"/opt/openmpi-4.1.8\"");
    }
    line("\n#[modes]\n#hybrid-sharens = { unsupported = \"why it cannot exist here\" }");
    text
}

/// A host's name as a glob for its neighbours: `dahu34.cluster` is one of `dahu*`.
fn pattern(host: &str) -> String {
    let short = host.split('.').next().unwrap_or_default();
    let stem = short.trim_end_matches(|c: char| c.is_ascii_digit());
    match (stem, stem.len() < short.len()) {
        ("", _) => short.to_owned(),
        (stem, true) => format!("{stem}*"),
        (stem, false) => stem.to_owned(),
    }
}

/// A value in which nothing counts as a glob.
fn globless(value: &str) -> String {
    value.replace(['*'], "?")
}

/// A string on one line: JSON's are TOML's too, but for one character.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_else(|e| unreachable!("a text: {e}"));
    json.replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::{Criteria, Profile, Shelf};

    #[test]
    fn neighbours_of_a_host_are_found() {
        let check = |host: &str, expected: &str| assert_eq!(pattern(host), expected);
        check("dahu34.u-ga.fr", "dahu*");
        check("r1i0n12", "r1i0n*");
        check("laptop", "laptop");
        check("1234", "1234");
    }

    fn ground() -> impl Strategy<Value = Ground> {
        let version = (0u32..9, 0u32..9, 0u32..99).prop_map(|(a, b, c)| format!("{a}.{b}.{c}").parse().unwrap());
        let batch = prop::sample::select(Batch::ALL.to_vec());
        let suits = prop::sample::select(vec!["laptop", "slurm", "oar", "lumi", "my-own"]);
        // Whatever lies in a path or is a name: quotes, backslashes, newlines, dollars, everything.
        let mpis = prop::collection::btree_map(version, "\\PC{1,20}|[a-z\"'\\\\\n$#]{1,12}", 0..3);
        let cluster = prop::option::of("\\PC{1,9}".prop_map(|name| ("SLURM_CLUSTER_NAME", name)));
        (
            ("\\PC{1,12}|[a-z]{1,5}[0-9]{1,3}", batch, suits),
            (mpis, prop::option::of("[a-z/\"]{0,3}/apptainer"), any::<bool>(), cluster),
        )
            .prop_map(|((host, batch, suits), (mpis, runtime, modules, cluster))| Ground {
                host,
                batch,
                suits: suits.to_owned(),
                mpis: mpis.into_iter().collect(),
                runtime,
                modules,
                cluster,
            })
    }

    proptest! {
        /// A draft loads as it is, says what was found, and still does with its examples in use.
        #[test]
        fn a_draft_loads_again(ground in ground()) {
            let text = draft("drafted", &ground);
            let in_use: String = text.lines().map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
                Some(_) | None => format!("{line}\n"),
            }).collect();
            for text in [&text, &in_use] {
                let profile = Profile::parse("draft", "draft", text).unwrap_or_else(|e| panic!("{e}\n{text}"));
                prop_assert_eq!(&profile.name, "drafted");
                let mpis: Vec<_> = profile.host_mpi.iter().map(|host| (host.version.clone(), host.prefix.clone())).collect();
                if !ground.mpis.is_empty() {
                    prop_assert_eq!(&mpis, &ground.mpis);
                }
                if ground.runtime.is_some() {
                    prop_assert_eq!(&profile.container.runtime, &ground.runtime);
                }
                prop_assert_eq!(profile.matches.len(), 1);
                let Criteria { scheduler, .. } = profile.matches[0];
                prop_assert_eq!(scheduler, Some(ground.batch).filter(|batch| *batch != Batch::Local));
                let mut shelf = Shelf::built_in();
                let name = shelf.add_file("drafted.toml".as_ref(), text).unwrap();
                shelf.resolve(&name).unwrap();
            }
        }
    }
}
