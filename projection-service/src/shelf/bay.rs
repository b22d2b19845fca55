//! A part of the shelf: the stores of one view, one for each tenant, open on demand and capped.
//!
//! A store has one writer at a time, who folds, commits, swaps the state and then announces. Readers take the state and the
//! store as they are and never wait for the writer.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use promptory_events::{TenantId, Timestamp, partition};
use promptory_ledger::{Ledger, ReadError, Recorded};
use promptory_platform::Clock;

use super::catch_up::{Pages, Target, Trouble};
use super::ready::Applied;
use super::search::Queue;
use super::slot::{Open, Slot};
use super::{Config, ShelfError, to_the_end};
use crate::points::{self, Point};
use crate::rebuild::work::Turns;
use crate::store::folder::Folder;
use crate::views::View;
use crate::views::fold::{Broken, Source};

/// Is shown each page that was applied, before everybody sees what it says.
pub(super) type Shown<V> = Box<dyn Fn(&Applied<'_, V>) + Send + Sync>;

/// The stores of one view. Clones are the same.
#[derive(Clone)]
pub struct Bay<V: View> {
    pub(super) inner: Arc<Inner<V>>,
}

pub(super) struct Inner<V: View> {
    /// The folder that holds a folder for each tenant.
    pub(super) dir: PathBuf,
    /// How many stores may be open at once, `_system` not counted.
    pub(super) open_max: usize,
    pub(super) clock: Clock,
    pub(super) ledger: Ledger,
    /// Tenants that are there: small, and never forgotten, so that followers stay connected when a store is closed.
    slots: RwLock<HashMap<TenantId, Arc<Slot<V>>>>,
    /// Counts uses, to tell which store was used last.
    uses: AtomicU64,
    /// Partitions by number: whether the worker has reached the end once.
    pub(super) caught_up: Mutex<HashMap<u16, bool>>,
    /// Tenants whose batches wait because of trouble that may pass, and the trouble.
    pub(super) waiting: Mutex<BTreeMap<TenantId, String>>,
    /// Who is told that a tenant has moved.
    told: OnceLock<Arc<Queue>>,
    /// Who is shown each page that was applied.
    shown: OnceLock<Shown<V>>,
    /// How long stores that are not read any more are kept.
    keep: Duration,
    /// Rebuilds of all views take turns.
    turns: Arc<Turns>,
}

impl<V: View> std::fmt::Debug for Bay<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bay({} in {})", V::NAME, self.inner.dir.display())
    }
}

impl<V: View> Bay<V> {
    pub(super) fn new(config: &Config, ledger: Ledger, turns: Arc<Turns>) -> Self {
        let inner = Inner {
            dir: config.dir.clone(),
            open_max: config.open_max,
            clock: config.clock.clone(),
            ledger,
            slots: RwLock::default(),
            uses: AtomicU64::new(0),
            caught_up: Mutex::default(),
            waiting: Mutex::default(),
            told: OnceLock::new(),
            shown: OnceLock::new(),
            keep: config.keep,
            turns,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The stores of another view on the same folder and ledger.
    #[cfg(test)]
    pub(crate) fn like<W: View>(other: &Bay<W>) -> Self {
        let inner = Inner {
            dir: other.inner.dir.clone(),
            open_max: other.inner.open_max,
            clock: other.inner.clock.clone(),
            ledger: other.inner.ledger.clone(),
            slots: RwLock::default(),
            uses: AtomicU64::new(0),
            caught_up: Mutex::default(),
            waiting: Mutex::default(),
            told: OnceLock::new(),
            shown: OnceLock::new(),
            keep: other.inner.keep,
            turns: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Tells a queue from now on which tenants have moved. Once only.
    pub(super) fn tell(&self, queue: Arc<Queue>) {
        let _ = self.inner.told.set(queue);
    }

    /// Shows somebody each page that is applied from now on. Once only.
    pub(super) fn show(&self, shown: Shown<V>) {
        let _ = self.inner.shown.set(shown);
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.inner.dir
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// How long stores that are not read any more are kept.
    pub(crate) fn keep(&self) -> Duration {
        self.inner.keep
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.inner.turns
    }

    /// Where a tenant's stores lie.
    pub(crate) fn folder(&self, tenant: &TenantId) -> Folder {
        Folder::of::<V>(&self.inner.dir, tenant)
    }

    /// Applies a tenant's batches: fold, commit with checkpoint, show, swap, announce, in this order. Batches that are applied
    /// already are skipped; missing ones are fetched from the ledger first. What can't be folded stops this
    /// view of the tenant. Takes the thread for some milliseconds.
    ///
    /// # Errors
    /// The tenant has stopped; the ledger or the store can't be used now.
    pub(crate) async fn apply(&self, tenant: &TenantId, page: Vec<Recorded>) -> Result<(), ShelfError> {
        let (bay, slot) = (self.clone(), self.slot(tenant));
        to_the_end(async move { bay.apply_whole(slot, page).await }).await
    }

    /// Brings a tenant that was left waiting to the end of its ledger.
    ///
    /// # Errors
    /// As [`Bay::apply`].
    pub(crate) async fn catch_up(&self, tenant: &TenantId) -> Result<(), ShelfError> {
        let (bay, slot) = (self.clone(), self.slot(tenant));
        to_the_end(async move {
            let _writing = slot.writer.lock().await;
            let open = bay.open_locked(&slot).await?;
            let pages = Pages::of(bay.source(&slot.tenant), open.store.clone(), open.state.clone());
            drop(open);
            bay.close_gap(&slot, pages).await
        })
        .await
    }

    async fn apply_whole(&self, slot: Arc<Slot<V>>, page: Vec<Recorded>) -> Result<(), ShelfError> {
        let _writing = slot.writer.lock().await;
        let open = self.open_locked(&slot).await?;
        let pages = Pages::of(self.source(&slot.tenant), open.store.clone(), open.state.clone());
        let (pages, touched, trouble) = pages.live().fold(&page);
        let now = Arc::new(Open { state: pages.state.clone(), store: pages.store.clone() });
        if let Some(shown) = self.inner.shown.get() {
            shown(&Applied { slot: &slot, before: &open, now: &now, touched: &touched });
        }
        self.publish(&slot, now);
        match trouble {
            None => Ok(()),
            Some(Trouble::Broken(Broken::Gap { .. })) => self.close_gap(&slot, pages).await,
            Some(trouble) => Err(self.troubled(&slot, trouble).await),
        }
    }

    /// The batch that came is not the next one: the ledger has those between, or the tenant stops.
    async fn close_gap(&self, slot: &Arc<Slot<V>>, pages: Pages<V>) -> Result<(), ShelfError> {
        let (pages, trouble) = pages.catch_up(&self.inner.ledger, Target::Head, |_| {}).await;
        self.publish(slot, Arc::new(Open { state: pages.state, store: pages.store }));
        match trouble {
            None => Ok(()),
            Some(trouble) => Err(self.troubled(slot, trouble).await),
        }
    }

    /// The time, by this machine's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    #[cfg(test)]
    pub(crate) fn publish_for_test(&self, slot: &Slot<V>, state: V, store: Arc<crate::store::Store<V>>) {
        self.publish(slot, Arc::new(Open { state, store }));
    }

    /// Swap, then announce: whoever is woken finds what was announced.
    pub(crate) fn publish(&self, slot: &Slot<V>, open: Arc<Open<V>>) {
        let position = open.position();
        points::pass(Point::BeforeSwap);
        slot.open.store(Some(open));
        points::pass(Point::BeforeAnnounce);
        let moved = slot.position.send_if_modified(|announced| {
            let changed = *announced != position;
            *announced = position;
            changed
        });
        if let Some(queue) = self.inner.told.get().filter(|_| moved && !slot.tenant.is_system()) {
            queue.note(&slot.tenant);
        }
    }

    /// Takes note of trouble under the writer's lock: what is broken stops this view of the tenant; a store that failed is
    /// closed, and its next opening verifies whether it is whole.
    pub(super) async fn troubled(&self, slot: &Arc<Slot<V>>, trouble: Trouble) -> ShelfError {
        match trouble {
            Trouble::Ledger(ReadError::Corrupt(reason)) => slot.stop(reason),
            Trouble::Broken(broken) => slot.stop(broken.to_string()),
            Trouble::Ledger(error) => ShelfError::Ledger(error),
            Trouble::Row(error) => {
                self.close_locked(slot).await;
                ShelfError::Store(error.to_string())
            }
        }
    }

    /// Syncs the stores of a partition that have unsynced rows. True if all are on disk as they were when this began.
    pub(crate) async fn sync(&self, partition: u16) -> bool {
        let count = self.inner.ledger.partitions();
        let mut clean = true;
        for slot in self.slots().into_iter().filter(|slot| partition::of(&slot.tenant, count) == partition) {
            let Some(store) = slot.open.load_full().map(|open| open.store.clone()) else { continue };
            if !store.is_dirty() {
                continue;
            }
            let synced = tokio::task::spawn_blocking(move || store.sync()).await;
            if !matches!(synced, Ok(Ok(()))) {
                tracing::warn!(tenant = %slot.tenant, ?synced, "a store could not be synced");
                clean = false;
            }
        }
        clean
    }

    /// Closes every store, synced. For an orderly end; without it the next start catches up a little more.
    pub(crate) async fn close(&self) {
        let bay = self.clone();
        let closed = to_the_end(async move {
            for slot in bay.slots() {
                let _writing = slot.writer.lock().await;
                bay.close_locked(&slot).await;
            }
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::warn!(%error, "the stores were not all closed");
        }
    }

    pub(crate) fn source(&self, tenant: &TenantId) -> Source {
        Source { tenant: tenant.clone(), incarnation: self.inner.ledger.incarnation() }
    }

    pub(crate) fn slots(&self) -> Vec<Arc<Slot<V>>> {
        self.inner.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn known_slot(&self, tenant: &TenantId) -> Option<Arc<Slot<V>>> {
        self.inner.slots.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    pub(crate) fn slot(&self, tenant: &TenantId) -> Arc<Slot<V>> {
        if let Some(slot) = self.known_slot(tenant) {
            return slot;
        }
        let mut slots = self.inner.slots.write().unwrap_or_else(PoisonError::into_inner);
        let number = slots.len() as u64; // slots are never removed, so it is new
        slots.entry(tenant.clone()).or_insert_with(|| Arc::new(Slot::new(number, tenant.clone()))).clone()
    }

    pub(super) fn touch(&self, slot: &Slot<V>) {
        slot.used.store(self.inner.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}
