//! str0m without its RTP: the one place that relies on how str0m works inside.
//!
//! 1. **Keys.** str0m keeps to itself what the DTLS handshake agreed for SRTP (RFC 5764, 4.2), so the DTLS it is given
//!    keeps a copy as it hands them on.
//! 2. **Silence.** Its own RTP and RTCP are switched off: it is given no packet of audio, reports in a year, and asks for
//!    nothing. All it says is the goodbye of its streams when it is closed, which is not sent, as ours is.
//!
//! The test `str0m_says_nothing_of_audio` fails when an update of str0m changes either.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use str0m::{
    Rtc, RtcConfig,
    crypto::{
        CryptoError, CryptoProvider,
        dtls::{
            DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion,
            ProtocolVersion, SrtpProfile,
        },
        from_feature_flags,
    },
    format::{Codec, CodecConfig, PayloadParams},
};

/// What a handshake agreed.
pub(crate) struct Keys {
    pub(super) profile: SrtpProfile,
    /// Whether this side is the client of the handshake.
    pub(super) is_client: bool,
    /// The master keys of client and server, then their salts.
    pub(super) material: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Where the keys of a connection will be.
pub(crate) type KeySlot = Arc<OnceLock<Keys>>;

thread_local! {
    /// Of the DTLS that was made last on this thread.
    static NEWEST: RefCell<KeySlot> = RefCell::default();
}

/// The cryptography of all connections.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    static DTLS: OnceLock<Copying> = OnceLock::new();
    let make = || {
        let kept = from_feature_flags();
        let dtls_provider = DTLS.get_or_init(|| Copying { inner: kept.dtls_provider });
        Arc::new(CryptoProvider { dtls_provider, ..kept })
    };
    Arc::clone(PROVIDER.get_or_init(make))
}

/// When str0m would report about audio.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// str0m with these settings and without RTP, and where its keys will be.
pub(crate) fn build(settings: RtcConfig, now: Instant) -> (Rtc, KeySlot) {
    let mut settings = settings
        .set_crypto_provider(provider())
        .set_rtp_mode(true)
        .set_rtcp_report_interval_audio(NEVER)
        .set_rtcp_report_interval_video(NEVER);
    let codecs = settings.codec_config();
    *codecs = CodecConfig::new_from_payload_params(
        codecs.params().iter().copied().map(with_own_feedback).collect(),
    );
    (settings.build(now), NEWEST.take())
}

/// What [`rtp`](super) does for the other side: packets of audio are sent again, and no bandwidth is estimated.
fn with_own_feedback(mut codec: PayloadParams) -> PayloadParams {
    codec.set_fb_transport_cc(false);
    codec.set_fb_remb(false);
    codec.set_fb_nack(codec.spec().codec == Codec::Opus);
    codec
}

#[derive(Debug)]
struct Copying {
    inner: &'static dyn DtlsProvider,
}

impl DtlsProvider for Copying {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.inner.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        dtls_version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = self.inner.new_dtls(cert, now, dtls_version, mtu)?;
        let keys = KeySlot::default();
        NEWEST.set(Arc::clone(&keys));
        Ok(Box::new(CopyingInstance { inner, keys }))
    }
}

#[derive(Debug)]
struct CopyingInstance {
    inner: Box<dyn DtlsInstance>,
    keys: KeySlot,
}

impl DtlsInstance for CopyingInstance {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let is_client = self.inner.is_active();
        let output = self.inner.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let _kept =
                self.keys.set(Keys { profile: *profile, is_client, material: material.to_vec() });
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}
