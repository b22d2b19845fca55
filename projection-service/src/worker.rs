//! Follows one partition: what arrives is grouped by tenant, applied and announced. One worker a partition.
//!
//! A tenant that can't go on stops alone and visibly; the others never wait for it, and no event is ever skipped.

mod cursor;

use std::time::Duration;

use promptory_events::{Batch, Cursor, TenantId};
use promptory_ledger::{ReadError, Recorded};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::shelf::{Shelf, ShelfError};
use cursor::Saved;

/// How often stores are synced and the cursor is saved: also how much a power loss makes us read again.
const TICK: Duration = Duration::from_millis(200);
/// How long to wait before the ledger is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Follows a partition until `shutdown` turns true or its sender is gone; then syncs what it has written.
pub async fn run(shelf: Shelf, partition: u16, shutdown: watch::Receiver<bool>) {
    shelf.note_partition(partition, false);
    let mut worker = Worker::new(shelf, partition, shutdown).await;
    // Only trouble ends the following before the shutdown does. The cursor stands where it stood, so nothing is lost by
    // beginning again there.
    while let Err(error) = worker.follow().await {
        worker.lost(&error);
        if worker.pause(PAUSE).await {
            break;
        }
    }
    worker.save(Duration::ZERO).await;
}

struct Worker {
    shelf: Shelf,
    partition: u16,
    /// The last batch that was given to its tenant.
    at: Option<Cursor>,
    /// The last that was saved.
    saved: Option<Cursor>,
    /// Tenants that have stopped: tried again at the next start, for their batches are behind the cursor then.
    stopped: Vec<TenantId>,
    shutdown: watch::Receiver<bool>,
}

impl Worker {
    async fn new(shelf: Shelf, partition: u16, shutdown: watch::Receiver<bool>) -> Self {
        let Saved { at, stopped } = cursor::load(shelf.dir(), partition, shelf.ledger().incarnation());
        let mut worker = Self { shelf, partition, at, saved: at, stopped: Vec::new(), shutdown };
        for tenant in stopped {
            worker.apply(&tenant, Vec::new()).await;
        }
        worker
    }

    /// Waits until the shutdown, or for a while; true for the shutdown.
    async fn pause(&self, time: Duration) -> bool {
        tokio::time::timeout(time, stopping(self.shutdown.clone())).await.is_ok()
    }

    async fn follow(&mut self) -> Result<(), ReadError> {
        let mut tail = self.shelf.ledger().tail(self.partition, self.at).await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle = false;
        let stop = stopping(self.shutdown.clone());
        tokio::pin!(stop);
        loop {
            // Only the waiting is cut short by a shutdown, never the applying: what was begun is noted in the cursor.
            tokio::select! {
                () = &mut stop => return Ok(()),
                page = tail.next() => {
                    self.take(page?).await;
                    idle = false;
                }
                _ = tick.tick() => {
                    if idle {
                        // Nothing came for a whole tick, so the end was reached.
                        self.shelf.note_partition(self.partition, true);
                    }
                    idle = true;
                    self.save(TICK).await;
                }
            }
        }
    }

    /// Gives each tenant its batches, in order. The order between tenants means nothing.
    async fn take(&mut self, page: Vec<Recorded>) {
        let last = page.last().map(|recorded| recorded.cursor);
        for (tenant, batches) in by_tenant(page) {
            if !self.apply(&tenant, batches).await {
                return; // the cursor stays before this page, so the next start takes it again
            }
        }
        self.at = last.or(self.at);
    }

    /// Applies a tenant's batches, or stops the tenant. False if the shutdown came first.
    async fn apply(&mut self, tenant: &TenantId, batches: Vec<Recorded>) -> bool {
        let mut pause = Duration::from_millis(10);
        loop {
            match self.shelf.apply(tenant, batches.clone()).await {
                Ok(()) => return true,
                Err(ShelfError::Stopped(_)) => {
                    if !self.stopped.contains(tenant) {
                        self.stopped.push(tenant.clone());
                        self.saved = None; // so that the next tick writes the list
                    }
                    return true;
                }
                // A batch is never skipped because of trouble that may pass.
                Err(error) => {
                    tracing::warn!(%tenant, %error, "a tenant's batches could not be applied; trying again");
                    if self.pause(pause).await {
                        return false;
                    }
                    pause = (pause * 2).min(PAUSE);
                }
            }
        }
    }

    /// Syncs stores that have waited for `age`; saves the cursor once none is behind it.
    async fn save(&mut self, age: Duration) {
        let at = self.at;
        if self.shelf.sync(self.partition, age).await && at.is_some() && at != self.saved {
            let saved = Saved { at, stopped: self.stopped.clone() };
            match cursor::save(self.shelf.dir(), self.partition, &saved) {
                Ok(()) => self.saved = at,
                Err(error) => tracing::warn!(partition = self.partition, %error, "a cursor could not be saved"),
            }
        }
    }

    fn lost(&mut self, error: &ReadError) {
        tracing::error!(partition = self.partition, %error, "a partition can't be followed; trying again");
        metrics::counter!("promptory_projection_tail_errors_total").increment(1);
        if matches!(error, ReadError::Corrupt(_)) {
            // The cursor is only ours. From the beginning again, every tenant finds out for itself what it has and
            // what is missing, and stops where the ledger contradicts it.
            self.at = None;
        }
    }
}

async fn stopping(mut shutdown: watch::Receiver<bool>) {
    drop(shutdown.wait_for(|stop| *stop).await); // an error: the sender is gone, which ends us too
}

/// Batches by tenant, each tenant's in order. One whose header can't be read has no tenant to be stopped for; the ledger
/// takes none such, and the tenant's next batch would show the gap.
fn by_tenant(page: Vec<Recorded>) -> Vec<(TenantId, Vec<Recorded>)> {
    let mut groups: Vec<(TenantId, Vec<Recorded>)> = Vec::new();
    for recorded in page {
        let tenant = match Batch::peek(recorded.bytes.clone()) {
            Ok(header) => header.tenant,
            Err(error) => {
                tracing::error!(sequence = recorded.cursor.sequence, %error, "a batch's header can't be read");
                continue;
            }
        };
        match groups.iter_mut().find(|(known, _)| *known == tenant) {
            Some((_, batches)) => batches.push(recorded),
            None => groups.push((tenant, vec![recorded])),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
