//! What the generator used up itself.

use std::time::{Duration, Instant};

use rustix::time::ClockId;

/// This process's CPU time, user and system, of all its threads.
pub(super) fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Share of the cores that this process may use which it used over a span.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuMeter {
    since: Instant,
    spent: Duration,
}

impl CpuMeter {
    pub(super) fn start() -> Self {
        Self { since: Instant::now(), spent: cpu_time() }
    }

    /// From 0 to 1, of all cores.
    pub(super) fn share(&self) -> f64 {
        let wall = self.since.elapsed().as_secs_f64();
        if wall > 0.0 { (cpu_time() - self.spent).as_secs_f64() / wall / cores() as f64 } else { 0.0 }
    }
}

/// The share of the cores in thousandths, from one look to the next.
#[derive(Debug)]
pub(super) struct CpuLooks(CpuMeter);

impl CpuLooks {
    pub(super) fn start() -> Self {
        Self(CpuMeter::start())
    }

    /// Since the last time.
    pub(super) fn next(&mut self) -> u16 {
        let share = std::mem::replace(&mut self.0, CpuMeter::start()).share();
        // More than all cores is what a clock's steps make of all of them.
        (share.clamp(0.0, 1.0) * 1_000.0).round() as u16
    }
}

/// Cores that this process may use, by affinity and cgroup.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Open descriptors of this process.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    most: u64,
}

impl Descriptors {
    /// Counts them.
    pub(super) fn look(&mut self) {
        self.most = self.most.max(open_descriptors().unwrap_or(0));
    }

    /// The most that were seen, and how many may be; none where the system does not say, or nobody looked.
    pub(super) fn most(&self) -> Option<(u64, u64)> {
        let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
        (self.most > 0).then_some((self.most, allowed))
    }
}

fn open_descriptors() -> Option<u64> {
    let folder = "/proc/self/fd";
    // Since Linux 6.2 the folder's size is their number. Before, it is 0, and they are to be counted; for that one more
    // is opened, and where that fails there are as many as may be.
    let size = std::fs::metadata(folder).ok()?.len();
    if size > 0 {
        return Some(size);
    }
    match std::fs::read_dir(folder) {
        Ok(entries) => Some(entries.count() as u64),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            rustix::process::getrlimit(rustix::process::Resource::Nofile).current
        }
        Err(_) => None,
    }
}

/// How long the control group keeps this process from running.
#[derive(Debug)]
pub(super) struct Throttling {
    since: Instant,
    throttled_us: Option<u64>,
}

impl Throttling {
    pub(super) fn start() -> Self {
        Self { since: Instant::now(), throttled_us: throttled_us() }
    }

    /// Share of the time since the start, from 0 to 1; none where the system does not say.
    pub(super) fn share(&self) -> Option<f64> {
        let throttled = throttled_us()?.saturating_sub(self.throttled_us?);
        let wall = self.since.elapsed().as_micros() as f64;
        (wall > 0.0).then(|| throttled as f64 / wall)
    }
}

/// The time that this process's control group was throttled, by version 2 of the interface.
fn throttled_us() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let stat = std::fs::read_to_string(format!("/sys/fs/cgroup{path}/cpu.stat")).ok()?;
    stat.lines().find_map(|line| line.strip_prefix("throttled_usec "))?.trim().parse().ok()
}
