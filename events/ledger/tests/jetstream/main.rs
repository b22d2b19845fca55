//! The ledger on JetStream where real servers fail it: killed, paused, emptied, replaced, damaged by their operator.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and say what it measured")]

mod cold_start;
mod contention;
mod cut_off;
mod damage;
#[path = "../forms/mod.rs"]
mod forms;
mod init;
mod keys;
mod power;
mod scrub;
mod shipped;
#[path = "../support/mod.rs"]
mod support;
mod tails;

use std::time::Duration;

use async_nats::jetstream::{self, Context};
use promptory_events::{BatchId, Cursor, TenantId};
use promptory_ledger::jetstream::JetStream;
use promptory_ledger::{AppendError, ReadError, Recorded};
use promptory_test_nats::User;
use support::{Draft, header};

/// JetStream as its operator sees it, around the ledger.
async fn operator(url: &str, user: &User) -> Context {
    let options = async_nats::ConnectOptions::with_user_and_password(user.name.clone(), user.name.clone());
    jetstream::new(options.connect(url.split(',').collect::<Vec<_>>()).await.unwrap())
}

/// Appends as the command service does: busy or open, the same bytes again; a conflict may be with ourselves.
async fn append(ledger: &JetStream, draft: &Draft) -> Result<Cursor, AppendError> {
    let tenant = &draft.header.tenant;
    loop {
        match ledger.append(tenant, draft.header.prev, draft.encode()).await {
            Err(AppendError::Busy | AppendError::Unknown(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(AppendError::Conflict) => {
                if let Some(cursor) = own(ledger, draft).await {
                    return Ok(cursor);
                }
                if !ends_at(ledger, tenant, draft.header.prev).await {
                    return Err(AppendError::Conflict);
                }
                // Nobody was there first: said by a leader that was stopped and goes on as if it still were one.
            }
            known => return known,
        }
    }
}

/// Whether a tenant's last batch is the one with this sequence.
async fn ends_at(ledger: &JetStream, tenant: &TenantId, sequence: u64) -> bool {
    loop {
        match ledger.head(tenant).await {
            Ok(head) => break head.map_or(0, |head| head.cursor.sequence) == sequence,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// The batch of this very draft, if it is there.
async fn own(ledger: &JetStream, draft: &Draft) -> Option<Cursor> {
    let found = loop {
        match ledger.get(&draft.header.tenant, draft.header.first_index).await {
            Ok(found) => break found,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let batch = found.filter(|batch| header(&batch.bytes).batch_id == draft.header.batch_id)?;
    Some(batch.cursor)
}

/// Appends `count` batches of one event after `last`, each with an id of its own.
async fn fill(ledger: &JetStream, tenant: &TenantId, count: u64) -> Vec<(Draft, Cursor)> {
    let mut out: Vec<(Draft, Cursor)> = Vec::new();
    for id in 0..count {
        let draft = match out.last() {
            Some((last, cursor)) => last.then(1, cursor.sequence),
            None => Draft::first(ledger.incarnation(), tenant),
        };
        let draft = draft.id(id);
        let cursor = append(ledger, &draft).await.unwrap();
        out.push((draft, cursor));
    }
    out
}

async fn read_all(ledger: &JetStream, tenant: &TenantId) -> Vec<Recorded> {
    try_read_all(ledger, tenant).await.unwrap()
}

async fn try_read_all(ledger: &JetStream, tenant: &TenantId) -> Result<Vec<Recorded>, ReadError> {
    let mut reader = ledger.read(tenant, 0).await?;
    let mut out = Vec::new();
    loop {
        let page = reader.next().await?;
        if page.is_empty() {
            return Ok(out);
        }
        out.extend(page);
    }
}

fn id_of(batch: &Recorded) -> BatchId {
    header(&batch.bytes).batch_id
}
