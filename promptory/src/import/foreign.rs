//! Versions that another product keeps become commands: the first of a prompt creates it, the others are added to it, each
//! with its labels. What can't be one here (a label of another form) is left out and told.
//!
//! | module | what it reads |
//! |---|---|
//! | `items` | the values of a JSON file |
//! | `langfuse`, `mlflow` | a file, or the product's API |
//! | `promptlayer`, `table` | a file |
//! | `folder` | a folder of files, beside what the tenant has |

pub mod folder;
mod items;
pub mod langfuse;
pub mod mlflow;
pub mod promptlayer;
pub mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use promptory_command::wire::{Change, Claims, Message, Request};
use promptory_events::event::Syntax;
use promptory_events::{Author, Label, Tag, Timestamp};
use serde_json::{Map, Value};

use super::edit::{Found, Place, Read, idempotency_key};
use super::key;

/// A version of a prompt, wherever it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Version {
    /// What its prompt was called.
    pub name: String,
    /// Its number there.
    pub number: u64,
    /// Its text.
    pub text: Option<String>,
    /// Or its messages.
    pub messages: Option<Vec<Message>>,
    /// Its configuration.
    pub config: Map<String, Value>,
    /// How its content is read, if that is not `simple`.
    pub template: Option<Syntax>,
    /// What points to it.
    pub labels: Vec<String>,
    /// Tags of its prompt; those of all its versions are.
    pub tags: Vec<String>,
    /// Why.
    pub message: Option<String>,
    /// When it was made.
    pub time: Option<Timestamp>,
    /// Who made it, if that is a pseudonym.
    pub author: Option<Author>,
    /// What of it has no place here.
    pub lost: Vec<&'static str>,
}

/// What was read at a place of a source, counted from 1.
pub type Item = (u64, Result<Version, String>);

/// What a source holds, prompt by prompt and version by version.
pub fn reads(source: &'static str, file: &str, items: Vec<Item>, prefix: &str) -> Vec<Read> {
    let (file, mut reads): (Arc<str>, _) = (file.into(), Vec::new());
    let mut say = |line: u64, found: Found| {
        let progress = reads.len() as u64 + 1;
        reads.push(Read { place: Place { file: Arc::clone(&file), line }, found, progress });
    };
    let mut prompts: BTreeMap<String, BTreeMap<u64, (u64, Version)>> = BTreeMap::new();
    for (place, item) in items {
        let version = match item {
            Ok(version) => version,
            Err(why) => {
                say(place, Found::Bad(why));
                continue;
            }
        };
        let prompt = prompts.entry(version.name.clone()).or_default();
        if let Some((first, _)) = prompt.get(&version.number) {
            say(place, Found::Bad(format!("version {} of its prompt is at {first} already", version.number)));
        } else {
            prompt.insert(version.number, (place, version));
        }
    }
    for prompt in prompts.into_values() {
        let mut tags: Vec<String> = Vec::new();
        for tag in prompt.values().flat_map(|(_, version)| &version.tags) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        let mut first = Some(tags);
        for (place, version) in prompt.into_values() {
            let mut lost: Vec<String> = version.lost.iter().map(ToString::to_string).collect();
            let request = request(source, version, first.take(), prefix, &mut lost);
            say(place, Found::Command(Box::new(request)));
            if !lost.is_empty() {
                say(place, Found::Skipped(lost.join("; ")));
            }
        }
    }
    reads
}

/// The command for a version; with the prompt's tags for the first one.
fn request(
    source: &'static str,
    version: Version,
    first: Option<Vec<String>>,
    prefix: &str,
    lost: &mut Vec<String>,
) -> Request {
    let number = version.number.to_string();
    let mut parts = vec![source, &version.name, &number];
    if !prefix.is_empty() {
        parts.push(prefix); // under another prefix it is other prompts
    }
    let claims = Claims {
        idempotency_key: Some(idempotency_key(&parts)),
        message: version.message,
        occurred_at: version.time.map(|time| time.to_string()),
        author: version.author.map(|author| author.to_string()),
        ..Claims::default()
    };
    let own = key::of_path(&version.name);
    let key = format!("{prefix}{own}");
    let config = (!version.config.is_empty()).then_some(version.config);
    let (text, messages, template, variables) = (version.text, version.messages, version.template, None);
    let labels = kept::<Label>(version.labels, "label", lost, |label| label != "latest");
    let change = match first {
        Some(tags) => {
            let tags = kept::<Tag>(tags, "tag", lost, |_| true);
            let title = (own != version.name).then(|| Map::from_iter([("title".into(), version.name.clone().into())]));
            let metadata = title;
            Change::CreatePrompt { key, text, messages, config, template, variables, labels, tags, metadata }
        }
        None => {
            let (prompt, branch) = (key, None);
            Change::AddVersion { prompt, text, messages, config, template, variables, labels, branch }
        }
    };
    Request { claims, change }
}

/// The names that can be one here.
fn kept<T: std::str::FromStr>(
    names: Vec<String>,
    what: &str,
    lost: &mut Vec<String>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<String> {
    let (good, bad): (Vec<String>, Vec<String>) =
        names.into_iter().filter(|name| wanted(name)).partition(|name| name.parse::<T>().is_ok());
    lost.extend(bad.iter().map(|name| format!("{name:?} can't be a {what} here")));
    good
}

/// An object's text.
fn text(value: &Value, field: &str) -> Result<String, String> {
    value[field].as_str().map(str::to_owned).ok_or_else(|| format!("`{field}` is no text"))
}

/// A list of texts; nothing if it is not there.
fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Messages with a role and a text; an item of `type` `placeholder` is one.
fn messages(value: &Value) -> Result<Vec<Message>, String> {
    let items = value.as_array().ok_or("its messages are no list")?;
    let message = |item: &Value| match (item["type"].as_str(), item["role"].as_str(), item["content"].as_str()) {
        (Some("placeholder"), ..) => {
            Ok(Message::Placeholder { r#type: "placeholder".into(), name: text(item, "name")? })
        }
        (_, Some(role), Some(content)) => Ok(Message::Said { role: role.into(), content: content.into() }),
        _ => Err("a message has more than a role and a text".to_owned()),
    };
    items.iter().map(message).collect()
}

/// Who made something, if what stands there is a pseudonym: an address is none.
fn author(value: &Value) -> Option<Author> {
    value.as_str().and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests;
