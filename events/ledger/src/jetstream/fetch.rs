//! Single messages: the last of a tenant from the leader, a known one from any replica, and what a stream says of itself.
//!
//! What is known by its sequence never changes, so any replica may answer, and what it answers is checked against the
//! header. What a replica does not have, the leader is asked for; what the leader does not have either is a hole, unless
//! the leader itself is behind.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{ClusterInfo, DirectGetErrorKind, Info, RawMessageErrorKind, Stream};
use promptory_events::{BatchHeader, Cursor, TenantId};

use super::layout::{Identity, stream_name, subject};
use super::link::{Link, server_error, with_causes};
use super::{Inner, PAUSE};
use crate::chain::header_of;
use crate::port::{ReadError, Recorded};

/// How long a look that found nothing missing, and a leader with a majority, is good for.
const WHOLE_FOR: Duration = Duration::from_millis(500);

/// Who leads believes that it does for as long as it has heard of a majority. Others elect a leader 4 s after they last heard of
/// theirs at the earliest, and they are heard of every second, so one that has not heard of them for so long may be none.
pub(super) const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// How long the leader alone is asked after a replica that did not answer.
const HUNG_FOR: Duration = Duration::from_secs(5);

/// What asking for a stream came to.
pub(crate) enum InfoError {
    /// There is no such stream, says the server.
    NotFound,
    /// It can't be asked for now.
    Unavailable(String),
}

/// Asks the leader of a stream about it.
pub(crate) async fn info(link: &Link, stream: &str) -> Result<Info, InfoError> {
    match link.context.get_stream(stream).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => {
            let code = match &error.kind() {
                async_nats::jetstream::context::GetStreamErrorKind::JetStream(error) => Some(error.error_code()),
                _ => server_error(&error).map(async_nats::jetstream::Error::error_code),
            };
            match code {
                Some(ErrorCode::STREAM_NOT_FOUND) => Err(InfoError::NotFound),
                _ => Err(InfoError::Unavailable(with_causes(&error))),
            }
        }
    }
}

/// Whether a leader, which says this, is sure to be one still: a server that was cut off or stopped takes itself for the leader
/// until it hears of the next one, and knows nothing of what that has appended.
pub(super) fn leads(info: &Info) -> bool {
    info.cluster.as_ref().is_none_or(has_majority)
}

fn has_majority(cluster: &ClusterInfo) -> bool {
    let heard = cluster.replicas.iter().filter(|replica| !replica.offline && replica.active < HEARD_WITHIN).count();
    2 * (heard + 1) > cluster.replicas.len() + 1
}

impl Inner {
    /// What the stream of a partition says of itself, if it is still the one that was opened, and by a leader that is one.
    pub(super) async fn info(&self, partition: u16) -> Result<Info, ReadError> {
        let info = info(&self.writes, &stream_name(partition)).await.map_err(|error| match error {
            // Not taken for a fact: a server that has just started says it too.
            InfoError::NotFound => ReadError::Unavailable(format!("{} is not there", stream_name(partition))),
            InfoError::Unavailable(why) => ReadError::Unavailable(why),
        })?;
        if !leads(&info) {
            let why = format!("who leads {} has heard of no majority lately", stream_name(partition));
            return Err(ReadError::Unavailable(why));
        }
        match Identity::of(&info.config) {
            Ok(identity) if identity == self.identity => Ok(info),
            Ok(Identity { incarnation, .. }) => Err(ReadError::Corrupt(format!(
                "{} is of incarnation {incarnation} now, the ledger is {}",
                stream_name(partition),
                self.identity.incarnation
            ))),
            Err(why) => Err(ReadError::Corrupt(format!("{} {why}", stream_name(partition)))),
        }
    }

    pub(super) fn recorded(&self, message: &StreamMessage) -> Recorded {
        let cursor = Cursor { incarnation: self.identity.incarnation, sequence: message.sequence };
        Recorded { cursor, bytes: message.payload.clone() }
    }

    /// The header of a message, if it is a batch of this tenant where it should be.
    pub(super) fn checked(
        &self,
        tenant: &TenantId,
        message: &StreamMessage,
    ) -> Result<(Recorded, BatchHeader), ReadError> {
        let recorded = self.recorded(message);
        let header = header_of(&recorded, tenant)?;
        let expected = subject(self.partition_of(tenant), tenant);
        if message.subject.as_str() != expected {
            let place = format!("batch {} of {tenant}", message.sequence);
            return Err(ReadError::Corrupt(format!("{place} lies under {}, not {expected}", message.subject)));
        }
        Ok((recorded, header))
    }

    /// The last batch of a tenant, from the leader; `None`: it has none, and the stream has lost nothing. Never less than was
    /// seen before. Where nothing was seen, a leader that was cut off may answer for a moment after it is back.
    pub(super) async fn last(&self, tenant: &TenantId) -> Result<Option<(Recorded, BatchHeader)>, ReadError> {
        let partition = self.partition_of(tenant);
        let known = self.marks.tip(tenant).map_or(0, |tip| tip.sequence);
        // First, and over the same connection: a leader that is cut off answers this one as well, and is found out.
        if !self.looked_lately(partition) {
            self.look(partition).await?;
        }
        let sequence = |found: &Option<(Recorded, _)>| found.as_ref().map_or(0, |(batch, _)| batch.cursor.sequence);
        let mut found = self.leaders_last(partition, tenant).await?;
        let doubt = Doubt::begin();
        while sequence(&found) < known {
            self.not_behind(partition, known).await?;
            if doubt.is_over() {
                let name = stream_name(partition);
                return Err(ReadError::Corrupt(format!("batch {known} of {tenant} is not in {name} any more")));
            }
            doubt.pause().await;
            found = self.leaders_last(partition, tenant).await?;
        }
        self.whole_after(partition, sequence(&found)).await?;
        if let Some((batch, header)) = &found {
            self.marks.note(tenant, header, batch.cursor.sequence, batch.bytes.len());
        }
        Ok(found)
    }

    async fn leaders_last(
        &self,
        partition: u16,
        tenant: &TenantId,
    ) -> Result<Option<(Recorded, BatchHeader)>, ReadError> {
        let stream = stream_of(&self.writes, partition).await?;
        match stream.get_last_raw_message_by_subject(&subject(partition, tenant)).await {
            Ok(message) => self.checked(tenant, &message).map(Some),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(ReadError::Unavailable(with_causes(&error))),
        }
    }

    /// An error if the leader ends before a batch that was seen: it has not applied it yet, or is none any more.
    async fn not_behind(&self, partition: u16, sequence: u64) -> Result<(), ReadError> {
        let end = self.info(partition).await?.state.last_sequence;
        if end >= sequence {
            return Ok(());
        }
        let name = stream_name(partition);
        Err(ReadError::Unavailable(format!("the leader of {name} ends at {end}, batch {sequence} was seen")))
    }

    /// An error if the stream is another one, or lacks a message after `sequence`: that may have been a later batch of the
    /// same tenant, and what looks like its last one is not.
    async fn whole_after(&self, partition: u16, sequence: u64) -> Result<(), ReadError> {
        if (sequence > 0 && self.looked_lately(partition)) || self.look(partition).await? {
            return Ok(());
        }
        let name = stream_name(partition);
        let asked = stream_of(&self.writes, partition).await?.info_builder().with_deleted(true).fetch().await;
        let state = asked.map_err(|error| ReadError::Unavailable(with_causes(&error)))?.info.state;
        let missing = state.last_sequence.saturating_sub(state.messages);
        let before_first = state.first_sequence.saturating_sub(1);
        let deleted = state.deleted.unwrap_or_default();
        let all_known = before_first + deleted.len() as u64 == missing;
        if sequence > before_first && all_known && deleted.iter().all(|gone| *gone < sequence) {
            return Ok(());
        }
        Err(ReadError::Corrupt(format!("{name} ends at {} and lacks {missing} batches", state.last_sequence)))
    }

    fn looked_lately(&self, partition: u16) -> bool {
        self.looked(partition).is_some_and(|at| at.elapsed() < WHOLE_FOR)
    }

    /// Whether the stream lacks nothing, by a leader that is one.
    async fn look(&self, partition: u16) -> Result<bool, ReadError> {
        let state = self.info(partition).await?.state;
        let whole = state.messages == state.last_sequence;
        if whole {
            self.set_looked(partition);
        }
        Ok(whole)
    }

    /// The message with a sequence: from any replica, else from the leader. `None`: the leader does not have it.
    pub(super) async fn message(&self, partition: u16, sequence: u64) -> Result<Option<StreamMessage>, ReadError> {
        if let Some(message) = self.replicas(partition, sequence).await? {
            return Ok(Some(message));
        }
        leaders(&stream_of(&self.reads, partition).await?, sequence).await
    }

    /// Asks any replica. `None`: it does not have the message, or does not answer; then the leader says. A replica that
    /// hangs takes its share of the questions for as long as its servers believe in it, so none is asked for a while.
    async fn replicas(&self, partition: u16, sequence: u64) -> Result<Option<StreamMessage>, ReadError> {
        let hung = || self.hung.lock().unwrap_or_else(PoisonError::into_inner);
        if hung().is_some_and(|at| at.elapsed() < HUNG_FOR) {
            return Ok(None);
        }
        let stream = self.reads.impatient.get_stream_no_info(stream_name(partition)).await;
        let stream = stream.map_err(|error| ReadError::Unavailable(with_causes(&error)))?;
        match stream.direct_get(sequence).await {
            Ok(message) if message.sequence == sequence => Ok(Some(message)),
            Err(error) if error.kind() == DirectGetErrorKind::TimedOut => {
                tracing::warn!(stream = stream_name(partition), "a replica does not answer; asking the leader alone");
                *hung() = Some(Instant::now());
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// A batch of a tenant whose sequence is known.
    pub(super) async fn batch(&self, tenant: &TenantId, sequence: u64) -> Result<(Recorded, BatchHeader), ReadError> {
        let message = self.surely(self.partition_of(tenant), sequence).await?;
        self.checked(tenant, &message)
    }

    /// A message that must be there: one that is not, and whose place the leader has passed, is a hole.
    pub(super) async fn surely(&self, partition: u16, sequence: u64) -> Result<StreamMessage, ReadError> {
        let doubt = Doubt::begin();
        loop {
            if let Some(message) = self.message(partition, sequence).await? {
                return Ok(message);
            }
            self.not_behind(partition, sequence).await?;
            if doubt.is_over() {
                return Err(ReadError::Corrupt(format!("batch {sequence} of {} is missing", stream_name(partition))));
            }
            doubt.pause().await;
        }
    }
}

/// How long something that a leader lacks is asked for again before it counts as lost. Two questions may be answered by two
/// servers: one that was cut off takes itself for the leader until it hears of the next one, which is within a second of being
/// back, and says meanwhile that there is no such message.
struct Doubt(Instant);

impl Doubt {
    const LASTS: Duration = Duration::from_secs(2);

    fn begin() -> Self {
        Self(Instant::now())
    }

    fn is_over(&self) -> bool {
        self.0.elapsed() > Self::LASTS
    }

    async fn pause(&self) {
        tokio::time::sleep(PAUSE).await;
    }
}

async fn leaders(stream: &Stream<()>, sequence: u64) -> Result<Option<StreamMessage>, ReadError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(ReadError::Unavailable(with_causes(&error))),
    }
}

/// A handle to a stream; asks nobody.
pub(super) async fn stream_of(link: &Link, partition: u16) -> Result<Stream<()>, ReadError> {
    let stream = link.context.get_stream_no_info(stream_name(partition)).await;
    stream.map_err(|error| ReadError::Unavailable(with_causes(&error)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use async_nats::jetstream::stream::ClusterInfo;

    use super::*;

    #[test]
    fn a_leader_without_a_majority_that_was_heard_of_lately_is_none() {
        let cluster = |seconds: &[u64]| {
            let peer = |active: &u64| {
                let active = active * 1_000_000_000;
                format!(r#"{{"name": "n", "current": true, "active": {active}}}"#)
            };
            let peers = seconds.iter().map(peer).collect::<Vec<_>>().join(",");
            serde_json::from_str::<ClusterInfo>(&format!(
                r#"{{"name": "test", "leader": "n0", "replicas": [{peers}]}}"#
            ))
            .unwrap()
        };
        assert!(has_majority(&cluster(&[])), "alone");
        assert!(has_majority(&cluster(&[0, 30])), "one of three is down");
        assert!(!has_majority(&cluster(&[30, 30])), "cut off");
        assert!(!has_majority(&cluster(&[0, 30, 30, 30])));
    }
}
