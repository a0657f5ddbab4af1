//! Scores on their way. Langfuse has had three ways of taking them: a list, where a server is newer than 4.16; a batch of
//! events, where it is older; and one at a time, where it knows neither any more.

use serde_json::{Value as Json, json};

use super::Score;
use crate::langfuse::{ApiError, Client, Deadline};
use crate::text::{clipped, safe};

/// Scores in one request, and bytes of it: Langfuse takes 1 MB.
const BATCH: usize = 500;
const BYTES: usize = 900_000;
/// Scores that are sent one at a time: at 30 requests a minute, which is what a free project has, that many take four
/// minutes, and a deadline is shorter.
const SINGLES: usize = 120;
/// Reasons that are kept, and characters of each.
const REASONS: usize = 5;
const REASON: usize = 200;

const SCORES: &str = "/api/public/scores";
const EVENTS: &str = "/api/public/ingestion";

/// What became of scores. They are sent in the order in which they are given, so those that are left are the last ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    pub accepted: usize,
    /// Refused by Langfuse; sent again they would be refused again.
    pub rejected: usize,
    /// Why, in Langfuse's words, each once; made harmless.
    pub reasons: Vec<String>,
    /// Not sent, or without an answer. To send them again does no harm.
    pub left: usize,
    /// Why some are left.
    pub why: Option<String>,
}

impl Sent {
    fn refuse(&mut self, count: usize, reason: &str) {
        self.rejected += count;
        let reason = clipped(&safe(reason), REASON);
        if !reason.is_empty() && !self.reasons.contains(&reason) && self.reasons.len() < REASONS {
            self.reasons.push(reason);
        }
    }

    fn taken(&self) -> usize {
        self.accepted + self.rejected
    }
}

/// How a server takes scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    List,
    Events,
    Single,
}

/// Why a batch did not get through.
enum Trouble {
    /// The server wants scores in another way.
    OtherWay,
    TooLarge,
    Over(String),
}

/// Sends scores until the deadline.
pub async fn send(
    client: &Client,
    scores: impl IntoIterator<Item = Score>,
    until: Deadline,
) -> Sent {
    let mut scores = scores.into_iter();
    let mut sending = Sending { client, until, way: Way::List, size: BATCH, singles: 0 };
    let mut sent = Sent::default();
    // The next of them, as they go over the line.
    let mut waiting: Vec<Json> = Vec::new();
    loop {
        waiting.extend(scores.by_ref().take(BATCH - waiting.len()).map(|score| score.json()));
        let part = sending.part(&waiting);
        if part.is_empty() {
            return sent;
        }
        let before = sent.taken();
        let result = sending.post(part, &mut sent).await;
        let alone = part.len() == 1;
        waiting.drain(..sent.taken() - before);
        match result {
            Ok(()) => {}
            Err(Trouble::OtherWay) => sending.way = sending.way.next(),
            Err(Trouble::TooLarge) if alone => {
                sent.refuse(1, "a single score is too large");
                waiting.drain(..1);
            }
            Err(Trouble::TooLarge) => sending.size = (sending.size / 2).max(1),
            Err(Trouble::Over(why)) => {
                sent.left = waiting.len() + scores.count();
                sent.why = Some(why);
                return sent;
            }
        }
    }
}

impl Way {
    const fn next(self) -> Self {
        match self {
            Self::List => Self::Events,
            Self::Events | Self::Single => Self::Single,
        }
    }
}

struct Sending<'a> {
    client: &'a Client,
    until: Deadline,
    way: Way,
    /// Scores in a request.
    size: usize,
    /// Scores that were sent one at a time.
    singles: usize,
}

impl Sending<'_> {
    /// What goes into the next request.
    fn part<'a>(&self, waiting: &'a [Json]) -> &'a [Json] {
        let size = if self.way == Way::Single { 1 } else { self.size };
        let mut bytes = 0;
        let fits = waiting.iter().take(size).take_while(|score| {
            bytes += score.to_string().len() + 1;
            bytes <= BYTES
        });
        // One that is too large alone is for the server to refuse.
        let count = fits.count().max(1).min(waiting.len());
        waiting.get(..count).unwrap_or_default()
    }

    /// Sends a part, and adds what became of it.
    async fn post(&mut self, part: &[Json], sent: &mut Sent) -> Result<(), Trouble> {
        let (path, body) = match self.way {
            Way::List => (SCORES, json!(part)),
            Way::Events => (EVENTS, json!({ "batch": part.iter().map(event).collect::<Vec<_>>() })),
            Way::Single if self.singles >= SINGLES => {
                let why =
                    format!("this Langfuse takes one score at a time, and {SINGLES} were sent");
                return Err(Trouble::Over(why));
            }
            Way::Single => {
                self.singles += 1;
                (SCORES, part.first().cloned().unwrap_or_default())
            }
        };
        match self.client.post(path, &body, self.until).await {
            Ok((207, answer)) => partly(part.len(), &answer, sent),
            Ok(_) => sent.accepted += part.len(),
            Err(error) => return self.explain(&error, sent),
        }
        Ok(())
    }

    fn explain(&self, error: &ApiError, sent: &mut Sent) -> Result<(), Trouble> {
        match (self.way, error.status()) {
            (Way::List, Some(400 | 404 | 405 | 410 | 422))
            | (Way::Events, Some(404 | 405 | 410)) => Err(Trouble::OtherWay),
            (_, Some(413)) => Err(Trouble::TooLarge),
            // The server knows how, and does not want this one.
            (Way::Single, Some(400 | 422)) => {
                sent.refuse(1, &error.to_string());
                Ok(())
            }
            (Way::List | Way::Events | Way::Single, _) => Err(Trouble::Over(error.to_string())),
        }
    }
}

/// A score as an event of a batch. Its id is made from the score's, so that a second one is the same event.
fn event(score: &Json) -> Json {
    let id = score.get("id").and_then(Json::as_str).unwrap_or_default();
    json!({
        "id": format!("{id}-event"),
        "type": "score-create",
        "timestamp": score.get("timestamp"),
        "body": score,
    })
}

/// An answer of which only a part is good. A list is answered with `accepted` and `rejected`, a batch with the ids of its
/// `successes`; both name `errors`.
fn partly(count: usize, answer: &Json, sent: &mut Sent) {
    let errors = answer.get("errors").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let counted = answer.get("rejected").and_then(Json::as_u64);
    let rejected = counted.and_then(|n| usize::try_from(n).ok()).unwrap_or(errors.len()).min(count);
    sent.accepted += count - rejected;
    let mut reasons = errors.iter().map(reason);
    if rejected > 0 {
        sent.refuse(rejected, reasons.next().unwrap_or_default());
    }
    // What else is said is kept, too, and counted once.
    reasons.for_each(|reason| sent.refuse(0, reason));
}

fn reason(error: &Json) -> &str {
    let text = |name| error.get(name).and_then(Json::as_str);
    text("message").or_else(|| text("error")).unwrap_or("without a reason")
}
