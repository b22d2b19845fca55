//! Which files each view of a tenant has, and what a commit changes of them. A file is told by the mark of its blob, which
//! follows from the index of the event that brought it: an earlier run's blobs have the same marks.

use std::collections::{BTreeMap, HashMap};

use promptory_events::Timestamp;
use serde_json::{Value, json};

use super::path::{self, Suffix};
use crate::history::{Brought, Commit, Event};

/// A blob in the stream.
pub type Mark = u64;

/// What changes at one path of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The ref.
    pub view: String,
    /// The path.
    pub path: String,
    /// What is there from now on; nothing: it goes.
    pub blob: Option<Mark>,
}

/// The texts, or the only blob of an event.
fn content_mark(event: &Event) -> Mark {
    event.index * 2 + 1
}

/// What goes with a text: configuration, syntax, variables.
fn config_mark(event: &Event) -> Mark {
    event.index * 2 + 2
}

/// The blobs that a commit brings.
pub fn blobs(commit: &Commit) -> Vec<(Mark, Vec<u8>)> {
    let mut blobs = Vec::new();
    for event in &commit.events {
        match (event.kind.as_str(), &event.brought) {
            ("version.added", Some(brought)) if !brought.erased => {
                blobs.push((content_mark(event), content(brought)));
                blobs.push((config_mark(event), pretty(&config(event, brought))));
            }
            ("metadata.set", Some(brought)) if !brought.erased => {
                blobs.push((content_mark(event), pretty(&json!(brought.metadata))));
            }
            ("tags.set", _) => blobs.push((content_mark(event), pretty(&event.detail["after"]))),
            _ => {}
        }
    }
    blobs
}

fn content(brought: &Brought) -> Vec<u8> {
    match (&brought.text, &brought.messages) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, messages) => pretty(&json!(messages)),
    }
}

fn config(event: &Event, brought: &Brought) -> Value {
    let mut config = json!({ "template": event.detail["template"] });
    if let Some(object) = &brought.config {
        config["config"] = json!(object);
    }
    if let Some(variables) = &brought.variables {
        config["variables"] = json!(variables);
    }
    config
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// All prompts of a tenant at a point.
pub struct Prompts {
    suffix: Suffix,
    prompts: HashMap<String, Prompt>,
}

/// A prompt at a point.
#[derive(Debug, Default)]
struct Prompt {
    key: String,
    chat: bool,
    archived: bool,
    /// The blobs of each version, if they were not erased.
    versions: HashMap<u32, [Mark; 2]>,
    heads: BTreeMap<String, u32>,
    labels: BTreeMap<String, u32>,
    tags: Option<Mark>,
    metadata: Option<Mark>,
    counts_from: Option<Timestamp>,
}

type Files = BTreeMap<(String, String), Mark>;

impl Prompts {
    /// Before the first event.
    pub fn new(suffix: Suffix) -> Self {
        Self { suffix, prompts: HashMap::new() }
    }

    /// Takes a commit; gives what it changes, and from when on that counts.
    pub fn take(&mut self, commit: &Commit) -> (Vec<Change>, Option<Timestamp>) {
        let said: Option<Timestamp> = commit.occurred_at.as_ref().unwrap_or(&commit.recorded_at).parse().ok();
        let (mut before, mut after, mut counts_from) = (Files::new(), Files::new(), said);
        let mut about: Vec<&String> = commit.events.iter().filter_map(|event| event.prompt.as_ref()).collect();
        about.dedup();
        for id in about {
            let prompt = self.prompts.entry(id.clone()).or_default();
            before.extend(prompt.files(&self.suffix));
            for event in commit.events.iter().filter(|event| event.prompt.as_ref() == Some(id)) {
                prompt.take(event);
            }
            prompt.counts_from = prompt.counts_from.max(said);
            counts_from = counts_from.max(prompt.counts_from);
            after.extend(prompt.files(&self.suffix));
        }
        (changes(before, &after), counts_from)
    }
}

fn changes(before: Files, after: &Files) -> Vec<Change> {
    let gone = before.iter().filter(|(place, _)| !after.contains_key(*place)).map(|(place, _)| (place, None));
    let new =
        after.iter().filter(|(place, mark)| before.get(*place) != Some(mark)).map(|(place, mark)| (place, Some(*mark)));
    let all = gone.chain(new).map(|((view, path), blob)| Change { view: view.clone(), path: path.clone(), blob });
    all.collect()
}

impl Prompt {
    fn take(&mut self, event: &Event) {
        let name = |field: &str| event.text(field).unwrap_or_default().to_owned();
        if let Some(key) = &event.key {
            self.key.clone_from(key);
        }
        match event.kind.as_str() {
            "prompt.created" => self.chat = event.text("kind") == Some("chat"),
            "version.added" => {
                let number = event.number("number").unwrap_or_default();
                if !event.brought.as_ref().is_some_and(|brought| brought.erased) {
                    self.versions.insert(number, [content_mark(event), config_mark(event)]);
                }
                self.heads.insert(event.text("branch").unwrap_or("main").to_owned(), number);
            }
            "tags.set" => {
                let any = event.detail["after"].as_array().is_some_and(|tags| !tags.is_empty());
                self.tags = any.then(|| content_mark(event));
            }
            "metadata.set" => {
                let erased = event.brought.as_ref().is_some_and(|brought| brought.erased);
                self.metadata = (!erased).then(|| content_mark(event));
            }
            "prompt.archived" => self.archived = true,
            "prompt.restored" => self.archived = false,
            "label.set" => drop(self.labels.insert(name("label"), event.number("after").unwrap_or_default())),
            "label.removed" => drop(self.labels.remove(&name("label"))),
            "branch.created" => drop(self.heads.insert(name("branch"), event.number("head").unwrap_or_default())),
            "branch.closed" => drop(self.heads.remove(&name("branch"))),
            _ => {}
        }
    }

    /// Its files in each view; an archived one has none.
    fn files(&self, suffix: &Suffix) -> Files {
        let mut files = Files::new();
        if self.archived || self.versions.is_empty() {
            return files;
        }
        let path = path::of_key(&self.key, self.chat, suffix);
        let beside = |folder: &str| format!(".promptory/{folder}/{path}.json");
        let labels = self.labels.iter().map(|(label, number)| (format!("label/{}", path::of_ref(label)), *number));
        let heads = self.heads.iter().map(|(branch, number)| match branch.as_str() {
            "main" => ("main".to_owned(), *number),
            branch => (format!("branch/{}", path::of_ref(branch)), *number),
        });
        for (view, number) in heads.chain(labels) {
            if let Some([content, config]) = self.versions.get(&number) {
                files.insert((view.clone(), path.clone()), *content);
                files.insert((view.clone(), beside("config")), *config);
            }
            // Tags and metadata are of the prompt, whichever version is shown.
            if let Some(tags) = self.tags {
                files.insert((view.clone(), beside("tags")), tags);
            }
            if let Some(metadata) = self.metadata {
                files.insert((view.clone(), beside("metadata")), metadata);
            }
        }
        files
    }
}
