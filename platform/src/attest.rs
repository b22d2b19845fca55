//! The one port for what is attested: of attempts that led to nothing, and of who reads the audit. Bounded everywhere: who
//! attacks fills counters, no queue and no ledger.
//!
//! Of each tenant's attempts the first of its kind in a minute is handed on at once and waited for; what comes again is
//! counted, and the counts are handed on when the minute is over. The command service writes both. Whoever is let in and
//! refused nothing never comes here.

mod tally;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use promptory_events::event::{
    Attempt, AttemptDenied, AttemptsCounted, AuditRead, Door, RolloutBreached, UnauthenticatedCounted, VersionDegraded,
};
use promptory_events::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::Clock;
use tally::{Seen, Tally};

/// First attempts and readings on their way at once.
const FIRSTS_MAX: usize = 1024;
/// How long a refusal waits until its attempt is recorded, and a reader until he is.
const WAIT: Duration = Duration::from_secs(5);

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attested {
    /// The first attempt of its kind that this process has seen in a minute.
    Denied(TenantId, AttemptDenied),
    /// How often attempts came again.
    Counted(TenantId, AttemptsCounted),
    /// How many requests showed a key that opens nothing.
    Unauthenticated(UnauthenticatedCounted),
    /// Somebody is about to read the audit.
    Read(TenantId, AuditRead),
    /// A guard of a rollout was breached.
    Breached(TenantId, RolloutBreached),
    /// A version became worse than it was.
    Degraded(TenantId, VersionDegraded),
}

/// The port. Clones share what was counted. The default goes nowhere.
#[derive(Clone, Debug, Default)]
pub struct Attestor(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    tally: Mutex<Tally>,
    unauthenticated: AtomicU64,
    firsts: mpsc::Sender<First>,
}

impl Inner {
    /// Hands something on and waits until it is durable; whether it is.
    async fn write(&self, attested: Attested) -> bool {
        let (recorded, told) = oneshot::channel();
        let sent = self.firsts.try_send(First { attested, recorded }).is_ok();
        let written = sent && matches!(tokio::time::timeout(WAIT, told).await, Ok(Ok(())));
        if !written {
            metrics::counter!("promptory_attestations_late_total").increment(1);
        }
        written
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A first attempt or a reading, and who waits until it is recorded.
#[derive(Debug)]
pub struct First {
    /// What is to be written.
    pub attested: Attested,
    /// Told once it is durable; dropped if it could not be written.
    pub recorded: oneshot::Sender<()>,
}

impl Attestor {
    /// A port, and what comes out of it.
    #[must_use]
    pub fn new(clock: Clock) -> (Self, mpsc::Receiver<First>) {
        let (firsts, out) = mpsc::channel(FIRSTS_MAX);
        let inner = Inner { clock, tally: Mutex::default(), unauthenticated: AtomicU64::new(0), firsts };
        (Self(Some(Arc::new(inner))), out)
    }

    /// An attempt was denied. Returns when that is recorded if it is the first of its kind, at once else. One that can't be
    /// recorded now is counted, and the next one of its kind is the first again.
    pub async fn denied(&self, tenant: &TenantId, denied: AttemptDenied) {
        let door = match denied.door {
            Door::Command => "command",
            Door::Question => "question",
        };
        metrics::counter!("promptory_denied_total", "door" => door).increment(1);
        let Some(inner) = &self.0 else { return };
        let minute = inner.clock.now().minute();
        if inner.tally().see(tenant, &denied.attempt, minute) == Seen::Counted {
            return;
        }
        let attempt = denied.attempt.clone();
        if !inner.write(Attested::Denied(tenant.clone(), denied)).await {
            inner.tally().unsee(tenant, &attempt, minute);
        }
    }

    /// Somebody is about to read the audit. Returns whether that is recorded: what is not is not to be read.
    pub async fn read(&self, tenant: &TenantId, read: AuditRead) -> bool {
        let Some(inner) = &self.0 else { return true };
        let minute = inner.clock.now().minute();
        if inner.tally().has_read(tenant, &read.reading, minute) {
            return true;
        }
        let reading = read.reading.clone();
        let recorded = inner.write(Attested::Read(tenant.clone(), read)).await;
        if recorded {
            inner.tally().note_read(tenant, reading, minute);
        }
        recorded
    }

    /// An attempt was denied that has an event already, or can have none in this minute.
    pub fn again(&self, tenant: &TenantId, attempt: &Attempt, times: u64) {
        if let Some(inner) = &self.0 {
            inner.tally().count(tenant, attempt, inner.clock.now().minute(), times);
        }
    }

    /// A key opened nothing.
    pub fn unauthenticated(&self) {
        metrics::counter!("promptory_unauthenticated_total").increment(1);
        if let Some(inner) = &self.0 {
            inner.unauthenticated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts of the minutes that are over, or all that there are. What can't be written is given back by
    /// [`Attestor::give_back`].
    #[must_use]
    pub fn take(&self, all: bool) -> Vec<Attested> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let minute = inner.clock.now().minute();
        let counted = inner.tally().take(if all { Timestamp::MAX } else { minute });
        let mut taken: Vec<_> =
            counted.into_iter().map(|(tenant, counted)| Attested::Counted(tenant, counted)).collect();
        if all || inner.tally().turns(minute) {
            let times = inner.unauthenticated.swap(0, Ordering::Relaxed);
            let counted = UnauthenticatedCounted { minute, times };
            taken.extend((times > 0).then_some(Attested::Unauthenticated(counted)));
        }
        taken
    }

    /// Counts that could not be written are counted with those of the current minute.
    pub fn give_back(&self, attested: Attested) {
        let Some(inner) = &self.0 else { return };
        match attested {
            Attested::Counted(tenant, counted) => inner.tally().merge(&tenant, counted, inner.clock.now().minute()),
            Attested::Unauthenticated(counted) => {
                inner.unauthenticated.fetch_add(counted.times, Ordering::Relaxed);
            }
            Attested::Denied(tenant, denied) => self.again(&tenant, &denied.attempt, 1),
            // It was not read; the others are found again.
            Attested::Read(..) | Attested::Breached(..) | Attested::Degraded(..) => {}
        }
    }
}

#[cfg(test)]
mod tests;
