//! A tenant's search index on the shelf: open beside its store, as far as it was brought, answered from one state at a time.
//!
//! An index that fails stops alone and visibly: the tenant's catalog goes on, and so does everybody else's search.

mod answer;
mod bring;
mod folders;
pub mod indexer;
mod queue;

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use arc_swap::ArcSwapOption;
use lru::LruCache;
use promptory_events::{Label, Prefix, TenantId, Timestamp, limits};
use tantivy::Searcher;
use tokio::sync::{Semaphore, watch};

use super::{Shelf, ShelfError, Stopped};
use crate::views::search::SearchError;
use crate::views::search::index::{Index, WRITER_MIN_BYTES};
use crate::views::search::universe::Universe;
use folders::Folders;
pub(crate) use queue::Queue;

/// The name of its folder, and in health.
const VIEW: &str = "search";
/// What of a state counts for whom: kept for so many different readers of one state.
const UNIVERSES_MAX: NonZeroUsize = NonZeroUsize::new(16).expect("it is not zero");
/// Former states of one index that are held for later pages.
const HELD_MAX: usize = 64;

/// How searching is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many indexes are written at once, 1 to 4.
    pub writers: usize,
    /// Memory of one of these writers, in bytes; at least [`WRITER_MIN_BYTES`].
    pub writer_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { writers: 2, writer_bytes: 2 * WRITER_MIN_BYTES }
    }
}

/// What the shelf has for all indexes together.
#[derive(Debug)]
pub(super) struct Search {
    pub config: Config,
    pub queue: Arc<Queue>,
    /// As many as there are cores: more searches at once would only take turns, and each answer come later for it.
    at_once: Arc<Semaphore>,
    /// The number of the next state. It begins with the time, so that no two processes give the same.
    states: AtomicU64,
    /// Whether the indexer is to end.
    stopping: AtomicBool,
    /// Tenants that are there: small, and never forgotten.
    places: RwLock<HashMap<TenantId, Arc<SearchSlot>>>,
    /// Those whose index is open, the one that was used last in front.
    open: std::sync::Mutex<LruCache<TenantId, ()>>,
    open_max: usize,
}

impl Search {
    pub(super) fn new(config: Config, open_max: usize, now: Timestamp) -> Self {
        // Room for 4,096 states a microsecond: processes that start at nearly the same moment give other numbers for years.
        let states = AtomicU64::new(now.micros().unsigned_abs() << 12);
        let (queue, stopping, places) = (Arc::default(), AtomicBool::new(false), RwLock::default());
        let open = std::sync::Mutex::new(LruCache::unbounded());
        let at_once = Arc::new(Semaphore::new(thread::available_parallelism().map_or(1, usize::from)));
        Self { config, queue, at_once, states, stopping, places, open, open_max: open_max.max(1) }
    }

    fn place(&self, tenant: &TenantId) -> Arc<SearchSlot> {
        if let Some(place) = self.places.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return place.clone();
        }
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        places.entry(tenant.clone()).or_default().clone()
    }

    /// An index is used: what was not used for longest is let go if there are too many.
    fn used(&self, tenant: &TenantId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.put(tenant.clone(), ());
        let surplus = if open.len() > self.open_max { open.pop_lru() } else { None };
        drop(open);
        if let Some((tenant, ())) = surplus {
            self.place(&tenant).close();
        }
    }

    /// Lets every index go.
    pub(super) fn close(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.places.read().unwrap_or_else(PoisonError::into_inner).values().for_each(|place| place.close());
    }
}

/// A tenant's index on the shelf.
#[derive(Debug)]
pub(crate) struct SearchSlot {
    /// If it is open.
    open: ArcSwapOption<Searchable>,
    /// The event up to which it has everything.
    reached: watch::Sender<Option<u64>>,
    /// Why it can't be brought further, if it can't.
    failed: ArcSwapOption<String>,
    /// Held by whoever opens, writes, closes or replaces it.
    writing: tokio::sync::Mutex<()>,
}

impl Default for SearchSlot {
    fn default() -> Self {
        let (open, failed) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        Self { open, reached: watch::Sender::new(None), failed, writing: tokio::sync::Mutex::new(()) }
    }
}

impl SearchSlot {
    /// Lets the index go, unless it is being written.
    fn close(&self) {
        if let Ok(_writing) = self.writing.try_lock() {
            self.open.store(None);
        }
    }
}

/// An open index and its states.
#[derive(Debug)]
pub(crate) struct Searchable {
    index: Index,
    states: std::sync::Mutex<States>,
}

#[derive(Debug, Default)]
struct States {
    current: Option<Arc<State>>,
    /// Former ones, the oldest first, and until when each is held.
    former: VecDeque<(Timestamp, Arc<State>)>,
    /// Until when the current one is to be held: a page was given that says where the next one goes on.
    until: Option<Timestamp>,
}

/// By label and by where somebody may read.
type Universes = LruCache<(Label, Vec<Prefix>), Arc<Universe>>;

/// A state of an index: what it had after an event.
pub(crate) struct State {
    number: u64,
    /// Up to which event it has everything.
    at: u64,
    searcher: Searcher,
    universes: std::sync::Mutex<Universes>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({} at {})", self.number, self.at)
    }
}

impl State {
    /// What counts for whoever may read below some prefixes.
    fn universe(&self, index: &Index, label: &Label, prefixes: &[Prefix]) -> Result<Arc<Universe>, SearchError> {
        let key = (label.clone(), prefixes.to_vec());
        let known = self.universes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(universe) = known {
            return Ok(universe);
        }
        // Two may make it at once; both make the same.
        let universe = Arc::new(Universe::of(&self.searcher, index.fields(), label.as_str(), prefixes)?);
        self.universes.lock().unwrap_or_else(PoisonError::into_inner).put(key, universe.clone());
        Ok(universe)
    }
}

impl Searchable {
    /// The index as it was opened: as far as its checkpoint says.
    fn new(index: Index, at: Option<u64>, number: u64) -> Self {
        let searchable = Self { index, states: std::sync::Mutex::default() };
        if let Some(at) = at {
            searchable.swap(at, number, Timestamp::MIN);
        }
        searchable
    }

    fn at(&self) -> Option<u64> {
        self.states().current.as_ref().map(|state| state.at)
    }

    fn current(&self) -> Option<Arc<State>> {
        self.states().current.clone()
    }

    /// The state of a page before, if it is still held.
    fn held(&self, number: u64, now: Timestamp) -> Option<Arc<State>> {
        let states = self.states();
        let former = states.former.iter().filter(|(until, _)| *until >= now).map(|(_, state)| state);
        let current = states.current.iter().filter(|_| states.until.is_some_and(|until| until >= now));
        current.chain(former).find(|state| state.number == number).cloned()
    }

    /// A page was given that says where the next one goes on: its state is held for a while.
    fn hold(&self, state: &State, now: Timestamp) {
        let until = Timestamp::from_micros(
            now.micros().saturating_add(i64::try_from(limits::SEARCH_HOLD_MS).unwrap_or(i64::MAX).saturating_mul(1000)),
        );
        let mut states = self.states();
        if states.current.as_ref().is_some_and(|current| current.number == state.number) {
            states.until = Some(until);
        } else if let Some(former) = states.former.iter_mut().find(|(_, former)| former.number == state.number) {
            former.0 = until;
        }
    }

    /// What was committed is the current state from now on.
    fn swap(&self, at: u64, number: u64, now: Timestamp) {
        let universes = std::sync::Mutex::new(LruCache::new(UNIVERSES_MAX));
        let state = Arc::new(State { number, at, searcher: self.index.searcher(), universes });
        let mut states = self.states();
        states.former.retain(|(until, _)| *until >= now);
        let until = states.until.take();
        if let (Some(before), Some(until)) = (states.current.replace(state), until) {
            states.former.push_back((until, before));
        }
        if states.former.len() > HELD_MAX {
            states.former.pop_front();
        }
    }

    fn states(&self) -> std::sync::MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Where a tenant's index is.
    fn index_folders(&self, tenant: &TenantId) -> Folders {
        Folders::below(&self.catalog().dir().join(tenant.as_str()))
    }

    /// Tenants whose index can't be brought further now.
    pub(super) fn search_stopped(&self) -> Vec<Stopped> {
        let places = self.inner.search.places.read().unwrap_or_else(PoisonError::into_inner);
        let stopped = |(tenant, place): (&TenantId, &Arc<SearchSlot>)| {
            let reason = place.failed.load_full()?.to_string();
            Some(Stopped { tenant: tenant.clone(), view: VIEW.to_owned(), reason })
        };
        places.iter().filter_map(stopped).collect()
    }

    /// The tenant's index, opened if need be.
    async fn searchable(&self, tenant: &TenantId) -> Result<Arc<Searchable>, ShelfError> {
        let place = self.inner.search.place(tenant);
        if let Some(open) = place.open.load_full() {
            self.inner.search.used(tenant);
            return Ok(open);
        }
        let (shelf, tenant) = (self.clone(), tenant.clone());
        super::to_the_end(async move {
            let _writing = place.writing.lock().await;
            shelf.searchable_locked(&tenant, &place).await
        })
        .await
    }

    /// The same under the index's lock.
    async fn searchable_locked(&self, tenant: &TenantId, place: &SearchSlot) -> Result<Arc<Searchable>, ShelfError> {
        self.inner.search.used(tenant);
        if let Some(open) = place.open.load_full() {
            return Ok(open);
        }
        let languages = self.catalog().opened(&self.catalog().slot(tenant)).await?.state.languages;
        let (folders, incarnation) = (self.index_folders(tenant), self.inner.ledger.incarnation());
        let opening = tokio::task::spawn_blocking(move || folders.open(languages, incarnation));
        let opened = opening.await.map_err(|error| ShelfError::Store(error.to_string()))?;
        let (index, at) = opened.map_err(|error| ShelfError::Store(error.to_string()))?;
        let open = Arc::new(Searchable::new(index, at, self.next_state()));
        place.open.store(Some(open.clone()));
        place.reached.send_replace(at);
        Ok(open)
    }

    fn next_state(&self) -> u64 {
        self.inner.search.states.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
