//! What processes use, from Linux's `/proc` and control groups.

use procfs::{
    WithCurrentSystemInfo,
    process::{Process, Stat},
};

use crate::measure::Metric;

/// Smaps of a process take the kernel some time: of larger families they are left out.
const PSS_PROCESSES_MAX: usize = 16;

/// A process with its children, theirs, and so on.
pub(super) fn of_families(roots: &[i32]) -> Result<Vec<(Metric, f64)>, String> {
    let family = family(roots);
    if family.is_empty() {
        return Err("there is no such process".to_owned());
    }
    let ticks = procfs::ticks_per_second() as f64;
    let mut sums: Vec<(Metric, f64)> = Vec::new();
    let mut add = |metric: Metric, value: f64| match sums.iter_mut().find(|(known, _)| *known == metric) {
        Some((_, sum)) => *sum += value,
        None => sums.push((metric, value)),
    };
    for (process, stat) in &family {
        // Children that have ended and been waited for are in their parent's account.
        let time = stat.utime + stat.stime + (stat.cutime.max(0) + stat.cstime.max(0)).unsigned_abs();
        add(Metric::Cpu, time as f64 / ticks);
        add(Metric::Rss, stat.rss_bytes().get() as f64);
        add(Metric::Threads, stat.num_threads as f64);
        add(Metric::Processes, 1.0);
        // Of others' processes, only root may know these: what is not known is left out.
        if let Ok(io) = process.io() {
            add(Metric::DiskRead, io.read_bytes as f64);
            add(Metric::DiskWrite, io.write_bytes as f64);
        }
        if let Ok(count) = process.fd_count() {
            add(Metric::Descriptors, count as f64);
        }
    }
    if family.len() <= PSS_PROCESSES_MAX {
        let shares = family.iter().map(|(process, _)| pss(process));
        if let Some(pss) = shares.sum::<Option<u64>>() {
            add(Metric::Pss, pss as f64);
        }
    }
    // A process has no account of its own: these are the machine's, or its network namespace's.
    if let Ok(devices) = family[0].0.dev_status() {
        let all = || devices.values().filter(|device| device.name != "lo");
        add(Metric::NetReceived, all().map(|device| device.recv_bytes as f64).sum());
        add(Metric::NetSent, all().map(|device| device.sent_bytes as f64).sum());
    }
    Ok(sums)
}

fn pss(process: &Process) -> Option<u64> {
    let rollup = process.smaps_rollup().ok()?;
    rollup.memory_map_rollup.iter().next()?.extension.map.get("Pss").copied()
}

/// The processes and all below them, each once.
fn family(roots: &[i32]) -> Vec<(Process, Stat)> {
    let Ok(all) = procfs::process::all_processes() else { return Vec::new() };
    let all: Vec<(Process, Stat)> =
        all.filter_map(|it| it.ok().and_then(|it| Some((it.stat().ok()?, it)))).map(|(s, p)| (p, s)).collect();
    let mut wanted: Vec<i32> = roots.to_vec();
    let mut at = 0;
    while at < wanted.len() {
        let parent = wanted[at];
        let children = all.iter().filter(|(_, stat)| stat.ppid == parent).map(|(process, _)| process.pid);
        let new: Vec<i32> = children.filter(|pid| !wanted.contains(pid)).collect();
        wanted.extend(new);
        at += 1;
    }
    // One that has ended and was not waited for uses nothing.
    all.into_iter().filter(|(process, stat)| wanted.contains(&process.pid) && stat.state != 'Z').collect()
}

/// The numbers of processes whose program has this name, without this one.
pub(super) fn named(name: &str) -> Vec<i32> {
    let own = std::process::id() as i32;
    let Ok(all) = procfs::process::all_processes() else { return Vec::new() };
    let is_it = |process: &Process| {
        let program = |path: &str| path.rsplit('/').next() == Some(name);
        let by_name = process.stat().is_ok_and(|stat| stat.comm == name);
        // `python app.py` is known by either.
        by_name || process.cmdline().is_ok_and(|line| line.iter().take(2).any(|part| program(part)))
    };
    all.filter_map(Result::ok).filter(|process| process.pid != own && is_it(process)).map(|it| it.pid).collect()
}

/// A control group's own account (version 2).
pub(super) fn of_group(path: &str) -> Result<Vec<(Metric, f64)>, String> {
    let folder = std::path::Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
    let field =
        |text: &str, name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    let stat = read("cpu.stat").ok_or_else(|| format!("there is no control group {}", folder.display()))?;
    let mut values = Vec::new();
    values.extend(field(&stat, "usage_usec ").map(|us| (Metric::Cpu, us / 1e6)));
    values.extend(read("memory.current").and_then(|text| Some((Metric::Rss, text.trim().parse().ok()?))));
    values.extend(read("pids.current").and_then(|text| Some((Metric::Threads, text.trim().parse().ok()?))));
    if let Some(io) = read("io.stat") {
        let sum = |name: &str| -> f64 {
            let parts = io.split_whitespace().filter_map(|part| part.strip_prefix(name)?.parse::<f64>().ok());
            parts.sum()
        };
        values.extend([(Metric::DiskRead, sum("rbytes=")), (Metric::DiskWrite, sum("wbytes="))]);
    }
    if values.is_empty() { Err("the control group tells nothing".to_owned()) } else { Ok(values) }
}

/// Whether this system can tell.
pub(super) fn check() -> Result<(), String> {
    Process::myself().and_then(|own| own.stat()).map(drop).map_err(|error| format!("/proc cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_threads_and_descriptors() {
        check().expect("/proc");
        let own = of_families(&[std::process::id() as i32]).expect("this process");
        let value = |wanted: Metric| own.iter().find(|(metric, _)| *metric == wanted).map_or(0.0, |&(_, value)| value);
        assert!(value(Metric::Rss) > 1e6 && value(Metric::Pss) > 1e5, "{own:?}");
        assert!(value(Metric::Threads) >= 2.0 && value(Metric::Descriptors) >= 3.0, "{own:?}");
        assert!(of_families(&[i32::MAX]).is_err() && of_group("no/such/group").is_err());
    }
}
