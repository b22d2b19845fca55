//! The writers of the tenants in use: started on first use, least recently used ones closed when their states
//! together take more memory than they may. That of `_system` is not counted and stays: every command asks it whether its
//! tenant may be written to, so a tenant that takes all the memory would be closed by its own next command.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use promptory_events::TenantId;
use promptory_platform::Attestor;
use tokio::sync::{OnceCell, oneshot};

use crate::failure::Failure;
use crate::threads::Threads;
use crate::writer::{self, Handle, Message, Shared};

/// States grow with every command, and adding them all up is work for as many as there are: it is done with each writer
/// that starts, and else after so many uses.
const LOOK_EVERY: u64 = 256;

/// The running writers.
#[derive(Clone, Debug)]
pub struct Hot {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
    max_bytes: usize,
    slots: Arc<Mutex<Slots>>,
}

#[derive(Debug, Default)]
struct Slots {
    tick: u64,
    by_tenant: HashMap<TenantId, Slot>,
}

impl Slots {
    /// Those whose memory is bounded.
    fn counted(&self) -> impl Iterator<Item = (&TenantId, &Slot)> {
        self.by_tenant.iter().filter(|(tenant, _)| !tenant.is_system())
    }

    /// Takes out the least recently used until the others are within the bound; the latest one always stays.
    fn surplus(&mut self, max_bytes: usize) -> Vec<Slot> {
        let mut total: usize = self.counted().map(|(_, slot)| slot.bytes()).sum();
        if total <= max_bytes {
            return Vec::new();
        }
        let mut counted: Vec<_> =
            self.counted().map(|(tenant, slot)| (slot.used, slot.bytes(), tenant.clone())).collect();
        counted.sort_unstable();
        counted.pop();
        let closed = counted.into_iter().take_while(|(_, bytes, _)| {
            let over = total > max_bytes;
            total -= bytes;
            over
        });
        closed.filter_map(|(_, _, tenant)| self.by_tenant.remove(&tenant)).collect()
    }
}

#[derive(Clone, Debug)]
struct Slot {
    used: u64,
    writer: Arc<OnceCell<Handle>>,
}

impl Slot {
    fn bytes(&self) -> usize {
        self.writer.get().map_or(0, |handle| handle.bytes.load(Ordering::Relaxed))
    }
}

impl Hot {
    /// No writer yet; their states may take `max_bytes` together.
    #[must_use]
    pub fn new(shared: Shared, threads: Threads, max_bytes: usize) -> Self {
        Self { shared: Arc::new(shared), threads: Arc::new(threads), max_bytes, slots: Arc::default() }
    }

    /// Counts denied attempts at a port from now on.
    pub fn attest_to(&mut self, attestor: Attestor) {
        Arc::make_mut(&mut self.shared).attestor = attestor;
    }

    /// Where denied attempts are counted.
    #[must_use]
    pub fn attestor(&self) -> &Attestor {
        &self.shared.attestor
    }

    /// The tenant's writer, loaded if it is not running.
    ///
    /// # Errors
    /// The ledger can't be read or contradicts itself.
    pub async fn writer(&self, tenant: &TenantId) -> Result<Handle, Failure> {
        let (cell, used) = self.slot(tenant);
        let starts = cell.get().is_none();
        let handle = cell.get_or_try_init(|| writer::start(self.shared.clone(), &self.threads, tenant)).await?.clone();
        if handle.queue.is_closed() {
            self.forget(tenant, &cell);
            return Err(Failure::Overloaded); // it is being closed this moment; the caller tries again
        }
        if starts || used.is_multiple_of(LOOK_EVERY) {
            self.close_least_used();
        }
        Ok(handle)
    }

    /// A tenant's place, and the number of this use among those of all.
    fn slot(&self, tenant: &TenantId) -> (Arc<OnceCell<Handle>>, u64) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.tick += 1;
        let used = slots.tick;
        let slot = slots.by_tenant.entry(tenant.clone()).or_insert_with(|| Slot { used, writer: Arc::default() });
        slot.used = used;
        (slot.writer.clone(), used)
    }

    fn forget(&self, tenant: &TenantId, cell: &Arc<OnceCell<Handle>>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.by_tenant.get(tenant).is_some_and(|slot| Arc::ptr_eq(&slot.writer, cell)) {
            slots.by_tenant.remove(tenant);
        }
    }

    /// Closes the least recently used writers until the others are within the bound; the latest one always stays.
    fn close_least_used(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for handle in slots.surplus(self.max_bytes).iter().filter_map(|slot| slot.writer.get()) {
            // Jobs that wait in its queue are still written; a writer whose queue is full ends when its last
            // handle goes. Should both an old and a new writer run for a moment, the guard keeps them apart.
            let _ = handle.queue.try_send(Message::Close(oneshot::channel().0));
        }
    }

    /// Closes all writers, their snapshots stored.
    pub async fn close(&self) {
        let slots: Vec<Slot> = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.by_tenant.drain().map(|(_, slot)| slot).collect()
        };
        for handle in slots.iter().filter_map(|slot| slot.writer.get()) {
            let (done, closed) = oneshot::channel();
            if handle.queue.send(Message::Close(done)).await.is_ok() {
                let _ = closed.await;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use arc_swap::ArcSwap;
    use tokio::sync::mpsc;

    use super::*;
    use crate::load::Confirmed;

    /// Tenants with the bytes of their states, the least recently used first; which of them are left.
    fn left(tenants: &[(&str, usize)], max_bytes: usize) -> Vec<String> {
        let mut slots = Slots::default();
        for (used, (tenant, bytes)) in (0..).zip(tenants) {
            let tenant: TenantId = if *tenant == "_system" { TenantId::system() } else { tenant.parse().unwrap() };
            let published = Arc::new(ArcSwap::from_pointee(Confirmed::empty(tenant.clone())));
            let handle = Handle { queue: mpsc::channel(1).0, published, bytes: Arc::new(AtomicUsize::new(*bytes)) };
            slots.by_tenant.insert(tenant, Slot { used, writer: Arc::new(OnceCell::new_with(Some(handle))) });
        }
        slots.surplus(max_bytes);
        let mut left: Vec<_> = slots.by_tenant.keys().map(ToString::to_string).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn the_least_recently_used_make_room() {
        assert_eq!(left(&[("a", 5), ("b", 5), ("c", 5)], 10), ["b", "c"]);
        assert_eq!(left(&[("a", 5), ("b", 5), ("c", 5)], 15), ["a", "b", "c"]);
        assert_eq!(left(&[("a", 5), ("b", 5), ("c", 11)], 10), ["c"], "the latest stays however large it is");
    }

    #[test]
    fn a_tenant_that_takes_all_the_memory_is_not_closed_by_a_look_at_the_system() {
        assert_eq!(left(&[("a", 100), ("_system", 5)], 10), ["_system", "a"]);
        assert_eq!(left(&[("_system", 5), ("a", 100)], 10), ["_system", "a"]);
    }
}
