//! What happened in a call beside its turns: the agent's tools, methods of it that the caller called, and whatever
//! went wrong on the line or by the agent's own account.

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;

use super::attributes::{Attributes, Kind, Level};
use super::{Draft, Trace};
use crate::record::{Observation, SessionEvent, Stamped};
use crate::time::Offset;
use crate::turn::Stretch;

/// Tools, and problems, of one call that become spans.
const MOST: usize = 200;

impl Trace<'_> {
    /// Tools, called methods and problems; `shown`: the turns that have a span.
    pub(super) fn happenings(&self, shown: &[u32], spans: &mut Vec<SpanData>) {
        let failed = self.failed_tools();
        let tools = (0_u32..).zip(self.lanes.tools.iter().take(MOST));
        spans.extend(tools.map(|(place, tool)| {
            let is_failed = failed.get(place as usize).copied().unwrap_or_default();
            self.tool(place, tool, is_failed, shown)
        }));
        spans.extend(self.methods());
        spans.extend(self.problems());
    }

    /// Which of the tools the agent said to have failed: each failure belongs to the last tool of its name that had
    /// begun by then.
    fn failed_tools(&self) -> Vec<bool> {
        let tools = &self.lanes.tools;
        let mut failed = vec![false; tools.len()];
        for seen in &self.call.log {
            let Observation::Session(SessionEvent::ToolsExecuted { tools: told }) = &seen.what
            else {
                continue;
            };
            for result in told.iter().filter(|result| result.is_error) {
                let is_it = |(place, tool): &(usize, &Stretch)| {
                    let names = || tool.what.split(", ").any(|name| name == result.name);
                    tool.span.from <= seen.at && !failed[*place] && names()
                };
                if let Some((place, _)) = tools.iter().enumerate().rev().find(is_it) {
                    failed[place] = true;
                }
            }
        }
        failed
    }

    /// By our receipt of the agent's messages.
    fn tool(&self, place: u32, tool: &Stretch, is_failed: bool, shown: &[u32]) -> SpanData {
        let mut attributes = Attributes::new(Kind::Tool);
        let name = if tool.what.is_empty() { "unnamed" } else { &tool.what };
        attributes.text("gen_ai.tool.name", name);
        attributes.text("loadcall.source", "agent_report");
        if is_failed {
            let text = format!("the agent says that its tool `{name}` failed");
            attributes.failed(Level::Warning, text);
        }
        // The last turn that had begun.
        let begun = self.facts.turns.iter().rev().find(|turn| {
            shown.contains(&turn.step) && turn.said.is_some_and(|said| said.from <= tool.span.from)
        });
        let parent = begun.map(|turn| self.id("loadcall.turn", turn.step));
        self.span(Draft {
            name: "loadcall.tool",
            place,
            parent: Some(parent.unwrap_or_else(|| self.root())),
            kind: SpanKind::Internal,
            from: tool.span.from,
            until: tool.span.until,
            attributes,
        })
    }

    /// Methods of the agent that the caller called.
    fn methods(&self) -> Vec<SpanData> {
        let called = self.call.log.iter().filter_map(|seen| {
            let Observation::Rpc { method, sent, error, .. } = &seen.what else { return None };
            Some((seen.at, *sent, method, error))
        });
        let spans = (0_u32..).zip(called.take(MOST)).map(|(place, (at, sent, method, error))| {
            let mut attributes = Attributes::new(Kind::Span);
            attributes.text("rpc.method", method);
            if let Some(error) = error {
                let text = format!("the agent's method `{method}` failed: {error}");
                attributes.failed(Level::Error, text);
            }
            self.span(Draft {
                name: "loadcall.rpc",
                place,
                parent: Some(self.root()),
                kind: SpanKind::Client,
                from: sent,
                until: at,
                attributes,
            })
        });
        spans.collect()
    }

    fn problems(&self) -> Vec<SpanData> {
        let found = self.call.log.iter().filter_map(|seen| Some((seen.at, problem(seen)?)));
        let spans = (0_u32..).zip(found.take(MOST)).map(|(place, (at, text))| {
            let mut attributes = Attributes::new(Kind::Event);
            attributes.failed(Level::Warning, text);
            self.moment("loadcall.problem", place, at, attributes)
        });
        spans.collect()
    }

    fn moment(
        &self,
        name: &'static str,
        place: u32,
        at: Offset,
        attributes: Attributes,
    ) -> SpanData {
        self.span(Draft {
            name,
            place,
            parent: Some(self.root()),
            kind: SpanKind::Internal,
            from: at,
            until: at,
            attributes,
        })
    }
}

/// What went wrong, where it has no span of its own.
fn problem(seen: &Stamped) -> Option<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "most observations are no problem")]
    Some(match &seen.what {
        Observation::AgentMediaStalled => "the agent's audio stalled".to_owned(),
        Observation::Reconnecting => "the caller lost its connection".to_owned(),
        Observation::ConnectionLost { reason } => format!("the connection ended: {reason}"),
        Observation::AgentStuck { doing, .. } => {
            format!("the agent was {doing} for too long")
        }
        Observation::NeverSilent { level_dbfs } => {
            format!("the agent's audio is never silent ({level_dbfs:.0} dBFS)")
        }
        Observation::LimitReached { what } => format!("a limit was reached: {what}"),
        Observation::Session(SessionEvent::Error { message }) => {
            format!("the agent reported an error: {message}")
        }
        Observation::Session(SessionEvent::FalseInterruption { .. }) => {
            "the agent took a noise for an interruption".to_owned()
        }
        _ => return None,
    })
}
