//! What the agent offers its caller beside its voice, and what it knows of it.

use super::truth::{Happened, Truth};
use crate::clock::Clock;
use livekit::participant::ParticipantKind;
use livekit::prelude::*;
use tokio::sync::mpsc;

/// Offers methods that answer with an empty text; that they were called goes into the truth.
pub(super) fn offer(
    of: &LocalParticipant,
    methods: &[String],
    room: &str,
    clock: Clock,
    truth: Option<&mpsc::Sender<Truth>>,
) {
    for method in methods {
        let (room, truth, name) = (room.to_owned(), truth.cloned(), method.clone());
        of.register_rpc_method(method.clone(), move |call| {
            let (method, payload) = (name.clone(), call.payload);
            let what = Happened::Rpc { method, payload, at: clock.now() };
            if let Some(truth) = &truth
                && truth.try_send(Truth { room: room.clone(), what }).is_err()
            {
                log::error!("the agent's own record has a gap: nobody takes it in");
            }
            Box::pin(async { Ok(String::new()) })
        });
    }
}

/// Who the caller is.
pub(super) fn caller(participant: &RemoteParticipant, room_metadata: &str) -> Happened {
    let kind = if participant.kind() == ParticipantKind::Sip { "sip" } else { "standard" };
    Happened::Caller {
        identity: participant.identity().to_string(),
        name: participant.name(),
        kind: kind.to_owned(),
        metadata: participant.metadata(),
        attributes: participant.attributes().into_iter().collect(),
        room_metadata: room_metadata.to_owned(),
    }
}
