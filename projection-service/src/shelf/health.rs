//! How the projections stand: for the readiness probe and for people.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use promptory_events::{TenantId, Timestamp, partition};
use serde::{Deserialize, Serialize};

use super::Shelf;

/// How long the ledger may take to show that it answers.
const LEDGER_WAIT: Duration = Duration::from_secs(1);

/// How the projections of this process stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether all workers have reached the end of the ledger once since the start.
    pub caught_up: bool,
    /// Whether the ledger answers and takes batches. After a failed commit it does not until the process starts again.
    pub ledger_writes: bool,
    /// Partitions that nobody answers for.
    pub missing: Vec<u16>,
    /// Tenants whose projection has stopped, or waits for trouble to pass.
    pub stopped: Vec<Stopped>,
    /// How many stores are open.
    pub open: usize,
    /// Tenants whose search index can't be brought further now.
    pub search_stopped: Vec<Stopped>,
}

impl Default for Health {
    /// Of nothing: well.
    fn default() -> Self {
        let (missing, stopped, search_stopped) = (Vec::new(), Vec::new(), Vec::new());
        Self { caught_up: true, ledger_writes: true, missing, stopped, open: 0, search_stopped }
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
        self.stopped.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        self.stopped.dedup_by(|one, other| one.tenant == other.tenant); // two replicas, or `_system` in each
        self.open += other.open;
        self.search_stopped.extend(other.search_stopped);
        self.search_stopped.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        self.search_stopped.dedup_by(|one, other| one.tenant == other.tenant);
        self
    }
}

/// A tenant whose projection has stopped, and why. It goes on after a restart or a rebuild, if the cause is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Which.
    pub tenant: TenantId,
    /// Why.
    pub reason: String,
}

impl Shelf {
    /// How the projections stand. Also sets the gauges `promptory_projection_stopped`,
    /// `promptory_projection_open` and `promptory_search_stopped`.
    #[must_use]
    pub fn health(&self) -> Health {
        let slots = self.slots();
        let open = slots.iter().filter(|slot| slot.open.load().is_some()).count();
        let stopped = |slot: &super::slot::Slot| {
            let reason = slot.stopped.load_full()?;
            Some(Stopped { tenant: slot.tenant.clone(), reason: reason.to_string() })
        };
        let mut stopped: Vec<_> = slots.iter().filter_map(|slot| stopped(slot)).collect();
        stopped.extend(self.waiting());
        stopped.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        let failed = |slot: &Arc<super::slot::Slot>| {
            let reason = slot.search.failed()?;
            Some(Stopped { tenant: slot.tenant.clone(), reason: reason.to_string() })
        };
        let mut search_stopped: Vec<_> = slots.iter().filter_map(failed).collect();
        search_stopped.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        #[allow(clippy::cast_precision_loss, reason = "counts of tenants")]
        {
            metrics::gauge!("promptory_projection_stopped").set(stopped.len() as f64);
            metrics::gauge!("promptory_projection_open").set(open as f64);
            metrics::gauge!("promptory_search_stopped").set(search_stopped.len() as f64);
        }
        let ledger_writes = self.inner.ledger.takes_batches();
        let missing = Vec::new();
        Health { caught_up: self.caught_up(), ledger_writes, missing, stopped, open, search_stopped }
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

    fn waiting(&self) -> Vec<Stopped> {
        let waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |(tenant, reason): (&TenantId, &String)| Stopped { tenant: tenant.clone(), reason: reason.clone() };
        waiting.iter().map(told).collect()
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
        let micros = self.inner.config.clock.now().micros().saturating_sub(recorded_at.micros()) as f64;
        micros / 1e6
    }

    fn caught_up(&self) -> bool {
        self.inner.caught_up.lock().unwrap_or_else(PoisonError::into_inner).values().all(|caught_up| *caught_up)
    }

    /// Whether a partition can be answered for: its worker has reached the end once, and that of `_system`, which says
    /// who is suspended.
    pub(crate) fn can_answer(&self, partition: u16) -> bool {
        let system = partition::of(&self.inner.system.tenant, self.inner.ledger.partitions());
        let partitions = self.inner.caught_up.lock().unwrap_or_else(PoisonError::into_inner);
        [partition, system].iter().all(|needed| partitions.get(needed).copied().unwrap_or(false))
    }

    /// A partition's worker begins (`false`) or has reached the end (`true`).
    pub(crate) fn note_partition(&self, partition: u16, caught_up: bool) {
        self.inner.caught_up.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, caught_up);
    }
}
