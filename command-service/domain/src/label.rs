//! The rules of labels: pointers to versions. `latest` is reserved.

use promptory_events::event::{Event, LabelRemoved, LabelSet};
use promptory_events::{Label, PromptId, VersionId, limits};

use crate::command::Change;
use crate::prompt::{check_match, live};
use crate::rejection::Rejection;
use crate::state::{Labels, Prompt, Tenant};

pub(crate) fn decide(state: &Tenant, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::SetLabel { prompt, label, version, if_match } => {
            let (id, prompt) = live(state, prompt)?;
            set(id, prompt, label, *version, *if_match)
        }
        Change::RemoveLabel { prompt, label, if_match } => {
            let (id, prompt) = live(state, prompt)?;
            remove(id, prompt, label, *if_match)
        }
        _ => Ok(Vec::new()), // not of this family
    }
}

fn set(
    id: PromptId,
    prompt: &Prompt,
    label: &Label,
    version: u32,
    if_match: Option<VersionId>,
) -> Result<Vec<Event>, Rejection> {
    check_match(if_match.and_then(|_| pointed_to(prompt, label)), if_match)?;
    if !prompt.has_version(version) {
        return Err(Rejection::VersionNotFound { asked: version, newest: prompt.newest() });
    }
    moved_to(id, &prompt.labels, std::slice::from_ref(label), version)
}

fn remove(id: PromptId, prompt: &Prompt, label: &Label, if_match: Option<VersionId>) -> Result<Vec<Event>, Rejection> {
    if label.is_latest() {
        return Err(Rejection::LabelReserved);
    }
    check_match(pointed_to(prompt, label), if_match)?;
    let before = prompt.labels.get(label).ok_or_else(|| Rejection::LabelNotFound(label.clone()))?;
    Ok(vec![Event::LabelRemoved(LabelRemoved { prompt: id, label: label.clone(), before })])
}

pub(crate) fn pointed_to(prompt: &Prompt, label: &Label) -> Option<VersionId> {
    prompt.labels.get(label).and_then(|number| prompt.version(number)).map(|version| version.id)
}

/// Moves labels to a version of a prompt that has `current` labels; those that are there already make no event.
pub(crate) fn moved_to(
    id: PromptId,
    current: &Labels,
    labels: &[Label],
    version: u32,
) -> Result<Vec<Event>, Rejection> {
    let mut wanted = labels.to_vec();
    wanted.sort();
    wanted.dedup();
    if wanted.iter().any(Label::is_latest) {
        return Err(Rejection::LabelReserved);
    }
    let new = wanted.iter().filter(|label| current.get(label).is_none()).count();
    if current.len() + new > limits::LABELS_MAX {
        return Err(Rejection::LimitReached { what: "labels".into(), max: limits::LABELS_MAX });
    }
    let moved = wanted.into_iter().filter_map(|label| {
        let before = current.get(&label);
        (before != Some(version)).then_some(LabelSet { prompt: id, label, before, after: version })
    });
    Ok(moved.map(Event::LabelSet).collect())
}

#[cfg(test)]
mod tests;
