//! Denied attempts: the first of its kind in a minute gets an event, so many kinds a minute and no more.
//!
//! The state knows the kinds of the current minute, so the bound holds over all replicas and processes together, whoever
//! reports what. What gets no event is counted by whoever reported it.

use promptory_events::event::{Attempt, AttemptDenied, Event};
use promptory_events::{Timestamp, limits};
use rpds::HashTrieSetSync;
use serde::{Deserialize, Serialize};

use crate::command::{Attestation, Context};
use crate::rejection::Rejection;
use crate::state::Tenant;

/// The attempts of the last minute that had any. At most [`limits::ATTEMPTS_PER_MINUTE_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    minute: Timestamp,
    seen: HashTrieSetSync<Attempt>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { minute: Timestamp::MIN, seen: HashTrieSetSync::new_sync() }
    }
}

impl Attempts {
    /// Whether an attempt of a minute gets an event of its own. Minutes never go back.
    #[must_use]
    pub fn is_new(&self, minute: Timestamp, attempt: &Attempt) -> bool {
        minute > self.minute || (self.seen.size() < limits::ATTEMPTS_PER_MINUTE_MAX && !self.seen.contains(attempt))
    }

    pub(crate) fn take(&mut self, denied: &AttemptDenied) {
        if denied.minute > self.minute {
            *self = Self { minute: denied.minute, ..Self::default() };
        }
        self.seen.insert_mut(denied.attempt.clone());
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
    })
}

#[cfg(test)]
mod tests;
