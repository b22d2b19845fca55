//! What one replica of a stream holds, in order: read with consumers that lie on that replica and so give what it has.
//!
//! Where a consumer lies is the servers' choice among the replicas, and they say which it was: another is made until one
//! lies where it should. The service may make consumers; it may not move leaders.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{Consumer, pull::Config};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::jetstream::PAUSE;
use crate::jetstream::link::{Link, with_causes};
use crate::jetstream::tail::{consumer, pull};

/// Messages on their way from a reader to the comparison.
const AHEAD: usize = 64;
/// Consumers that are made in the hope that one lies where it should. Of three replicas, each misses 64 times in a row
/// once in 10^11.
const PLACINGS: usize = 64;
/// How long a replica that brings nothing is waited for until it is asked whether it has anything.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a replica may be behind.
const BEHIND_MAX: Duration = Duration::from_secs(5);

/// A message as a replica holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    sequence: u64,
    pub(super) subject: String,
    pub(super) payload: Bytes,
    headers: Option<HeaderMap>,
    stored_at_nanos: i128,
}

/// What a replica holds at a sequence.
pub(super) enum Taken {
    Held(Held),
    /// It has later ones, or says that it has no more.
    Missing,
    /// It could not be read.
    Unread,
}

impl Taken {
    pub(super) fn held(&self) -> Option<&Held> {
        match self {
            Self::Held(held) => Some(held),
            Self::Missing | Self::Unread => None,
        }
    }
}

/// A consumer on a certain replica, and how many messages it says there are for it.
pub(super) type Placed = (Consumer<Config>, u64);

/// Makes consumers until one lies on a replica. `None`: there is only one place.
pub(super) async fn placed(
    link: &Link,
    partition: u16,
    on: Option<&str>,
    next: u64,
    patience: Duration,
) -> Result<Placed, String> {
    let deadline = Instant::now() + patience;
    let mut why = "no consumer came to lie there".to_owned();
    for _ in 0..PLACINGS {
        match consumer(link, partition, next).await {
            Ok(consumer) => {
                let info = consumer.cached_info();
                let lies_on = info.cluster.as_ref().and_then(|cluster| cluster.leader.as_deref());
                if on.is_none() || lies_on == on {
                    let pending = info.num_pending;
                    return Ok((consumer, pending));
                }
            }
            Err(error) => {
                why = error.to_string();
                tokio::time::sleep(PAUSE).await;
            }
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Err(why)
}

/// One replica while it is read.
pub(super) struct Copy {
    pub(super) name: String,
    messages: mpsc::Receiver<Result<Held, String>>,
    task: JoinHandle<()>,
    /// The next one, if it is beyond what was asked for.
    ahead: Option<Held>,
    /// Why it could not be read further.
    pub(super) failed: Option<String>,
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Copy {
    /// Begins to read up to `end`.
    pub(super) fn start(
        link: Link,
        partition: u16,
        on: Option<String>,
        only: String,
        end: u64,
        placed: Result<Placed, String>,
        patience: Duration,
    ) -> Self {
        let (sender, messages) = mpsc::channel(AHEAD);
        let name = on.clone().unwrap_or(only);
        let mut reading = Reading { link, partition, on, next: 1, end, patience, sender };
        let task = tokio::spawn(async move {
            if let Err(why) = reading.run(placed).await {
                let _ = reading.sender.send(Err(why)).await; // nobody listens: then nobody needs it
            }
        });
        Self { name, messages, task, ahead: None, failed: None }
    }

    /// What it holds at a sequence; asked in order.
    pub(super) async fn take(&mut self, sequence: u64) -> Taken {
        if self.failed.is_some() {
            return Taken::Unread;
        }
        if self.ahead.is_none() {
            match self.messages.recv().await {
                Some(Ok(held)) => self.ahead = Some(held),
                Some(Err(why)) => {
                    self.failed = Some(format!("from {sequence} on: {why}"));
                    return Taken::Unread;
                }
                None => return Taken::Missing,
            }
        }
        match self.ahead.take_if(|held| held.sequence == sequence) {
            Some(held) => Taken::Held(held),
            None => Taken::Missing,
        }
    }
}

struct Reading {
    link: Link,
    partition: u16,
    on: Option<String>,
    next: u64,
    end: u64,
    patience: Duration,
    sender: mpsc::Sender<Result<Held, String>>,
}

/// How a consumer ended.
enum Ended {
    /// All is read, or nobody wants more, or the replica has no more.
    Done,
    /// Another is needed.
    Lost(String),
}

impl Reading {
    async fn run(&mut self, mut placed: Result<Placed, String>) -> Result<(), String> {
        let mut progress = Instant::now();
        loop {
            let before = self.next;
            match self.read(&placed?.0).await {
                Ended::Done => return Ok(()),
                Ended::Lost(why) if self.next == before && progress.elapsed() >= self.patience => return Err(why),
                Ended::Lost(_) => {}
            }
            if self.next > before {
                progress = Instant::now();
            }
            tokio::time::sleep(PAUSE).await;
            placed = self::placed(&self.link, self.partition, self.on.as_deref(), self.next, self.patience).await;
        }
    }

    async fn read(&mut self, consumer: &Consumer<Config>) -> Ended {
        let mut messages = match pull(consumer).await {
            Ok(messages) => messages,
            Err(error) => return Ended::Lost(error.to_string()),
        };
        let (mut delivered, mut silent_since) = (0, Instant::now());
        while self.next <= self.end {
            match tokio::time::timeout(SILENCE, messages.next()).await {
                Ok(Some(Ok(message))) => {
                    let held = match held(message, &mut delivered) {
                        Ok(held) => held,
                        Err(why) => return Ended::Lost(why),
                    };
                    silent_since = Instant::now();
                    self.next = held.sequence + 1;
                    if self.sender.send(Ok(held)).await.is_err() {
                        return Ended::Done;
                    }
                }
                Ok(Some(Err(error))) => return Ended::Lost(with_causes(&error)),
                Ok(None) => return Ended::Lost("the consumer has ended".to_owned()),
                // Silent: at its end, behind, or gone.
                Err(_) => match consumer.get_info().await {
                    Ok(info) if info.num_pending == 0 && silent_since.elapsed() >= BEHIND_MAX => return Ended::Done,
                    Ok(info) if info.num_pending == 0 => {}
                    Ok(_) if silent_since.elapsed() < self.patience => {}
                    Ok(info) => return Ended::Lost(format!("it does not give the {} it has", info.num_pending)),
                    Err(error) => return Ended::Lost(with_causes(&error)),
                },
            }
        }
        Ended::Done
    }
}

fn held(message: async_nats::jetstream::Message, delivered: &mut u64) -> Result<Held, String> {
    let info = message.info().map_err(|error| error.to_string())?;
    let (sequence, count) = (info.stream_sequence, info.consumer_sequence);
    let stored_at_nanos = info.published.unix_timestamp_nanos();
    if count != *delivered + 1 {
        return Err("messages were lost on their way here".to_owned());
    }
    *delivered = count;
    let async_nats::Message { subject, payload, headers, .. } = message.message;
    Ok(Held { sequence, subject: subject.to_string(), payload, headers, stored_at_nanos })
}
