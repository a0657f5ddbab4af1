//! Ids of runs.

use std::time::SystemTime;

/// The id of a run: when it began (UTC, to the second), by which ids sort, and 64 random bits, which tell
/// apart the runs that a hundred machines begin in the same second. The bits have to come from the
/// operating system: what processes in containers know of themselves is the same in all of them.
pub fn run_id(began: SystemTime, random: u64) -> String {
    let since = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let second = jiff::Timestamp::from_second(i64::try_from(since.as_secs()).unwrap_or(0))
        .unwrap_or_default();
    format!("{}-{random:016x}", second.strftime("%Y%m%d-%H%M%S"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn ids_sort_by_time_whatever_is_random_in_them() {
        let (earlier, later) = (at(1_767_323_045), at(1_767_323_046));
        assert_eq!(run_id(earlier, 0xab), "20260102-030405-00000000000000ab");
        assert!(run_id(earlier, u64::MAX) < run_id(later, 0));
    }

    #[test]
    fn every_random_bit_is_in_the_id() {
        let ids: BTreeSet<String> = (0..64).map(|bit| run_id(at(0), 1 << bit)).collect();
        assert_eq!(ids.len(), 64);
    }
}
