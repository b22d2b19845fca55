//! The same store again, beside the running one, from the ledger alone; compared by digest and then put in its place.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use promptory_events::TenantId;
use promptory_ledger::ReadError;
use serde::Serialize;

use crate::shelf::bay::Bay;
use crate::shelf::{Pages, Shelf, Target};
use crate::store::{Store, Use, discard, sibling};
use crate::views::{Name, View};

/// What a rebuild led to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Events folded.
    pub events: u64,
    /// How long that took, in seconds, without closing and swapping.
    pub seconds: f64,
    /// The model digest of the store that was there, at the same event; `None` if none was, or none that is whole.
    pub old: Option<String>,
    /// The model digest of the new one. If it differs, the old model did not say what the ledger says.
    pub new: String,
}

/// Why a rebuild did not come to its end. The store that was there is untouched.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such tenant.
    #[error("the tenant {0} has no ledger")]
    UnknownTenant(TenantId),
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// A store can't be written, or folding met a batch that can't be folded.
    #[error("the model could not be built: {0}")]
    Build(String),
    /// A folder could not be moved.
    #[error("the stores could not be swapped: {0}")]
    Swap(#[from] std::io::Error),
}

impl Shelf {
    /// Builds a view of a tenant anew while the old one serves, and swaps them. `progress` is told (events done, total).
    /// Also the way back for one that has stopped, once the cause is gone.
    ///
    /// # Errors
    /// The old store stays in place with each of them.
    pub async fn rebuild(
        &self,
        tenant: &TenantId,
        view: Name,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Report, RebuildError> {
        match view {
            Name::Catalog => self.catalog().rebuild(tenant, progress).await,
            Name::Audit => self.audit().rebuild(tenant, progress).await,
        }
    }
}

impl<V: View> Bay<V> {
    async fn rebuild(
        &self,
        tenant: &TenantId,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Report, RebuildError> {
        let (bay, tenant) = (self.clone(), tenant.clone());
        // To its end even if nobody waits any more, as everything that holds a writer's lock.
        let rebuilding = tokio::spawn(async move {
            let beside = sibling(&bay.path(&tenant), "rebuild");
            let report = bay.rebuild_beside(&tenant, &beside, progress).await;
            if report.is_err() {
                drop(discard(&beside)); // or the next rebuild does it
            }
            report
        });
        rebuilding.await.map_err(failed)?
    }

    async fn rebuild_beside(
        &self,
        tenant: &TenantId,
        beside: &Path,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Report, RebuildError> {
        let head = self.ledger().head(tenant).await?;
        let total = head.ok_or_else(|| RebuildError::UnknownTenant(tenant.clone()))?.position.index + 1;
        let (path, begun) = (self.path(tenant), Instant::now());
        discard(beside)?; // of a rebuild that did not end
        let (store, state) = open(beside, Use::Building).await?;
        let pages = Pages::of(self.source(tenant), Arc::new(store), state);
        let pages = self.filled(pages, Target::Head, |done| progress(done, total.max(done))).await?;
        let seconds = begun.elapsed().as_secs_f64();

        // From here on nobody else writes the old store, and the tenant's batches wait.
        let slot = self.slot(tenant);
        let _writing = slot.writer.lock().await;
        let running = slot.open.load_full().map(|open| (open.store.clone(), open.state.clone()));
        let old = match running {
            Some(running) => Some(running),
            None => existing(&path).await,
        };
        let (pages, old) = self.side_by_side(tenant, pages, old).await?;
        let report = Report { events: pages.state.next(), seconds, old, new: pages.state.digest() };
        self.close_locked(&slot).await;
        let beside = beside.to_owned();
        tokio::task::spawn_blocking(move || swap(&pages.store, &beside, &path)).await.map_err(failed)??;
        slot.stopped.store(None);
        self.open_locked(&slot).await.map_err(failed)?;
        if report.old.as_ref().is_some_and(|old| *old != report.new) {
            tracing::error!(%tenant, view = V::NAME, "the model that was replaced did not say what the ledger says");
            metrics::counter!("promptory_projection_differences_total", "view" => V::NAME).increment(1);
        }
        Ok(report)
    }

    /// Brings both to the same event: the old one to the ledger's end, the new one there. A projection that has stopped,
    /// or a store that can't be written, is not compared.
    async fn side_by_side(
        &self,
        tenant: &TenantId,
        new: Pages<V>,
        old: Option<(Arc<Store<V>>, V)>,
    ) -> Result<(Pages<V>, Option<String>), RebuildError> {
        let old = match old.filter(|(_, state)| state.head().index.is_some()) {
            Some((store, state)) => {
                let pages = Pages::of(self.source(tenant), store, state);
                self.filled(pages, Target::Head, |_| {}).await.ok().map(|pages| pages.state)
            }
            None => None,
        };
        match old.as_ref().and_then(|old| Some((old, old.head().index?))) {
            Some((old, index)) if Some(index) >= new.state.head().index => {
                let new = self.filled(new, Target::Index(index), |_| {}).await?;
                Ok((new, Some(old.digest())))
            }
            _ => Ok((new, None)),
        }
    }

    async fn filled(
        &self,
        pages: Pages<V>,
        target: Target,
        progress: impl FnMut(u64) + Send,
    ) -> Result<Pages<V>, RebuildError> {
        match pages.catch_up(self.ledger(), target, progress).await {
            (pages, None) => Ok(pages),
            (_, Some(trouble)) => Err(RebuildError::Build(trouble.to_string())),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> RebuildError {
    RebuildError::Build(error.to_string())
}

async fn open<V: View>(path: &Path, what_for: Use) -> Result<(Store<V>, V), RebuildError> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || Store::open(&path, what_for)).await.map_err(failed)?.map_err(failed)
}

/// The store that lies in a tenant's folder, if it is whole. A missing folder must not come to be by looking for it.
async fn existing<V: View>(path: &Path) -> Option<(Arc<Store<V>>, V)> {
    if !path.exists() {
        return None;
    }
    let opened = open(path, Use::Serving).await;
    opened.ok().map(|(store, state)| (Arc::new(store), state))
}

/// Synced once, here, then two renames. A crash between them leaves no folder: the next opening builds it again.
fn swap<V: View>(store: &Store<V>, beside: &Path, path: &Path) -> Result<(), RebuildError> {
    store.sync().map_err(failed)?;
    discard(path)?;
    std::fs::rename(beside, path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
