//! The machine that the figures are from, and what the system tells about processes.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::load;
use super::report::median;

/// What makes figures of two machines differ.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// What they call themselves.
    pub cpu: String,
    /// The kernel's release.
    pub kernel: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Median time of a write of 4 KiB with its sync, before the first scenario.
    pub fsync_before_ms: f64,
    /// The same after the last one. If the two differ much, the machine was busy with something else.
    pub fsync_after_ms: f64,
}

impl Machine {
    /// Looks around; `folder` is on the disk that is probed.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn look(folder: &Path) -> io::Result<Self> {
        let fsync_before_ms = fsync_probe(folder)?;
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Ok(Self {
            cores: cores(),
            cpu: field(&text("/proc/cpuinfo"), "model name").unwrap_or("unknown").to_owned(),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: kib(&text("/proc/meminfo"), "MemTotal").unwrap_or_default() / 1024,
            fsync_before_ms,
            fsync_after_ms: fsync_before_ms,
        })
    }
}

/// Processors that this process may use.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

const BLOCK: usize = 4096;
const BLOCKS: u64 = 64;
const PROBES: u64 = 100;

/// Median time in milliseconds of writing 4 KiB over old ones and `fdatasync`.
///
/// # Errors
/// The folder can't be written.
pub fn fsync_probe(folder: &Path) -> io::Result<f64> {
    let path = folder.join("fsync-probe");
    let file = File::create(&path)?;
    for block in 0..BLOCKS {
        file.write_all_at(&[0; BLOCK], block * BLOCK as u64)?;
    }
    file.sync_all()?; // the probes change no length and no allocation
    let mut times = Vec::new();
    for probe in 0..PROBES {
        let began = Instant::now();
        file.write_all_at(&[1; BLOCK], probe % BLOCKS * BLOCK as u64)?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(median(&times))
}

/// Processor time of all threads of this process but the driver's; `None` where the system does not tell.
#[must_use]
pub fn server_cpu() -> Option<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        // A thread may end while we look.
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if !read("comm").starts_with(load::THREADS) {
            nanos += read("schedstat").split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
        }
    }
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}

/// Memory of a process in MiB: the most it ever had resident, and what it has now.
///
/// # Errors
/// There is no such process, or the system does not tell.
pub fn resident(process: u32) -> io::Result<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mib = |name: &str| {
        let kib = kib(&status, name).ok_or_else(|| io::Error::other(format!("{name} is not told")))?;
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok::<f64, io::Error>(kib as f64 / 1024.0)
    };
    Ok((mib("VmHWM")?, mib("VmRSS")?))
}

/// The value in a line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|field| field.trim() == name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn kib(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_tables_are_read() {
        let status = "Name:\tpromptory\nVmHWM:\t  102400 kB\nVmRSS:\t   51200 kB\n";
        assert_eq!(
            (kib(status, "VmHWM"), kib(status, "VmRSS"), kib(status, "VmX")),
            (Some(102_400), Some(51_200), None)
        );
        assert_eq!(field("processor\t: 0\nmodel name\t: A: B\n", "model name"), Some("A: B"));
    }

    #[test]
    fn this_process_is_somewhere_and_has_memory() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::look(folder.path()).unwrap();
        assert!(machine.cores > 0 && machine.fsync_before_ms > 0.0);
        let (peak, now) = resident(std::process::id()).unwrap();
        assert!(peak > 0.0 && now > 0.0);
    }
}
