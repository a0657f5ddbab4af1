//! The agent's `lk.agent.session` messages: bytes → the [`SessionEvent`]s that are kept, and the
//! requests a caller may send. Wire format: `livekit_agent_session.proto`, one
//! `AgentSessionMessage` per byte stream, spoken by livekit-agents 1.5 and newer.
//!
//! Decoding is tolerant: what is unknown, empty or of no use for a measurement gives nothing.

use super::kept::{LIST_LIMIT, Tool, cut, executed};
use crate::record::{ModelUsage, ReportedMetrics, SessionEvent};
use livekit_protocol::agent as pb;
use pb::agent_session_event::Event;
use pb::agent_session_message::Message;
use pb::chat_context::chat_item::Item;
use pb::session_request::{GetFrameworkInfo, GetSessionState, Request};
use pb::session_response::Response;
use prost::Message as _;

/// What of a message is kept, if anything.
pub fn decode(bytes: &[u8]) -> Option<SessionEvent> {
    match pb::AgentSessionMessage::decode(bytes).ok()?.message? {
        Message::Event(event) => kept_event(event.event?),
        Message::Response(response) => kept_response(response.response?),
        Message::AudioInput(_)
        | Message::AudioOutput(_)
        | Message::Request(_)
        | Message::AudioPlaybackFlush(_)
        | Message::AudioPlaybackClear(_)
        | Message::AudioPlaybackFinished(_) => None,
    }
}

/// The question which SDK the agent runs on.
///
/// `request_id` must be unique beyond the room: agents answer to everybody in it.
pub fn ask_framework(request_id: String) -> Vec<u8> {
    ask(request_id, Request::GetFrameworkInfo(GetFrameworkInfo {}))
}

/// The question which endpointing and interruption options the agent's session has.
pub fn ask_options(request_id: String) -> Vec<u8> {
    ask(request_id, Request::GetSessionState(GetSessionState {}))
}

fn ask(request_id: String, request: Request) -> Vec<u8> {
    let request = pb::SessionRequest { request_id, request: Some(request) };
    pb::AgentSessionMessage { message: Some(Message::Request(request)) }.encode_to_vec()
}

fn kept_event(event: Event) -> Option<SessionEvent> {
    match event {
        Event::AgentStateChanged(e) => Some(SessionEvent::AgentState {
            old: state_name(e.old_state().as_str_name()),
            new: state_name(e.new_state().as_str_name()),
        }),
        Event::UserStateChanged(e) => Some(SessionEvent::UserState {
            old: state_name(e.old_state().as_str_name()),
            new: state_name(e.new_state().as_str_name()),
        }),
        Event::ConversationItemAdded(e) => kept_item(e.item?.item?),
        Event::FunctionToolsStarted(e) => Some(SessionEvent::ToolsStarted {
            names: e.function_calls.iter().take(LIST_LIMIT).map(|c| cut(&c.name)).collect(),
        }),
        Event::FunctionToolsExecuted(e) => {
            let calls = e.function_calls.iter();
            let calls = calls.map(|c| Tool {
                call: &c.call_id,
                name: &c.name,
                is_error: false,
                gave: None,
            });
            let outputs = e.function_call_outputs.iter();
            let outputs = outputs.map(|o| Tool {
                call: &o.call_id,
                name: &o.name,
                is_error: o.is_error,
                // A tool that returns nothing, or raises `StopResponse`, has an empty output.
                gave: Some(!o.output.is_empty()),
            });
            Some(SessionEvent::ToolsExecuted { tools: executed(calls, outputs) })
        }
        Event::Error(e) => Some(SessionEvent::Error { message: cut(&e.message) }),
        Event::EotPrediction(e) => Some(SessionEvent::EndOfTurnPrediction {
            probability: e.probability.into(),
            threshold: e.threshold.into(),
        }),
        Event::AgentFalseInterruption(e) => {
            Some(SessionEvent::FalseInterruption { resumed: e.resumed })
        }
        Event::SessionUsageUpdated(e) => Some(SessionEvent::Usage {
            models: e.usage?.model_usage.into_iter().take(LIST_LIMIT).filter_map(usage).collect(),
        }),
        Event::UserInputTranscribed(_)
        | Event::OverlappingSpeech(_)
        | Event::AmdPrediction(_)
        | Event::DebugMessage(_) => None,
        Event::ToolExecutionUpdated(e) => kept_execution(e.update?),
    }
}

fn kept_execution(
    update: pb::agent_session_event::tool_execution_updated::Update,
) -> Option<SessionEvent> {
    use pb::agent_session_event::tool_execution_updated::Update;
    match update {
        Update::Started(e) => {
            let call = e.function_call?;
            Some(SessionEvent::ToolStarted { call: cut(&call.call_id), name: cut(&call.name) })
        }
        Update::Ended(e) => Some(SessionEvent::ToolEnded { call: cut(&e.call_id) }),
        Update::CallUpdated(_) | Update::ReplyUpdated(_) => None,
    }
}

fn kept_item(item: Item) -> Option<SessionEvent> {
    let message = match item {
        Item::Message(message) => message,
        Item::AgentHandoff(_) => return Some(SessionEvent::Handoff),
        Item::FunctionCall(_) | Item::FunctionCallOutput(_) | Item::AgentConfigUpdate(_) => {
            return None;
        }
    };
    let text: String = message
        .content
        .iter()
        .filter_map(|c| c.payload.as_ref())
        .map(|pb::chat_message::chat_content::Payload::Text(text)| text.as_str())
        .collect();
    let (id, text) = (cut(&message.id), cut(&text));
    let metrics = message.metrics.map(|m| milliseconds(&m)).unwrap_or_default();
    match message.role() {
        pb::ChatRole::User => Some(SessionEvent::UserMessage { id, text, metrics }),
        pb::ChatRole::Assistant => {
            let interrupted = message.interrupted;
            Some(SessionEvent::AgentMessage { id, text, interrupted, metrics })
        }
        pb::ChatRole::Developer | pb::ChatRole::System => None,
    }
}

fn kept_response(response: Response) -> Option<SessionEvent> {
    match response {
        Response::GetFrameworkInfo(r) => {
            Some(SessionEvent::Framework { sdk: cut(&r.sdk), sdk_version: cut(&r.sdk_version) })
        }
        Response::GetSessionState(r) => {
            let mut options: Vec<_> =
                r.options.iter().take(LIST_LIMIT).map(|(k, v)| (cut(k), cut(v))).collect();
            options.sort();
            Some(SessionEvent::Options { options })
        }
        Response::Pong(_)
        | Response::GetChatHistory(_)
        | Response::RunInput(_)
        | Response::GetAgentInfo(_)
        | Response::GetRtcStats(_)
        | Response::GetSessionUsage(_)
        | Response::UpdateIo(_)
        | Response::FinalizeSimulation(_) => None,
    }
}

fn milliseconds(m: &pb::MetricsReport) -> ReportedMetrics {
    let ms = |seconds: Option<f64>| seconds.map(|s| s * 1_000.0);
    ReportedMetrics {
        transcription_delay_ms: ms(m.transcription_delay),
        end_of_turn_delay_ms: ms(m.end_of_turn_delay),
        on_user_turn_completed_delay_ms: ms(m.on_user_turn_completed_delay),
        llm_node_ttft_ms: ms(m.llm_node_ttft),
        llm_node_ttfs_ms: ms(m.llm_node_ttfs),
        tts_node_ttfb_ms: ms(m.tts_node_ttfb),
        e2e_latency_ms: ms(m.e2e_latency),
        speech_ms: speech(m),
    }
}

/// How long the message was spoken, by the agent's own clock.
fn speech(m: &pb::MetricsReport) -> Option<f64> {
    let (from, until) = (m.started_speaking_at.as_ref()?, m.stopped_speaking_at.as_ref()?);
    #[expect(clippy::cast_precision_loss, reason = "the speech of a call is below 2^52 seconds")]
    let seconds = until.seconds.saturating_sub(from.seconds) as f64;
    Some(seconds * 1_000.0 + f64::from(until.nanos) / 1e6 - f64::from(from.nanos) / 1e6)
}

fn usage(usage: pb::ModelUsage) -> Option<ModelUsage> {
    use pb::model_usage::Usage;
    let (kind, provider, model, counts) = match usage.usage? {
        Usage::Llm(u) => {
            let counts = [
                ("input_tokens", u.input_tokens.into()),
                ("input_cached_tokens", u.input_cached_tokens.into()),
                ("input_audio_tokens", u.input_audio_tokens.into()),
                ("output_tokens", u.output_tokens.into()),
                ("output_audio_tokens", u.output_audio_tokens.into()),
                ("session_duration", u.session_duration),
            ];
            ("llm", u.provider, u.model, counts.to_vec())
        }
        Usage::Tts(u) => {
            let counts = [
                ("input_tokens", u.input_tokens.into()),
                ("output_tokens", u.output_tokens.into()),
                ("characters_count", u.characters_count.into()),
                ("audio_duration", u.audio_duration),
            ];
            ("tts", u.provider, u.model, counts.to_vec())
        }
        Usage::Stt(u) => {
            let counts = [
                ("input_tokens", u.input_tokens.into()),
                ("output_tokens", u.output_tokens.into()),
                ("audio_duration", u.audio_duration),
            ];
            ("stt", u.provider, u.model, counts.to_vec())
        }
        Usage::Interruption(u) => {
            let counts = vec![("total_requests", u.total_requests.into())];
            ("interruption", u.provider, u.model, counts)
        }
        Usage::Eot(u) => {
            ("eot", u.provider, u.model, vec![("total_requests", u.total_requests.into())])
        }
    };
    let counts = counts.into_iter().filter(|(_, n): &(_, f64)| *n != 0.0);
    Some(ModelUsage {
        kind: kind.into(),
        provider: cut(&provider),
        model: cut(&model),
        counts: counts.map(|(name, n)| (name.into(), n)).collect(),
    })
}

/// `AS_LISTENING` → `listening`, as the `lk.agent.state` attribute has it.
fn state_name(proto: &str) -> String {
    proto.split_once('_').map_or(proto, |(_, name)| name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ToolResult;
    use proptest::prelude::*;

    fn event(event: Event) -> Vec<u8> {
        let event = pb::AgentSessionEvent { created_at: None, event: Some(event) };
        pb::AgentSessionMessage { message: Some(Message::Event(event)) }.encode_to_vec()
    }

    fn message(role: pb::ChatRole, metrics: Option<pb::MetricsReport>) -> Vec<u8> {
        use pb::chat_message::{ChatContent, chat_content::Payload};
        let content = vec![ChatContent { payload: Some(Payload::Text("hi".into())) }];
        let message = pb::ChatMessage {
            id: "item_1".into(),
            role: role.into(),
            content,
            metrics,
            ..pb::ChatMessage::default()
        };
        let item = pb::chat_context::ChatItem { item: Some(Item::Message(message)) };
        event(Event::ConversationItemAdded(pb::agent_session_event::ConversationItemAdded {
            item: Some(item),
        }))
    }

    #[test]
    fn metrics_are_read_in_milliseconds_and_absent_ones_stay_absent() {
        let metrics = pb::MetricsReport {
            llm_node_ttft: Some(0.25),
            e2e_latency: Some(1.5),
            ..pb::MetricsReport::default()
        };
        let read = decode(&message(pb::ChatRole::Assistant, Some(metrics)));
        let metrics = ReportedMetrics {
            llm_node_ttft_ms: Some(250.0),
            e2e_latency_ms: Some(1_500.0),
            ..ReportedMetrics::default()
        };
        assert_eq!(
            read,
            Some(SessionEvent::AgentMessage {
                id: "item_1".into(),
                text: "hi".into(),
                interrupted: false,
                metrics
            })
        );
        assert_eq!(decode(&message(pb::ChatRole::System, None)), None);
    }

    #[test]
    fn a_speech_that_ends_before_it_began_shows() {
        let mut metrics = pb::MetricsReport::default();
        let started = metrics.started_speaking_at.get_or_insert_default();
        (started.seconds, started.nanos) = (100, 500_000_000);
        metrics.stopped_speaking_at.get_or_insert_default().seconds = 99;
        assert_eq!(speech(&metrics), Some(-1_500.0));
        assert_eq!(speech(&pb::MetricsReport::default()), None);
    }

    #[test]
    fn tools_are_named_by_their_calls() {
        let (call_id, name) = ("c1".to_owned(), "lookup_order".to_owned());
        let call = pb::FunctionCall { call_id: call_id.clone(), name, ..Default::default() };
        // 1.5.0 to 1.6.6 leave the output's name empty.
        let output = pb::FunctionCallOutput { call_id, is_error: true, ..Default::default() };
        let executed = pb::agent_session_event::FunctionToolsExecuted {
            function_calls: vec![call],
            function_call_outputs: vec![output],
        };
        let tools =
            vec![ToolResult { name: "lookup_order".into(), is_error: true, gave: Some(false) }];
        assert_eq!(
            decode(&event(Event::FunctionToolsExecuted(executed))),
            Some(SessionEvent::ToolsExecuted { tools })
        );
    }

    #[test]
    fn what_a_tool_gave_asks_for_more_to_say() {
        let ran = |output: Option<&str>| {
            let outputs = output.map(|output| pb::FunctionCallOutput {
                call_id: "c1".into(),
                output: output.into(),
                ..Default::default()
            });
            let executed = pb::agent_session_event::FunctionToolsExecuted {
                function_calls: vec![pb::FunctionCall {
                    call_id: "c1".into(),
                    ..Default::default()
                }],
                function_call_outputs: outputs.into_iter().collect(),
            };
            let told = decode(&event(Event::FunctionToolsExecuted(executed)));
            let Some(SessionEvent::ToolsExecuted { tools }) = told else { panic!("{told:?}") };
            tools[0].gave
        };
        assert_eq!([ran(Some("open")), ran(Some("")), ran(None)], [Some(true), Some(false), None]);
    }

    #[test]
    fn tools_and_handoffs_are_kept() {
        use pb::agent_session_event::tool_execution_updated::{Ended, Started, Update};
        let tool = |update| {
            let update = pb::agent_session_event::ToolExecutionUpdated { update: Some(update) };
            decode(&event(Event::ToolExecutionUpdated(update)))
        };
        let (call, name) = ("c1".to_owned(), "hours".to_owned());
        let function_call =
            pb::FunctionCall { call_id: call.clone(), name: name.clone(), ..Default::default() };
        let started = Started { function_call: Some(function_call) };
        let ended = Ended { call_id: call.clone(), ..Ended::default() };
        let begun = SessionEvent::ToolStarted { call: call.clone(), name };
        assert_eq!(tool(Update::Started(started)), Some(begun));
        assert_eq!(tool(Update::Ended(ended)), Some(SessionEvent::ToolEnded { call }));
        let item = pb::chat_context::ChatItem {
            item: Some(Item::AgentHandoff(pb::AgentHandoff::default())),
        };
        let added = pb::agent_session_event::ConversationItemAdded { item: Some(item) };
        assert_eq!(
            decode(&event(Event::ConversationItemAdded(added))),
            Some(SessionEvent::Handoff)
        );
    }

    #[test]
    fn states_are_named_as_the_attribute_names_them() {
        let e = pb::agent_session_event::AgentStateChanged {
            old_state: pb::AgentState::AsListening.into(),
            new_state: pb::AgentState::AsThinking.into(),
        };
        assert_eq!(
            decode(&event(Event::AgentStateChanged(e))),
            Some(SessionEvent::AgentState { old: "listening".into(), new: "thinking".into() })
        );
    }

    #[test]
    fn unknown_and_empty_messages_give_nothing() {
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"\xff\xff\xff"), None);
        // Field 99 of AgentSessionEvent, from a newer agent.
        assert_eq!(decode(&[0x1a, 0x03, 0x9a, 0x06, 0x00]), None);
    }

    #[test]
    fn questions_have_the_documented_bytes() {
        assert_eq!(ask_framework("r1".into()), *b"\x22\x06\x0a\x02r1\x52\x00");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }
}
