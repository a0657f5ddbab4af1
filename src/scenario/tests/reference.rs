//! `docs/scenario.md` says what the grammar says: the file is written from the table here.
#![expect(clippy::disallowed_methods, reason = "a test of a committed file")]

use std::fmt::Write as _;

use super::super::grammar::{
    ANCHORS, Choice, EXPECTATIONS, Key, Kind, Mapping, Need, Only, list_and, list_or, table,
};
use super::super::{IGNORES_ANSWER_WINDOW, IGNORES_STOP_WINDOW};

const EXAMPLE: &str = include_str!("../../../scenarios/greeting.yaml");

const HEAD: &str = "\
# Scenarios

A scenario is a YAML file: the agent to call, the script of the caller, the number of calls, and the limits they
have to meet. `loadcall check FILE` shows every error of a file at once, `loadcall run FILE` places its calls.
This page is generated from the table that the parser reads.

";

const EDITORS: &str = "\
## In an editor
`loadcall schema` prints the JSON Schema (draft 2020-12) of scenario files. With it, editors complete keys, show
their meaning and underline mistakes:

```console
$ loadcall schema > scenario.schema.json
```

Editors with the YAML language server read the schema that the first line of a scenario names:

```yaml
# yaml-language-server: $schema=scenario.schema.json
```

`loadcall check` finds more than a schema can say, such as two turns of one id or a clip that does not exist.

## How values are written
- A **duration** is a number with a unit, such as `500ms`, `2s`, `1.5s` or `1m 30s`. The largest unit is the hour.
- A **percentage** has its sign: `8%`.
- A **string** stands on one line, without whitespace at either end. Strings that YAML 1.1 and 1.2 read
  differently, such as `no`, `012` or `1:30`, have to be in quotes.
- Metrics have the names that [metrics.md](metrics.md) lists.
- `${NAME}` and `${NAME:-default}` in a string stand for the value of an environment variable
  ([variables](pointing.md#variables)). `$${` stands for `${`.
- Keys that are not listed here are refused. A file is at most 1 MiB long.
";

#[test]
fn the_reference_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("docs/ can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == page, "docs/scenario.md is stale: run this test with UPDATE_DOCS=1");
}

fn page() -> String {
    let mut page = format!("{HEAD}```yaml file=scenarios/greeting.yaml\n{EXAMPLE}```\n\n{EDITORS}");
    page.push_str(&section("The file", table::ROOT.doc, None, &table::SCENARIO));
    below(&mut page, "", &table::SCENARIO, &mut Vec::new());
    page
}

/// The sections of the mappings within a mapping.
fn below(
    page: &mut String,
    path: &str,
    mapping: &'static Mapping,
    shown: &mut Vec<*const Mapping>,
) {
    for key in mapping.known() {
        let name = format!("{path}`{}`", key.name);
        let Some((inner, example)) = inner(key) else { continue };
        // What can stand behind several keys is said once.
        if shown.contains(&std::ptr::from_ref(inner)) {
            continue;
        }
        shown.push(inner);
        page.push_str(&section(&name, key.doc, Some(&example), inner));
        below(page, &format!("{name} › "), inner, shown);
    }
}

/// The mapping that stands behind a key, and an example of both.
fn inner(key: &Key) -> Option<(&'static Mapping, String)> {
    let name = key.name;
    if let Kind::Mapping(mapping) = key.kind {
        return Some((mapping, format!("{name}: {}", mapping.example)));
    }
    if let Kind::List { item, .. } = key.kind
        && let Kind::Mapping(mapping) = item.kind
    {
        return Some((mapping, format!("{name}:\n  - {}", mapping.example)));
    }
    let Kind::Metadata { secret, .. } = key.kind else { return None };
    Some((secret, format!("{name}: {{token: {}}}", secret.example)))
}

fn section(title: &str, doc: &str, example: Option<&str>, mapping: &'static Mapping) -> String {
    let mut text = format!("\n## {title}\n{doc}\n");
    if !mapping.any_of.is_empty() {
        add(&mut text, &format!("At least one of {} is required.", list_or(mapping.any_of)));
    }
    if let Some(example) = example {
        add(&mut text, &format!("\n```yaml\n{example}\n```"));
    }
    add(&mut text, "");
    add(&mut text, "| key | kind | limits | default | meaning |\n|---|---|---|---|---|");
    for key in mapping.known() {
        add(&mut text, &row(key));
    }
    for key in mapping.known() {
        let Kind::OneOf { choice, .. } = key.kind else { continue };
        add(&mut text, &format!("\n`{}` is one of:\n", key.name));
        for (word, doc) in choice.words() {
            add(&mut text, &format!("- `{word}`: {doc}."));
        }
    }
    let reserved = |key: &Key| matches!(key.kind, Kind::Reserved).then_some(key.name);
    let reserved: Vec<&str> = mapping.keys.iter().filter_map(reserved).collect();
    if !reserved.is_empty() {
        let words = list_and(&reserved);
        add(&mut text, &format!("\nReserved for a later version: {words}."));
    }
    text
}

fn row(key: &Key) -> String {
    let (_, noun) = key.kind.noun().split_once(' ').unwrap_or(("", key.kind.noun()));
    let default = match key.need {
        Need::Required => "required".to_owned(),
        Need::Optional => "–".to_owned(),
        Need::Default("{}") if inner(key).is_some() => "those below".to_owned(),
        Need::Default("{}") => "none".to_owned(),
        Need::Default(default) => format!("`{default}`"),
    };
    let only = match key.only {
        None => String::new(),
        Some(Only::With(other)) => format!(" Only with `{other}`."),
        Some(Only::Without(other)) => format!(" Not with `{other}`."),
        Some(Only::When(other, words)) => format!(" Only with `{other}`: {}.", list_or(words)),
    };
    let limits = key.kind.limits();
    let limits = if let Kind::OneOf { .. } = key.kind { "one of the words below" } else { &limits };
    let limits = limits.trim_start_matches("of ").trim_start_matches("from ");
    let cells = [noun, limits, &default, &format!("{}{only}", key.doc)];
    let cells = cells.map(|cell| cell.replace('|', "\\|")).join(" | ");
    format!("| `{}` | {cells} |", key.name)
}

fn add(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes everything");
}

/// The words of the grammar name windows that are constants elsewhere.
#[test]
fn the_words_name_the_windows_that_hold() {
    let doc = |choice: Choice, name: &str| {
        let words = choice.words();
        words.into_iter().find(|(word, _)| *word == name).map(|(_, doc)| doc).expect("a word")
    };
    let ignores = doc(Choice::Expectation(EXPECTATIONS), "ignores");
    for window in [IGNORES_STOP_WINDOW, IGNORES_ANSWER_WINDOW] {
        assert!(ignores.contains(&format!("within {} s", window.as_secs())), "{ignores}");
    }
    let gap = format!("{} ms", crate::record::SPEECH_GAP.as_millis());
    assert!(doc(Choice::Anchor(ANCHORS), "agent_speech_end").contains(&gap), "{gap}");
}
