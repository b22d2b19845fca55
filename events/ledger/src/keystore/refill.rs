//! The thread that makes the next block of data keys before the last one is used up, so that no command waits for it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::tenant::TenantKeys;
use super::{Shared, patience};

/// Tenants that may wait for a block; one that finds no room asks again with its next key.
const QUEUE: usize = 256;

/// The door to the refill thread. Dropping it waits for the block that is being made.
pub(super) struct Refiller {
    queue: Option<SyncSender<Arc<TenantKeys>>>,
    thread: Option<JoinHandle<()>>,
}

impl Refiller {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (queue, asked) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("key-refill".to_owned()).spawn(move || run(&shared, &asked))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Asks for a block; never waits.
    pub(super) fn ask(&self, keys: &Arc<TenantKeys>) {
        let sent = self.queue.as_ref().is_some_and(|queue| queue.try_send(keys.clone()).is_ok());
        if !sent {
            keys.release_refill();
        }
    }
}

fn run(shared: &Shared, asked: &Receiver<Arc<TenantKeys>>) {
    for keys in asked {
        // A failure shows again, and to the caller, when the block is used up.
        if let Err(error) = shared.refill(&keys, |left| keys.is_low(left), patience()) {
            tracing::warn!(tenant = %keys.tenant, %error, "no data keys could be made ahead");
        }
        keys.release_refill();
    }
}

impl Drop for Refiller {
    fn drop(&mut self) {
        self.queue = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the key refill thread had panicked");
        }
    }
}
