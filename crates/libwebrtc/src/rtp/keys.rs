//! The keys of SRTP: what the DTLS handshake agreed (RFC 5764, 4.2).
//!
//! str0m keeps them to itself, so the DTLS it is given keeps a copy as it hands them on.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
    time::Instant,
};

use str0m::crypto::{
    CryptoError, CryptoProvider,
    dtls::{
        DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion,
        ProtocolVersion, SrtpProfile,
    },
    from_feature_flags,
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

/// Makes something that makes a DTLS of [`provider`], and returns where its keys will be.
pub(crate) fn with_keys<T>(make: impl FnOnce() -> T) -> (T, KeySlot) {
    (make(), NEWEST.take())
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
