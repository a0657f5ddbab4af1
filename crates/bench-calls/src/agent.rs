//! The stand-in for an agent: joins every room of the server and speaks ready-made packets.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use livekit::{
    options::TrackPublishOptions,
    prelude::{LocalAudioTrack, LocalTrack, RoomOptions, TrackSource},
    webrtc::encoded::EncodedAudioSource,
};
use livekit_api::{
    access_token::{AccessToken, VideoGrants},
    services::room::RoomClient,
};
use loadcall::clock::Clock;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{interval, sleep},
};

use crate::{
    args::Room,
    error::Error,
    meter::{Meter, Meters},
    role,
    speech::{PAUSE, Speech},
};

/// How often the server is asked for new rooms, while some are still to come.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Rooms that are being joined at a time.
const JOINING: usize = 8;

struct Shared {
    room: Room,
    speech: Speech,
    clock: Clock,
    meters: Mutex<Vec<Arc<Meter>>>,
    joining: Semaphore,
    joined: watch::Sender<u32>,
}

pub(crate) async fn run(room: &Room) -> Result<(), Error> {
    let shared = Arc::new(Shared {
        room: room.clone(),
        speech: Speech::read(&room.clip)?,
        clock: Clock::start(),
        meters: Mutex::default(),
        joining: Semaphore::new(JOINING),
        joined: watch::Sender::new(0),
    });
    let (all_joined, ready) = watch::channel(false);
    let mut joined = shared.joined.subscribe();
    let wanted = room.calls;
    tokio::select! {
        () = find_rooms(&shared) => Ok(()),
        () = async {
            let _ = joined.wait_for(|joined| *joined >= wanted).await;
            all_joined.send_replace(true);
            std::future::pending::<()>().await;
        } => Ok(()),
        () = role::serve(ready, Meters::new(&shared.meters)) => Ok(()),
    }
}

async fn find_rooms(shared: &Arc<Shared>) {
    let Room { url, api_key, api_secret, calls, .. } = &shared.room;
    let client = RoomClient::with_api_key(&url.replacen("ws", "http", 1), api_key, api_secret);
    let (mut known, mut conversations) = (HashSet::new(), JoinSet::new());
    let mut ask = interval(ASK_EVERY);
    while known.len() < *calls as usize {
        ask.tick().await;
        for room in client.list_rooms(Vec::new()).await.unwrap_or_default() {
            if known.insert(room.name.clone()) {
                let shared = Arc::clone(shared);
                conversations.spawn(async move {
                    if let Err(error) = Box::pin(converse(&shared, &room.name)).await {
                        role::say_on_stderr(&error.to_string());
                    }
                });
            }
        }
    }
    while conversations.join_next().await.is_some() {}
    std::future::pending::<()>().await;
}

async fn converse(shared: &Shared, name: &str) -> Result<(), Error> {
    let failed = |reason: String| Error::Call { room: name.into(), reason };
    let permit = shared.joining.acquire().await;
    let token = token(&shared.room, name).map_err(failed)?;
    let joined = livekit::Room::connect(&shared.room.url, &token, RoomOptions::default()).await;
    let (room, mut events) = joined.map_err(|e| failed(e.to_string()))?;
    let microphone = EncodedAudioSource::new(shared.speech.silence.clone());
    let track = LocalAudioTrack::create_audio_track("voice", microphone.rtc_source());
    let publish = TrackPublishOptions {
        source: TrackSource::Microphone,
        dtx: false,
        red: false,
        ..TrackPublishOptions::default()
    };
    let published = room.local_participant().publish_track(LocalTrack::Audio(track), publish).await;
    published.map_err(|e| failed(e.to_string()))?;
    drop(permit);
    if let Ok(mut meters) = shared.meters.lock() {
        meters.push(Arc::new(Meter::new(microphone.clone())));
    }
    shared.joined.send_modify(|joined| *joined += 1);
    let talk = async {
        loop {
            let now = shared.clock.instant(shared.clock.now());
            let _ = microphone.play(Arc::clone(&shared.speech.frames), now);
            sleep(shared.speech.duration + PAUSE).await;
        }
    };
    tokio::select! {
        () = talk => {}
        () = async { while events.recv().await.is_some() {} } => {}
    }
    Ok(())
}

/// A participant of the kind that the official tester waits for.
fn token(room: &Room, name: &str) -> Result<String, String> {
    let grants = VideoGrants {
        room_join: true,
        room: name.into(),
        can_publish: Some(true),
        can_subscribe: Some(true),
        can_publish_data: Some(true),
        ..VideoGrants::default()
    };
    AccessToken::with_api_key(&room.api_key, &room.api_secret)
        .with_identity("agent")
        .with_kind("agent")
        .with_grants(grants)
        .to_jwt()
        .map_err(|e| e.to_string())
}
