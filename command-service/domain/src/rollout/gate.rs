//! What no command gets around, of rollouts: a version that nobody approved gets no bucket more of a protected label, by no
//! event of no command; and a label does not move under a rollout that runs.

use std::collections::BTreeSet;

use promptory_events::event::Event;
use promptory_events::rollout::Table;
use promptory_events::{Label, PromptId};

use super::about;
use super::running::Rollout;
use crate::rejection::Rejection;
use crate::state::Tenant;

/// The label that an event splits, or splits no longer, or otherwise.
pub(crate) fn splits(event: &Event) -> Option<(PromptId, &Label)> {
    about(event).map(|(prompt, label, _)| (prompt, label))
}

/// A label with a rollout moves only by its completion.
pub(crate) fn holds_still(state: &Tenant, events: &[Event], prompt: PromptId, label: &Label) -> Result<(), Rejection> {
    let completed =
        |event: &Event| matches!(event, Event::RolloutCompleted(e) if e.prompt == prompt && e.label == *label);
    match running(state, prompt, label) {
        Some(running) if !events.iter().any(completed) => {
            Err(Rejection::RolloutRuns { label: label.clone(), rollout: running.id })
        }
        _ => Ok(()),
    }
}

/// Whether an event gives buckets of a protected label, or all of it, only to versions that were approved: the control,
/// those that a release request has allowed in this rollout, and to others no more than they have.
pub(crate) fn is_approved(state: &Tenant, events: &[Event], event: &Event) -> bool {
    let (prompt, label) = match event {
        Event::LabelSet(e) => (e.prompt, &e.label),
        other => match splits(other) {
            Some(about) => about,
            None => return false, // a label that is removed
        },
    };
    let control = state.by_id(prompt).and_then(|prompt| prompt.labels.get(label));
    let none = BTreeSet::new();
    let approved = running(state, prompt, label).map_or(&none, |running| &running.approved);
    let may = |version: u32| Some(version) == control || approved.contains(&version);
    let grows_only_where_it_may = |before: Option<&Table>, after: &Table| {
        let before = before.map(Table::weights).unwrap_or_default();
        after.weights().iter().all(|(version, count)| may(*version) || before.get(version) >= Some(count))
    };
    match event {
        Event::LabelSet(e) => {
            let completes = |event: &Event| matches!(event, Event::RolloutCompleted(c) if c.prompt == prompt && c.label == *label && c.version == e.after);
            events.iter().any(completes) && may(e.after)
        }
        Event::RolloutStarted(e) => grows_only_where_it_may(None, &e.after),
        Event::RolloutAdvanced(e) => grows_only_where_it_may(Some(&e.before), &e.after),
        Event::RolloutResumed(_) => {
            running(state, prompt, label).is_some_and(|running| grows_only_where_it_may(None, &running.table))
        }
        _ => true, // everybody gets the control, or what `label.set` says
    }
}

fn running<'a>(state: &'a Tenant, prompt: PromptId, label: &Label) -> Option<&'a Rollout> {
    state.by_id(prompt)?.rollouts.get(label)
}
