//! From acknowledged to readable: how long until a read on another connection sees what a command has done.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use promptory_ledger::Ledger;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::client::{Connection, Request, uri};
use super::commands::Targets;
use super::limits::CLIENTS;
use super::load::{Make, latencies, note, pace};
use super::report::{Bar, Figures};
use super::world::{World, settle};
use super::{Bench, BenchError, Figure};

/// p99 from the command's answer to the answer of a read that shows it.
const VISIBLE_MS: f64 = 20.0;

/// One command in so many is watched: a read for each would be as much load again as what is measured.
const WATCHED_ONE_IN: u64 = 32;
/// Between two reads of one that waits to see a version: without it the readers would be the load.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let world = World::start(&bench.folder("visible")).await?;
    let targets = Targets::spread(&world, bench).await?;
    let ends = Ends { write: world.address, read: world.address };
    let watched = Watched { ends, ledger: world.node().ledger(), targets, called: "", most_ms: VISIBLE_MS };
    let mut figures = Figures::of("visible");
    for _ in 0..bench.args.rounds {
        watched.round(bench, &mut figures).await?;
    }
    world.stop().await;
    Ok(figures.done())
}

/// Where commands go, and where reads go.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Who takes commands.
    pub write: SocketAddr,
    /// Who answers reads.
    pub read: SocketAddr,
}

/// What is written and read, and how soon it should be seen.
#[derive(Debug)]
pub struct Watched<'w> {
    /// Where.
    pub ends: Ends,
    /// The ledger between them.
    pub ledger: &'w Ledger,
    /// What is written.
    pub targets: Targets,
    /// What its figures' names begin with.
    pub called: &'static str,
    /// The bar for the p99, in milliseconds.
    pub most_ms: f64,
}

impl Watched<'_> {
    /// One round: the full load, then half of it watched in both ways.
    ///
    /// # Errors
    /// Something broke.
    pub async fn round(&self, bench: &Bench, figures: &mut Figures) -> Result<(), BenchError> {
        let (make, called) = (self.targets.make(), self.called);
        let mut clients = bench.load.connect(self.ends.write, CLIENTS).await?;
        let full = clients.warm_closed(bench.warm_up(), bench.time(), &make).await?;
        let half = full.rate() / 2.0;
        figures.sample(format!("{called}commands, half of what it can take"), "/s", half);
        for (how, name) in [(How::AtLeast, "a read with at_least"), (How::Poll, "reads until it is seen")] {
            // What the load before has left behind is not what is measured.
            settle(self.ledger, self.ends.read, &self.targets.tenants).await?;
            let seen = under_load(bench, self.ends, half, how, &make).await?;
            #[allow(clippy::cast_precision_loss, reason = "at most a day")]
            let ms = |quantile| seen.value_at_quantile(quantile) as f64 / 1e6;
            let what = |what| format!("{called}acknowledged to readable, {name}: {what}");
            figures.sample(what("p50"), "ms", ms(0.5));
            figures.held(what("p99"), "ms", ms(0.99), Bar::AtMost(self.most_ms));
        }
        Ok(())
    }
}

/// How a reader finds out.
#[derive(Clone, Copy, Debug)]
enum How {
    /// One read, with the command's position.
    AtLeast,
    /// Reads without it, until one shows the version.
    Poll,
}

async fn under_load(bench: &Bench, ends: Ends, rate: f64, how: How, make: &Make) -> Result<Histogram<u64>, BenchError> {
    // Numbers for texts that no client of the measurement before had.
    let first = bench.load.numbers();
    let due = pace::start(rate, bench.time(), CLIENTS)?;
    let watchers: Vec<_> = due
        .into_iter()
        .enumerate()
        .map(|(number, due)| bench.load.handle().spawn(watch(Watcher { number, first, how }, ends, due, make.clone())))
        .collect();
    let mut all = latencies();
    for watcher in watchers {
        all.add(watcher.await??).expect("both have the same bounds");
    }
    Ok(all)
}

#[derive(Clone, Copy, Debug)]
struct Watcher {
    number: usize,
    first: u64,
    how: How,
}

async fn watch(
    watcher: Watcher,
    ends: Ends,
    mut due: mpsc::Receiver<Instant>,
    make: Make,
) -> Result<Histogram<u64>, BenchError> {
    let (mut writer, mut reader) = (Connection::open(ends.write).await?, Connection::open(ends.read).await?);
    let (mut seen, mut number) = (latencies(), watcher.first);
    while due.recv().await.is_some() {
        let command = make(watcher.number, number);
        // Another moment for each, and the first one's first: then there is one however short the time is.
        let watched = (number + watcher.number as u64).is_multiple_of(WATCHED_ONE_IN);
        number += 1;
        if watched {
            let took = one(&mut writer, &mut reader, command, watcher.how).await?;
            note(&mut seen, took);
        } else {
            writer.send(command).await?;
        }
    }
    Ok(seen)
}

#[derive(Deserialize)]
struct Acknowledged {
    position: String,
    version: Number,
}

#[derive(Deserialize)]
struct Number {
    number: u32,
}

#[derive(Deserialize)]
struct Shown {
    versions: u32,
}

/// Sends a command, and from its answer on reads until the version is there. Gives how long that took.
async fn one(
    writer: &mut Connection,
    reader: &mut Connection,
    command: Request,
    how: How,
) -> Result<Duration, BenchError> {
    let path = command.target.path().trim_end_matches("/versions").to_owned();
    let authorization = command.authorization.clone();
    let acknowledged: Acknowledged = serde_json::from_slice(&writer.send(command).await?)?;
    let since = Instant::now();
    let target = match how {
        How::AtLeast => uri(&format!("{path}?at_least={}", acknowledged.position))?,
        How::Poll => uri(&path)?,
    };
    let read = Request { method: hyper::Method::GET, target, authorization, body: bytes::Bytes::new() };
    loop {
        let answer = match reader.send(read.clone()).await {
            // It has waited as long as a read may: slow, not broken.
            Err(BenchError::Refused { status: 504, .. }) => continue,
            answer => answer?,
        };
        let took = since.elapsed();
        let shown: Shown = serde_json::from_slice(&answer)?;
        if shown.versions >= acknowledged.version.number {
            return Ok(took);
        }
        if matches!(how, How::AtLeast) {
            return Err(BenchError::Server("answered a read with at_least from before that position".to_owned()));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
