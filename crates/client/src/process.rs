//! What the process has used.

use std::time::Duration;

/// What the whole process has used since it started; zeros where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessUse {
    /// Processor time of all threads, user and system.
    pub cpu: Duration,
    /// Memory in use now, in bytes.
    pub resident: u64,
    /// The most memory that was ever in use, in bytes.
    pub resident_peak: u64,
}

impl ProcessUse {
    /// Reads it from `/proc/self` (proc(5)); zeros on other systems than Linux.
    pub fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self::parse(&stat, &status)
    }

    fn parse(stat: &str, status: &str) -> Self {
        let kilobytes = |key: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.split_whitespace().next().and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        Self {
            cpu: cpu_time(stat).unwrap_or_default(),
            resident: kilobytes("VmRSS:") * 1024,
            resident_peak: kilobytes("VmHWM:") * 1024,
        }
    }
}

/// User and system time, fields 14 and 15 of `/proc/PID/stat`. The name in field 2 may hold spaces and parentheses.
fn cpu_time(stat: &str) -> Option<Duration> {
    /// `USER_HZ`, which is 100 on every architecture that Linux runs on today.
    const TICKS_PER_SECOND: u64 = 100;
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut times = after_name.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(Duration::from_millis(user.saturating_add(system).saturating_mul(1000 / TICKS_PER_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_hostile_process_name() {
        let stat = "7 (a) 1 2) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 200";
        let found = ProcessUse::parse(stat, "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\n");
        assert_eq!(found.cpu, Duration::from_secs(3));
        assert_eq!((found.resident, found.resident_peak), (1 << 20, 2 << 20));
    }

    #[test]
    fn nonsense_reads_as_zero() {
        assert_eq!(ProcessUse::parse("", ""), ProcessUse::default());
        assert_eq!(ProcessUse::parse(") 1 2", "VmHWM: many"), ProcessUse::default());
    }
}
