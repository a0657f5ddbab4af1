//! An HTTP client that trusts what the machine trusts, and follows no redirect: a redirected POST becomes a GET, or
//! loses its keys.

use std::sync::Arc;

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error(
        "no trusted certificates were found on this machine, which https needs: install its ca-certificates"
    )]
    NoCertificates,
    #[error("the HTTP client cannot be set up: {0}")]
    SetUp(String),
}

/// A client to be finished. Reads the machine's trusted certificates when the address is https.
pub fn client(https: bool) -> Result<reqwest::ClientBuilder, ClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls(https)?)
        .user_agent(concat!("loadcall/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none()))
}

/// TLS by ring with the machine's certificates; without any when they are not needed.
fn tls(https: bool) -> Result<rustls::ClientConfig, ClientError> {
    let mut roots = rustls::RootCertStore::empty();
    if https {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(ClientError::NoCertificates);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::SetUp(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
