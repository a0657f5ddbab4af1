//! Every format of a run in which others wrote what they like, read by parsers: it is text and nothing else.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;
use crate::report::annotations::Annotations;
use crate::report::{csv, junit, markdown, openmetrics};

/// How a format is made, and how it is checked.
type Format = (&'static str, fn(&Report) -> String, fn(&str) -> Result<(), String>);

/// A new format is one more row.
const FORMATS: [Format; 8] = [
    ("text", |report| render(report, Colour::Never, 100, PLACE), |_| Ok(())),
    ("json", json_of, |text| {
        serde_json::from_str::<Json>(text).map(|_| ()).map_err(|e| e.to_string())
    }),
    ("markdown", |report| markdown::render(report, PLACE, markdown::LIMIT), as_markdown),
    ("junit", |report| junit::render(report, true), as_xml),
    ("annotations", |report| Annotations::of_run(report, true).github(), as_commands),
    ("openmetrics", openmetrics::render, as_samples),
    (
        "calls",
        |report| {
            let Judged { scenario, analysis, .. } = &report.judged;
            table(|out| csv::calls(&analysis.head, scenario, &analysis.calls, out))
        },
        as_table,
    ),
    ("turns", |report| table(|out| csv::turns(report, out)), as_table),
];

fn table(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refuse<T>(what: impl std::fmt::Debug) -> Result<T, String> {
    Err(format!("{what:?}"))
}

/// Headings, lists, tables, strong text and code; HTML only to fold a list.
fn as_markdown(text: &str) -> Result<(), String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH;
    let mut titles = 0;
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let html = html.trim();
                let title = html
                    .strip_prefix("<details><summary>")
                    .and_then(|rest| rest.strip_suffix("</summary>"));
                let ours = html == "</details>"
                    || title.is_some_and(|t| {
                        t.chars().all(|c| c.is_alphanumeric() || " ,".contains(c))
                    });
                if !ours {
                    return refuse(html);
                }
            }
            Event::Start(Tag::Heading { level: pulldown_cmark::HeadingLevel::H2, .. }) => {
                titles += 1;
            }
            Event::Start(
                tag @ (Tag::Link { .. }
                | Tag::Image { .. }
                | Tag::BlockQuote(_)
                | Tag::CodeBlock(_)
                | Tag::Emphasis
                | Tag::Strikethrough
                | Tag::FootnoteDefinition(_)),
            ) => return refuse(tag),
            Event::InlineMath(text) | Event::DisplayMath(text) => return refuse(text),
            Event::FootnoteReference(_)
            | Event::Rule
            | Event::TaskListMarker(_)
            | Event::HardBreak => {
                return refuse(event);
            }
            Event::Start(_)
            | Event::End(_)
            | Event::Text(_)
            | Event::Code(_)
            | Event::SoftBreak => {}
        }
    }
    if titles == 1 { Ok(()) } else { refuse(("titles", titles)) }
}

fn as_xml(text: &str) -> Result<(), String> {
    let document = roxmltree::Document::parse(text).map_err(|e| e.to_string())?;
    for node in document.descendants().filter(|node| !node.is_root()) {
        let parent = node.parent_element().map_or("", |parent| parent.tag_name().name());
        let ours = match node.node_type() {
            roxmltree::NodeType::Element => matches!(
                (parent, node.tag_name().name()),
                ("", "testsuites")
                    | ("testsuites", "testsuite")
                    | ("testsuite", "properties" | "testcase")
                    | ("properties", "property")
                    | ("testcase", "failure" | "skipped" | "system-out")
            ),
            roxmltree::NodeType::Text => true,
            roxmltree::NodeType::Root | roxmltree::NodeType::PI | roxmltree::NodeType::Comment => {
                false
            }
        };
        if !ours {
            return refuse(node);
        }
    }
    Ok(())
}

fn as_commands(text: &str) -> Result<(), String> {
    for line in text.lines() {
        let rest = line.strip_prefix("::error ").or_else(|| line.strip_prefix("::warning "));
        let Some((properties, _)) = rest.and_then(|rest| rest.split_once("::")) else {
            return refuse(line);
        };
        let names: Vec<&str> =
            properties.split(',').map(|p| p.split_once('=').map_or("", |(name, _)| name)).collect();
        if names != ["file", "title"] {
            return refuse(line);
        }
    }
    Ok(())
}

/// Names, quoted labels and numbers; nothing behind the end.
fn as_samples(text: &str) -> Result<(), String> {
    let Some(body) = text.strip_suffix("# EOF\n") else { return refuse("no end") };
    for line in body.lines() {
        if ["# TYPE ", "# HELP ", "# UNIT "].iter().any(|start| line.starts_with(start)) {
            continue;
        }
        let (name, rest) = line.split_once('{').ok_or_else(|| line.to_owned())?;
        let (labels, value) = rest.rsplit_once("} ").ok_or_else(|| line.to_owned())?;
        let mut quoted = false;
        let mut characters = labels.chars();
        let mut keys = String::new();
        while let Some(c) = characters.next() {
            match c {
                '\\' if quoted => drop(characters.next()),
                '"' => quoted = !quoted,
                c if !quoted => keys.push(c),
                _ => {}
            }
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_,=".contains(c);
        let number = value.parse::<f64>().is_ok();
        if quoted || !number || !name.chars().all(plain) || !keys.chars().all(plain) {
            return refuse(line);
        }
    }
    Ok(())
}

fn as_table(text: &str) -> Result<(), String> {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| e.to_string())?.clone();
    for row in reader.records() {
        let row = row.map_err(|e| e.to_string())?;
        for (name, cell) in header.iter().zip(&row) {
            let number = name.ends_with("_ms") && cell.parse::<f64>().is_ok();
            if !number
                && cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
            {
                return refuse((name, cell));
            }
        }
    }
    Ok(())
}

/// What no document may hold, whatever it is.
fn is_inert(name: &str, text: &str) -> Result<(), String> {
    let deceptive = |c: &char| *c != '\n' && crate::text::safe(&c.to_string()) != c.to_string();
    // What a terminal would obey in JSON is spelled out when it is printed.
    if name != "json"
        && let Some(c) = text.chars().find(deceptive)
    {
        return refuse(c);
    }
    for line in text.lines() {
        let is_command = line.trim_start().strip_prefix("::").is_some_and(|l| l.contains("::"));
        // The text gets rid of them when it is printed, too.
        if is_command && !["annotations", "text"].contains(&name) {
            return refuse(line);
        }
        if name != "json" && line.contains("##[") {
            return refuse(line);
        }
    }
    Ok(())
}

/// A run in which these texts stand wherever others can write.
fn written_by_others(texts: &[String]) -> Report {
    let mut next = texts.iter().cycle().cloned();
    let mut take = || next.next().unwrap();
    let (mut run, mut turns) = answered();
    run.head.run_id = take();
    run.head.scenario_path = format!("x/{}", take());
    run.head.loadcall_version = take();
    run.head.server_url = take();
    for call in &mut run.calls {
        call.room = take();
        call.end.outcome = Outcome::AgentLeft;
        call.end.detail = take();
    }
    run.calls[3].end.detail = format!("turn `hours`: {}", take());
    for turn in &mut turns {
        turn.id = take();
        turn.heard_by_agent = Some(take());
        turn.reply_text = Some(take());
        turn.tools = vec![take()];
        turn.errors = vec![take()];
    }
    let reasons = [take(), take(), format!("differs from the baseline: {}", take())];
    let threshold = take();
    report_with(&run, &turns, |verdict| {
        verdict.outcome = Judgement::Regression;
        verdict.reasons = reasons.to_vec();
        verdict.comparison = Some(comparison_with_runs(402.0));
        verdict.thresholds[0].text.clone_from(&threshold);
    })
}

fn check(report: &Report) -> Result<(), String> {
    for (name, make, check) in FORMATS {
        let text = make(report);
        let told = |what: String| format!("{name}: {what}\n{}", crate::text::clipped(&text, 4_000));
        check(&text).map_err(told)?;
        is_inert(name, &text).map_err(told)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_others_write_is_only_text(
        texts in proptest::collection::vec(
            "([-`|*_~<>\\[\\]()!#&\\\\:=+@$\"'{}%\n\r\t ]|::|##\\[|http://x|<b>|-->|\\PC|\\pC|[a-c1]){0,40}",
            1..9,
        )
    ) {
        let outcome = check(&written_by_others(&texts));
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

#[test]
fn reports_of_every_kind_are_valid() {
    for (name, report) in all() {
        check(&report).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn a_megabyte_is_cut_where_people_read_it() {
    let report = written_by_others(&["x".repeat(1 << 20), "`".repeat(1 << 20)]);
    check(&report).unwrap();
    for (name, make, _) in FORMATS.iter().filter(|(name, ..)| !["json", "text"].contains(name)) {
        let text = make(&report);
        assert!(text.len() < 1 << 20, "{name}: {}", text.len());
    }
}
