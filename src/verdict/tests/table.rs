//! The whole table of what verdicts are worth. `make judging` makes a page of the docs of it.

use std::fmt::Write as _;
use std::thread;

use super::fifty;
use super::trials::{Bench, Tally};
use super::worlds::{CALLS, Effect, World, four_questions};

/// Trials of an agent that did not change, and of one that did.
const SAME: usize = 1_000;
const CHANGED: usize = 400;

const EFFECTS: [Effect; 11] = [
    Effect::SAME,
    Effect::All(1.1),
    Effect::All(1.2),
    Effect::All(0.8),
    Effect::Tail(2.0),
    Effect::Tail(3.0),
    Effect::LastTurn(1.5),
    Effect::Unanswered(0.02),
    Effect::Unanswered(0.1),
    Effect::SlowCallsDropped,
    Effect::FasterAndFailing,
];

const INTRODUCTION: &str = "\
# How often verdicts are right, in full

`make judging` makes this page, from the code that judges runs ([what it means](judging.md)).

Simulated nights of 30 calls × 4 turns in eight worlds, against 7, 5 and 1 accepted runs; 1,000 trials a row of an agent that did not change, \
400 of one that did. In %: how often it is called worse, with the exact 95 % interval of that; then no worse / inconclusive, or \
learning / better.";

/// Shares of the other outcomes.
fn others(tally: &Tally) -> String {
    let percent = |of| tally.share(of) * 100.0;
    format!(
        "{:.0} / {:.0} / {:.0}",
        percent(tally.pass),
        percent(tally.unclear),
        percent(tally.better)
    )
}

/// The section of one world.
fn section(world: World) -> String {
    let bench = Bench::new(four_questions());
    let mut text = format!(
        "\n## {}\n\n{}\n\n| nights differ by | the agent | 7 runs: worse | others | 5 runs: worse | others | 1 run: worse | others \
         |\n|---|---|---|---|---|---|---|---|\n",
        world.name(),
        world.definition()
    );
    for drift in [0.0, 0.05, 0.1] {
        let usual = bench.pool((world, Effect::SAME), (CALLS, drift), SAME as u64);
        for effect in EFFECTS {
            let judged = bench.pool((world, effect), (CALLS, drift), CHANGED as u64);
            let same = effect == Effect::SAME;
            let (judged, of) = if same { (&usual, SAME) } else { (&judged, CHANGED) };
            let cells = [7, 5, 1].map(|runs| {
                let tally = bench.trials((&usual, judged), runs, (effect, of));
                let [worse, low, high] = tally.worse();
                format!("{worse:.1} [{low:.1}\u{2013}{high:.1}] | {}", others(&tally))
            });
            let percent = drift * 100.0;
            let _ =
                writeln!(text, "| {percent:.0} % | {} | {} |", effect.name(), cells.join(" | "));
        }
    }
    text
}

#[test]
#[ignore = "takes minutes; `make judging` runs it"]
fn the_whole_table() {
    let (first, second) = World::ALL.split_at(World::ALL.len() / 2);
    let sections = |worlds: &'static [World]| {
        thread::spawn(move || worlds.iter().map(|world| section(*world)).collect::<String>())
    };
    let halves = [first, second].map(sections);
    let text: String = halves.map(|half| half.join().expect("a section")).concat();
    println!("\n{INTRODUCTION}\n{text}\n{}\n<!-- the end -->", fifty::table());
}
