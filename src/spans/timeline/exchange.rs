//! What the agent's spans say of each exchange: what it took for a turn of the caller, and its own turn after that.
//! Times are milliseconds of the agent's clock since the first span.

use serde::Serialize;

use super::tree::{Kind, Node, Tree};

/// An agent takes speech for ended so long before or after its own reckoning of the reply's delay says, at most.
const SAME_END_MS: f64 = 50.0;

/// Durations that the agent claims, in milliseconds; livekit-agents' own names.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Claims {
    pub e2e_latency_ms: Option<f64>,
    pub end_of_turn_delay_ms: Option<f64>,
    pub transcription_delay_ms: Option<f64>,
    pub on_user_turn_completed_delay_ms: Option<f64>,
    /// How long the reply waited until it might be made.
    pub queue_wait_ms: Option<f64>,
}

/// An exchange: one turn of the caller's, or the agent's, or both.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange {
    /// Nodes of the tree.
    pub(super) user: Option<usize>,
    pub(super) agent: Option<usize>,
    /// From when to when the agent heard the caller.
    pub(super) said: Option<(f64, f64)>,
    /// When the agent sent speech.
    pub(super) spoke: Option<(f64, f64)>,
    /// The first and the last moment of it.
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) claims: Claims,
    /// The agent was interrupted.
    pub(super) interrupted: bool,
}

/// The exchanges of a session, in the order of time.
pub(super) fn exchanges(tree: &Tree<'_>) -> Vec<Exchange> {
    let mut users: Vec<Exchange> =
        tree.of(Kind::UserTurn).map(|(at, node)| of_user(tree, at, node)).collect();
    let mut alone = Vec::new();
    for (at, node) in tree.of(Kind::AgentTurn) {
        let reply = of_agent(tree, at, node);
        match answered(&users, &reply) {
            Some(user) => merge(&mut users[user], &reply),
            None => alone.push(reply),
        }
    }
    users.extend(alone);
    users.sort_by(|a, b| a.from.total_cmp(&b.from));
    users
}

fn of_user(tree: &Tree<'_>, at: usize, node: &Node<'_>) -> Exchange {
    let spoken = tree.within(at, Kind::UserSpeaking).map(|of| (of.from, of.until));
    let said = hull(spoken);
    let (from, until) = said
        .map_or((node.from, node.until), |said| (node.from.min(said.0), node.until.max(said.1)));
    Exchange { user: Some(at), said, from, until, claims: claims(node), ..Exchange::default() }
}

fn of_agent(tree: &Tree<'_>, at: usize, node: &Node<'_>) -> Exchange {
    Exchange {
        agent: Some(at),
        spoke: hull(tree.within(at, Kind::Speaking).map(|of| (of.from, of.until))),
        from: node.from,
        until: node.until,
        claims: claims(node),
        interrupted: node.span.truth("lk.interrupted"),
        ..Exchange::default()
    }
}

/// Which turn of the caller's a turn of the agent's replies to: the one that ended when the agent says, else the last
/// that had ended before the agent spoke (or, where it never did, before its turn was over), if nothing replied to it.
fn answered(users: &[Exchange], reply: &Exchange) -> Option<usize> {
    let begins = reply.spoke.map(|spoke| spoke.0);
    if let (Some(begins), Some(e2e)) = (begins, reply.claims.e2e_latency_ms) {
        let end = begins - e2e;
        let off = |of: &Exchange| of.said.map_or(f64::MAX, |said| (said.1 - end).abs());
        let nearest =
            (0..users.len()).min_by(|a, b| off(&users[*a]).total_cmp(&off(&users[*b])))?;
        if off(&users[nearest]) <= SAME_END_MS && users[nearest].agent.is_none() {
            return Some(nearest);
        }
    }
    let latest = begins.unwrap_or(reply.until);
    let last =
        users.iter().rposition(|user| user.said.map_or(user.from, |said| said.1) <= latest)?;
    users[last].agent.is_none().then_some(last)
}

fn merge(user: &mut Exchange, reply: &Exchange) {
    let (of_user, of_reply) = (user.claims, reply.claims);
    user.agent = reply.agent;
    user.spoke = reply.spoke;
    user.interrupted = reply.interrupted;
    user.until = user.until.max(reply.until);
    // Older versions put some of them on one span, newer ones on both.
    user.claims = Claims {
        e2e_latency_ms: of_reply.e2e_latency_ms.or(of_user.e2e_latency_ms),
        end_of_turn_delay_ms: of_user.end_of_turn_delay_ms.or(of_reply.end_of_turn_delay_ms),
        transcription_delay_ms: of_user.transcription_delay_ms.or(of_reply.transcription_delay_ms),
        on_user_turn_completed_delay_ms: of_reply
            .on_user_turn_completed_delay_ms
            .or(of_user.on_user_turn_completed_delay_ms),
        queue_wait_ms: of_reply.queue_wait_ms.or(of_user.queue_wait_ms),
    };
}

fn claims(node: &Node<'_>) -> Claims {
    let ms = |name| milliseconds(node, name);
    Claims {
        e2e_latency_ms: ms("lk.e2e_latency"),
        end_of_turn_delay_ms: ms("lk.end_of_turn_delay"),
        transcription_delay_ms: ms("lk.transcription_delay"),
        on_user_turn_completed_delay_ms: ms("lk.on_user_turn_completed_delay"),
        queue_wait_ms: ms("lk.speech.queue_wait"),
    }
}

/// An attribute in seconds as milliseconds, where it can be true.
pub(super) fn milliseconds(node: &Node<'_>, name: &str) -> Option<f64> {
    let ms = node.span.number(name)? * 1_000.0;
    (0.0..=crate::turn::LONGEST_REPORTED_MS).contains(&ms).then_some(ms)
}

fn hull(spans: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
