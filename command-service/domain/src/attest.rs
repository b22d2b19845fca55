//! Denied attempts and readings of the audit: the first of its kind in a minute gets an event, so many kinds a minute.
//!
//! The state knows the kinds of the current minute, so the bound holds over all replicas and processes together, whoever
//! reports what. An attempt that gets no event is counted by whoever reported it; a reading always has one that covers it.

use std::hash::Hash;

use promptory_events::event::{Attempt, AttemptDenied, AuditRead, Event, Reading};
use promptory_events::{Timestamp, limits};
use rpds::HashTrieSetSync;
use serde::{Deserialize, Serialize};

use crate::command::{Attestation, Context};
use crate::rejection::Rejection;
use crate::rollout;
use crate::state::Tenant;
use crate::watch;

/// The denied attempts of a minute. At most [`limits::ATTEMPTS_PER_MINUTE_MAX`].
pub type Attempts = Kinds<Attempt>;
/// The readings of a minute. At most [`limits::READINGS_PER_MINUTE_MAX`] by their filters.
pub type Readings = Kinds<Reading>;

/// The kinds of the last minute that had any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub struct Kinds<T: Eq + Hash> {
    minute: Timestamp,
    seen: HashTrieSetSync<T>,
}

impl<T: Eq + Hash> Default for Kinds<T> {
    fn default() -> Self {
        Self { minute: Timestamp::MIN, seen: HashTrieSetSync::new_sync() }
    }
}

impl<T: Eq + Hash> Kinds<T> {
    /// Whether one was seen in a minute. Minutes never go back.
    #[must_use]
    pub fn has(&self, minute: Timestamp, kind: &T) -> bool {
        minute <= self.minute && self.seen.contains(kind)
    }

    /// Whether there is room for another one in a minute that takes so many.
    #[must_use]
    pub fn has_room(&self, minute: Timestamp, max: usize) -> bool {
        minute > self.minute || self.seen.size() < max
    }

    fn take(&mut self, minute: Timestamp, kind: T) {
        if minute > self.minute {
            *self = Self { minute, ..Self::default() };
        }
        self.seen.insert_mut(kind);
    }
}

impl Attempts {
    /// Whether an attempt of a minute gets an event of its own.
    #[must_use]
    pub fn is_new(&self, minute: Timestamp, attempt: &Attempt) -> bool {
        self.has_room(minute, limits::ATTEMPTS_PER_MINUTE_MAX) && !self.has(minute, attempt)
    }

    pub(crate) fn denied(&mut self, denied: &AttemptDenied) {
        self.take(denied.minute, denied.attempt.clone());
    }
}

impl Readings {
    /// As what a reading of a minute is recorded; `None` if an event of that minute covers it.
    fn new_as(&self, minute: Timestamp, reading: &Reading) -> Option<Reading> {
        let any = Reading { filter: None, ..reading.clone() };
        if self.has(minute, reading) || self.has(minute, &any) {
            return None;
        }
        Some(if self.has_room(minute, limits::READINGS_PER_MINUTE_MAX) { reading.clone() } else { any })
    }

    pub(crate) fn read(&mut self, read: &AuditRead) {
        self.take(read.minute, read.reading.clone());
    }
}

pub(crate) fn decide(state: &Tenant, context: &Context, attestation: &Attestation) -> Result<Vec<Event>, Rejection> {
    let minute = context.now.minute();
    Ok(match attestation {
        Attestation::Denied(denied) if state.attempts().is_new(minute, &denied.attempt) => {
            vec![Event::AttemptDenied(AttemptDenied { minute, ..denied.clone() })]
        }
        Attestation::Denied(_) => Vec::new(),
        Attestation::Counted(counted) if counted.again.is_empty() && counted.others == 0 => Vec::new(),
        Attestation::Counted(counted) => vec![Event::AttemptsCounted(counted.clone())],
        Attestation::Unauthenticated(_) if !state.id().is_system() => {
            return Err(Rejection::NotInThisLedger(state.id().clone()));
        }
        Attestation::Unauthenticated(counted) if counted.times == 0 => Vec::new(),
        Attestation::Unauthenticated(counted) => vec![Event::UnauthenticatedCounted(counted.clone())],
        Attestation::Read(read) => {
            let recorded = state.readings().new_as(minute, &read.reading);
            let event = |reading| AuditRead { reading, minute, credential: read.credential.clone() };
            let named = if read.reading.form.is_file() { Event::AuditExported } else { Event::AuditRead };
            recorded.map(event).map(named).into_iter().collect()
        }
        Attestation::Breached(breach) => rollout::breached(state, breach),
        Attestation::Degraded(found) => watch::degraded(state, context, found),
    })
}

#[cfg(test)]
mod tests;
