//! The stores this process has open, a bay for each view: on demand, capped, caught up before they answer.

mod analytics;
mod answer;
mod audit;
pub(crate) mod bay;
mod catch_up;
mod degraded;
mod denied;
mod fast;
mod guards;
mod health;
mod insight;
mod open;
mod ready;
pub mod search;
mod slot;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use promptory_events::{Position, TenantId};
use promptory_identity::Identity;
use promptory_ledger::{KeyStore, Ledger, ReadError};
use promptory_platform::{Attestor, Clock};
use tokio::sync::watch;
use tracing::Instrument;

use crate::analytics::Analytics;
use crate::hot::Hot;
use crate::hot::opened::OpenedCache;
use crate::hot::past::PastCache;
use crate::rebuild::work::Turns;
use crate::views::audit::Audit;
pub(crate) use bay::Bay;
pub(crate) use catch_up::{Pages, Target};
pub use fast::HotReply;
pub use guards::Watch;
pub use health::{Health, Stopped};
use ready::Ready;
pub(crate) use slot::Open;
use slot::Slot;

/// How long stores are kept that are not read any more, unless somebody says otherwise.
pub const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// How a shelf is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds a folder for each tenant. One process at a time.
    pub dir: PathBuf,
    /// How many stores of each view may be open at once (at least 1), `_system` not counted: its catalog is always open.
    pub open_max: usize,
    /// Memory for opened answers, of all tenants together, in bytes.
    pub cache_bytes: u64,
    /// The clock: how far a model is behind is told in time.
    pub clock: Clock,
    /// How issuers of tokens are reached.
    pub identity: promptory_identity::Config,
    /// How searching is set up.
    pub search: search::Config,
    /// How long stores are kept that are not read any more: those that were replaced, and those of other formats.
    pub keep: Duration,
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
    ready: Arc<Ready>,
    past: PastCache,
    catalog: Bay<Hot>,
    search: search::Search,
    audit: Bay<Audit>,
    /// `_system` in the catalog: it says which tenants are suspended.
    system: Arc<Slot<Hot>>,
    /// Where denied questions are recorded.
    attestor: OnceLock<Attestor>,
    /// What is counted of usage.
    analytics: OnceLock<Analytics>,
    /// Rebuilds take turns.
    turns: Arc<Turns>,
    /// Partitions that this process is to answer other processes for, and does not listen for yet.
    unheard: Mutex<BTreeSet<u16>>,
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
        let turns = Arc::new(Turns::default());
        let catalog = Bay::new(&config, ledger.clone(), turns.clone());
        let audit = Bay::new(&config, ledger.clone(), turns.clone());
        let system = catalog.slot(&TenantId::system());
        let ready = Arc::new(Ready::new(OpenedCache::new(config.cache_bytes), keys.clone()));
        let (identity, attestor) = (Identity::new(config.identity, keys.clone()), OnceLock::new());
        let past = PastCache::default();
        let search = search::Search::new(config.search, config.open_max, config.clock.now());
        catalog.tell(search.queue.clone());
        let shown = ready.clone();
        catalog.show(Box::new(move |applied| shown.before(applied)));
        let analytics = OnceLock::new();
        let inner = Inner {
            config,
            ledger,
            keys,
            identity,
            ready,
            past,
            catalog,
            search,
            audit,
            system,
            attestor,
            analytics,
            turns,
            unheard: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Records denied questions at a port from now on. Once only.
    pub fn attest_to(&self, attestor: Attestor) {
        let _ = self.inner.attestor.set(attestor);
    }

    /// The catalog's stores.
    pub(crate) fn catalog(&self) -> &Bay<Hot> {
        &self.inner.catalog
    }

    /// The audit view's stores.
    pub(crate) fn audit(&self) -> &Bay<Audit> {
        &self.inner.audit
    }

    /// The ledger that the models are made from.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// A tenant's position as its catalog announces it: after the commit and after the swap, so whoever asks then sees it.
    /// `None` as long as no store of the tenant was open. To be called for a tenant that has been let in.
    #[must_use]
    pub fn follow(&self, tenant: &TenantId) -> watch::Receiver<Option<Position>> {
        self.catalog().slot(tenant).position.subscribe()
    }

    /// Closes every store, synced. For an orderly end; without it the next start catches up a little more.
    pub async fn close(&self) {
        self.inner.turns.end().await;
        self.inner.search.close();
        self.catalog().close().await;
        self.audit().close().await;
        if let Some(analytics) = self.inner.analytics.get() {
            analytics.close().await;
        }
    }
}

#[cfg(test)]
mod alone;
#[cfg(test)]
mod tests;
