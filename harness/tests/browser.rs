//! The report in a real browser: Debian's Chromium, without a window.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::disallowed_methods, reason = "a test starts a browser as a user does")]

#[path = "browser/chromium.rs"]
mod chromium;
#[expect(dead_code, reason = "other tests change single launches")]
mod synthetic;

use std::{fs, path::PathBuf};

use chromium::{Chromium, Screen};
use harness::report::{
    Role,
    html::{self, Beside},
};
use serde_json::{Value, json};

const FAULTS: &str = include_str!("browser/faults.js");

/// A browser, and a place for pages.
struct Viewer {
    browser: Chromium,
    dir: tempfile::TempDir,
}

/// What was seen of a page.
struct View {
    faults: Vec<String>,
    /// Luminance of the background, from 0.05 for black to 1.05 for white.
    paper: f64,
}

impl Viewer {
    fn new() -> Self {
        Self { browser: Chromium::start(), dir: tempfile::tempdir().unwrap() }
    }

    fn write(&self, page: &str) -> PathBuf {
        let file = self.dir.path().join("report.html");
        fs::write(&file, page).unwrap();
        file
    }

    fn view(&mut self, page: &str, screen: Screen) -> View {
        let file = self.write(page);
        self.browser.show(&file, screen);
        let seen = self.browser.evaluate(FAULTS);
        let mut faults: Vec<String> = serde_json::from_value(seen["faults"].clone()).unwrap();
        let plots = seen["plots"].as_u64().unwrap();
        let named = self.named_images();
        if plots == 0 || named != plots {
            faults.push(format!(
                "{plots} pictures, of which {named} have a name and a description for a reader who cannot see"
            ));
        }
        faults.extend(self.browser.events.iter().filter_map(talk));
        View { faults, paper: seen["paper"].as_f64().unwrap() }
    }

    /// Images of the accessibility tree with a name and a description.
    fn named_images(&mut self) -> u64 {
        let tree = self.browser.ask("Accessibility.getFullAXTree", json!({}));
        let text = |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
        let named = |node: &&Value| {
            text(node, "role") == "image" && !text(node, "name").is_empty() && !text(node, "description").is_empty()
        };
        tree["nodes"].as_array().unwrap().iter().filter(named).count() as u64
    }
}

/// What a page said or asked for beyond itself.
fn talk(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Network.requestWillBeSent" => {
            let url = params["request"]["url"].as_str()?;
            (!url.starts_with("file://") && !url.starts_with("data:")).then(|| format!("requests {url}"))
        }
        "Log.entryAdded" => Some(format!("logs {}", params["entry"]["text"])),
        "Runtime.exceptionThrown" => Some(format!("throws {}", params["exceptionDetails"]["text"])),
        _ => None,
    }
}

const WIDTHS: [u32; 2] = [1280, 400];

#[test]
#[ignore = "needs chromium (scripts/test)"]
fn the_report_is_sound_wide_and_narrow_light_and_dark_and_on_paper() {
    let mut viewer = Viewer::new();
    let mut runs = vec![synthetic::quick(6, 1), synthetic::two_versions(6, 3), synthetic::crossed(16, 1)];
    let mut unfinished = synthetic::quick(6, 1);
    unfinished.records.truncate(20);
    unfinished.samples.retain(|sample| sample.attempt.0 <= 20);
    runs.push(unfinished);
    for page in runs.iter().map(synthetic::Run::page) {
        for width in WIDTHS {
            let light = viewer.view(&page, Screen { width, dark: false, paper: false });
            let dark = viewer.view(&page, Screen { width, dark: true, paper: false });
            assert_eq!((&light.faults, &dark.faults), (&Vec::new(), &Vec::new()), "{width} wide");
            assert!(light.paper > 0.9 && dark.paper < 0.1, "{width} wide: {} and {}", light.paper, dark.paper);
        }
        let printed = viewer.view(&page, Screen { width: 1000, dark: true, paper: true });
        assert_eq!(printed.faults, Vec::<String>::new(), "on paper");
        assert!(printed.paper > 0.9, "paper is white, whatever the screen is");
    }
}

#[test]
#[ignore = "needs chromium (scripts/test)"]
fn a_command_is_copied_as_it_was_executed() {
    let mut viewer = Viewer::new();
    let mut run = synthetic::quick(6, 1);
    for record in &mut run.records {
        record.command.args.insert(1, "two  words & <more>".into());
    }
    let report = run.report();
    let file = viewer.write(&html::render(&report, Beside::default()));
    viewer.browser.show(&file, Screen { width: 400, dark: false, paper: false });
    let copied = viewer.browser.evaluate(
        "[...document.querySelectorAll('#commands pre')].map(pre => {
            const all = document.createRange();
            all.selectNodeContents(pre);
            getSelection().removeAllRanges();
            getSelection().addRange(all);
            return getSelection().toString();
        })",
    );
    let once = report.cases.iter().filter(|case| case.role != Role::Twin);
    let commands: Vec<String> = once.map(|case| case.command.clone().unwrap()).collect();
    assert!(commands[0].contains("'two  words & <more>'"));
    assert_eq!(serde_json::from_value::<Vec<String>>(copied).unwrap(), commands);
}

#[test]
#[ignore = "needs chromium (scripts/test)"]
fn a_page_that_is_not_sound_is_found_out() {
    let mut viewer = Viewer::new();
    let page = synthetic::quick(6, 1).page();
    let policy = page.lines().find(|line| line.contains("Content-Security-Policy")).unwrap().to_owned();
    let mut check = |width: u32, changes: &[(&str, &str)], expected: &str| {
        let mut broken = page.clone();
        for (from, to) in changes {
            assert!(broken.contains(from), "{from}");
            broken = broken.replacen(from, to, 1);
        }
        let faults = viewer.view(&broken, Screen { width, dark: false, paper: false }).faults;
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected}: {faults:?}");
    };
    check(400, &[("<main>", "<main><div style='width:500px'>wide</div>")], "overflows the page");
    check(
        1280,
        &[("<main>", "<main><div style='width:9em;overflow:hidden'><b style='display:block;width:11em'>w</b></div>")],
        "holds more than its width",
    );
    check(1280, &[(" role=\"img\"", "")], "has no name");
    check(1280, &[("<desc>", "<metadata>"), ("</desc>", "</metadata>")], "does not say what it shows");
    check(1280, &[("class=\"plot\"", "class=\"plot\" style=\"height:0\"")], "x 0");
    check(
        1280,
        &[(
            ".plot { display: block;",
            ".plot circle, .plot polygon, .plot polyline { display: none; } .plot { display: block;",
        )],
        "shows nothing",
    );
    check(1280, &[("--faint:#5b6069", "--faint:#c8c8c8")], "in rgb(200, 200, 200)");
    check(1280, &[("--text:#1d1f23", "--text:#777777")], "words in rgb(119, 119, 119)");
    check(1280, &[("font-size=\"110\"", "font-size=\"40\"")], "too small to read");
    check(1280, &[("font-size=\"110\"", "font-size=\"300\"")], "lies on");
    check(1280, &[("text-anchor=\"end\"", "text-anchor=\"middle\" dx=\"-900\"")], "is cut off");
    let image = "<main><img alt='' src='http://127.0.0.1:9/x.png'>";
    check(1280, &[("<main>", image)], "Content Security Policy");
    check(1280, &[(&policy, ""), ("<main>", image)], "requests http://127.0.0.1:9/x.png");
    check(1280, &[("aria-hidden=\"true\"", "")], "is neither named nor hidden");
}
