//! Appending: one guarded publish, and what its answer means.
//!
//! The server checks the guard alone. That indexes are dense and times never go back is checked here against the batch
//! that the guard names: it never changes, so the check holds if the guard does.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use promptory_events::{BatchHeader, Cursor, TenantId};

use super::Inner;
use super::layout::{stream_name, subject};
use super::link::{server_error, with_causes};
use crate::acceptable::{End, acceptable, continues};
use crate::port::{AppendError, ReadError};

/// Another append of this tenant is on its way; async-nats knows the code and gives it no kind.
const ANOTHER_IN_FLIGHT: ErrorCode = ErrorCode(10164);
/// The leader does not know yet what the last batch is.
const NOT_READY: ErrorCode = ErrorCode(10163);
/// This very message is on its way.
const SAME_IN_FLIGHT: ErrorCode = ErrorCode(10158);

impl Inner {
    /// See [`crate::Ledger::append`].
    pub(super) async fn append(&self, tenant: &TenantId, expected: u64, bytes: Bytes) -> Result<Cursor, AppendError> {
        let incarnation = self.identity.incarnation;
        let header = acceptable(incarnation, tenant, expected, &bytes)?;
        if !self.writes.is_up() {
            // What is sent now would wait in memory and go out at the next connection, each try once more.
            return Err(AppendError::Busy);
        }
        self.follows(tenant, &header).await?;
        let len = bytes.len();
        let sequence = self.publish(tenant, expected, bytes).await?;
        self.marks.note(tenant, &header, sequence, len);
        Ok(Cursor { incarnation, sequence })
    }

    /// Checks that a batch continues its tenant's ledger, unless its guard is sure to fail: then the server says so.
    async fn follows(&self, tenant: &TenantId, header: &BatchHeader) -> Result<(), AppendError> {
        let Some(end) = self.end_at(tenant, header.prev).await? else { return Ok(()) };
        let Err(refused) = continues(end, header) else { return Ok(()) };
        // The guard first: a batch that lost the race is a conflict, whatever else would be wrong with it by now.
        match self.last(tenant).await {
            Ok(last) if last.as_ref().map_or(0, |(recorded, _)| recorded.cursor.sequence) == header.prev => {
                Err(refused)
            }
            Ok(_) => Err(AppendError::Conflict),
            Err(error) => Err(not_now(error)),
        }
    }

    /// The end of the tenant's ledger if its last batch is `sequence` (0: it has none); `None`: it is not, or no longer.
    async fn end_at(&self, tenant: &TenantId, sequence: u64) -> Result<Option<Option<End>>, AppendError> {
        match self.marks.tip(tenant) {
            Some(tip) if tip.sequence == sequence => return Ok(Some(Some((tip.last_index, tip.recorded_at)))),
            Some(tip) if tip.sequence > sequence => return Ok(None),
            _ => {}
        }
        let partition = self.partition_of(tenant);
        if sequence == 0 {
            // The first batch of a tenant would be taken by any stream of that name: is it still ours?
            return self.info(partition).await.map(|_| Some(None)).map_err(not_now);
        }
        let Some(message) = self.message(partition, sequence).await.map_err(not_now)? else { return Ok(None) };
        let Ok((recorded, header)) = self.checked(tenant, &message) else { return Ok(None) };
        self.marks.note(tenant, &header, sequence, recorded.bytes.len());
        Ok(Some(Some((header.last_index(), header.recorded_at.micros()))))
    }

    /// Publishes under the guard; no id for the server's own search for duplicates, which decides by the id alone.
    async fn publish(&self, tenant: &TenantId, expected: u64, bytes: Bytes) -> Result<u64, AppendError> {
        let partition = self.partition_of(tenant);
        let publish = PublishMessage::build().payload(bytes).expected_last_subject_sequence(expected);
        let sent = self.writes.context.send_publish(subject(partition, tenant), publish).await.map_err(outcome)?;
        let ack = sent.await.map_err(outcome)?;
        if ack.stream != stream_name(partition) || ack.duplicate || ack.sequence <= expected {
            let what = format!("{} {}, duplicate: {}", ack.stream, ack.sequence, ack.duplicate);
            return Err(AppendError::Unknown(format!("the server acknowledged something else: {what}")));
        }
        Ok(ack.sequence)
    }
}

/// A look at the ledger before the append failed: nothing was written.
fn not_now(error: ReadError) -> AppendError {
    match error {
        ReadError::Unavailable(why) => {
            tracing::debug!(%why, "an append could not be checked now");
            AppendError::Busy
        }
        ReadError::Corrupt(why) => AppendError::Invalid(why),
    }
}

/// What an answer that is no acknowledgement means. Whatever is not known to be "not written" is unknown.
pub(crate) fn outcome(error: PublishError) -> AppendError {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => return AppendError::Conflict,
        // No leader, or the stream is not there for the moment; an append that nobody heard.
        PublishErrorKind::StreamNotFound | PublishErrorKind::MaxAckPending => return AppendError::Busy,
        PublishErrorKind::MaxPayloadExceeded => return AppendError::Invalid(with_causes(&error)),
        PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::Other => {}
    }
    match server_error(&error).map(async_nats::jetstream::Error::error_code) {
        Some(ErrorCode::STREAM_WRONG_LAST_SEQUENCE) => AppendError::Conflict,
        Some(
            ANOTHER_IN_FLIGHT
            | SAME_IN_FLIGHT
            | NOT_READY
            | ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ) => AppendError::Busy,
        Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM) => AppendError::Invalid(with_causes(&error)),
        _ => AppendError::Unknown(with_causes(&error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use async_nats::jetstream;

    use super::*;

    fn answered(kind: PublishErrorKind, code: u64) -> AppendError {
        let json = format!(r#"{{"code": 400, "err_code": {code}, "description": "as the server says"}}"#);
        let error: jetstream::Error = serde_json::from_str(&json).unwrap();
        outcome(PublishError::with_source(kind, error))
    }

    #[test]
    fn the_outcomes_are_told_apart_by_the_servers_code() {
        assert!(matches!(answered(PublishErrorKind::WrongLastSequence, 10071), AppendError::Conflict));
        assert!(matches!(answered(PublishErrorKind::Other, 10071), AppendError::Conflict));
        for busy in [10164, 10158, 10163, 10008] {
            assert!(matches!(answered(PublishErrorKind::Other, busy), AppendError::Busy), "{busy}");
        }
        assert!(matches!(outcome(PublishErrorKind::StreamNotFound.into()), AppendError::Busy));
        for open in [PublishErrorKind::TimedOut, PublishErrorKind::BrokenPipe, PublishErrorKind::Other] {
            assert!(matches!(outcome(open.into()), AppendError::Unknown(_)), "{open:?}");
        }
        let unheard_of = answered(PublishErrorKind::Other, 10077);
        assert!(matches!(&unheard_of, AppendError::Unknown(why) if why.contains("as the server says")), "{unheard_of}");
    }
}
