//! The events of one commit as commands: a new prompt with all that came with it is one, a rename with its version is
//! one, labels that came with a version go with it. Anything else is a command an event.

use promptory_command::wire::{Change, Claims, Message, Pick, Request, Source};
use promptory_events::event::Syntax;
use serde_json::{Map, Value};

use super::{Here, Lines};
use crate::history::{Brought, Commit, Event, Parent};
use crate::import::edit::Found;

/// What a version says.
struct Said {
    text: Option<String>,
    messages: Option<Vec<Message>>,
    config: Option<Map<String, Value>>,
    template: Option<Syntax>,
    variables: Option<Map<String, Value>>,
}

/// A commit that is being taken apart.
struct Parts<'a> {
    lines: &'a mut Lines,
    incarnation: &'a str,
    claims: Claims,
    found: Vec<Found>,
    not_carried: Vec<String>,
}

pub(super) fn found(lines: &mut Lines, incarnation: &str, commit: Commit) -> Vec<Found> {
    let claim = lines.into.claim_recorded;
    let claims = Claims {
        idempotency_key: None,
        if_match: None,
        message: commit.message,
        occurred_at: commit.occurred_at.or_else(|| claim.then_some(commit.recorded_at)),
        author: commit.author.or_else(|| claim.then_some(commit.actor)),
        override_freeze: false,
    };
    let mut parts = Parts { lines, incarnation, claims, found: Vec::new(), not_carried: Vec::new() };
    let mut rest = commit.events.as_slice();
    while let Some((event, after)) = rest.split_first() {
        let folded = parts.take(event, after);
        rest = after.get(folded..).unwrap_or_default();
    }
    if !parts.not_carried.is_empty() {
        parts.found.push(Found::Skipped(format!("not carried: {}", parts.not_carried.join(", "))));
    }
    parts.found
}

impl Parts<'_> {
    /// Takes an event; gives how many of those behind it went with it.
    fn take(&mut self, event: &Event, after: &[Event]) -> usize {
        let (change, folded) = match event.kind.as_str() {
            "prompt.created" => self.created(event, after),
            "version.added" => self.version(event, after),
            "prompt.renamed" => self.renamed(event, after),
            "tags.set" | "metadata.set" | "prompt.archived" | "prompt.restored" | "label.set" | "label.removed"
            | "branch.created" | "branch.closed" => (self.simple(event), 0),
            "command.unchanged" => return 0, // it says that nothing happened
            other => {
                self.not_carried.push(other.to_owned());
                return 0;
            }
        };
        match change {
            Ok((change, if_match)) => self.send(event, change, if_match),
            Err(why) => {
                if matches!(event.kind.as_str(), "prompt.created" | "version.added") || folded > 0 {
                    // The numbers of its later versions would be others, so nothing more of it is imported.
                    self.lines.prompts.insert(event.prompt.clone().unwrap_or_default(), Here::Lost);
                }
                self.found.push(Found::Bad(format!("event {}, {}: {why}", event.index, event.kind)));
            }
        }
        folded
    }

    fn send(&mut self, event: &Event, change: Change, if_match: Option<String>) {
        let key = self.lines.key_of(self.incarnation, event.index);
        let claims = Claims { idempotency_key: Some(key), if_match, ..self.claims.clone() };
        self.found.push(Found::Command(Box::new(Request { claims, change })));
    }

    fn created(&mut self, event: &Event, after: &[Event]) -> (Made, usize) {
        let Some((first, rest)) = after.split_first().filter(|(first, _)| first.kind == "version.added") else {
            return (Err("no first version comes with it".into()), 0);
        };
        let (tags, rest) = fold(rest, "tags.set");
        let (metadata, rest) = fold(rest, "metadata.set");
        let labels = labels(rest, 1);
        let folded = 1 + usize::from(tags.is_some()) + usize::from(metadata.is_some()) + labels.len();
        (self.new_prompt(event, first, tags, metadata, labels), folded)
    }

    fn new_prompt(
        &mut self,
        event: &Event,
        first: &Event,
        tags: Option<&Event>,
        metadata: Option<&Event>,
        labels: Vec<String>,
    ) -> Made {
        let key = self.key(event.key.as_deref())?;
        let tags = tags.map(tags_of).transpose()?.unwrap_or_default();
        let metadata = metadata.map(metadata_of).transpose()?;
        let change = match first.parents().first() {
            None => {
                let Said { text, messages, config, template, variables } = said(first)?;
                Change::CreatePrompt { key, text, messages, config, template, variables, labels, tags, metadata }
            }
            Some(origin) => {
                let from = Pick { version: Some(origin.number), ..Pick::default() };
                let prompt = self.lines.prompt(Some(&origin.prompt))?;
                Change::ForkPrompt { prompt, from, key, labels, tags, metadata }
            }
        };
        let id = self.lines.command_id(&self.lines.key_of(self.incarnation, event.index));
        let prompt = event.prompt.clone().ok_or("it names no prompt")?;
        self.lines.prompts.insert(prompt, Here::Id(id.prompt().to_string()));
        self.made(first, event.index);
        Ok((change, None))
    }

    fn version(&mut self, event: &Event, after: &[Event]) -> (Made, usize) {
        let labels = event.number("number").map_or_else(Vec::new, |number| labels(after, number));
        let folded = labels.len();
        let made = self.new_version(event, labels);
        if made.is_ok() {
            self.made(event, event.index);
        }
        (made, folded)
    }

    fn new_version(&self, event: &Event, labels: Vec<String>) -> Made {
        let prompt = self.lines.prompt(event.prompt.as_deref())?;
        let Said { text, messages, config, template, variables } = said(event)?;
        let branch = event.text("branch").filter(|branch| *branch != "main").map(str::to_owned);
        let parents = event.parents();
        let [head, merged] = parents.as_slice() else {
            return Ok((
                Change::AddVersion { prompt, text, messages, config, template, variables, labels, branch },
                None,
            ));
        };
        // What came of the merge is known, so nothing is left to be merged here: it is told what is to stand there.
        let from = self.merged(event, merged)?;
        let template = template.or(Some(Syntax::Simple));
        let head = self.lines.versions.get(&head.version).cloned().ok_or("the version that it follows is not here")?;
        let change = Change::Merge { prompt, branch, from, text, messages, config, template, variables, labels };
        Ok((change, Some(head)))
    }

    fn merged(&self, event: &Event, merged: &Parent) -> Result<Source, String> {
        let other = (event.prompt.as_deref() != Some(&merged.prompt)).then_some(merged.prompt.as_str());
        let prompt = other.map(|other| self.lines.prompt(Some(other))).transpose()?;
        Ok(Source { prompt, version: Some(merged.number), ..Source::default() })
    }

    fn renamed(&mut self, event: &Event, after: &[Event]) -> (Made, usize) {
        let version = after.first().filter(|next| next.kind == "version.added" && next.parents().len() == 1);
        let made = self.rename(event, version);
        if let (Ok(_), Some(version)) = (&made, version) {
            self.made(version, event.index);
        }
        (made, usize::from(version.is_some()))
    }

    fn rename(&self, event: &Event, version: Option<&Event>) -> Made {
        let prompt = self.lines.prompt(event.prompt.as_deref())?;
        let to = self.key(event.text("after"))?;
        let nothing = Said { text: None, messages: None, config: None, template: None, variables: None };
        let Said { text, messages, config, template, variables } = version.map(said).transpose()?.unwrap_or(nothing);
        Ok((Change::RenamePrompt { prompt, to, text, messages, config, template, variables }, None))
    }

    fn simple(&self, event: &Event) -> Made {
        let prompt = self.lines.prompt(event.prompt.as_deref())?;
        let name = |field: &str| event.text(field).map(str::to_owned).ok_or_else(|| format!("it has no {field}"));
        let number = |field: &str| event.number(field).ok_or_else(|| format!("it has no {field}"));
        let change = match event.kind.as_str() {
            "tags.set" => Change::SetTags { prompt, tags: tags_of(event)?, from: None },
            "metadata.set" => Change::SetMetadata { prompt, metadata: metadata_of(event)? },
            "prompt.archived" => Change::ArchivePrompt { prompt },
            "prompt.restored" => Change::RestorePrompt { prompt, key: Some(self.key(event.text("key"))?) },
            "label.set" => Change::SetLabel { prompt, label: name("label")?, version: number("after")? },
            "label.removed" => Change::RemoveLabel { prompt, label: name("label")? },
            "branch.created" => {
                let from = Pick { version: Some(number("head")?), ..Pick::default() };
                Change::CreateBranch { prompt, branch: name("branch")?, from }
            }
            "branch.closed" => Change::CloseBranch { prompt, branch: name("branch")? },
            other => return Err(format!("{other} is no command")),
        };
        Ok((change, None))
    }

    /// Remembers the id that a version gets from the command that begins at an event.
    fn made(&mut self, version: &Event, index: u64) {
        if let Some(source) = version.text("version") {
            let id = self.lines.command_id(&self.lines.key_of(self.incarnation, index)).version();
            self.lines.versions.insert(source.to_owned(), id.to_string());
        }
    }

    fn key(&self, key: Option<&str>) -> Result<String, String> {
        let key = key.ok_or("it names no key")?;
        Ok(format!("{}{key}", self.lines.into.prefix))
    }
}

/// A command and what it needs to find.
type Made = Result<(Change, Option<String>), String>;

/// The next event, if it is of this kind, and what comes behind it.
fn fold<'a>(events: &'a [Event], kind: &str) -> (Option<&'a Event>, &'a [Event]) {
    match events.split_first() {
        Some((first, rest)) if first.kind == kind => (Some(first), rest),
        _ => (None, events),
    }
}

/// The labels that the next events set on a version.
fn labels(events: &[Event], version: u32) -> Vec<String> {
    let set = events.iter().take_while(|event| event.kind == "label.set" && event.number("after") == Some(version));
    set.filter_map(|event| event.text("label").map(str::to_owned)).collect()
}

fn tags_of(event: &Event) -> Result<Vec<String>, String> {
    serde_json::from_value(event.detail["after"].clone()).map_err(|_| "its tags are no list of texts".into())
}

fn brought(event: &Event) -> Result<&Brought, String> {
    let brought = event.brought.as_ref().ok_or("what it brought is not there")?;
    if brought.erased { Err("what it brought has been erased".into()) } else { Ok(brought) }
}

fn metadata_of(event: &Event) -> Result<Map<String, Value>, String> {
    brought(event)?.metadata.clone().ok_or_else(|| "its metadata is not there".into())
}

fn said(event: &Event) -> Result<Said, String> {
    let brought = brought(event)?.clone();
    let messages = brought.messages.map(|messages| messages.into_iter().map(serde_json::from_value).collect());
    let messages = messages.transpose().map_err(|_| "its messages are none")?;
    let template = match event.text("template") {
        None | Some("simple") => None,
        Some(_) => serde_json::from_value(event.detail["template"].clone()).map_err(|_| "its template is unknown")?,
    };
    Ok(Said { text: brought.text, messages, config: brought.config, template, variables: brought.variables })
}
