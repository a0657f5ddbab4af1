//! The flags of `loadcall sessions`.

use super::{EnvArgs, LangfuseArgs};
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(override_usage = "loadcall sessions [OPTIONS]")]
pub(in crate::cli) struct SessionsArgs {
    /// From when on: so long before the end, such as 24h or 7d, or a time such as 2026-12-01T08:00:00Z.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = moment)]
    pub(in crate::cli) since: Moment,
    /// Until when: so long ago, or a time (default: now).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(in crate::cli) until: Option<Moment>,
    /// Sessions of the agent that is dispatched under this name.
    #[arg(long, value_name = "AGENT")]
    pub(in crate::cli) name: Option<String>,
    /// Sessions in this environment of Langfuse. Can be repeated.
    #[arg(long = "environment", value_name = "NAME")]
    pub(in crate::cli) environments: Vec<String>,
    /// Compare with this baseline or recorded run.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    /// Compare with the baseline of this scenario.
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub(in crate::cli) scenario: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(in crate::cli) format: SessionsFormat,
    /// Sessions to read at most, the newest first.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..=200_000)
    )]
    pub(in crate::cli) limit: u32,
    /// The slowest sessions to list.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(in crate::cli) slowest: u16,
    /// Keep what was read in this file, and go on from it where it exists.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) resume: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) env: EnvArgs,
    #[command(flatten)]
    pub(in crate::cli) langfuse: LangfuseArgs,
}

/// The forms sessions can be printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SessionsFormat {
    /// Plain text.
    Text,
    /// JSON, times in milliseconds.
    Json,
    /// CSV with a row for each session.
    Csv,
}

/// A moment as people give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    At(Timestamp),
    Before(SignedDuration),
}

impl Moment {
    /// As a time; what is relative is so long before `end`. `None` when no calendar holds it.
    pub(in crate::cli) fn before(self, end: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Before(length) => end.checked_sub(length).ok(),
        }
    }
}

/// `30m`, `24h`, `7d`, or RFC 3339.
fn moment(text: &str) -> Result<Moment, &'static str> {
    let wrong = "write a time such as 24h, 7d or 2026-12-01T08:00:00Z";
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Ok(Moment::At(at));
    }
    let unit = text.chars().last().ok_or(wrong)?;
    let seconds: i64 = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(wrong),
    };
    let number: u32 = text[..text.len() - unit.len_utf8()].trim().parse().map_err(|_| wrong)?;
    Ok(Moment::Before(SignedDuration::from_secs(i64::from(number) * seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_lengths_or_times() {
        let hours = |h| Ok(Moment::Before(SignedDuration::from_hours(h)));
        assert_eq!(moment("24h"), hours(24));
        assert_eq!(moment("7d"), hours(168));
        assert_eq!(moment("120 m"), hours(2));
        let at = moment("2026-12-01T08:00:00+01:00").unwrap();
        let end: Timestamp = "2026-12-02T00:00:00Z".parse().unwrap();
        assert_eq!(at.before(end).unwrap().to_string(), "2026-12-01T07:00:00Z");
        assert_eq!(hours(25).unwrap().before(end).unwrap().to_string(), "2026-11-30T23:00:00Z");
        for wrong in ["", "h", "-1h", "1.5h", "yesterday", "10", "9999999999d", "5ü"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
