//! Every text for people on narrow and wide terminals, of recordings of real runs: no column that decides is cut or
//! given up.

use super::*;
use crate::measured::Measured;
use crate::record::{Calibration, CalibrationError, Host, store};
use crate::report::Report;
use crate::report::paired::PairedReport;
use crate::scenario::Scenario;
use crate::turn::{Analysis, analyse};
use crate::verdict::noise::Noise;
use crate::verdict::{Baseline, Judged, JudgedPair, Mismatch};
use std::collections::BTreeMap;
use std::path::Path;

const WIDTHS: [usize; 5] = [60, 70, 80, 90, 100];
const PLACE: &str = "reports/20261124-120000-greeting";
const NIGHTS: [&str; 5] = ["nights/1", "nights/2", "nights/3", "nights/4", "nights/5"];

fn example(name: &str) -> (Scenario, Analysis) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name);
    let run = store::read(&folder).unwrap();
    let scenario = Scenario::parse(&run.head.scenario_text).unwrap();
    let analysis = analyse(&run, &scenario);
    (scenario, analysis)
}

/// A slower run, against one accepted run or five.
fn compared(nights: &[&str]) -> Report {
    let accepted = nights.iter().map(|name| {
        let (scenario, run) = example(name);
        Baseline::accept(&run, &scenario, "2026-11-25T00:00:00Z").unwrap()
    });
    let baseline = accepted.reduce(|before, this| before.with(this, 7).unwrap());
    Report::new(Judged::judge(example("slower"), baseline.as_ref(), Mismatch::Refuse, 1))
}

fn noise() -> Noise {
    let runs: Vec<Measured> = NIGHTS
        .iter()
        .map(|name| {
            let (scenario, run) = example(name);
            Measured::take(&run, &scenario, true)
        })
        .collect();
    Noise::measure(example(NIGHTS[0]).0.baseline(), &runs).unwrap()
}

fn calibration() -> Calibration {
    let error = |of: &str, size: f64| CalibrationError {
        of: of.to_owned(),
        n: 1_234,
        missed: 0,
        bias_ms: -size,
        bias_low_ms: -size * 1.1,
        bias_high_ms: -size * 0.9,
        sd_ms: size,
        p50_ms: -size,
        abs_p95_ms: size * 2.0,
        abs_p99_ms: size * 3.0,
        abs_p99_low_ms: size * 2.5,
        abs_p99_high_ms: size * 4.0,
        abs_max_ms: size * 5.0,
    };
    Calibration {
        at: "2026-11-25T00:00:00Z".into(),
        loadcall_version: "0.1.0".into(),
        host: Host { os: "linux".into(), cpus: 2 },
        concurrency: 50,
        calls: 100,
        loss_percent: 1.0,
        jitter_ms: 20.0,
        errors: vec![error("heard_e2e_latency", 1.4), error("caller_voice_begin", 123.4)],
    }
}

/// What decides in a text: its intervals, and its words of change.
fn deciding(text: &str) -> BTreeMap<String, usize> {
    // Running text is wrapped elsewhere at another width.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = BTreeMap::new();
    let mut add = |what: &str, n| *found.entry(what.to_owned()).or_insert(0) += n;
    for part in text.split('[').skip(1).filter_map(|part| Some(part.split_once(']')?.0)) {
        add(part, 1);
    }
    for word in ["slower", "faster", "no change", "uncertain", "(primary)", "A/B pairs", "|max|"] {
        add(word, text.matches(word).count());
    }
    found
}

fn check(name: &str, render: impl Fn(usize) -> String) {
    let wide = deciding(&render(100));
    assert!(wide.keys().any(|what| what.contains('…')), "{name} has intervals: {wide:?}");
    for width in WIDTHS {
        let text = render(width);
        assert_eq!(deciding(&text), wide, "{name} at {width}\n{text}");
        let copied = |line: &&str| line.starts_with("    loadcall ") || line.trim() == PLACE;
        for line in text.lines().filter(|line| !copied(line)) {
            let columns = unicode_width::UnicodeWidthStr::width(line);
            assert!(columns <= width && !line.ends_with('…'), "{name} at {width}: {line}\n{text}");
        }
    }
}

#[test]
fn what_decides_stands_at_every_width() {
    for nights in [&NIGHTS[..1], &NIGHTS] {
        let report = compared(nights);
        check("run", |width| render(&report, Colour::Never, width, PLACE));
    }
    let pair = PairedReport::new(&JudgedPair::judge(example("ab/a"), example("ab/b"), 1));
    check("ab", |width| paired::render(&pair, Colour::Never, width, PLACE));
    let noise = noise();
    check("noise", |width| noise::render(&noise, Colour::Never, width));
    let calibration = calibration();
    let shown = calibration::Shown {
        calibration: &calibration,
        sounds: &calibration.errors,
        answered: 100,
    };
    check("calibration", |width| calibration::render(shown, Colour::Never, width));
}

#[test]
fn a_narrow_comparison_reads_well() {
    let report = compared(&NIGHTS);
    let text = render(&report, Colour::Never, 60, PLACE);
    let from = text.find("compared with").unwrap();
    let narrow: Vec<&str> = text[from..].lines().take(12).collect();
    insta::assert_snapshot!(narrow.join("\n"));
}

#[test]
fn a_command_to_copy_is_on_one_line_at_every_width() {
    let report = compared(&NIGHTS);
    for width in WIDTHS {
        let text = render(&report, Colour::Never, width, PLACE);
        let command = format!("\n    loadcall accept --replace {PLACE}\n");
        assert!(text.contains(&command), "{width}: {text}");
    }
}

#[test]
fn a_calibration_of_few_calls_has_no_intervals() {
    let calibration = Calibration { calls: 4, ..calibration() };
    let shown = calibration::Shown { calibration: &calibration, sounds: &[], answered: 4 };
    let text = calibration::render(shown, Colour::Never, 100);
    assert!(text.contains("no intervals") && !text.contains('['), "{text}");
}
