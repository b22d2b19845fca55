//! What nobody goes back to any more is taken away: stores that were replaced, and those of other formats, once they were kept
//! for as long as is said.

use std::time::Duration;

use promptory_events::TenantId;
use tokio::sync::watch;

use super::stand::{earlier, later};
use super::{RebuildError, blocking};
use crate::shelf::Shelf;
use crate::shelf::bay::Bay;
use crate::store::folder::others;
use crate::views::View;

/// How often it is looked after.
const EVERY: Duration = Duration::from_secs(3600);

impl Shelf {
    /// Looks after it at once and then every hour, until `shutdown` turns true or its sender is gone.
    pub async fn tidy_now_and_then(&self, mut shutdown: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.tidy() => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            if tokio::time::timeout(EVERY, shutdown.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    }

    pub(crate) async fn tidy(&self) {
        let dir = self.catalog().dir().to_owned();
        let tenants = blocking(move || {
            // No folder yet: nothing to tidy.
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse::<TenantId>().ok()).collect::<Vec<_>>())
        });
        for tenant in tenants.await.unwrap_or_default() {
            self.catalog().tidy(&tenant).await;
            self.audit().tidy(&tenant).await;
        }
    }
}

impl<V: View> Bay<V> {
    async fn tidy(&self, tenant: &TenantId) {
        let (now, keep) = (self.now(), self.keep());
        let (dir, name, folder) = (self.dir().to_owned(), tenant.clone(), self.folder(tenant));
        let looked = blocking(move || {
            for mut other in others::<V>(&dir, &name) {
                other.seen(now)?;
                if other.unused_since.is_some_and(|since| later(since, keep) <= now) {
                    tracing::info!(tenant = %name, view = V::NAME, format = other.format, "stores of another format are removed");
                    other.remove()?;
                }
            }
            let old = folder.stores().previous.is_some_and(|previous| later(previous.replaced_at, keep) <= now);
            Ok(old || !folder.useless().is_empty())
        });
        let tidied = match looked.await {
            // Not while anything is done with any of them.
            Ok(true) => self.turns().take(self.clear(tenant)).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        match tidied {
            Ok(()) | Err(RebuildError::Ending) => {}
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%tenant, view = V::NAME, cause, "what is of no more use could not be removed");
            }
        }
    }

    /// Takes away what is of no use, and what was replaced long enough ago.
    async fn clear(&self, tenant: &TenantId) -> Result<(), RebuildError> {
        let slot = self.slot(tenant);
        let _writing = slot.writer.lock().await;
        let (folder, until) = (self.folder(tenant), earlier(self.now(), self.keep()));
        blocking(move || folder.forget_previous(until).and_then(|()| folder.clear())).await
    }
}
