//! The thread that writes: takes what waits, commits it in one transaction, then answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use promptory_events::{TenantId, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::{Shared, group};
use crate::port::AppendError;

/// What may wait: in number, and in bytes.
const QUEUE_REQUESTS: usize = 1024;
const QUEUE_BYTES: usize = 32 * 1024 * 1024;
/// What one transaction takes.
const GROUP_REQUESTS: usize = 512;
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// Something to be written.
pub(super) enum Work {
    Append { tenant: TenantId, received_at: Timestamp, bytes: Bytes },
    Rollup { tenant: TenantId, expected: u64, bytes: Bytes },
    Expire { before: Timestamp },
}

impl Work {
    fn len(&self) -> usize {
        match self {
            Self::Append { bytes, .. } | Self::Rollup { bytes, .. } => bytes.len(),
            Self::Expire { .. } => 0,
        }
    }
}

pub(super) struct Request {
    pub(super) work: Work,
    /// The sequence; of an expiry how many went.
    pub(super) answer: oneshot::Sender<Result<u64, AppendError>>,
}

/// The door to the thread. Dropping it lets the thread finish what waits, and waits for that.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Request>>,
    waiting_bytes: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (queue, mut requests) = mpsc::channel(QUEUE_REQUESTS);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let waiting = waiting_bytes.clone();
        let run = move || {
            while let Some(first) = requests.blocking_recv() {
                write(&shared, gather(&mut requests, first, &waiting));
            }
        };
        let thread = std::thread::Builder::new().name("usage-writer".to_owned()).spawn(run)?;
        Ok(Self { queue: Some(queue), waiting_bytes, thread: Some(thread) })
    }

    /// Puts a request into the queue; never waits.
    pub(super) fn submit(&self, request: Request) -> Result<(), AppendError> {
        let len = request.work.len();
        let ended = || AppendError::Unknown("the writer ended".to_owned());
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        if self.waiting_bytes.fetch_add(len, Ordering::AcqRel) + len > QUEUE_BYTES {
            self.waiting_bytes.fetch_sub(len, Ordering::AcqRel);
            return Err(AppendError::Busy);
        }
        queue.try_send(request).map_err(|error| {
            self.waiting_bytes.fetch_sub(len, Ordering::AcqRel);
            match error {
                mpsc::error::TrySendError::Full(_) => AppendError::Busy,
                mpsc::error::TrySendError::Closed(_) => ended(),
            }
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the usage log's writer thread had panicked");
        }
    }
}

/// The request and what waits behind it, as much as one transaction takes.
fn gather(requests: &mut mpsc::Receiver<Request>, first: Request, waiting: &AtomicUsize) -> Vec<Request> {
    let mut bytes = first.work.len();
    let mut group = vec![first];
    while group.len() < GROUP_REQUESTS && bytes < GROUP_BYTES {
        let Ok(next) = requests.try_recv() else { break };
        bytes += next.work.len();
        group.push(next);
    }
    waiting.fetch_sub(bytes, Ordering::AcqRel);
    group
}

fn write(shared: &Shared, group: Vec<Request>) {
    if shared.poisoned.load(Ordering::Acquire) {
        return refuse(group, "an earlier commit failed; the usage log must be opened again");
    }
    match group::commit(&shared.store.db, &group) {
        Ok(outcomes) => {
            for (request, outcome) in group.into_iter().zip(outcomes) {
                let _ = request.answer.send(outcome); // the caller may have gone; the entry stays
            }
        }
        Err(error) => {
            // Whether the commit reached the disk is open, and redb refuses to go on before it has looked.
            shared.poisoned.store(true, Ordering::Release);
            tracing::error!(%error, entries = group.len(), "a commit of the usage log failed");
            refuse(group, &error.to_string());
        }
    }
}

fn refuse(group: Vec<Request>, why: &str) {
    for request in group {
        let _ = request.answer.send(Err(AppendError::Unknown(why.to_owned())));
    }
}
