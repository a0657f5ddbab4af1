//! TLS to TURN servers, on bytes: the socket is [`streams`](super::streams)'.

use std::{
    io::{self, Read, Write},
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::ring,
    pki_types::{InvalidDnsNameError, ServerName},
};

/// The machine's root certificates, or those of `SSL_CERT_FILE`, read once. Reading them takes a while.
pub(super) fn config() -> &'static Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            log::warn!("some root certificates cannot be read: {error}");
        }
        let (taken, _) = roots.add_parsable_certificates(found.certs);
        if taken == 0 {
            log::warn!("there are no root certificates: no turn server can be trusted");
        }
        let provider = Arc::new(ring::default_provider());
        let builder = match ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
        {
            Ok(builder) => builder,
            Err(error) => unreachable!("the provider supports the versions it comes with: {error}"),
        };
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    })
}

/// Whether a certificate can be for that.
pub(super) fn check_name(name: &str) -> Result<(), InvalidDnsNameError> {
    ServerName::try_from(name).map(drop)
}

/// One end of a TLS session.
pub(super) struct Session(ClientConnection);

impl Session {
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let session = ClientConnection::new(config().clone(), name).map_err(io::Error::other)?;
        Ok(Self(session))
    }

    /// Encrypts `bytes`, or keeps them until the handshake is over.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.writer().write_all(bytes)
    }

    /// Appends what has to be sent to `bytes`.
    pub(super) fn take_encrypted(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(bytes)?;
        }
        Ok(())
    }

    /// Decrypts what came and hands it to `take`.
    ///
    /// # Errors
    /// When the certificate is not trusted, or not for the server's name, or the other side does not speak TLS.
    pub(super) fn read(
        &mut self,
        mut encrypted: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while !encrypted.is_empty() {
            if self.0.read_tls(&mut encrypted)? == 0 {
                break;
            }
            self.0.process_new_packets().map_err(io::Error::other)?;
            loop {
                match self.0.reader().read(&mut buffer) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(length) => take(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
