//! A kit from its parts to a machine that has nothing: packed, unpacked, proved, refused where a byte differs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts the tool as a user does")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use harness::{
    app::{self, Headers},
    cache::Cache,
    catalogue::Catalogue,
    image,
    kit::{Fault, Kit, pack::Packing},
    mpi,
    record::{Outcome, Purpose},
    store,
};

const SIFBENCH: &str = env!("CARGO_BIN_EXE_sifbench");

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The smallest program that needs no loader.
fn static_program(dir: &Path) -> PathBuf {
    let mut elf = [0x7f, b'E', b'L', b'F', 2, 1].to_vec();
    elf.resize(120, 0);
    (elf[32], elf[54], elf[56], elf[64]) = (64, 56, 1, 1);
    let path = dir.join("static");
    fs::write(&path, elf).unwrap();
    path
}

/// A cache that has, by name alone, all that a native and a hybrid launch of 4.1.8 run.
fn cache(root: PathBuf) -> Cache {
    let (cache, catalogue, version) = (Cache::new(root), Catalogue::built_in(), "4.1.8".parse().unwrap());
    let write = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    write(image::path(&cache, &catalogue, Some(&version), Headers::Shared), "an image");
    write(app::path(&cache, &catalogue, Headers::Shared), "bench-app");
    let prefix = mpi::prefix(&cache, &catalogue, &version);
    let mpirun = write(prefix.join("bin/mpirun"), "mpirun");
    fs::set_permissions(&mpirun, fs::Permissions::from_mode(0o775)).unwrap();
    write(prefix.join("lib/libmpi.so.40"), "a library");
    symlink("libmpi.so.40", prefix.join("lib/libmpi.so")).unwrap();
    cache
}

/// Packs a cache with `tool` as the harness.
fn pack(cache: &Path, tool: &Path, archive: &Path) -> String {
    let mut packing = Packing::of(&static_program(cache.parent().unwrap())).unwrap();
    packing.tree(tool, Path::new("sifbench")).unwrap();
    for part in ["images", "build", "mpi"] {
        packing.tree(&cache.join(part), Path::new(part)).unwrap();
    }
    packing.campaigns.push("quick".into());
    let manifest = packing.manifest().unwrap();
    packing.write(&manifest, archive).unwrap();
    manifest.name()
}

fn unpack(archive: &Path, dir: &Path) {
    tar::Archive::new(fs::File::open(archive).unwrap()).unpack(dir).unwrap();
}

/// A kit of a cache of names, unpacked.
fn unpacked(dir: &Path, tool: &Path) -> PathBuf {
    let archive = dir.join("kit.tar");
    cache(dir.join("cache"));
    let name = pack(&dir.join("cache"), tool, &archive);
    unpack(&archive, dir);
    dir.join(name)
}

#[test]
fn equal_parts_make_an_equal_archive_wherever_and_whenever_they_were_made() {
    let dir = tempfile::tempdir().unwrap();
    let pack = |name: &str, mode: u32| {
        let root = dir.path().join(name);
        fs::create_dir(&root).unwrap();
        cache(root.join("cache"));
        let tool = static_program(&root);
        fs::set_permissions(&tool, fs::Permissions::from_mode(mode)).unwrap();
        pack(&root.join("cache"), &tool, &root.join("kit.tar"));
        fs::read(root.join("kit.tar")).unwrap()
    };
    let first = pack("one", 0o700);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(first == pack("other", 0o775), "the archives differ");
    assert!(first != pack("unlike", 0o600), "a harness that cannot be run is another");
}

#[test]
fn a_kit_is_what_was_packed_until_anything_in_it_differs() {
    let dir = tempfile::tempdir().unwrap();
    let root = unpacked(dir.path(), &static_program(dir.path()));
    let all = |root: &Path| Kit::open(root).unwrap().faults(&|_| true);
    assert_eq!(all(&root), []);
    let sums =
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&root).output().unwrap();
    assert!(sums.status.success(), "{}", text(&sums));
    let find = |end: &str| {
        let kit = Kit::open(&root).unwrap();
        let packed = kit.manifest.files.iter().find(|packed| packed.path.ends_with(end)).unwrap();
        root.join(&packed.path)
    };
    let (mpirun, link) = (find("bin/mpirun"), find("libmpi.so"));
    let check = |path: &Path, expected: Fault, spoil: &dyn Fn(&Path)| {
        let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
        let before = fs::read(path).ok().filter(|_| !is_link);
        spoil(path);
        assert_eq!(all(&root), [(path.to_owned(), expected)]);
        match before {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    };
    check(&find(".sif"), Fault::Changed, &|path| fs::write(path, "an imago").unwrap());
    check(&find(".sif"), Fault::Absent, &|path| fs::remove_file(path).unwrap());
    let no_longer_executable = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    check(&mpirun, Fault::NotExecutable, &no_longer_executable);
    fs::set_permissions(&mpirun, fs::Permissions::from_mode(0o755)).unwrap();
    check(&mpirun.with_file_name("more"), Fault::Foreign, &|path| fs::write(path, "").unwrap());
    check(&link, Fault::Changed, &|path| {
        fs::remove_file(path).unwrap();
        symlink("elsewhere.so", path).unwrap();
    });
    symlink("libmpi.so.40", &link).unwrap();
    assert_eq!(all(&root), []);

    let manifest = root.join("kit.json");
    let whole = fs::read_to_string(&manifest).unwrap();
    for (what, spoilt) in [
        ("schema 7", whole.replace("\"schema\": 1", "\"schema\": 7")),
        ("calls itself", whole.replacen("an", "on", 1).replacen("bin", "bim", 1)),
        ("EOF", whole[..99].to_owned()),
    ] {
        fs::write(&manifest, spoilt).unwrap();
        let error = Kit::open(&root).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("hint:"), "{error}");
    }
}

/// The harness of a kit, on a machine with an empty home and a PATH without anything.
fn in_kit(root: &Path, words: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(root.join("sifbench"))
        .args(words)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", home.path())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

const CAMPAIGN: &str = "schema = 1\nname = \"kit\"\nmodes = [\"native\", \"embedded\", \"hybrid\", \"hybrid-sharens\"]\nversions = [\"4.1.8\"]\n\
    ranks = 2\nblocks = 1\nseed = 1\n[workload]\nlatency = [\"8\"]\nrounds = 1\nvisit_ms = 3\n[settings.mca]\nbtl = \"^ofi\"\n";
/// The modes that load libraries of the host's Open MPI, for one of Debian's packages.
const DEBIANS: &str = "schema = 1\nname = \"debian\"\nmodes = [\"native\", \"bind\"]\nversions = [\"4.1.4\"]\n\
    ranks = 2\nblocks = 1\nseed = 1\n[workload]\nlatency = [\"8\"]\nrounds = 1\nvisit_ms = 3\n";

#[test]
fn the_harness_of_a_kit_runs_what_lies_beside_it_and_nothing_that_differs() {
    let dir = tempfile::tempdir().unwrap();
    // Without what debuggers read, which takes long to digest.
    let tool = dir.path().join("tool");
    assert!(Command::new("strip").args(["-o", tool.to_str().unwrap(), SIFBENCH]).status().unwrap().success());
    let root = unpacked(dir.path(), &tool);
    let campaign = dir.path().join("kit.toml");
    fs::write(&campaign, CAMPAIGN).unwrap();
    let campaign = campaign.to_str().unwrap();
    let plan = in_kit(&root, &["plan", campaign]);
    let said = text(&plan);
    assert!(plan.status.success() && !said.contains("# absent"), "{said}");
    for part in ["images/openmpi-4.1.8-", "mpi/openmpi-4.1.8-", "build/bench-app-"] {
        assert!(said.contains(&format!("{}/{part}", root.display())), "{part}: {said}");
    }
    assert!(in_kit(&root, &["kit", "check"]).status.success());

    let lacking = text(&in_kit(&root, &["run", "quick"]));
    assert!(lacking.contains("is not there") && lacking.contains("scripts/kit --campaign quick"), "{lacking}");

    let image =
        Kit::open(&root).unwrap().manifest.files.iter().find(|p| p.path.ends_with(".sif")).unwrap().path.clone();
    let mut bytes = fs::read(root.join(&image)).unwrap();
    bytes[3] ^= 1;
    fs::write(root.join(&image), bytes).unwrap();
    for words in [&["kit", "check"][..], &["run", campaign], &["kit", "check", root.to_str().unwrap(), "--json"]] {
        let refused = in_kit(&root, words);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        assert!(text(&refused).contains(&image), "{}", text(&refused));
    }
    assert!(text(&in_kit(&root, &["run", campaign])).contains("hint: unpack the kit again"));
}

#[test]
fn a_harness_that_needs_libraries_of_the_system_is_not_packed() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(SIFBENCH).args(["kit", "build"]).current_dir(dir.path()).output().unwrap();
    // Unless these tests are built as a kit's harness is.
    if !text(&output).contains("needs shared libraries") {
        assert!(Packing::of(Path::new(SIFBENCH)).is_ok(), "{}", text(&output));
        return;
    }
    assert!(!output.status.success() && text(&output).contains("hint: `scripts/kit` builds a static sifbench"));
    let nowhere = Command::new(SIFBENCH).args(["kit", "check"]).output().unwrap();
    assert!(nowhere.status.code() == Some(1) && text(&nowhere).contains("is not in a kit"), "{}", text(&nowhere));
}

/// Without any network, and still this user: the loopback device is up, for launchers speak through it.
const CUT_OFF: &str = r#"
    user=$(id -u) group=$(id -g)
    exec unshare --user --map-root-user --net sh -c '
        ip link set lo up || exit
        exec unshare --user --map-user="$1" --map-group="$2" sh -c "$3"' sh "$user" "$group" "$1""#;

#[test]
#[ignore = "needs a static sifbench, Apptainer, Open MPI 4.1.8 and its image, Debian's 4.1.4 (scripts/test)"]
fn a_kit_measures_without_network_home_and_cache() {
    let tool = std::env::var("SIFBENCH_TEST_STATIC").unwrap();
    // /tmp is where launches have their own files.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let place = |name: &str| dir.path().join(name);
    fs::write(place("kit.toml"), CAMPAIGN).unwrap();
    fs::write(place("debian.toml"), DEBIANS).unwrap();
    fs::create_dir(place("home")).unwrap();
    let pack = |archive: &str| {
        let words = ["kit", "build", "--campaign", "kit.toml", "--campaign", "debian.toml", "--output", archive];
        let output = Command::new(&tool).args(words).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        fs::read(place(archive)).unwrap()
    };
    assert!(pack("one.tar") == pack("two.tar"), "the archives differ");
    assert!(Command::new("tar").args(["xf", "one.tar"]).current_dir(dir.path()).status().unwrap().success());
    let name = |entry: fs::DirEntry| entry.file_name().into_string().ok().filter(|n| n.starts_with("sifbench-kit-"));
    let root = place(&fs::read_dir(dir.path()).unwrap().flatten().find_map(name).unwrap());
    let cut_off = |command: &str| {
        Command::new("sh")
            .args(["-c", CUT_OFF, "sh", command])
            .current_dir(&root)
            .env("HOME", place("home"))
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let run = "./sifbench kit check && exec ./sifbench run campaigns/kit.toml --here --site kit --results ../results";
    // An Apptainer in the cache is as good as one on PATH, and the cache is hidden.
    let apptainer = Cache::new(Path::new(&std::env::var("HOME").unwrap()).join(".cache/sifbench")).apptainer();
    let path = format!("PATH={}:$PATH; export PATH; ", apptainer.parent().unwrap().display());
    let output = cut_off(&(path.clone() + "[ $(grep -c : /proc/net/dev) = 1 ] && " + run));
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fs::read_dir(place("home")).unwrap().count(), 0, "nothing was fetched or made");

    let run_dir = store::resolve(&place("results")).unwrap();
    let made = store::load(&run_dir).unwrap();
    let measured = made.records.iter().filter(|record| record.purpose == Purpose::Measure);
    assert_eq!(measured.count(), 4);
    for record in &made.records {
        assert_eq!(record.outcome, Outcome::Completed, "{}: {:?}", record.command, record.said);
    }
    let run = "exec ./sifbench run campaigns/debian.toml --here --site kit --results ../debian";
    let output = cut_off(&(path.clone() + run));
    assert!(output.status.success(), "{}", text(&output));
    let debians = store::load(&store::resolve(&place("debian")).unwrap()).unwrap();
    for record in &debians.records {
        assert_eq!(record.outcome, Outcome::Completed, "{}: {:?}", record.command, record.said);
        assert!(Path::new(&record.command.program).starts_with(root.join("mpi")), "{}", record.command);
    }
    let kit = Kit::open(&root).unwrap();
    assert_eq!(made.manifest.facts["kit"], kit.manifest.id);
    let recorded = |file: &str| made.manifest.files.iter().find(|fact| fact.path == root.join(file)).unwrap();
    assert_eq!(recorded("kit.json").sha256, kit.sha256);
    for packed in &kit.manifest.files {
        let harness::tree::Content::File { sha256, .. } = &packed.content else { continue };
        if packed.path == "sifbench"
            || packed.path.starts_with("images/openmpi-")
            || packed.path.ends_with("/bench-app")
        {
            assert_eq!(recorded(&packed.path).sha256, *sha256);
        }
    }

    let image =
        kit.manifest.files.iter().find(|packed| packed.path.starts_with("images/openmpi-")).unwrap().path.clone();
    let mut bytes = fs::read(root.join(&image)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(root.join(&image), bytes).unwrap();
    let refused = cut_off(&(path + "exec ./sifbench run --here --results ../results campaigns/kit.toml"));
    assert!(refused.status.code() == Some(1) && text(&refused).contains(&image), "{}", text(&refused));
    assert_eq!(store::resolve(&place("results")).unwrap(), run_dir, "another run was begun");
}
