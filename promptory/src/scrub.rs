//! `scrub`: what each replica of a ledger on NATS JetStream holds, compared. Changes nothing; its exit code says whether
//! anything was found.

mod monitor;

use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use promptory_ledger::jetstream::{self, OpenError, ScrubReport};

use crate::init::{InitError, NatsArgs};
use monitor::{Look, MonitorError};

/// What each replica of the ledger holds, compared. Fails if one lacks anything, holds something else or can't be read.
#[derive(Args, Clone, Debug)]
pub struct ScrubArgs {
    /// The servers.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// Where a server says how it is: `http://host:8222`. May be given several times, once for each server: their counts
    /// are looked at first.
    #[arg(long, value_name = "URL")]
    pub monitor: Vec<String>,
    /// The servers' counts alone, which takes no time and misses what they don't know of themselves.
    #[arg(long, requires = "monitor")]
    pub quick: bool,
    /// A file that gets what was found as Prometheus metrics, for the node exporter's textfile collector.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

/// `scrub` could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// The password can't be read, or the address is none.
    #[error(transparent)]
    Arguments(#[from] InitError),
    /// The servers or the ledger.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// A server does not say how it is.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// A thread ended before its time.
    #[error("asking the servers for their counts was interrupted")]
    Interrupted,
    /// The metrics can't be written.
    #[error("the metrics can't be written to {1}")]
    Metrics(#[source] io::Error, PathBuf),
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    looks: Vec<Look>,
    deep: Option<ScrubReport>,
}

impl Found {
    /// Whether every replica that was looked at holds everything.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.looks.iter().all(Look::is_whole) && self.deep.as_ref().is_none_or(ScrubReport::is_whole)
    }

    fn metrics(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, labels: &str, value: u64| {
            let _ = writeln!(out, "promptory_scrub_{name}{labels} {value}"); // a String takes everything
        };
        line("whole", "", self.is_whole().into());
        for stream in self.deep.iter().flat_map(|deep| &deep.streams) {
            let name = &stream.stream;
            line("end", &format!("{{stream=\"{name}\"}}"), stream.end);
            line("broken", &format!("{{stream=\"{name}\"}}"), stream.broken_count);
            for replica in &stream.replicas {
                let labels = format!("{{stream=\"{name}\",replica=\"{}\"}}", replica.name);
                line("missing", &labels, replica.missing.count);
                line("differs", &labels, replica.differs.count);
                line("unread", &labels, replica.unread.is_some().into());
            }
        }
        out
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.looks.iter().map(Look::to_string).chain(self.deep.iter().map(ScrubReport::to_string));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Looks at the servers' counts, and reads every replica.
///
/// # Errors
/// The servers can't be reached; there is no ledger; the metrics can't be written. What a replica lacks is no error.
pub async fn run(args: ScrubArgs) -> Result<Found, ScrubError> {
    let monitors = args.monitor.clone();
    let looked = tokio::task::spawn_blocking(move || monitor::look(&monitors)).await;
    let looks = looked.map_err(|_| ScrubError::Interrupted)??;
    let deep = if args.quick { None } else { Some(jetstream::scrub(&args.nats.options()?).await?) };
    let found = Found { looks, deep };
    if let Some(file) = &args.metrics {
        replace(file, &found.metrics()).map_err(|error| ScrubError::Metrics(error, file.clone()))?;
    }
    Ok(found)
}

/// Writes a file as a whole: the collector never sees half of it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let part = file.with_extension("part");
    fs::write(&part, text)?;
    fs::rename(part, file)
}
