//! The rules of prompts and versions.

use promptory_events::event::{
    Event, Kind, MetadataSet, PromptArchived, PromptCreated, PromptRenamed, PromptRestored, TagsSet, VersionAdded,
};
use promptory_events::{Content, ContentBody, ContentId, PromptId, PromptKey, Tag, VersionId, limits};

use crate::command::{Change, Context, Material, NewVersion, PromptRef};
use crate::label;
use crate::rejection::Rejection;
use crate::state::{Prompt, Tenant};

/// The live prompt that a command names.
pub(crate) fn live<'a>(state: &'a Tenant, which: &PromptRef) -> Result<(PromptId, &'a Prompt), Rejection> {
    let (id, prompt) = any(state, which)?;
    if prompt.archived { Err(Rejection::PromptArchived) } else { Ok((id, prompt)) }
}

fn any<'a>(state: &'a Tenant, which: &PromptRef) -> Result<(PromptId, &'a Prompt), Rejection> {
    state.prompt(which).ok_or_else(|| {
        Rejection::PromptNotFound(match which {
            PromptRef::Key(key) => key.to_string(),
            PromptRef::Id(id) => id.to_string(),
        })
    })
}

/// If-Match holds when it names the current version or is not there.
pub(crate) fn check_match(current: Option<VersionId>, if_match: Option<VersionId>) -> Result<(), Rejection> {
    match if_match {
        Some(wanted) if current != Some(wanted) => Err(Rejection::PreconditionFailed { current }),
        _ => Ok(()),
    }
}

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::CreatePrompt { key, kind, version, tags, metadata } => {
            create(state, context, key, *kind, version, tags, metadata.as_ref())
        }
        Change::AddVersion { prompt, kind, version, if_match } => {
            let (id, prompt) = matching(state, prompt, *if_match)?;
            add_version(context, id, prompt, *kind, version)
        }
        Change::RenamePrompt { prompt, to, version, if_match } => {
            let (id, prompt) = matching(state, prompt, *if_match)?;
            rename(state, context, id, prompt, to, version.as_ref())
        }
        Change::SetTags { prompt, tags, if_match } => {
            let (id, prompt) = matching(state, prompt, *if_match)?;
            set_tags(id, &prompt.tags, tags)
        }
        Change::SetMetadata { prompt, metadata, if_match } => {
            let (id, prompt) = matching(state, prompt, *if_match)?;
            Ok(set_metadata(id, prompt, metadata))
        }
        Change::ArchivePrompt { prompt, if_match } => {
            let (id, prompt) = any(state, prompt)?;
            archive(id, prompt, *if_match)
        }
        Change::RestorePrompt { prompt, key } => restore(state, *prompt, key.as_ref()),
        _ => Ok(Vec::new()), // not of this family
    }
}

fn matching<'a>(
    state: &'a Tenant,
    which: &PromptRef,
    if_match: Option<VersionId>,
) -> Result<(PromptId, &'a Prompt), Rejection> {
    let (id, prompt) = live(state, which)?;
    check_match(prompt.newest_version(), if_match)?;
    Ok((id, prompt))
}

fn free(state: &Tenant, key: &PromptKey) -> Result<(), Rejection> {
    match state.holder(key) {
        Some(_) => Err(Rejection::KeyTaken(key.clone())),
        None => Ok(()),
    }
}

fn create(
    state: &Tenant,
    context: &Context,
    key: &PromptKey,
    kind: Kind,
    version: &NewVersion,
    tags: &[Tag],
    metadata: Option<&Material>,
) -> Result<Vec<Event>, Rejection> {
    free(state, key)?;
    let id = context.command_id.prompt();
    let mut events = vec![Event::PromptCreated(PromptCreated { prompt: id, key: key.clone(), kind })];
    events.push(first_version(context, id, version));
    events.extend(set_tags(id, &[], tags)?);
    if let Some(metadata) = metadata {
        let after = inline(metadata);
        events.push(Event::MetadataSet(MetadataSet { prompt: id, before: None, after }));
    }
    events.extend(label::moved_to(id, &std::collections::BTreeMap::new(), &version.labels, 1)?);
    Ok(events)
}

fn first_version(context: &Context, id: PromptId, version: &NewVersion) -> Event {
    Event::VersionAdded(VersionAdded {
        prompt: id,
        version: context.command_id.version(),
        number: 1,
        parents: Vec::new(),
        before: None,
        content: inline(&version.content),
        config: version.config.as_ref().map(inline),
    })
}

fn add_version(
    context: &Context,
    id: PromptId,
    prompt: &Prompt,
    kind: Kind,
    version: &NewVersion,
) -> Result<Vec<Event>, Rejection> {
    if kind != prompt.kind {
        return Err(Rejection::KindMismatch { expected: prompt.kind });
    }
    let number = prompt.newest().saturating_add(1);
    let mut events = vec![Event::VersionAdded(VersionAdded {
        prompt: id,
        version: context.command_id.version(),
        number,
        parents: prompt.newest_version().into_iter().collect(),
        before: prompt.newest_content,
        content: stored(prompt, &version.content),
        config: version.config.as_ref().map(|config| stored(prompt, config)),
    })];
    events.extend(label::moved_to(id, &prompt.labels, &version.labels, number)?);
    Ok(events)
}

fn rename(
    state: &Tenant,
    context: &Context,
    id: PromptId,
    prompt: &Prompt,
    to: &PromptKey,
    version: Option<&(Kind, NewVersion)>,
) -> Result<Vec<Event>, Rejection> {
    let mut events = Vec::new();
    if *to != prompt.key {
        free(state, to)?;
        let (before, after) = (prompt.key.clone(), to.clone());
        events.push(Event::PromptRenamed(PromptRenamed { prompt: id, before, after }));
    }
    if let Some((kind, version)) = version {
        events.extend(add_version(context, id, prompt, *kind, version)?);
    }
    Ok(events)
}

fn set_tags(id: PromptId, before: &[Tag], tags: &[Tag]) -> Result<Vec<Event>, Rejection> {
    let mut after = tags.to_vec();
    after.sort();
    after.dedup();
    if after.len() > limits::TAGS_MAX {
        return Err(Rejection::LimitReached { what: "tags".into(), max: limits::TAGS_MAX });
    }
    if after == before {
        return Ok(Vec::new());
    }
    Ok(vec![Event::TagsSet(TagsSet { prompt: id, before: before.to_vec(), after })])
}

fn set_metadata(id: PromptId, prompt: &Prompt, metadata: &Material) -> Vec<Event> {
    if prompt.metadata == Some(metadata.id) {
        return Vec::new();
    }
    let after = stored(prompt, metadata);
    vec![Event::MetadataSet(MetadataSet { prompt: id, before: prompt.metadata, after })]
}

fn archive(id: PromptId, prompt: &Prompt, if_match: Option<VersionId>) -> Result<Vec<Event>, Rejection> {
    if prompt.archived {
        return Ok(Vec::new());
    }
    check_match(prompt.newest_version(), if_match)?;
    Ok(vec![Event::PromptArchived(PromptArchived { prompt: id, key: prompt.key.clone() })])
}

fn restore(state: &Tenant, id: PromptId, key: Option<&PromptKey>) -> Result<Vec<Event>, Rejection> {
    let (id, prompt) = any(state, &PromptRef::Id(id))?;
    if !prompt.archived {
        return Err(Rejection::PromptNotArchived);
    }
    let key = key.unwrap_or(&prompt.key).clone();
    free(state, &key)?;
    Ok(vec![Event::PromptRestored(PromptRestored { prompt: id, key })])
}

fn inline(material: &Material) -> Content {
    Content { id: material.id, bytes: material.bytes, body: ContentBody::Inline(material.sealed.clone()) }
}

/// Equal content inside a prompt is stored once: later events point to the event that carries it.
fn stored(prompt: &Prompt, material: &Material) -> Content {
    let body = held_at(prompt, material.id).map(ContentBody::At);
    body.map_or_else(|| inline(material), |body| Content { id: material.id, bytes: material.bytes, body })
}

fn held_at(prompt: &Prompt, id: ContentId) -> Option<u64> {
    prompt.contents.get(&id).copied()
}

#[cfg(test)]
mod tests;
