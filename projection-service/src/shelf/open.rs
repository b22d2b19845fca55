//! Opening a tenant's store, caught up before it serves; closing it; making room for others.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::slot::{Open, Slot};
use super::{Bay, Pages, ShelfError, Target, to_the_end};
use crate::store::rows::RowError;
use crate::store::{self, OpenError, Store, Use};
use crate::views::View;

/// How long to wait for readers before a store is closed, and how often to look.
const READER_TRIES: u32 = 150;
const READER_PAUSE: Duration = Duration::from_millis(20);

/// Events behind which a store is opened for building first.
const FAR_BEHIND: u64 = 20_000;

impl<V: View> Bay<V> {
    /// The tenant's state and store, opened if need be.
    pub(crate) async fn opened(&self, slot: &Arc<Slot<V>>) -> Result<Arc<Open<V>>, ShelfError> {
        self.touch(slot);
        if let Some(open) = slot.open.load_full() {
            return Ok(open);
        }
        let (bay, slot) = (self.clone(), slot.clone());
        to_the_end(async move {
            let _writing = slot.writer.lock().await;
            bay.open_locked(&slot).await
        })
        .await
    }

    /// The same under the writer's lock. A store that turns out to be unusable is discarded and built again.
    pub(crate) async fn open_locked(&self, slot: &Arc<Slot<V>>) -> Result<Arc<Open<V>>, ShelfError> {
        if let Some(stopped) = slot.stopped() {
            return Err(stopped);
        }
        if let Some(open) = slot.open.load_full() {
            return Ok(open);
        }
        self.make_room(slot).await;
        let (mut store, mut state) = self.verified(slot).await?;
        self.check_against_ledger(slot, &state).await?;
        if self.is_far_behind(slot, &state).await? {
            drop(store);
            (store, state) = self.built(slot).await?;
        }
        let pages = Pages::of(self.source(&slot.tenant), Arc::new(store), state);
        // Subscribe before replay: the worker's batches wait for the lock that is held here, so nothing falls between.
        let (pages, trouble) = pages.catch_up(&self.inner.ledger, Target::Head, |_| {}).await;
        let open = Arc::new(Open { state: pages.state, store: pages.store });
        self.publish(slot, open.clone());
        match trouble {
            None => Ok(open),
            Some(trouble) => Err(self.troubled(slot, trouble).await),
        }
    }

    /// Opens a store again in which a row was not what it should be. Opening verifies it and builds a damaged one again. A
    /// store that is whole stays: the trouble is elsewhere, and building it again for each question would not help.
    pub(super) async fn reopened(
        &self,
        slot: &Arc<Slot<V>>,
        damaged: Weak<Store<V>>,
        error: &RowError,
    ) -> Result<Arc<Open<V>>, ShelfError> {
        tracing::warn!(tenant = %slot.tenant, view = V::NAME, %error, "a store is opened again, to verify it");
        let (bay, place) = (self.clone(), slot.clone());
        to_the_end(async move {
            let _writing = place.writer.lock().await;
            // Somebody else may have met the same damage and repaired it already.
            let open = place.open.load_full().map(|open| Arc::downgrade(&open.store));
            if open.is_some_and(|open| open.ptr_eq(&damaged)) {
                bay.close_locked(&place).await;
            }
            bay.open_locked(&place).await
        })
        .await
    }

    async fn is_far_behind(&self, slot: &Slot<V>, state: &V) -> Result<bool, ShelfError> {
        let head = self.inner.ledger.head(&slot.tenant).await?;
        Ok(head.is_some_and(|head| head.position.index.saturating_sub(state.next()) > FAR_BEHIND))
    }

    /// Catches up with a handle for building, then opens one for serving. What goes wrong on the way is met again by
    /// whoever catches up the rest.
    async fn built(&self, slot: &Slot<V>) -> Result<(Store<V>, V), ShelfError> {
        let unusable = |error: OpenError| ShelfError::Store(error.to_string());
        let (store, state) = self.open_folder(slot, Use::Building).await.map_err(unusable)?;
        tracing::info!(tenant = %slot.tenant, view = V::NAME, from = state.next(), "a store is built from the ledger");
        let pages = Pages::of(self.source(&slot.tenant), Arc::new(store), state);
        let (pages, _) = pages.catch_up(&self.inner.ledger, Target::Head, |_| {}).await;
        let closing = tokio::task::spawn_blocking(move || pages.store.sync());
        closing.await.map_err(|error| ShelfError::Store(error.to_string()))?.map_err(|e| unusable(e.into()))?;
        self.open_folder(slot, Use::Serving).await.map_err(unusable)
    }

    /// A store that is whole and of this life of the ledger: the one that is there, or a new one.
    async fn verified(&self, slot: &Slot<V>) -> Result<(Store<V>, V), ShelfError> {
        let incarnation = self.inner.ledger.incarnation();
        match self.open_folder(slot, Use::Serving).await {
            Ok((_, state)) if state.head().cursor.is_some_and(|cursor| cursor.incarnation != incarnation) => {
                self.discard(slot, "it is of another life of the ledger").await;
            }
            Err(OpenError::Unusable(reason)) => self.discard(slot, &reason).await,
            Err(OpenError::Locked(reason)) => return Err(ShelfError::Store(reason)),
            Ok(opened) => return Ok(opened),
        }
        self.open_folder(slot, Use::Serving).await.map_err(|error| ShelfError::Store(error.to_string()))
    }

    async fn open_folder(&self, slot: &Slot<V>, what_for: Use) -> Result<(Store<V>, V), OpenError> {
        let folder = self.folder(&slot.tenant);
        let opening = tokio::task::spawn_blocking(move || {
            folder.note_used();
            Store::open(&folder.current(), what_for)
        });
        opening.await.unwrap_or_else(|error| Err(OpenError::Unusable(error.to_string())))
    }

    /// A model that is ahead of its ledger, or beside it, shows that the ledger has lost something. That is not healed
    /// by building the model again: it is shown, and the model stays as evidence.
    async fn check_against_ledger(&self, slot: &Slot<V>, state: &V) -> Result<(), ShelfError> {
        let Some(index) = state.head().index else { return Ok(()) };
        match self.inner.ledger.get(&slot.tenant, index).await? {
            Some(recorded) if Some(recorded.cursor) == state.head().cursor => Ok(()),
            Some(_) => Err(slot.stop(format!("the ledger has another batch with event {index} than the model"))),
            None => Err(slot.stop(format!("the ledger ends before event {index}, which the model has"))),
        }
    }

    /// Takes the folder of a store away that is of no use. The next opening builds it again.
    pub(super) async fn discard(&self, slot: &Slot<V>, reason: &str) {
        tracing::warn!(tenant = %slot.tenant, view = V::NAME, %reason, "a store is discarded and built again from the ledger");
        metrics::counter!("promptory_projection_discarded_total", "view" => V::NAME).increment(1);
        let folder = self.folder(&slot.tenant);
        let discarded = tokio::task::spawn_blocking(move || store::discard(&folder.current())).await;
        if !matches!(discarded, Ok(Ok(()))) {
            tracing::error!(tenant = %slot.tenant, view = V::NAME, ?discarded, "its folder could not be moved");
        }
    }

    /// Closes the stores that were used least lately until one more may be open.
    pub(crate) async fn make_room(&self, wanted: &Arc<Slot<V>>) {
        let mut open = self.slots();
        open.retain(|slot| slot.open.load().is_some() && !slot.tenant.is_system());
        open.sort_unstable_by_key(|slot| slot.used.load(Ordering::Relaxed));
        let keep = self.inner.open_max.max(1) - usize::from(!wanted.tenant.is_system());
        let surplus = open.len().saturating_sub(keep);
        for slot in open.into_iter().take(surplus) {
            // One that is being written is in use, whatever its place: the cap may be passed for that long.
            if let Ok(_writing) = slot.writer.try_lock() {
                self.close_locked(&slot).await;
            }
        }
    }

    /// Closes a store, synced, under the writer's lock. Waits a little for readers, who hold it for one answer each.
    pub(crate) async fn close_locked(&self, slot: &Slot<V>) {
        let Some(store) = slot.open.swap(None).map(|open| open.store.clone()) else { return };
        for _ in 0..READER_TRIES {
            if Arc::strong_count(&store) == 1 {
                break;
            }
            tokio::time::sleep(READER_PAUSE).await;
        }
        let closing = tokio::task::spawn_blocking(move || store.sync());
        if let Ok(Err(error)) = closing.await {
            tracing::warn!(tenant = %slot.tenant, view = V::NAME, %error, "a store was closed without a sync");
        }
    }
}
