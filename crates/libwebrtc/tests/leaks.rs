//! What is left of connections that are gone. The only test of its process, because it counts what the process has.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "IO: this test runs in real time")]

#[cfg(test)]
mod common;

use std::time::{Duration, Instant};

use common::{PATIENCE, Side, audio, connect, microphone, next};
use libwebrtc::{encoded::EncodedAudioStream, prelude::*};
use tokio::time::timeout;

#[tokio::test]
async fn nothing_is_left_of_closed_and_of_dropped_connections() {
    let call = async |closes: bool| {
        let (mut a, mut b) =
            (Side::new(RtcConfiguration::default()), Side::new(RtcConfiguration::default()));
        a.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let (source, track) = microphone();
        a.connection.add_track(track, &["stream"]).unwrap();
        connect(&mut a, &mut b).await;
        let channel = timeout(PATIENCE, b.channels.recv()).await.unwrap();
        let track = audio(timeout(PATIENCE, b.tracks.recv()).await.unwrap().unwrap());
        let mut frames = EncodedAudioStream::new(track);
        next(&mut frames).await.unwrap();
        if closes {
            a.connection.close();
            b.connection.close();
        }
        drop((a, b, source, channel));
        // The end of the connection ends the stream, although its track is still held.
        while next(&mut frames).await.is_some() {}
    };
    call(true).await;
    let (sockets_before, threads_before) = census();
    for n in 0..20 {
        call(n % 2 == 0).await;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (sockets, threads) = census();
        if sockets <= sockets_before && threads <= threads_before {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{sockets_before} sockets became {sockets}, {threads_before} threads {threads}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sockets and threads of this process.
fn census() -> (usize, usize) {
    let entries =
        |path: &str| std::fs::read_dir(path).expect("linux has /proc").filter_map(Result::ok);
    let is_socket = |entry: std::fs::DirEntry| {
        std::fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    (
        entries("/proc/self/fd").map(is_socket).filter(|is| *is).count(),
        entries("/proc/self/task").count(),
    )
}
