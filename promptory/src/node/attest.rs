//! From the port for denied attempts to whoever writes them: the command service of this process, or one of another.

use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use promptory_command::{Service, attest};
use promptory_platform::Attestor;
use promptory_platform::attest::{Attested, First};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How often it is seen whether a minute is over.
const LOOK: Duration = Duration::from_secs(5);
/// Attestations on their way at once.
const AT_ONCE: usize = 64;

/// Who writes.
#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// This process.
    Here(Box<Service>),
    /// Another one, over NATS.
    There(Client),
}

impl Sink {
    pub(super) async fn write(&self, attested: &Attested) -> Result<(), String> {
        match self {
            Self::Here(service) => service.attest(attested.clone()).await.map_err(|failure| failure.to_string()),
            Self::There(client) => attest::ask(client, attested).await,
        }
    }

    async fn first(&self, first: First) {
        match self.write(&first.attested).await {
            Ok(()) => drop(first.recorded.send(())),
            Err(error) => tracing::warn!(error, "a denied attempt could not be recorded"),
        }
    }

    /// Writes counts; what can't be written is counted on.
    async fn counts(&self, attestor: &Attestor, all: bool) {
        for attested in attestor.take(all) {
            if let Err(error) = self.write(&attested).await {
                tracing::warn!(error, "counts of denied attempts could not be written");
                attestor.give_back(attested);
            }
        }
    }
}

/// The way, until it is stopped.
#[derive(Debug)]
pub(super) struct Attesting {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Attesting {
    pub(super) fn start(attestor: Attestor, firsts: mpsc::Receiver<First>, sink: Sink) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(run(attestor, firsts, sink, stopped)) }
    }

    /// Writes what was counted, and ends.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn run(attestor: Attestor, mut firsts: mpsc::Receiver<First>, sink: Sink, mut stopped: oneshot::Receiver<()>) {
    let mut under_way = FuturesUnordered::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(first) = firsts.recv(), if under_way.len() < AT_ONCE => under_way.push(sink.first(first)),
            Some(()) = under_way.next() => {}
            _ = look.tick() => sink.counts(&attestor, false).await,
            _ = &mut stopped => break,
        }
    }
    while under_way.next().await.is_some() {}
    sink.counts(&attestor, true).await;
}
