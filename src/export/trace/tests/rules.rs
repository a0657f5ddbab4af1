//! The rules that Langfuse makes for what goes over the wire, over calls of many kinds. Each is named as its server has
//! it (langfuse/langfuse 4.16.0: packages/shared/src/server/otel/OtelIngestionProcessor.ts and what it calls).

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, status::StatusCode};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use prost::Message as _;

use super::recordings;
use super::*;

/// A span as it arrives.
struct Arrived {
    span: Span,
    attributes: BTreeMap<String, Any>,
}

impl Arrived {
    fn text(&self, key: &str) -> Option<&str> {
        let value = self.attributes.get(key)?;
        let Any::StringValue(text) = value else { panic!("{key} is no text: {value:?}") };
        Some(text)
    }
}

/// The spans of a call, over the wire and back.
fn arrived(call: &CallRecord) -> Vec<Arrived> {
    let (facts, _) = analyse_call(call, &scenario());
    let spans = call_spans(&run(vec![call.clone()]).head, &scenario(), call, &facts, None).unwrap();
    let resource = ResourceAttributesWithSchema::default();
    let resource_spans = group_spans_by_resource_and_scope(spans, &resource);
    let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let [ResourceSpans { scope_spans, .. }] = request.resource_spans.as_slice() else {
        panic!("{request:?}")
    };
    let [of_scope] = scope_spans.as_slice() else { panic!("{scope_spans:?}") };
    // Spans of other scopes are taken for an SDK's, or an agent's.
    assert_eq!(of_scope.scope.as_ref().unwrap().name, "loadcall");
    of_scope.spans.iter().cloned().map(taken_apart).collect()
}

fn taken_apart(span: Span) -> Arrived {
    let pairs = span.attributes.iter();
    let attributes: BTreeMap<_, _> =
        pairs.map(|kv| (kv.key.clone(), kv.value.clone().unwrap().value.unwrap())).collect();
    assert_eq!(attributes.len(), span.attributes.len(), "an attribute is there twice: {span:?}");
    Arrived { span, attributes }
}

fn each(check: impl Fn(&str, &[Arrived])) {
    for (name, call) in recordings::all() {
        check(name, &arrived(&call));
    }
}

#[test]
fn context_is_on_every_span() {
    each(|name, spans| {
        for span in spans {
            for key in ["session.id", "user.id", "langfuse.trace.name"] {
                let text = span.text(key).unwrap_or_default();
                assert!(!text.is_empty(), "{name}: {key} of {}", span.span.name);
            }
            let tags = span.attributes.get("langfuse.trace.tags");
            let Some(Any::ArrayValue(tags)) = tags else { panic!("{name}: {tags:?}") };
            assert_eq!(tags.values.len(), 3, "{name}");
            for key in ["scenario", "run_id", "call_id", "room_name", "agent_name"] {
                let key = format!("langfuse.trace.metadata.{key}");
                assert!(span.text(&key).is_some(), "{name}: {key} of {}", span.span.name);
            }
        }
    });
}

#[test]
fn nothing_is_said_by_events_or_links_which_are_dropped() {
    each(|name, spans| {
        for Arrived { span, .. } in spans {
            assert!(span.events.is_empty() && span.links.is_empty(), "{name}: {}", span.name);
        }
    });
}

#[test]
fn a_batch_is_not_refused_for_one_of_its_spans() {
    each(|name, spans| {
        let mut ids = BTreeSet::new();
        for Arrived { span, .. } in spans {
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8), "{name}");
            assert!(span.trace_id.iter().any(|b| *b != 0) && span.span_id.iter().any(|b| *b != 0));
            // One complete span per id.
            assert!(ids.insert(span.span_id.clone()), "{name}: {} is there twice", span.name);
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{name}: {}", span.name);
        }
        let roots = spans.iter().filter(|span| span.span.parent_span_id.is_empty());
        assert_eq!(roots.count(), 1, "{name}");
        for Arrived { span, .. } in &spans[1..] {
            assert!(ids.contains(&span.parent_span_id), "{name}: {} hangs nowhere", span.name);
        }
        let traces: BTreeSet<_> = spans.iter().map(|span| &span.span.trace_id).collect();
        assert_eq!(traces.len(), 1, "{name}");
        assert!(spans.len() <= MOST_SPANS, "{name}: {}", spans.len());
    });
}

#[test]
fn the_root_holds_what_goes_in_and_what_comes_out() {
    each(|name, spans| {
        let root = &spans[0];
        let json =
            |key| -> serde_json::Value { serde_json::from_str(root.text(key).unwrap()).unwrap() };
        assert_eq!(json("langfuse.observation.input")["scenario"], "greeting", "{name}");
        let output = json("langfuse.observation.output");
        assert!(output["outcome"].is_string() && output["turns"].is_array(), "{name}: {output}");
        // What is not ok says why.
        let passed = output["passed"].as_bool();
        assert_eq!(passed == Some(false), output["cause"].is_string() && passed.is_some());
        let level = root.text("langfuse.observation.level");
        assert_eq!(level == Some("ERROR"), passed == Some(false), "{name}: {output}");
        assert!(passed != Some(false) || !output["detail"].as_str().unwrap().is_empty(), "{name}");
    });
}

#[test]
fn types_and_levels_are_words_that_langfuse_knows() {
    let types = ["span", "chain", "generation", "tool", "event", "evaluator"];
    each(|name, spans| {
        for span in spans {
            let kind = span.text("langfuse.observation.type").unwrap();
            assert!(types.contains(&kind), "{name}: {kind}");
            let level = span.text("langfuse.observation.level");
            let message = span.text("langfuse.observation.status_message");
            assert_eq!(level.is_some(), message.is_some_and(|text| !text.is_empty()), "{name}");
            assert!(level.is_none_or(|level| ["WARNING", "ERROR"].contains(&level)), "{name}");
            let status = span.span.status.as_ref().map_or(0, |status| status.code);
            assert_eq!(status == StatusCode::Error as i32, level == Some("ERROR"), "{name}");
        }
    });
}

#[test]
fn the_time_to_first_token_is_a_response_that_was_heard() {
    let key = "langfuse.observation.completion_start_time";
    each(|name, spans| {
        for span in spans {
            let response = span.span.name == "loadcall.agent_response";
            let generation = span.text("langfuse.observation.type") == Some("generation");
            assert_eq!(response, generation, "{name}: {}", span.span.name);
            let Some(first) = span.text(key) else { continue };
            assert!(response, "{name}");
            let first: Timestamp = first.parse().unwrap();
            let nanos = u64::try_from(first.as_nanosecond()).unwrap();
            let (from, until) = (span.span.start_time_unix_nano, span.span.end_time_unix_nano);
            assert!((from..=until).contains(&nanos), "{name}");
        }
    });
    // A wait that led to nothing is no latency.
    let spans = arrived(&recordings::unanswered());
    let waited =
        spans.iter().find(|span| span.attributes.contains_key("loadcall.unanswered_for_s"));
    let waited = waited.unwrap();
    assert!(waited.text(key).is_none());
    assert!(!waited.attributes.contains_key("loadcall.response_latency_s"));
}

#[test]
fn nothing_is_counted_as_tokens_or_priced() {
    each(|name, spans| {
        for span in spans {
            for key in span.attributes.keys() {
                let counted = ["usage", "cost", "gen_ai.request", "gen_ai.response"];
                assert!(!counted.iter().any(|word| key.contains(word)), "{name}: {key}");
                assert!(!key.starts_with("experiment.") && key != "model", "{name}: {key}");
            }
            // Each of the 167 patterns by which version 4.16.0 finds a price begins at the name's beginning.
            let model = span.text("langfuse.observation.model.name");
            assert!(model.is_none_or(|name| name.starts_with("livekit-agent/")), "{name}");
        }
    });
}

#[test]
fn texts_of_others_stay_texts_of_bounded_size() {
    each(|name, spans| {
        let mut bytes = 0;
        for span in spans {
            bytes += span.span.encoded_len();
            assert!(span.span.encoded_len() < 110_000, "{name}: {}", span.span.name);
            for (key, value) in &span.attributes {
                if let Any::StringValue(text) = value
                    && key != "session.id"
                {
                    let plain = |c: char| !c.is_control() && c != '\u{202e}';
                    assert!(text.chars().all(plain), "{name}: {key} is {text:?}");
                }
                if let Any::DoubleValue(number) = value {
                    assert!(number.is_finite(), "{name}: {key}");
                }
            }
        }
        assert!(bytes < 3_000_000, "{name}: {bytes}");
    });
}

#[test]
fn each_kind_of_call_shows_what_is_special_about_it() {
    let spans: BTreeMap<_, _> =
        recordings::all().iter().map(|(name, call)| (*name, arrived(call))).collect();
    let count = |name: &str, span: &str| {
        spans[name].iter().filter(|arrived| arrived.span.name == span).count()
    };
    assert_eq!(count("answered", "loadcall.barge_in"), 1);
    assert_eq!(count("cut in", "loadcall.cut_in"), 1);
    assert_eq!(count("tools", "loadcall.tool"), 3);
    assert_eq!(count("troubled", "loadcall.problem"), 4);
    assert_eq!(count("refused", "loadcall.agent_join"), 0);
    // Bounds are reached, and nothing more is sent.
    assert_eq!(
        (count("endless", "loadcall.tool"), count("endless", "loadcall.problem")),
        (200, 200)
    );
    let root = &spans["two agents"][0];
    let spoke = root.attributes.get("loadcall.spoke");
    let Some(Any::ArrayValue(spoke)) = spoke else { panic!("{spoke:?}") };
    assert_eq!(spoke.values.len(), 2);
    let kept = spans["not yielding"].iter().find(|one| one.span.name == "loadcall.barge_in");
    assert_eq!(kept.unwrap().text("langfuse.observation.level"), Some("WARNING"));
}
