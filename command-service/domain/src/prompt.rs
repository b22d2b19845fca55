//! The rules of prompts and versions.

use promptory_events::event::{
    Event, Include, Kind, MetadataSet, PromptArchived, PromptCreated, PromptRenamed, PromptRestored, TagsSet,
    VersionAdded, VersionRef,
};
use promptory_events::{Branch, Content, ContentBody, ContentId, PromptId, PromptKey, Tag, VersionId, limits};

use crate::branch::head;
use crate::command::{Change, Context, Material, NewVersion, PromptRef};
use crate::rejection::Rejection;
use crate::state::{Prompt, Tenant};
use crate::{include, label};

/// The live prompt that a command names.
pub(crate) fn live<'a>(state: &'a Tenant, which: &PromptRef) -> Result<(PromptId, &'a Prompt), Rejection> {
    let (id, prompt) = any(state, which)?;
    if prompt.archived { Err(Rejection::PromptArchived) } else { Ok((id, prompt)) }
}

pub(crate) fn any<'a>(state: &'a Tenant, which: &PromptRef) -> Result<(PromptId, &'a Prompt), Rejection> {
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
            let includes = include::resolve(state, &version.template.includes)?;
            let (kind, metadata, origin) = (*kind, metadata.as_ref(), None);
            create(state, context, key, &New { kind, version, includes, tags, metadata, origin })
        }
        Change::AddVersion { prompt, kind, version, branch, if_match } => {
            let (id, prompt) = live(state, prompt)?;
            let (_, head) = head(prompt, branch)?;
            check_match(Some(head.id), *if_match)?;
            add_version(state, context, (id, prompt), branch, *kind, version)
        }
        Change::RenamePrompt { prompt, to, version, if_match } => {
            let (id, prompt) = matching(state, prompt, *if_match)?;
            rename(state, context, id, prompt, to, version.as_ref())
        }
        Change::SetTags { prompt, tags, from, if_match } => {
            let (id, prompt) = matching(state, prompt, *if_match)?;
            if from.as_ref().is_some_and(|from| sorted(from) != prompt.tags) {
                return Err(Rejection::TagsMoved);
            }
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
    check_match(prompt.latest().map(|version| version.id), if_match)?;
    Ok((id, prompt))
}

pub(crate) fn free(state: &Tenant, key: &PromptKey) -> Result<(), Rejection> {
    match state.holder(key) {
        Some(_) => Err(Rejection::KeyTaken(key.clone())),
        None => Ok(()),
    }
}

/// What a new prompt begins with.
pub(crate) struct New<'a> {
    pub kind: Kind,
    pub version: &'a NewVersion,
    /// What it includes.
    pub includes: Vec<Include>,
    pub tags: &'a [Tag],
    pub metadata: Option<&'a Material>,
    /// The version that it is a fork of, with its content.
    pub origin: Option<(VersionRef, ContentId)>,
}

pub(crate) fn create(
    state: &Tenant,
    context: &Context,
    key: &PromptKey,
    new: &New<'_>,
) -> Result<Vec<Event>, Rejection> {
    free(state, key)?;
    let id = context.command_id.prompt();
    let mut events = vec![Event::PromptCreated(PromptCreated { prompt: id, key: key.clone(), kind: new.kind })];
    events.push(first_version(context, id, new));
    events.extend(set_tags(id, &[], new.tags)?);
    if let Some(metadata) = new.metadata {
        let after = inline(metadata);
        events.push(Event::MetadataSet(MetadataSet { prompt: id, before: None, after }));
    }
    events.extend(label::moved_to(id, &crate::state::Labels::default(), &new.version.labels, 1)?);
    Ok(events)
}

fn first_version(context: &Context, id: PromptId, new: &New<'_>) -> Event {
    let version = new.version;
    Event::VersionAdded(VersionAdded {
        prompt: id,
        version: context.command_id.version(),
        number: 1,
        branch: Branch::main(),
        parents: new.origin.iter().map(|(origin, _)| *origin).collect(),
        before: new.origin.map(|(_, content)| content),
        content: inline(&version.content),
        config: version.config.as_ref().map(inline).map(Box::new),
        syntax: version.template.syntax,
        variables: version.template.variables.as_ref().map(inline).map(Box::new),
        includes: new.includes.clone(),
    })
}

fn add_version(
    state: &Tenant,
    context: &Context,
    to: (PromptId, &Prompt),
    branch: &Branch,
    kind: Kind,
    version: &NewVersion,
) -> Result<Vec<Event>, Rejection> {
    add_merged_version(state, context, to, branch, kind, version, None)
}

/// A version that may have a second parent: one that was merged into it.
pub(crate) fn add_merged_version(
    state: &Tenant,
    context: &Context,
    (id, prompt): (PromptId, &Prompt),
    branch: &Branch,
    kind: Kind,
    version: &NewVersion,
    merged: Option<VersionRef>,
) -> Result<Vec<Event>, Rejection> {
    if kind != prompt.kind {
        return Err(Rejection::KindMismatch { expected: prompt.kind });
    }
    let includes = include::resolve(state, &version.template.includes)?;
    let (parent, head) = head(prompt, branch)?;
    let number = prompt.newest().saturating_add(1);
    let parents = vec![VersionRef { prompt: id, number: parent, version: head.id }];
    let held = |object: Option<&Material>| object.map(|object| Box::new(stored(prompt, object)));
    let mut events = vec![Event::VersionAdded(VersionAdded {
        prompt: id,
        version: context.command_id.version(),
        number,
        branch: branch.clone(),
        parents: parents.into_iter().chain(merged).collect(),
        before: Some(head.content),
        content: stored(prompt, &version.content),
        config: held(version.config.as_ref()),
        syntax: version.template.syntax,
        variables: held(version.template.variables.as_ref()),
        includes,
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
        events.extend(add_version(state, context, (id, prompt), &Branch::main(), *kind, version)?);
    }
    Ok(events)
}

/// Each once, in order: as a prompt has them.
fn sorted(tags: &[Tag]) -> Vec<Tag> {
    let mut tags = tags.to_vec();
    tags.sort();
    tags.dedup();
    tags
}

fn set_tags(id: PromptId, before: &[Tag], tags: &[Tag]) -> Result<Vec<Event>, Rejection> {
    let after = sorted(tags);
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
    check_match(prompt.latest().map(|version| version.id), if_match)?;
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
