//! A design whose files lie elsewhere: which it reads, what they are called there, and what is launched then.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    case::{Case, HostMpi, Stack},
    id::Sha256,
    process::{Order, Shape},
    record::{Design, FileFact, StagedFile},
};

/// What a node is told of one of them.
pub(super) fn order(shape: Shape, part: &StagedFile) -> Order {
    let name = part.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Order { shape, from: part.from.clone(), name, sha256: part.sha256.clone() }
}

/// A design as it is launched once `parts` have been brought: what it runs lies where they are.
#[must_use]
pub fn moved<'p>(design: &Design, parts: impl Iterator<Item = &'p StagedFile>) -> Design {
    let places: BTreeMap<&Path, &Path> = parts.map(|part| (part.from.as_path(), part.path.as_path())).collect();
    let to = |path: &mut PathBuf| {
        if let Some(place) = places.get(path.as_path()) {
            *path = (*place).to_owned();
        }
    };
    let move_host = |host: &mut HostMpi| {
        let before = host.prefix.clone();
        to(&mut host.prefix);
        // What libraries need of the environment is where they lie.
        for value in host.env.values_mut() {
            if let Ok(below) = Path::new(&*value).strip_prefix(&before) {
                // Joining nothing would end in a slash.
                let place = if below.as_os_str().is_empty() { host.prefix.clone() } else { host.prefix.join(below) };
                *value = place.to_string_lossy().into_owned();
            }
        }
    };
    let moved = |case: &Case| {
        let mut case = case.clone();
        match &mut case.stack {
            Stack::Native { host, app } => {
                move_host(host);
                to(app);
            }
            Stack::Embedded { image } => to(&mut image.path),
            Stack::Hybrid { host, image, .. } | Stack::Bind { host, image } => {
                move_host(host);
                to(&mut image.path);
            }
        }
        case
    };
    Design {
        cases: design.cases.iter().map(moved).collect(),
        probes: design.probes.iter().map(moved).collect(),
        ..design.clone()
    }
}

/// The same while it is planned: the directory has no name yet. Of hosts' Open MPIs those move that lie at one of `trees`.
#[must_use]
pub fn imagined(design: &Design, place: &Path, trees: &[PathBuf]) -> Design {
    let nothing = Sha256::of(b"");
    let part = |path: &PathBuf| FileFact { name: String::new(), path: path.clone(), sha256: nothing.clone() };
    let wanted: Vec<FileFact> = paths(design).iter().chain(trees).map(part).collect();
    moved(design, staged(&place.join("sifbench-NAME"), &wanted).iter())
}

/// Where everything lies that the launches of a design read from a file of its own: images, and the bench-app of native ones.
#[must_use]
pub fn paths(design: &Design) -> BTreeSet<PathBuf> {
    let of = |case: &Case| match &case.stack {
        Stack::Native { app, .. } => app.clone(),
        Stack::Embedded { image } | Stack::Hybrid { image, .. } | Stack::Bind { image, .. } => image.path.clone(),
    };
    design.cases.iter().chain(&design.probes).map(of).collect()
}

/// Where each goes: by its own name, and where two are called alike, with digits of what they are.
pub(super) fn staged(directory: &Path, wanted: &[FileFact]) -> Vec<StagedFile> {
    let name = |file: &FileFact| file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    wanted.iter().for_each(|file| *named.entry(name(file)).or_default() += 1);
    let place = |file: &FileFact| {
        let own = name(file);
        let called = if named[&own] > 1 { format!("{}-{own}", file.sha256.short(8)) } else { own };
        StagedFile {
            name: file.name.clone(),
            from: file.path.clone(),
            path: directory.join(called),
            sha256: file.sha256.clone(),
        }
    };
    wanted.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BUILT_IN, Campaign, Nowhere, Overrides};

    fn fact(name: &str, path: &str) -> FileFact {
        FileFact { name: name.into(), path: path.into(), sha256: Sha256::of(name.as_bytes()) }
    }

    fn design() -> Design {
        let overrides = Overrides::default();
        Campaign::with("quick", BUILT_IN[0].1, &overrides).unwrap().design(&overrides, &Nowhere)
    }

    #[test]
    fn files_keep_their_names_unless_two_are_called_alike() {
        let wanted = [fact("a", "/kit/x.sif"), fact("b", "/one/bench-app"), fact("c", "/two/bench-app")];
        let staged = staged(Path::new("/tmp/d"), &wanted);
        let digits = |name: &str| Sha256::of(name.as_bytes()).short(8).to_owned();
        let paths: Vec<String> = staged.iter().map(|file| file.path.display().to_string()).collect();
        let [b, c] = ["b", "c"].map(|name| format!("/tmp/d/{}-bench-app", digits(name)));
        assert_eq!(paths, ["/tmp/d/x.sif".to_owned(), b, c]);
        assert_eq!(order(Shape::File, &staged[1]).name, format!("{}-bench-app", digits("b")));
    }

    #[test]
    fn a_design_that_is_moved_is_the_same_design_from_elsewhere() {
        let design = design();
        let there = imagined(&design, Path::new("/disk"), &[]);
        let ids = |design: &Design| design.cases.iter().map(Case::id).collect::<Vec<_>>();
        assert_eq!(ids(&there), ids(&design), "where files lie is no part of a case");
        assert!(paths(&design).iter().all(|path| !path.starts_with("/disk")));
        assert!(!paths(&there).is_empty());
        assert!(paths(&there).iter().all(|path| path.starts_with("/disk/sifbench-NAME")), "{:?}", paths(&there));
        // What was not brought stays where it is.
        assert_eq!(moved(&design, [].iter()), design);
    }

    #[test]
    fn what_a_host_needs_of_the_environment_is_where_it_was_brought() {
        let mut design = design();
        let Stack::Native { host, .. } = &mut design.cases[0].stack else { panic!("the baseline is native") };
        host.prefix = "/cache/openmpi".into();
        let env =
            [("OPAL_PREFIX", "/cache/openmpi"), ("LD_LIBRARY_PATH", "/cache/openmpi/lib/x"), ("A", "/cache/openmpi2")];
        host.env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let there = imagined(&design, Path::new("/disk"), &["/cache/openmpi".into()]);
        let HostMpi { prefix, env, .. } = there.cases[0].stack.host().unwrap();
        assert_eq!(prefix, Path::new("/disk/sifbench-NAME/openmpi"));
        assert_eq!(env["OPAL_PREFIX"], "/disk/sifbench-NAME/openmpi");
        assert_eq!(env["LD_LIBRARY_PATH"], "/disk/sifbench-NAME/openmpi/lib/x");
        assert_eq!(env["A"], "/cache/openmpi2");
        let stays = imagined(&design, Path::new("/disk"), &[]);
        assert_eq!(stays.cases[0].stack.host(), design.cases[0].stack.host());
    }
}
