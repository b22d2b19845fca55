//! A tenant's place on the shelf: its store if it is open, its announced position, and whether it has stopped.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwapOption;
use promptory_events::{Position, TenantId};
use tokio::sync::{Mutex, watch};

use super::ShelfError;
use super::search::SearchSlot;
use crate::hot::Hot;
use crate::hot::shown::LastShown;
use crate::store::Store;
use crate::views::catalog::answer::position;

pub(crate) struct Slot {
    /// Names the tenant inside this process, shorter than its id does.
    pub number: u64,
    pub tenant: TenantId,
    /// The state and the store, swapped together after each commit.
    pub open: ArcSwapOption<Open>,
    /// When it was used last, counted in uses of the shelf.
    pub used: AtomicU64,
    /// When its keys were last shown by readers.
    pub shown: LastShown,
    pub position: watch::Sender<Option<Position>>,
    /// Held by whoever opens, writes, closes or replaces the store.
    pub writer: Mutex<()>,
    /// Why the projection has stopped, if it has.
    pub stopped: ArcSwapOption<String>,
    /// Its search index.
    pub search: SearchSlot,
}

/// What is announced of a tenant: its current state, and a store that is at least as far.
#[derive(Debug)]
pub(crate) struct Open {
    pub hot: Hot,
    pub store: Arc<Store>,
}

impl Open {
    pub(crate) fn position(&self) -> Option<Position> {
        self.hot.index.and_then(|index| position(&self.hot, index))
    }
}

impl Slot {
    pub(crate) fn new(number: u64, tenant: TenantId) -> Self {
        let (open, stopped) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        let (position, writer) = (watch::Sender::new(None), Mutex::new(()));
        let (used, shown, search) = (AtomicU64::new(0), LastShown::default(), SearchSlot::new());
        Self { number, tenant, open, used, shown, position, writer, stopped, search }
    }

    /// Stops the tenant's projection, for everybody to see. Its model stays as it is; the others go on.
    pub(crate) fn stop(&self, reason: String) -> ShelfError {
        tracing::error!(tenant = %self.tenant, %reason, "a tenant's projection has stopped");
        metrics::counter!("promptory_projection_stops_total").increment(1);
        self.stopped.store(Some(Arc::new(reason.clone())));
        ShelfError::Stopped(reason)
    }

    pub(crate) fn stopped(&self) -> Option<ShelfError> {
        self.stopped.load().as_deref().map(|reason| ShelfError::Stopped(reason.clone()))
    }
}
