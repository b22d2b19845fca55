//! Edits become commands: the only place that knows both.
//!
//! What the server would refuse for its form is refused here already, with the place it was read at, and leaves no trace
//! in what is remembered: a later rename never takes a text for sent that was not.

use std::collections::HashMap;

use promptory_command::wire::{self, Claims, Request};
use promptory_events::{PromptKey, limits};
use serde_json::Map;
use sha2::{Digest, Sha256};

use super::edit::{Change, Edit};
use super::key;

/// Maps the edits of one source, in order.
#[derive(Debug)]
pub struct Mapper {
    prefix: String,
    held: HashMap<String, Held>,
}

/// What is known of a live key.
#[derive(Debug)]
struct Held {
    /// The path that it stands for, if that is not the key itself.
    path: Option<String>,
    /// SHA-256 of its newest text.
    text: [u8; 32],
}

/// A path's key, and the path itself if the key had to be changed.
struct Named {
    key: String,
    path: Option<String>,
}

impl Mapper {
    /// A mapper that puts `prefix` before every key.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: key::of_path(prefix).into_owned(), held: HashMap::new() }
    }

    /// Forgets what is live: another source follows.
    pub fn next_source(&mut self) {
        self.held.clear();
    }

    /// The command for an edit.
    ///
    /// # Errors
    /// Why there can be none, without any prompt text.
    pub fn map(&mut self, edit: Edit) -> Result<Request, String> {
        check_sizes(&edit)?;
        let idempotency_key = edit.idempotency_key(&self.prefix);
        let named = self.named(&edit.path)?;
        let change = self.change(named, edit.change, edit.title)?;
        let claims = Claims {
            idempotency_key: Some(idempotency_key),
            if_match: None,
            message: edit.message,
            occurred_at: Some(edit.time.to_string()),
            author: edit.author.map(|author| author.to_string()),
            override_freeze: false,
        };
        Ok(Request { claims, change })
    }

    fn change(&mut self, named: Named, change: Change, title: Option<String>) -> Result<wire::Change, String> {
        Ok(match change {
            Change::Create { text } => {
                self.check_holder(&named)?;
                let metadata =
                    title.or_else(|| named.path.clone()).map(|t| Map::from_iter([("title".into(), t.into())]));
                self.hold(&named, sha256(&text));
                let (key, text) = (named.key, Some(text));
                wire::Change::CreatePrompt {
                    key,
                    text,
                    messages: None,
                    config: None,
                    template: None,
                    variables: None,
                    labels: vec![],
                    tags: vec![],
                    metadata,
                }
            }
            Change::Edit { text } => {
                self.check_holder(&named)?;
                self.hold(&named, sha256(&text));
                let (prompt, text) = (named.key, Some(text));
                wire::Change::AddVersion {
                    prompt,
                    text,
                    messages: None,
                    config: None,
                    template: None,
                    variables: None,
                    labels: vec![],
                    branch: None,
                }
            }
            Change::Delete => {
                self.check_holder(&named)?;
                self.held.remove(&named.key);
                wire::Change::ArchivePrompt { prompt: named.key }
            }
            Change::Rename { from, text } => self.rename(&from, named, text)?,
        })
    }

    /// A text that the prompt has already is left out: a rename alone makes no version.
    fn rename(&mut self, from: &str, to: Named, text: Option<String>) -> Result<wire::Change, String> {
        let from = self.named(from)?;
        self.check_holder(&from)?;
        if from.key != to.key {
            self.check_holder(&to)?;
        }
        let before = self.held.remove(&from.key).map(|held| held.text);
        let text = text.filter(|text| before != Some(sha256(text)));
        if let Some(after) = text.as_deref().map(sha256).or(before) {
            self.hold(&to, after);
        }
        let (prompt, to) = (from.key, to.key);
        let (messages, config, template, variables) = (None, None, None, None);
        Ok(wire::Change::RenamePrompt { prompt, to, text, messages, config, template, variables })
    }

    fn named(&self, path: &str) -> Result<Named, String> {
        let own = key::of_path(path);
        let key = format!("{}{own}", self.prefix);
        key.parse::<PromptKey>().map_err(|error| format!("the key of the path {path:?} {error}"))?;
        Ok(Named { key, path: (own != path).then(|| path.to_owned()) })
    }

    /// Two paths can become one key; the second must not write into the first one's prompt.
    fn check_holder(&self, named: &Named) -> Result<(), String> {
        match self.held.get(&named.key) {
            Some(held) if held.path != named.path => {
                Err(format!("its key {:?} stands for another path already", named.key))
            }
            _ => Ok(()),
        }
    }

    fn hold(&mut self, named: &Named, text: [u8; 32]) {
        self.held.insert(named.key.clone(), Held { path: named.path.clone(), text });
    }
}

fn check_sizes(edit: &Edit) -> Result<(), String> {
    let text = edit.change.text().map_or(0, str::len);
    let message = edit.message.as_ref().map_or(0, String::len);
    for (what, bytes, max) in
        [("text", text, limits::CONTENT_MAX_BYTES), ("message", message, limits::MESSAGE_MAX_BYTES)]
    {
        if bytes > max {
            return Err(format!("its {what} has {bytes} bytes; at most {max} are allowed"));
        }
    }
    Ok(())
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests;
