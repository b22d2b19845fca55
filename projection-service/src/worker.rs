//! Follows one partition for one view: what arrives is grouped by tenant, applied and announced. One worker for each view of
//! a partition, so that none waits for another.
//!
//! A tenant that can't go on stops alone and visibly; the others never wait for it, and no event is ever skipped.

mod cursor;

use std::time::{Duration, Instant};
use std::{io, thread};

use promptory_events::{Batch, Cursor, TenantId, Timestamp, partition};
use promptory_ledger::{ReadError, Recorded, Tail};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::points::{self, Point};
use crate::shelf::bay::Bay;
use crate::shelf::{Shelf, ShelfError};
use crate::views::View;
use cursor::Saved;

/// How often it is seen whether something is to be synced, and whether nothing has come.
const TICK: Duration = Duration::from_millis(200);
/// How long rows may wait to be synced and the cursor to be saved: also how much a power loss makes us read again. With many
/// tenants each sync is one of a store for each.
const SYNC_AGE: Duration = Duration::from_secs(3);
/// How long to wait before the ledger is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often tenants that were left behind are tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Pauses between tries of one tenant's batches, before it is left behind: the others wait no longer than this.
const PAUSES_MS: [u64; 4] = [10, 20, 50, 100];
/// A batch that is applied this soon after it was recorded shows that the worker has reached the end.
const FRESH_SECONDS: f64 = 1.0;

/// Follows a partition as [`run`] does, each view on a thread of its own: folding and committing take it for milliseconds,
/// and it must not wait for its turn behind requests, because whoever asks for what was just written waits for it.
///
/// # Errors
/// The system has no threads left.
pub fn start(shelf: &Shelf, scope: Scope, shutdown: &watch::Receiver<bool>) -> io::Result<Vec<thread::JoinHandle<()>>> {
    let mut threads = Vec::new();
    if scope.is_for_all_views() {
        threads.push(start_view(shelf.audit().clone(), scope.clone(), shutdown.clone())?);
    }
    threads.push(start_view(shelf.catalog().clone(), scope, shutdown.clone())?);
    Ok(threads)
}

fn start_view<V: View>(
    bay: Bay<V>,
    scope: Scope,
    shutdown: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    let partition = scope.partition;
    bay.note_partition(partition, false); // before anybody can ask whether all have caught up
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let name = format!("{}-{partition}", V::NAME);
    thread::Builder::new().name(name).spawn(move || runtime.block_on(follow(bay, scope, shutdown)))
}

/// Follows a partition for all views until `shutdown` turns true or its sender is gone; then syncs what it has written.
pub async fn run(shelf: Shelf, scope: Scope, shutdown: watch::Receiver<bool>) {
    let audit = async {
        if scope.is_for_all_views() {
            follow(shelf.audit().clone(), scope.clone(), shutdown.clone()).await;
        }
    };
    tokio::join!(follow(shelf.catalog().clone(), scope.clone(), shutdown.clone()), audit);
}

async fn follow<V: View>(bay: Bay<V>, scope: Scope, shutdown: watch::Receiver<bool>) {
    bay.note_partition(scope.partition, false);
    let mut worker = Worker::new(bay, scope, shutdown).await;
    // Only trouble ends the following before the shutdown does. The cursor stands where it stood, so nothing is lost by
    // beginning again there.
    while let Err(error) = worker.follow().await {
        worker.lost(&error);
        if worker.pause(PAUSE).await {
            break;
        }
    }
    worker.sync_last().await;
}

/// What a worker follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The partition.
    pub partition: u16,
    /// Only this tenant of it; all of them if `None`.
    pub only: Option<TenantId>,
}

impl Scope {
    /// A whole partition.
    #[must_use]
    pub fn whole(partition: u16) -> Self {
        Self { partition, only: None }
    }

    /// Whether all views follow it. Of a tenant that is only needed to say who is suspended the catalog is enough.
    fn is_for_all_views(&self) -> bool {
        self.only.is_none()
    }

    /// What a process follows that answers for some partitions: those, and `_system` wherever it is, because it says
    /// which tenants are suspended.
    #[must_use]
    pub fn of_process(answered: &[u16], partitions: u16) -> Vec<Self> {
        let mut scopes: Vec<_> = answered.iter().copied().map(Self::whole).collect();
        let system = TenantId::system();
        let home = partition::of(&system, partitions);
        if !scopes.is_empty() && !answered.contains(&home) {
            scopes.push(Self { partition: home, only: Some(system) });
        }
        scopes
    }
}

/// A sync under way, and where the worker stood when it began.
struct Syncing {
    at: Option<Cursor>,
    task: JoinHandle<bool>,
}

struct Worker<V: View> {
    bay: Bay<V>,
    scope: Scope,
    /// The last batch that was given to its tenant.
    at: Option<Cursor>,
    /// The last that was saved.
    saved: Option<Cursor>,
    /// Tenants that were left behind: for good, or until trouble passes. Their batches are behind the cursor, so they are
    /// saved with it and tried again, now and then and at the next start.
    behind: Vec<TenantId>,
    syncing: Option<Syncing>,
    last_sync: Instant,
    shutdown: watch::Receiver<bool>,
}

impl<V: View> Worker<V> {
    async fn new(bay: Bay<V>, scope: Scope, shutdown: watch::Receiver<bool>) -> Self {
        let Saved { at, stopped } = cursor::load(bay.dir(), V::NAME, &scope, bay.ledger().incarnation());
        let (syncing, last_sync) = (None, Instant::now());
        let mut worker = Self { bay, scope, at, saved: at, behind: stopped, syncing, last_sync, shutdown };
        worker.try_again().await;
        worker
    }

    /// Waits until the shutdown, or for a while; true for the shutdown.
    async fn pause(&self, time: Duration) -> bool {
        tokio::time::timeout(time, stopping(self.shutdown.clone())).await.is_ok()
    }

    async fn follow(&mut self) -> Result<(), ReadError> {
        let mut tail = self.bay.ledger().tail(self.scope.partition, self.at).await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut again = tokio::time::interval(AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut idle, mut not_before) = (false, Instant::now());
        let stop = stopping(self.shutdown.clone());
        tokio::pin!(stop);
        loop {
            // Only the waiting is cut short by a shutdown, never the applying: what was begun is noted in the cursor.
            tokio::select! {
                () = &mut stop => return Ok(()),
                page = gathered(&mut tail, not_before) => {
                    let begun = Instant::now();
                    self.take(page?).await;
                    not_before = Instant::now() + begun.elapsed().clamp(V::GATHER.0, V::GATHER.1);
                    idle = false;
                }
                _ = tick.tick() => {
                    if idle {
                        // Nothing came for a whole tick, so the end was reached.
                        self.bay.note_partition(self.scope.partition, true);
                    }
                    idle = true;
                    self.sync().await;
                }
                _ = again.tick() => self.try_again().await,
            }
        }
    }

    /// Gives each tenant its batches, in order. The order between tenants means nothing.
    async fn take(&mut self, page: Vec<Recorded>) {
        let last = page.last().map(|recorded| recorded.cursor);
        let (groups, recorded_at) = by_tenant(page);
        for (tenant, batches) in groups {
            if self.scope.only.as_ref().is_some_and(|only| *only != tenant) {
                continue;
            }
            if !self.apply(&tenant, batches).await {
                return; // the cursor stays before this page, so the next start takes it again
            }
        }
        self.at = last.or(self.at);
        let age = self.bay.age_seconds(recorded_at);
        let partition = self.scope.partition.to_string();
        metrics::gauge!("promptory_projection_lag_seconds", "view" => V::NAME, "partition" => partition).set(age);
        if age < FRESH_SECONDS {
            // Under steady writes there is never nothing to come: fresh is caught up.
            self.bay.note_partition(self.scope.partition, true);
        }
    }

    /// Applies a tenant's batches. After trouble that does not pass at once the tenant is left behind, visibly, and the
    /// others go on; nothing is skipped, for it catches up from its own checkpoint. False if the shutdown came first.
    async fn apply(&mut self, tenant: &TenantId, batches: Vec<Recorded>) -> bool {
        if self.behind.contains(tenant) {
            return true; // these batches too come with the catching up
        }
        for (tries, pause_ms) in PAUSES_MS.into_iter().enumerate() {
            match self.bay.apply(tenant, batches.clone()).await {
                Ok(()) => {
                    if tries > 0 {
                        self.bay.note_waiting(tenant, None);
                    }
                    return true;
                }
                Err(ShelfError::Stopped(_)) => break,
                Err(error) => {
                    tracing::warn!(%tenant, view = V::NAME, %error, "a tenant's batches could not be applied; trying again");
                    self.bay.note_waiting(tenant, Some(error.to_string()));
                    if self.pause(Duration::from_millis(pause_ms)).await {
                        return false;
                    }
                }
            }
        }
        self.behind.push(tenant.clone());
        self.saved = None; // so that the next tick writes the list
        true
    }

    /// Tries the tenants that were left behind. One that has stopped for good says so at once.
    async fn try_again(&mut self) {
        for tenant in std::mem::take(&mut self.behind) {
            match self.bay.catch_up(&tenant).await {
                Ok(()) => {
                    self.bay.note_waiting(&tenant, None);
                    self.saved = None;
                }
                Err(error) => {
                    let stopped = matches!(error, ShelfError::Stopped(_));
                    self.bay.note_waiting(&tenant, (!stopped).then(|| error.to_string()));
                    self.behind.push(tenant);
                }
            }
        }
    }

    /// Begins to sync what is not synced, beside the applying (a sync takes as long as the disk does), and takes note of
    /// the one that is through.
    async fn sync(&mut self) {
        match &self.syncing {
            Some(syncing) if !syncing.task.is_finished() => {}
            Some(_) => self.finish_sync().await,
            None if self.at.is_some() && self.at != self.saved && self.last_sync.elapsed() >= SYNC_AGE => {
                let (bay, partition) = (self.bay.clone(), self.scope.partition);
                let task = tokio::spawn(async move { bay.sync(partition).await });
                self.syncing = Some(Syncing { at: self.at, task });
                self.last_sync = Instant::now();
            }
            None => {}
        }
    }

    /// Every batch up to where the worker stood when the sync began is durable in its store now: the cursor may say so.
    async fn finish_sync(&mut self) {
        let Some(syncing) = self.syncing.take() else { return };
        if !matches!(syncing.task.await, Ok(true)) {
            return;
        }
        let saved = Saved { at: syncing.at, stopped: self.behind.clone() };
        points::pass(Point::BeforeCursor);
        match cursor::save(self.bay.dir(), V::NAME, &self.scope, &saved) {
            Ok(()) => {
                points::pass(Point::AfterCursor);
                self.saved = syncing.at;
            }
            Err(error) => tracing::warn!(partition = self.scope.partition, %error, "a cursor could not be saved"),
        }
    }

    /// Syncs everything and saves the cursor, at the end.
    async fn sync_last(&mut self) {
        self.finish_sync().await;
        if self.at.is_some() && self.at != self.saved {
            let (bay, partition) = (self.bay.clone(), self.scope.partition);
            let task = tokio::spawn(async move { bay.sync(partition).await });
            self.syncing = Some(Syncing { at: self.at, task });
            self.finish_sync().await;
        }
    }

    fn lost(&mut self, error: &ReadError) {
        tracing::error!(partition = self.scope.partition, view = V::NAME, %error, "a partition can't be followed; trying again");
        metrics::counter!("promptory_projection_tail_errors_total").increment(1);
        if matches!(error, ReadError::Corrupt(_)) {
            // The cursor is only ours. From the beginning again, every tenant finds out for itself what it has and
            // what is missing, and stops where the ledger contradicts it.
            self.at = None;
        }
    }
}

/// The next page, once enough may have come that a few batches share a commit, which costs a store much the same for one
/// as for ten. Nothing is lost if it is dropped.
async fn gathered(tail: &mut Tail, not_before: Instant) -> Result<Vec<Recorded>, ReadError> {
    tokio::time::sleep_until(not_before.into()).await;
    tail.next().await
}

async fn stopping(mut shutdown: watch::Receiver<bool>) {
    drop(shutdown.wait_for(|stop| *stop).await); // an error: the sender is gone, which ends us too
}

/// Batches by tenant, each tenant's in order, and when the last was recorded. One whose header can't be read has no
/// tenant to be stopped for; the ledger takes none such, and the tenant's next batch would show the gap.
fn by_tenant(page: Vec<Recorded>) -> (Vec<(TenantId, Vec<Recorded>)>, Timestamp) {
    let mut groups: Vec<(TenantId, Vec<Recorded>)> = Vec::new();
    let mut recorded_at = Timestamp::MIN;
    for recorded in page {
        let tenant = match Batch::peek(recorded.bytes.clone()) {
            Ok(header) => {
                recorded_at = header.recorded_at;
                header.tenant
            }
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
    (groups, recorded_at)
}

#[cfg(test)]
mod tests;
