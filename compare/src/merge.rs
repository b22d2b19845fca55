//! Three-way merges. What one side alone changed is taken; what both changed, and not to the same, is a conflict that is
//! shown with both sides and the base. Nothing is guessed.

mod config;
mod sequence;

use promptory_events::event::{Kind, Syntax};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::lines::{Parts, lines};
use crate::{Malformed, Version};

pub(crate) use config::escaped;
pub use config::{ConfigConflict, KeyConflict};
pub use sequence::Piece;

/// What three versions make together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The content, or where it conflicts.
    pub content: Result<String, ContentConflict>,
    /// The configuration, or where it conflicts.
    pub config: Result<Option<String>, ConfigConflict>,
    /// How the content is read, or the two ways in which it would be.
    pub syntax: Result<Syntax, SyntaxConflict>,
    /// The declared variables, or where they conflict.
    pub variables: Result<Option<String>, ConfigConflict>,
}

/// Both sides chose another syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SyntaxConflict {
    /// As it was.
    pub base: Syntax,
    /// As the version that is merged into has it.
    pub ours: Syntax,
    /// As the version that is merged has it.
    pub theirs: Syntax,
}

/// A content with conflicts in it: all of it in order, so that choosing one side of each conflict, or writing something
/// else in its place, makes a whole content again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentConflict {
    /// Pieces of text, whole lines.
    Text(Vec<Piece<String>>),
    /// Pieces of a list of messages, each a message's JSON.
    Messages(Vec<Piece<Vec<Message>>>),
}

/// A message's JSON, as it is stored.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Message(Box<RawValue>);

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Message {}

/// Merges two versions that come from a third one. All are of one kind.
///
/// # Errors
/// One is not of the form that its kind has.
pub fn merge(base: Version<'_>, ours: Version<'_>, theirs: Version<'_>) -> Result<Merged, Malformed> {
    let content = match ours.kind {
        Kind::Text => text(base.content, ours.content, theirs.content),
        Kind::Chat => chat(base.content, ours.content, theirs.content)?,
    };
    Ok(Merged {
        content,
        config: config::merge(base.config, ours.config, theirs.config)?,
        syntax: syntax(base.syntax, ours.syntax, theirs.syntax),
        variables: config::merge(base.variables, ours.variables, theirs.variables)?,
    })
}

fn syntax(base: Syntax, ours: Syntax, theirs: Syntax) -> Result<Syntax, SyntaxConflict> {
    match (base == ours, base == theirs) {
        (_, true) => Ok(ours),
        (true, _) => Ok(theirs),
        _ if ours == theirs => Ok(ours),
        _ => Err(SyntaxConflict { base, ours, theirs }),
    }
}

/// Merges texts by line, as `git merge-file` does.
fn text(base: &str, ours: &str, theirs: &str) -> Result<String, ContentConflict> {
    let mut parts = Parts::new();
    let [base, ours, theirs] = [base, ours, theirs].map(|text| parts.sequence(lines(text)));
    let pieces = sequence::merge(&parts, &base, &ours, &theirs);
    let whole: Option<Vec<String>> = pieces.iter().map(|piece| Some(piece.merged()?.concat())).collect();
    whole.map(|pieces| pieces.concat()).ok_or_else(|| {
        let in_lines = pieces.into_iter().map(|piece| piece.map(|lines| lines.concat()));
        ContentConflict::Text(in_lines.collect())
    })
}

/// Merges lists of messages by message.
fn chat(base: &str, ours: &str, theirs: &str) -> Result<Result<String, ContentConflict>, Malformed> {
    let base: Vec<&RawValue> = serde_json::from_str(base)?;
    let ours: Vec<&RawValue> = serde_json::from_str(ours)?;
    let theirs: Vec<&RawValue> = serde_json::from_str(theirs)?;
    let mut parts = Parts::new();
    let [base, ours, theirs] = [base, ours, theirs].map(|list| parts.sequence(list.into_iter().map(RawValue::get)));
    let pieces = sequence::merge(&parts, &base, &ours, &theirs);
    let whole: Option<Vec<&[&str]>> = pieces.iter().map(|piece| piece.merged().map(Vec::as_slice)).collect();
    if let Some(whole) = whole {
        return Ok(Ok(format!("[{}]", whole.concat().join(","))));
    }
    let message = |text: &str| RawValue::from_string(text.to_owned()).map(Message);
    let list = |texts: Vec<&str>| texts.into_iter().map(message).collect::<Result<Vec<_>, _>>();
    let pieces = pieces.into_iter().map(|piece| piece.try_map(list)).collect::<Result<_, _>>()?;
    Ok(Err(ContentConflict::Messages(pieces)))
}

#[cfg(test)]
mod tests;
