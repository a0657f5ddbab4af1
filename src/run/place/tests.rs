use super::*;
use crate::audio::opus;
use crate::call::access::{Access, Gate};
use crate::clock::Clock;
use crate::plan::{Schedule, TargetId, Targets};
use crate::room::endpoint::Endpoint;
use crate::room::packets::packet;
use crate::scenario::Load;
use crate::scenario::metadata::Variables;
use crate::secret::Secret;
use crate::turn::testing::two_questions;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

/// What happened, in short.
#[derive(Default)]
struct Seen(Vec<String>);

impl Sink for Seen {
    fn take(&mut self, event: &Event) {
        self.0.push(match &event.kind {
            EventKind::Placed(call) => format!("placed {}", call.id.0),
            EventKind::Ended { record, .. } => {
                assert!(record.due <= record.dialled, "{record:?}");
                format!("ended {} {}", record.id.0, record.end.outcome.name())
            }
            EventKind::Decided { calls } => format!("decided by {calls}"),
            EventKind::GaveUp { target } => format!("gave up {}", target.index()),
            EventKind::Finished { stopped } => format!("finished {stopped}"),
        });
    }
}

/// Where nobody listens.
fn nowhere(stop: watch::Receiver<bool>) -> CallConfig {
    CallConfig {
        run_id: "r1".into(),
        access: Access {
            gate: Gate::Keys(Endpoint {
                url: "ws://127.0.0.1:1".into(),
                api_key: "key".into(),
                api_secret: Secret::new("secret".into()),
            }),
            metadata: Secret::new(String::new()),
            traceparent: false,
            variables: Variables::default(),
            end_states: None,
        },
        scenario: Arc::new(two_questions()),
        clips: Arc::new([]),
        silence: packet(&opus::silence().unwrap()),
        clock: Clock::start(),
        taping: None,
        stop,
    }
}

fn five_calls() -> Plan {
    let (calls, concurrency) = (NonZeroU32::new(5).unwrap(), NonZeroU16::MIN);
    let schedule = Schedule::new(Load::Repeat { calls, concurrency });
    Plan { schedule, targets: Targets::ONE, seed: 1 }
}

#[tokio::test]
async fn every_sink_learns_everything_in_order() {
    let (_stop, stopped) = watch::channel(false);
    let (_abort, aborted) = watch::channel(false);
    let (mut one, mut other) = (Seen::default(), Seen::default());
    place(&[nowhere(stopped)], &five_calls(), &mut [&mut one, &mut other], aborted, None).await;
    let each = |n| [format!("placed {n}"), format!("ended {n} connection_lost")];
    let mut expected: Vec<String> = (0..3).flat_map(each).collect();
    expected.extend([format!("gave up {}", TargetId::FIRST.index()), "finished false".into()]);
    assert_eq!(one.0, expected);
    assert_eq!(other.0, expected);
}

#[tokio::test]
async fn a_run_that_is_stopped_at_once_places_nothing() {
    let (_stop, stopped) = watch::channel(true);
    let (_abort, aborted) = watch::channel(false);
    let mut seen = Seen::default();
    place(&[nowhere(stopped)], &five_calls(), &mut [&mut seen], aborted, None).await;
    assert_eq!(seen.0, ["finished true"]);
}

#[test]
fn rooms_are_named_within_the_limits_of_a_server() {
    let (_stop, stopped) = watch::channel(false);
    let config =
        CallConfig { run_id: "20260102-030405-00112233aabbccdd-b".into(), ..nowhere(stopped) };
    let name = config.scenario.name();
    let room = config.room(crate::record::CallId(99_999));
    assert_eq!(room, format!("loadcall-{name}-20260102-030405-00112233aabbccdd-b-99999"));
    // livekit-server takes 256 characters, and a scenario's name has 64 at most.
    assert!(room.len() - name.len() + 64 <= 128);
}
