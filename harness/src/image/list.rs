//! Which images are in the cache, and which of them this version of the tool would use.

use std::{fs, path::PathBuf};

use serde::Serialize;

use super::{OWN, PACKAGES, PACKAGES_WITH_MPI, SUITE, image_name, path, userland_name};
use crate::{
    app::{Compilation, Headers},
    cache::{Cache, Kind},
    catalogue::{Catalogue, Release, Source, Suite},
    id::MpiVersion,
};

/// An image in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What it holds: `openmpi 4.1.8`, `base`, `userland`.
    pub name: String,
    /// Which bench-app is in it, if it is no userland.
    pub app: Compilation,
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether this version of the tool would use it; older ones may be deleted.
    pub current: bool,
}

/// Those that this version of the tool would use and that are there: the base image (no version) first, of which an own
/// bench-app has none for all.
#[must_use]
pub fn current(cache: &Cache, catalogue: &Catalogue, app: Compilation) -> Vec<Option<MpiVersion>> {
    let versions = catalogue.openmpi.iter().map(|release| Some(release.version.clone()));
    let there = |version: &Option<MpiVersion>| {
        let headers = version.as_ref().map_or(Headers::Shared, |version| app.headers(version));
        path(cache, catalogue, version.as_ref(), headers).exists()
    };
    let base = app.is_shared().then_some(None);
    let mut current: Vec<_> = base.into_iter().chain(versions).filter(there).collect();
    current.sort();
    current
}

/// The images in the cache.
#[must_use]
pub fn list(cache: &Cache, catalogue: &Catalogue) -> Vec<Listed> {
    let of_version = |release: &Release| {
        let (version, own) = (&release.version, Headers::Of(&release.version));
        [(Some(version), Headers::Shared), (Some(version), own), (None, own)].map(|(v, h)| image_name(catalogue, v, h))
    };
    let images = catalogue.openmpi.iter().flat_map(of_version).chain([image_name(catalogue, None, Headers::Shared)]);
    let suites = catalogue.openmpi.iter().filter_map(|release| match &release.source {
        Source::Debian(Suite { suite }) => Some(userland_name(suite, PACKAGES_WITH_MPI)),
        Source::Wheel(_) | Source::Tarball(_) | Source::Prefix(_) => None,
    });
    let current: Vec<String> = images.chain(suites).chain([userland_name(SUITE, PACKAGES)]).collect();
    let listed = |file: String| {
        let path = cache.path(Kind::Images, &file);
        let stem = file.strip_suffix(".sif")?;
        let (name, _hash) = stem.rsplit_once('-')?;
        let bytes = fs::metadata(&path).ok()?.len();
        let (name, app) = match name.strip_suffix(OWN) {
            Some(name) => (name, Compilation::Own),
            None => (name, Compilation::Shared),
        };
        Some(Listed { name: name.replacen('-', " ", 1), app, path, bytes, current: current.contains(&file) })
    };
    cache.names(Kind::Images).into_iter().filter_map(listed).collect()
}

/// Those in the cache itself that this version of the tool would not use; nothing that it has not named so.
#[must_use]
pub fn old(cache: &Cache, catalogue: &Catalogue) -> Vec<Listed> {
    let directory = cache.directory(Kind::Images);
    let is_ours = |image: &Listed| {
        let stem = image.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let (name, hash) = stem.rsplit_once('-').unwrap_or_default();
        let made = ["openmpi-", "base-", "userland-"].iter().any(|kind| format!("{name}-").starts_with(kind));
        let hashed = hash.len() == 12 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        let is_file = fs::symlink_metadata(&image.path).is_ok_and(|file| file.is_file());
        made && hashed && is_file && image.path.parent() == Some(&directory)
    };
    list(cache, catalogue).into_iter().filter(|image| !image.current && is_ours(image)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_listed_by_what_is_in_them_and_whether_they_are_in_use() {
        let (root, catalogue) = (tempfile::tempdir().unwrap(), Catalogue::built_in());
        let cache = Cache::new(root.path().to_owned());
        let version = "5.0.11".parse().unwrap();
        fs::create_dir_all(cache.path(Kind::Images, "")).unwrap();
        let check = |file: String, expected: (&str, Compilation, bool)| {
            let path = cache.path(Kind::Images, &file);
            fs::write(&path, "").unwrap();
            let listed = list(&cache, &catalogue);
            let seen: Vec<_> = listed.iter().map(|image| (image.name.as_str(), image.app, image.current)).collect();
            assert_eq!(seen, [expected], "{file}");
            fs::remove_file(&path).unwrap();
        };
        let (shared, own) = (Headers::Shared, Headers::Of(&version));
        check(image_name(&catalogue, None, shared), ("base", Compilation::Shared, true));
        check(image_name(&catalogue, None, own), ("base 5.0.11", Compilation::Own, true));
        check(image_name(&catalogue, Some(&version), shared), ("openmpi 5.0.11", Compilation::Shared, true));
        check(image_name(&catalogue, Some(&version), own), ("openmpi 5.0.11", Compilation::Own, true));
        check("openmpi-5.0.11-own-0123456789ab.sif".into(), ("openmpi 5.0.11", Compilation::Own, false));
    }
}
