//! The stores this process has open: on demand, capped, caught up before they answer.
//!
//! A tenant's store has one writer at a time, who folds, commits, swaps the state and then announces. Readers take the
//! state and the store as they are and never wait for the writer.

mod answer;
mod catch_up;
mod denied;
mod fast;
mod health;
mod open;
pub mod search;
mod slot;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use promptory_events::{Position, TenantId, partition};
use promptory_identity::Identity;
use promptory_ledger::{KeyStore, Ledger, ReadError, Recorded};
use promptory_platform::{Attestor, Clock};
use tokio::sync::watch;
use tracing::Instrument;

use crate::hot::opened::OpenedCache;
use crate::hot::past::PastCache;
use crate::views::catalog::{Broken, Source};
use catch_up::Trouble;
pub(crate) use catch_up::{Pages, Target};
pub use fast::HotReply;
pub use health::{Health, Stopped};
use slot::{Open, Slot};

/// How a shelf is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds a folder for each tenant. One process at a time.
    pub dir: PathBuf,
    /// How many stores may be open at once (at least 1), `_system` not counted: it is always open.
    pub open_max: usize,
    /// Memory for opened answers, of all tenants together, in bytes.
    pub cache_bytes: u64,
    /// The clock: how far a model is behind is told in time.
    pub clock: Clock,
    /// How issuers of tokens are reached.
    pub identity: promptory_identity::Config,
    /// How searching is set up.
    pub search: search::Config,
}

/// The stores of this process. Clones are the same shelf.
#[derive(Clone)]
pub struct Shelf {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    ledger: Ledger,
    keys: KeyStore,
    identity: Identity,
    opened: OpenedCache,
    past: PastCache,
    system: Arc<Slot>,
    search: search::Search,
    /// Tenants that are there: small, and never forgotten, so that followers stay connected when a store is closed.
    slots: RwLock<HashMap<TenantId, Arc<Slot>>>,
    /// Counts uses, to tell which store was used last.
    uses: AtomicU64,
    /// Partitions by number: whether the worker has reached the end once.
    caught_up: Mutex<HashMap<u16, bool>>,
    /// Tenants whose batches wait because of trouble that may pass, and the trouble.
    waiting: Mutex<BTreeMap<TenantId, String>>,
    /// Where denied questions are recorded.
    attestor: OnceLock<Attestor>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shelf({})", self.inner.config.dir.display())
    }
}

/// Runs work that holds a writer's lock to its end, even if nobody waits for it any more: dropped half-way it would let
/// the lock go while a commit is still running on another thread.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ShelfError>> + Send + 'static,
) -> Result<T, ShelfError> {
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| Err(ShelfError::Store(error.to_string())))
}

/// Why a tenant's model can't be used now.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Its ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// Its projection has stopped at a batch that can't be folded.
    #[error("the projection has stopped: {0}")]
    Stopped(String),
    /// Its store can't be used.
    #[error("the store can't be used: {0}")]
    Store(String),
}

impl Shelf {
    /// A shelf with nothing open.
    #[must_use]
    pub fn new(config: Config, ledger: Ledger, keys: KeyStore) -> Self {
        let system = Arc::new(Slot::new(0, TenantId::system()));
        let slots = RwLock::new(HashMap::from([(TenantId::system(), system.clone())]));
        let opened = OpenedCache::new(config.cache_bytes);
        let (uses, caught_up, waiting) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        let search = search::Search::new(config.search, config.clock.now());
        let (identity, attestor) = (Identity::new(config.identity, keys.clone()), OnceLock::new());
        let past = PastCache::default();
        let inner = Inner {
            config,
            ledger,
            keys,
            identity,
            opened,
            past,
            system,
            search,
            slots,
            uses,
            caught_up,
            waiting,
            attestor,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Records denied questions at a port from now on. Once only.
    pub fn attest_to(&self, attestor: Attestor) {
        let _ = self.inner.attestor.set(attestor);
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.inner.config.dir
    }

    /// The ledger that the models are made from.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// A tenant's position as it is announced: after the commit and after the swap, so whoever asks then sees it.
    /// `None` as long as no store of the tenant was open. To be called for a tenant that has been let in.
    #[must_use]
    pub fn follow(&self, tenant: &TenantId) -> watch::Receiver<Option<Position>> {
        self.slot(tenant).position.subscribe()
    }

    /// Applies a tenant's batches: fold, commit with checkpoint, swap, announce, in this order. Batches that are applied
    /// already are skipped; missing ones are fetched from the ledger first. What can't be folded stops this tenant.
    /// Takes the thread for some milliseconds.
    ///
    /// # Errors
    /// The tenant has stopped; the ledger or the store can't be used now.
    pub async fn apply(&self, tenant: &TenantId, page: Vec<Recorded>) -> Result<(), ShelfError> {
        let (shelf, slot) = (self.clone(), self.slot(tenant));
        to_the_end(async move { shelf.apply_whole(slot, page).await }).await
    }

    /// Brings a tenant that was left waiting to the end of its ledger.
    ///
    /// # Errors
    /// As [`Shelf::apply`].
    pub(crate) async fn catch_up(&self, tenant: &TenantId) -> Result<(), ShelfError> {
        let (shelf, slot) = (self.clone(), self.slot(tenant));
        to_the_end(async move {
            let _writing = slot.writer.lock().await;
            let open = shelf.open_locked(&slot).await?;
            let pages = Pages::of(shelf.source(&slot.tenant), open.store.clone(), open.hot.clone());
            drop(open);
            shelf.close_gap(&slot, pages).await
        })
        .await
    }

    async fn apply_whole(&self, slot: Arc<Slot>, page: Vec<Recorded>) -> Result<(), ShelfError> {
        let _writing = slot.writer.lock().await;
        let open = self.open_locked(&slot).await?;
        let pages = Pages::of(self.source(&slot.tenant), open.store.clone(), open.hot.clone());
        let (pages, trouble) = pages.live().fold(&page);
        drop(open);
        self.publish(&slot, Arc::new(Open { hot: pages.hot.clone(), store: pages.store.clone() }));
        match trouble {
            None => Ok(()),
            Some(Trouble::Broken(Broken::Gap { .. })) => self.close_gap(&slot, pages).await,
            Some(trouble) => Err(self.troubled(&slot, trouble).await),
        }
    }

    /// The batch that came is not the next one: the ledger has those between, or the tenant stops.
    async fn close_gap(&self, slot: &Arc<Slot>, pages: Pages) -> Result<(), ShelfError> {
        let (pages, trouble) = pages.catch_up(&self.inner.ledger, Target::Head, |_| {}).await;
        self.publish(slot, Arc::new(Open { hot: pages.hot, store: pages.store }));
        match trouble {
            None => Ok(()),
            Some(trouble) => Err(self.troubled(slot, trouble).await),
        }
    }

    /// Swap, then announce: whoever is woken finds what was announced.
    fn publish(&self, slot: &Slot, open: Arc<Open>) {
        let position = open.position();
        slot.open.store(Some(open));
        slot.position.send_if_modified(|announced| {
            let changed = *announced != position;
            *announced = position;
            changed
        });
        // The index follows the catalog; that of `_system` has nothing to search for.
        if slot.search.behind(position) && !slot.tenant.is_system() {
            self.inner.search.queue.note(&slot.tenant, slot.search.brought());
        }
    }

    /// Takes note of trouble under the writer's lock: what is broken stops the tenant; a store that failed is closed, and
    /// its next opening verifies whether it is whole.
    async fn troubled(&self, slot: &Arc<Slot>, trouble: Trouble) -> ShelfError {
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
    pub async fn sync(&self, partition: u16) -> bool {
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
    pub async fn close(&self) {
        let shelf = self.clone();
        let closed = to_the_end(async move {
            for slot in shelf.slots() {
                let _writing = slot.writer.lock().await;
                shelf.close_locked(&slot).await;
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

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.inner.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn known_slot(&self, tenant: &TenantId) -> Option<Arc<Slot>> {
        self.inner.slots.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    pub(crate) fn slot(&self, tenant: &TenantId) -> Arc<Slot> {
        if let Some(slot) = self.known_slot(tenant) {
            return slot;
        }
        let mut slots = self.inner.slots.write().unwrap_or_else(PoisonError::into_inner);
        let number = slots.len() as u64; // slots are never removed, so it is new
        slots.entry(tenant.clone()).or_insert_with(|| Arc::new(Slot::new(number, tenant.clone()))).clone()
    }

    fn touch(&self, slot: &Slot) {
        slot.used.store(self.inner.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
