//! A design whose files lie elsewhere: which it reads, what they are called there, and what is launched then.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    case::{Case, Stack},
    id::Sha256,
    process::Order,
    record::{Design, FileFact, StagedFile},
};

/// What a node is told of a file.
pub(super) fn order(file: &StagedFile) -> Order {
    let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Order { from: file.from.clone(), name, sha256: file.sha256.clone() }
}

/// A design as it is launched once `files` have been brought: what it runs lies where they are.
#[must_use]
pub fn moved(design: &Design, files: &[StagedFile]) -> Design {
    let to = |path: &mut PathBuf| {
        if let Some(file) = files.iter().find(|file| file.from == *path) {
            path.clone_from(&file.path);
        }
    };
    let moved = |case: &Case| {
        let mut case = case.clone();
        match &mut case.stack {
            Stack::Native { app, .. } => to(app),
            Stack::Embedded { image } | Stack::Hybrid { image, .. } | Stack::Bind { image, .. } => to(&mut image.path),
        }
        case
    };
    Design {
        cases: design.cases.iter().map(moved).collect(),
        probes: design.probes.iter().map(moved).collect(),
        ..design.clone()
    }
}

/// The same while it is planned: the directory has no name yet.
#[must_use]
pub fn imagined(design: &Design, place: &Path) -> Design {
    let nothing = Sha256::of(b"");
    let file = |path: PathBuf| FileFact { name: String::new(), path, sha256: nothing.clone() };
    moved(design, &files(&place.join("sifbench-NAME"), &paths(design).into_iter().map(file).collect::<Vec<_>>()))
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

/// Where each file goes: by its own name, and where two are called alike, with digits of what they are.
pub(super) fn files(directory: &Path, wanted: &[FileFact]) -> Vec<StagedFile> {
    let name = |file: &FileFact| file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    wanted.iter().for_each(|file| *named.entry(name(file)).or_default() += 1);
    let staged = |file: &FileFact| {
        let own = name(file);
        let called = if named[&own] > 1 { format!("{}-{own}", file.sha256.short(8)) } else { own };
        StagedFile {
            name: file.name.clone(),
            from: file.path.clone(),
            path: directory.join(called),
            sha256: file.sha256.clone(),
        }
    };
    wanted.iter().map(staged).collect()
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
        let staged = files(Path::new("/tmp/d"), &wanted);
        let digits = |name: &str| Sha256::of(name.as_bytes()).short(8).to_owned();
        let paths: Vec<String> = staged.iter().map(|file| file.path.display().to_string()).collect();
        let [b, c] = ["b", "c"].map(|name| format!("/tmp/d/{}-bench-app", digits(name)));
        assert_eq!(paths, ["/tmp/d/x.sif".to_owned(), b, c]);
        assert_eq!(order(&staged[1]).name, format!("{}-bench-app", digits("b")));
    }

    #[test]
    fn a_design_that_is_moved_is_the_same_design_from_elsewhere() {
        let design = design();
        let there = imagined(&design, Path::new("/disk"));
        let ids = |design: &Design| design.cases.iter().map(Case::id).collect::<Vec<_>>();
        assert_eq!(ids(&there), ids(&design), "where files lie is no part of a case");
        assert!(paths(&design).iter().all(|path| !path.starts_with("/disk")));
        assert!(!paths(&there).is_empty());
        assert!(paths(&there).iter().all(|path| path.starts_with("/disk/sifbench-NAME")), "{:?}", paths(&there));
        // What was not brought stays where it is.
        assert_eq!(moved(&design, &[]), design);
    }
}
