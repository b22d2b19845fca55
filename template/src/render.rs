//! What contents say together, once their variables have values.

mod values;

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Serde, Value as EngineValue};
use minijinja::{Environment, Error, ErrorKind};
use promptory_events::event::{Kind, Syntax, Written};
use promptory_events::limits::{RENDER_OUTPUT_MAX_BYTES, RENDER_STEPS_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat::{self, Item, Message};
use crate::engine;
use crate::inspect::engine_said;
use crate::simple::{Piece, pieces, to_jinja};
use crate::stack::deep;
use crate::variables::Declared;

/// One version of those that are rendered together. The first is the one that was asked for.
#[derive(Clone, Debug)]
pub struct Part {
    /// What its content is.
    pub kind: Kind,
    /// How it is read.
    pub syntax: Syntax,
    /// The content: text, or a chat's messages as JSON.
    pub content: String,
    /// The variables that it declares.
    pub declared: Declared,
    /// What it includes, and which part that is; `None` if there is no such version, or none to be seen.
    pub includes: Vec<(Written, Option<usize>)>,
}

/// Why nothing is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Of these variables, by name.
    Variables(Vec<Fault>),
    /// A content can't be rendered with these values.
    Failed {
        /// Where.
        place: Place,
        /// Why.
        reason: String,
    },
    /// What a content includes is not there.
    NotIncluded {
        /// Where.
        place: Place,
        /// What it includes, as it is written there.
        written: String,
    },
    /// It takes or says too much.
    Limit {
        /// Of what.
        what: String,
        /// How much is allowed.
        max: u64,
    },
}

/// Where in which part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which part.
    pub part: usize,
    /// Of a chat: which message, from 0 on.
    pub message: Option<usize>,
    /// The line in it, from 1 on.
    pub line: Option<usize>,
}

/// What is wrong with one variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// What kind of fault it is.
    pub kind: FaultKind,
    /// What to do about it.
    pub detail: String,
}

/// What can be wrong with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It has no value.
    Missing,
    /// Its value is of another type.
    WrongType,
    /// Nothing has a variable of this name.
    Unknown,
}

/// What the first of some parts says: a text, or the JSON of a chat's messages.
///
/// # Errors
/// Why it says nothing. Never a panic, and never for long: what it may take is bounded.
pub fn render(parts: &[Part], given: &Map<String, Value>) -> Result<String, Refusal> {
    let broken = |_| Refusal::Failed { place: Place::default(), reason: "the template engine gave up on it".into() };
    deep(|| {
        let context = values::settle(parts, given)?;
        let Some(first) = parts.first() else { return Ok(String::new()) };
        Rendering::new(parts, context).all(first)
    })
    .map_err(broken)?
}

struct Rendering {
    values: Map<String, Value>,
    environment: Environment<'static>,
    /// The same values, as the engine has them.
    context: EngineValue,
    missing: Missing,
    steps_left: u64,
    bytes_left: usize,
}

/// What was to be included last and is not there.
type Missing = Arc<Mutex<Option<String>>>;

/// A name that no part has.
const NOWHERE: &str = "!";

impl Rendering {
    fn new(parts: &[Part], values: Map<String, Value>) -> Self {
        let missing = Missing::default();
        let mut environment = engine::environment();
        // Included texts, in the engine's syntax.
        let sources: Vec<Option<String>> = parts.iter().map(source).collect();
        let noted = missing.clone();
        environment.set_loader(move |name| {
            if let Some(written) = name.strip_prefix(NOWHERE) {
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(written.to_owned());
                return Ok(None);
            }
            Ok(name.parse().ok().and_then(|part: usize| sources.get(part).cloned().flatten()))
        });
        // The same words can mean another prompt in another version: what they mean is said by the version.
        let names: Vec<_> = parts.iter().map(|part| part.includes.clone()).collect();
        environment.set_path_join_callback(move |name, parent| {
            let includes = place(parent).and_then(|place| names.get(place.part));
            let found = includes.into_iter().flatten().find(|(written, _)| written.to_string() == name);
            match found.and_then(|(_, part)| *part) {
                Some(part) => Cow::Owned(part.to_string()),
                None => Cow::Owned(format!("{NOWHERE}{name}")),
            }
        });
        let context = EngineValue::from(Serde(&values));
        let (steps_left, bytes_left) = (RENDER_STEPS_MAX, RENDER_OUTPUT_MAX_BYTES);
        Self { values, environment, context, missing, steps_left, bytes_left }
    }

    fn all(&mut self, part: &Part) -> Result<String, Refusal> {
        if part.kind == Kind::Text {
            return self.text(part.syntax, &part.content, None);
        }
        let unreadable = |error: serde_json::Error| Refusal::Failed {
            place: Place::default(),
            reason: format!("it is no list of messages: {error}"),
        };
        let items = chat::items(&part.content).map_err(unreadable)?;
        let mut messages = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match item {
                Item::Message(Message { role, content }) => {
                    let content = self.text(part.syntax, content, Some(at))?.into();
                    messages.push(Message { role: role.clone(), content });
                }
                Item::Placeholder(placeholder) => messages.extend(self.placed(&placeholder.name)?),
            }
        }
        let said = serde_json::to_string(&messages).map_err(unreadable)?;
        if said.len() > RENDER_OUTPUT_MAX_BYTES { Err(too_long()) } else { Ok(said) }
    }

    /// The messages that stand in a placeholder's place. That they are such was looked at before.
    fn placed(&mut self, name: &str) -> Result<Vec<Message<'static>>, Refusal> {
        let given = self.values.get(name).map(|value| chat::said(value).unwrap_or_default()).unwrap_or_default();
        let bytes = given.iter().map(|message| message.content.len() + message.role.len()).sum::<usize>();
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(too_long)?;
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Ok(given.into_iter().map(|m| Message { role: own(m.role), content: own(m.content) }).collect())
    }

    fn text(&mut self, syntax: Syntax, text: &str, message: Option<usize>) -> Result<String, Refusal> {
        let said = match syntax {
            Syntax::None => text.to_owned(),
            Syntax::Simple => self.simple(text)?,
            Syntax::Jinja => return self.jinja(text, message),
        };
        self.bytes_left = self.bytes_left.checked_sub(said.len()).ok_or_else(too_long)?;
        Ok(said)
    }

    fn simple(&self, text: &str) -> Result<String, Refusal> {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                // All of them have a value, or may be without one.
                Piece::Variable(name) => match self.values.get(name) {
                    Some(Value::String(text)) => out.push_str(text),
                    Some(value) => out.push_str(&EngineValue::from(Serde(value)).to_string()),
                    None => {}
                },
            }
            if out.len() > self.bytes_left {
                return Err(too_long());
            }
        }
        Ok(out)
    }

    fn jinja(&mut self, text: &str, message: Option<usize>) -> Result<String, Refusal> {
        let name = message.map_or_else(|| "0".to_owned(), |at| format!("0.{at}"));
        self.environment.set_fuel(Some(self.steps_left));
        let mut out = Bounded { bytes: Vec::new(), left: self.bytes_left, over: false };
        let rendered = self.environment.template_from_named_str(&name, text).and_then(|template| {
            let captured = template.render_captured_to(self.context.clone(), &mut out)?;
            Ok(captured.state().fuel_levels())
        });
        match rendered {
            Ok(levels) => self.steps_left = levels.map_or(0, |(_, remaining)| remaining),
            Err(_) if out.over => return Err(too_long()),
            Err(error) => return Err(self.refusal(&error)),
        }
        self.bytes_left = out.left;
        // The engine writes text.
        String::from_utf8(out.bytes).map_err(|_| Refusal::Failed {
            place: Place { part: 0, message, line: None },
            reason: "what it says is no text".into(),
        })
    }

    fn refusal(&self, error: &Error) -> Refusal {
        let error = innermost(error);
        let place = Place { line: error.line(), ..error.name().and_then(place).unwrap_or_default() };
        match error.kind() {
            ErrorKind::OutOfFuel => Refusal::Limit { what: "steps".into(), max: RENDER_STEPS_MAX },
            ErrorKind::TemplateNotFound => {
                let noted = self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Refusal::NotIncluded { place, written: noted.unwrap_or_default() }
            }
            // Operators say it of their operands.
            ErrorKind::UndefinedError | ErrorKind::InvalidOperation => Self::undefined(error, place),
            _ => Refusal::Failed { place, reason: engine_said(error) },
        }
    }

    /// A value that was needed after all. What has a name is a fault of that variable.
    fn undefined(error: &Error, place: Place) -> Refusal {
        // The engine says it in words: "`user.name` is undefined". The version is pinned, and a test knows the words.
        let before = error.detail().and_then(|detail| detail.split_once("` is undefined"));
        let name = before.and_then(|(before, _)| before.rsplit_once('`')).map(|(_, name)| name).unwrap_or_default();
        let path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if name.is_empty() || !name.chars().all(path) {
            return Refusal::Failed { place, reason: engine_said(error) };
        }
        let line = place.line.map(|line| format!(" in line {line}")).unwrap_or_default();
        let of = if place.part > 0 { " of a prompt that is included" } else { "" };
        let detail = format!("has no value, and is used{line}{of}");
        Refusal::Variables(vec![Fault { name: name.to_owned(), kind: FaultKind::Missing, detail }])
    }
}

fn too_long() -> Refusal {
    Refusal::Limit { what: "bytes".into(), max: RENDER_OUTPUT_MAX_BYTES as u64 }
}

/// An included part for the engine, in a scope of its own: what it sets would be set around it, too. Only texts can be
/// included.
fn source(part: &Part) -> Option<String> {
    let text = match (part.kind, part.syntax) {
        (Kind::Chat, _) => return None,
        (Kind::Text, Syntax::Jinja) => Cow::Borrowed(&part.content),
        (Kind::Text, syntax) => Cow::Owned(to_jinja(&part.content, syntax == Syntax::Simple)),
    };
    Some(format!("{{% with %}}{text}{{% endwith %}}"))
}

/// The place that a template's name says: `2`, or `0.3` for a message.
fn place(name: &str) -> Option<Place> {
    let (part, message) = name.split_once('.').map_or((name, None), |(part, message)| (part, Some(message)));
    let message = message.map(str::parse).transpose().ok()?;
    Some(Place { part: part.parse().ok()?, message, line: None })
}

/// An error in an included part is wrapped once for each include.
fn innermost(error: &Error) -> &Error {
    let mut inner = error;
    while inner.kind() == ErrorKind::BadInclude
        && let Some(source) = std::error::Error::source(inner).and_then(|source| source.downcast_ref::<Error>())
    {
        inner = source;
    }
    inner
}

/// Takes bytes up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    left: usize,
    over: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            self.over = true;
            return Err(io::Error::other("too long"));
        };
        self.left = left;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
