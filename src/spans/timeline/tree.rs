//! Which span is what, and which belongs to which turn of the agent.

use std::collections::{BTreeMap, BTreeSet};

use crate::spans::AgentSpan;

/// Spans above one that are looked at: their parents may name each other in a circle.
const DEEPEST: usize = 32;

/// What a span is of, by the name livekit-agents gives it (in Python and Node).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Session,
    UserTurn,
    UserSpeaking,
    EndOfTurn,
    Hook,
    AgentTurn,
    Llm,
    /// A request, or an adapter that asks several models in turn.
    LlmRequest,
    LlmAttempt,
    Tool,
    Tts,
    TtsRequest,
    TtsAttempt,
    Speaking,
    /// The agent's program did nothing else meanwhile.
    Blocked,
    Other,
}

impl Kind {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "agent_session" => Self::Session,
            "user_turn" => Self::UserTurn,
            "user_speaking" => Self::UserSpeaking,
            "eou_wait" => Self::EndOfTurn,
            "on_user_turn_completed" => Self::Hook,
            "agent_turn" => Self::AgentTurn,
            "llm_node" => Self::Llm,
            "llm_request" | "llm_fallback_adapter" => Self::LlmRequest,
            "llm_request_run" => Self::LlmAttempt,
            "function_tool" => Self::Tool,
            "tts_node" => Self::Tts,
            "tts_request" | "tts_fallback_adapter" | "tts_stream_adapter" => Self::TtsRequest,
            "tts_request_run" => Self::TtsAttempt,
            "agent_speaking" => Self::Speaking,
            "event_loop_blocked" => Self::Blocked,
            _ => Self::Other,
        }
    }
}

/// A span with its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) kind: Kind,
    pub(super) span: &'a AgentSpan,
    /// Milliseconds since the first span of all.
    pub(super) from: f64,
    pub(super) until: f64,
    /// The `user_turn` or `agent_turn` it is, or is in.
    pub(super) turn: Option<usize>,
    /// The nearest `llm_node` or `tts_node` it is in.
    pub(super) stage: Option<usize>,
    /// The request it is, or is in; of one inside another, such as of an adapter that asks several models, the outer.
    pub(super) request: Option<usize>,
}

/// All spans in the order of their beginnings.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// When the first began: nanoseconds since 1970 by the agent's clock.
    pub(super) origin_ns: u64,
    by_kind: BTreeMap<Kind, Vec<usize>>,
    by_turn: BTreeMap<Option<usize>, Vec<usize>>,
    /// Attempts of each stage, and of each request.
    attempts: BTreeMap<usize, Vec<usize>>,
}

impl<'a> Tree<'a> {
    /// A span that was sent twice counts once.
    pub(super) fn new(spans: &'a [AgentSpan]) -> Self {
        let mut sorted: Vec<&AgentSpan> = spans.iter().collect();
        sorted.sort_by_key(|span| (span.begin_ns, std::cmp::Reverse(span.end_ns)));
        let mut known = BTreeSet::new();
        sorted.retain(|span| known.insert((span.trace_id.as_str(), span.span_id.as_str())));
        let origin_ns = sorted.first().map_or(0, |span| span.begin_ns);
        let by_id: BTreeMap<(&str, &str), usize> = (sorted.iter().enumerate())
            .map(|(at, span)| ((span.trace_id.as_str(), span.span_id.as_str()), at))
            .collect();
        let above = |at: usize| {
            std::iter::successors(Some(at), |at| {
                let span = sorted.get(*at)?;
                by_id.get(&(span.trace_id.as_str(), span.parent_id.as_deref()?)).copied()
            })
            .take(DEEPEST)
        };
        let kind = |at: &usize| sorted.get(*at).map_or(Kind::Other, |span| Kind::of(&span.name));
        let nodes = sorted.iter().enumerate().map(|(at, span)| Node {
            kind: Kind::of(&span.name),
            span,
            from: ms_between(origin_ns, span.begin_ns),
            until: ms_between(origin_ns, span.end_ns.max(span.begin_ns)),
            turn: above(at).find(|at| matches!(kind(at), Kind::UserTurn | Kind::AgentTurn)),
            stage: above(at).find(|at| matches!(kind(at), Kind::Llm | Kind::Tts)),
            request: above(at)
                .filter(|at| matches!(kind(at), Kind::LlmRequest | Kind::TtsRequest))
                .last(),
        });
        Self::indexed(nodes.collect(), origin_ns)
    }

    fn indexed(nodes: Vec<Node<'a>>, origin_ns: u64) -> Self {
        let (mut by_kind, mut by_turn) =
            (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        let mut attempts = BTreeMap::<_, Vec<_>>::new();
        for (at, node) in nodes.iter().enumerate() {
            by_kind.entry(node.kind).or_default().push(at);
            by_turn.entry(node.turn).or_default().push(at);
            if matches!(node.kind, Kind::LlmAttempt | Kind::TtsAttempt) {
                for above in node.stage.into_iter().chain(node.request) {
                    attempts.entry(above).or_default().push(at);
                }
            }
        }
        Self { nodes, origin_ns, by_kind, by_turn, attempts }
    }

    /// Spans of a kind, in the order of their beginnings.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (usize, &Node<'a>)> {
        self.listed(self.by_kind.get(&kind))
    }

    /// Spans in a turn, and where that is `None`, those in none.
    pub(super) fn in_turn(&self, turn: Option<usize>) -> impl Iterator<Item = (usize, &Node<'a>)> {
        self.listed(self.by_turn.get(&turn))
    }

    /// The attempts in a stage, or in a request.
    pub(super) fn attempts(&self, of: usize) -> impl Iterator<Item = &Node<'a>> {
        self.listed(self.attempts.get(&of)).map(|(_, node)| node)
    }

    /// Spans in a turn; those without a turn count to the one during which they began.
    pub(super) fn within(&self, turn: usize, kind: Kind) -> impl Iterator<Item = &Node<'a>> {
        let span = self.nodes.get(turn).map(|node| (node.from, node.until));
        let during = move |node: &Node<'a>| {
            span.is_some_and(|(from, until)| node.from >= from && node.from <= until)
        };
        let loose = self.in_turn(None).map(|(_, node)| node).filter(move |node| during(node));
        let inside = self.in_turn(Some(turn)).map(|(_, node)| node);
        inside.chain(loose).filter(move |node| node.kind == kind)
    }

    fn listed<'s>(
        &'s self,
        list: Option<&'s Vec<usize>>,
    ) -> impl Iterator<Item = (usize, &'s Node<'a>)> {
        list.into_iter().flatten().filter_map(|at| Some((*at, self.nodes.get(*at)?)))
    }
}

/// Signed milliseconds between two moments of one clock.
pub(super) fn ms_between(from_ns: u64, until_ns: u64) -> f64 {
    let ns = i128::from(until_ns) - i128::from(from_ns);
    #[expect(clippy::cast_precision_loss, reason = "a session is shorter than 2^52 nanoseconds")]
    let ms = ns as f64 / 1_000_000.0;
    ms
}
