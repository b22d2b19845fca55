//! A writer that lost two races in a row hands its queue to the winner for some seconds.
//!
//! The handing over runs beside the writer, which goes on with what others forward to it: two that forward to each other
//! never wait for each other. What comes back unanswered says since when it may be in the ledger, and is decided here.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use promptory_domain::Presented;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Job, Message, QUEUE_JOBS, Writer, bytes_of};
use crate::failure::Failure;
use crate::forward::{Exchange, FORWARDED_MAX, FORWARDED_MAX_BYTES, Forwarded};
use crate::gather::Gathered;
use crate::load::Confirmed;

/// Races lost in a row after which the winner gets the queue.
const LOSSES: u32 = 2;
/// For how long.
const FOR: Duration = Duration::from_secs(3);

/// The queue's way to a winner. Once it is dropped, what is on its way is still answered or comes back.
#[derive(Debug)]
pub(super) struct Forwarding {
    to: String,
    pub(super) until: Instant,
    jobs: mpsc::Sender<Job>,
    task: JoinHandle<()>,
}

impl Forwarding {
    /// Ends it; what is not answered is back in the writer's queue then.
    pub(super) async fn end(self) {
        drop(self.jobs);
        let _ = self.task.await;
    }
}

impl Writer {
    /// After a lost race: whether the winner gets the queue from now on.
    pub(super) fn begins_forwarding(&mut self) -> bool {
        let Some(exchange) = self.shared.exchange.clone() else { return false };
        if self.losses < LOSSES || self.forwarding.is_some() || !exchange.is_another(&self.winner) {
            return false;
        }
        // A writer that ends takes nothing back.
        let Some(back) = self.queue.upgrade().filter(|queue| !queue.is_closed()) else { return false };
        self.losses = 0;
        metrics::counter!("promptory_forwardings_total").increment(1);
        tracing::debug!(tenant = %self.confirmed.state.id(), to = self.winner, "the queue goes to the winner");
        let (jobs, inbox) = mpsc::channel(QUEUE_JOBS);
        let way = Way { exchange, to: self.winner.clone(), published: self.published.clone(), back };
        let task = tokio::spawn(way.run(inbox));
        self.forwarding = Some(Forwarding { to: self.winner.clone(), until: Instant::now() + FOR, jobs, task });
        true
    }

    /// From now on this replica writes again.
    pub(super) fn ends_forwarding(&mut self) {
        self.forwarding = None;
        self.behind = true; // the winner has written meanwhile
    }

    /// Hands jobs over that the winner may have; gives those back that are to be written here.
    pub(super) fn hand_over(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let Some(forwarding) = &self.forwarding else { return jobs };
        let over = jobs.iter().any(|job| job.came_back)
            || forwarding.until <= Instant::now()
            // Of two that forward to each other one writes: the one with the smaller address.
            || jobs.iter().any(|job| job.from.as_deref() == Some(&forwarding.to) && *self.shared.address < *forwarding.to);
        if over {
            self.ends_forwarding();
            return jobs;
        }
        let mut here = Vec::new();
        for job in jobs {
            let one = std::slice::from_ref(&job);
            let fits = bytes_of(one) <= FORWARDED_MAX_BYTES && count(one) <= 2 * FORWARDED_MAX;
            // What the system itself does, it does in its own process.
            let own = job.items.iter().any(|item| item.presented == Presented::System);
            if !fits || own || job.items.iter().any(|item| item.since.is_some()) {
                here.push(job);
                continue;
            }
            match forwarding.jobs.try_send(job) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) => here.push(job),
            }
        }
        here
    }
}

/// What the handing over needs.
struct Way {
    exchange: Exchange,
    to: String,
    published: Arc<ArcSwap<Confirmed>>,
    back: mpsc::Sender<Message>,
}

impl Way {
    async fn run(self, mut inbox: mpsc::Receiver<Job>) {
        let mut lost = false;
        while let Some(job) = inbox.recv().await {
            let mut jobs = vec![job];
            // As in the writer: what has come while the last request was under way goes with the next.
            while bytes_of(&jobs) < FORWARDED_MAX_BYTES && count(&jobs) < FORWARDED_MAX {
                match inbox.try_recv() {
                    Ok(job) => jobs.push(job),
                    Err(_) => break,
                }
            }
            if lost {
                jobs.into_iter().for_each(|job| self.give_back(job));
            } else {
                lost = !self.forward(jobs).await;
            }
        }
    }

    /// Sends jobs to the winner and answers them with what comes of them. False: the winner is not to be asked again.
    async fn forward(&self, mut jobs: Vec<Job>) -> bool {
        let confirmed = self.published.load_full();
        // Nobody can have written these before now: their ids are from this process, or receipts are kept of them.
        let since = Some(confirmed.state.next_index());
        jobs.iter_mut().flat_map(|job| &mut job.items).for_each(|item| item.since = since);
        let items: Vec<Gathered> = jobs.iter().flat_map(|job| job.items.iter().cloned()).collect();
        let tenant = confirmed.state.id().clone();
        drop(confirmed);
        metrics::counter!("promptory_forwarded_total").increment(items.len() as u64);
        let forwarded = Forwarded { tenant, from: self.exchange.address().to_string(), items };
        let mut answers = match self.exchange.send(&self.to, &forwarded).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::info!(tenant = %forwarded.tenant, to = self.to, error, "forwarded commands come back");
                jobs.into_iter().for_each(|job| self.give_back(job));
                return false;
            }
        };
        // What the winner could not do for reasons of its own stands at the end: that is decided here.
        let done = answers.iter().rposition(|answer| !matches!(answer, Err(failure) if failure.is_of_the_writer()));
        answers.truncate(done.map_or(0, |last| last + 1));
        let all_done = answers.len() == forwarded.items.len();
        let mut answers = answers.into_iter();
        for mut job in jobs {
            let rest = job.items.split_off(answers.len().min(job.items.len()));
            for (item, mut answer) in job.items.drain(..).zip(answers.by_ref()) {
                if let Ok(outcome) = &mut answer
                    && !outcome.replayed
                {
                    outcome.api_key = item.secret; // it did not travel
                }
                job.done.push(answer);
            }
            job.items = rest;
            if job.items.is_empty() { job.answer() } else { self.give_back(job) }
        }
        all_done
    }

    fn give_back(&self, mut job: Job) {
        job.came_back = true;
        if let Err(error) = self.back.try_send(Message::Job(job)) {
            let (mpsc::error::TrySendError::Full(message) | mpsc::error::TrySendError::Closed(message)) = error;
            let Message::Job(mut job) = message else { return };
            let unknown = job.items.drain(..).map(|_| Err(Failure::OutcomeUnknown));
            job.done.extend(unknown);
            job.answer();
        }
    }
}

fn count(jobs: &[Job]) -> usize {
    jobs.iter().map(|job| job.items.len()).sum()
}
