//! Whether what a comparison says of itself holds: the slowdown that it finds, and the number of calls that settles it.

use super::super::compare::{Decision, Standing};
use super::nightly::{share, slack};
use super::trials::{Bench, baseline};
use super::worlds::{CALLS, Effect, World, four_questions, night};
use crate::random::SplitMix64;
use crate::verdict::figures::{Figure, Figures};
use crate::verdict::{Answer, Asked, Direction};

const TRIALS: u32 = 200;

/// The same run slower by so many times.
fn slower(run: &Figures, times: f64) -> Figures {
    let by = times.ln();
    let moved = |of: Figure| Figure { value: of.value + by, ..of };
    let steps = run.steps.iter().map(|(id, of)| (id.clone(), moved(*of))).collect();
    Figures { typical: run.typical.map(moved), slow: run.slow.map(moved), steps, ..run.clone() }
}

fn answer(decision: &Decision, asked: &Asked) -> Answer {
    let answers = decision.answers();
    answers.into_iter().find(|answer| answer.asked == *asked).expect("asked again")
}

/// How often each question finds the slowdown that it says it finds: in another run, against the same accepted runs
/// and against others; the typical turn, the slow turns and the first step.
fn found(bench: &Bench, pool: &[Figures], runs: usize, trials: u32) -> [[f64; 2]; 3] {
    let mut random = SplitMix64::for_purpose(runs as u64, 6);
    let mut counts = [[0_u32; 2]; 3];
    for _ in 0..trials {
        let nights = baseline(pool, 2 * runs + 3, None, &mut random);
        let (past, others) = (&nights[..runs], &nights[runs..2 * runs]);
        let [first, second, third] = [nights[2 * runs], nights[2 * runs + 1], nights[2 * runs + 2]];
        let said = bench.judge(past, first).answers();
        for (count, said) in counts.iter_mut().zip(&said) {
            let times = 1.0 + said.detectable_ms / said.baseline;
            for (count, (past, run)) in count.iter_mut().zip([(past, second), (others, third)]) {
                let again = answer(&bench.judge(past, &slower(run, times)), &said.asked);
                *count += u32::from(again.direction == Direction::Slower);
            }
        }
    }
    counts.map(|each| each.map(|count| f64::from(count) / f64::from(trials)))
}

#[test]
fn the_slowdown_that_is_said_to_be_found_is_found_in_nine_cases_of_ten() {
    let bench = Bench::new(four_questions());
    for (world, drift) in [
        (World::Lognormal, 0.0),
        (World::Lognormal, 0.05),
        (World::Unlike, 0.0),
        (World::Tools, 0.05),
        (World::Pareto, 0.0),
    ] {
        let pool = bench.pool((world, Effect::SAME), (CALLS, drift), 300);
        for runs in [1, 5, 7] {
            let found = found(&bench, &pool, runs, TRIALS);
            let name = format!("{}, nights differ by {drift}, {runs} runs", world.name());
            println!("{name}: {found:?}");
            // "About": chance of 200 trials, and what the other questions of a comparison take away or add.
            for [again, afresh] in found {
                assert!((0.9 - slack(0.9, TRIALS)..=0.98).contains(&again), "{name}: {found:?}");
                // Seven accepted runs do not know well how much runs differ, and five less.
                assert!(afresh >= 0.6, "{name}: {found:?}");
            }
        }
    }
}

/// Comparisons that name a number of calls, and how many of them are settled by so many.
#[derive(Debug, Default)]
struct Named {
    all: u32,
    settled: u32,
    calls: Vec<u32>,
}

/// Larger numbers of calls are named as well, and take too long to try.
const TRIED_UP_TO: f64 = 1_000.0;

fn named(bench: &Bench, (world, effect): (World, Effect), runs: usize, nights: u64) -> Named {
    let mut random = SplitMix64::for_purpose(runs as u64, 7);
    let usual = bench.pool((world, Effect::SAME), (CALLS, 0.0), 100);
    let tonight = bench.pool((world, effect), (CALLS, 0.0), nights);
    let is_unclear = |standing| matches!(standing, Standing::Unclear | Standing::Learning(_));
    let mut named = Named::default();
    for run in &tonight {
        let decision = bench.judge(&baseline(&usual, runs, None, &mut random), run);
        let unclear = is_unclear(decision.standing());
        let need = decision.calls_needed().filter(|need| unclear && *need <= TRIED_UP_TO);
        let Some(need) = need else { continue };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hundreds")]
        let calls = (need as u32).max(CALLS);
        let seed = 10_000_000 + u64::from(random.below(1_000_000)) * 100;
        let of = |effect, n| bench.figures(&night((world, effect), (calls, 0.0), seed + n));
        let again: Vec<Figures> = (0..runs as u64).map(|n| of(Effect::SAME, n)).collect();
        let again: Vec<&Figures> = again.iter().collect();
        let standing = bench.judge(&again, &of(effect, 50)).standing();
        named.all += 1;
        named.settled += u32::from(!is_unclear(standing));
        named.calls.push(calls);
    }
    named.calls.sort_unstable();
    named
}

#[test]
fn the_number_of_calls_that_is_named_settles_it_in_nine_cases_of_ten() {
    let bench = Bench::new(four_questions());
    // With one accepted run it is said what rules out a slowdown if there is none; with seven what settles it, which
    // a slowdown by twice what matters has to do, too.
    for (runs, effect, nights) in
        [(1, Effect::SAME, 120), (7, Effect::SAME, 600), (7, Effect::All(1.17), 300)]
    {
        for world in [World::Lognormal, World::Unlike] {
            let of = named(&bench, (world, effect), runs, nights);
            let settled = share(of.settled, of.all);
            let median = of.calls.get(of.calls.len() / 2);
            let name = format!("{}, {}, {runs} runs", world.name(), effect.name());
            println!("{name}: {} named, {settled:.2} settled, {median:?} calls", of.all);
            assert!(of.all >= 30 && settled >= 0.9 - slack(0.9, of.all), "{name}: {settled}");
        }
    }
}
