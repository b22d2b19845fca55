//! Versions that became worse than they were: the system says so, once for each episode, if the tenant wants it.

use std::collections::BTreeMap;

use promptory_events::Timestamp;
use promptory_events::event::{EPISODE_MS, Event, VersionDegraded, WatchConfigured};
use promptory_events::guard::{Guard, Measure, WATCH_MIN_SAMPLES};

use crate::command::{Context, PromptRef};
use crate::prompt::live;
use crate::state::Tenant;

/// The day on which a version was last found to be worse in something: of the last week and a little more.
pub type Degraded = BTreeMap<(u32, Measure), Timestamp>;

/// Takes a finding in, and forgets those whose episodes are over.
pub(crate) fn take(degraded: &mut Degraded, found: &VersionDegraded) {
    degraded.retain(|_, day| day.plus_ms(EPISODE_MS) > found.day);
    degraded.insert((found.version, found.measure.clone()), found.day);
}

/// Says whether versions are watched; nothing happens if that is known.
pub(crate) fn configure(state: &Tenant, after: bool) -> Vec<Event> {
    let before = state.watch();
    if before == after { Vec::new() } else { vec![Event::WatchConfigured(WatchConfigured { before, after })] }
}

/// What the system's word leads to that a version became worse: once for each episode, while the tenant has it watched.
pub(crate) fn degraded(state: &Tenant, context: &Context, found: &VersionDegraded) -> Vec<Event> {
    let Ok((_, prompt)) = live(state, &PromptRef::Id(found.prompt)) else { return Vec::new() };
    let last = prompt.degraded.get(&(found.version, found.measure.clone()));
    let again = last.is_some_and(|day| found.day < day.plus_ms(EPISODE_MS));
    let is_worse = Guard::of_watch(found.measure.clone()).is_ok_and(|guard| guard.is_breached_by(&found.figures));
    let enough = found.figures.control.is_some_and(|past| past.samples >= u64::from(WATCH_MIN_SAMPLES));
    let there = prompt.has_version(found.version) && found.day <= context.now;
    if state.watch() && there && is_worse && enough && !again {
        vec![Event::VersionDegraded(found.clone())]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
