//! Registering with a server as an agent worker, over its websocket (`/agent`), and the messages of
//! that. The answer to a registration tells what the server is, which a caller is told by nobody else:
//! the livekit crate keeps it to itself.

use super::endpoint::Endpoint;
use crate::record::Server;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_protocol as proto;
use prost::Message as _;
use proto::server_message::Message as FromServer;
use proto::worker_message::Message as ToServer;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, InvalidHeaderValue};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Nobody dispatches an agent of this name, so the server has no job for it.
const ASKING: &str = "loadcall-server-info";

#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    #[error("cannot make an access token: {0}")]
    Token(#[from] AccessTokenError),
    #[error("the API key cannot be sent: {0}")]
    Header(#[from] InvalidHeaderValue),
    #[error("cannot register a worker at {url}: {source}")]
    Connect { url: String, source: Box<tungstenite::Error> },
    #[error("the server at {url} refused the agent: wrong API key or secret ({status})")]
    Refused { url: String, status: u16 },
    #[error("the server at {url} did not register the agent within {TIMEOUT:?}")]
    Silent { url: String },
    #[error("the server at {url} did not answer the registration as a LiveKit server does")]
    Unexpected { url: String },
}

/// A registered worker's connection.
#[derive(Debug)]
pub struct Registered {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub worker_id: String,
    server: Option<Server>,
}

/// Version and region of a server, when it says them. To that end a worker is registered for a moment.
///
/// # Errors
/// It takes no agents, or not in time.
pub async fn server_info(endpoint: &Endpoint) -> Result<Option<Server>, RegistrationError> {
    let registered = Registered::register(endpoint, ASKING).await?;
    let server = registered.server.clone();
    registered.close().await;
    Ok(server)
}

impl Registered {
    /// Registers an agent of this name; empty for automatic dispatch.
    pub async fn register(endpoint: &Endpoint, name: &str) -> Result<Self, RegistrationError> {
        let url = format!("{}/agent", endpoint.ws_url().trim_end_matches('/'));
        match timeout(TIMEOUT, Self::register_at(&url, endpoint, name)).await {
            Ok(done) => done,
            Err(_) => Err(RegistrationError::Silent { url }),
        }
    }

    async fn register_at(
        url: &str,
        endpoint: &Endpoint,
        name: &str,
    ) -> Result<Self, RegistrationError> {
        let fail =
            |source| RegistrationError::Connect { url: url.into(), source: Box::new(source) };
        let grants = VideoGrants { agent: true, ..VideoGrants::default() };
        let token = AccessToken::with_api_key(&endpoint.api_key, endpoint.api_secret.expose())
            .with_grants(grants)
            .to_jwt()?;
        let mut request = url.into_client_request().map_err(fail)?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let (socket, _) = connect_async(request).await.map_err(|e| {
            if let tungstenite::Error::Http(answer) = &e
                && let status @ (401 | 403) = answer.status().as_u16()
            {
                return RegistrationError::Refused { url: url.into(), status };
            }
            fail(e)
        })?;
        let mut this = Self { socket, worker_id: String::new(), server: None };
        let permission = proto::ParticipantPermission {
            can_publish: true,
            can_subscribe: true,
            can_publish_data: true,
            can_update_metadata: true,
            ..proto::ParticipantPermission::default()
        };
        let register = proto::RegisterWorkerRequest {
            r#type: proto::JobType::JtRoom.into(),
            agent_name: name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            allowed_permissions: Some(permission),
            ..proto::RegisterWorkerRequest::default()
        };
        this.send(ToServer::Register(register)).await.map_err(fail)?;
        let Some(FromServer::Register(registered)) = this.next().await else {
            return Err(RegistrationError::Unexpected { url: url.into() });
        };
        this.worker_id = registered.worker_id;
        this.server = registered
            .server_info
            .map(|server| Server { version: server.version, region: server.region });
        Ok(this)
    }

    pub async fn send(&mut self, message: ToServer) -> Result<(), tungstenite::Error> {
        let message = proto::WorkerMessage { message: Some(message) };
        self.socket.send(Message::Binary(message.encode_to_vec().into())).await
    }

    /// The next message of the server; `None` when the connection is lost. Messages of a later version
    /// are passed over.
    pub async fn next(&mut self) -> Option<FromServer> {
        loop {
            let received = self.socket.next().await?.ok()?;
            if let Message::Binary(bytes) = received
                && let Ok(message) = proto::ServerMessage::decode(bytes)
                && let Some(message) = message.message
            {
                return Some(message);
            }
        }
    }

    pub async fn close(mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(None)).await;
    }
}
