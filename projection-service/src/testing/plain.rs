//! The plainest model there is: for each question it reads all events from the first one on.

use std::collections::BTreeMap;

use promptory_events::event::{Event, RolloutCompleted, RolloutRolledBack};
use promptory_events::rollout::BUCKETS;
use promptory_events::{Branch, Label, PromptId, PromptKey, RolloutId, Tag, Timestamp, VersionId};

use super::Told;
use crate::views::catalog::point::Point;
use crate::views::catalog::row::PromptRow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    pub id: PromptId,
    pub key: PromptKey,
    pub archived: bool,
    pub versions: Vec<VersionId>,
    pub main: u32,
    pub branches: BTreeMap<Branch, u32>,
    pub labels: BTreeMap<Label, u32>,
    /// By label: which rollout, which version the last bucket gets, whether it is paused.
    pub rollouts: BTreeMap<Label, (RolloutId, u32, bool)>,
    pub tags: Vec<Tag>,
    pub changed: u64,
    pub effective: Timestamp,
    pub claimed: bool,
    pub acquired: u64,
}

/// All prompts at a point.
pub(crate) fn prompts(told: &[Told], point: Point) -> BTreeMap<PromptId, Plain> {
    let mut prompts: BTreeMap<PromptId, Plain> = BTreeMap::new();
    let mut reached: BTreeMap<PromptId, Timestamp> = BTreeMap::new();
    for Told { index, recorded_at, occurred_at, event } in told.iter().filter(|told| told.index <= point.index) {
        let Some(id) = event.prompt() else { continue };
        let said = occurred_at.unwrap_or(*recorded_at);
        let effective = *reached.entry(id).and_modify(|at| *at = said.max(*at)).or_insert(said);
        if point.time.is_some_and(|time| effective > time) {
            continue;
        }
        if let Event::PromptCreated(created) = event {
            prompts.insert(id, new(id, created.key.clone()));
        }
        let prompt = prompts.get_mut(&id).unwrap();
        (prompt.changed, prompt.effective) = (*index, effective);
        prompt.claimed |= occurred_at.is_some();
        apply(prompt, *index, event);
    }
    prompts
}

fn new(id: PromptId, key: PromptKey) -> Plain {
    Plain {
        id,
        key,
        archived: false,
        versions: vec![],
        main: 0,
        branches: BTreeMap::new(),
        labels: BTreeMap::new(),
        rollouts: BTreeMap::new(),
        tags: vec![],
        changed: 0,
        effective: Timestamp::MIN,
        claimed: false,
        acquired: 0,
    }
}

fn apply(prompt: &mut Plain, index: u64, event: &Event) {
    let mut acquire = |key: &PromptKey| (prompt.key, prompt.acquired) = (key.clone(), index);
    match event {
        Event::PromptCreated(e) => acquire(&e.key),
        Event::PromptRenamed(e) => acquire(&e.after),
        Event::PromptRestored(e) => {
            acquire(&e.key);
            prompt.archived = false;
        }
        Event::PromptArchived(_) => prompt.archived = true,
        Event::VersionAdded(e) => {
            prompt.versions.push(e.version);
            let head = if e.branch.is_main() { &mut prompt.main } else { prompt.branches.get_mut(&e.branch).unwrap() };
            *head = e.number;
        }
        Event::BranchCreated(e) => drop(prompt.branches.insert(e.branch.clone(), e.head)),
        Event::BranchClosed(e) => drop(prompt.branches.remove(&e.branch)),
        Event::TagsSet(e) => prompt.tags.clone_from(&e.after),
        Event::LabelSet(e) => drop(prompt.labels.insert(e.label.clone(), e.after)),
        Event::LabelRemoved(e) => drop(prompt.labels.remove(&e.label)),
        Event::RolloutStarted(e) => {
            prompt.rollouts.insert(e.label.clone(), (e.rollout, e.after.version(BUCKETS - 1), false));
        }
        Event::RolloutAdvanced(e) => {
            prompt.rollouts.get_mut(&e.label).unwrap().1 = e.after.version(BUCKETS - 1);
        }
        Event::RolloutPaused(e) => prompt.rollouts.get_mut(&e.label).unwrap().2 = true,
        Event::RolloutResumed(e) => prompt.rollouts.get_mut(&e.label).unwrap().2 = false,
        Event::RolloutRolledBack(RolloutRolledBack { label, .. })
        | Event::RolloutCompleted(RolloutCompleted { label, .. }) => {
            prompt.rollouts.remove(label);
        }
        _ => {}
    }
}

/// Who held a key: of two the one that got it later.
pub(crate) fn holders(prompts: &BTreeMap<PromptId, Plain>) -> BTreeMap<PromptKey, Plain> {
    let mut holders: BTreeMap<PromptKey, Plain> = BTreeMap::new();
    for prompt in prompts.values().filter(|prompt| !prompt.archived && !prompt.versions.is_empty()) {
        let later = holders.get(&prompt.key).is_none_or(|other| other.acquired < prompt.acquired);
        if later {
            holders.insert(prompt.key.clone(), prompt.clone());
        }
    }
    holders
}

/// A row of the model in the plain model's words.
pub(crate) fn plain(row: &PromptRow, versions: Vec<VersionId>) -> Plain {
    Plain {
        id: row.id,
        key: row.key.clone(),
        archived: row.archived,
        versions,
        main: row.main,
        branches: row.branches.clone(),
        labels: row.labels.clone(),
        rollouts: row
            .rollouts
            .iter()
            .map(|(label, r)| (label.clone(), (r.id, r.table.version(BUCKETS - 1), r.paused)))
            .collect(),
        tags: row.tags.clone(),
        changed: row.changed_index,
        effective: row.effective_at,
        claimed: row.claimed,
        acquired: row.key_since,
    }
}
