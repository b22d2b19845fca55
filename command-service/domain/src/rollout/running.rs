//! A rollout that runs, as the ledger says it, and which version of it a key gets: the same for deciding and for reading.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::event::Event;
use promptory_events::guard::Guard;
use promptory_events::rollout::{Table, bucket};
use promptory_events::{Label, RolloutId, Timestamp};
use serde::{Deserialize, Serialize};

use super::about;

/// The rollouts of a prompt that run, by label. Most prompts have none, and an empty map takes no memory.
pub type Rollouts = BTreeMap<Label, Rollout>;

/// A rollout that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Which.
    pub id: RolloutId,
    /// Which version each bucket gets.
    pub table: Table,
    /// Whether everybody gets the control for now.
    pub paused: bool,
    /// Versions that a release request has allowed in it.
    pub approved: BTreeSet<u32>,
    /// What no version of it may do.
    pub guards: Vec<Guard>,
    /// Those that were breached, by their places: each acts once.
    pub breached: BTreeSet<u16>,
    /// From when on executions count for the guards.
    pub since: Timestamp,
}

/// What a label with a rollout means for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// Which rollout.
    pub rollout: RolloutId,
    /// The version's number.
    pub version: u32,
    /// The bucket that the key falls into, if there is a key.
    pub bucket: Option<u16>,
}

impl Rollout {
    /// The version that a key gets, of a rollout whose label points to `control`: who has no key gets that, and while it is
    /// paused everybody.
    #[must_use]
    pub fn arm(&self, control: u32, key: Option<&str>) -> Arm {
        let bucket = key.map(|key| bucket(self.id, key));
        let version = bucket.filter(|_| !self.paused).map_or(control, |bucket| self.table.version(bucket));
        Arm { rollout: self.id, version, bucket }
    }
}

/// Takes in an event about a rollout of a prompt. False: it contradicts what is there.
#[must_use]
pub fn evolve(rollouts: &mut Rollouts, event: &Event) -> bool {
    let Some((_, label, rollout)) = about(event) else { return false };
    if let Event::RolloutStarted(e) = event {
        let approved = allowed(e.request.is_some(), &e.after);
        let new = Rollout {
            id: rollout,
            table: e.after.clone(),
            paused: false,
            approved,
            guards: e.guards.clone(),
            breached: BTreeSet::new(),
            since: e.since,
        };
        return rollouts.insert(label.clone(), new).is_none();
    }
    let Some(running) = rollouts.get_mut(label).filter(|running| running.id == rollout) else { return false };
    match event {
        Event::RolloutAdvanced(e) => {
            running.approved.extend(allowed(e.request.is_some(), &e.after));
            running.table = e.after.clone();
        }
        Event::RolloutPaused(_) => running.paused = true,
        Event::RolloutResumed(_) => running.paused = false,
        Event::RolloutBreached(e) => drop(running.breached.insert(e.place)),
        _ => drop(rollouts.remove(label)), // it is over
    }
    true
}

fn allowed(by_request: bool, table: &Table) -> BTreeSet<u32> {
    let versions = table.runs().iter().map(|run| run.version);
    if by_request { versions.collect() } else { BTreeSet::new() }
}
