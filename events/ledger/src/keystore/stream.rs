//! The form on NATS JetStream: one stream, a message for each tenant's own keys and one for each block of data keys, all
//! wrapped; the root key they open with is not there.
//!
//! Every message is published with the guard "nothing is there yet", so that of two that make a tenant's keys, or a block
//! of one number, one wins and the other finds it. What is asked for is asked of the leader.

mod door;
mod record;
mod transfer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::RawMessageErrorKind;
use bytes::Bytes;
use promptory_events::{DataKeyId, Incarnation, TenantId};

use super::root::RootKey;
use super::tenant::TenantKeys;
use super::{DataKey, KeyStoreError, lock};
use crate::jetstream::append::outcome;
use crate::jetstream::fetch::{InfoError, info};
use crate::jetstream::layout::{KEYS, incarnation_of};
use crate::jetstream::link::{Link, with_causes};
use crate::jetstream::options::{Options, REQUEST_TIMEOUT};
use crate::jetstream::{OpenError, keys_of_ledger};
use crate::port::AppendError;
use door::Door;

const PAUSE: Duration = Duration::from_millis(20);
/// How long a lost connection, or a leader that is behind, is waited for: callers may hold a thread that others need.
const PATIENCE: Duration = Duration::from_millis(500);

/// The key store on JetStream.
pub(super) struct Stream {
    door: Door<Client>,
    root: RootKey,
}

/// What the door's thread holds.
struct Client {
    link: Link,
    incarnation: Incarnation,
    /// The highest sequence that was acknowledged or read: a leader that ends before it is behind.
    seen: AtomicU64,
}

/// What became of a first message.
enum Put {
    /// It is there.
    Ours,
    /// Somebody else's was first.
    Other(Bytes),
}

impl Stream {
    /// Connects, and proves the root key. The first to open an empty stream decides what root key it is for.
    pub(super) async fn open(options: &Options, root: &RootKey) -> Result<Self, OpenError> {
        let (options, key) = (options.clone(), root.clone());
        let door = Door::open(async move { Client::open(&options, &key).await }).await?;
        Ok(Self { door, root: root.clone() })
    }

    /// A tenant's keys, if it has any.
    pub(super) fn load_tenant(&self, tenant: &TenantId, until: Instant) -> Result<Option<TenantKeys>, KeyStoreError> {
        let subject = record::epoch_subject(tenant);
        let found = self.door.ask(until, |client| async move { client.surely_last(&subject).await })?;
        let keys = found.map(|message| record::tenant(&self.root, tenant, &message.payload)).transpose()?;
        Ok(keys.map(|opened| opened.keys(tenant)))
    }

    /// Makes a tenant's keys, or finds those that somebody else has just made.
    pub(super) fn create_tenant(&self, tenant: &TenantId, until: Instant) -> Result<TenantKeys, KeyStoreError> {
        let (keys, message) = record::new_tenant(&self.root, tenant)?;
        let subject = record::epoch_subject(tenant);
        match self.door.ask(until, |client| async move { client.put_first(&subject, message).await })? {
            Put::Ours => Ok(keys),
            Put::Other(message) => Ok(record::tenant(&self.root, tenant, &message)?.keys(tenant)),
        }
    }

    /// Makes the tenant's next block. `next` is the number to try, if it is known from the last one.
    pub(super) fn add_block(
        &self,
        keys: &TenantKeys,
        count: usize,
        next: &mut Option<u64>,
        until: Instant,
    ) -> Result<Vec<DataKey>, KeyStoreError> {
        loop {
            let number = match *next {
                Some(number) => number,
                None => self.free_number(keys, until)?,
            };
            let (block, message) = record::new_block(keys, number, count)?;
            let subject = record::block_subject(&keys.tenant, number);
            *next = None; // if the outcome stays unknown, the number may be taken
            let put = self.door.ask(until, |client| async move { client.put_first(&subject, message).await })?;
            *next = number.checked_add(1);
            if let Put::Ours = put {
                return Ok(block);
            }
        }
    }

    /// The number after the tenant's latest block, and beyond all that were imported. It may be taken: blocks are also
    /// rewritten, so the latest in the stream need not have the highest number.
    fn free_number(&self, keys: &TenantKeys, until: Instant) -> Result<u64, KeyStoreError> {
        let imported = self.imported(&keys.tenant, until)?.0;
        let subject = record::blocks_subject(&keys.tenant);
        let Some(latest) = self.door.ask(until, |client| async move { client.last(&subject).await })? else {
            return Ok(imported);
        };
        let number = record::block_number(&latest.subject).and_then(|number| number.checked_add(1));
        let number = number.ok_or_else(|| KeyStoreError::Damaged(format!("a block lies under {}", latest.subject)))?;
        Ok(number.max(imported))
    }

    /// Where the tenant's own blocks begin, and the sequence of the message that says so; 0 and 0 if none does.
    fn imported(&self, tenant: &TenantId, until: Instant) -> Result<(u64, u64), KeyStoreError> {
        let subject = record::imported_subject(tenant);
        match self.door.ask(until, |client| async move { client.surely_last(&subject).await })? {
            Some(message) => Ok((record::imported_number(tenant, &message.payload)?, message.sequence)),
            None => Ok((0, 0)),
        }
    }

    /// A data key, and the others of its block. `look` is asked again when it is this caller's turn to read: one reading
    /// serves all who wait for the same block.
    pub(super) fn data_keys(
        &self,
        keys: &TenantKeys,
        kid: DataKeyId,
        look: impl Fn() -> Option<DataKey>,
        until: Instant,
    ) -> Result<(DataKey, Vec<DataKey>), KeyStoreError> {
        let _reading = lock(&keys.reading);
        if let Some(key) = look() {
            return Ok((key, Vec::new()));
        }
        let subject = record::block_subject(&keys.tenant, record::block_of(kid));
        let found = self.door.ask(until, |client| async move { client.surely_last(&subject).await })?;
        let message = found.ok_or(KeyStoreError::UnknownKey(kid))?;
        record::data_keys(keys, kid, &message.payload)
    }
}

impl Client {
    async fn open(options: &Options, root: &RootKey) -> Result<Self, OpenError> {
        let link = Link::connect(options, "promptory: keys").await?;
        let incarnation = keys_of_ledger(&link, options).await?;
        let client = Self { link, incarnation, seen: AtomicU64::new(0) };
        let deadline = Instant::now() + options.patience;
        loop {
            match tokio::time::timeout(REQUEST_TIMEOUT, client.prove(root)).await {
                Ok(Ok(())) => return Ok(client),
                Ok(Err(OpenError::Unavailable(_))) | Err(_) if Instant::now() < deadline => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(OpenError::Unavailable(format!("{KEYS} did not answer in time"))),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Checks the root key against the proof in the stream. A stream that holds anything holds a proof: without one, any
    /// key would do.
    async fn prove(&self, root: &RootKey) -> Result<(), OpenError> {
        let proof = match self.last(record::CHECK).await? {
            Some(message) => message.payload,
            None if self.intact().await? > 0 => match self.last(record::CHECK).await? {
                Some(message) => message.payload, // made by somebody else meanwhile
                None => return Err(OpenError::Damaged(format!("{KEYS} holds keys and no proof of its root key"))),
            },
            None => {
                let ours = record::check(root, self.incarnation)?;
                match self.put_first(record::CHECK, ours).await? {
                    Put::Ours => return Ok(()),
                    Put::Other(proof) => proof,
                }
            }
        };
        match record::is_proof_of(root, self.incarnation, &proof) {
            Ok(true) => Ok(()),
            Ok(false) => Err(OpenError::WrongRootKey),
            Err(why) => Err(OpenError::Damaged(format!("{KEYS}: the bytes of {} {why}", record::CHECK))),
        }
    }

    /// Publishes the first message of a subject: the same bytes until it is known what became of them. The caller bounds
    /// the time.
    async fn put_first(&self, subject: &str, message: Bytes) -> Result<Put, KeyStoreError> {
        // A stream that was replaced, or has lost a message, would take a second first message.
        self.intact().await?;
        loop {
            match self.publish(subject, message.clone(), 0).await {
                Ok(sequence) => {
                    self.seen.fetch_max(sequence, Ordering::Relaxed);
                    return Ok(Put::Ours);
                }
                Err(AppendError::Conflict) => match self.last(subject).await {
                    // An earlier try was stored, and its acknowledgement lost.
                    Ok(Some(found)) if found.payload == message => return Ok(Put::Ours),
                    Ok(Some(found)) => return Ok(Put::Other(found.payload)),
                    Ok(None) | Err(_) => {} // another leader than the one that refused, or none: the same again
                },
                Err(AppendError::Busy | AppendError::Unknown(_)) => {}
                Err(AppendError::Invalid(why)) => return Err(KeyStoreError::Storage(why)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn publish(&self, subject: &str, message: Bytes, guard: u64) -> Result<u64, AppendError> {
        if !self.link.is_up() {
            return Err(AppendError::Busy); // async-nats would keep each try for the next connection
        }
        let publish = PublishMessage::build().payload(message).expected_last_subject_sequence(guard);
        let sent = self.link.context.send_publish(subject.to_owned(), publish).await.map_err(outcome)?;
        let ack = sent.await.map_err(outcome)?;
        if ack.stream != KEYS || ack.duplicate {
            return Err(AppendError::Unknown(format!("{} acknowledged it, duplicate: {}", ack.stream, ack.duplicate)));
        }
        Ok(ack.sequence)
    }

    /// The last message of a subject, or nothing if the leader has nothing. A leader that is none any more may not have
    /// it yet.
    async fn last(&self, subject: &str) -> Result<Option<StreamMessage>, KeyStoreError> {
        self.connected().await?;
        let stream = self.link.context.get_stream_no_info(KEYS).await.map_err(|error| unavailable(&error))?;
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => {
                self.seen.fetch_max(message.sequence, Ordering::Relaxed);
                Ok(Some(message))
            }
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The same, and "nothing" only if the stream is ours, lacks nothing and is not behind.
    async fn surely_last(&self, subject: &str) -> Result<Option<StreamMessage>, KeyStoreError> {
        if let Some(message) = self.last(subject).await? {
            return Ok(Some(message));
        }
        self.intact().await?;
        // Between the two questions another replica may have become the leader.
        self.last(subject).await
    }

    /// How far the stream goes; an error if it is another one, lacks a message, or ends before one that was seen. A replica
    /// that leads no more and does not know it yet, or has not taken in all that it may, is asked again for a little.
    async fn intact(&self) -> Result<u64, KeyStoreError> {
        let began = Instant::now();
        loop {
            self.connected().await?;
            let seen = self.seen.load(Ordering::Relaxed); // before the question: others write meanwhile
            let info = info(&self.link, KEYS).await.map_err(|error| match error {
                // No fact: a server that has just started says it too.
                InfoError::NotFound => KeyStoreError::Storage(format!("the stream {KEYS} is not there")),
                InfoError::Unavailable(why) => KeyStoreError::Storage(why),
            })?;
            match incarnation_of(&info.config) {
                Ok(incarnation) if incarnation == self.incarnation => {}
                Ok(other) => return Err(KeyStoreError::Damaged(format!("{KEYS} is of incarnation {other} now"))),
                Err(why) => return Err(KeyStoreError::Damaged(format!("{KEYS} {why}"))),
            }
            let (has, end) = (info.state.messages, info.state.last_sequence);
            if end >= seen {
                if has != end {
                    return Err(KeyStoreError::Damaged(format!("{KEYS} ends at {end} and holds {has} messages")));
                }
                return Ok(end);
            }
            if began.elapsed() > PATIENCE {
                return Err(KeyStoreError::Storage(format!("the leader of {KEYS} ends at {end}; more was seen")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Publishes after the message `guard` of the subject. False: perhaps not, look again.
    async fn put_after(&self, subject: &str, message: Bytes, guard: u64) -> Result<bool, KeyStoreError> {
        match self.publish(subject, message, guard).await {
            Ok(sequence) => {
                self.seen.fetch_max(sequence, Ordering::Relaxed);
                return Ok(true);
            }
            Err(AppendError::Invalid(why)) => return Err(KeyStoreError::Storage(why)),
            Err(AppendError::Conflict | AppendError::Busy | AppendError::Unknown(_)) => {}
        }
        tokio::time::sleep(PAUSE).await;
        Ok(false)
    }

    /// The first message at or after a sequence, of a subject or a pattern, that is the last of its subject. `None`: there
    /// is none, and the stream lacks nothing.
    async fn next(&self, pattern: &str, from: u64) -> Result<Option<StreamMessage>, KeyStoreError> {
        let (mut from, mut sure) = (from, false);
        loop {
            self.connected().await?;
            let stream = self.link.context.get_stream_no_info(KEYS).await.map_err(|error| unavailable(&error))?;
            match stream.get_first_raw_message_by_subject(pattern, from).await {
                Ok(message) => {
                    self.seen.fetch_max(message.sequence, Ordering::Relaxed);
                    let last = self.last(&message.subject).await?;
                    if last.is_some_and(|last| last.sequence == message.sequence) {
                        return Ok(Some(message));
                    }
                    from = message.sequence + 1; // one that was written anew since
                }
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                    if sure {
                        return Ok(None);
                    }
                    // Between the two questions another replica may have become the leader.
                    self.intact().await?;
                    sure = true;
                }
                Err(error) => return Err(unavailable(&error)),
            }
        }
    }

    /// Waits a little for a connection that is being made again.
    async fn connected(&self) -> Result<(), KeyStoreError> {
        let began = Instant::now();
        while !self.link.is_up() {
            if began.elapsed() > PATIENCE {
                return Err(KeyStoreError::Storage("there is no connection to a NATS server".to_owned()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

fn unavailable(error: &dyn std::error::Error) -> KeyStoreError {
    KeyStoreError::Storage(with_causes(error))
}

/// While the store is opened.
impl From<KeyStoreError> for OpenError {
    fn from(error: KeyStoreError) -> Self {
        match error {
            KeyStoreError::Random(error) => Self::Random(error),
            KeyStoreError::Damaged(why) => Self::Damaged(why),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
