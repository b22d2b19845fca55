//! One tenant's writer: takes what waits, decides it one after another, appends it as one batch, answers.
//!
//! The order that everything leans on: **append before reply**. Also a refusal waits for the append, because it may
//! have been decided on a command of the same batch that is not durable yet.

mod append;
mod draft;
mod receipts;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use promptory_events::limits;
use promptory_ledger::Ledger;
use promptory_platform::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::cache::{Cache, CacheError};
use crate::failure::Failure;
use crate::gather::Gathered;
use crate::load::{Confirmed, load};
use crate::outcome::Outcome;
use crate::threads::Threads;
use receipts::Receipts;

/// The answers to the commands of one job, in order.
pub type Answers = Vec<Result<Outcome, Failure>>;

/// Commands of one request, in order.
#[derive(Debug)]
pub struct Job {
    /// The commands.
    pub items: Vec<Gathered>,
    /// Where the answers go.
    pub reply: oneshot::Sender<Answers>,
    /// The request's span: the append is its child.
    pub span: tracing::Span,
}

/// What a writer is told.
#[derive(Debug)]
pub enum Message {
    /// To write.
    Job(Job),
    /// To see whether another replica has written.
    Refresh(oneshot::Sender<()>),
    /// To store a snapshot and end.
    Close(oneshot::Sender<()>),
}

/// What all writers share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The ledger.
    pub ledger: Ledger,
    /// Snapshots and receipts.
    pub cache: Cache,
    /// The clock.
    pub clock: Clock,
    /// Where other writers reach this one.
    pub address: Arc<str>,
}

/// A running writer.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Its queue.
    pub queue: mpsc::Sender<Message>,
    /// The state as of its last append.
    pub published: Arc<ArcSwap<Confirmed>>,
    /// Roughly what it takes in memory.
    pub bytes: Arc<AtomicUsize>,
}

/// Jobs that may wait for one writer. Beyond it callers are told to come back.
const QUEUE_JOBS: usize = 4096;
/// A snapshot is worth its write after so many batches, which a cold start would have to read again, or so many events,
/// which it would have to fold: either takes well under a second.
const SNAPSHOT_EVERY_BATCHES: usize = 4_000;
const SNAPSHOT_EVERY_EVENTS: u64 = 50_000;

pub(crate) struct Writer {
    shared: Shared,
    confirmed: Confirmed,
    receipts: Receipts,
    published: Arc<ArcSwap<Confirmed>>,
    bytes: Arc<AtomicUsize>,
    /// The event that the last snapshot ends before, and the batches since then.
    snapshot_at: u64,
    batches_since: usize,
    /// A snapshot on its way to the disk, beside the writing.
    storing: Option<Storing>,
    /// Whether the ledger may hold batches that this state does not know of.
    behind: bool,
}

/// A snapshot on its way: what it goes up to, and how many batches and receipts go with it.
struct Storing {
    next_index: u64,
    batches: usize,
    receipts: usize,
    task: JoinHandle<Result<(), CacheError>>,
}

/// Loads a tenant and starts its writer.
///
/// # Errors
/// The ledger can't be read or contradicts itself.
pub async fn start(shared: Shared, threads: &Threads, tenant: &promptory_events::TenantId) -> Result<Handle, Failure> {
    let (confirmed, caught_up) = load(&shared.ledger, &shared.cache, tenant).await?;
    let published = Arc::new(ArcSwap::from_pointee(confirmed.clone()));
    let bytes = Arc::new(AtomicUsize::new(0));
    let receipts = Receipts::new(caught_up.receipts);
    let mut writer = Writer {
        shared,
        confirmed,
        receipts,
        published: published.clone(),
        bytes: bytes.clone(),
        snapshot_at: caught_up.from,
        batches_since: caught_up.batches.len(),
        storing: None,
        behind: false,
    };
    writer.publish();
    let (queue, inbox) = mpsc::channel(QUEUE_JOBS);
    threads.spawn(writer.run(inbox));
    Ok(Handle { queue, published, bytes })
}

impl Writer {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut closers = Vec::new();
        while let Some(message) = inbox.recv().await {
            let mut jobs = Vec::new();
            let mut others = Vec::new();
            sort(message, &mut jobs, &mut others);
            // Group commit: whatever has come while the last append was under way goes into the next one.
            while bytes_of(&jobs) < limits::BATCH_MAX_BYTES {
                match inbox.try_recv() {
                    Ok(message) => sort(message, &mut jobs, &mut others),
                    Err(_) => break,
                }
            }
            self.write_jobs(jobs).await;
            for message in others {
                match message {
                    Message::Refresh(done) => {
                        self.refresh().await;
                        let _ = done.send(());
                    }
                    // Nothing more comes in; what is in the queue is still written.
                    Message::Close(done) => {
                        inbox.close();
                        closers.push(done);
                    }
                    Message::Job(_) => {} // sorted out before
                }
            }
        }
        self.snapshot().await;
        for done in closers {
            let _ = done.send(());
        }
    }

    async fn refresh(&mut self) {
        if let Err(error) = self.reload().await {
            tracing::error!(tenant = %self.confirmed.state.id(), %error, "can't follow the ledger");
        }
    }

    async fn write_jobs(&mut self, mut jobs: Vec<Job>) {
        let spans: Vec<_> = jobs.iter().map(|job| tracing::info_span!(parent: &job.span, "append")).collect();
        let counts: Vec<usize> = jobs.iter().map(|job| job.items.len()).collect();
        let items: Vec<Gathered> = jobs.iter_mut().flat_map(|job| std::mem::take(&mut job.items)).collect();
        let mut answers = self.write(&items).await.into_iter();
        drop(spans);
        for (job, count) in jobs.into_iter().zip(counts) {
            // A caller that went away has its answer in the ledger.
            let _ = job.reply.send(answers.by_ref().take(count).collect());
        }
        self.snapshot_if_due().await;
    }

    /// Takes in what others have appended. After an error the state is made anew from the ledger.
    async fn reload(&mut self) -> Result<Vec<(u64, promptory_events::BatchId)>, Failure> {
        self.behind = true; // until this is through
        let caught_up = match self.confirmed.catch_up(&self.shared.ledger).await {
            Ok(caught_up) => caught_up,
            Err(error) => {
                let tenant = self.confirmed.state.id().clone();
                self.confirmed = Confirmed::empty(tenant);
                return Err(error);
            }
        };
        self.behind = false;
        self.batches_since += caught_up.batches.len();
        self.receipts.extend(&caught_up.receipts);
        self.publish();
        Ok(caught_up.batches)
    }

    fn publish(&mut self) {
        self.published.store(Arc::new(self.confirmed.clone()));
        self.bytes.store(self.confirmed.state.size_bytes() + self.receipts.size_bytes(), Ordering::Relaxed);
    }

    /// Begins to store a snapshot now and then, and takes note of the one that is stored.
    async fn snapshot_if_due(&mut self) {
        if self.storing.as_ref().is_some_and(|storing| storing.task.is_finished()) {
            self.stored().await;
        }
        let events = self.confirmed.state.next_index() - self.snapshot_at;
        let due = events >= SNAPSHOT_EVERY_EVENTS || self.batches_since >= SNAPSHOT_EVERY_BATCHES;
        if due && self.storing.is_none() {
            self.store();
        }
    }

    /// Stores a snapshot of the state as it is, at the end.
    async fn snapshot(&mut self) {
        self.stored().await;
        if self.confirmed.state.next_index() != self.snapshot_at {
            self.store();
            self.stored().await;
        }
    }

    /// Begins to store a snapshot with the receipts that are not stored yet.
    fn store(&mut self) {
        let (cache, confirmed) = (self.shared.cache.clone(), self.confirmed.clone());
        let fresh = self.receipts.unstored().to_vec();
        let (next_index, batches, receipts) = (confirmed.state.next_index(), self.batches_since, fresh.len());
        let task = tokio::task::spawn_blocking(move || cache.store(&confirmed, &fresh));
        self.storing = Some(Storing { next_index, batches, receipts, task });
    }

    /// Waits for the snapshot that is on its way. Only then may the receipts that went with it be forgotten.
    async fn stored(&mut self) {
        let Some(Storing { next_index, batches, receipts, task }) = self.storing.take() else { return };
        match task.await {
            Ok(Ok(())) => {
                self.snapshot_at = next_index;
                self.batches_since -= batches;
                self.receipts.mark_stored(receipts);
            }
            Ok(Err(error)) => tracing::warn!(tenant = %self.confirmed.state.id(), %error, "no snapshot"),
            Err(error) => tracing::warn!(tenant = %self.confirmed.state.id(), %error, "no snapshot"),
        }
    }
}

fn sort(message: Message, jobs: &mut Vec<Job>, others: &mut Vec<Message>) {
    match message {
        Message::Job(job) => jobs.push(job),
        other => others.push(other),
    }
}

fn bytes_of(jobs: &[Job]) -> usize {
    jobs.iter().flat_map(|job| &job.items).map(|item| item.bytes).sum()
}
