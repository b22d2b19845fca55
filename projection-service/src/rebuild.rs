//! The same store again, beside the running one, from the ledger alone; compared by digest and then put in its place. What was
//! there is kept, and put back the same way.
//!
//! Readers wait for none of it: no store is moved or closed, the new one is open and caught up before the two change places
//! under the writer's lock. With each error the store that was there stays.

mod stand;
mod swap;
mod tidy;
pub mod work;

use std::sync::Arc;

use promptory_events::TenantId;
use promptory_ledger::ReadError;
use serde::Serialize;
use tracing::Instrument;

use crate::ask::{AskError, ModelAnswer};
use crate::shelf::bay::Bay;
use crate::shelf::{Pages, Shelf, Target};
use crate::store::folder::Previous;
use crate::store::{OpenError, Share, Use};
use crate::views::{Name, View};
use swap::open;
use work::{AskWork, Kind, Work};

/// What a rebuild or a rollback led to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Events of the new store.
    pub events: u64,
    /// How long folding took, in seconds, without opening and swapping.
    pub seconds: f64,
    /// The model digest of the store that was there, at the same event; `None` if none was, or none that is whole.
    pub old: Option<String>,
    /// The model digest of the new one. If it differs, one of them does not say what the ledger says.
    pub new: String,
}

/// Why a rebuild or a rollback did not come to its end. The store that was there is untouched.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such tenant.
    #[error("the tenant {0} has no ledger")]
    UnknownTenant(TenantId),
    /// No store was kept to go back to.
    #[error("no store was kept to go back to")]
    NoPrevious,
    /// The one that was kept is of no use any more.
    #[error("the store that was kept is damaged, or not of this ledger; it is taken away")]
    PreviousUnusable,
    /// The ledger can't be read.
    #[error("the ledger can't be read; the log says more")]
    Ledger(#[source] Arc<ReadError>),
    /// A store can't be written, or folding met a batch that can't be folded.
    #[error("the model could not be built; the log says more")]
    Build(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A folder could not be changed.
    #[error("the folder of the stores could not be changed; the log says more")]
    Folder(#[source] Arc<std::io::Error>),
    /// The process ends.
    #[error("the process ended before it did")]
    Ending,
}

impl From<ReadError> for RebuildError {
    fn from(error: ReadError) -> Self {
        Self::Ledger(Arc::new(error))
    }
}

impl From<std::io::Error> for RebuildError {
    fn from(error: std::io::Error) -> Self {
        Self::Folder(Arc::new(error))
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RebuildError {
    RebuildError::Build(error.into().into())
}

/// File work on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, RebuildError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(failed)??)
}

impl Shelf {
    /// Builds a view of a tenant anew while the old one serves, without rests, and puts it in its place. `progress` is told
    /// (events done, total). Also the way back for one that has stopped, once the cause is gone.
    ///
    /// # Errors
    /// The old store stays in place with each of them.
    pub async fn rebuild(
        &self,
        tenant: &TenantId,
        view: Name,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Report, RebuildError> {
        self.worked(tenant, AskWork { view, kind: Kind::Rebuild, share: Share::WHOLE, id: None }, progress).await
    }

    /// Puts the store of a view that was replaced last back in its place, caught up.
    ///
    /// # Errors
    /// As for [`Shelf::rebuild`]; none was kept.
    pub async fn roll_back(
        &self,
        tenant: &TenantId,
        view: Name,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Report, RebuildError> {
        self.worked(tenant, AskWork { view, kind: Kind::Rollback, share: Share::WHOLE, id: None }, progress).await
    }

    /// Does it and waits for its end.
    async fn worked(
        &self,
        tenant: &TenantId,
        ask: AskWork,
        mut progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Report, RebuildError> {
        if self.ledger().head(tenant).await?.is_none() {
            return Err(RebuildError::UnknownTenant(tenant.clone()));
        }
        let mut told = match ask.view {
            Name::Catalog => self.catalog().begin(tenant, ask),
            Name::Audit => self.audit().begin(tenant, ask),
        }
        .subscribe();
        loop {
            let (events, total, outcome) = {
                let state = told.borrow_and_update();
                (state.events, state.total, state.outcome.clone())
            };
            progress(events, total);
            if let Some(outcome) = outcome {
                return outcome.report;
            }
            told.changed().await.map_err(|_| RebuildError::Ending)?;
        }
    }

    /// Begins what is asked for, unless something goes on with that view of the tenant already; then how the view stands.
    ///
    /// # Errors
    /// There is nothing to go back to.
    pub(crate) async fn begin_work(&self, tenant: &TenantId, ask: AskWork) -> Result<Vec<ModelAnswer>, AskError> {
        let model = match ask.view {
            Name::Catalog => self.catalog().begin_possible(tenant, ask).await,
            Name::Audit => self.audit().begin_possible(tenant, ask).await,
        };
        Ok(vec![model?])
    }
}

impl<V: View> Bay<V> {
    async fn begin_possible(&self, tenant: &TenantId, ask: AskWork) -> Result<ModelAnswer, AskError> {
        let last = self.slot(tenant).work.get();
        if ask.kind == Kind::Rollback && !last.is_some_and(|last| last.stands_for(&ask)) {
            let folder = self.folder(tenant);
            let stores = blocking(move || Ok(folder.stores())).await;
            if stores.map_err(|error| AskError::Unavailable(error.to_string()))?.previous.is_none() {
                return Err(AskError::NoPreviousModel);
            }
        }
        self.begin(tenant, ask);
        Ok(self.how_it_stands(tenant).await)
    }

    /// Begins, and goes on even if nobody asks any more; or gives what goes on already.
    fn begin(&self, tenant: &TenantId, ask: AskWork) -> Arc<Work> {
        let (bay, slot) = (self.clone(), self.slot(tenant));
        let work = match slot.work.begin(ask, self.now()) {
            Err(known) => return known,
            Ok(work) => work,
        };
        let (doing, tenant) = (work.clone(), tenant.clone());
        let done = work.clone();
        // Within a task of its own, so that a panic ends it visibly, too.
        let task = tokio::spawn(async move { bay.work_when_its_turn_comes(&tenant, &doing).await }.in_current_span());
        let bay = self.clone();
        tokio::spawn(async move {
            let report = task.await.unwrap_or_else(|error| Err(failed(error)));
            if let Err(error) = &report {
                let (view, kind) = (V::NAME, done.ask.kind.as_str());
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(tenant = %slot.tenant, view, kind, %error, cause, "a read model was not replaced");
            }
            done.ends(report, bay.now());
        });
        work
    }

    async fn work_when_its_turn_comes(&self, tenant: &TenantId, work: &Arc<Work>) -> Result<Report, RebuildError> {
        self.turns().take(self.work(tenant, work)).await
    }

    async fn work(&self, tenant: &TenantId, work: &Arc<Work>) -> Result<Report, RebuildError> {
        match work.ask.kind {
            Kind::Rebuild => {
                let folder = self.folder(tenant);
                let number = blocking(move || folder.clear().map(|()| folder.free())).await?;
                let report = self.rebuilt(tenant, number, work).await;
                if report.is_err() {
                    let folder = self.folder(tenant);
                    drop(blocking(move || folder.clear()).await); // or the next rebuild does it
                }
                report
            }
            Kind::Rollback => self.rolled_back(tenant, work).await,
        }
    }

    async fn rebuilt(&self, tenant: &TenantId, number: u64, work: &Arc<Work>) -> Result<Report, RebuildError> {
        let (path, share) = (self.folder(tenant).path(number), work.ask.share);
        work.begins(0, self.events(tenant).await?);
        let (store, state) = open(&path, Use::Building, share).await.map_err(failed)?;
        let pages = Pages::of(self.source(tenant), Arc::new(store), state).sharing(share);
        let pages = self.filled(pages, Target::Head, work).await?;
        // Closed and opened to serve, which reads back all that was written.
        let store = pages.store;
        drop(pages.state);
        tokio::task::spawn_blocking(move || store.sync()).await.map_err(failed)?.map_err(failed)?;
        let (store, state) = open(&path, Use::Serving, share).await.map_err(failed)?;
        let pages = Pages::of(self.source(tenant), Arc::new(store), state).sharing(share);
        self.replaced(tenant, number, pages, work).await
    }

    async fn rolled_back(&self, tenant: &TenantId, work: &Arc<Work>) -> Result<Report, RebuildError> {
        let (folder, share) = (self.folder(tenant), work.ask.share);
        let stores = blocking({
            let folder = folder.clone();
            move || Ok(folder.stores())
        });
        let Previous { store: number, index, .. } = stores.await?.previous.ok_or(RebuildError::NoPrevious)?;
        work.begins(index + 1, self.events(tenant).await?);
        let path = folder.path(number);
        if !path.exists() {
            return Err(self.forgotten(tenant).await);
        }
        let (store, state) = match open::<V>(&path, Use::Serving, share).await {
            Ok(opened) => opened,
            Err(OpenError::Unusable(reason)) => {
                tracing::warn!(%tenant, view = V::NAME, %reason, "the store that was kept is of no use");
                return Err(self.forgotten(tenant).await);
            }
            Err(error) => return Err(failed(error)),
        };
        if !self.is_of_this_ledger(tenant, &state).await? {
            drop(store);
            return Err(self.forgotten(tenant).await);
        }
        let pages = Pages::of(self.source(tenant), Arc::new(store), state).sharing(share);
        self.replaced(tenant, number, pages, work).await
    }

    /// How many events a tenant has.
    async fn events(&self, tenant: &TenantId) -> Result<u64, RebuildError> {
        let head = self.ledger().head(tenant).await?;
        Ok(head.ok_or_else(|| RebuildError::UnknownTenant(tenant.clone()))?.position.index + 1)
    }

    async fn is_of_this_ledger(&self, tenant: &TenantId, state: &V) -> Result<bool, RebuildError> {
        let Some(index) = state.head().index else { return Ok(false) };
        let recorded = self.ledger().get(tenant, index).await?;
        Ok(recorded.is_some_and(|recorded| Some(recorded.cursor) == state.head().cursor))
    }

    /// There is nothing to go back to any more.
    async fn forgotten(&self, tenant: &TenantId) -> RebuildError {
        let (folder, now) = (self.folder(tenant), self.now());
        let slot = self.slot(tenant);
        let _writing = slot.writer.lock().await;
        match blocking(move || folder.forget_previous(now)).await {
            Ok(()) => RebuildError::PreviousUnusable,
            Err(error) => error,
        }
    }

    async fn filled(&self, pages: Pages<V>, target: Target, work: &Work) -> Result<Pages<V>, RebuildError> {
        match pages.catch_up(self.ledger(), target, |done| work.reached(done)).await {
            (pages, None) => Ok(pages),
            (_, Some(trouble)) => Err(failed(trouble)),
        }
    }
}

#[cfg(test)]
mod tests;
