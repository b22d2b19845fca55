//! Quotas: what a tenant has and may have, counted with every event, and the gate that a command's events pass.
//!
//! The counts are in the state that the append is guarded with, so a quota holds to the last one over any number of
//! replicas. Commands a minute are no matter of state: the door of each process counts them.

use promptory_events::event::{Event, KeyRevoked, Quota, QuotaSet};
use promptory_events::{Content, ContentBody};
use serde::{Deserialize, Serialize};

use crate::command::{Change, Presented};
use crate::rejection::Rejection;
use crate::state::Tenant;

const COUNT: usize = Quota::ALL.len();

/// What a tenant has and may have. Small, and copied without a thought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    used: [u64; COUNT],
    limits: [Option<u64>; COUNT],
}

impl Quotas {
    /// How much there is; none for what is not counted in the state.
    #[must_use]
    pub fn used(&self, quota: Quota) -> Option<u64> {
        (quota != Quota::CommandsPerMinute).then(|| self.used[quota as usize])
    }

    /// How much there may be; none: any.
    #[must_use]
    pub fn limit(&self, quota: Quota) -> Option<u64> {
        self.limits[quota as usize]
    }

    /// Takes an event in.
    pub fn take(&mut self, event: &Event) {
        let inline = |content: &Content| match content.body {
            ContentBody::Inline(_) => u64::from(content.bytes),
            ContentBody::At(_) => 0,
        };
        self.add(Quota::StoredBytes, event.contents().map(inline).sum());
        match event {
            Event::PromptCreated(_) | Event::PromptRestored(_) => self.add(Quota::Prompts, 1),
            Event::PromptArchived(_) => self.drop_one(Quota::Prompts),
            Event::VersionAdded(_) => self.add(Quota::Versions, 1),
            Event::PrincipalAdded(_) => self.add(Quota::Principals, 1),
            Event::KeyIssued(_) => self.add(Quota::ApiKeys, 1),
            // One that goes with an overlap is there until its time is over, and counts until it is revoked for good, once.
            Event::KeyRevoked(KeyRevoked { from: None, .. }) => self.drop_one(Quota::ApiKeys),
            Event::QuotaSet(e) => self.limits[e.quota as usize] = e.after,
            _ => {}
        }
    }

    fn add(&mut self, quota: Quota, more: u64) {
        self.used[quota as usize] += more;
    }

    fn drop_one(&mut self, quota: Quota) {
        self.used[quota as usize] = self.used[quota as usize].saturating_sub(1);
    }
}

/// Lets the events of a command pass that take nothing beyond its quota. What is over its quota already, because that was
/// lowered, may become less and not more. Operators pass: they let an owner in who finds the tenant full.
pub(crate) fn gate(state: &Tenant, presented: &Presented, events: &[Event]) -> Result<(), Rejection> {
    if matches!(presented, Presented::Operator { .. } | Presented::System) {
        return Ok(());
    }
    let before = state.quotas();
    let mut after = *before;
    events.iter().for_each(|event| after.take(event));
    for quota in Quota::ALL {
        let (used, will_use) = (before.used[quota as usize], after.used[quota as usize]);
        match before.limit(quota) {
            Some(limit) if will_use > used && will_use > limit => {
                return Err(Rejection::QuotaExceeded { quota, limit, used, more: will_use - used });
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn decide(state: &Tenant, change: &Change) -> Result<Vec<Event>, Rejection> {
    let Change::SetQuota { quota, limit } = change else { return Ok(Vec::new()) };
    let before = state.quotas().limit(*quota);
    let set = QuotaSet { quota: *quota, before, after: *limit };
    Ok(if before == *limit { Vec::new() } else { vec![Event::QuotaSet(set)] })
}

#[cfg(test)]
mod tests;
