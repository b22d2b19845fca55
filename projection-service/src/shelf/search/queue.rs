//! Tenants whose index is behind their catalog, and when each may be brought further: the one that waits longest first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use promptory_events::TenantId;
use tokio::sync::Notify;

/// Between two commits of one index there is at least this much time: a commit costs the same for one prompt as for many.
pub(super) const PACE: Duration = Duration::from_millis(350);

/// Who waits.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    tenants: Mutex<Tenants>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Tenants {
    /// When each that waits is due.
    due: HashMap<TenantId, Instant>,
    /// When each was last taken, if that was not long ago.
    taken: HashMap<TenantId, Instant>,
}

impl Queue {
    /// A tenant's catalog has moved. One that waits already keeps its place.
    pub(crate) fn note(&self, tenant: &TenantId) {
        let now = Instant::now();
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.taken.retain(|_, taken| *taken + PACE > now);
        let due = tenants.taken.get(tenant).map_or(now, |taken| *taken + PACE);
        tenants.due.entry(tenant.clone()).or_insert(due);
        drop(tenants);
        self.more.notify_one();
    }

    /// A tenant is tried again at a time, unless it is due before.
    pub(super) fn again(&self, tenant: &TenantId, at: Instant) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.due.entry(tenant.clone()).or_insert(at);
        drop(tenants);
        self.more.notify_one();
    }

    /// The next one that is due, once one is. Nothing is lost if it is dropped.
    pub(super) async fn next(&self) -> TenantId {
        loop {
            let first = {
                let (mut tenants, now) = (self.tenants.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
                let first = tenants.due.iter().min_by_key(|(_, due)| **due).map(|(tenant, due)| (tenant.clone(), *due));
                if let Some((tenant, due)) = &first
                    && *due <= now
                {
                    tenants.due.remove(tenant);
                    tenants.taken.insert(tenant.clone(), now);
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
        queue.note(&one);
        assert_eq!(queue.next().await, one);
        queue.note(&one);
        queue.note(&two);
        queue.note(&two);
        assert_eq!(queue.next().await, two, "the other one was taken just now");
        assert_eq!(queue.next().await, one);
        assert!(tokio::time::timeout(Duration::from_millis(20), queue.next()).await.is_err(), "nobody is left");
    }
}
