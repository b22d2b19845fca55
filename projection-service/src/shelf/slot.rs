//! A tenant's place in a bay of the shelf: its store if it is open, its announced position, and whether it has stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use promptory_events::{Position, TenantId};
use tokio::sync::{Mutex, watch};

use super::ShelfError;
use crate::check::Check;
use crate::hot::shown::LastShown;
use crate::rebuild::work::LastWork;
use crate::store::Store;
use crate::views::View;

pub(crate) struct Slot<V> {
    /// Names the tenant inside this process, shorter than its id does, and what was read of it: see [`Slot::forget`].
    number: AtomicU64,
    pub tenant: TenantId,
    /// The state and the store, swapped together after each commit.
    pub open: ArcSwapOption<Open<V>>,
    /// When it was used last, counted in uses of the shelf.
    pub used: AtomicU64,
    /// When its keys were last shown by readers (in the catalog).
    pub shown: LastShown,
    pub position: watch::Sender<Option<Position>>,
    /// Held by whoever opens, writes, closes or replaces the store.
    pub writer: Mutex<()>,
    /// Why the projection has stopped, if it has.
    pub stopped: ArcSwapOption<String>,
    /// The last rebuild or rollback.
    pub work: LastWork,
    /// What the last check found.
    pub checked: ArcSwapOption<Check>,
    /// Held by whoever checks.
    pub checking: Mutex<()>,
}

/// What is announced of a tenant: its current state, and a store that is at least as far.
#[derive(Debug)]
pub(crate) struct Open<V> {
    pub state: V,
    pub store: Arc<Store<V>>,
}

impl<V: View> Open<V> {
    pub(crate) fn position(&self) -> Option<Position> {
        self.state.position()
    }
}

impl<V: View> Slot<V> {
    pub(crate) fn new(number: u64, tenant: TenantId) -> Self {
        Self {
            number: AtomicU64::new(number),
            tenant,
            open: ArcSwapOption::empty(),
            used: AtomicU64::new(0),
            shown: LastShown::default(),
            position: watch::Sender::new(None),
            writer: Mutex::new(()),
            stopped: ArcSwapOption::empty(),
            work: LastWork::default(),
            checked: ArcSwapOption::empty(),
            checking: Mutex::new(()),
        }
    }

    /// What is remembered of the tenant's answers is remembered under this number.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Nothing that was read before counts any more: the store says something else from now on.
    pub(crate) fn forget(&self) {
        self.number.fetch_add(1 << 32, Ordering::Relaxed); // tenants are numbered below
    }

    /// Stops this view of the tenant, for everybody to see. It stays as it is; other views and other tenants go on.
    pub(crate) fn stop(&self, reason: String) -> ShelfError {
        tracing::error!(tenant = %self.tenant, view = V::NAME, %reason, "a tenant's projection has stopped");
        metrics::counter!("promptory_projection_stops_total", "view" => V::NAME).increment(1);
        self.stopped.store(Some(Arc::new(reason.clone())));
        ShelfError::Stopped(reason)
    }

    pub(crate) fn stopped(&self) -> Option<ShelfError> {
        self.stopped.load().as_deref().map(|reason| ShelfError::Stopped(reason.clone()))
    }
}
