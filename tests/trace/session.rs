//! A production session as livekit-agents 1.8.9 makes its spans, with figures that a test knows.

use crate::langfuse::Row;

pub(crate) const ROOM: &str = "support-4711";
pub(crate) const ROOM_SID: &str = "RM_qwertz";
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
/// 2026-11-30T12:00:00Z in milliseconds.
pub(crate) const BEGIN: i64 = 1_796_040_000_000;

/// What the model takes until its first token in the first turn and in the second, and what the attempt that failed there
/// cost before, in milliseconds.
pub(crate) const TTFT: [i64; 2] = [900, 300];
pub(crate) const RETRY: i64 = 650;
pub(crate) const TTFB: i64 = 150;
pub(crate) const END_OF_TURN: i64 = 400;
/// What is in no stage.
pub(crate) const BETWEEN: i64 = 30;

/// The spans as they are made.
#[derive(Default)]
struct Session(Vec<Row>);

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

impl Session {
    /// Adds a span; `from` and `until` are milliseconds since the session began. Gives its id.
    fn add(&mut self, parent: Option<u64>, name: &str, (from, until): (i64, i64)) -> u64 {
        let id = u64::try_from(self.0.len()).unwrap() + 1;
        self.0.push(Row {
            name: name.to_owned(),
            trace: TRACE.to_owned(),
            id,
            parent,
            session: Some(ROOM.to_owned()),
            environment: "production".to_owned(),
            begin: BEGIN + from,
            end: BEGIN + until,
            attributes: vec![("room_id", ROOM_SID.to_owned())],
            ..Row::default()
        });
        id
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.0.last_mut().unwrap().attributes.push((name, value));
    }

    /// The caller speaks for two seconds; the agent answers.
    fn turn(&mut self, session: u64, from: i64, retry: i64, ttft: i64) {
        let said = from + 2_000;
        let decided = said + END_OF_TURN;
        let user = self.add(Some(session), "user_turn", (from, decided));
        self.set("lk.end_of_turn_delay", seconds(END_OF_TURN));
        self.add(Some(user), "user_speaking", (from, said));
        self.add(Some(user), "eou_wait", (said, decided));
        let first = decided + retry + ttft;
        let speaks = first + TTFB + BETWEEN;
        let agent = self.add(Some(session), "agent_turn", (decided, speaks + 3_000));
        self.set("lk.e2e_latency", seconds(speaks - said));
        let node = self.add(Some(agent), "llm_node", (decided, first + 500));
        self.set("lk.response.ttft", seconds(retry + ttft));
        let request = self.add(Some(node), "llm_request", (decided, first + 500));
        self.0.last_mut().unwrap().usage = Some((812, 40, Some(0.0021)));
        if retry > 0 {
            self.add(Some(request), "llm_request_run", (decided, decided + retry - 100));
            self.set("lk.retry_count", "0".to_owned());
            self.0.last_mut().unwrap().error = Some("HTTP 529: overloaded".to_owned());
        }
        self.add(Some(request), "llm_request_run", (decided + retry, first + 500));
        self.set("lk.retry_count", u8::from(retry > 0).to_string());
        let tts = self.add(Some(agent), "tts_node", (decided + 1, speaks + 900));
        self.set("lk.response.ttfb", seconds(TTFB));
        self.add(Some(tts), "tts_request", (first, speaks + 900));
        self.add(Some(agent), "agent_speaking", (speaks, speaks + 3_000));
    }
}

/// The spans of a session of two turns: a slow model in the first, and one that has to be asked again in the second.
pub(crate) fn rows() -> Vec<Row> {
    let mut made = Session::default();
    let session = made.add(None, "agent_session", (0, 30_000));
    made.set("lk.agent_name", "front-desk".to_owned());
    made.turn(session, 4_000, 0, TTFT[0]);
    made.turn(session, 15_000, RETRY, TTFT[1]);
    made.0
}
