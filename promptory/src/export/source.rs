//! The commits of a tenant in order, each with the texts that it brought, from `GET /v1/events` and `GET /v1/prompts/…`.
//!
//! All is as of one point, the model's end when it was opened: what comes later is for the next export.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ExportError, From};
use crate::asking::{Asking, AskingError};
use crate::history::{Brought, Commit, Event, FORMAT, Head};

/// Texts that are asked for at once.
const AT_ONCE: usize = 4;

/// A tenant that is read.
pub struct Source {
    asking: Asking,
    patience: Duration,
    head: Head,
    position: String,
    until: u64,
    next: u64,
    texts: bool,
    open: Option<Commit>,
    ready: VecDeque<Commit>,
}

/// An event as `GET /v1/events` has it.
#[derive(Deserialize)]
struct Told {
    #[serde(flatten)]
    event: Event,
    command_id: String,
    actor: String,
    author: Option<String>,
    recorded_at: String,
    occurred_at: Option<String>,
    message: Option<String>,
    #[serde(default)]
    grants: Vec<u64>,
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Told>,
    next: u64,
}

impl Source {
    /// The tenant of a key, from its first event on.
    ///
    /// # Errors
    /// There is no key, it does not read everything, or the server can't be asked.
    pub fn open(from: &From) -> Result<Self, ExportError> {
        let (key, patience) = (from.server.api_key()?, Duration::from_secs(from.patience));
        let asking = Asking::with_key(&from.server.url, &key);
        let status = asking.get_patiently("/v1/status", patience)?;
        let reads: Vec<String> = serde_json::from_value(status["reads"].clone()).unwrap_or_default();
        if !reads.iter().any(String::is_empty) {
            return Err(ExportError::Part(reads));
        }
        let position = status["position"].as_str().unwrap_or_default();
        let parts = position.rsplit_once('-').and_then(|(life, index)| Some((life.to_owned(), index.parse().ok()?)));
        let (incarnation, until) = parts.ok_or_else(|| ExportError::Answer("it has no position".into()))?;
        let head = Head { format: FORMAT, tenant: key.tenant.to_string(), incarnation };
        let (open, ready) = (None, VecDeque::new());
        Ok(Self { asking, patience, head, position: position.into(), until, next: 0, texts: true, open, ready })
    }

    /// The same, and no text is read.
    #[must_use]
    pub fn without_texts(self) -> Self {
        Self { texts: false, ..self }
    }

    /// The same from an index on.
    #[must_use]
    pub fn starting_at(self, next: u64) -> Self {
        Self { next, ..self }
    }

    /// The same up to and with an index; nothing without one.
    #[must_use]
    pub fn up_to(self, last: Option<u64>) -> Self {
        let next = if last.is_some() { self.next } else { self.until.saturating_add(1) };
        Self { next, until: last.map_or(self.until, |last| last.min(self.until)), ..self }
    }

    /// Whose history it is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The index of the last event that is read.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// The next commit, if there is one.
    ///
    /// # Errors
    /// The server can't be asked, or answers something else.
    pub fn next_commit(&mut self) -> Result<Option<Commit>, ExportError> {
        loop {
            if let Some(commit) = self.ready.pop_front() {
                return Ok(Some(commit));
            }
            if self.next > self.until {
                return Ok(self.open.take());
            }
            self.page()?;
        }
    }

    fn page(&mut self) -> Result<(), ExportError> {
        // `at_least`: the process that answers may be another one, and behind.
        let (next, position) = (self.next, &self.position);
        let answer = self.get(&format!("/v1/events?from={next}&limit=1000&at_least={position}"))?;
        let page: Page = serde_json::from_value(answer).map_err(|error| ExportError::Answer(error.to_string()))?;
        let mut told = page.events;
        told.retain(|told| told.event.index <= self.until);
        if self.texts {
            self.bring(&mut told)?;
        }
        // Where nothing follows, `next` stays what it was.
        self.next = if page.next > self.next { page.next } else { self.until.saturating_add(1) };
        for told in told {
            self.take(told);
        }
        Ok(())
    }

    /// Puts an event to its commit: events of one command stand together, and may be on two pages.
    fn take(&mut self, told: Told) {
        let Told { event, command_id, actor, author, recorded_at, occurred_at, message, grants } = told;
        match &mut self.open {
            Some(open) if open.command_id == command_id => open.events.push(event),
            open => {
                let events = vec![event];
                let commit = Commit { command_id, actor, author, recorded_at, occurred_at, message, grants, events };
                self.ready.extend(open.replace(commit));
            }
        }
    }

    /// Asks for the texts of a page's events, several at once.
    fn bring(&self, told: &mut [Told]) -> Result<(), ExportError> {
        let wanted: Vec<(usize, String)> =
            (0..).zip(&*told).filter_map(|(place, told)| Some((place, self.question(&told.event)?))).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut brought = Vec::new();
            while let Some((place, path)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                brought.push((*place, self.get(path)?));
            }
            Ok::<_, AskingError>(brought)
        };
        let answers: Result<Vec<_>, AskingError> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE.min(wanted.len())).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined.map(|answer| answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        for (place, answer) in answers?.into_iter().flatten() {
            if let Some(told) = told.get_mut(place) {
                told.event.brought = Some(brought(&told.event, answer)?);
            }
        }
        Ok(())
    }

    /// Where the text of an event is, if it has one.
    fn question(&self, event: &Event) -> Option<String> {
        let at = match event.kind.as_str() {
            "version.added" => format!("version={}", event.number("number")?),
            "metadata.set" => format!("as_of={}", event.index),
            _ => return None,
        };
        Some(format!("/v1/prompts/{}?{at}&at_least={}", event.prompt.as_ref()?, self.position))
    }

    /// `null` for what has been erased.
    fn get(&self, path: &str) -> Result<Value, AskingError> {
        match self.asking.get_patiently(path, self.patience) {
            Err(AskingError::Answer(_, 410, problem)) if problem["code"] == "erased" => Ok(Value::Null),
            answer => answer,
        }
    }
}

/// What came with an event, from the answer that has it.
fn brought(event: &Event, mut answer: Value) -> Result<Brought, ExportError> {
    if answer.is_null() {
        return Ok(Brought { erased: true, ..Brought::default() });
    }
    if event.kind == "metadata.set" {
        return Ok(Brought { metadata: object(answer["metadata"].take()), ..Brought::default() });
    }
    if answer["version"]["id"] != event.detail["version"] {
        return Err(ExportError::Answer(format!("event {} has another version than its prompt", event.index)));
    }
    let messages = answer["messages"].as_array_mut().map(std::mem::take);
    let text = answer["text"].as_str().map(str::to_owned);
    if text.is_some() == messages.is_some() {
        return Err(ExportError::Answer(format!("the version of event {} has no content", event.index)));
    }
    let (config, variables) = (object(answer["config"].take()), declared(&answer["variables"]));
    Ok(Brought { text, messages, config, variables, ..Brought::default() })
}

fn object(value: Value) -> Option<Map<String, Value>> {
    if let Value::Object(object) = value { Some(object) } else { None }
}

/// What was declared, from what is said of all variables.
fn declared(variables: &Value) -> Option<Map<String, Value>> {
    let declared = variables.as_object()?.iter().filter(|(_, said)| said["declared"] == true);
    let declared: Map<String, Value> = declared.map(|(name, said)| (name.clone(), declaration(said))).collect();
    (!declared.is_empty()).then_some(declared)
}

fn declaration(said: &Value) -> Value {
    let mut declaration = Map::new();
    for field in ["type", "default", "description"] {
        if let Some(value) = said.get(field) {
            declaration.insert(field.into(), value.clone());
        }
    }
    // What is required without a default is so unless something else was said.
    if said["required"] == false && !declaration.contains_key("default") {
        declaration.insert("required".into(), false.into());
    }
    Value::Object(declaration)
}
