//! A recording and the agent's truth → the error of every kind of measurement.

use std::collections::BTreeMap;

use crate::agent::truth::{Happened, Truth};
use crate::agent::voice::Sound;
use crate::record::{CalibrationError, CallRecord, Observation, Run};
use crate::scenario::Scenario;
use crate::stats::{Point, Resampling, Sample, Statistic, deviation, interval_of, mean_interval};
use crate::time::Offset;
use crate::turn::{Reply, Span, Turn, turns};

/// How far an edge may be from the truth to be taken for it.
const NEAR_MS: f64 = 400.0;
/// The packet of a sample leaves this long after the sample was captured, when it is the first.
const PACKET: std::time::Duration = std::time::Duration::from_millis(20);

/// One measured value against the truth; `None`: it was there and not measured, or measured and not there.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    call: u32,
    error_ms: Option<f64>,
    sound: Option<Sound>,
}

/// What really happened in one call.
#[derive(Debug, Default)]
struct Real {
    spoke: Vec<(Sound, Offset)>,
    fell_silent: Vec<Offset>,
    caller_began: Vec<Offset>,
    caller_ended: Vec<Offset>,
}

/// The errors of `heard_e2e_latency`, `time_to_yield` and of every edge of a voice. Only what was
/// measured at least once is among them.
pub fn errors(
    run: &Run,
    scenario: &Scenario,
    truths: &[Truth],
    seed: u64,
) -> Vec<CalibrationError> {
    let found = all(run, scenario, truths);
    found.iter().filter_map(|(of, found)| summary(of, found, seed)).collect()
}

/// The error of `heard_e2e_latency` for each sound of the reply.
pub fn by_sound(
    run: &Run,
    scenario: &Scenario,
    truths: &[Truth],
    seed: u64,
) -> Vec<CalibrationError> {
    let all = all(run, scenario, truths);
    let heard = all.iter().find(|(of, _)| *of == HEARD).map_or(&[][..], |(_, found)| found);
    let of_sound = |sound: Sound| {
        let found: Vec<Found> =
            heard.iter().filter(|found| found.sound == Some(sound)).copied().collect();
        summary(sound.name(), &found, seed)
    };
    Sound::ALL.into_iter().filter_map(of_sound).collect()
}

const HEARD: &str = "heard_e2e_latency";

fn all(run: &Run, scenario: &Scenario, truths: &[Truth]) -> [(&'static str, Vec<Found>); 6] {
    let real = by_room(truths);
    let nothing = Real::default();
    let mut heard = Vec::new();
    let mut yields = Vec::new();
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    let (mut sent_begins, mut sent_ends) = (Vec::new(), Vec::new());
    for call in &run.calls {
        let id = call.id.0;
        let real = real.get(call.room.as_str()).unwrap_or(&nothing);
        let turns = turns(call, scenario);
        heard.extend(heard_errors(id, &turns, real));
        yields.extend(yield_errors(id, &turns, real));
        let voice = |is: fn(&Observation) -> bool| edges(call, is);
        let began = voice(|o| matches!(o, Observation::VoiceBegan));
        let ended = voice(|o| matches!(o, Observation::VoiceEnded));
        begins.extend(nearest(
            id,
            real.spoke.iter().map(|(sound, at)| (*at, Some(*sound))),
            &began,
        ));
        ends.extend(nearest(id, real.fell_silent.iter().map(|at| (*at, None)), &ended));
        let said = turns.iter().filter_map(|turn| turn.said);
        let (from, until): (Vec<_>, Vec<_>) =
            said.map(|s| ((s.from.plus(PACKET), None), (s.until.plus(PACKET), None))).unzip();
        sent_begins.extend(nearest(id, from.into_iter(), &real.caller_began));
        sent_ends.extend(nearest(id, until.into_iter(), &real.caller_ended));
    }
    [
        (HEARD, heard),
        ("time_to_yield", yields),
        ("voice_begin", begins),
        ("voice_end", ends),
        ("caller_voice_begin", sent_begins),
        ("caller_voice_end", sent_ends),
    ]
}

fn by_room(truths: &[Truth]) -> BTreeMap<&str, Real> {
    let mut rooms: BTreeMap<&str, Real> = BTreeMap::new();
    for truth in truths {
        let real = rooms.entry(&truth.room).or_default();
        match truth.what {
            Happened::Spoke { sound, at, .. } => real.spoke.push((sound, at)),
            Happened::FellSilent { at, .. } => real.fell_silent.push(at),
            Happened::CallerBegan { at } => real.caller_began.push(at),
            Happened::CallerEnded { at } => real.caller_ended.push(at),
            Happened::Joined { .. }
            | Happened::Caller { .. }
            | Happened::Rpc { .. }
            | Happened::Fault { .. }
            | Happened::Left { .. } => {}
        }
    }
    rooms
}

/// Turns in which the caller said something, each with when the next of them began.
fn said(turns: &[Turn]) -> Vec<(&Turn, Span, Option<Offset>)> {
    let said: Vec<_> = turns.iter().filter_map(|turn| Some((turn, turn.said?))).collect();
    let next = said.iter().skip(1).map(|(_, next)| Some(next.from)).chain([None]);
    said.iter().zip(next).map(|((turn, said), next)| (*turn, *said, next)).collect()
}

/// Turns and what the agent did are joined by time: how the agent counts turns is its own opinion, and
/// on a machine that stands still in the middle of a question it takes the rest for another turn.
fn within<T>(
    happened: &[T],
    at: impl Fn(&T) -> Offset,
    from: Offset,
    until: Option<Offset>,
) -> Option<&T> {
    happened.iter().find(|h| at(h) >= from && until.is_none_or(|until| at(h) < until))
}

/// A reply that was heard where the agent said nothing counts as missed, as one that was not heard does.
fn heard_errors(call: u32, turns: &[Turn], real: &Real) -> Vec<Found> {
    said(turns)
        .into_iter()
        .filter_map(|(turn, said, next)| {
            let spoke = within(&real.spoke, |(_, at)| *at, said.from, next);
            let truth = |at: Offset| at.ms_since(said.until);
            let error_ms = match (turn.reply, spoke) {
                (Reply::Heard { latency_ms, .. }, Some((_, at))) => Some(latency_ms - truth(*at)),
                (Reply::Heard { .. }, None) | (Reply::Unanswered { .. }, Some(_)) => None,
                _ => return None,
            };
            Some(Found { call, error_ms, sound: spoke.map(|(sound, _)| *sound) })
        })
        .collect()
}

/// As [`heard_errors`].
fn yield_errors(call: u32, turns: &[Turn], real: &Real) -> Vec<Found> {
    said(turns)
        .into_iter()
        .filter_map(|(turn, said, next)| {
            let fell = within(&real.fell_silent, |at| *at, said.from, next);
            let truth = |at: Offset| at.ms_since(said.from);
            let error_ms = match (turn.reply, fell) {
                (Reply::Yielded { yield_ms }, Some(at)) => Some(yield_ms - truth(*at)),
                (Reply::Yielded { .. }, None) | (Reply::DidNotYield { .. }, Some(_)) => None,
                _ => return None,
            };
            Some(Found { call, error_ms, sound: None })
        })
        .collect()
}

fn edges(call: &CallRecord, is: fn(&Observation) -> bool) -> Vec<Offset> {
    call.log.iter().filter(|s| is(&s.what)).map(|s| s.at).collect()
}

/// Every true edge with the measured one closest to it.
fn nearest(
    call: u32,
    truths: impl Iterator<Item = (Offset, Option<Sound>)>,
    measured: &[Offset],
) -> Vec<Found> {
    truths
        .map(|(truth, sound)| {
            let error = measured
                .iter()
                .map(|at| at.ms_since(truth))
                .min_by(|a, b| a.abs().total_cmp(&b.abs()));
            Found { call, error_ms: error.filter(|ms| ms.abs() <= NEAR_MS), sound }
        })
        .collect()
}

fn summary(of: &str, found: &[Found], seed: u64) -> Option<CalibrationError> {
    let how = Resampling { resamples: 2_000, seed };
    let sample = |size: fn(f64) -> f64| {
        Sample::new(found.iter().filter_map(|found| {
            let value = size(found.error_ms?);
            Some(Point { value, censored: false, cluster: found.call, stratum: 0 })
        }))
    };
    let (signed, sizes) = (sample(|ms| ms)?, sample(f64::abs)?);
    let errors: Vec<f64> = found.iter().filter_map(|found| found.error_ms).collect();
    let bias = mean_interval(&signed, &how);
    let p99 = interval_of(&sizes, Statistic::Quantile(99.0), &how);
    let missed = found.len() - errors.len();
    Some(CalibrationError {
        of: of.into(),
        n: errors.len() as u64,
        missed: missed as u64,
        bias_ms: bias.point,
        bias_low_ms: bias.low,
        bias_high_ms: bias.high,
        sd_ms: deviation(&errors),
        p50_ms: signed.quantile(50.0).value,
        abs_p95_ms: sizes.quantile(95.0).value,
        abs_p99_ms: p99.point,
        abs_p99_low_ms: p99.low,
        abs_p99_high_ms: p99.high,
        abs_max_ms: sizes.max().value,
    })
}
