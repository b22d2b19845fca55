//! The asking side over NATS: a question travels to whoever has the tenant's partition.
//!
//! Every question may be asked again, so one that is slow or lost is, once. What gets no answer is an error that passes,
//! never another answer.

mod follow;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::Client;
use futures::future::{Either, join_all, select};
use promptory_events::{Position, TenantId, limits, partition};
use promptory_platform::between::{self, NoAnswer};
use tokio::sync::watch;

use crate::ask::wire::{self, Asked, Told};
use crate::ask::{Ask, AskError, Reply};
use crate::serve::{ask_subject, stand_subject};
use crate::shelf::Health;

/// After so long without an answer somebody is asked once more, and the first answer of both is taken: a process that was
/// killed with the question in its hands never answers, and its neighbour does.
const ONCE_MORE: Duration = Duration::from_millis(750);
/// How long an answer is waited for, besides what the question itself may wait. A store that is opened first, or built, takes
/// its time.
const WAIT: Duration = Duration::from_secs(5);
/// How often a later page of a search is asked for: only the process that answered the first one holds its state, and who is asked is
/// the servers' draw. Of three processes the right one is missed so often in a row once in 650 times.
const PAGE_TRIES: u32 = 16;
/// How long it is waited for who only says how it stands.
const STAND_WAIT: Duration = Duration::from_millis(500);

/// Read models that are open in other processes. Clones share what they follow.
#[derive(Clone)]
pub struct There {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    partitions: u16,
    /// Tenants whose position somebody here waits for. One question under way for each, however many wait.
    followed: Mutex<HashMap<TenantId, watch::Sender<Option<Position>>>>,
}

impl std::fmt::Debug for There {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "There({} partitions)", self.inner.partitions)
    }
}

impl There {
    /// Asks over this connection; the ledger has so many partitions.
    #[must_use]
    pub fn new(client: Client, partitions: u16) -> Self {
        Self { inner: Arc::new(Inner { client, partitions, followed: Mutex::default() }) }
    }

    /// Asks a question.
    ///
    /// # Errors
    /// As [`crate::Shelf::answer`]; nobody answers.
    pub async fn ask(&self, ask: Ask) -> Result<Reply, AskError> {
        let partition = partition::of(&ask.tenant, self.inner.partitions);
        let waits = if ask.at_least.is_some() { limits::AT_LEAST_WAIT_MAX_MS } else { 0 };
        let patience = WAIT + Duration::from_millis(waits);
        let tries = if ask.question.goes_on_searching() { PAGE_TRIES } else { 1 };
        let asked = Asked::Question(Box::new(ask));
        let mut told = Err(AskError::CursorExpired);
        for _ in 0..tries {
            told = self.inner.send(partition, ask_subject(partition), &asked, patience).await;
            if !matches!(told, Err(AskError::CursorExpired)) {
                break;
            }
        }
        match told? {
            Told::Reply(reply) => Ok(reply),
            other => Err(not_asked_for(&other)),
        }
    }

    /// A tenant's position as it is announced where its model is. Only for a tenant that let the caller in.
    #[must_use]
    pub fn follow(&self, tenant: &TenantId) -> watch::Receiver<Option<Position>> {
        follow::follow(&self.inner, tenant)
    }

    /// How the projections stand, all partitions together: one of the processes of each.
    pub async fn health(&self) -> Health {
        let asked = (0..self.inner.partitions).map(|partition| self.inner.health(partition));
        let answered = join_all(asked).await.into_iter().zip(0..);
        let health = answered.map(|(health, partition)| match health {
            // Who answers for this partition may still be catching up with another, and may have lost the ledger: reads
            // go on.
            Ok(health) => Health { caught_up: true, ledger_writes: true, ..health },
            Err(AskError::Busy) => Health::default(), // it is there
            Err(AskError::CatchingUp(_)) => Health { caught_up: false, ..Health::default() },
            Err(_) => Health { missing: vec![partition], ..Health::default() },
        });
        health.fold(Health::default(), Health::and)
    }
}

impl Inner {
    async fn health(&self, partition: u16) -> Result<Health, AskError> {
        match self.send_once(ask_subject(partition), &Asked::Health, STAND_WAIT).await {
            Ok(Told::Health(health)) => Ok(health),
            Ok(Told::Refused(error)) => Err(error),
            Ok(other) => Err(not_asked_for(&other)),
            Err(no_answer) => Err(self.why(partition, no_answer).await),
        }
    }

    /// Asks, and once more if no answer came for a while, or none will.
    async fn send(&self, partition: u16, subject: String, asked: &Asked, patience: Duration) -> Result<Told, AskError> {
        let mut first = pin!(self.send_once(subject.clone(), asked, patience));
        let outcome = match tokio::time::timeout(ONCE_MORE, &mut first).await {
            Ok(Err(NoAnswer::Lost(why))) => {
                tracing::warn!(partition, %why, "a question is asked again");
                self.send_once(subject, asked, patience).await
            }
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::debug!(partition, "a question is asked once more");
                match select(first, pin!(self.send_once(subject, asked, patience))).await {
                    // Now nobody listens: who had the first is gone, too, or going.
                    Either::Right((Err(NoAnswer::Nobody), _)) => Err(NoAnswer::Nobody),
                    Either::Left((outcome, other)) | Either::Right((outcome, other)) if is_open(&outcome) => {
                        other.await
                    }
                    Either::Left((outcome, _)) | Either::Right((outcome, _)) => outcome,
                }
            }
        };
        match outcome {
            Ok(Told::Refused(error)) => Err(error),
            Ok(told) => Ok(told),
            Err(no_answer) => Err(self.why(partition, no_answer).await),
        }
    }

    async fn send_once(&self, subject: String, asked: &Asked, patience: Duration) -> Result<Told, NoAnswer> {
        let lost = |error: wire::WireError| NoAnswer::Lost(error.to_string());
        let request = wire::encode(asked).map_err(lost)?;
        let answer = between::ask(&self.client, subject, request, patience).await?;
        wire::decode(&answer).map_err(lost)
    }

    /// What it means that no answer came: who is still catching up says so on another subject.
    async fn why(&self, partition: u16, no_answer: NoAnswer) -> AskError {
        match no_answer {
            NoAnswer::Lost(_) => AskError::NoAnswer,
            NoAnswer::NoConnection => AskError::Nobody(partition),
            NoAnswer::Nobody => match self.send_once(stand_subject(partition), &Asked::Health, STAND_WAIT).await {
                Ok(_) => AskError::CatchingUp(partition),
                Err(_) => AskError::Nobody(partition),
            },
        }
    }
}

/// Whether another one may still say more.
fn is_open(outcome: &Result<Told, NoAnswer>) -> bool {
    matches!(outcome, Err(NoAnswer::Lost(_)) | Ok(Told::Refused(AskError::Busy)))
}

fn not_asked_for(told: &Told) -> AskError {
    tracing::error!(?told, "another answer than asked for");
    AskError::Unavailable("another answer than asked for".to_owned())
}
