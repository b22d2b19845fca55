//! Tenants whose index is behind their catalog, and when each may be brought further: the one that waits longest first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use promptory_events::TenantId;
use tokio::sync::Notify;

/// Between two commits of one index there is at least this much time: a commit costs the same for one prompt as for many.
pub(super) const PACE: Duration = Duration::from_millis(250);

/// Who waits.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    due: Mutex<HashMap<TenantId, Instant>>,
    more: Notify,
}

impl Queue {
    /// A tenant's catalog has moved; its index was last brought further then. One that waits already keeps its place.
    pub(crate) fn note(&self, tenant: &TenantId, brought: Option<Instant>) {
        let now = Instant::now();
        let due = brought.map_or(now, |at| now.max(at + PACE));
        self.put(tenant, due);
    }

    /// A tenant waits until a time, unless it is due before.
    pub(super) fn put(&self, tenant: &TenantId, due: Instant) {
        let mut all = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(tenant) {
            all.insert(tenant.clone(), due);
            drop(all);
            self.more.notify_one();
        }
    }

    /// The next one that is due, once one is. Nothing is lost if it is dropped.
    pub(super) async fn next(&self) -> TenantId {
        loop {
            let first = {
                let mut all = self.due.lock().unwrap_or_else(PoisonError::into_inner);
                let first = all.iter().min_by_key(|(_, due)| **due).map(|(tenant, due)| (tenant.clone(), *due));
                if let Some((tenant, due)) = &first
                    && *due <= Instant::now()
                {
                    all.remove(tenant);
                    return tenant.clone();
                }
                first
            };
            match first {
                None => self.more.notified().await,
                Some((_, due)) => drop(tokio::time::timeout_at(due.into(), self.more.notified()).await),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_longest_comes_first_and_once() {
        let queue = Queue::default();
        let [one, two]: [TenantId; 2] = ["one", "two"].map(|name| name.parse().unwrap());
        queue.note(&one, Some(Instant::now()));
        queue.note(&two, None);
        queue.note(&two, None);
        assert_eq!(queue.next().await, two, "it was never brought");
        assert_eq!(queue.next().await, one);
        assert!(tokio::time::timeout(Duration::from_millis(20), queue.next()).await.is_err(), "nobody is left");
    }
}
