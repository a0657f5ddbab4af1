//! README and the book in `docs/`: their commands are run, their links lead somewhere, and their picture is of
//! the report that is printed today. Needs no server.
//!
//! Every code block has a kind, the first line after its fence:
//!
//! | kind | what is tested |
//! |---|---|
//! | `console` | each `$` command is run in a copy of the scenarios and recordings; what it prints is what is shown |
//! | `console live` | needs a server or another program: not run, but every `loadcall` line is one that the program accepts |
//! | `text live` | printed by a live run or a measurement: nothing |
//! | `yaml file=PATH` | equal to the file in the repository |
//! | `yaml write=PATH`, `json write=PATH` | written before the commands below it on the page run |
//! | `yaml workflow` | parses, and its `loadcall` lines are accepted |
//! | `yaml`, `json` | parses |
//! | `text` | nothing: notation |
//!
//! `DOCS_UPDATE=1 cargo test --test docs` writes what is printed today into the pages and draws the picture again.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod docs {
    pub(crate) mod commands;
    pub(crate) mod links;
    pub(crate) mod page;
    pub(crate) mod picture;
}

use docs::commands::{self, Sandbox};
use docs::links;
use docs::page::{Kind, Page, blocks, inline_code};
use docs::picture;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const README_LINES: usize = 200;
/// The command whose output README shows as a picture.
const PICTURED: &str = "loadcall report reports/example";
const PICTURE: &str = "docs/images/report.svg";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn update() -> bool {
    std::env::var("DOCS_UPDATE").is_ok_and(|value| value == "1")
}

/// README and every page of the book.
fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(Path::new("docs").join(name));
        }
    }
    paths.sort();
    paths.into_iter().map(|path| Page::read(root(), path)).collect()
}

#[test]
fn every_block_is_of_a_kind_and_what_it_shows_is_true() {
    let (mut wrong, mut stale, mut counts) = (Vec::new(), Vec::new(), BTreeMap::new());
    for page in pages() {
        let sandbox = Sandbox::new(root());
        let mut text = page.text.clone();
        // From the end, so that the places of the blocks before stay what they are.
        let mut changes = Vec::new();
        for block in blocks(&page.text) {
            let place = format!("{}:{}", page.path.display(), block.line);
            let kind = match block.kind {
                Ok(kind) => kind,
                Err(info) => {
                    wrong.push(format!("{place}: a block of no kind: `{info}`"));
                    continue;
                }
            };
            *counts.entry(kind.name()).or_insert(0) += 1;
            let body = &page.text[block.body.clone()];
            match kind {
                Kind::Run => {
                    let (now, silent) = sandbox.replay(body);
                    wrong.extend(
                        silent.iter().map(|line| format!("{place}: `{line}` prints nothing")),
                    );
                    if now != body {
                        stale.push(format!("{place}: prints today\n{now}"));
                        changes.push((block.body, now));
                    }
                }
                Kind::Live => {
                    let faults = commands::faults(root(), &commands::of_console(body));
                    wrong.extend(faults.into_iter().map(|why| format!("{place}: {why}")));
                }
                Kind::Equal(file) => {
                    let now = std::fs::read_to_string(root().join(&file)).unwrap();
                    if now != body {
                        stale.push(format!("{place}: differs from {file}"));
                        changes.push((block.body, now));
                    }
                }
                Kind::Written(file) => sandbox.write(&file, body),
                Kind::Workflow => match commands::of_workflow(body) {
                    Ok(lines) => {
                        let faults = commands::faults(root(), &lines);
                        wrong.extend(faults.into_iter().map(|why| format!("{place}: {why}")));
                    }
                    Err(why) => wrong.push(format!("{place}: {why}")),
                },
                Kind::Yaml => {
                    if let Err(why) = serde_yaml::from_str::<serde_json::Value>(body) {
                        wrong.push(format!("{place}: not YAML: {why}"));
                    }
                }
                Kind::Json => {
                    if let Err(why) = serde_json::from_str::<serde_json::Value>(body) {
                        wrong.push(format!("{place}: not JSON: {why}"));
                    }
                }
                Kind::Shown | Kind::Plain => {}
            }
        }
        if update() && !changes.is_empty() {
            for (range, now) in changes.into_iter().rev() {
                text.replace_range(range, &now);
            }
            std::fs::write(root().join(&page.path), text).unwrap();
        }
    }
    for (kind, count) in &counts {
        println!("{count:3} {kind}");
    }
    assert!(counts.contains_key(Kind::Run.name()), "no command is run: {counts:?}");
    if !update() {
        wrong.append(&mut stale);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_workflows_to_copy_are_accepted() {
    let mut wrong = Vec::new();
    let mut workflows = 0;
    for entry in std::fs::read_dir(root().join("deploy/ci")).unwrap() {
        let path = entry.unwrap().path();
        workflows += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        match commands::of_workflow(&text) {
            Ok(lines) => {
                assert!(lines.iter().any(|line| line.contains("loadcall check")), "{path:?}");
                let faults = commands::faults(root(), &lines);
                wrong.extend(faults.into_iter().map(|why| format!("{}: {why}", path.display())));
            }
            Err(why) => wrong.push(format!("{}: {why}", path.display())),
        }
    }
    assert!(workflows >= 3, "{workflows} workflows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_within_sentences_exist() {
    let mut seen = BTreeMap::new();
    for page in pages() {
        for code in inline_code(&page.text) {
            if code.starts_with("loadcall ") {
                seen.entry(code).or_insert_with(|| page.path.clone());
            }
        }
    }
    assert!(!seen.is_empty());
    let wrong: Vec<String> = seen
        .into_iter()
        .filter_map(|(code, page)| {
            let help = format!("{code} --help");
            let why = commands::faults(root(), &[help]);
            (!why.is_empty()).then(|| format!("{}: {}", page.display(), why.join("\n")))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_line_that_is_wrong_is_noticed() {
    for wrong in [
        "loadcall runn scenarios/greeting.yaml",
        "loadcall run --no-such-flag scenarios/greeting.yaml",
        "loadcall run",
        "loadcall noise --runs many a.yaml",
        "loadcall run a.yaml --dev --dev-agent --agent-command x",
        "loadcall run a.yaml && loadcall accept --no-such-flag reports/latest",
        "make no-such-target",
        "no-such-program",
    ] {
        assert_eq!(commands::faults(root(), &[wrong.to_owned()]).len(), 1, "{wrong}");
    }
    let right = "KEY='a b' loadcall ab a.yaml --b 'metadata={\"x\": 1}' # and so on";
    assert_eq!(commands::faults(root(), &[right.to_owned()]), Vec::<String>::new());
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut links = 0;
    let mut wrong = Vec::new();
    for page in &pages {
        for target in links::of(&page.text) {
            links += 1;
            if let Err(why) = links::check(root(), &page.path, &target) {
                wrong.push(format!("{}: `{target}`: {why}", page.path.display()));
            }
        }
    }
    assert!(links > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> =
        links::of(&summary).into_iter().map(|page| Path::new("docs").join(page)).collect();
    let there: BTreeSet<PathBuf> = pages()
        .into_iter()
        .map(|page| page.path)
        .filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(listed, there);
}

/// The page of the scripted agent has every key and word of its script, and its example is one.
#[test]
fn the_page_of_the_agent_is_complete() {
    let said = |script: &str| {
        let sandbox = Sandbox::new(root());
        sandbox.write("script.json", script);
        // Nothing listens there: a script that can be read gets as far as the connection.
        sandbox.run(
            "loadcall agent --script script.json --url ws://127.0.0.1:9 --api-key k --api-secret s",
        )
    };
    let page = std::fs::read_to_string(root().join("docs/agent.md")).unwrap();
    for (wrong, words) in [
        (r#"{"?": 1}"#, 13),
        (r#"{"stages": {"?": 1}}"#, 6),
        (r#"{"greeting": {"?": 1}}"#, 4),
        (r#"{"tool": {"?": 1}}"#, 3),
        (r#"{"sound": "?"}"#, 5),
        (r#"{"barge_in": {"reaction": "?"}}"#, 3),
        (r#"{"faults": [{"kind": "?"}]}"#, 12),
    ] {
        let said = said(wrong);
        let (_, expected) =
            said.split_once("expected one of ").or(said.split_once("expected ")).unwrap();
        let listed: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(listed.len() >= words, "{wrong}: {said}");
        let code = inline_code(&page).join(" ");
        for word in listed {
            let there = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word);
            assert!(there, "{wrong}: `{word}` is not in docs/agent.md");
        }
    }
    let example = blocks(&page).into_iter().find_map(|block| match block.kind {
        Ok(Kind::Written(_)) => Some(&page[block.body]),
        _ => None,
    });
    let said = said(example.unwrap());
    assert!(said.contains("127.0.0.1:9") && !said.contains("script.json"), "{said}");
}

/// The figures of measurements stand in the book; what README repeats of them is the same.
#[test]
fn readme_repeats_the_figures_of_the_book() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let (readme, calibration) = (read("README.md"), read("docs/calibration.md"));
    // n, missed, bias with its interval, sd, p50, |p95|, |p99| …
    let p99: Vec<&str> = calibration
        .lines()
        .filter(|line| line.starts_with("  heard_e2e_latency "))
        .filter_map(|line| line.split_whitespace().nth(10))
        .collect();
    let error = format!("within {} ms (1 call at a time) and {} ms (50)", p99[0], p99[1]);
    assert!(readme.contains(&error), "{error}");
    let performance = read("docs/performance.md");
    for program in ["the callers", "official tester"] {
        let line = performance.lines().find_map(|line| line.trim().strip_prefix(program));
        let cpu = line.and_then(|line| line.split_whitespace().next()).unwrap();
        assert!(readme.contains(&format!("| {cpu} ms")), "{program}: {cpu} ms");
    }
}

#[test]
fn readme_has_the_exit_codes_of_the_help() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let help = Sandbox::new(root()).run("loadcall --help");
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let rows: Vec<String> = codes
        .lines()
        .map_while(|line| line.trim().split_once(' '))
        .map(|(code, meaning)| format!("| {code} | {} |", meaning.trim()))
        .collect();
    assert!(rows.len() >= 7, "{rows:?}");
    assert!(readme.contains(&rows.join("\n")), "{}", rows.join("\n"));
}

#[test]
fn readme_is_short() {
    let lines = std::fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES, "{lines} lines, at most {README_LINES}");
}

#[test]
fn the_picture_is_of_the_report_that_is_printed_today() {
    let printed = Sandbox::new(root()).run_in_colour(PICTURED);
    let drawn = picture::draw(PICTURED, &printed);
    let path = root().join(PICTURE);
    if update() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, drawn, "DOCS_UPDATE=1 draws it again");
    assert!(std::fs::read_to_string(root().join("README.md")).unwrap().contains(PICTURE));
}
