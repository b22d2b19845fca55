//! Getting ahead: where a tenant's batches lie close together, many of them are got by one question, and kept for the walk
//! that is about to ask for each.
//!
//! The server looks at every message between them, a microsecond each, so this is only done where there are few. It is
//! nothing but haste: what does not come, or comes from a replica that is behind, the walk asks for as ever.
//!
//! The question is the batched form of the direct get, which the client library does not have (NATS ADR-31).

use async_nats::jetstream::message::StreamMessage;
use futures::StreamExt;
use promptory_events::TenantId;
use serde::Serialize;
use tokio::time::timeout;

use super::Inner;
use super::kept::Kept;
use super::layout::{stream_name, subject};
use super::link::REPLICA_TIMEOUT;

/// Where there are more messages from one batch to the next, a get for each costs less than looking at all.
pub(super) const CLOSE: u64 = 64;
/// Batches that one question asks for.
const BATCHES: u64 = 256;
/// Bytes that one question asks for; one message is given even if it has more.
const BYTES: u64 = 1024 * 1024;

/// See "batched requests" in ADR-31.
#[derive(Serialize)]
struct Question<'a> {
    seq: u64,
    next_by_subj: &'a str,
    batch: u64,
    max_bytes: u64,
}

impl Inner {
    /// Keeps a tenant's batches from the sequence `low` up to `high`, which lie about `gap` messages apart.
    pub(super) async fn get_ahead(&self, tenant: &TenantId, low: u64, high: u64, gap: u64, kept: &Kept) {
        let mut next = low;
        while next < high {
            let batch = ((high - next) / gap.max(1) + 1).min(BATCHES);
            match self.some_ahead(tenant, next, batch, kept).await {
                Some(last) if last >= next => next = last + 1,
                _ => return,
            }
        }
    }

    /// Keeps some from a sequence on; gives the last one's, `None` if nothing has come or there is no room for more: what is
    /// not kept is got again.
    async fn some_ahead(&self, tenant: &TenantId, seq: u64, batch: u64, kept: &Kept) -> Option<u64> {
        let partition = self.partition_of(tenant);
        let subject = subject(partition, tenant);
        let question = Question { seq, next_by_subj: &subject, batch, max_bytes: BYTES };
        let question = serde_json::to_vec(&question).ok()?;
        let (client, mut last) = (self.reads.client(), None);
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.ok()?;
        let to = format!("$JS.API.DIRECT.GET.{}", stream_name(partition));
        client.publish_with_reply(to, inbox, question.into()).await.ok()?;
        while let Ok(Some(answer)) = timeout(REPLICA_TIMEOUT, answers.next()).await {
            // The end, or an error, is a status and no message.
            let Some(message) = answer.status.is_none().then(|| StreamMessage::try_from(answer).ok()).flatten() else {
                break;
            };
            let Ok((recorded, _)) = self.checked(tenant, &message) else { break };
            if !kept.keep(&recorded) {
                return None;
            }
            last = Some(message.sequence);
        }
        last
    }
}
