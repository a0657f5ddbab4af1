//! `docs/metrics.md` says what the code says.
#![expect(clippy::disallowed_methods, reason = "a test of a committed file")]

use super::windows;
use crate::report::fixture::scenario;
use crate::scenario::{Kind, Metric};

#[test]
fn the_docs_are_made_from_the_same_tables() {
    let metrics = Metric::ALL.into_iter().map(|metric| {
        let of = metric.definition();
        let unit = match of.kind {
            Kind::Time => "ms",
            Kind::Ratio => "0 to 1, a call",
            Kind::Share => "share of calls",
            Kind::Event => "turns",
        };
        format!("| `{}` | {} | {unit} | {} |\n", metric.name(), of.source.name(), of.text)
    });
    let windows = windows(&scenario())
        .into_iter()
        .map(|window| format!("| `{}` | {} | {} |\n", window.name, window.ms, window.text));
    let head = ["\n| window | ms | |\n|---|---|---|\n".to_owned()];
    let all: Vec<String> = metrics.chain(head).chain(windows).collect();
    let text = format!("{DOCS_HEAD}{}", all.concat());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let docs = std::fs::read_to_string(path).expect("docs/metrics.md can be read");
    let begin = docs.find(DOCS_HEAD).expect("the tables are in docs/metrics.md");
    let end = docs[begin..].find("\n\n## ").map_or(docs.len(), |at| begin + at + 1);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let renewed = [&docs[..begin], &text, &docs[end..]].concat();
        std::fs::write(path, renewed).expect("docs/ can be written");
    } else {
        assert_eq!(
            &docs[begin..end],
            text,
            "docs/metrics.md is stale: run this test with UPDATE_DOCS=1"
        );
    }
}

const DOCS_HEAD: &str = "| metric | source | unit | definition |\n|---|---|---|---|\n";
