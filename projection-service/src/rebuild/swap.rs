//! Two stores change places: both at the same event, compared, and under the writer's lock, so that none of the tenant's
//! batches falls between them.

use std::path::Path;
use std::sync::Arc;

use promptory_events::{TenantId, Timestamp};
use tracing::Instrument;

use super::work::Work;
use super::{RebuildError, Report, blocking, failed};
use crate::shelf::bay::Bay;
use crate::shelf::{Open, Pages, Target};
use crate::store::folder::{Previous, Stores};
use crate::store::{OpenError, Share, Store, Use};
use crate::views::View;

impl<V: View> Bay<V> {
    /// Puts a store in the place of the one that is read. That one is kept, and the one that was kept before is taken away.
    /// To its end even if nobody waits any more, as everything that holds a writer's lock.
    pub(super) async fn replaced(
        &self,
        tenant: &TenantId,
        number: u64,
        new: Pages<V>,
        work: &Arc<Work>,
    ) -> Result<Report, RebuildError> {
        let (bay, tenant, work) = (self.clone(), tenant.clone(), work.clone());
        let replacing = async move { bay.replaced_whole(&tenant, number, new, &work).await };
        tokio::spawn(replacing.in_current_span()).await.map_err(failed)?
    }

    async fn replaced_whole(
        &self,
        tenant: &TenantId,
        number: u64,
        new: Pages<V>,
        work: &Work,
    ) -> Result<Report, RebuildError> {
        let slot = self.slot(tenant);
        // Nearly everything is done before the tenant's batches have to wait: what came meanwhile.
        let new = self.filled(new, Target::Head, work).await?;
        let synced = new.store.clone();
        tokio::task::spawn_blocking(move || synced.sync()).await.map_err(failed)?.map_err(failed)?;
        let seconds = work.took().as_secs_f64();
        let (folder, now) = (self.folder(tenant), self.now());
        let writing = slot.writer.lock().await;
        self.turns().go_on()?; // what is being closed is not opened again
        let before = blocking({
            let folder = folder.clone();
            move || Ok(folder.stores())
        });
        let before = before.await?;
        let running = slot.open.load_full().map(|open| (open.store.clone(), open.state.clone()));
        let old = match running {
            Some(running) => Some(running),
            None => {
                self.make_room(&slot).await;
                existing(&folder.path(before.current)).await
            }
        };
        let (new, old) = self.side_by_side(tenant, new.sharing(Share::WHOLE), old, work).await?;
        let kept = old.as_ref().and_then(|old| old.kept(before.current, now));
        let said = Stores { current: number, previous: kept };
        let writes = folder.clone();
        blocking(move || writes.write(&said)).await?;
        let report = Report {
            events: new.state.next(),
            seconds,
            old: old.as_ref().and_then(|old| old.compared.clone()),
            new: new.state.digest(),
        };
        slot.stopped.store(None);
        if report.old.as_ref() != Some(&report.new) {
            slot.forget();
        }
        self.publish(&slot, Arc::new(Open { state: new.state, store: new.store }));
        drop(writing);

        // From here on the new one is in its place, whatever happens.
        self.put_away(tenant, old.map(|old| old.store)).await;
        if report.old.as_ref().is_some_and(|old| *old != report.new) {
            tracing::error!(%tenant, view = V::NAME, "the model that was replaced said something else than the new one");
            metrics::counter!("promptory_projection_differences_total", "view" => V::NAME).increment(1);
        }
        Ok(report)
    }

    /// The store that was replaced is made whole on the disk, and the one that was kept before it is taken away.
    async fn put_away(&self, tenant: &TenantId, old: Option<Arc<Store<V>>>) {
        if let Some(old) = old {
            let synced = tokio::task::spawn_blocking(move || old.sync()).await;
            if !matches!(synced, Ok(Ok(()))) {
                tracing::warn!(%tenant, view = V::NAME, ?synced, "the store that is kept could not be synced");
            }
        }
        let folder = self.folder(tenant);
        if let Err(error) = blocking(move || folder.clear()).await {
            tracing::warn!(%tenant, view = V::NAME, %error, "a store that is of no more use could not be removed");
        }
    }

    /// Brings both to the same event: the old one to the ledger's end, the new one there. A projection that has stopped,
    /// or a store that can't be written, is not compared.
    async fn side_by_side(
        &self,
        tenant: &TenantId,
        new: Pages<V>,
        old: Option<(Arc<Store<V>>, V)>,
        work: &Work,
    ) -> Result<(Pages<V>, Option<Old<V>>), RebuildError> {
        let whole = old.filter(|(_, state)| state.head().index.is_some()); // an empty one says nothing
        let Some((store, state)) = whole else { return Ok((self.filled(new, Target::Head, work).await?, None)) };
        let pages = Pages::of(self.source(tenant), store, state);
        let (pages, trouble) = pages.catch_up(self.ledger(), Target::Head, |_| {}).await;
        let end = pages.state.head().index.filter(|_| trouble.is_none());
        let mut old = Old { store: pages.store, state: pages.state, compared: None };
        let new = match end {
            Some(end) if Some(end) >= new.state.head().index => {
                let new = self.filled(new, Target::Index(end), work).await?;
                old.compared = Some(old.state.digest());
                new
            }
            _ => self.filled(new, Target::Head, work).await?,
        };
        Ok((new, Some(old)))
    }
}

/// The store that is replaced.
struct Old<V: View> {
    store: Arc<Store<V>>,
    state: V,
    /// Its digest at the event of the new one.
    compared: Option<String>,
}

impl<V: View> Old<V> {
    /// How it is kept; not if it is empty.
    fn kept(&self, store: u64, replaced_at: Timestamp) -> Option<Previous> {
        let index = self.state.head().index?;
        Some(Previous { store, replaced_at, index, digest: self.state.digest() })
    }
}

pub(super) async fn open<V: View>(path: &Path, what_for: Use, share: Share) -> Result<(Store<V>, V), OpenError> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || Store::open_beside(&path, what_for, share));
    opening.await.unwrap_or_else(|error| Err(OpenError::Locked(error.to_string())))
}

/// The store that lies in a folder, if it is whole. A missing folder must not come to be by looking for it.
async fn existing<V: View>(path: &Path) -> Option<(Arc<Store<V>>, V)> {
    if !path.exists() {
        return None;
    }
    let opened = open(path, Use::Serving, Share::WHOLE).await;
    opened.ok().map(|(store, state)| (Arc::new(store), state))
}
