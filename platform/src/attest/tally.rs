//! What came again, for each tenant and minute. A tenant takes room for so many kinds of attempts; others are only counted.

use std::collections::{BTreeMap, HashMap, HashSet};

use promptory_events::event::{Attempt, AttemptAgain, AttemptsCounted, Reading};
use promptory_events::{TenantId, Timestamp, limits};

/// Counts of the current minute of each tenant, and of minutes that are over.
#[derive(Debug, Default)]
pub(super) struct Tally {
    windows: HashMap<TenantId, Window>,
    over: Vec<(TenantId, AttemptsCounted)>,
    /// The last minute that anybody asked about.
    asked: Option<Timestamp>,
}

#[derive(Debug)]
struct Window {
    minute: Timestamp,
    seen: HashSet<Attempt>,
    again: BTreeMap<Attempt, u64>,
    others: u64,
    /// Readings that are recorded, as many as are remembered: of another one it is asked again.
    read: HashSet<Reading>,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is the first of its kind here.
    First,
    /// It was counted.
    Counted,
}

impl Window {
    fn new(minute: Timestamp) -> Self {
        Self { minute, seen: HashSet::new(), again: BTreeMap::new(), others: 0, read: HashSet::new() }
    }

    fn count(&mut self, attempt: &Attempt, times: u64) {
        let room = self.again.len() < limits::ATTEMPTS_PER_MINUTE_MAX;
        match self.again.get_mut(attempt) {
            Some(count) => *count += times,
            None if room => drop(self.again.insert(attempt.clone(), times)),
            None => self.others += times,
        }
    }

    fn counted(self) -> Option<AttemptsCounted> {
        let again: Vec<_> = self.again.into_iter().map(|(attempt, times)| AttemptAgain { attempt, times }).collect();
        let any = !again.is_empty() || self.others > 0;
        any.then_some(AttemptsCounted { minute: self.minute, again, others: self.others })
    }
}

impl Tally {
    /// The tenant's window of a minute. A clock that goes back stays in the minute that it was in.
    fn window(&mut self, tenant: &TenantId, minute: Timestamp) -> &mut Window {
        let window = self.windows.entry(tenant.clone()).or_insert_with(|| Window::new(minute));
        if minute > window.minute {
            let before = std::mem::replace(window, Window::new(minute));
            self.over.extend(before.counted().map(|counted| (tenant.clone(), counted)));
        }
        window
    }

    pub(super) fn see(&mut self, tenant: &TenantId, attempt: &Attempt, minute: Timestamp) -> Seen {
        let window = self.window(tenant, minute);
        if window.seen.len() < limits::ATTEMPTS_PER_MINUTE_MAX && window.seen.insert(attempt.clone()) {
            return Seen::First;
        }
        window.count(attempt, 1);
        Seen::Counted
    }

    /// A first one that could not be written: it is counted, and there may be another first one.
    pub(super) fn unsee(&mut self, tenant: &TenantId, attempt: &Attempt, minute: Timestamp) {
        let window = self.window(tenant, minute);
        window.seen.remove(attempt);
        window.count(attempt, 1);
    }

    /// Whether a reading of a minute is known to be recorded.
    pub(super) fn has_read(&mut self, tenant: &TenantId, reading: &Reading, minute: Timestamp) -> bool {
        let window = self.window(tenant, minute);
        // A clock that went back stays in its minute, and what was recorded then is not of this one.
        window.minute == minute && window.read.contains(reading)
    }

    /// A reading was recorded in a minute.
    pub(super) fn note_read(&mut self, tenant: &TenantId, reading: Reading, minute: Timestamp) {
        let window = self.window(tenant, minute);
        if window.minute == minute && window.read.len() < limits::READINGS_PER_MINUTE_MAX {
            window.read.insert(reading);
        }
    }

    pub(super) fn count(&mut self, tenant: &TenantId, attempt: &Attempt, minute: Timestamp, times: u64) {
        self.window(tenant, minute).count(attempt, times);
    }

    pub(super) fn merge(&mut self, tenant: &TenantId, counted: AttemptsCounted, minute: Timestamp) {
        let window = self.window(tenant, minute);
        counted.again.iter().for_each(|again| window.count(&again.attempt, again.times));
        window.others += counted.others;
    }

    /// The counts of minutes before this one. Tenants of which nothing is left take no room any more.
    pub(super) fn take(&mut self, before: Timestamp) -> Vec<(TenantId, AttemptsCounted)> {
        let ended: Vec<TenantId> =
            self.windows.iter().filter(|(_, w)| w.minute < before).map(|(t, _)| t.clone()).collect();
        for tenant in ended {
            let counted = self.windows.remove(&tenant).and_then(Window::counted);
            self.over.extend(counted.map(|counted| (tenant, counted)));
        }
        std::mem::take(&mut self.over)
    }

    /// Whether another minute has begun since this was asked the last time.
    pub(super) fn turns(&mut self, minute: Timestamp) -> bool {
        self.asked.replace(minute).is_none_or(|asked| asked < minute)
    }
}
