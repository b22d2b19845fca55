//! Following a partition: what is there, then what comes, in order and without a gap.
//!
//! The cursor is ours. A task of its own pulls with a consumer that the server forgets, and makes a new one after the
//! last batch whenever anything is lost; it checks then that the stream is still the same. Sequences must be dense: what
//! the consumer does not bring, the leader is asked for, and what the leader does not have is a hole.
//!
//! What has come waits one by one and not in pages: a page that is made before it is asked for would be small and old when
//! it is.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::stream::Info;
use futures::StreamExt;
use promptory_events::{Batch, Cursor, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::Inner;
use super::behind::Behind;
use super::fetch::stream_of;
use super::layout::{stream_name, subject};
use super::link::{Link, with_causes};
use crate::chain::{PAGE, header_of};
use crate::port::{ReadError, Recorded};

/// What may be on its way to us. More than the largest batch, or that one would never come.
const WINDOW_BYTES: usize = 2 * (limits::BATCH_MAX_BYTES + 64 * 1024);
/// A server that is silent for two of these is gone.
const HEARTBEAT: Duration = Duration::from_millis(500);
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// A consumer that nobody pulls from is forgotten by the server after this.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A partition's batches, live. Goes on through lost connections and lost leaders; ends with the first contradiction.
pub struct JetStreamTail {
    waiting: mpsc::Receiver<Waiting>,
    /// The error that the batches given last were followed by.
    ended: Option<ReadError>,
    task: JoinHandle<()>,
}

/// A batch that waits to be asked for, with its share of [`PAGE`]'s bytes.
type Waiting = Result<(Recorded, OwnedSemaphorePermit), ReadError>;

impl Drop for JetStreamTail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl JetStreamTail {
    pub(super) async fn new(inner: Arc<Inner>, partition: u16, after: Option<Cursor>) -> Result<Self, ReadError> {
        if partition >= inner.identity.partitions {
            return Err(ReadError::Unavailable(format!("there is no partition {partition}")));
        }
        let incarnation = inner.identity.incarnation;
        if let Some(cursor) = after.filter(|cursor| cursor.incarnation != incarnation) {
            let other = cursor.incarnation;
            return Err(ReadError::Corrupt(format!(
                "the cursor is of incarnation {other}, the ledger is {incarnation}"
            )));
        }
        let last = after.map_or(0, |cursor| cursor.sequence);
        let (given, waiting) = mpsc::channel(PAGE.batches);
        let (next, room) = (last.saturating_add(1), Arc::new(Semaphore::new(PAGE.bytes)));
        let mut follower = Follower { inner, partition, next, behind: None, given, room };
        while let Err(error) = follower.stream_reaches(last).await {
            if matches!(error, ReadError::Corrupt(_)) || follower.behind.is_none() {
                return Err(error);
            }
            tokio::time::sleep(LONGEST_PAUSE).await;
        }
        Ok(Self { waiting, ended: None, task: tokio::spawn(follower.run()) })
    }

    /// See [`crate::Tail::next`].
    ///
    /// # Errors
    /// The ledger contradicts itself.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, ReadError> {
        if let Some(error) = self.ended.take() {
            return Err(error);
        }
        let mut come = Vec::new();
        self.waiting.recv_many(&mut come, PAGE.batches).await; // all that is there; dropped before, it has taken nothing
        let mut page = Vec::with_capacity(come.len());
        for batch in come {
            match batch {
                Ok((recorded, _room)) => page.push(recorded),
                Err(error) => self.ended = Some(error), // the last
            }
        }
        if !page.is_empty() {
            return Ok(page);
        }
        let ended = || ReadError::Unavailable("the tail has ended with an error".to_owned());
        Err(self.ended.take().unwrap_or_else(ended))
    }
}

struct Follower {
    inner: Arc<Inner>,
    partition: u16,
    /// The sequence that comes next; all before it were given.
    next: u64,
    /// What was said last, if it was that the stream ends before what was given.
    behind: Option<Behind>,
    given: mpsc::Sender<Waiting>,
    /// Bytes that may wait.
    room: Arc<Semaphore>,
}

/// An unnamed consumer in the server's memory, from a sequence on. On a cluster it lies on one of the stream's replicas, as
/// it comes, and gives what that replica holds.
pub(super) async fn consumer(link: &Link, partition: u16, next: u64) -> Result<Consumer<Config>, ReadError> {
    let config = Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: next },
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: FORGOTTEN_AFTER,
        ..Config::default()
    };
    let stream = stream_of(link, partition).await?;
    stream.create_consumer(config).await.map_err(|error| ReadError::Unavailable(with_causes(&error)))
}

/// Pulls from a consumer: a window in bytes, and a heartbeat that shows when it is gone.
pub(super) async fn pull(consumer: &Consumer<Config>) -> Result<Messages, ReadError> {
    let pull = consumer.stream().max_bytes_per_batch(WINDOW_BYTES).heartbeat(HEARTBEAT).expires(PULL_EXPIRES);
    pull.messages().await.map_err(|error| ReadError::Unavailable(with_causes(&error)))
}

/// Whether a follower goes on.
type Goes = ControlFlow<()>;

impl Follower {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.next;
            match self.follow().await {
                Ok(()) => return,
                Err(error @ ReadError::Corrupt(_)) => {
                    let _ = self.given.send(Err(error)).await; // nobody listens any more: then nobody needs it
                    return;
                }
                Err(ReadError::Unavailable(why)) => {
                    tracing::warn!(stream = stream_name(self.partition), after = self.next - 1, %why, "following anew");
                }
            }
            pause = if self.next > before { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows with one consumer until it is lost. `Ok`: nobody listens any more.
    async fn follow(&mut self) -> Result<(), ReadError> {
        self.stream_reaches(self.next - 1).await?;
        let consumer = consumer(&self.inner.reads, self.partition, self.next).await?;
        let mut messages = pull(&consumer).await?;
        let mut delivered = 0;
        loop {
            let message = match messages.next().await {
                Some(message) => message.map_err(|error| ReadError::Unavailable(with_causes(&error)))?,
                None => return Err(ReadError::Unavailable("the consumer has ended".to_owned())),
            };
            if self.take(&message, &mut delivered).await?.is_break() {
                return Ok(());
            }
        }
    }

    /// Checks that the stream is the one that was opened, and has what was given.
    async fn stream_reaches(&mut self, last: u64) -> Result<(), ReadError> {
        let said = self.behind.take(); // whatever else is said now, or nothing, is a break
        let Info { state, cluster, .. } = self.inner.info(self.partition).await?;
        let end = state.last_sequence;
        if state.first_sequence > last.saturating_add(1) {
            // A consumer would begin there without a word.
            let (name, first) = (stream_name(self.partition), state.first_sequence);
            return Err(ReadError::Corrupt(format!(
                "{name} begins at {first}, batch {} is missing",
                last.saturating_add(1)
            )));
        }
        if end >= last {
            return Ok(());
        }
        let why = format!("the cursor {last} is beyond the end {end}");
        let now = Instant::now();
        let behind = Behind::said(said, cluster.and_then(|cluster| cluster.leader), now);
        let believed = behind.is_believed(now);
        self.behind = Some(behind);
        Err(if believed { ReadError::Corrupt(why) } else { ReadError::Unavailable(why) })
    }

    /// Takes a message, and before it those that it shows to be missing. Stops if nobody listens any more.
    async fn take(&mut self, message: &Message, delivered: &mut u64) -> Result<Goes, ReadError> {
        let info = message.info().map_err(|error| ReadError::Unavailable(error.to_string()))?;
        let (sequence, count) = (info.stream_sequence, info.consumer_sequence);
        if count != *delivered + 1 || sequence < self.next {
            return Err(ReadError::Unavailable("messages were lost on their way here".to_owned()));
        }
        *delivered = count;
        while self.next < sequence {
            let found = self.inner.surely(self.partition, self.next).await?;
            tracing::error!(
                stream = stream_name(self.partition),
                sequence = self.next,
                "a replica does not have a batch"
            );
            let missing = self.checked(self.inner.recorded(&found), found.subject.as_str())?;
            if self.give(missing).await.is_break() {
                return Ok(Goes::Break(()));
            }
        }
        let cursor = Cursor { incarnation: self.inner.identity.incarnation, sequence };
        let recorded = Recorded { cursor, bytes: message.payload.clone() };
        let recorded = self.checked(recorded, message.subject.as_str())?;
        Ok(self.give(recorded).await)
    }

    /// Gives the next batch, as soon as there is room for it.
    async fn give(&mut self, recorded: Recorded) -> Goes {
        let bytes = u32::try_from(recorded.bytes.len().min(PAGE.bytes)).unwrap_or(u32::MAX);
        let Ok(room) = self.room.clone().acquire_many_owned(bytes).await else { return Goes::Break(()) };
        if self.given.send(Ok((recorded, room))).await.is_err() {
            return Goes::Break(());
        }
        self.next += 1;
        Goes::Continue(())
    }

    /// A batch whose header is that of the place where it lies.
    fn checked(&self, recorded: Recorded, found_under: &str) -> Result<Recorded, ReadError> {
        let place = format!("batch {} of {}", recorded.cursor.sequence, stream_name(self.partition));
        let peeked = Batch::peek(recorded.bytes.clone()).map_err(|e| ReadError::Corrupt(format!("{place}: {e}")))?;
        let header = header_of(&recorded, &peeked.tenant)?;
        if found_under != subject(self.inner.partition_of(&header.tenant), &header.tenant) {
            return Err(ReadError::Corrupt(format!("{place} is of {} and lies under {found_under}", header.tenant)));
        }
        Ok(recorded)
    }
}
