//! Texts that nobody in good faith wrote: none may panic, take for ever or draw outside of itself.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use super::GREETING;

/// Parses and draws; says how many faults there were.
fn survives(text: &str) -> usize {
    let Err(faults) = Scenario::parse(text) else { return 0 };
    for fault in &faults {
        assert!(text.get(fault.span.clone()).is_some(), "{fault:?} in {text:?}");
    }
    for style in [Style::Plain, Style::Coloured] {
        let drawn = faults.render("hostile.yaml", text, style);
        assert!(drawn.contains("hostile.yaml:"), "{drawn}");
    }
    faults.len()
}

fn code(text: &str) -> &'static str {
    assert_eq!(survives(text), 1);
    let faults = Scenario::parse(text).expect_err("one fault");
    faults.iter().map(|fault| fault.code).next().expect("one fault")
}

#[test]
fn too_much_of_anything_is_refused() {
    let many = 1 << 18;
    for text in [
        "[".repeat(many),
        "{a: ".repeat(many),
        "- ".repeat(many),
        "? ".repeat(many),
        "a: 1\n".repeat(many / 2),
        "# comment\n".repeat(many),
        format!("[{}]", "[],".repeat(many)),
    ] {
        let found = code(&text);
        assert_eq!(found, "scenario::too_large", "{}", &text[..8]);
    }
}

#[test]
fn aliases_do_not_multiply() {
    use std::fmt::Write as _;
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{below}]").expect("a String takes everything");
    }
    assert_eq!(code(&bomb), "scenario::too_large");
}

#[test]
fn a_long_line_of_faults_is_drawn_in_part() {
    let text = format!(
        "version: 1\nname: a\nturns: [{{id: a, silence: 2s}}]\nagent: {{name: m, metadata: [{}]}}\n",
        "no,".repeat(10_000)
    );
    let faults = Scenario::parse(&text).expect_err("every item is ambiguous");
    assert_eq!(faults.len(), 10_000);
    let drawn = faults.render("hostile.yaml", &text, Style::Plain);
    assert!(drawn.ends_with("… and 9900 more"), "{}", &drawn[drawn.len() - 200..]);
    assert!(drawn.len() < 100_000, "{}", drawn.len());
}

#[test]
fn a_fault_far_along_a_line_is_drawn_with_its_column() {
    let pad = "x".repeat(30_000);
    let text = format!(
        "version: 1\nname: a\nturns: [{{id: a, silence: 2s}}]\nagent: {{name: m, metadata: [\"é{pad}\", no, \"{pad}\"]}}\n"
    );
    assert_eq!(survives(&text), 1);
    let faults = Scenario::parse(&text).expect_err("an ambiguous scalar");
    insta::assert_snapshot!(faults.render("a.yaml", &text, Style::Plain));
}

#[test]
fn control_characters_reach_no_terminal() {
    for text in [
        "version: 1\nname: \"\\e[31mred\\e[0m\"\nturns: [{id: a, silence: 2s}]\n",
        "version: 1\nname: a\n\"\\e]8;;http://x\\a\": 1\nturns: [{id: a, silence: 2s}]\n",
        "version: 1\nname: a\nturns: [{id: \"\\u202Ea\\r\\n\", silence: \"\\e[2J\"}]\n",
        "version: 1\nname: a\n\u{202e}b: \u{200b}c\nturns: [{id: a, silence: \u{85}2s}]\n",
    ] {
        let faults = Scenario::parse(text).expect_err("control characters");
        let drawn = faults.render("\u{1b}[31m.yaml", text, Style::Plain);
        let hidden =
            |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!drawn.contains(hidden), "{drawn:?}");
    }
}

/// Pieces that mean something to YAML or to a scenario.
const PIECES: &[&str] = &[
    "version: 1\n",
    "name: a\n",
    "turns:\n",
    "turns: [",
    "- ",
    "  - ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "\n",
    "\n  ",
    "\n\t",
    "\r\n",
    "id: a",
    "say: ",
    "silence: ",
    "expect: ",
    "start: ",
    "agent: ",
    "within: ",
    "speaks",
    "yields",
    "2s",
    "99h",
    "-1ms",
    "no",
    "012",
    "1:30",
    "1e999",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "#",
    " #",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "!x ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\u{feff}",
    "é",
    "𝄞",
    "\0",
    "thresholds: ",
    "heard_e2e_latency",
    "calls_ok",
    "p(95)<2s",
    "rate>",
    "<=",
    "load: ",
    "executor: ",
    "repeat",
    "calls: ",
    "concurrency: ",
    "baseline: ",
    "primary: ",
    ".p50",
    "8%",
    "metadata: ",
    "18446744073709551616",
];

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(select(PIECES), 0..40)) {
        survives(&pieces.concat());
    }

    #[test]
    fn a_good_file_with_a_hole_and_a_patch(
        at in 0..GREETING.len(),
        hole in 0..20_usize,
        patch in prop::collection::vec(select(PIECES), 0..4),
    ) {
        let end = (at + hole).min(GREETING.len());
        let text = format!("{}{}{}", &GREETING[..at], patch.concat(), &GREETING[end..]);
        survives(&text);
    }

    #[test]
    fn a_fault_can_be_drawn_over_any_source(
        source in any::<String>(),
        start in 0..200_usize,
        length in 0..200_usize,
    ) {
        let clip = ClipRef { file: source.clone(), text: None, take: Take::default(), span: start..start + length };
        Fault::missing_clip(&clip, source.clone()).render(&source, &source, Style::Plain);
        Fault::bad_clip(&clip, &source, Some(source.clone())).render(&source, &source, Style::Coloured);
    }

    #[test]
    fn any_threshold(text in "[pmraten0-9()<>=!.%s ]{0,16}|\\PC{0,8}") {
        for metric in [Metric::HeardE2eLatency, Metric::CallsOk] {
            match threshold::parse(metric, &text) {
                Ok(read) => prop_assert!(read.limit.is_finite() && read.limit >= 0.0),
                Err(error) => prop_assert!(text.get(error.at).is_some()),
            }
        }
    }
}
