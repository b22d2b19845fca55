//! What a content needs, read from its syntax: variables, and other prompts.

use std::collections::BTreeMap;

use minijinja::machinery::parse;
use promptory_events::event::{Kind, Syntax, Written};
use promptory_events::limits::{INCLUDES_MAX, TEMPLATE_TOKENS_MAX};

use crate::bounds;
use crate::chat::{self, Item};
use crate::engine;
use crate::needs::{Needs, Sizes, needs};
use crate::simple::{Piece, pieces};
use crate::stack::deep;
use crate::variables::is_name;

/// What a content needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Variables by name.
    pub variables: BTreeMap<String, Need>,
    /// What it includes, each once, in the order in which it is first named.
    pub includes: Vec<Written>,
    /// Words and signs between its braces.
    pub tokens: usize,
    /// The largest value that each name is set to in it.
    pub(crate) made: Sizes,
}

/// How a content needs a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Nothing can be said without it. If not, it is not needed whatever the others are.
    pub required: bool,
    /// Messages stand in its place.
    pub messages: bool,
}

/// Why a content is not what its author says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Invalid {
    /// A value that it makes is too large for a rendering.
    pub too_large: bool,
    /// Of a chat: which message, from 0 on.
    pub message: Option<usize>,
    /// The line in it, from 1 on.
    pub line: Option<usize>,
    /// Why, with what stands there.
    pub reason: String,
}

/// What a content needs.
///
/// # Errors
/// It has not the syntax that it is said to have, or it is more than is looked at. A simple content always has it.
pub fn inspect(kind: Kind, syntax: Syntax, content: &str) -> Result<Inspected, Invalid> {
    let look = || look(kind, syntax, content, &Sizes::new());
    match syntax {
        Syntax::Jinja => deep(look).unwrap_or_else(|_| Err(invalid("the template engine gave up on it".into()))),
        Syntax::None | Syntax::Simple => look(),
    }
}

/// The same on a stack that is large enough, and with values of known sizes.
pub(crate) fn look(kind: Kind, syntax: Syntax, content: &str, given: &Sizes) -> Result<Inspected, Invalid> {
    match kind {
        Kind::Text => inspected(syntax, content, None, given),
        Kind::Chat => chat(syntax, content, given),
    }
}

fn chat(syntax: Syntax, content: &str, given: &Sizes) -> Result<Inspected, Invalid> {
    let items = chat::items(content).map_err(|error| invalid(error.to_string()))?;
    let mut all = Inspected::default();
    for (at, item) in items.iter().enumerate() {
        match item {
            Item::Message(message) => all.add(inspected(syntax, &message.content, Some(at), given)?)?,
            Item::Placeholder(placeholder) => {
                let need = Need { required: true, messages: true };
                let variables = [(placeholder.name.to_string(), need)].into();
                all.add(Inspected { variables, ..Inspected::default() })?;
            }
        }
    }
    Ok(all)
}

fn invalid(reason: String) -> Invalid {
    Invalid { too_large: false, message: None, line: None, reason }
}

fn inspected(syntax: Syntax, content: &str, message: Option<usize>, given: &Sizes) -> Result<Inspected, Invalid> {
    let need = Need { required: true, messages: false };
    match syntax {
        Syntax::None => Ok(Inspected::default()),
        Syntax::Simple => {
            let variables = pieces(content).filter_map(|piece| match piece {
                Piece::Variable(name) => Some((name.to_owned(), need)),
                Piece::Text(_) => None,
            });
            Ok(Inspected { variables: variables.collect(), ..Inspected::default() })
        }
        Syntax::Jinja => jinja(content, given).map_err(|error| Invalid { message, ..error }),
    }
}

fn jinja(content: &str, given: &Sizes) -> Result<Inspected, Invalid> {
    let wrong = |reason, line| Invalid { line, ..invalid(reason) };
    let tokens = bounds::tokens(content).map_err(|much| wrong(much.to_string(), Some(much.line)))?;
    let parsed = parse(content, "", engine::syntax());
    let parsed = parsed.map_err(|error| wrong(engine_said(&error), error.line()))?;
    let Needs { variables, includes, made, refused } = needs(&parsed, given);
    if let Some(refused) = refused {
        let line = Some(refused.line);
        return Err(Invalid { too_large: refused.too_large, ..wrong(refused.reason, line) });
    }
    if let Some(name) = variables.keys().find(|name| !is_name(name)) {
        return Err(invalid(format!("no variable is called `{name}`")));
    }
    let mut all = Inspected { tokens, made, ..Inspected::default() };
    for (text, line) in includes {
        let written: Written = text.parse().map_err(|error| wrong(format!("`{text}` {error}"), Some(line)))?;
        if !all.includes.contains(&written) {
            all.includes.push(written);
        }
    }
    let need = |required| Need { required, messages: false };
    all.variables = variables.into_iter().map(|(name, required)| (name, need(required))).collect();
    all.bounded()?;
    Ok(all)
}

/// What the engine says about a template, without the place.
pub(crate) fn engine_said(error: &minijinja::Error) -> String {
    let kind = error.kind();
    error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"))
}

impl Inspected {
    fn add(&mut self, other: Self) -> Result<(), Invalid> {
        for (name, need) in other.variables {
            let known = self.variables.entry(name).or_default();
            known.required |= need.required;
            known.messages |= need.messages;
        }
        for written in other.includes {
            if !self.includes.contains(&written) {
                self.includes.push(written);
            }
        }
        self.tokens += other.tokens;
        for (name, size) in other.made {
            let known = self.made.entry(name).or_insert(size);
            *known = size.max(*known);
        }
        self.bounded()
    }

    fn bounded(&self) -> Result<(), Invalid> {
        if self.includes.len() > INCLUDES_MAX {
            return Err(invalid(format!("it includes more prompts than are allowed: at most {INCLUDES_MAX}")));
        }
        if self.tokens > TEMPLATE_TOKENS_MAX {
            let much = "there are more words and signs between its braces than are allowed: at most";
            return Err(invalid(format!("{much} {TEMPLATE_TOKENS_MAX}")));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
