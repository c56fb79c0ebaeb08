//! A prefix that Debian's packages lie in, elsewhere than they were compiled for.
//!
//! The programs find their libraries by the C library's loader, not by a variable: a variable would reach what they launch,
//! and Apptainer is to run with the libraries of the host.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use super::DebianError;
use crate::mpi::PREFIX_VARIABLES;

/// What mpirun consists of in the series there are; each lies in `libexec` and is called by a script in `bin`.
const PROGRAMS: [&str; 8] = ["mpirun", "mpiexec", "orterun", "orted", "prterun", "prte", "prted", "ompi_info"];
/// Below `share`, the texts of errors among them.
const SHARED: [&str; 3] = ["openmpi", "pmix", "prte"];
/// Directories of libraries that are looked for by places of `/usr`, or linked by a package's installation scripts.
const APART: [&str; 2] = ["libpsm1", "libibverbs"];

/// What a program that loads the libraries below `prefix` needs in its environment: they were compiled for `/usr`, and for
/// settings in `/etc`.
#[must_use]
pub fn environment(prefix: &Path) -> BTreeMap<String, String> {
    let below = |path: &str| prefix.join(path).to_string_lossy().into_owned();
    let places = PREFIX_VARIABLES.iter().map(|name| ((*name).to_owned(), prefix.to_string_lossy().into_owned()));
    let others = [
        ("LD_LIBRARY_PATH", below(&library_dir())),
        ("OPAL_SYSCONFDIR", below("etc/openmpi")),
        (COMPONENTS, below(&pmix_components())),
    ];
    places.chain(others.map(|(name, value)| (name.to_owned(), value))).collect()
}

/// What the content of a prefix depends on, beside the suite.
#[must_use]
pub fn inputs() -> String {
    script() + &PROGRAMS.join(" ")
}

/// Debian's PMIx looks in `/usr` for its components, wherever it lies: on a host that has a PMIx it would load that one's.
const COMPONENTS: &str = "PMIX_MCA_mca_base_component_path";

fn pmix_components() -> String {
    format!("{}/pmix2/lib/pmix", library_dir())
}

fn triplet() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

/// Not `lib` itself: mpirun tells whatever it launches to look there, Apptainer included.
fn library_dir() -> String {
    format!("lib/{}", triplet())
}

/// Calls the program of its name in `libexec`. What it exports reaches containers, whose images overrule all of it; what
/// they would not, settings among it, is in [`environment`] alone.
fn script() -> String {
    let loader = match std::env::consts::ARCH {
        "aarch64" => "/lib/ld-linux-aarch64.so.1".to_owned(),
        arch => format!("/lib64/ld-linux-{}.so.2", arch.replace('_', "-")),
    };
    let exports = PREFIX_VARIABLES.map(|name| format!("{name}=\"$here\"")).join(" ");
    let (libraries, components) = (library_dir(), pmix_components());
    format!(
        "#!/bin/sh\nhere=$(cd \"${{0%/*}}/..\" && pwd)\nexport {exports} {COMPONENTS}=\"$here/{components}\"\n\
         exec {loader} --library-path \"$here/{libraries}\" \"$here/libexec/${{0##*/}}\" \"$@\"\n"
    )
}

/// Makes a prefix of what was unpacked below `root`.
pub(super) fn arrange(root: &Path, target: &Path) -> Result<(), DebianError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| DebianError::File { path, source }
    };
    let libraries = target.join(library_dir());
    for directory in ["bin", "libexec", "share", "etc"].map(|name| target.join(name)).iter().chain([&libraries]) {
        fs::create_dir_all(directory).map_err(at(directory))?;
    }
    // Older suites have some of them in /lib.
    for from in ["usr/lib", "lib"].map(|lib| root.join(lib).join(triplet())) {
        move_into(&from, &libraries).map_err(at(&from))?;
    }
    let apart = root.join("usr/lib").join(APART[0]);
    let moved = SHARED.map(|name| (root.join("usr/share").join(name), target.join("share").join(name)));
    let settings = (root.join("etc/openmpi"), target.join("etc/openmpi"));
    for (from, to) in moved.into_iter().chain([settings, (apart, libraries.join(APART[0]))]) {
        if from.is_dir() {
            fs::rename(&from, &to).map_err(at(&from))?;
        }
    }
    for name in APART {
        link_up(&libraries, name).map_err(at(&libraries.join(name)))?;
    }
    for name in PROGRAMS {
        let candidates = [format!("{name}.openmpi"), name.to_owned()].map(|file| root.join("usr/bin").join(file));
        let Some(file) = candidates.iter().find(|file| file.is_file()) else { continue };
        fs::copy(file, target.join("libexec").join(name)).map_err(at(file))?;
        let caller = target.join("bin").join(name);
        fs::write(&caller, script()).map_err(at(&caller))?;
        fs::set_permissions(&caller, fs::Permissions::from_mode(0o755)).map_err(at(&caller))?;
    }
    Ok(())
}

/// Moves what lies in `from`, if it is there, beside what lies in `to`.
fn move_into(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Links what lies in the directory `name` of `libraries` to where the loader looks, by its own name and by that which
/// programs ask for: up to the first number of its version.
fn link_up(libraries: &Path, name: &str) -> io::Result<()> {
    let directory = libraries.join(name);
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let asked_for = file.split_once(".so.").and_then(|(stem, version)| {
            let (first, _) = version.split_once('.')?;
            Some(format!("{stem}.so.{first}"))
        });
        for link in asked_for.into_iter().chain([file.clone()]) {
            symlink(Path::new(name).join(&file), libraries.join(link))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_programs_libraries_settings_and_help() {
        let place = tempfile::tempdir().unwrap();
        let (root, target) = (place.path().join("root"), place.path().join("target"));
        let file = |path: String| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        let libraries = format!("usr/lib/{}", triplet());
        file(format!("{libraries}/libmpi.so.40"));
        file(format!("{libraries}/libibverbs/libmlx5-rdmav34.so"));
        file(format!("lib/{}/libz.so.1", triplet()));
        for path in ["usr/bin/orterun", "usr/bin/orted", "usr/bin/ssh", "usr/share/openmpi/help-orterun.txt"] {
            file(path.to_owned());
        }
        for path in ["usr/lib/libpsm1/libpsm_infinipath.so.1.16", "etc/openmpi/openmpi-mca-params.conf", "etc/x"] {
            file(path.to_owned());
        }
        symlink("orterun", root.join("usr/bin/mpirun.openmpi")).unwrap();
        arrange(&root, &target).unwrap();
        let env = environment(&target);
        let libraries = Path::new(&env["LD_LIBRARY_PATH"]);
        for name in ["libmpi.so.40", "libz.so.1", "libmlx5-rdmav34.so", "libpsm_infinipath.so.1"] {
            assert!(libraries.join(name).is_file(), "{name}");
        }
        assert!(Path::new(&env["OPAL_SYSCONFDIR"]).join("openmpi-mca-params.conf").is_file());
        for path in ["bin/mpirun", "libexec/mpirun", "bin/orted", "share/openmpi/help-orterun.txt"] {
            assert!(target.join(path).is_file(), "{path}");
        }
        let libraries_of_hosts_programs =
            fs::read_dir(target.join("lib")).unwrap().flatten().filter(|e| e.path().is_file());
        assert_eq!(libraries_of_hosts_programs.count(), 0, "mpirun tells Apptainer to look there");
        assert!(!target.join("bin/ssh").exists() && !target.join("etc/x").exists());
    }
}
