//! How long to wait before the next request, by what the server says of its limits. Pure: the time is an input.

use std::time::Duration;

/// The window of Langfuse's limits of requests.
const WINDOW: Duration = Duration::from_secs(60);
/// The longest wait that a server can ask for; what is more is wrong or no use.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The first wait after a failure of the server, doubled with each further one up to the last.
const BACKOFF: Duration = Duration::from_millis(500);
const BACKOFF_LIMIT: Duration = Duration::from_secs(8);

/// What an answer says of limits. `None` is what it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// `X-RateLimit-Limit`: requests in a window.
    pub(super) in_a_window: Option<u32>,
    /// `X-RateLimit-Remaining`.
    pub(super) remaining: Option<i64>,
    /// `Retry-After` as a duration.
    pub(super) retry_after: Option<Duration>,
}

/// Times are durations since one moment.
#[derive(Debug, Default)]
pub(super) struct Pace {
    not_before: Duration,
    /// Between requests, once the server has said how many it takes.
    gap: Duration,
}

impl Pace {
    /// How long to wait before a request at `now`, which is then taken as made.
    pub(super) fn take(&mut self, now: Duration) -> Duration {
        let at = self.not_before.max(now);
        self.not_before = at + self.gap;
        at.saturating_sub(now)
    }

    /// Learns from an answer that refused nothing. A limit of few requests is spread over its window only when
    /// it is used up: two or three requests are not slowed down by it.
    pub(super) fn answered(&mut self, limits: Limits, now: Duration) {
        if limits.remaining.is_some_and(|left| left < 1) {
            let wait = limits.retry_after.unwrap_or(WINDOW).min(LONGEST);
            self.wait(wait, limits, now);
        }
    }

    /// Learns from a refusal: 429, or 503 with a time. `refusals`: how many there were before in a row.
    pub(super) fn refused(&mut self, limits: Limits, refusals: u32, now: Duration) {
        let wait = limits.retry_after.unwrap_or_else(|| backoff(refusals)).min(LONGEST);
        self.wait(wait, limits, now);
    }

    fn wait(&mut self, wait: Duration, limits: Limits, now: Duration) {
        self.not_before = self.not_before.max(now + wait);
        if let Some(limit) = limits.in_a_window.filter(|limit| *limit > 0) {
            self.gap = WINDOW / limit;
        }
    }
}

/// Half a second, then twice as long each time, up to eight.
pub(super) fn backoff(failures: u32) -> Duration {
    BACKOFF.saturating_mul(1 << failures.min(10)).min(BACKOFF_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for() {
        let mut pace = Pace::default();
        pace.answered(Limits::default(), seconds(0));
        assert_eq!([pace.take(seconds(1)), pace.take(seconds(1))], [seconds(0); 2]);
    }

    #[test]
    fn after_a_refusal_requests_keep_the_limit() {
        let mut pace = Pace::default();
        let limits =
            Limits { in_a_window: Some(30), remaining: Some(-1), retry_after: Some(seconds(10)) };
        pace.refused(limits, 0, seconds(5));
        assert_eq!(pace.take(seconds(5)), seconds(10));
        // 30 a minute: one every two seconds.
        assert_eq!(pace.take(seconds(15)), seconds(2));
        assert_eq!(pace.take(seconds(60)), seconds(0));
    }

    #[test]
    fn the_last_request_of_a_window_is_followed_by_a_wait() {
        let mut pace = Pace::default();
        let limits = Limits { in_a_window: Some(60), remaining: Some(0), retry_after: None };
        pace.answered(limits, seconds(1));
        assert_eq!(pace.take(seconds(2)), seconds(59));
        let left = Limits { remaining: Some(7), ..limits };
        let mut pace = Pace::default();
        pace.answered(left, seconds(1));
        assert_eq!(pace.take(seconds(2)), seconds(0));
    }

    #[test]
    fn waits_grow_and_have_an_end() {
        let waits = [0, 1, 2, 3, 4, 5, 40].map(|n| backoff(n).as_millis());
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        let never = Limits { retry_after: Some(seconds(10_000_000)), ..Limits::default() };
        let mut pace = Pace::default();
        pace.refused(never, 0, seconds(0));
        assert_eq!(pace.take(seconds(0)), LONGEST);
    }
}
