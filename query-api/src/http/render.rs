//! Answers as JSON: pure, so that a body can be kept next to the answer that it was made from.

use std::collections::BTreeMap;

use bytes::Bytes;
use promptory_compare::diff::{ContentDiff, Hunk, KeyChange, MessageChange, Op, Part, TextDiff};
use promptory_events::event::{CommentOn, Kind, Languages, Selector};
use promptory_events::{Position, TenantId};
use promptory_platform::Problem;
use promptory_projection::ask::{
    self, AccessItem, Changed, ChangesAnswer, Comment, Dependent, DiffAnswer, EventRecord, Fork, HoldingsAnswer,
    LabelMove, Listing, Place, PromptAnswer, PromptChange, PromptSummary, RenderedAnswer, StatusAnswer, VersionSummary,
    WhoAnswer,
};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire;

/// Writes any of the bodies.
///
/// # Errors
/// `internal`; in practice none: bodies are plain data with text for keys.
pub fn json(body: &impl Serialize) -> Result<Bytes, Problem> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| defect("an answer can't be written", &error))
}

/// JSON that the read side hands out as text is passed on as it is, if it is JSON.
fn raw(text: &str) -> Result<&RawValue, Problem> {
    serde_json::from_str(text).map_err(|error| defect("the read side handed out text that is no JSON", &error))
}

fn defect(what: &'static str, error: &serde_json::Error) -> Problem {
    // Where, not what: serde's message could quote a prompt.
    tracing::error!(line = error.line(), column = error.column(), "{what}");
    Problem::internal()
}

/// One prompt with one version's text.
///
/// # Errors
/// `internal` if a part of it that should be JSON is none.
pub fn prompt(answer: &PromptAnswer) -> Result<Bytes, Problem> {
    let PromptAnswer { prompt, version: of, content, config, variables, metadata } = answer;
    let chat = prompt.kind == Kind::Chat;
    json(&wire::Prompt {
        id: prompt.id,
        key: &prompt.key,
        kind: prompt.kind,
        archived: prompt.archived,
        text: (!chat).then_some(content),
        messages: if chat { Some(raw(content)?) } else { None },
        config: config.as_deref().map(raw).transpose()?,
        variables: raw(variables)?,
        metadata: metadata.as_deref().map(raw).transpose()?,
        labels: &prompt.labels,
        rollouts: wire::rollouts(&prompt.labels, &prompt.rollouts),
        tags: &prompt.tags,
        versions: prompt.versions,
        latest: prompt.latest,
        branches: &prompt.branches,
        forked_from: prompt.forked_from,
        version: version(of),
        changed_index: prompt.changed_index,
        changed_at: prompt.changed_at,
        effective_at: prompt.effective_at,
        basis: prompt.basis,
    })
}

/// One page of prompts.
///
/// # Errors
/// As [`json`].
pub fn prompts(items: &[PromptSummary], next_cursor: Option<String>, index: Option<u64>) -> Result<Bytes, Problem> {
    json(&wire::PromptPage { prompts: items.iter().map(summary).collect(), next_cursor, index })
}

/// One page of versions.
///
/// # Errors
/// As [`json`].
pub fn versions(items: &[VersionSummary], next_cursor: Option<String>) -> Result<Bytes, Problem> {
    json(&wire::VersionPage { versions: items.iter().map(version).collect(), next_cursor })
}

/// One page of a label's moves.
///
/// # Errors
/// As [`json`].
pub fn moves(items: &[LabelMove], next_cursor: Option<String>) -> Result<Bytes, Problem> {
    json(&wire::MovePage { moves: items.iter().map(label_move).collect(), next_cursor })
}

/// One page of forks.
///
/// # Errors
/// As [`json`].
pub fn forks(items: &[Fork], next_cursor: Option<String>) -> Result<Bytes, Problem> {
    json(&wire::ForkPage { forks: items.iter().map(fork).collect(), next_cursor })
}

/// What a version says.
///
/// # Errors
/// `internal` if messages are no JSON.
pub fn rendered(answer: &RenderedAnswer) -> Result<Bytes, Problem> {
    let RenderedAnswer { prompt, version: of, said, included } = answer;
    let chat = prompt.kind == Kind::Chat;
    json(&wire::Rendered {
        id: prompt.id,
        key: &prompt.key,
        text: (!chat).then_some(said),
        messages: if chat { Some(raw(said)?) } else { None },
        version: version(of),
        included: included.iter().map(|part| wire::IncludedVersion { key: &part.key, version: part.version }).collect(),
    })
}

/// One page of versions that include a prompt.
///
/// # Errors
/// As [`json`].
pub fn dependents(items: &[Dependent], next_cursor: Option<String>) -> Result<Bytes, Problem> {
    json(&wire::DependentPage { dependents: items.iter().map(dependent).collect(), next_cursor })
}

fn dependent(item: &Dependent) -> wire::Dependent<'_> {
    let at = |at: &Selector| match at {
        Selector::Number(number) => Value::from(*number),
        Selector::Label(label) => Value::from(label.as_str()),
    };
    wire::Dependent {
        prompt: summary(&item.prompt),
        version: item.version,
        at: item.at.iter().map(at).collect(),
        labels: &item.labels,
        branches: &item.branches,
        stamp: stamp(&item.stamp),
    }
}

/// One page of events.
///
/// # Errors
/// `internal` if a detail is no JSON.
pub fn events(items: &[EventRecord], next: u64) -> Result<Bytes, Problem> {
    let events = items.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    json(&wire::EventPage { events, next })
}

/// The same events as frames of an event stream, each with its index as id, so that a reader can resume after it.
///
/// # Errors
/// `internal` if a detail is no JSON.
pub fn event_frames(items: &[EventRecord]) -> Result<Bytes, Problem> {
    let mut frames = Vec::with_capacity(items.len() * 512);
    for item in items {
        frames.extend_from_slice(format!("id: {}\nevent: {}\ndata: ", item.stamp.index, item.name).as_bytes());
        // JSON escapes line ends, so the data is one line.
        frames.extend_from_slice(&json(&event(item)?)?);
        frames.extend_from_slice(b"\n\n");
    }
    Ok(frames.into())
}

/// A list about access, under its name.
///
/// # Errors
/// `internal` if an item is no JSON.
pub fn access(what: Listing, items: &[AccessItem], next_cursor: Option<&str>) -> Result<Bytes, Problem> {
    let name = match what {
        Listing::Keys => "keys",
        Listing::Grants => "grants",
        Listing::Groups => "groups",
        Listing::Roles => "roles",
        Listing::Issuers => "issuers",
        Listing::Protections => "protections",
        Listing::Freezes => "freezes",
        Listing::OpenReleases | Listing::Releases => "releases",
    };
    let (items, next) = (json_value(&raws(items)?)?, json_value(&next_cursor)?);
    json(&BTreeMap::from([(name, items), ("next_cursor", next)]))
}

/// Who may do something somewhere.
///
/// # Errors
/// `internal` if an item is no JSON.
pub fn who(
    on: &Place,
    answer: &WhoAnswer,
    position: Option<Position>,
    next_cursor: Option<String>,
) -> Result<Bytes, Problem> {
    let index = position.map(|position| position.index);
    json(&BTreeMap::from([
        ("on", json_value(&on.as_str())?),
        ("at", json_value(&answer.at)?),
        ("index", json_value(&index)?),
        ("who", json_value(&raws(&answer.items)?)?),
        ("next_cursor", json_value(&next_cursor)?),
    ]))
}

/// All that a principal may do.
///
/// # Errors
/// `internal` if a part of it is no JSON.
pub fn holdings(
    answer: &HoldingsAnswer,
    position: Option<Position>,
    next_cursor: Option<String>,
) -> Result<Bytes, Problem> {
    let mut whole = object(&answer.about)?;
    whole.insert("at".into(), json_value(&answer.at)?);
    whole.insert("index".into(), json_value(&position.map(|position| position.index))?);
    whole.insert("grants".into(), json_value(&raws(&answer.grants)?)?);
    whole.insert("next_cursor".into(), json_value(&next_cursor)?);
    json(&whole)
}

/// Whether a principal could do something, and why.
///
/// # Errors
/// `internal` if it is no JSON.
pub fn why(answer: &str, position: Option<Position>) -> Result<Bytes, Problem> {
    let mut whole = object(answer)?;
    whole.insert("index".into(), json_value(&position.map(|position| position.index))?);
    json(&whole)
}

fn raws(items: &[AccessItem]) -> Result<Vec<&RawValue>, Problem> {
    items.iter().map(|item| raw(&item.json)).collect()
}

fn object(text: &str) -> Result<BTreeMap<String, Box<RawValue>>, Problem> {
    serde_json::from_str(text).map_err(|error| defect("the read side handed out text that is no object", &error))
}

/// One page of comments.
///
/// # Errors
/// As [`json`].
pub fn comments(items: &[Comment], next_cursor: Option<String>) -> Result<Bytes, Problem> {
    json(&wire::CommentPage { comments: items.iter().map(comment).collect(), next_cursor })
}

fn comment(item: &Comment) -> wire::Comment<'_> {
    let (version, release) = match item.on {
        CommentOn::Version(number) => (Some(number), None),
        CommentOn::Request(id) => (None, Some(id)),
    };
    wire::Comment { id: item.id, version, release, text: item.text.as_deref(), stamp: stamp(&item.stamp) }
}

fn json_value(value: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    serde_json::value::to_raw_value(value).map_err(|error| defect("an answer can't be written", &error))
}

/// What differs between two versions.
///
/// # Errors
/// `internal` if a message or a value is no JSON.
pub fn diff(answer: &DiffAnswer) -> Result<Bytes, Problem> {
    let DiffAnswer { from, to, comparison } = answer;
    let (mut text, mut messages) = (None, None);
    let equal = match &comparison.content {
        ContentDiff::Text(diff) => {
            text = Some(text_diff(diff));
            diff.hunks.is_empty()
        }
        ContentDiff::Messages(changes) => {
            messages = Some(changes.iter().map(message_change).collect::<Result<Vec<_>, _>>()?);
            changes.iter().all(|change| matches!(change, MessageChange::Equal { .. }))
        }
    };
    let config = comparison.config.iter().map(key_change).collect::<Result<Vec<_>, _>>()?;
    let variables = comparison.variables.iter().map(key_change).collect::<Result<Vec<_>, _>>()?;
    let template = comparison.syntax.map(|change| wire::TemplateChange { from: change.from, to: change.to });
    let equal = equal && config.is_empty() && variables.is_empty() && template.is_none();
    json(&wire::Diff { from: *from, to: *to, equal, text, messages, config, template, variables })
}

/// What changed between two points.
///
/// # Errors
/// `internal` if an event's detail is no JSON.
pub fn changes(
    answer: &ChangesAnswer,
    position: Option<Position>,
    next_cursor: Option<String>,
) -> Result<Bytes, Problem> {
    let (mut prompts, mut settings) = (Vec::new(), Vec::new());
    for item in &answer.items {
        match item {
            Changed::Prompt(changed) => prompts.push(changed_prompt(changed)?),
            Changed::Setting(record) => settings.push(event(record)?),
        }
    }
    let to_index = position.map(|position| position.index);
    json(&wire::ChangePage { from_index: answer.from, to_index, prompts, settings, next_cursor })
}

fn changed_prompt(changed: &PromptChange) -> Result<wire::ChangedPrompt<'_>, Problem> {
    fn steps<K: Ord, V>(map: &BTreeMap<K, ask::Step<V>>) -> BTreeMap<&K, wire::Step<'_, V>> {
        map.iter().map(|(key, step)| (key, step.into())).collect()
    }
    let diff = changed.main.as_ref().and_then(|main| Some((main.from?, main.to?)));
    Ok(wire::ChangedPrompt {
        prompt: changed.prompt,
        kind: changed.kind,
        key: &changed.key,
        created: changed.created,
        renamed: changed.renamed.as_ref().map(Into::into),
        archived: changed.archived.as_ref().map(Into::into),
        versions: changed.versions.as_ref().map(Into::into),
        main: changed.main.as_ref().map(Into::into),
        diff: diff.map(|(from, to)| format!("/v1/prompts/{}/diff?from={from}&to={to}", changed.prompt)),
        labels: steps(&changed.labels),
        branches: steps(&changed.branches),
        rollouts: steps(&changed.rollouts),
        tags: changed.tags.as_ref().map(Into::into),
        metadata: changed.metadata.as_ref().map(Into::into),
        events: changed.events.iter().map(event).collect::<Result<_, _>>()?,
        more: changed.more,
    })
}

/// How a tenant's model stands.
///
/// # Errors
/// As [`json`].
pub fn status(tenant: &TenantId, position: Option<Position>, answer: &StatusAnswer) -> Result<Bytes, Problem> {
    let StatusAnswer { model_digest, prompts, roles, reads } = answer;
    let roles = roles.iter().map(ToString::to_string).collect();
    json(&wire::Status { tenant, position, model_digest, prompts: *prompts, roles, reads })
}

/// What a tenant has and may have.
pub fn quotas(position: Option<Position>, answer: &[ask::QuotaAnswer]) -> Result<Bytes, Problem> {
    let item = |a: &ask::QuotaAnswer| wire::QuotaItem { quota: a.quota.name(), used: a.used, limit: a.limit };
    json(&wire::Quotas { position, quotas: answer.iter().map(item).collect() })
}

/// How a tenant's prompts are searched.
pub fn search_settings(position: Option<Position>, languages: Languages) -> Result<Bytes, Problem> {
    json(&wire::SearchSettings { position, languages })
}

/// Whether a tenant's versions are watched.
pub fn watch_settings(position: Option<Position>, enabled: bool) -> Result<Bytes, Problem> {
    json(&wire::WatchSettings { position, enabled })
}

fn stamp(stamp: &ask::Stamp) -> wire::Stamp<'_> {
    wire::Stamp {
        index: stamp.index,
        command_id: stamp.command_id,
        actor: stamp.actor,
        author: stamp.author.as_ref(),
        recorded_at: stamp.recorded_at,
        occurred_at: stamp.occurred_at,
        message: stamp.message.as_deref(),
        grants: &stamp.grants,
    }
}

fn version(version: &VersionSummary) -> wire::Version<'_> {
    wire::Version {
        id: version.id,
        number: version.number,
        branch: &version.branch,
        parents: &version.parents,
        content_id: version.content_id,
        bytes: version.bytes,
        template: version.syntax,
        includes: version.includes.iter().map(|include| include.written.to_string()).collect(),
        stamp: stamp(&version.stamp),
    }
}

fn summary(prompt: &PromptSummary) -> wire::Summary<'_> {
    wire::Summary {
        id: prompt.id,
        key: &prompt.key,
        kind: prompt.kind,
        archived: prompt.archived,
        versions: prompt.versions,
        latest: prompt.latest,
        branches: &prompt.branches,
        forked_from: prompt.forked_from,
        labels: &prompt.labels,
        rollouts: wire::rollouts(&prompt.labels, &prompt.rollouts),
        tags: &prompt.tags,
        changed_index: prompt.changed_index,
        changed_at: prompt.changed_at,
        effective_at: prompt.effective_at,
        basis: prompt.basis,
    }
}

fn fork(item: &Fork) -> wire::Fork<'_> {
    wire::Fork { of: item.of, prompt: summary(&item.prompt), stamp: stamp(&item.stamp) }
}

fn text_diff(diff: &TextDiff) -> wire::TextDiff<'_> {
    wire::TextDiff { unified: diff.unified(), hunks: diff.hunks.iter().map(hunk).collect() }
}

fn hunk(hunk: &Hunk) -> wire::Hunk<'_> {
    let words = hunk.parts.iter().flat_map(|part| match part {
        Part::Equal(text) => vec![wire::Word { op: Op::Equal, text }],
        Part::Changed(words) => words.iter().map(|word| wire::Word { op: word.op, text: &word.text }).collect(),
    });
    let (words, (from_line, from_lines), (to_line, to_lines)) = (words.collect(), hunk.from, hunk.to);
    wire::Hunk { from_line, from_lines, to_line, to_lines, words }
}

fn message_change(change: &MessageChange) -> Result<wire::MessageChange<'_>, Problem> {
    Ok(match change {
        MessageChange::Equal { from, to, count } => wire::MessageChange::Equal { from: *from, to: *to, count: *count },
        MessageChange::Changed { from, to, text } => {
            wire::MessageChange::Change { from: *from, to: *to, text: text_diff(text) }
        }
        MessageChange::Delete { from, message } => wire::MessageChange::Delete { from: *from, message: raw(message)? },
        MessageChange::Insert { to, message } => wire::MessageChange::Insert { to: *to, message: raw(message)? },
    })
}

fn key_change(change: &KeyChange) -> Result<wire::KeyChange<'_>, Problem> {
    let (from, to) = (change.from.as_deref().map(raw).transpose()?, change.to.as_deref().map(raw).transpose()?);
    Ok(wire::KeyChange { path: &change.path, from, to })
}

fn label_move(item: &LabelMove) -> wire::Move<'_> {
    wire::Move { before: item.before, after: item.after, stamp: stamp(&item.stamp) }
}

fn event(record: &EventRecord) -> Result<wire::Event<'_>, Problem> {
    Ok(wire::Event {
        r#type: &record.name,
        prompt: record.prompt,
        key: record.key.as_ref(),
        detail: raw(&record.detail)?,
        stamp: stamp(&record.stamp),
    })
}

#[cfg(test)]
mod tests;
