//! The HTML report in a real browser: pages are rendered here, and `tests/page/check.mjs` opens them in headless
//! Chromium. That browser is what `make browser` installs into `.tools/page`.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test of files and processes"
)]

mod page {
    pub(crate) mod recording;
}

use loadcall::measured::Measured;
use loadcall::record::Run;
use loadcall::record::audio::Kept;
use loadcall::record::store;
use loadcall::report::Report;
use loadcall::report::html::{self, Page};
use loadcall::scenario::Scenario;
use loadcall::turn::{Lanes, analyse};
use loadcall::verdict::{Baseline, Judged, Mismatch};
use page::recording::{Fate, Made, SCENARIO, keep};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The script that looks at a page, and what it needs.
const BROWSER: &str = ".tools/page/node_modules/puppeteer-core";

/// The folder of the project.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether there is a browser; where live tests are required there has to be one.
fn has_browser() -> bool {
    let is_there = root().join(BROWSER).exists();
    let required = std::env::var_os("LOADCALL_REQUIRE_LIVE").is_some();
    assert!(is_there || !required, "there is no browser: run `make browser`");
    if !is_there {
        eprintln!("skipped: there is no browser (`make browser` installs one)");
    }
    is_there
}

/// Renders the page of a run into `folder`, with this much of its audio inside.
fn render(run: &Run, baseline: Option<&Baseline>, kept: &[Kept], audio_bytes: u64, folder: &Path) {
    let scenario = Scenario::parse(&run.head.scenario_text).unwrap();
    let lanes: Vec<Lanes> = run.calls.iter().map(|call| Lanes::of(call, &scenario)).collect();
    let analysis = analyse(run, &scenario);
    let judged = Judged::judge((scenario, analysis), baseline, Mismatch::Refuse, 1);
    let report = Report::new(judged);
    let page = Page { report: &report, baseline, kept, audio_bytes, spans: &[] };
    let out = fs::File::create(folder.join("report.html")).unwrap();
    let audio = |kept: &Kept| kept.read(folder).ok();
    html::write(page, lanes.into_iter().map(Ok), audio, std::io::BufWriter::new(out)).unwrap();
}

fn made(id: &str, calls: u32, fate: fn(u32) -> Fate, model_ms: f64, seed: u64) -> Made {
    let scenario = SCENARIO.replace("calls: 12", &format!("calls: {calls}"));
    Made { id: id.to_owned(), calls, fate, model_ms, seed, words: None, scenario }
}

/// Five accepted runs of an agent whose model takes 320 ms.
fn baseline() -> Baseline {
    let take = |seed: u64| {
        let run = made(&format!("night-{seed}"), 12, |_| Fate::Fine, 320.0, seed).run();
        let scenario = Scenario::parse(&run.head.scenario_text).unwrap();
        Baseline::from_run(Measured::take(&analyse(&run, &scenario), &scenario, true))
    };
    (2..=5).fold(take(1), |so_far, seed| so_far.with(take(seed), 7).unwrap())
}

fn fates(id: u32) -> Fate {
    match id {
        3 | 8 => Fate::Silent,
        5 => Fate::SpeaksOn,
        6 => Fate::Wrong,
        10 => Fate::NoAgent,
        _ => Fate::Fine,
    }
}

/// Text that would do something wherever it is not text.
fn hostile() -> String {
    let tricks = [
        "<script>window.pwned=1</script>",
        "<img src=x onerror=window.pwned=1>",
        "</script><script>window.pwned=1</script>",
        "</title></style><svg onload=window.pwned=1>",
        "<a href=\"javascript:window.pwned=1\">x</a> [y](javascript:window.pwned=1)",
        "\" onmouseover=\"window.pwned=1\" '",
        "&lt;b&gt; <!-- ]]> -->",
        "\u{1b}[31mred\u{1b}]8;;http://evil.example\u{7}link",
        "\u{202e}desrever \u{2066}isolated \u{200b}hidden\u{0}\u{85}",
    ];
    tricks.join(" ")
}

fn check(pages: &[(&str, PathBuf)]) {
    let place = |(name, folder): &(&str, PathBuf)| {
        let mut place = OsString::from(format!("{name}="));
        place.push(folder.join("report.html"));
        place
    };
    let node = Command::new("node")
        .arg(root().join("tests/page/check.mjs"))
        .arg(root().join(".tools/page"))
        .args(pages.iter().map(place))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&node.stdout);
    assert!(node.status.success(), "{said}{}", String::from_utf8_lossy(&node.stderr));
    eprint!("{said}");
}

/// One after another: a browser that shares its machine is slow, and what is slow is part of the test.
#[test]
fn pages_are_right_in_a_browser() {
    if !has_browser() {
        return;
    }
    let keep_folder = std::env::var_os("LOADCALL_PAGES");
    let temporary = tempfile::tempdir().unwrap();
    let all = keep_folder.as_ref().map_or(temporary.path(), Path::new);
    let folder = |name: &str| {
        let folder = all.join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    };

    let example = folder("example");
    render(&store::read(&root().join("reports/example")).unwrap(), None, &[], 0, &example);

    let judged = folder("judged");
    let baseline = baseline();
    let run = made("tonight", 12, fates, 690.0, 6).run();
    let kept: Vec<Kept> = run.calls.iter().map(|call| keep(call, &judged)).collect();
    // Room for some of them: the others are linked.
    let some: u64 = kept.iter().map(|kept| kept.bytes).sum();
    render(&run, Some(&baseline), &kept, some, &judged);

    let large = folder("large");
    let mut of = made(
        "thousand",
        1_000,
        |id| if id % 97 == 3 { Fate::Silent } else { Fate::Fine },
        400.0,
        7,
    );
    of.words = Some("We are open on Sundays from ten in the morning until six in the evening, and the car park is free.".to_owned());
    render(&of.run(), None, &[], 0, &large);
    let bytes = fs::metadata(large.join("report.html")).unwrap().len();
    assert!(bytes < 5_000_000, "the page of 1,000 calls has {bytes} bytes");

    let bad = folder("hostile");
    let mut of = made(&hostile(), 12, fates, 400.0, 8);
    of.words = Some(hostile().repeat(1_000_000 / hostile().len() + 1));
    // A scenario holds no control characters.
    let text: String = hostile().chars().filter(|c| !c.is_control()).collect();
    let quoted = serde_json::to_string(&text).unwrap();
    of.scenario = of.scenario.replace("\"And is there somewhere to park?\"", &quoted);
    let mut run = of.run();
    run.head.scenario_path = hostile();
    run.head.server_url = hostile();
    for call in &mut run.calls {
        call.room = hostile();
        call.end.detail = hostile();
    }
    // A call that says that it lasted thirty years.
    run.calls[3].end.at = run.calls[3].dialled.plus_micros(1_000_000_000_000_000);
    render(&run, Some(&baseline), &[], 0, &bad);
    let bytes = fs::metadata(bad.join("report.html")).unwrap().len();
    assert!(bytes < 1_000_000, "the page of a hostile run has {bytes} bytes");
    let text = fs::read_to_string(bad.join("report.html")).unwrap();
    let hides = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}')
    };
    assert!(!text.contains(hides), "nothing in the page hides or turns");
    check(&[("example", example), ("judged", judged), ("large", large), ("hostile", bad)]);
}
