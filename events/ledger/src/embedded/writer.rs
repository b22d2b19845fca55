//! The writer thread: takes what waits, commits it in one transaction, then answers.
//!
//! The order is: commit, announce to the tails, answer. So nobody hears of a batch that is not durable, and who was
//! answered can follow from the cursor he got.

mod group;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use promptory_events::{BatchHeader, Cursor};
use tokio::sync::{mpsc, oneshot, watch};

use super::Shared;
use crate::port::{AppendError, Recorded};

/// What may wait: in number, and in bytes.
const QUEUE_REQUESTS: usize = 1024;
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// What one transaction takes.
const GROUP_REQUESTS: usize = 512;
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// An append on its way. Everything about it alone has been checked.
pub(super) struct Request {
    pub(super) partition: u16,
    pub(super) header: BatchHeader,
    pub(super) bytes: Bytes,
    pub(super) answer: oneshot::Sender<Result<Cursor, AppendError>>,
}

/// The door to the writer thread. Dropping it lets the thread finish what waits, and waits for that.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Request>>,
    waiting_bytes: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(shared: Arc<Shared>, announce: Vec<watch::Sender<u64>>) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut thread = WriterThread { shared, announce, requests, waiting_bytes: waiting_bytes.clone() };
        let thread = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || thread.run())?;
        Ok(Self { queue: Some(queue), waiting_bytes, thread: Some(thread) })
    }

    /// Puts a request into the queue; never waits.
    pub(super) fn submit(&self, request: Request) -> Result<(), AppendError> {
        let len = request.bytes.len();
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
            tracing::error!("the ledger's writer thread had panicked");
        }
    }
}

struct WriterThread {
    shared: Arc<Shared>,
    /// Per partition, its last committed sequence.
    announce: Vec<watch::Sender<u64>>,
    requests: mpsc::Receiver<Request>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl WriterThread {
    fn run(&mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let group = self.gather(first);
            if self.shared.poisoned.load(Ordering::Acquire) {
                refuse(group, "an earlier commit failed; the ledger must be opened again");
            } else {
                self.write(group);
            }
        }
    }

    /// The request and what waits behind it, as much as one transaction takes.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let mut bytes = first.bytes.len();
        let mut group = vec![first];
        while group.len() < GROUP_REQUESTS && bytes < GROUP_BYTES {
            let Ok(next) = self.requests.try_recv() else { break };
            bytes += next.bytes.len();
            group.push(next);
        }
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
        group
    }

    fn write(&mut self, group: Vec<Request>) {
        let ends: Vec<u64> = self.announce.iter().map(|end| *end.borrow()).collect();
        match group::commit(&self.shared.store.db, &group, ends) {
            Ok(outcomes) => self.answer(group, outcomes),
            Err(error) => {
                // Whether the commit reached the disk is open, and redb refuses to go on before it has looked.
                self.shared.poisoned.store(true, Ordering::Release);
                tracing::error!(%error, batches = group.len(), "a ledger commit failed");
                refuse(group, &error.to_string());
            }
        }
    }

    /// Commit before announce before answer; here the commit is done.
    fn answer(&self, group: Vec<Request>, outcomes: Vec<Result<u64, AppendError>>) {
        let incarnation = self.shared.incarnation;
        let mut answers = Vec::with_capacity(group.len());
        let mut ends = vec![0; self.announce.len()];
        for (request, outcome) in group.into_iter().zip(outcomes) {
            let outcome = outcome.map(|sequence| Cursor { incarnation, sequence });
            if let Ok(cursor) = outcome {
                let partition = usize::from(request.partition);
                self.shared.partitions[partition].recent.push(Recorded { cursor, bytes: request.bytes });
                ends[partition] = cursor.sequence;
                self.shared.appended.fetch_add(1, Ordering::Relaxed);
            }
            answers.push((request.answer, outcome));
        }
        for (announce, end) in self.announce.iter().zip(ends).filter(|(_, end)| *end > 0) {
            announce.send_replace(end);
        }
        for (answer, outcome) in answers {
            let _ = answer.send(outcome); // the caller may have gone; the batch stays
        }
    }
}

fn refuse(group: Vec<Request>, why: &str) {
    for request in group {
        let _ = request.answer.send(Err(AppendError::Unknown(why.to_owned())));
    }
}
