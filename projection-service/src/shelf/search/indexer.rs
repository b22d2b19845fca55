//! Brings search indexes to where their catalogs are: a few at once, each again and again while it is written to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use promptory_events::TenantId;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::super::Shelf;
use super::queue::PACE;
use crate::store::Share;

/// How long an index that failed is left alone.
const AGAIN: Duration = Duration::from_secs(10);
/// Writers at once, whatever the configuration says: each has threads and memory of its own.
const WRITERS_MAX: usize = 4;
/// The longest that a place does nothing after a commit.
const REST_MAX: Duration = Duration::from_millis(50);

/// Brings indexes further until `shutdown` turns true or its sender is gone.
pub async fn run(shelf: Shelf, mut shutdown: watch::Receiver<bool>) {
    let search = &shelf.inner.search;
    let writers = Arc::new(Semaphore::new(search.config.writers.clamp(1, WRITERS_MAX)));
    let mut jobs = JoinSet::new();
    loop {
        let next = async {
            let writer = writers.clone().acquire_owned().await;
            (writer, search.queue.next().await)
        };
        let (writer, tenant) = tokio::select! {
            next = next => next,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        let shelf = shelf.clone();
        jobs.spawn(async move {
            let begun = Instant::now();
            shelf.index_soon(&tenant).await;
            // Commits cost the same for one prompt as for many: while many tenants write, fewer and larger ones leave more to requests.
            tokio::time::sleep(Share::HALF.rest(begun.elapsed()).min(REST_MAX)).await;
            drop(writer);
        });
        while jobs.try_join_next().is_some() {}
    }
    search.stopping.store(true, Ordering::Relaxed);
    while jobs.join_next().await.is_some() {}
}

impl Shelf {
    /// Brings a tenant's index further; after trouble it is tried again a little later, and so is one that is being written:
    /// nobody waits for it here, where all tenants share few places.
    async fn index_soon(&self, tenant: &TenantId) {
        let place = self.inner.search.place(tenant);
        if place.writing.try_lock().is_err() {
            return self.inner.search.queue.again(tenant, Instant::now() + PACE);
        }
        match self.index(tenant).await {
            Ok(()) => {
                if place.failed.swap(None).is_some() {
                    tracing::info!(%tenant, "a tenant's search goes on");
                }
            }
            Err(error) => {
                tracing::error!(%tenant, %error, "a tenant's search index could not be brought further");
                metrics::counter!("promptory_search_failures_total").increment(1);
                place.failed.store(Some(Arc::new(error.to_string())));
                self.inner.search.queue.again(tenant, Instant::now() + AGAIN);
            }
        }
    }
}
