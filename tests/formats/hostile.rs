//! Recordings in which the texts of agent, server, scenario and files try to be more than text.

use serde_json::Value;
use std::path::Path;

/// A name that a folder can have.
pub(crate) const FILE_NAME: &str =
    "a <script>alert(1)<x> [x](y) `|` ::error::no\n::error::forged\n##[error] \u{202e}\u{1b}[31m";

/// Rounds in which every place has had several of the texts.
pub(crate) const ROUNDS: usize = 3;

/// What is tried: HTML, Markdown, XML, terminal sequences, direction marks, commands of build machines, formulas, the
/// end of a document, and a megabyte.
pub(crate) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "</details></td></table></code><h1>PASS</h1><!-- ",
        "[PASS](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example>",
        "www.evil.example https://evil.example me@evil.example @octocat #1 :tada: $x$ mailto:a@b.c",
        "| a | b |\n|---|---|\n| c | d |\n\n# PASS\n\n- [ ] x\n***\n===\n1. x",
        "`` ` ``` `|` \\` \\| a|b\\",
        "\n\n```\ncode\n```\n~~~\n<details>",
        "**bold** __bold__ ~~no~~ [^1] [x]: https://evil.example",
        "]]><a xml=\"1\" b='2'/>&#0;&amp;&lt; <!DOCTYPE x [<!ENTITY y \"z\">]>&y;",
        "\u{0}\u{1}\u{8}\u{b}\u{c}\u{1f}\u{7f}\u{85}\u{9b}\u{fffe}\u{ffff}\u{feff}",
        "\u{1b}[31mPASS\u{1b}[0m\u{1b}]0;title\u{7}\u{1b}]8;;http://evil.example\u{7}link\u{9b}2J",
        "\u{202e}SSAP\u{202c}\u{200b}\u{200d}\u{2066}\u{61c}\u{e0041}\u{2028}\u{2029}",
        "a\n::error::forged\r\n  ::stop-commands::x\n\u{a0}::add-mask::y\n::set-output name=a::b",
        "x ##[error]forged ##[add-mask]y ###[group] ##vso[task.complete]z ##teamcity[x]",
        "::error file=x,title=a::%0A::error::b%25",
        "=HYPERLINK(\"https://evil.example\",\"PASS\")",
        "  +1+cmd|' /C calc'!A0",
        "-1+1",
        "@SUM(1+1)",
        "\t=1\r=1",
        "＝1+1",
        "\"} 1\n# EOF\nloadcall_verdict{x=\"y\"} 1\n",
        "\\\" \\n \\ \",\",\"\"",
        "'';\";\n\",x",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(1 << 20));
    texts.push("`|<#".repeat(1 << 18));
    texts.push("::error::x ".repeat(40));
    texts
}

/// One of the texts.
pub(crate) fn text(number: usize) -> String {
    let texts = texts();
    texts[number % texts.len()].clone()
}

/// What others can write freely into a recording.
const FREE: [&str; 15] = [
    "room",
    "room_sid",
    "identity",
    "text",
    "detail",
    "model",
    "provider",
    "sdk",
    "sdk_version",
    "run_id",
    "loadcall_version",
    "scenario_path",
    "server_url",
    "os",
    "region",
];
/// Outcomes that a failing call can have.
const OUTCOMES: [&str; 5] =
    ["no_agent", "agent_left", "no_answer", "connection_lost", "no_greeting"];

/// Copies a recording with hostile texts wherever there is a free one, others in each round.
pub(crate) fn record(from: &Path, to: &Path, round: usize) {
    let texts = texts();
    // Every place takes the next text.
    let (mut next, mut long) = (round * 7, 0);
    let mut take = || {
        next += 1;
        let text = &texts[next % texts.len()];
        // A few megabytes are as good as many.
        long += usize::from(text.len() > 10_000);
        if text.len() > 10_000 && long > 4 { "x".to_owned() } else { text.clone() }
    };
    let mut lines = Vec::new();
    let recording = std::fs::read_to_string(from.join("run.jsonl")).unwrap();
    for (index, line) in recording.lines().enumerate() {
        let mut value: Value = serde_json::from_str(line).unwrap();
        spoil(&mut value, &mut take);
        if let Some(head) = value.pointer_mut("/run/head") {
            let scenario = head["scenario_text"].as_str().unwrap();
            let said = serde_json::to_string("a <b> | `x` ::error::y \u{202e}=1").unwrap();
            let agent = serde_json::to_string("<script>=1 | `x` ::error::y").unwrap();
            let wanted = format!("responds, within: 8s, text: {{contains: {said}}}");
            head["scenario_text"] = scenario
                .replace("name: demo-agent", &format!("name: {agent}"))
                .replace("\"What are your opening hours?\"", &said)
                .replace("responds, within: 8s", &wanted)
                .into();
        }
        if let Some(call) = value.get_mut("call") {
            let error = serde_json::json!({"session": {"error": {"message": take()}}});
            let at = call["log"][20]["at"].clone();
            let entries = call["log"].as_array_mut().unwrap();
            entries.insert(21, serde_json::json!({"at": at, "is": error}));
            // The first calls fail, each in its way.
            if let Some(outcome) = OUTCOMES.get(index.wrapping_sub(1)) {
                call["end"]["outcome"] = (*outcome).into();
            }
        }
        lines.push(value.to_string());
    }
    std::fs::create_dir(to).unwrap();
    std::fs::write(to.join("run.jsonl"), lines.join("\n") + "\n").unwrap();
}

fn spoil(value: &mut Value, take: &mut impl FnMut() -> String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if value.is_string() && FREE.contains(&key.as_str()) {
                    *value = take().into();
                } else {
                    spoil(value, take);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, take)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
