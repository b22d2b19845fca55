//! What no command gets around: it looks at the events that any command leads to, whichever it is.
//!
//! A protected label moves only beside the event of a request that has all its approvals, or of a rollback. A prompt takes
//! its labels along when it gets another key, so it goes only where they are protected alike. Nothing that carries a
//! protected label is archived or restored. In a freeze window labels move only if the caller says that they should. A label
//! that is split, or split otherwise, moves as far as that goes; what versions of it need is in [`crate::rollout::gate`].

use promptory_events::event::Event;
use promptory_events::{Label, PromptId, PromptKey, Timestamp};

use crate::rejection::Rejection;
use crate::rollout::gate::{holds_still, is_approved, splits};
use crate::state::Tenant;

/// Lets events through, with a word before them if a freeze was overridden.
pub(crate) fn gate(
    state: &Tenant,
    now: Timestamp,
    override_freeze: bool,
    mut events: Vec<Event>,
) -> Result<Vec<Event>, Rejection> {
    let mut overridden = None;
    let mut gate = Gate { state, key: None };
    for event in &events {
        gate.follow(event)?;
        let (prompt, label) = match event {
            Event::LabelSet(e) => (e.prompt, &e.label),
            Event::LabelRemoved(e) => (e.prompt, &e.label),
            other => match splits(other) {
                Some(split) => split,
                None => continue,
            },
        };
        if splits(event).is_none() {
            holds_still(state, &events, prompt, label)?;
        }
        let Some(key) = gate.key_of(prompt) else { continue };
        if let Some(approvals) = state.book().needed(key.as_str(), label)
            && !by_release(&events, prompt, label)
            && !is_approved(state, &events, event)
        {
            return Err(Rejection::LabelProtected { label: label.clone(), approvals });
        }
        match state.book().frozen(key.as_str(), now) {
            Some(freeze) if !override_freeze => return Err(Rejection::Frozen { until: freeze.until }),
            Some(freeze) => overridden = Some((freeze.freeze, prompt)),
            None => {}
        }
    }
    if let Some((freeze, prompt)) = overridden {
        let said = promptory_events::event::FreezeOverridden { freeze, prompt };
        events.insert(0, Event::FreezeOverridden(said));
    }
    Ok(events)
}

/// Whether the commit says by which release the label moves. Only the rules of releases make these events.
fn by_release(events: &[Event], prompt: PromptId, label: &Label) -> bool {
    events.iter().any(|event| match event {
        Event::ReleaseExecuted(e) => e.prompt == prompt && e.label == *label,
        Event::LabelRolledBack(e) => e.prompt == prompt && e.label == *label,
        _ => false,
    })
}

struct Gate<'a> {
    state: &'a Tenant,
    /// The key that an event of this commit gave a prompt.
    key: Option<(PromptId, PromptKey)>,
}

impl Gate<'_> {
    fn key_of(&self, prompt: PromptId) -> Option<&PromptKey> {
        match &self.key {
            Some((id, key)) if *id == prompt => Some(key),
            _ => self.state.prompt(&crate::PromptRef::Id(prompt)).map(|(_, prompt)| &prompt.key),
        }
    }

    fn follow(&mut self, event: &Event) -> Result<(), Rejection> {
        match event {
            Event::PromptCreated(e) => self.key = Some((e.prompt, e.key.clone())),
            Event::PromptRenamed(e) => {
                self.alike(e.prompt, Some(&e.before), Some(&e.after))?;
                self.key = Some((e.prompt, e.after.clone()));
            }
            Event::PromptArchived(e) => self.alike(e.prompt, Some(&e.key), None)?,
            Event::PromptRestored(e) => {
                self.alike(e.prompt, None, Some(&e.key))?;
                self.key = Some((e.prompt, e.key.clone()));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether every label that a prompt carries needs as much under one key as under the other; without a key nothing.
    fn alike(&self, prompt: PromptId, before: Option<&PromptKey>, after: Option<&PromptKey>) -> Result<(), Rejection> {
        let Some((_, prompt)) = self.state.prompt(&crate::PromptRef::Id(prompt)) else { return Ok(()) };
        for (label, _) in prompt.labels.iter() {
            let needed = |key: Option<&PromptKey>| key.and_then(|key| self.state.book().needed(key.as_str(), label));
            let (before, after) = (needed(before), needed(after));
            if before != after {
                let approvals = before.max(after).unwrap_or_default();
                return Err(Rejection::LabelProtected { label: label.clone(), approvals });
            }
        }
        Ok(())
    }
}
