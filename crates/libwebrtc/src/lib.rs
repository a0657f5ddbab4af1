//! A pure-Rust media engine under the name and the API of the `libwebrtc` crate.
//!
//! The official `livekit` crate talks to a crate called `libwebrtc`, which wraps a prebuilt C++ library. This crate
//! takes its place through `[patch.crates-io]` and offers the part of that API which `livekit` uses: Opus audio and
//! data channels for real, everything else as a clear refusal.
//!
//! # Layout
//!
//! ```text
//! api: upstream's shapes (peer_connection, data_channel, …)       what an application holds; do not change
//!       │ calls                          ▲ callbacks
//!       ▼                                │
//! driver: threads, sockets, timers ──────┘                        the only part that waits
//!       │ datagrams, `now`               ▲ datagrams, events
//!       ▼                                │
//! peer: negotiation, channels, the way of datagrams, over str0m
//!       │ packets                        ▲ packets
//!       ▼                                │
//! rtp: encryption, reports ──► media: Opus, pacing ledger, playout
//!
//! types: states, settings, descriptions, packets, stats           what all of them share; does nothing
//! ```
//!
//! Each part knows only those below it. `peer`, `rtp` and `media` never read a clock or a socket: time and datagrams come
//! in as arguments, so two peers can be run against each other in virtual time.
//!
//! # What is supported
//!
//! | area | state |
//! |---|---|
//! | offers, answers, trickle, ICE restart, rollback | yes, by str0m |
//! | data channels: ordered or not, reliable or not, negotiated or in-band | yes; a message may be read 5 ms after it came |
//! | Opus audio both ways, several tracks, mute | yes |
//! | SRTP with AES-GCM (256, 128) and AES-CM with SHA-1; sender and receiver reports | yes |
//! | NACK | packets of audio are sent again; none is asked for, as it would come too late to be measured |
//! | RED, transport-wide congestion control | not offered |
//! | ICE over UDP with host candidates of IPv4 and IPv6 (default route and loopback) | yes |
//! | ICE over TCP, to passive candidates of the other side | yes; it is looked after every few milliseconds, so arrival times are as coarse as that |
//! | [`get_stats`] | path, loss, jitter, concealment, jitter buffer, the other side's reports: see [`stats`] |
//! | TURN over UDP, TCP and TLS, relaying UDP over IPv4 | yes; TLS trusts the machine's root certificates, or those of `SSL_CERT_FILE` |
//! | `IceTransportsType::Relay` and `NoHost` | yes, and the same: no host candidate is offered or used |
//! | STUN servers, TURN over DTLS | no: ignored with a debug log line |
//! | remote candidates that cannot be reached | skipped with a debug log line |
//! | candidates with a host name (mDNS) | skipped |
//! | video | m-lines are negotiated, no frame is decoded; publishing is refused |
//! | frame encryption, desktop capture, audio devices | no: each call answers "unsupported", `false` or nothing |
//! | bandwidth estimation, [`set_bitrate`] | limits are checked and otherwise without effect: audio does not adapt |
//!
//! [`set_bitrate`]: peer_connection::PeerConnection::set_bitrate
//! [`get_stats`]: peer_connection::PeerConnection::get_stats
//!
//! What livekit's own end-to-end tests make of this is listed in `conformance.txt`; `make conformance` runs them.
//!
//! Known to be worse than the official engine: after a black-out, a reliable data channel may take up to a minute
//! longer to resume, because the waits between repetitions of SCTP grow to a minute and cannot be capped here.
//!
//! # Back to the official engine
//!
//! Delete the two `[patch.crates-io]` lines of the workspace's `Cargo.toml`: the crates have the same name and version.
//! Code that uses livekit and this API alone needs no change, which `tools/conformance.sh check-official` tests: it
//! type-checks livekit and its tests on both. (The official build script downloads a large library, except
//! with `DOCS_RS=1` in its environment: then `cargo check` works, and nothing can be linked.) Code that uses
//! [`encoded`], as loadcall does, has to send and receive samples instead.
//!
//! # Limits
//!
//! Every queue has a bound, kept as a constant next to it: bytes a data channel takes before `send` refuses, messages
//! kept for a handler that is not there yet, TURN servers and the machines that may send through them, transceivers,
//! channels, candidates, description length, and microphone periods that are caught up after a stall or fetched together.

mod types;
mod media;
mod clock;
mod rtp;
mod peer;
mod driver;
mod api;

pub use api::{
    audio_source, audio_stream, audio_track, data_channel, encoded, media_stream,
    media_stream_track, native, peer_connection, peer_connection_factory, prelude, rtp_receiver,
    rtp_sender, rtp_transceiver, video_frame, video_source, video_stream, video_track,
};
pub use types::{
    MediaType, RtcError, RtcErrorType, audio_frame, ice_candidate, rtp_parameters,
    session_description, stats,
};
