//! What a process uses, where the system tells: on Linux.

use std::time::Duration;

/// Memory and processor time of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// The most that it ever was.
    pub resident_peak_bytes: u64,
    /// Processor time since it was started, of all its threads.
    pub processor: Duration,
}

impl Usage {
    /// Of a process as it is now; `None` if it is gone, or the system does not tell.
    #[cfg(target_os = "linux")]
    pub fn of(process: u32) -> Option<Usage> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).ok();
        let ticks_a_second = rustix::param::clock_ticks_per_second();
        parse(&read("status")?, &read("stat")?, ticks_a_second)
    }

    /// Of a process as it is now.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_process: u32) -> Option<Usage> {
        None
    }

    /// The processor time since an earlier look.
    pub fn processor_since(&self, earlier: &Usage) -> Duration {
        self.processor.saturating_sub(earlier.processor)
    }
}

/// Reads `status` and `stat` as `proc(5)` describes them.
#[cfg(any(target_os = "linux", test))]
fn parse(status: &str, stat: &str, ticks_a_second: u64) -> Option<Usage> {
    let kibibytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    // The name of the program may have spaces and brackets in it; what comes behind it has none.
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |number: usize| fields.split_whitespace().nth(number)?.parse::<u64>().ok();
    // Fields 14 and 15, counted from 1, of which two are before the bracket.
    let ticks = field(11)? + field(12)?;
    Some(Usage {
        resident_bytes: kibibytes("VmRSS:")? << 10,
        resident_peak_bytes: kibibytes("VmHWM:")? << 10,
        processor: Duration::from_secs_f64(ticks as f64 / ticks_a_second.max(1) as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_writes_is_read() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let stat = "17 (a) b (c) S 1 17 17 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 4 0 99";
        let expected = Usage {
            resident_bytes: 1 << 20,
            resident_peak_bytes: 2 << 20,
            processor: Duration::from_secs(3),
        };
        assert_eq!(parse(status, stat, 100), Some(expected));
        assert_eq!(parse("", stat, 100), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of(std::process::id()).expect("it runs");
        assert!(usage.resident_bytes > 0 && usage.resident_peak_bytes >= usage.resident_bytes);
    }
}
