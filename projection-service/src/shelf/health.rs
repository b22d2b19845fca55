//! How the projections stand: for the readiness probe and for people.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use promptory_events::{TenantId, Timestamp, partition};
use serde::{Deserialize, Serialize};

use super::bay::Bay;
use super::{Shelf, slot};
use crate::views::View;

/// How long the ledger may take to show that it answers.
const LEDGER_WAIT: Duration = Duration::from_secs(1);

/// How the projections of this process stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether all workers of the catalog have reached the end of the ledger once since the start, and other processes can ask.
    pub caught_up: bool,
    /// Whether the ledger answers and takes batches. After a failed commit it does not until the process starts again.
    pub ledger_writes: bool,
    /// Partitions that nobody answers for.
    pub missing: Vec<u16>,
    /// Tenants whose projection has stopped, or waits for trouble to pass.
    pub stopped: Vec<Stopped>,
    /// How many stores of the catalog are open.
    pub open: usize,
}

impl Default for Health {
    /// Of nothing: well.
    fn default() -> Self {
        Self { caught_up: true, ledger_writes: true, missing: Vec::new(), stopped: Vec::new(), open: 0 }
    }
}

impl Health {
    /// How two stand together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.caught_up &= other.caught_up;
        self.ledger_writes &= other.ledger_writes;
        self.missing.extend(other.missing);
        self.stopped.extend(other.stopped);
        self.stopped.sort();
        // Two replicas, or `_system` in each.
        self.stopped.dedup_by(|one, other| (&one.tenant, &one.view) == (&other.tenant, &other.view));
        self.open += other.open;
        self
    }
}

/// A view of a tenant that has stopped, and why. It goes on after a restart or a rebuild, if the cause is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stopped {
    /// Whose.
    pub tenant: TenantId,
    /// Which view.
    pub view: String,
    /// Why.
    pub reason: String,
}

impl Shelf {
    /// How the projections stand. Also sets the gauges `promptory_projection_stopped` and `promptory_projection_open`.
    #[must_use]
    pub fn health(&self) -> Health {
        let (mut stopped, open) = self.catalog().stand();
        stopped.extend(self.audit().stand().0);
        stopped.extend(self.search_stopped());
        stopped.extend(self.uncounted());
        stopped.sort();
        #[allow(clippy::cast_precision_loss, reason = "counts of tenants")]
        {
            metrics::gauge!("promptory_projection_stopped").set(stopped.len() as f64);
        }
        let ledger_writes = self.inner.ledger.takes_batches();
        let caught_up = self.catalog().caught_up() && self.unheard().is_empty();
        Health { caught_up, ledger_writes, missing: Vec::new(), stopped, open }
    }

    /// The same, and the ledger is asked: whether it takes batches is then more than what this process last saw of it.
    pub async fn checked_health(&self) -> Health {
        let mut health = self.health();
        if health.ledger_writes {
            let head = self.inner.ledger.head(&self.inner.system.tenant);
            health.ledger_writes = matches!(tokio::time::timeout(LEDGER_WAIT, head).await, Ok(Ok(_)));
        }
        health
    }

    /// A partition that this process is to answer other processes for: it does not listen for it yet (`false`), or does.
    pub(crate) fn note_heard(&self, partition: u16, heard: bool) {
        let mut unheard = self.unheard();
        let _ = if heard { unheard.remove(&partition) } else { unheard.insert(partition) };
    }

    fn unheard(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.inner.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a partition can be answered for: its worker has reached the end once, and that of `_system`, which says
    /// who is suspended.
    pub(crate) fn can_answer(&self, partition: u16) -> bool {
        let system = partition::of(&self.inner.system.tenant, self.inner.ledger.partitions());
        let partitions = self.catalog().inner.caught_up.lock().unwrap_or_else(PoisonError::into_inner);
        [partition, system].iter().all(|needed| partitions.get(needed).copied().unwrap_or(false))
    }
}

impl<V: View> Bay<V> {
    /// Which tenants of this view have stopped or wait, and how many stores are open. Also sets the gauge of the latter.
    fn stand(&self) -> (Vec<Stopped>, usize) {
        let slots = self.slots();
        let open = slots.iter().filter(|slot| slot.open.load().is_some()).count();
        #[allow(clippy::cast_precision_loss, reason = "a count of stores")]
        metrics::gauge!("promptory_projection_open", "view" => V::NAME).set(open as f64);
        let told =
            |tenant: &TenantId, reason: String| Stopped { tenant: tenant.clone(), view: V::NAME.to_owned(), reason };
        let stopped = |slot: &slot::Slot<V>| Some(told(&slot.tenant, slot.stopped.load_full()?.to_string()));
        let mut stopped: Vec<_> = slots.iter().filter_map(|slot| stopped(slot)).collect();
        let waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        stopped.extend(waiting.iter().map(|(tenant, reason)| told(tenant, reason.clone())));
        (stopped, open)
    }

    /// A tenant's batches begin to wait for trouble to pass (`Some`), or wait no more.
    pub(crate) fn note_waiting(&self, tenant: &TenantId, trouble: Option<String>) {
        let mut waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => drop(waiting.insert(tenant.clone(), trouble)),
            None => drop(waiting.remove(tenant)),
        }
    }

    /// How long ago something was recorded, in seconds, by this machine's clock.
    pub(crate) fn age_seconds(&self, recorded_at: Timestamp) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a duration for a gauge")]
        let micros = self.inner.clock.now().micros().saturating_sub(recorded_at.micros()) as f64;
        micros / 1e6
    }

    fn caught_up(&self) -> bool {
        self.inner.caught_up.lock().unwrap_or_else(PoisonError::into_inner).values().all(|caught_up| *caught_up)
    }

    /// A partition's worker begins (`false`) or has reached the end (`true`).
    pub(crate) fn note_partition(&self, partition: u16, caught_up: bool) {
        self.inner.caught_up.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, caught_up);
    }
}
