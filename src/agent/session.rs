//! `lk.agent.session` from the agent's side: events as bytes, and answers to what a caller asks. The
//! reading side is `call::session`, and the tests hold the two together.

use crate::agent::conversation::{AgentState, Conversation};
use crate::agent::script::Script;
use crate::record::{ModelUsage, ReportedMetrics, SessionEvent};
use livekit_protocol::agent as pb;
use pb::agent_session_event as event;
use pb::agent_session_event::Event;
use pb::agent_session_event::tool_execution_updated::{Ended, Started, Update};
use pb::agent_session_message::Message;
use pb::chat_message::{ChatContent, chat_content::Payload};
use pb::model_usage::Usage;
use pb::session_request::Request;
use pb::session_response::{
    GetAgentInfoResponse, GetFrameworkInfoResponse, GetSessionStateResponse,
    GetSessionUsageResponse, Pong, Response,
};
use prost::Message as _;
use std::time::{Duration, SystemTime};

/// The longest request that is read.
pub const REQUEST_LIMIT: usize = 64 << 10;

/// An event as a byte stream holds it; `None` for what an agent does not say by itself.
pub fn event(said: &SessionEvent, now: SystemTime) -> Option<Vec<u8>> {
    let event = pb::AgentSessionEvent {
        created_at: Some(timestamp(now)),
        event: Some(as_proto(said, now)?),
    };
    let message = pb::AgentSessionMessage { message: Some(Message::Event(event)) };
    Some(message.encode_to_vec())
}

/// The answer to a request, when the bytes are one.
pub fn answer(bytes: &[u8], agent: &About<'_>, now: SystemTime) -> Option<Vec<u8>> {
    let message = pb::AgentSessionMessage::decode(bytes).ok()?.message?;
    let Message::Request(request) = message else { return None };
    let response = response(&request.request?, agent, now);
    let (response, error) = match response {
        Ok(response) => (Some(response), None),
        Err(error) => (None, Some(error)),
    };
    let response = pb::SessionResponse { request_id: request.request_id, error, response };
    let message = pb::AgentSessionMessage { message: Some(Message::Response(response)) };
    Some(message.encode_to_vec())
}

/// What can be asked about the agent in a room.
#[derive(Debug)]
pub struct About<'a> {
    pub identity: &'a str,
    pub began: SystemTime,
    pub conversation: &'a Conversation,
}

fn response(request: &Request, agent: &About<'_>, now: SystemTime) -> Result<Response, String> {
    let script = agent.conversation.script().script();
    Ok(match request {
        Request::Ping(_) => Response::Pong(Pong {}),
        Request::GetFrameworkInfo(_) => Response::GetFrameworkInfo(GetFrameworkInfoResponse {
            sdk: "loadcall".into(),
            sdk_version: env!("CARGO_PKG_VERSION").into(),
        }),
        Request::GetAgentInfo(_) => Response::GetAgentInfo(GetAgentInfoResponse {
            id: agent.identity.into(),
            ..GetAgentInfoResponse::default()
        }),
        Request::GetSessionState(_) => Response::GetSessionState(GetSessionStateResponse {
            agent_state: state(agent.conversation.state().name()).into(),
            user_state: if agent.conversation.caller_speaks() {
                pb::UserState::UsSpeaking.into()
            } else {
                pb::UserState::UsListening.into()
            },
            agent_id: agent.identity.into(),
            options: options(script).into_iter().collect(),
            created_at: Some(timestamp(agent.began)),
        }),
        Request::GetSessionUsage(_) => Response::GetSessionUsage(GetSessionUsageResponse {
            usage: usage(&agent.conversation.usage()),
            created_at: Some(timestamp(now)),
        }),
        Request::GetChatHistory(_)
        | Request::RunInput(_)
        | Request::GetRtcStats(_)
        | Request::UpdateIo(_)
        | Request::FinalizeSimulation(_) => {
            return Err("a scripted agent does not do this".into());
        }
    })
}

fn options(script: &Script) -> [(String, String); 3] {
    let end_of_turn = format!("{:?}", script.stages.end_of_turn_delay_ms);
    let interruption = format!("{:?}", script.barge_in);
    [
        ("endpointing".into(), end_of_turn),
        ("interruption".into(), interruption),
        ("preemptive_generation".into(), script.preemptive_generation.to_string()),
    ]
}

fn as_proto(said: &SessionEvent, now: SystemTime) -> Option<Event> {
    Some(match said {
        SessionEvent::AgentState { old, new } => {
            let (old_state, new_state) = (state(old).into(), state(new).into());
            Event::AgentStateChanged(event::AgentStateChanged { old_state, new_state })
        }
        SessionEvent::UserState { old, new } => {
            let (old_state, new_state) = (user_state(old).into(), user_state(new).into());
            Event::UserStateChanged(event::UserStateChanged { old_state, new_state })
        }
        SessionEvent::UserMessage { id, text, metrics } => {
            message(pb::ChatRole::User, id, text, Interrupted(false), seconds(metrics, now))
        }
        SessionEvent::AgentMessage { id, text, interrupted, metrics } => message(
            pb::ChatRole::Assistant,
            id,
            text,
            Interrupted(*interrupted),
            seconds(metrics, now),
        ),
        SessionEvent::ToolStarted { call: id, name } => {
            let function_call = pb::FunctionCall { call_id: id.clone(), ..call(name) };
            execution(Update::Started(Started { function_call: Some(function_call) }))
        }
        SessionEvent::ToolEnded { call } => {
            execution(Update::Ended(Ended { call_id: call.clone(), ..Ended::default() }))
        }
        SessionEvent::ToolsStarted { names } => {
            let function_calls = names.iter().map(|name| call(name)).collect();
            Event::FunctionToolsStarted(event::FunctionToolsStarted { function_calls })
        }
        SessionEvent::ToolsExecuted { tools } => {
            Event::FunctionToolsExecuted(event::FunctionToolsExecuted {
                function_calls: tools.iter().map(|tool| call(&tool.name)).collect(),
                function_call_outputs: tools
                    .iter()
                    .map(|tool| pb::FunctionCallOutput {
                        name: tool.name.clone(),
                        is_error: tool.is_error,
                        output: if tool.gave == Some(true) { "done".into() } else { String::new() },
                        ..pb::FunctionCallOutput::default()
                    })
                    .collect(),
            })
        }
        SessionEvent::Error { message } => Event::Error(event::Error { message: message.clone() }),
        SessionEvent::FalseInterruption { resumed } => {
            Event::AgentFalseInterruption(event::AgentFalseInterruption { resumed: *resumed })
        }
        SessionEvent::Usage { .. } => {
            Event::SessionUsageUpdated(event::SessionUsageUpdated { usage: usage(said) })
        }
        SessionEvent::Dialect(_)
        | SessionEvent::EndOfTurnPrediction { .. }
        | SessionEvent::Handoff
        | SessionEvent::Framework { .. }
        | SessionEvent::Options { .. } => return None,
    })
}

fn execution(update: Update) -> Event {
    Event::ToolExecutionUpdated(event::ToolExecutionUpdated { update: Some(update) })
}

struct Interrupted(bool);

fn message(
    role: pb::ChatRole,
    id: &str,
    text: &str,
    Interrupted(interrupted): Interrupted,
    metrics: pb::MetricsReport,
) -> Event {
    let message = pb::ChatMessage {
        id: id.into(),
        role: role.into(),
        content: vec![ChatContent { payload: Some(Payload::Text(text.into())) }],
        interrupted,
        metrics: Some(metrics),
        ..pb::ChatMessage::default()
    };
    let item = pb::chat_context::chat_item::Item::Message(message);
    let item = pb::chat_context::ChatItem { item: Some(item) };
    Event::ConversationItemAdded(event::ConversationItemAdded { item: Some(item) })
}

/// A speech is reported when it has ended.
fn seconds(m: &ReportedMetrics, now: SystemTime) -> pb::MetricsReport {
    let speech = m.speech_ms.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1_000.0));
    let began = speech.and_then(|speech| now.checked_sub(speech));
    let s = |ms: Option<f64>| ms.map(|ms| ms / 1_000.0);
    pb::MetricsReport {
        transcription_delay: s(m.transcription_delay_ms),
        end_of_turn_delay: s(m.end_of_turn_delay_ms),
        on_user_turn_completed_delay: s(m.on_user_turn_completed_delay_ms),
        llm_node_ttft: s(m.llm_node_ttft_ms),
        llm_node_ttfs: s(m.llm_node_ttfs_ms),
        tts_node_ttfb: s(m.tts_node_ttfb_ms),
        e2e_latency: s(m.e2e_latency_ms),
        started_speaking_at: began.map(timestamp),
        stopped_speaking_at: began.map(|_| timestamp(now)),
        ..pb::MetricsReport::default()
    }
}

fn call(name: &str) -> pb::FunctionCall {
    pb::FunctionCall { name: name.into(), ..pb::FunctionCall::default() }
}

fn usage(event: &SessionEvent) -> Option<pb::AgentSessionUsage> {
    let SessionEvent::Usage { models } = event else { return None };
    let model_usage = models.iter().filter_map(one_model).collect();
    Some(pb::AgentSessionUsage { model_usage })
}

fn one_model(model: &ModelUsage) -> Option<pb::ModelUsage> {
    let count = |name: &str| {
        model.counts.iter().find(|(counted, _)| counted == name).map_or(0.0, |(_, n)| *n)
    };
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers far below 2^31")]
    let whole = |name: &str| count(name) as i32;
    let (provider, name) = (model.provider.clone(), model.model.clone());
    let usage = match model.kind.as_str() {
        "llm" => Usage::Llm(pb::LlmModelUsage {
            provider,
            model: name,
            output_tokens: whole("output_tokens"),
            ..pb::LlmModelUsage::default()
        }),
        "tts" => Usage::Tts(pb::TtsModelUsage {
            provider,
            model: name,
            characters_count: whole("characters_count"),
            audio_duration: count("audio_duration"),
            ..pb::TtsModelUsage::default()
        }),
        _ => return None,
    };
    Some(pb::ModelUsage { usage: Some(usage) })
}

fn state(name: &str) -> pb::AgentState {
    let known = [
        (AgentState::Listening, pb::AgentState::AsListening),
        (AgentState::Thinking, pb::AgentState::AsThinking),
        (AgentState::Speaking, pb::AgentState::AsSpeaking),
    ];
    let found = known.into_iter().find(|(known, _)| known.name() == name);
    found.map_or(pb::AgentState::AsInitializing, |(_, proto)| proto)
}

fn user_state(name: &str) -> pb::UserState {
    if name == "speaking" { pb::UserState::UsSpeaking } else { pb::UserState::UsListening }
}

fn timestamp(at: SystemTime) -> pbjson_types::Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    pbjson_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
