//! Images: how they are checked, and what is compiled into them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{
    app::{self, Headers},
    cache::Cache,
    case::Mode,
    catalogue::Catalogue,
    id::Sha256,
    record::{Outcome, Purpose},
};

use crate::{Bench, SMALL, campaign, json, records_of, text};

#[test]
#[ignore = "needs Apptainer, Open MPI 4.1.8 and its image (scripts/test)"]
fn images_are_checked_by_launching_them_and_an_exchanged_one_is_found_out() {
    let bench = Bench::new();
    let (all, code) = json(&mut bench.sifbench(&["image", "check", "--json"]));
    assert_eq!(code, Some(0), "{all:#}");
    for (name, library) in [("base", "Open MPI v"), ("openmpi 4.1.8", "Open MPI v4.1.8")] {
        let image = all.as_array().unwrap().iter().find(|image| image["name"] == name).unwrap();
        assert_eq!(image["outcome"]["kind"], "completed", "{image:#}");
        assert!(image["library"].as_str().unwrap().starts_with(library), "{image:#}");
        assert_eq!(image["app"], image["labels"]["org.sifbench.app.sha256"], "{image:#}");
    }
    bench.assert_clean();

    // A cache in which the image of 4.1.8 lies where that of 4.1.7 is looked for.
    let sound = all.as_array().unwrap().iter().find(|image| image["name"] == "openmpi 4.1.8").unwrap();
    let sound = Path::new(sound["path"].as_str().unwrap());
    let (real, own) = (sound.ancestors().nth(2).unwrap(), bench.dir.path().join("sifbench"));
    let check = || {
        let mut command = bench.sifbench(&["image", "check", "4.1.7", "--json"]);
        json(command.env("XDG_CACHE_HOME", bench.dir.path()))
    };
    let (absent, _) = check();
    fs::create_dir_all(own.join("images")).unwrap();
    std::os::unix::fs::symlink(real.join("apptainer"), own.join("apptainer")).unwrap();
    std::os::unix::fs::symlink(sound, absent[0]["path"].as_str().unwrap()).unwrap();
    let (exchanged, code) = check();
    assert_eq!(code, Some(1), "{exchanged:#}");
    let differs: Vec<_> = exchanged[0]["faults"].as_array().unwrap().iter().map(|fault| &fault["what"]).collect();
    assert_eq!(differs, ["org.sifbench.openmpi.source", "org.sifbench.openmpi.version", "library"], "{exchanged:#}");
    bench.assert_clean();
}

/// What a program asks the MPI library for: functions, and the objects behind names such as `MPI_COMM_WORLD`.
fn mpi_imports(program: &Path) -> BTreeSet<String> {
    let output = Command::new("nm").args(["--dynamic", "--undefined-only"]).arg(program).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    let names = said.lines().filter_map(|line| line.split_whitespace().last());
    let of_mpi = |name: &&str| ["MPI_", "PMPI_", "ompi_", "OMPI_"].iter().any(|prefix| name.starts_with(prefix));
    names.filter(of_mpi).map(str::to_owned).collect()
}

/// A comparison of versions compares those because one bench-app serves all: compiled against the headers of another
/// version it asks the library for the same things, and works the same. (One toolchain even made files that are equal to
/// the byte for 4.1.8 and 5.0.11, so that whose headers were read is shown by the bindings, not by the digests.)
#[test]
#[ignore = "needs Apptainer, Open MPI 5.0.11 and a Rust toolchain (scripts/test)"]
fn a_bench_app_compiled_for_its_version_asks_the_library_for_the_same() {
    let bench = Bench::new();
    let build = |args: &[&str]| {
        let output = bench.sifbench(&[&["image", "build"], args].concat()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        PathBuf::from(String::from_utf8(output.stdout).unwrap().lines().last().unwrap())
    };
    build(&[]);
    let image = build(&["--app", "own", "5.0.11"]);
    let (cache, catalogue) = (Cache::new(image.ancestors().nth(2).unwrap().to_owned()), Catalogue::built_in());
    let version = "5.0.11".parse().unwrap();
    let [shared, own] = [Headers::Shared, Headers::Of(&version)].map(|h| app::path(&cache, &catalogue, h));

    let imports = [&shared, &own].map(|program| mpi_imports(program));
    assert!(imports[0].contains("MPI_Init_thread") && imports[0].contains("MPI_Finalize"), "{:?}", imports[0]);
    assert_eq!(imports[0], imports[1]);
    let bindings = fs::read_to_string(own.with_file_name(app::BINDINGS)).unwrap();
    for (name, value) in [("MAJOR", 5), ("MINOR", 0), ("RELEASE", 11)] {
        let line = format!("pub const OMPI_{name}_VERSION: u32 = {value};");
        assert!(bindings.contains(&line), "compiled against other headers: {line}");
    }

    let digest = Sha256::of(&fs::read(&own).unwrap());
    let (checked, code) = json(&mut bench.sifbench(&["image", "check", "--app", "own", "5.0.11", "--json"]));
    assert_eq!((code, &checked[0]["app"]), (Some(0), &digest.to_string().into()), "{checked:#}");
    let of_own = campaign(&[Mode::Embedded], "5.0.11", 1, SMALL, "").replacen("seed = 1", "seed = 1\napp = \"own\"", 1);
    let run = bench.run(&of_own);
    bench.assert_clean();
    let case = &run.design.cases[0];
    assert_eq!(case.stack.image().unwrap().path, image);
    let records = records_of(&run, case);
    let measured = records.iter().find(|record| record.purpose == Purpose::Measure).unwrap();
    assert_eq!(measured.outcome, Outcome::Completed, "{:?}", measured.said);
    assert!(measured.hello.as_ref().unwrap().library.contains("v5.0.11"), "{:?}", measured.hello);
    for cell in &case.workload.cells {
        let of_cell = (measured.attempt, cell.kernel, cell.bytes);
        assert!(run.samples.iter().any(|s| (s.attempt, s.kernel, s.bytes) == of_cell), "{cell}");
    }
}
