//! Connections through a TURN server on the loopback: over UDP, TCP and TLS.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "IO: these tests run in real time"
)]

#[cfg(test)]
mod common;
#[cfg(test)]
mod turn;

use std::{process::Command, sync::Arc, time::Duration};

use common::{PATIENCE, QUEUE, Side, audio, connect, microphone, next};
use libwebrtc::{
    encoded::EncodedAudioStream, peer_connection_factory::IceServer, prelude::*, stats::RtcStats,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{sync::mpsc, time::timeout};
use turn::{Kind, PASSWORD, Server, USER};

/// What tells a test that it is run by itself, with a root certificate of its own.
const CHAIN: &str = "RELAY_TEST_CHAIN";
const KEY: &str = "RELAY_TEST_KEY";

fn relayed(url: String) -> RtcConfiguration {
    let mut config = RtcConfiguration::default();
    config.ice_transport_type = IceTransportsType::Relay;
    config.ice_servers =
        vec![IceServer { urls: vec![url], username: USER.into(), password: PASSWORD.into() }];
    config
}

async fn is_relayed(side: &Side) -> bool {
    let stats = side.connection.get_stats().await.unwrap();
    stats.iter().any(|entry| {
        let RtcStats::LocalCandidate(local) = entry else { return false };
        local.local_candidate.candidate_type == Some(libwebrtc::stats::IceCandidateType::Relay)
    })
}

/// Two connections that only know the server hear and write to each other, and leave nothing behind.
async fn talk_through(server: &Server, url: String) {
    let (mut a, mut b) = (Side::new(relayed(url.clone())), Side::new(relayed(url)));
    let channel = a.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let (_source, track) = microphone();
    a.connection.add_track(track, &["stream"]).unwrap();
    connect(&mut a, &mut b).await;
    let theirs = timeout(PATIENCE, b.channels.recv()).await.unwrap().unwrap();
    let (send_message, mut messages) = mpsc::channel(QUEUE);
    theirs.on_message(Some(Box::new(move |buffer| {
        let _ = send_message.try_send(buffer.data.len());
    })));
    let open = async {
        while channel.state() != DataChannelState::Open {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, open).await.expect("the channel opens");
    channel.send(&vec![7; 50_000], true).unwrap();
    assert_eq!(timeout(PATIENCE, messages.recv()).await.unwrap(), Some(50_000));
    let mut heard =
        EncodedAudioStream::new(audio(timeout(PATIENCE, b.tracks.recv()).await.unwrap().unwrap()));
    for _ in 0..50 {
        next(&mut heard).await.unwrap();
    }
    for side in [&a, &b] {
        let local = side.connection.current_local_description().unwrap().to_string();
        assert!(!local.contains("typ host"), "{local}");
    }
    assert!(
        timeout(PATIENCE, async {
            while !(is_relayed(&a).await && is_relayed(&b).await) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await
        .is_ok()
    );
    assert_eq!(server.allocations(), 2);
    assert!(server.relayed() > 100, "{} datagrams were relayed", server.relayed());
    for side in [&mut a, &mut b] {
        while let Ok(candidate) = side.candidates.try_recv() {
            assert!(candidate.candidate().contains("typ relay"), "{candidate:?}");
        }
        side.connection.close();
    }
    let deleted = async {
        while server.allocations() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, deleted).await.expect("allocations are deleted on close");
}

#[tokio::test]
async fn a_call_is_relayed_over_udp() {
    let server = Server::start(Kind::Udp);
    talk_through(&server, format!("turn:{}", server.address)).await;
}

#[tokio::test]
async fn a_call_is_relayed_over_tcp() {
    let server = Server::start(Kind::Tcp);
    talk_through(&server, format!("turn:{}?transport=tcp", server.address)).await;
}

#[tokio::test]
async fn servers_may_come_later() {
    let server = Server::start(Kind::Udp);
    let none = || {
        let mut config = relayed(String::new());
        config.ice_servers.clear();
        config
    };
    let (mut a, mut b) = (Side::new(none()), Side::new(none()));
    a.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    for side in [&a, &b] {
        side.connection.set_configuration(relayed(format!("turn:{}", server.address))).unwrap();
    }
    connect(&mut a, &mut b).await;
}

#[tokio::test]
async fn a_wrong_password_gives_no_candidate() {
    let server = Server::start(Kind::Udp);
    let mut config = relayed(format!("turn:{}", server.address));
    config.ice_servers[0].password = "guessed".into();
    assert!(!format!("{config:?}").contains("guessed"));
    let (complete, mut completed) = mpsc::channel(QUEUE);
    let mut side = Side::new(config);
    side.connection.on_ice_gathering_state_change(Some(Box::new(move |state| {
        let _ = complete.try_send(state);
    })));
    side.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = side.connection.create_offer(OfferOptions::default()).await.unwrap();
    side.connection.set_local_description(offer).await.unwrap();
    let mut states = vec![];
    while states.last() != Some(&IceGatheringState::Complete) {
        states.push(timeout(PATIENCE, completed.recv()).await.unwrap().unwrap());
    }
    assert!(side.candidates.try_recv().is_err());
    assert_eq!(server.allocations(), 0);
}

/// A certificate for `localhost`, and its key.
fn certificate() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Runs a test of this file in a process that trusts a certificate.
fn run_trusting(trusted: &str, served: &(String, String), test: &str) {
    let folder = std::env::temp_dir().join(format!("relay-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let root = folder.join("root.pem");
    std::fs::write(&root, trusted).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored"])
        .env("SSL_CERT_FILE", &root)
        .env_remove("SSL_CERT_DIR")
        .env(CHAIN, &served.0)
        .env(KEY, &served.1)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

fn tls_server() -> Server {
    let chain = std::env::var(CHAIN).expect("this test is run by another");
    let key = std::env::var(KEY).unwrap();
    let chain = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    Server::start(Kind::Tls(Arc::new(config)))
}

#[test]
fn a_call_is_relayed_over_tls() {
    let served = certificate();
    run_trusting(&served.0, &served, "over_tls");
}

#[tokio::test]
#[ignore = "run by a_call_is_relayed_over_tls, with a root certificate of its own"]
async fn over_tls() {
    let server = tls_server();
    talk_through(&server, format!("turns:localhost:{}?transport=tcp", server.address.port())).await;
}

#[test]
fn a_server_with_an_unknown_certificate_is_not_used() {
    let (trusted, _) = certificate();
    run_trusting(&trusted, &certificate(), "with_an_unknown_certificate");
}

#[tokio::test]
#[ignore = "run by a_server_with_an_unknown_certificate_is_not_used"]
async fn with_an_unknown_certificate() {
    let server = tls_server();
    let (complete, mut completed) = mpsc::channel(QUEUE);
    let mut side = Side::new(relayed(format!("turns:localhost:{}", server.address.port())));
    side.connection.on_ice_gathering_state_change(Some(Box::new(move |state| {
        let _ = complete.try_send(state);
    })));
    side.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = side.connection.create_offer(OfferOptions::default()).await.unwrap();
    side.connection.set_local_description(offer).await.unwrap();
    while timeout(PATIENCE, completed.recv()).await.unwrap() != Some(IceGatheringState::Complete) {}
    assert!(side.candidates.try_recv().is_err());
    assert_eq!(server.allocations(), 0);
}
