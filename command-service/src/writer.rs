//! One tenant's writer: takes what waits, decides it one after another, appends it as one batch, answers.
//!
//! The order that everything leans on: **append before reply**. Also a refusal waits for the append, because it may
//! have been decided on a command of the same batch that is not durable yet.

mod append;
mod denied;
mod draft;
mod forwarding;
mod receipts;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use promptory_events::limits;
use promptory_ledger::Ledger;
use promptory_platform::{Attestor, Clock};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::cache::{Cache, CacheError};
use crate::failure::Failure;
use crate::forward::Exchange;
use crate::gather::Gathered;
use crate::load::{Confirmed, load};
use crate::outcome::Outcome;
use crate::recent::Recent;
use crate::threads::Threads;
pub use draft::HEADER_ROOM;
use forwarding::Forwarding;
use receipts::Receipts;

/// The answers to the commands of one job, in order.
pub type Answers = Vec<Result<Outcome, Failure>>;

/// Commands of one request, in order.
#[derive(Debug)]
pub struct Job {
    /// The commands.
    pub items: Vec<Gathered>,
    /// The answers to the commands that were before them.
    pub done: Answers,
    /// Where the answers go.
    pub reply: oneshot::Sender<Answers>,
    /// The request's span: the append is its child.
    pub span: tracing::Span,
    /// The replica that forwarded it here.
    pub from: Option<Arc<str>>,
    /// Whether it was forwarded by this replica and is back.
    pub came_back: bool,
}

impl Job {
    /// Commands that came to this replica.
    #[must_use]
    pub fn new(items: Vec<Gathered>, reply: oneshot::Sender<Answers>) -> Self {
        let span = tracing::Span::current();
        Self { items, done: Answers::new(), reply, span, from: None, came_back: false }
    }

    /// Answers it with what is done.
    fn answer(self) {
        // A caller that went away has its answer in the ledger.
        let _ = self.reply.send(self.done);
    }
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
    /// Where other writers reach this one; empty if they don't.
    pub address: Arc<str>,
    /// The way to them, if there is one.
    pub exchange: Option<Exchange>,
    /// Where denied attempts are counted.
    pub attestor: Attestor,
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
/// A snapshot costs as much as the state is large, however little has come since the last one: there is none for so many
/// times as long as that one took.
const SNAPSHOT_REST: u32 = 20;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    confirmed: Confirmed,
    receipts: Receipts,
    published: Arc<ArcSwap<Confirmed>>,
    bytes: Arc<AtomicUsize>,
    /// The event that the last snapshot ends before, and the batches since then.
    snapshot_at: u64,
    batches_since: usize,
    /// A snapshot on its way to the disk, beside the writing.
    storing: Option<Storing>,
    no_snapshot_before: Instant,
    /// Whether the ledger may hold batches that this state does not know of.
    behind: bool,
    /// What others wrote lately.
    recent: Recent,
    /// The writer of the last batch that was not ours.
    winner: String,
    /// Races lost in a row.
    losses: u32,
    /// The winner gets the queue for a while.
    forwarding: Option<Forwarding>,
    /// Its own queue, for what comes back.
    queue: mpsc::WeakSender<Message>,
}

/// A snapshot on its way: what it goes up to, and how many batches and receipts go with it.
struct Storing {
    next_index: u64,
    batches: usize,
    receipts: usize,
    begun: Instant,
    task: JoinHandle<Result<(), CacheError>>,
}

/// Loads a tenant and starts its writer.
///
/// # Errors
/// The ledger can't be read or contradicts itself.
pub async fn start(
    shared: Arc<Shared>,
    threads: &Threads,
    tenant: &promptory_events::TenantId,
) -> Result<Handle, Failure> {
    let (confirmed, caught_up) = load(&shared.ledger, &shared.cache, tenant).await?;
    let published = Arc::new(ArcSwap::from_pointee(confirmed.clone()));
    let bytes = Arc::new(AtomicUsize::new(0));
    let recent = Recent::new(&caught_up);
    let receipts = Receipts::new(caught_up.receipts);
    let (queue, inbox) = mpsc::channel(QUEUE_JOBS);
    let mut writer = Writer {
        shared,
        confirmed,
        receipts,
        published: published.clone(),
        bytes: bytes.clone(),
        snapshot_at: caught_up.from,
        batches_since: caught_up.batches.len(),
        storing: None,
        no_snapshot_before: Instant::now(),
        behind: false,
        recent,
        winner: String::new(),
        losses: 0,
        forwarding: None,
        queue: queue.downgrade(),
    };
    writer.publish();
    threads.spawn(writer.run(inbox));
    Ok(Handle { queue, published, bytes })
}

impl Writer {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut closers = Vec::new();
        loop {
            let message = match self.next(&mut inbox).await {
                Next::Message(message) => message,
                Next::NoMoreForwarding => {
                    self.ends_forwarding();
                    continue;
                }
                Next::End => break,
            };
            let mut jobs = Vec::new();
            let mut others = Vec::new();
            sort(*message, &mut jobs, &mut others);
            // Group commit: whatever has come while the last append was under way goes into the next one.
            while bytes_of(&jobs) < limits::BATCH_MAX_BYTES {
                match inbox.try_recv() {
                    Ok(message) => sort(message, &mut jobs, &mut others),
                    Err(_) => break,
                }
            }
            let mut here = self.hand_over(jobs);
            while !here.is_empty() {
                // What is left when a winner was found is handed over, too.
                let left = self.write_jobs(here).await;
                here = self.hand_over(left);
            }
            for message in others {
                match message {
                    Message::Refresh(done) => {
                        self.refresh().await;
                        let _ = done.send(());
                    }
                    // Nothing more comes in; what is in the queue is still written.
                    Message::Close(done) => {
                        if let Some(forwarding) = self.forwarding.take() {
                            forwarding.end().await; // before the door is shut on what comes back
                        }
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

    /// The next message, or that the time of forwarding is over.
    async fn next(&self, inbox: &mut mpsc::Receiver<Message>) -> Next {
        let message = |message: Option<Message>| message.map_or(Next::End, |message| Next::Message(Box::new(message)));
        match &self.forwarding {
            None => message(inbox.recv().await),
            Some(forwarding) => {
                tokio::time::timeout_at(forwarding.until, inbox.recv()).await.map_or(Next::NoMoreForwarding, message)
            }
        }
    }

    /// Writes jobs and answers them. What is left belongs to the winner of the race that was just lost.
    async fn write_jobs(&mut self, mut jobs: Vec<Job>) -> Vec<Job> {
        let spans: Vec<_> = jobs.iter().map(|job| tracing::info_span!(parent: &job.span, "append")).collect();
        let counts: Vec<usize> = jobs.iter().map(|job| job.items.len()).collect();
        let mut items: Vec<Gathered> = jobs.iter_mut().flat_map(|job| std::mem::take(&mut job.items)).collect();
        let answers = self.write(&items).await;
        drop(spans);
        let mut rest = items.split_off(answers.len()).into_iter();
        let mut answers = answers.into_iter();
        let mut left = Vec::new();
        for (mut job, count) in jobs.into_iter().zip(counts) {
            let answered = answers.len().min(count);
            job.done.extend(answers.by_ref().take(answered));
            job.items = rest.by_ref().take(count - answered).collect();
            if job.items.is_empty() { job.answer() } else { left.push(job) }
        }
        self.snapshot_if_due().await;
        left
    }

    /// Takes in what others have appended. After an error the state is made anew from the ledger.
    async fn reload(&mut self) -> Result<Vec<(u64, promptory_events::BatchId)>, Failure> {
        self.behind = true; // until this is through
        let before = self.confirmed.state.next_index();
        let caught_up = match self.confirmed.catch_up(&self.shared.ledger).await {
            Ok(caught_up) => caught_up,
            Err(error) => {
                if self.confirmed.state.next_index() != before {
                    // Part of it is in the state, and its receipts are not kept.
                    self.confirmed = Confirmed::empty(self.confirmed.state.id().clone());
                    self.recent = Recent::default();
                }
                return Err(error);
            }
        };
        self.behind = false;
        self.batches_since += caught_up.batches.len();
        self.receipts.extend(&caught_up.receipts);
        self.recent.extend(&caught_up);
        if !caught_up.batches.is_empty() {
            self.winner = caught_up.writer;
        }
        self.publish();
        Ok(caught_up.batches)
    }

    fn publish(&mut self) {
        self.published.store(Arc::new(self.confirmed.clone()));
        self.bytes.store(
            self.confirmed.state.size_bytes() + self.receipts.size_bytes() + self.recent.size_bytes(),
            Ordering::Relaxed,
        );
    }

    /// Begins to store a snapshot now and then, and takes note of the one that is stored.
    async fn snapshot_if_due(&mut self) {
        if self.storing.as_ref().is_some_and(|storing| storing.task.is_finished()) {
            self.stored().await;
        }
        // After trouble the state may be empty until it is made anew.
        let events = self.confirmed.state.next_index().saturating_sub(self.snapshot_at);
        let due = events >= SNAPSHOT_EVERY_EVENTS || self.batches_since >= SNAPSHOT_EVERY_BATCHES;
        if due && self.storing.is_none() && Instant::now() >= self.no_snapshot_before {
            self.store();
        }
    }

    /// Stores a snapshot of the state as it is, at the end.
    async fn snapshot(&mut self) {
        self.stored().await;
        if self.confirmed.state.next_index() > self.snapshot_at {
            self.store();
            self.stored().await;
        }
    }

    /// Begins to store a snapshot with the receipts that are not stored yet.
    fn store(&mut self) {
        let (cache, confirmed) = (self.shared.cache.clone(), self.confirmed.clone());
        let fresh = self.receipts.unstored().to_vec();
        let (next_index, batches, receipts) = (confirmed.state.next_index(), self.batches_since, fresh.len());
        let begun = Instant::now();
        let task = tokio::task::spawn_blocking(move || cache.store(&confirmed, &fresh));
        self.storing = Some(Storing { next_index, batches, receipts, begun, task });
    }

    /// Waits for the snapshot that is on its way. Only then may the receipts that went with it be forgotten.
    async fn stored(&mut self) {
        let Some(Storing { next_index, batches, receipts, begun, task }) = self.storing.take() else { return };
        let stored = task.await;
        self.no_snapshot_before = Instant::now() + begun.elapsed() * SNAPSHOT_REST;
        match stored {
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

/// What a writer does next.
enum Next {
    Message(Box<Message>),
    NoMoreForwarding,
    /// Nobody can send to it any more.
    End,
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
