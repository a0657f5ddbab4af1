//! What tests of recordings share.

use super::{Host, RunHead};

/// The head of a run of nothing in particular.
pub(crate) fn head() -> RunHead {
    RunHead {
        run_id: "r1".into(),
        started_at: "2026-01-02T03:04:05.000006Z".into(),
        loadcall_version: "0.1.0".into(),
        scenario_path: "a.yaml".into(),
        scenario_text: "version: 1\n".into(),
        overlay: None,
        clips: vec![None],
        seed: 7,
        server_url: "ws://127.0.0.1:7880".into(),
        langfuse_url: None,
        agent_started: false,
        labels: crate::record::Labels::default(),
        server: None,
        host: Host { os: "linux".into(), cpus: 2 },
        calibration: None,
        arm: None,
    }
}
