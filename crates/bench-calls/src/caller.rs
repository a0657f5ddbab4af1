//! The callers: loadcall's line and ears, a call in a room of its own each.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt as _;
use loadcall::{
    call::{
        livekit::{Line, News},
        readers::Readers,
    },
    clock::Clock,
    record::Stamped,
    room::{
        endpoint::{Dial, Endpoint, Guest},
        hearing::Hearing,
    },
    scenario::{CallerKind, Listening},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::sleep_until,
};

use crate::{
    args::Room,
    error::Error,
    meter::{Meter, Meters},
    role,
    speech::{PAUSE, Speech},
};

/// Calls that are being set up at a time.
const DIALLING: usize = 8;
/// The longest sleep between two looks at the clock, as in a call of loadcall.
const TICK: Duration = Duration::from_millis(500);

struct Shared {
    endpoint: Endpoint,
    speech: Speech,
    clock: Clock,
    meters: Mutex<Vec<Arc<Meter>>>,
    /// Calls that have heard their agent.
    up: watch::Sender<u32>,
    dialling: Semaphore,
}

pub(crate) async fn run(room: &Room) -> Result<(), Error> {
    let shared = Arc::new(Shared {
        endpoint: Endpoint {
            url: room.url.clone(),
            api_key: room.api_key.clone(),
            api_secret: room.api_secret.clone().into(),
        },
        speech: Speech::read(&room.clip)?,
        clock: Clock::start(),
        meters: Mutex::default(),
        up: watch::Sender::new(0),
        dialling: Semaphore::new(DIALLING),
    });
    let (all_up, ready) = watch::channel(false);
    let (hang_up, stop) = watch::channel(false);
    let mut calls = JoinSet::new();
    for n in 0..room.calls {
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        calls.spawn(async move { Box::pin(call(&shared, n, stop)).await });
    }
    let (wanted, mut up) = (room.calls, shared.up.subscribe());
    let result = tokio::select! {
        () = async {
            let _ = up.wait_for(|up| *up >= wanted).await;
            all_up.send_replace(true);
            std::future::pending::<()>().await;
        } => Ok(()),
        // A call ends by itself only when it was never up.
        Some(Ok(Err(error))) = calls.join_next() => Err(error),
        () = role::serve(ready, Meters::new(&shared.meters)) => Ok(()),
    };
    hang_up.send_replace(true);
    while calls.join_next().await.is_some() {}
    result
}

async fn call(shared: &Shared, n: u32, stop: watch::Receiver<bool>) -> Result<(), Error> {
    let room = format!("bench-{n}");
    let dial = Dial {
        room: room.clone(),
        room_metadata: String::new().into(),
        caller: Guest {
            identity: "caller".into(),
            name: String::new(),
            metadata: String::new().into(),
            attributes: Vec::new(),
            kind: CallerKind::Standard,
        },
        agent_name: String::new(),
        agent_metadata: String::new().into(),
    };
    let refused = |reason: String| Error::Call { room: room.clone(), reason };
    let ticket = shared.endpoint.admit(&dial).await.map_err(|e| refused(e.to_string()))?;
    let (readers, read) = Readers::start(shared.clock);
    let permit = shared.dialling.acquire().await;
    let silence = shared.speech.silence.clone();
    let line = Line::dial(&ticket, silence, readers).await;
    drop(permit);
    let mut line = line.map_err(|error| refused(error.to_string()))?;
    line.look_around(Listening::default());
    let meter = Arc::new(Meter::new(line.microphone.clone()));
    if let Ok(mut meters) = shared.meters.lock() {
        meters.push(Arc::clone(&meter));
    }
    converse(shared, &mut line, read, &meter, stop).await;
    line.hang_up().await;
    Ok(())
}

/// What a call does while its script waits: it listens, looks at the clock, and speaks now and then.
async fn converse(
    shared: &Shared,
    line: &mut Line,
    mut read: mpsc::Receiver<Stamped>,
    meter: &Meter,
    mut stop: watch::Receiver<bool>,
) {
    let clock = shared.clock;
    let mut hearing = Hearing::new(clock);
    let (mut stream, mut is_up) = (None, false);
    let mut speak_at = clock.now().plus(PAUSE);
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut timer = pin!(sleep_until(clock.instant(speak_at).into()));
    loop {
        while let Some(heard) = hearing.next_packet().now_or_never() {
            meter.packet(&mut stream, &heard.frame);
            hearing.take(&heard);
        }
        let now = clock.now();
        hearing.look_at_the_clock(now);
        meter.edges(hearing.take_heard().len() as u64);
        if now >= speak_at {
            // One that still plays is followed by the next all the same.
            let _ = line.microphone.play(Arc::clone(&shared.speech.frames), clock.instant(now));
            speak_at = now.plus(shared.speech.duration).plus(PAUSE);
        }
        let wake = [hearing.wake_at(), Some(speak_at)].into_iter().flatten();
        let wake = wake.filter(|at| *at > now).fold(now.plus(TICK), Ord::min);
        timer.as_mut().reset(clock.instant(wake).into());
        tokio::select! {
            biased;
            heard = hearing.next_packet() => {
                if !std::mem::replace(&mut is_up, true) {
                    shared.up.send_modify(|up| *up += 1);
                }
                meter.packet(&mut stream, &heard.frame);
                hearing.take(&heard);
            }
            news = line.news(clock) => match news {
                News::Audio { track, stream, surely } => hearing.listen_to(track, stream, surely),
                News::AgentLeft { .. } | News::Lost { .. } => {
                    meter.broke();
                    return;
                }
                News::Reconnecting => meter.broke(),
                News::AgentJoined { .. }
                | News::AgentState(_)
                | News::TurnAway { .. }
                | News::TrackEnded { .. }
                | News::TrackMuted { .. }
                | News::Noted(_)
                | News::Reconnected => {}
            },
            Some(_) = read.recv() => {}
            _ = &mut stopped => return,
            () = &mut timer => {}
        }
    }
}
