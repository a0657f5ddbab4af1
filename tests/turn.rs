//! A call that may use relayed candidates only, through the TURN server that is built into livekit-server. It tells its
//! clients of TLS on port 443 alone, which a test cannot have; the engine's own tests relay over TCP and TLS.
//!
//! Needs what `make tools` installs. Without it the tests say so and pass, unless `LOADCALL_REQUIRE_LIVE=1` makes that a
//! failure.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test of processes"
)]

use futures_util::StreamExt as _;
use livekit::options::TrackPublishOptions;
use livekit::prelude::*;
use livekit::webrtc::encoded::{EncodedAudioSource, EncodedAudioStream, EncodedFrame};
use livekit::webrtc::prelude::{IceTransportsType, RtcConfiguration};
use livekit::webrtc::stats::{IceCandidateType, RtcStats};
use livekit_api::access_token::{AccessToken, VideoGrants};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

const KEY: (&str, &str) = ("devkey", "secret");
const PATIENCE: Duration = Duration::from_secs(30);
fn server_program() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin/livekit-server");
    if program.exists() {
        return Some(program);
    }
    println!("skipped: no livekit-server in .tools/bin: run `make tools`");
    assert!(
        std::env::var("LOADCALL_REQUIRE_LIVE").as_deref() != Ok("1"),
        "LOADCALL_REQUIRE_LIVE=1 asks for it"
    );
    None
}

struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn start(program: &Path) -> Server {
    let tcp = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let udp = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (http, media_tcp, media_udp, turn) = {
        let (a, b, c, d) = (tcp(), tcp(), udp(), udp());
        let port = |l: &TcpListener| l.local_addr().unwrap().port();
        let udp_port = |s: &UdpSocket| s.local_addr().unwrap().port();
        (port(&a), port(&b), udp_port(&c), udp_port(&d))
    };
    let config = format!(
        "port: {http}\nrtc:\n  tcp_port: {media_tcp}\n  udp_port: {media_udp}\n  enable_loopback_candidate: true\n  ips:\n    includes: [127.0.0.1/32]\nturn:\n  enabled: true\n  domain: 127.0.0.1\n  relay_range_start: 24000\n  relay_range_end: 24200\n  allow_restricted_peer_cidrs: [127.0.0.0/8]\n  udp_port: {turn}\n"
    );
    let process = Command::new(program)
        .args(["--dev", "--bind", "127.0.0.1", "--node-ip", "127.0.0.1", "--config-body", &config])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let limit = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, http)).is_err() {
        assert!(Instant::now() < limit, "livekit-server does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    Server { process, url: format!("ws://127.0.0.1:{http}") }
}

async fn join(
    server: &Server,
    who: &str,
    transports: IceTransportsType,
) -> (Room, UnboundedReceiver<RoomEvent>) {
    let grants = VideoGrants { room_join: true, room: "relayed".into(), ..VideoGrants::default() };
    let token = AccessToken::with_api_key(KEY.0, KEY.1)
        .with_identity(who)
        .with_grants(grants)
        .to_jwt()
        .unwrap();
    let mut options = RoomOptions::default();
    let mut config = RtcConfiguration::default();
    config.ice_transport_type = transports;
    options.rtc_config = config;
    timeout(PATIENCE, Room::connect(&server.url, &token, options)).await.unwrap().unwrap()
}

async fn wait_for<T>(
    events: &mut UnboundedReceiver<RoomEvent>,
    mut take: impl FnMut(RoomEvent) -> Option<T>,
) -> T {
    let waiting = async {
        loop {
            let event = events.recv().await.expect("the room is open");
            if let Some(taken) = take(event) {
                return taken;
            }
        }
    };
    timeout(PATIENCE, waiting).await.expect("nothing came")
}

fn is_relayed(stats: &[RtcStats]) -> bool {
    stats.iter().any(|entry| {
        let RtcStats::LocalCandidate(local) = entry else { return false };
        local.local_candidate.candidate_type == Some(IceCandidateType::Relay)
    })
}

/// A caller behind the relay and one that is not hear and write to each other.
async fn call(server: &Server) {
    let (relayed, mut relayed_events) = join(server, "relayed", IceTransportsType::Relay).await;
    let (direct, mut direct_events) = join(server, "direct", IceTransportsType::All).await;
    let mut heard = vec![];
    for (from, events) in [(&relayed, &mut direct_events), (&direct, &mut relayed_events)] {
        let silence: &[u8] = &[0xf8, 0xff, 0xfe];
        let source =
            EncodedAudioSource::new(EncodedFrame { payload: Arc::from(silence), level: 127 });
        let track = LocalAudioTrack::create_audio_track("microphone", source.rtc_source());
        let speaker = from.local_participant();
        let published =
            speaker.publish_track(LocalTrack::Audio(track), TrackPublishOptions::default());
        timeout(PATIENCE, published).await.unwrap().unwrap();
        let track = wait_for(events, |event| {
            let RoomEvent::TrackSubscribed { track: RemoteTrack::Audio(track), .. } = event else {
                return None;
            };
            Some(track)
        })
        .await;
        let mut frames = EncodedAudioStream::new(track.rtc_track());
        for _ in 0..50 {
            timeout(PATIENCE, frames.next()).await.unwrap().unwrap();
        }
        heard.push((source, frames));
        let packet =
            DataPacket { payload: vec![7; 10_000], reliable: true, ..DataPacket::default() };
        from.local_participant().publish_data(packet).await.unwrap();
        let length = wait_for(events, |event| {
            let RoomEvent::DataReceived { payload, .. } = event else { return None };
            Some(payload.len())
        })
        .await;
        assert_eq!(length, 10_000);
    }
    let by = Instant::now() + PATIENCE;
    loop {
        let stats = relayed.get_stats().await.unwrap();
        if is_relayed(&stats.publisher_stats) {
            break;
        }
        assert!(Instant::now() < by, "{stats:?}");
        sleep(Duration::from_millis(100)).await;
    }
    relayed.close().await.unwrap();
    direct.close().await.unwrap();
}

#[tokio::test]
async fn a_call_is_relayed_over_udp() {
    let Some(program) = server_program() else { return };
    let server = start(&program);
    call(&server).await;
}
