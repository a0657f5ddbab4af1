//! A batch of calls on its way to a backend, and what became of each call.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use super::batch::{Batch, Request};
use super::client::{Answer, Client, after_colon};
use super::failure::ExportError;
use super::{Backend, Limits};
use crate::clock::Clock;
use crate::http::ClientError;
use crate::random::SplitMix64;
use crate::record::CallId;

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Arrived,
    /// Nothing of it arrived.
    Left(ExportError),
    /// It may have arrived, or parts of it have.
    Unknown(ExportError),
}

impl Fate {
    /// Of a call that was sent in two parts.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Arrived, Self::Arrived) => Self::Arrived,
            (Self::Left(error), Self::Left(_)) => Self::Left(error),
            (Self::Unknown(error) | Self::Left(error), _)
            | (Self::Arrived, Self::Unknown(error) | Self::Left(error)) => Self::Unknown(error),
        }
    }
}

/// How long sending may take: more with every call that there is to send. A request that is under way when it is over is
/// waited for.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    clock: Clock,
    limit: Duration,
    a_call: Duration,
}

impl Budget {
    pub const BASE: Duration = Duration::from_secs(30);
    pub const A_CALL: Duration = Duration::from_millis(250);

    /// Begins now.
    pub fn start(base: Duration, a_call: Duration) -> Self {
        Self { clock: Clock::start(), limit: base, a_call }
    }

    /// There are so many calls more.
    pub fn grow(&mut self, calls: u32) {
        self.limit = self.limit.saturating_add(self.a_call.saturating_mul(calls));
    }

    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.clock.now().since_start())
    }
}

/// What became of a request.
enum Outcome {
    Known(Fate),
    TooLarge,
}

/// Sends the calls of one run to one backend.
#[derive(Debug)]
pub struct Exporter {
    client: Client,
    /// Those of the backend, less when it found a request too large.
    limits: Limits,
}

impl Exporter {
    /// Prepares the client; sends nothing. Reads the machine's trusted certificates when the address is https.
    pub fn new(backend: Backend, run_id: &str) -> Result<Self, ClientError> {
        let limits = backend.limits;
        Ok(Self { client: Client::new(backend, run_id)?, limits })
    }

    pub fn backend(&self) -> &Backend {
        self.client.backend()
    }

    /// Up to which size calls are put into one batch.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends a batch, and returns what became of each of its calls. Sends nothing more when `stop` is true.
    pub async fn send(
        &mut self,
        batch: Batch,
        budget: &Budget,
        stop: &mut watch::Receiver<bool>,
    ) -> BTreeMap<CallId, Fate> {
        let mut fates = BTreeMap::new();
        let mut waiting = batch.requests(self.limits);
        waiting.reverse();
        let mut ended = None;
        while let Some(request) = waiting.pop() {
            let outcome = match &ended {
                Some(error) => Outcome::Known(Fate::Left(ExportError::clone(error))),
                None => self.request(&request, budget, stop).await,
            };
            let fate = match outcome {
                Outcome::Known(fate) => fate,
                Outcome::TooLarge => match self.smaller(request, &mut waiting) {
                    Some((request, error)) => {
                        add(&mut fates, &request, &Fate::Left(error));
                        continue;
                    }
                    None => continue,
                },
            };
            if let Fate::Left(error) = &fate
                && error.ends_all()
            {
                ended = Some(error.clone());
            }
            add(&mut fates, &request, &fate);
        }
        fates
    }

    /// Puts halves in place of a request that was too large. A single span cannot be halved: the request comes back with
    /// what is to be said.
    fn smaller(
        &mut self,
        request: Request,
        waiting: &mut Vec<Request>,
    ) -> Option<(Request, ExportError)> {
        let bytes = request.bytes();
        // Later batches begin with what may be taken.
        self.limits.bytes = self.limits.bytes.min(bytes / 2);
        match request.halves() {
            Ok([first, second]) => {
                waiting.extend([second, first]);
                None
            }
            Err(request) => {
                let span = request.0.first().and_then(|part| part.spans.first());
                let error = ExportError::TooLarge {
                    place: self.client.place().to_owned(),
                    span: span.map(|of| of.span.name.clone().into_owned()).unwrap_or_default(),
                    call: request.0.first().map(|part| part.call.0).unwrap_or_default(),
                    kilobytes: bytes.div_ceil(1_000),
                };
                Some((request, error))
            }
        }
    }

    async fn request(
        &self,
        request: &Request,
        budget: &Budget,
        stop: &mut watch::Receiver<bool>,
    ) -> Outcome {
        let left = |error| Outcome::Known(Fate::Left(error));
        let unknown = |error| Outcome::Known(Fate::Unknown(error));
        let backend = self.backend();
        let mut random = SplitMix64::new(seed(request));
        let mut attempts = 0;
        loop {
            if *stop.borrow() {
                return left(ExportError::Stopped);
            }
            if budget.left().is_zero() {
                return left(ExportError::Deadline { limit: budget.limit });
            }
            attempts += 1;
            let (error, asked) = match self.client.post(request.spans()).await {
                Answer::Taken(taken) if taken.rejected == 0 => {
                    return Outcome::Known(Fate::Arrived);
                }
                Answer::Taken(taken) => {
                    let place = self.client.place().to_owned();
                    let (spans, said) = (taken.rejected, after_colon(&taken.message));
                    return unknown(ExportError::Rejected { place, spans, said });
                }
                Answer::TooLarge => return Outcome::TooLarge,
                Answer::Failed(error) => return left(error),
                Answer::Unknown(error) => return unknown(error),
                Answer::Again { error, asked } => (error, asked),
            };
            if attempts > backend.retry.times {
                return left(error.after(attempts));
            }
            let pause = backend.retry.pause(attempts, asked, &mut random);
            if pause >= budget.left() {
                return left(error.too_long(pause));
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopped(stop) => return left(ExportError::Stopped),
            }
        }
    }
}

/// Waits until the user wants no more; for ever when nobody can say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn add(fates: &mut BTreeMap<CallId, Fate>, request: &Request, fate: &Fate) {
    for part in &request.0 {
        let fate = match fates.remove(&part.call) {
            Some(earlier) => earlier.and(fate.clone()),
            None => fate.clone(),
        };
        fates.insert(part.call, fate);
    }
}

/// Different for each run and request: several loadcalls that were refused together do not come back together.
fn seed(request: &Request) -> u64 {
    let span = request.0.first().and_then(|part| part.spans.first());
    let context = span.map(|of| &of.span.span_context);
    let bytes = context
        .into_iter()
        .flat_map(|of| of.trace_id().to_bytes().into_iter().chain(of.span_id().to_bytes()));
    bytes.fold(0, |seed, byte| seed.rotate_left(8) ^ u64::from(byte))
}
