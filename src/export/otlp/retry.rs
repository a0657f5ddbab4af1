//! When a request that came to nothing is tried again. Pure.

use std::time::Duration;

use jiff::fmt::rfc2822;

use crate::random::SplitMix64;

/// How often, and after which pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts after the first.
    pub times: u32,
    /// Before the second attempt; twice as long before each further one.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Retry {
    /// The usual one: some five seconds in all, so that a backend that is down does not hold up a job.
    pub const USUAL: Self = Self {
        times: 4,
        first_pause: Duration::from_millis(300),
        longest_pause: Duration::from_secs(10),
    };

    /// The pause after so many attempts, half of it random: many who were refused at once do not come back at once.
    /// What the server asks for is the least.
    pub(super) fn pause(
        &self,
        attempts: u32,
        asked: Option<Duration>,
        random: &mut SplitMix64,
    ) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let full = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        let own = full.mul_f64(0.5 + random.unit() / 2.0);
        asked.map_or(own, |asked| asked.max(own))
    }
}

/// What `Retry-After` asks for: seconds, or a moment of the server's clock, of which its `Date` is subtracted. Without
/// a `Date` the moment means nothing here: our clock is another one.
pub(super) fn asked(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let retry_after = retry_after.trim();
    if let Ok(seconds) = retry_after.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let moment = |text: &str| rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok();
    let until = moment(retry_after)?.duration_since(moment(date?)?);
    Some(until.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Tue, 01 Dec 2026 12:00:00 GMT";

    #[test]
    fn seconds_and_dates_are_understood() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (text, date, expected) in [
            ("0", None, seconds(0)),
            (" 120 ", None, seconds(120)),
            ("Tue, 01 Dec 2026 12:00:07 GMT", Some(DATE), seconds(7)),
            ("Tue, 01 Dec 2026 11:00:00 GMT", Some(DATE), seconds(0)),
            ("Tue, 01 Dec 2026 12:00:07 GMT", None, None),
            ("Tue, 01 Dec 2026 12:00:07 GMT", Some("today"), None),
            ("soon", Some(DATE), None),
            ("-1", Some(DATE), None),
            ("99999999999", Some(DATE), None),
            ("", Some(DATE), None),
        ] {
            assert_eq!(asked(text, date), expected, "{text}");
        }
    }

    #[test]
    fn pauses_grow_up_to_a_limit_and_are_never_shorter_than_asked() {
        let mut random = SplitMix64::new(1);
        let mut last = Duration::ZERO;
        for attempts in 1..=40 {
            let pause = Retry::USUAL.pause(attempts, None, &mut random);
            let full = Retry::USUAL.first_pause * 2_u32.pow((attempts - 1).min(6));
            let full = full.min(Retry::USUAL.longest_pause);
            assert!(pause >= full / 2 && pause <= full, "{attempts}: {pause:?}");
            assert!(attempts > 5 || pause >= last);
            last = pause;
        }
        let minute = Duration::from_secs(60);
        assert_eq!(Retry::USUAL.pause(1, Some(minute), &mut random), minute);
        assert!(Retry::USUAL.pause(1, Some(Duration::ZERO), &mut random) > Duration::ZERO);
    }
}
