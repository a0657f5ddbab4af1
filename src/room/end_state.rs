//! What a call left behind, asked over HTTP. Each check of a scenario's end state is made before a call, because a
//! state that matches already proves nothing, and after it, until the state matches or the time is over.
//!
//! Nothing of an answer is recorded but in which place it differs, shortened, without tokens and without the values of
//! variables.

#[cfg(test)]
mod tests;

use super::request::{
    LOOKED_AT, RequestError, address, after_colon, client, harmless, headers, is_loopback, read,
    redirected_to, shown, why,
};
use crate::clock::Clock;
use crate::http::ClientError;
use crate::record::{Observation, Stamped, StateFound};
use crate::scenario::metadata::{MissingVariables, Variables, refers};
use crate::scenario::{EndState, Names};
use crate::time::Offset;
use futures_util::future::join_all;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Client, Request, StatusCode};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep_until, timeout};

/// Requests of a run at a time: calls that are measured meanwhile must not notice.
const AT_ONCE: usize = 4;
/// How often a check is asked for.
const EVERY: Duration = Duration::from_millis(500);
/// The longest time of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_ANSWER: usize = 256 * 1024;

/// Why a check cannot be asked for at all.
#[derive(Debug, thiserror::Error)]
pub enum EndStateError {
    #[error("`get` of `end_state` is not an http address: {0}")]
    Url(&'static str),
    #[error("header `{0}` of `end_state` contains characters that no header can have")]
    Header(String),
    #[error(transparent)]
    Variables(#[from] MissingVariables),
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl From<RequestError> for EndStateError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Url(what) => Self::Url(what),
            RequestError::Header(name) => Self::Header(name),
            RequestError::Variables(missing) => Self::Variables(missing),
        }
    }
}

/// The checks of a scenario with all that requests for them need.
#[derive(Debug)]
pub struct EndStates {
    checks: Vec<(EndState, Client)>,
    variables: Variables,
    turns: Semaphore,
}

/// What one request found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Looked {
    found: StateFound,
    detail: String,
}

impl Looked {
    fn unknown(detail: String) -> Self {
        Self { found: StateFound::Unknown, detail }
    }
}

impl EndStates {
    /// Checks what can be checked before the first call; asks nobody.
    pub fn new(checks: &[EndState], variables: &Variables) -> Result<Self, EndStateError> {
        let names = Names { room: "x".into(), call: "000".into(), ..Names::default() };
        let with_client = |check: &EndState| {
            let url = address(&check.get, variables, &names)?;
            headers(&check.headers, variables, &names)?;
            Ok((check.clone(), client(&url)?))
        };
        let checks = checks.iter().map(with_client).collect::<Result<_, EndStateError>>()?;
        Ok(Self { checks, variables: variables.clone(), turns: Semaphore::new(AT_ONCE) })
    }

    /// What somebody between here and a server could read, if there is such a thing.
    pub fn exposed(&self) -> Option<String> {
        let names = Names { room: "x".into(), ..Names::default() };
        self.checks.iter().find_map(|(check, _)| {
            let url = address(&check.get, &self.variables, &names).ok()?;
            let secret = refers(&check.get) || check.headers.iter().any(|(_, text)| refers(text));
            let open = secret && url.scheme() == "http" && !is_loopback(&url);
            open.then(|| {
                let at = shown(&check.get, &url);
                format!(
                    "the secrets of `end_state` can be read on the way to {at}, which is not https"
                )
            })
        })
    }

    /// What is there already, as a call begins.
    pub async fn before(&self, names: &Names) -> Vec<StateFound> {
        let each = self.checks.iter().map(|(check, http)| self.look(check, http, names));
        join_all(each).await.into_iter().map(|looked| looked.found).collect()
    }

    /// What every check came to after a call that ended at `hung_up`; `before`: what was there as it began.
    pub async fn after(
        &self,
        names: &Names,
        before: &[StateFound],
        clock: Clock,
        hung_up: Offset,
        mut stop: watch::Receiver<bool>,
    ) -> Vec<Stamped> {
        let mut all = Vec::new();
        for (i, (check, http)) in (0_u32..).zip(&self.checks) {
            let was = before.get(i as usize);
            let looked = if was == Some(&StateFound::AsWanted) {
                Looked::unknown("it was so already as the call began".to_owned())
            } else {
                let until = hung_up.plus(check.within);
                tokio::select! {
                    looked = self.wait_for(check, http, names, clock, until) => looked,
                    _ = stop.wait_for(|stop| *stop) => {
                        Looked::unknown("the run was stopped before it was known".to_owned())
                    }
                }
            };
            // It may have been so before, which nobody knows.
            let looked = match (was, looked.found) {
                (Some(StateFound::Unknown), StateFound::AsWanted) => {
                    Looked::unknown("the state before the call could not be read".to_owned())
                }
                _ => looked,
            };
            let Looked { found, detail } = looked;
            let what = Observation::EndState { check: i, found, detail };
            all.push(Stamped { at: clock.now(), what });
        }
        all
    }

    /// Asks until the state matches, and once more when the time is over.
    async fn wait_for(
        &self,
        check: &EndState,
        http: &Client,
        names: &Names,
        clock: Clock,
        until: Offset,
    ) -> Looked {
        loop {
            let began = clock.now();
            let looked = self.look(check, http, names).await;
            if looked.found == StateFound::AsWanted || began >= until {
                return looked;
            }
            let next = clock.now().plus(EVERY).min(until.max(clock.now()));
            sleep_until(clock.instant(next).into()).await;
        }
    }

    /// One request.
    async fn look(&self, check: &EndState, http: &Client, names: &Names) -> Looked {
        let request = match self.request(check, names) {
            Ok(request) => request,
            Err(e) => return Looked::unknown(e.to_string()),
        };
        let at = shown(&check.get, request.url());
        let _turn = self.turns.acquire().await;
        let asked = timeout(REQUEST_LIMIT, self.exchange(request, check, http, names)).await;
        let looked = asked.unwrap_or_else(|_| {
            Looked::unknown(format!("did not answer within {REQUEST_LIMIT:?}"))
        });
        let detail = match looked.found {
            StateFound::AsWanted => String::new(),
            StateFound::Different | StateFound::Unknown => {
                harmless(&format!("{at}: {}", looked.detail), &self.variables)
            }
        };
        Looked { detail, ..looked }
    }

    fn request(&self, check: &EndState, names: &Names) -> Result<Request, EndStateError> {
        let url = address(&check.get, &self.variables, names)?;
        let mut request = Request::new(reqwest::Method::GET, url);
        *request.headers_mut() = headers(&check.headers, &self.variables, names)?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().entry(ACCEPT).or_insert(json);
        Ok(request)
    }

    /// A server that says that there is nothing has answered; one that says anything else but what was asked has not.
    async fn exchange(
        &self,
        request: Request,
        check: &EndState,
        http: &Client,
        names: &Names,
    ) -> Looked {
        let unreachable = |e: reqwest::Error| {
            Looked::unknown(format!("cannot be reached: {}", why(&e, &self.variables)))
        };
        let mut response = match http.execute(request).await {
            Ok(response) => response,
            Err(e) => return unreachable(e),
        };
        let status = response.status();
        let code = status.as_u16();
        if status.is_redirection() {
            let to = after_colon(&redirected_to(&response));
            return Looked::unknown(format!("redirects (HTTP {code}{to}), which is not followed"));
        }
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            let detail = format!("there is nothing (HTTP {code})");
            return Looked { found: StateFound::Different, detail };
        }
        let limit = if status.is_success() { MAX_ANSWER + 1 } else { LOOKED_AT };
        let bytes = match read(&mut response, limit).await {
            Ok(bytes) => bytes,
            Err(e) => return unreachable(e),
        };
        if !status.is_success() {
            let said = after_colon(String::from_utf8_lossy(&bytes).trim());
            return Looked::unknown(format!("HTTP {code}{said}"));
        }
        if bytes.len() > MAX_ANSWER {
            return Looked::unknown(format!("the answer is longer than {} KiB", MAX_ANSWER / 1024));
        }
        match serde_json::from_slice(&bytes) {
            Err(_) => Looked::unknown("the answer is not JSON".to_owned()),
            Ok(json) => match check.difference(names, &json) {
                None => Looked { found: StateFound::AsWanted, detail: String::new() },
                Some(detail) => Looked { found: StateFound::Different, detail },
            },
        }
    }
}
