//! The ids of what a recording is sent as, made from it alone: sent a second time it replaces what is there.

use super::{CallId, RunHead};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What the traces of a run say of it beside what was observed. Kept with the run, so that traces that are sent later say
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Labels {
    /// The build of the agent, as its owner names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Set when the run is an experiment: what its name begins with; empty for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
}

impl Labels {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A hash of a place in a call of a run.
pub fn place_id(run_id: &str, name: &str, call: CallId, place: u32) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [run_id.as_bytes(), name.as_bytes()] {
        // With its length in front, so that no two lists of parts are the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(call.0.to_le_bytes());
    hash.update(place.to_le_bytes());
    hash.finalize().into()
}

/// The OpenTelemetry trace id of a call.
pub fn trace_id(run_id: &str, call: CallId) -> [u8; 16] {
    let hash = place_id(run_id, "trace", call, 0);
    std::array::from_fn(|at| hash[at])
}

/// The same as text.
pub fn trace_text(run_id: &str, call: CallId) -> String {
    format!("{:032x}", u128::from_be_bytes(trace_id(run_id, call)))
}

/// The name of the span that a call is in its trace.
pub const ROOT: &str = "loadcall.call";

/// The W3C's `traceparent` of a call: an agent that takes it makes its spans children of the call's.
pub fn traceparent(run_id: &str, call: CallId) -> String {
    let trace = u128::from_be_bytes(trace_id(run_id, call));
    let root = place_id(run_id, ROOT, call, 0);
    let root = u64::from_be_bytes(std::array::from_fn(|at| root[at]));
    // Sampled: an agent's SDK sends nothing of a trace that is not.
    format!("00-{trace:032x}-{root:016x}-01")
}

/// Where the trace of a call can be seen: Langfuse leads from there to the trace in its project. `None` when none was
/// sent, or when the recording names no address that one could follow.
pub fn trace_url(head: &RunHead, call: CallId) -> Option<String> {
    let base = head.langfuse_url.as_deref()?.trim_end_matches('/');
    let is_web = base.starts_with("https://") || base.starts_with("http://");
    let is_plain = base.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>`\\".contains(&b));
    if !is_web || !is_plain || base.len() > 500 {
        return None;
    }
    Some(format!("{base}/trace/{}", trace_text(&head.run_id, call)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::head;

    #[test]
    fn an_agent_is_told_the_trace_and_the_span_of_its_call() {
        let told = traceparent("r1", CallId(3));
        let parts: Vec<&str> = told.split('-').collect();
        let id = format!("{:032x}", u128::from_be_bytes(trace_id("r1", CallId(3))));
        assert_eq!((parts[0], parts[1], parts[2].len(), parts[3]), ("00", id.as_str(), 16, "01"));
        assert_ne!(told, traceparent("r1", CallId(4)));
        assert_ne!(told, traceparent("r2", CallId(3)));
    }

    #[test]
    fn a_trace_is_linked_where_it_was_sent_and_nowhere_that_does_harm() {
        let url = |base: Option<&str>| {
            let head = RunHead { langfuse_url: base.map(str::to_owned), ..head() };
            trace_url(&head, CallId(3))
        };
        let found = url(Some("https://cloud.langfuse.com")).unwrap();
        let id = found.strip_prefix("https://cloud.langfuse.com/trace/").unwrap();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{found}");
        assert_eq!(url(Some("http://h/x/")).unwrap(), format!("http://h/x/trace/{id}"));
        let hostile =
            ["javascript:alert(1)//", "https://h/\"><script>", "http://h/\u{202e}", "ftp://h"];
        assert!(hostile.iter().all(|base| url(Some(base)).is_none()));
        assert_eq!(url(None), None);
    }
}
