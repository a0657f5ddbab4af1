//! What the agent says it is doing: its state, and the tools it runs. All moments are when we learned of
//! them, a few milliseconds after the agent changed it.

use std::collections::{BTreeMap, VecDeque};

use crate::record::SessionEvent;
use crate::time::Offset;

/// What keeps an agent busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doing {
    Thinking,
    Speaking,
    RunningTool,
}

impl Doing {
    /// What a state of the agent (`lk.agent.state`) says it does; `None` for one that keeps it from nothing.
    pub fn of_state(state: &str) -> Option<Self> {
        match state {
            "thinking" => Some(Self::Thinking),
            "speaking" => Some(Self::Speaking),
            _ => None,
        }
    }

    /// As reports and recordings name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
            Self::RunningTool => "running a tool",
        }
    }

    /// Work that an answer comes out of.
    pub(super) const fn is_work(self) -> bool {
        matches!(self, Self::Thinking | Self::RunningTool)
    }
}

/// A stretch in which the agent was busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy {
    pub(super) doing: Doing,
    pub(super) from: Offset,
    /// `None`: it still is.
    pub(super) until: Option<Offset>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Activity {
    all: Vec<Busy>,
    /// The state attribute was seen. It outruns the session's own messages about the same changes.
    by_attribute: bool,
    /// Where the current state is in `all`, when it is a busy one.
    state: Option<usize>,
    /// Single executions by their call, and requests with tools in order, by their place in `all`.
    tools: BTreeMap<String, usize>,
    requests: VecDeque<usize>,
    /// The beginnings of tools were told, and the ends of single ones, not only that all had ended.
    tells_beginnings: bool,
    tells_ends: bool,
}

impl Activity {
    /// The `lk.agent.state` attribute became this.
    pub(super) fn attribute(&mut self, at: Offset, state: &str) {
        self.by_attribute = true;
        self.change(at, state);
    }

    /// The agent has left; another may take over.
    pub(super) fn gone(&mut self, at: Offset) {
        self.change(at, "");
    }

    /// A message of the agent's session.
    pub(super) fn session(&mut self, at: Offset, event: &SessionEvent) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "five messages tell what the agent does"
        )]
        match event {
            SessionEvent::AgentState { new, .. } if !self.by_attribute => self.change(at, new),
            SessionEvent::ToolsStarted { .. } => {
                self.tells_beginnings = true;
                let place = self.begin(at, Doing::RunningTool);
                self.requests.push_back(place);
            }
            SessionEvent::ToolsExecuted { .. } => {
                let place = self.requests.pop_front();
                let untold = !self.tells_beginnings;
                let place = place.or_else(|| untold.then(|| self.begin(at, Doing::RunningTool)));
                self.end(at, place);
                if !self.tells_ends {
                    for place in std::mem::take(&mut self.tools).into_values() {
                        self.end(at, Some(place));
                    }
                }
            }
            SessionEvent::ToolStarted { call, .. } => {
                self.tells_beginnings = true;
                let place = self.begin(at, Doing::RunningTool);
                let before = self.tools.insert(call.clone(), place);
                self.end(at, before);
            }
            SessionEvent::ToolEnded { call } => {
                self.tells_ends = true;
                let place = self.tools.remove(call);
                self.end(at, place);
            }
            _ => {}
        }
    }

    fn change(&mut self, at: Offset, state: &str) {
        let doing = Doing::of_state(state);
        let before = self.state.take();
        if before.and_then(|place| self.all.get(place)).map(|busy| busy.doing) == doing {
            self.state = before;
            return;
        }
        self.end(at, before);
        self.state = doing.map(|doing| self.begin(at, doing));
    }

    fn begin(&mut self, at: Offset, doing: Doing) -> usize {
        self.all.push(Busy { doing, from: at, until: None });
        self.all.len() - 1
    }

    fn end(&mut self, at: Offset, place: Option<usize>) {
        if let Some(busy) = place.and_then(|place| self.all.get_mut(place)) {
            busy.until = Some(at.max(busy.from));
        }
    }

    /// Whether anything is known of what the agent does.
    pub(super) fn is_known(&self) -> bool {
        !self.all.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Busy> {
        self.all.iter().copied()
    }

    /// What the agent is doing and since when; of several things work, and of that the first.
    pub(super) fn busy(&self) -> Option<(Doing, Offset)> {
        let current = self.all.iter().filter(|busy| busy.until.is_none());
        let what = current.map(|busy| (busy.doing, busy.from));
        what.min_by_key(|(doing, from)| (!doing.is_work(), *from))
    }

    /// Since when it has not been busy: `None` while it is, `Some(None)` if it never was.
    #[expect(clippy::option_option, reason = "busy, never busy and busy until are three things")]
    pub(super) fn idle_since(&self) -> Option<Option<Offset>> {
        self.busy().is_none().then(|| self.all.iter().filter_map(|busy| busy.until).max())
    }

    /// Until when the work goes on, without a break, that was under way at `at`; `Some(None)` when no end
    /// is known, `None` when the agent was not at work. What is `stale` does not count.
    #[expect(clippy::option_option, reason = "no work, work without an end and work with one")]
    pub(super) fn working_through(
        &self,
        at: Offset,
        stale: impl Fn(&Busy) -> bool,
    ) -> Option<Option<Offset>> {
        let covers = |busy: &&Busy, at: Offset| {
            let is_on = busy.from < at && busy.until.is_none_or(|until| until > at);
            busy.doing.is_work() && is_on && !stale(busy)
        };
        let mut reached = at;
        let mut any = false;
        while let Some(busy) = self.all.iter().find(|busy| covers(busy, reached)) {
            any = true;
            let Some(until) = busy.until else { return Some(None) };
            reached = until;
        }
        any.then_some(Some(reached))
    }

    /// Whether the agent began to think at a moment that `is`.
    pub(super) fn began_to_think(&self, is: impl Fn(&Offset) -> bool) -> bool {
        self.all.iter().any(|busy| busy.doing == Doing::Thinking && is(&busy.from))
    }
}
