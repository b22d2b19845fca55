//! The writers of the tenants in use: started on first use, least recently used ones closed when their states
//! together take more memory than they may.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use promptory_events::TenantId;
use tokio::sync::{OnceCell, oneshot};

use crate::failure::Failure;
use crate::threads::Threads;
use crate::writer::{self, Handle, Message, Shared};

/// The running writers.
#[derive(Clone, Debug)]
pub struct Hot {
    shared: Shared,
    threads: Arc<Threads>,
    max_bytes: usize,
    slots: Arc<Mutex<Slots>>,
}

#[derive(Debug, Default)]
struct Slots {
    tick: u64,
    by_tenant: HashMap<TenantId, Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    used: u64,
    writer: Arc<OnceCell<Handle>>,
}

impl Hot {
    /// No writer yet; their states may take `max_bytes` together.
    #[must_use]
    pub fn new(shared: Shared, threads: Threads, max_bytes: usize) -> Self {
        Self { shared, threads: Arc::new(threads), max_bytes, slots: Arc::default() }
    }

    /// The tenant's writer, loaded if it is not running.
    ///
    /// # Errors
    /// The ledger can't be read or contradicts itself.
    pub async fn writer(&self, tenant: &TenantId) -> Result<Handle, Failure> {
        let cell = self.slot(tenant);
        let handle = cell.get_or_try_init(|| writer::start(self.shared.clone(), &self.threads, tenant)).await?.clone();
        if handle.queue.is_closed() {
            self.forget(tenant, &cell);
            return Err(Failure::Overloaded); // it is being closed this moment; the caller tries again
        }
        self.close_least_used();
        Ok(handle)
    }

    fn slot(&self, tenant: &TenantId) -> Arc<OnceCell<Handle>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.tick += 1;
        let used = slots.tick;
        let slot = slots.by_tenant.entry(tenant.clone()).or_insert_with(|| Slot { used, writer: Arc::default() });
        slot.used = used;
        slot.writer.clone()
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
        let size = |slot: &Slot| slot.writer.get().map_or(0, |handle| handle.bytes.load(Ordering::Relaxed));
        let mut total: usize = slots.by_tenant.values().map(size).sum();
        while total > self.max_bytes && slots.by_tenant.len() > 1 {
            let oldest = slots.by_tenant.iter().min_by_key(|(_, slot)| slot.used).map(|(tenant, _)| tenant.clone());
            let Some(slot) = oldest.and_then(|tenant| slots.by_tenant.remove(&tenant)) else { return };
            total = total.saturating_sub(size(&slot));
            if let Some(handle) = slot.writer.get() {
                // Jobs that wait in its queue are still written; a writer whose queue is full ends when its last
                // handle goes. Should both an old and a new writer run for a moment, the guard keeps them apart.
                let _ = handle.queue.try_send(Message::Close(oneshot::channel().0));
            }
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
