//! Gathered sessions as distributions.

use std::collections::BTreeMap;

use super::Gathered;
use super::representative::{Against, Synthetic, compare};
use super::session::{Session, Trouble, stages};
use crate::scenario::Metric;
use crate::stats::{Interval, Point, Rate, Resampling, Sample, Statistic, interval_of};

/// The least number of values for a 95th percentile: of fewer it is the slowest one.
const FOR_P95: usize = 20;
/// Values and sessions below which a median has no interval.
const FOR_INTERVAL: usize = 10;
const SESSIONS_FOR_INTERVAL: usize = 5;

/// Which of the gathered sessions.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// Sessions of an agent of this name.
    pub agent: Option<&'a str>,
    /// How many of the slowest are listed.
    pub slowest: usize,
}

/// Sessions as distributions. Times are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary<'a> {
    /// Sessions that count, of which all was read of `whole`.
    pub sessions: usize,
    pub whole: usize,
    /// Sessions that loadcall placed, and those of other agents; left out.
    pub ours: usize,
    pub of_others: usize,
    /// Agents that were met, with the number of their sessions.
    pub agents: BTreeMap<&'a str, usize>,
    pub stages: Vec<StageRow>,
    /// Turns of the agent, those that were interrupted, and the sessions with such a turn.
    pub turns: u64,
    pub interrupted: u64,
    pub interrupted_sessions: usize,
    /// Sessions with each trouble.
    pub troubles: Vec<(Trouble, usize)>,
    pub tokens: Option<Tokens>,
    pub costs: Option<Costs>,
    pub slowest: Vec<Slow<'a>>,
    /// Values that cannot be true.
    pub dropped: u64,
}

/// One stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StageRow {
    pub metric: Metric,
    /// Values, and the sessions they come from.
    pub n: usize,
    pub sessions: usize,
    pub p50: f64,
    /// 95 %, by resampling sessions; `None` when there are too few.
    pub p50_interval: Option<Interval>,
    /// `None` when there are fewer than 20 values.
    pub p95: Option<f64>,
    pub max: f64,
    pub against: Option<Against>,
}

/// Tokens of a whole session, by those that count them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tokens {
    pub sessions: usize,
    pub input_p50: f64,
    pub output_p50: f64,
    pub input_p95: Option<f64>,
    pub output_p95: Option<f64>,
}

/// What the requests to the LLM of a whole session cost, in US dollars, where Langfuse knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Of the whole sessions with such requests.
    pub known: usize,
    pub of: usize,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub sum: f64,
}

/// A slow session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slow<'a> {
    pub id: &'a str,
    pub session: &'a Session,
    pub worst_ms: f64,
}

impl Summary<'_> {
    /// The share of sessions that are counted, with its exact interval.
    pub fn share(&self, sessions: usize) -> Rate {
        let whole = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Rate { hits: whole(sessions), n: whole(self.sessions) }
    }
}

impl Gathered {
    /// The distributions, beside those of simulated calls if there are any.
    pub fn summary<'a>(
        &'a self,
        filter: Filter<'a>,
        synthetic: Option<&Synthetic>,
        how: &Resampling,
    ) -> Summary<'a> {
        let mut agents = BTreeMap::new();
        for (_, session) in self.theirs() {
            for agent in &session.agents {
                *agents.entry(agent.as_str()).or_default() += 1;
            }
        }
        let all = self.theirs().count();
        let chosen: Vec<(&str, &Session)> = self.chosen(filter.agent).collect();
        let samples = samples(&chosen);
        let mut against =
            synthetic.map_or_else(BTreeMap::new, |synthetic| compare(&samples, synthetic, how));
        let row = |(metric, sample): (&Metric, &Sample)| {
            stage(*metric, sample, against.remove(metric), how)
        };
        let mut rows: Vec<StageRow> = samples.iter().map(row).collect();
        rows.sort_by_key(|row| stages().position(|metric| metric == row.metric));
        let sessions = chosen.iter().map(|(_, session)| *session);
        let whole = || sessions.clone().filter(|session| session.whole);
        let with = |is: &dyn Fn(&Session) -> bool| sessions.clone().filter(|s| is(s)).count();
        let sum = |of: fn(&Session) -> u32| sessions.clone().map(|s| u64::from(of(s))).sum();
        Summary {
            sessions: chosen.len(),
            whole: whole().count(),
            ours: self.sessions.len() - all,
            of_others: all - chosen.len(),
            agents,
            stages: rows,
            turns: sum(|s| s.turns),
            interrupted: sum(|s| s.interrupted),
            interrupted_sessions: with(&|s| s.interrupted > 0),
            troubles: Trouble::ALL
                .into_iter()
                .map(|trouble| (trouble, with(&|s| s.troubles.contains_key(&trouble))))
                .collect(),
            tokens: tokens(whole()),
            costs: costs(whole()),
            slowest: slowest(&chosen, filter.slowest),
            dropped: sum(|s| s.dropped),
        }
    }

    /// The sessions that count, by id.
    pub fn chosen<'a>(
        &'a self,
        agent: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a Session)> {
        self.theirs()
            .filter(move |(_, session)| agent.is_none_or(|name| session.agents.contains(name)))
    }
}

/// The values of each stage; the cluster is the session.
fn samples(chosen: &[(&str, &Session)]) -> BTreeMap<Metric, Sample> {
    let of = |metric: Metric| {
        let points = (0..).zip(chosen).flat_map(move |(cluster, (_, session))| {
            let values = session.values.get(&metric).into_iter().flatten();
            values.map(move |us| Point {
                value: f64::from(*us) / 1e3,
                censored: false,
                cluster,
                stratum: 0,
            })
        });
        Some((metric, Sample::new(points)?))
    };
    stages().filter_map(of).collect()
}

fn stage(metric: Metric, sample: &Sample, against: Option<Against>, how: &Resampling) -> StageRow {
    let enough = sample.len() >= FOR_INTERVAL && sample.clusters() >= SESSIONS_FOR_INTERVAL;
    StageRow {
        metric,
        n: sample.len(),
        sessions: sample.clusters(),
        p50: sample.quantile(50.0).value,
        p50_interval: enough.then(|| interval_of(sample, Statistic::Quantile(50.0), how)),
        p95: p95(sample),
        max: sample.max().value,
        against,
    }
}

fn p95(sample: &Sample) -> Option<f64> {
    (sample.len() >= FOR_P95).then(|| sample.quantile(95.0).value)
}

/// A value for each session.
fn by_session(values: impl Iterator<Item = f64>) -> Option<Sample> {
    Sample::new((0..).zip(values).map(|(cluster, value)| Point {
        value,
        censored: false,
        cluster,
        stratum: 0,
    }))
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^52")]
fn tokens<'a>(whole: impl Iterator<Item = &'a Session> + Clone) -> Option<Tokens> {
    let counted = whole.filter(|session| session.counted > 0);
    let input = by_session(counted.clone().map(|session| session.input_tokens as f64))?;
    let output = by_session(counted.map(|session| session.output_tokens as f64))?;
    Some(Tokens {
        sessions: input.len(),
        input_p50: input.quantile(50.0).value,
        output_p50: output.quantile(50.0).value,
        input_p95: p95(&input),
        output_p95: p95(&output),
    })
}

fn costs<'a>(whole: impl Iterator<Item = &'a Session> + Clone) -> Option<Costs> {
    let of = whole.clone().filter(|session| session.counted > 0).count();
    let known = whole.filter_map(Session::whole_cost);
    let sample = by_session(known.clone());
    (of > 0).then(|| Costs {
        known: known.clone().count(),
        of,
        p50: sample.as_ref().map(|sample| sample.quantile(50.0).value),
        p95: sample.as_ref().and_then(p95),
        sum: known.sum(),
    })
}

/// By their slowest turn; of equals the earliest first.
fn slowest<'a>(chosen: &[(&'a str, &'a Session)], most: usize) -> Vec<Slow<'a>> {
    let slow = chosen.iter().filter_map(|(id, session)| {
        Some(Slow { id, session, worst_ms: session.worst(Metric::E2eLatency)? })
    });
    let mut slow: Vec<Slow<'a>> = slow.collect();
    slow.sort_by(|a, b| {
        b.worst_ms
            .total_cmp(&a.worst_ms)
            .then((a.session.begin_ns, a.id).cmp(&(b.session.begin_ns, b.id)))
    });
    slow.truncate(most);
    slow
}
