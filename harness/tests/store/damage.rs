//! What is not as it was committed is an error that says where and what to do.

use std::{fs, path::Path};

use harness::{
    id::Sha256,
    record::SCHEMA,
    store::{self, Store, StoreError},
};

use super::{append, closed, launch, stopped};

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
}

/// The text with its line `number` changed, newline included.
fn with_line(text: &str, number: usize, change: impl Fn(&str) -> String) -> String {
    let lines = text.split_inclusive('\n').zip(1..);
    lines.map(|(line, n)| if n == number { change(line) } else { line.to_owned() }).collect()
}

/// A line as the specification has it: an object whose last member is the digest of what precedes it.
fn sealed(object: &str) -> String {
    let body = object.strip_suffix('}').unwrap();
    format!("{body},\"sha256\":\"{}\"}}", Sha256::of(body.as_bytes()))
}

/// The same line with another object in it.
fn resealed(line: &str, change: impl FnOnce(&str) -> String) -> String {
    let (body, _) = line.rsplit_once(",\"sha256\":").unwrap();
    sealed(&change(&format!("{body}}}"))) + "\n"
}

#[test]
fn damage_is_named_with_its_place_and_what_to_do() {
    let check = |name: &str, change: &dyn Fn(String) -> String, expected: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        let dir = stopped(root.path(), 3);
        edit(&dir.join(name), change);
        for error in [store::load(&dir).unwrap_err(), Store::resume(&dir).unwrap_err()] {
            let (kind, text) = (matches!(error, StoreError::Damaged { .. }), error.to_string());
            assert!(kind && text.contains("; hint: restore it from a copy"), "{text}");
            expected.iter().for_each(|part| assert!(text.contains(part), "{part}: {text}"));
        }
        assert!(!dir.join("lock").exists());
    };
    let keep = "the attempts before it can be kept: delete line 2 of attempts.jsonl and all that follow";
    let second = |change: fn(&str) -> String| move |text: String| with_line(&text, 2, change);
    let differs = ["attempts.jsonl, line 2: the line differs", keep];
    check("attempts.jsonl", &second(|line| line.replacen("\"wall_ns\":1", "\"wall_ns\":2", 1)), &differs);
    check("attempts.jsonl", &second(|line| line[line.len() / 2..].to_owned()), &differs);
    let foreign = ["attempts.jsonl, line 2: no record of an attempt: missing field"];
    check("attempts.jsonl", &second(|_| sealed("{\"attempt\":2}") + "\n"), &foreign);
    check("attempts.jsonl", &second(|_| String::new()), &["attempts.jsonl, line 2: attempt 3 where 2 belongs", keep]);
    check("attempts.jsonl", &second(|line| line.repeat(2)), &["attempts.jsonl, line 3: attempt 2 where 3 belongs"]);
    let moved = second(|line| resealed(line, |object| object.replace("\"offset\":", "\"offset\":1")));
    check("attempts.jsonl", &moved, &["attempts.jsonl, line 2: its rows begin at byte 1", "is due", keep]);
    let unended = |text: String| text.trim_end().to_owned() + "x";
    check("attempts.jsonl", &unended, &["attempts.jsonl, line 3: something else where the line should end"]);

    let first = launch(1).1.len() + 2;
    let differ = format!("samples.csv, line {first}: the rows of attempt 2 differ");
    let changed = |text: String| with_line(&text, first + 1, |line| line.replacen(",0,", ",1,", 1));
    check("samples.csv", &changed, &[&differ, keep]);
    let gone = |text: String| with_line(&text, first + 1, |_| String::new());
    check("samples.csv", &gone, &[&differ, keep]);
    let header = ["samples.csv, line 1: not the header attempt,kernel,bytes,visit,batch,k,ns"];
    check("samples.csv", &|text| text.replace("visit,batch", "batch,visit"), &header);
    check("samples.csv", &|_| String::new(), &header);
    let other_design = |text: String| text.replacen("\"blocks\": 1", "\"blocks\": 2", 1);
    check("design.json", &other_design, &["design.json, line 1: the design differs from the one in manifest.json"]);
    let misspelt = |text: String| text.replacen("\"site\"", "\"sight\"", 1);
    check("manifest.json", &misspelt, &["manifest.json, line", "missing field `site`"]);
    check("manifest.json", &|text| text[..text.len() / 2].to_owned(), &["manifest.json, line", "EOF"]);
}

/// Times that no launch can wait for, in a design whose digest somebody has put right too.
#[test]
fn a_deadline_that_is_none_is_named_with_its_key() {
    let check = |key: &str, seconds: &str, expected: &str| {
        let root = tempfile::tempdir().unwrap();
        let dir = stopped(root.path(), 1);
        let before = store::load(&dir).unwrap().manifest.design;
        let told = |text: &str| text.lines().zip(1..).find(|(line, _)| line.contains(key)).unwrap().1;
        edit(&dir.join("design.json"), |text| {
            with_line(&text, told(&text), |line| {
                let (name, rest) = line.split_once(": ").unwrap();
                let end = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
                format!("{name}: {seconds}{end}")
            })
        });
        let text = fs::read_to_string(dir.join("design.json")).unwrap();
        let digest = Sha256::of(text.as_bytes());
        edit(&dir.join("manifest.json"), |text| text.replace(&before.to_string(), &digest.to_string()));
        let error = Store::resume(&dir).unwrap_err().to_string();
        let place = format!("design.json, line {}: limits.{key}: {expected}", told(&text));
        assert!(error.contains(&place) && error.contains("; hint: seconds, such as 30.0"), "{error}");
    };
    check("hello_s", "-1", "-1.0 is no deadline");
    check("silence_s", "0.0", "0.0 is no deadline");
    check("total_s", "1e300", "1e300 is no deadline");
}

#[test]
fn what_is_said_to_help_against_damage_helps() {
    let root = tempfile::tempdir().unwrap();
    let dir = stopped(root.path(), 3);
    let whole = store::load(&dir).unwrap();
    edit(&dir.join("attempts.jsonl"), |text| with_line(&text, 2, |line| line.replacen('2', "3", 1)));
    let hint = |dir: &Path| store::load(dir).unwrap_err().to_string().split_once("; hint: ").unwrap().1.to_owned();
    assert!(hint(&dir).contains("delete line 2"), "{}", hint(&dir));
    edit(&dir.join("attempts.jsonl"), |text| text.lines().next().unwrap().to_owned() + "\n");
    let (mut store, run) = Store::resume(&dir).unwrap();
    assert_eq!((run.records.len(), run.samples), (1, launch(1).1));
    append(&mut store, &[launch(2), launch(3)]);
    store.close().unwrap();
    assert_eq!(store::load(&dir).unwrap().records, whole.records);
    // What is closed cannot be mended so, and before the first attempt there is nothing to keep.
    edit(&dir.join("attempts.jsonl"), |text| with_line(&text, 2, |line| line.replacen('2', "3", 1)));
    assert_eq!(hint(&dir), "restore it from a copy of the run");
    let other = stopped(root.path(), 2);
    edit(&other.join("attempts.jsonl"), |text| with_line(&text, 1, |line| line.replacen('1', "2", 1)));
    assert_eq!(hint(&other), "restore it from a copy of the run");
}

#[test]
fn a_closed_run_that_has_changed_since_is_damaged() {
    let check = |name: &str, change: &dyn Fn(String) -> String, expected: &str| {
        let root = tempfile::tempdir().unwrap();
        let dir = closed(root.path(), 2);
        edit(&dir.join(name), change);
        let error = store::load(&dir).unwrap_err().to_string();
        assert!(error.contains("closed.json, line ") && error.contains(expected), "{error}");
    };
    let last_gone = |text: String| text.lines().next().unwrap().to_owned() + "\n";
    check("attempts.jsonl", &last_gone, "attempts.jsonl is not the file that was closed");
    check("samples.csv", &|text| text + "3", "samples.csv is not the file that was closed");
    check("manifest.json", &|text| text.replace("laptop", "desktop"), "manifest.json is not the file that was closed");
    check("closed.json", &|text| text.replace("\"attempts\": 2", "\"attempts\": 3"), "2 attempts where 3 were closed");
    check("closed.json", &|text| text.replace("samples.csv", "samples"), "samples.csv is not the file that was closed");
    check("closed.json", &|_| "{}\n".to_owned(), "missing field `schema`");
}

#[test]
fn a_newer_schema_is_refused_before_anything_else_is_read() {
    let root = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str, expected: &str| {
        let dir = closed(root.path(), 1);
        fs::write(dir.join(name), text).unwrap();
        let error = store::load(&dir).unwrap_err();
        let (kind, text) = (matches!(error, StoreError::Schema { found: 9, .. }), error.to_string());
        let reads = format!("has schema 9, this sifbench reads schema {SCHEMA}; hint: use {expected} or a newer one");
        assert!(kind && text.contains(name) && text.contains(&reads), "{text}");
    };
    check("manifest.json", "{\"schema\":9,\"tool\":\"4.0.0\"}", "sifbench 4.0.0");
    check("design.json", "{\"schema\":9}", "the sifbench that wrote it");
    check("closed.json", "{\"schema\":9}", "the sifbench that wrote it");
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let dir = stopped(root.path(), 2);
    let before = store::load(&dir).unwrap();
    let later = |text: String| text.replacen('{', "{\"later\":[1],", 1);
    edit(&dir.join("design.json"), later);
    let digest = Sha256::of(&fs::read(dir.join("design.json")).unwrap());
    edit(&dir.join("manifest.json"), |text| {
        later(text).replace(&before.manifest.design.to_string(), &digest.to_string())
    });
    edit(&dir.join("attempts.jsonl"), |text| {
        text.lines().map(|line| resealed(line, |object| later(object.to_owned()))).collect()
    });
    let (store, run) = Store::resume(&dir).unwrap();
    assert_eq!((run.records, run.samples, run.design), (before.records, before.samples, before.design));
    store.close().unwrap();
    edit(&dir.join("closed.json"), later);
    assert!(store::load(&dir).unwrap().closed);
}
