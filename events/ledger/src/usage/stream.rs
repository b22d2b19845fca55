//! The form on NATS JetStream: a stream for entries, which the servers drop when they are old, and one for rollups, which are
//! never dropped; a subject for each tenant in both.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use promptory_events::TenantId;
use serde::Serialize;
use tokio::time::timeout;

use super::{Entry, PAGE_BYTES, PAGE_ENTRIES, kept_of};
use crate::jetstream::append::outcome;
use crate::jetstream::layout::{ROLLUP, USAGE, incarnation_of, wanted_rollup, wanted_usage};
use crate::jetstream::link::{Link, REPLICA_TIMEOUT, with_causes};
use crate::jetstream::{OpenError, Options, note, patient_info};
use crate::port::{AppendError, ReadError};

/// How long a replica is given that does not have yet what its leader has.
const BEHIND_PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// The usage log on JetStream. Clones are the same log.
#[derive(Clone)]
pub struct StreamLog {
    inner: Arc<Inner>,
}

struct Inner {
    writes: Link,
    reads: Link,
    life: u64,
    keep_ms: i64,
}

/// A question for many messages of a subject (NATS ADR-31), which the client library does not have.
#[derive(Serialize)]
struct Question<'a> {
    seq: u64,
    next_by_subj: &'a str,
    batch: usize,
    max_bytes: usize,
}

impl fmt::Debug for StreamLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamLog(…)")
    }
}

impl StreamLog {
    /// Opens the log of the ledger on these servers.
    ///
    /// # Errors
    /// As for the ledger; the streams are not there, or of another ledger.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let writes = Link::connect(options, "promptory: usage").await?;
        let reads = Link::connect(options, "promptory: reads of usage").await?;
        let deadline = Instant::now() + options.patience;
        let (usage, rollup) =
            (patient_info(&reads, USAGE, deadline).await?, patient_info(&reads, ROLLUP, deadline).await?);
        let of =
            |name: &str, config| incarnation_of(config).map_err(|why| OpenError::Inconsistent(format!("{name} {why}")));
        let (incarnation, other) = (of(USAGE, &usage.config)?, of(ROLLUP, &rollup.config)?);
        if incarnation != other {
            let what = format!("{USAGE} says incarnation {incarnation}, {ROLLUP} says {other}");
            return Err(OpenError::Inconsistent(what));
        }
        let max_age = usage.config.max_age;
        note(&usage, &wanted_usage(incarnation, usage.config.num_replicas, max_age));
        note(&rollup, &wanted_rollup(incarnation, rollup.config.num_replicas));
        // A stream that was made anew begins its sequences anew.
        let life = u64::try_from(usage.created.unix_timestamp_nanos()).unwrap_or_default();
        Ok(Self { inner: Arc::new(Inner { writes, reads, life, keep_ms: kept_of(max_age) }) })
    }

    pub(super) fn life(&self) -> u64 {
        self.inner.life
    }

    pub(super) fn keep_ms(&self) -> i64 {
        self.inner.keep_ms
    }

    /// Whether there is a connection to append over.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.writes.is_up()
    }

    pub(super) async fn append(&self, tenant: &TenantId, bytes: Bytes) -> Result<u64, AppendError> {
        self.publish(USAGE, format!("usage.{tenant}"), PublishMessage::build().payload(bytes)).await
    }

    pub(super) async fn append_rollup(
        &self,
        tenant: &TenantId,
        expected: u64,
        bytes: Bytes,
    ) -> Result<u64, AppendError> {
        let message = PublishMessage::build().payload(bytes).expected_last_subject_sequence(expected);
        self.publish(ROLLUP, format!("rollup.{tenant}"), message).await
    }

    async fn publish(&self, stream: &str, subject: String, message: PublishMessage) -> Result<u64, AppendError> {
        if !self.inner.writes.is_up() {
            return Err(AppendError::Busy); // async-nats would keep each try for the next connection
        }
        let sent = self.inner.writes.context.send_publish(subject, message).await.map_err(outcome)?;
        let ack = sent.await.map_err(outcome)?;
        if ack.stream != stream || ack.duplicate {
            return Err(AppendError::Unknown(format!("{} acknowledged it, duplicate: {}", ack.stream, ack.duplicate)));
        }
        Ok(ack.sequence)
    }

    pub(super) async fn read(&self, tenant: &TenantId, after: u64) -> Result<Vec<Entry>, ReadError> {
        self.page(USAGE, &format!("usage.{tenant}"), after).await
    }

    /// The next rollups; "none" only if the leader has none either, for what is counted rests on their being all there.
    pub(super) async fn rollups(&self, tenant: &TenantId, after: u64) -> Result<Vec<Entry>, ReadError> {
        let (subject, since) = (format!("rollup.{tenant}"), Instant::now());
        loop {
            let page = self.page(ROLLUP, &subject, after).await?;
            if !page.is_empty() || self.last(ROLLUP, &subject).await? <= after {
                return Ok(page);
            }
            if since.elapsed() > BEHIND_PATIENCE {
                return Err(ReadError::Unavailable(format!("a replica of {ROLLUP} is behind")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The tenants that have entries, with how many.
    pub(super) async fn tenants(&self) -> Result<Vec<(TenantId, u64)>, ReadError> {
        self.subjects(USAGE, "usage.").await
    }

    pub(super) async fn rolled_tenants(&self) -> Result<Vec<TenantId>, ReadError> {
        Ok(self.subjects(ROLLUP, "rollup.").await?.into_iter().map(|(tenant, _)| tenant).collect())
    }

    async fn subjects(&self, stream: &str, prefix: &str) -> Result<Vec<(TenantId, u64)>, ReadError> {
        let unavailable = |error: &dyn std::error::Error| ReadError::Unavailable(with_causes(error));
        let stream = self.stream(stream).await?;
        let mut subjects =
            stream.info_with_subjects(format!("{prefix}*")).await.map_err(|error| unavailable(&error))?;
        let mut tenants = Vec::new();
        while let Some((subject, count)) = subjects.try_next().await.map_err(|error| unavailable(&error))? {
            let name = subject.strip_prefix(prefix).unwrap_or_default();
            let tenant = name.parse().map_err(|_| ReadError::Corrupt(format!("something lies under {subject}")))?;
            tenants.push((tenant, count as u64));
        }
        Ok(tenants)
    }

    /// The sequence of the last message of a subject, from the leader; 0: there is none.
    async fn last(&self, stream: &str, subject: &str) -> Result<u64, ReadError> {
        match self.stream(stream).await?.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(message.sequence),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(0),
            Err(error) => Err(ReadError::Unavailable(with_causes(&error))),
        }
    }

    /// A handle to a stream; asks nobody.
    async fn stream(&self, stream: &str) -> Result<Stream<()>, ReadError> {
        let stream = self.inner.reads.context.get_stream_no_info(stream).await;
        stream.map_err(|error| ReadError::Unavailable(with_causes(&error)))
    }

    /// The next messages of a subject, from any replica: a beginning of what the leader has.
    ///
    /// Replicas begin to answer a moment after the stream is there, and are without one while they change their leader.
    async fn page(&self, stream: &str, subject: &str, after: u64) -> Result<Vec<Entry>, ReadError> {
        let since = Instant::now();
        loop {
            match self.ask(stream, subject, after).await? {
                Some(page) => return Ok(page),
                None if since.elapsed() > BEHIND_PATIENCE => {
                    return Err(ReadError::Unavailable(format!("no replica of {stream} answers")));
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Asks for them once; `None`: there is no replica that answers (503).
    async fn ask(&self, stream: &str, subject: &str, after: u64) -> Result<Option<Vec<Entry>>, ReadError> {
        let unavailable = |error: &dyn std::error::Error| ReadError::Unavailable(with_causes(error));
        let question = Question { seq: after + 1, next_by_subj: subject, batch: PAGE_ENTRIES, max_bytes: PAGE_BYTES };
        let question = serde_json::to_vec(&question).map_err(|error| unavailable(&error))?;
        let client = self.inner.reads.client();
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| unavailable(&error))?;
        let to = format!("$JS.API.DIRECT.GET.{stream}");
        client.publish_with_reply(to, inbox, question.into()).await.map_err(|error| unavailable(&error))?;
        let mut page = Vec::new();
        loop {
            let answer = match timeout(REPLICA_TIMEOUT, answers.next()).await {
                Ok(Some(answer)) => answer,
                // What came is in order and lacks nothing: the rest comes with the next question.
                _ if !page.is_empty() => return Ok(Some(page)),
                _ => return Err(ReadError::Unavailable(format!("{stream} does not answer"))),
            };
            // The end, or "nothing there", is a status and no message.
            let code = answer.status.map(|status| status.as_u16());
            match code {
                None => {}
                Some(204 | 404) => return Ok(Some(page)),
                Some(503) if page.is_empty() => return Ok(None),
                Some(code) if page.is_empty() => {
                    return Err(ReadError::Unavailable(format!("{stream} answers with {code}")));
                }
                Some(_) => return Ok(Some(page)),
            }
            let message = StreamMessage::try_from(answer);
            let message = message.map_err(|error| ReadError::Corrupt(format!("an answer of {stream}: {error}")))?;
            if message.subject.as_str() != subject || message.sequence <= after {
                return Err(ReadError::Corrupt(format!("{stream} gave {} for {subject}", message.subject)));
            }
            page.push(Entry { sequence: message.sequence, bytes: message.payload });
        }
    }
}
