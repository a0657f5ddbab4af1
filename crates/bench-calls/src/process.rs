//! CPU time and memory of a process, read from outside.
#![expect(clippy::disallowed_methods, reason = "IO: reads /proc")]

use std::time::Duration;

/// `USER_HZ`, which Linux fixed at 100 for every program.
const TICKS_PER_SECOND: u64 = 100;

/// What a process has used, as `/proc/<pid>/stat` and `status` have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// User and system time of all its threads since it began.
    pub(crate) cpu: Duration,
    pub(crate) rss_kib: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Some(Self { cpu: cpu(&stat)?, rss_kib: rss_kib(&status)? })
    }
}

fn cpu(stat: &str) -> Option<Duration> {
    // The second field is the program's name in brackets and may hold anything.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

fn rss_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_read_whatever_the_program_is_called() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 123 45 0 0 20 0 9 0 100 1000 200";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1_680)));
        assert_eq!(rss_kib("Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t1\n"), Some(1_234));
        assert_eq!(cpu("7 (x) S"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.rss_kib > 100));
    }
}
