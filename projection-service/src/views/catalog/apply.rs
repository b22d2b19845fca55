//! One event: how it changes the state, and which rows say so.

use promptory_domain::rollout::running;
use promptory_events::event::{Event, VersionAdded};
use promptory_events::{Credential, PromptId, PromptKey, Timestamp};

use super::row::{CommitRefOut, HolderRow, PromptRow, encode, encode_event};
use super::stage::Staged;
use super::trail::Trail;
use super::{Broken, access, releases};
use crate::hot::Hot;
use crate::store::key::Key;
pub(super) use crate::views::fold::Step;

/// Applies one event: the next one, by the caller's word.
pub(super) fn apply(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>) -> Result<(), Broken> {
    hot.quotas.take(step.event);
    let row = match step.event.prompt() {
        Some(id) => Some(prompt_event(hot, staged, step, id)?),
        None => {
            access::apply(hot, staged, step)?;
            releases::apply(hot, staged, step)?;
            settings(hot, staged, step);
            None
        }
    };
    if step.index == step.first
        && let Credential::ApiKey { key, .. } = step.commit.evidence.credential
    {
        hot.access.wrote.insert_mut(key, step.recorded_at);
    }
    let commit = if step.index == step.first { CommitRefOut::Here(step.commit) } else { CommitRefOut::At(step.first) };
    let value = encode_event(step.recorded_at, &commit, row.as_ref().map(|(row, _)| row), step.bytes);
    staged.put(&mut hot.sum, &Key::Event(step.index), value);
    if let Some((row, before)) = row {
        hot.put(row, before.as_ref());
    }
    Ok(())
}

/// The prompt after the event, and the key that it held before it.
fn prompt_event(
    hot: &mut Hot,
    staged: &mut Staged,
    step: &Step<'_>,
    id: PromptId,
) -> Result<(PromptRow, Option<PromptKey>), Broken> {
    let known = hot.prompt(id);
    let before = known.filter(|row| !row.archived).map(|row| row.key.clone());
    let mut row = match (known, step.event) {
        (None, Event::PromptCreated(event)) => created(step, id, &event.key, event.kind),
        (Some(row), event) if !matches!(event, Event::PromptCreated(_)) => {
            let mut row = PromptRow::clone(row);
            row.trail.push(row.changed_index);
            row
        }
        (None, _) => return Err(step.broken("its prompt is not known")),
        (Some(_), _) => return Err(step.broken("its prompt is there already")),
    };
    // Effective time never goes back within a prompt: what is claimed to lie before the last event happened after it.
    let said = step.commit.occurred_at.unwrap_or(step.recorded_at);
    row.effective_at = row.effective_at.max(said);
    row.claimed |= step.commit.occurred_at.is_some();
    (row.changed_index, row.changed_at) = (step.index, step.recorded_at);
    change(hot, staged, step, &mut row)?;
    Ok((row, before))
}

fn created(step: &Step<'_>, id: PromptId, key: &PromptKey, kind: promptory_events::event::Kind) -> PromptRow {
    PromptRow {
        id,
        key: key.clone(),
        kind,
        archived: false,
        versions: 0,
        latest: None,
        main: 0,
        on_main: 0,
        branches: std::collections::BTreeMap::new(),
        forked_from: None,
        labels: std::collections::BTreeMap::new(),
        rollouts: running::Rollouts::new(),
        tags: Vec::new(),
        metadata: None,
        changed_index: step.index,
        changed_at: step.recorded_at,
        effective_at: Timestamp::MIN,
        claimed: false,
        key_since: step.index,
        key_effective: Timestamp::MIN,
        trail: Trail::default(),
    }
}

fn change(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, row: &mut PromptRow) -> Result<(), Broken> {
    match step.event {
        Event::PromptCreated(event) => acquire(hot, staged, step, row, &event.key)?,
        Event::PromptRenamed(event) => {
            release(hot, staged, step, row)?;
            acquire(hot, staged, step, row, &event.after)?;
        }
        Event::PromptArchived(_) => {
            release(hot, staged, step, row)?;
            row.archived = true;
        }
        Event::PromptRestored(event) => {
            if !row.archived {
                return Err(step.broken("its prompt is not archived"));
            }
            row.archived = false;
            acquire(hot, staged, step, row, &event.key)?;
        }
        Event::VersionAdded(event) => add_version(hot, staged, step, row, event)?,
        Event::TagsSet(event) => row.tags.clone_from(&event.after),
        Event::MetadataSet(_) => row.metadata = Some(step.index),
        Event::LabelSet(event) => {
            row.labels.insert(event.label.clone(), event.after);
            staged.put(&mut hot.sum, &Key::Move(row.id, event.label.clone(), step.index), Vec::new());
        }
        Event::LabelRemoved(event) => {
            row.labels.remove(&event.label);
            staged.put(&mut hot.sum, &Key::Move(row.id, event.label.clone(), step.index), Vec::new());
        }
        Event::BranchCreated(event) => drop(row.branches.insert(event.branch.clone(), event.head)),
        Event::BranchClosed(event) => drop(row.branches.remove(&event.branch)),
        other if running::evolve(&mut row.rollouts, other) => {}
        _ => return Err(step.broken("its prompt has no such rollout")),
    }
    Ok(())
}

fn add_version(
    hot: &mut Hot,
    staged: &mut Staged,
    step: &Step<'_>,
    row: &mut PromptRow,
    event: &VersionAdded,
) -> Result<(), Broken> {
    if event.number != row.versions + 1 {
        return Err(step.broken("its version is not the next one"));
    }
    row.versions = event.number;
    if event.branch.is_main() {
        (row.latest, row.main) = (Some(event.version), event.number);
        row.on_main += 1;
    } else {
        *row.branches.get_mut(&event.branch).ok_or_else(|| step.broken("its branch is not open"))? = event.number;
    }
    // Only the first version of a fork has a parent.
    if let (1, [origin, ..]) = (event.number, event.parents.as_slice()) {
        row.forked_from = Some(*origin);
        staged.put(&mut hot.sum, &Key::Fork(origin.prompt, step.index), Vec::new());
    }
    let included: std::collections::BTreeSet<PromptId> = event.includes.iter().map(|include| include.prompt).collect();
    for prompt in included {
        staged.put(&mut hot.sum, &Key::Dependent(prompt, step.index), Vec::new());
    }
    Ok(())
}

/// The prompt gets a key that nobody holds.
fn acquire(
    hot: &mut Hot,
    staged: &mut Staged,
    step: &Step<'_>,
    row: &mut PromptRow,
    key: &PromptKey,
) -> Result<(), Broken> {
    if hot.holder(key).is_some_and(|holder| holder.id != row.id) {
        return Err(step.broken("another prompt holds the key"));
    }
    row.key = key.clone();
    (row.key_since, row.key_effective) = (step.index, row.effective_at);
    let holder = HolderRow { prompt: row.id, effective_at: row.effective_at, released: None };
    staged.put(&mut hot.sum, &Key::Holder(key.clone(), step.index), encode(&holder));
    Ok(())
}

/// What holds for the tenant as a whole: a row for each change, so that any point finds its own.
fn settings(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>) {
    if let Event::SearchConfigured(e) = step.event {
        staged.put(&mut hot.sum, &Key::Languages(step.index), encode(&e.after));
        hot.languages = e.after;
    }
    if let Event::WatchConfigured(e) = step.event {
        staged.put(&mut hot.sum, &Key::Watch(step.index), encode(&e.after));
        hot.watch = e.after;
    }
}

/// The prompt lets its key go. The row that said it holds the key follows from the state, so nothing is read.
fn release(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, row: &PromptRow) -> Result<(), Broken> {
    if row.archived {
        return Err(step.broken("its prompt holds no key"));
    }
    let mut holder = HolderRow { prompt: row.id, effective_at: row.key_effective, released: None };
    let before = encode(&holder);
    holder.released = Some((step.index, row.effective_at));
    staged.replace(&mut hot.sum, &Key::Holder(row.key.clone(), row.key_since), &before, encode(&holder));
    Ok(())
}
