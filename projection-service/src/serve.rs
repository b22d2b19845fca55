//! The answering side over NATS: a projection process listens for the questions of its partitions.
//!
//! It listens for questions once it has caught up, so that "nobody" is told apart from a model that is not there yet, and
//! a replica that starts takes no questions from one that can answer them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use promptory_events::partition;
use promptory_platform::between::{Answering, ListenError, Place};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::ask::AskError;
use crate::ask::wire::{self, Asked, Told};
use crate::shelf::Shelf;

/// Questions that one process answers at once.
const QUESTIONS_AT_ONCE: usize = 1024;
/// Tenants whose position others of our processes wait for. Each costs a task that sleeps.
const FOLLOWED_AT_ONCE: usize = 16_384;
/// How long somebody may wait for a tenant's next position before being told that there is none yet.
pub(crate) const FOLLOW_WAIT: Duration = Duration::from_secs(10);
/// How often it is seen whether another partition has caught up.
const LOOK: Duration = Duration::from_millis(50);
const LISTEN_AGAIN: Duration = Duration::from_millis(500);

/// What a partition's questions are sent to.
pub(crate) fn ask_subject(partition: u16) -> String {
    format!("ask.{partition}")
}

/// What is asked who waits for a tenant of a partition.
pub(crate) fn follow_subject(partition: u16) -> String {
    format!("follow.{partition}")
}

/// What is asked whether there is anybody who will answer for a partition.
pub(crate) fn stand_subject(partition: u16) -> String {
    format!("stand.{partition}")
}

/// A process that answers for some partitions.
#[derive(Debug)]
pub struct Serving {
    answering: Arc<Answering>,
    joining: JoinHandle<()>,
    stopping: watch::Sender<bool>,
}

/// What answers, and whether it is to end.
#[derive(Clone)]
struct Answerer {
    shelf: Shelf,
    stopping: watch::Receiver<bool>,
}

/// Begins to answer for partitions, for each as soon as it has caught up. Several processes may answer for one.
///
/// # Errors
/// There is no connection.
pub async fn start(client: Client, shelf: Shelf, partitions: Vec<u16>) -> Result<Serving, ListenError> {
    let answering = Answering::start(client, "promptory-projection", "Answers from the read models").await?;
    let answering = Arc::new(answering);
    let at_once = Arc::new(Semaphore::new(QUESTIONS_AT_ONCE));
    let (stopping, told) = watch::channel(false);
    let answerer = Answerer { shelf, stopping: told };
    for partition in &partitions {
        answerer.shelf.note_heard(*partition, false); // before anybody can ask whether the process is ready
        listen(&answering, &answerer, *partition, stand_subject(*partition), &at_once).await?;
    }
    let joining = tokio::spawn(join(answering.clone(), answerer, partitions, at_once));
    Ok(Serving { answering, joining, stopping })
}

impl Serving {
    /// Takes no more questions, and answers those that it has.
    pub async fn stop(self) {
        let _ = self.stopping.send(true); // who waits for a position is answered now
        self.joining.abort();
        let _ = self.joining.await; // cancelled, and its handle to the service with it
        match Arc::try_unwrap(self.answering) {
            Ok(answering) => answering.stop().await,
            Err(_) => tracing::error!("the answering over NATS is still in use"),
        }
    }
}

/// Listens for the questions of each partition once it has caught up.
async fn join(answering: Arc<Answering>, answerer: Answerer, partitions: Vec<u16>, questions: Arc<Semaphore>) {
    let followed = Arc::new(Semaphore::new(FOLLOWED_AT_ONCE));
    let mut waiting = partitions;
    while !waiting.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|p| answerer.shelf.can_answer(*p));
        waiting = later;
        for partition in ready {
            for (subject, at_once) in [(follow_subject(partition), &followed), (ask_subject(partition), &questions)] {
                while let Err(error) = listen(&answering, &answerer, partition, subject.clone(), at_once).await {
                    tracing::warn!(%error, partition, "trying again");
                    tokio::time::sleep(LISTEN_AGAIN).await;
                }
            }
            answerer.shelf.note_heard(partition, true);
            tracing::info!(partition, "answering");
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn listen(
    answering: &Answering,
    answerer: &Answerer,
    partition: u16,
    subject: String,
    at_once: &Arc<Semaphore>,
) -> Result<(), ListenError> {
    let busy = wire::encode_answer(Told::Refused(AskError::Busy));
    let place = Place { queue: subject.clone(), subject, at_once: at_once.clone(), busy };
    let answerer = answerer.clone();
    answering.listen(place, move |request| answer(answerer.clone(), partition, request)).await
}

async fn answer(answerer: Answerer, partition: u16, request: Bytes) -> Bytes {
    let told = match wire::decode(&request) {
        Err(error) => Told::Refused(AskError::Unavailable(error.to_string())),
        Ok(asked) => told(answerer, partition, asked).await.unwrap_or_else(Told::Refused),
    };
    wire::encode_answer(told)
}

async fn told(answerer: Answerer, partition: u16, asked: Asked) -> Result<Told, AskError> {
    let Answerer { shelf, mut stopping } = answerer;
    let shelf = &shelf;
    match asked {
        Asked::Question(ask) => {
            ours(shelf, partition, &ask.tenant)?;
            shelf.answer(*ask).await.map(Told::Reply)
        }
        Asked::Beyond { tenant, after } => {
            ours(shelf, partition, &tenant)?;
            tokio::select! {
                at = shelf.beyond(&tenant, after, FOLLOW_WAIT) => at.map(Told::Position),
                _ = stopping.wait_for(|stop| *stop) => Ok(Told::Position(after)),
            }
        }
        Asked::Health => Ok(Told::Health(shelf.health())),
    }
}

/// Nobody applies a tenant's batches here that belongs to another partition: it is not answered for.
fn ours(shelf: &Shelf, partition: u16, tenant: &promptory_events::TenantId) -> Result<(), AskError> {
    let home = partition::of(tenant, shelf.ledger().partitions());
    if home == partition {
        return Ok(());
    }
    Err(AskError::Unavailable(format!("{tenant} is in partition {home}, not in {partition}")))
}
