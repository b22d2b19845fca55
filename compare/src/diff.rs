//! What differs between two versions, as data: text by line and by word, chats by message, configurations by key.

mod chat;
mod config;
mod text;

use promptory_events::event::{Kind, Syntax};
use serde::{Deserialize, Serialize};

use crate::{Malformed, Version};

pub use chat::MessageChange;
pub use config::KeyChange;
pub use text::{Hunk, Op, Part, TextDiff, Word};

/// What differs between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// In the content.
    pub content: ContentDiff,
    /// In the configuration, by key.
    pub config: Vec<KeyChange>,
    /// How the contents are read, if that differs.
    pub syntax: Option<SyntaxChange>,
    /// In the declared variables, by key.
    pub variables: Vec<KeyChange>,
}

/// Another syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxChange {
    /// That of the first version.
    pub from: Syntax,
    /// That of the second one.
    pub to: Syntax,
}

/// What differs between two contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentDiff {
    /// Of texts.
    Text(TextDiff),
    /// Of chats: what became of their messages, in order.
    Messages(Vec<MessageChange>),
}

/// Compares two versions of one kind. A version that is not there has no content and no configuration.
///
/// # Errors
/// One is not of the form that its kind has.
pub fn compare(from: Option<Version<'_>>, to: Version<'_>) -> Result<Comparison, Malformed> {
    let content = match to.kind {
        Kind::Text => ContentDiff::Text(text::compare(from.map_or("", |from| from.content), to.content)),
        Kind::Chat => ContentDiff::Messages(chat::compare(from.map_or("[]", |from| from.content), to.content)?),
    };
    let syntax = from.map(|from| SyntaxChange { from: from.syntax, to: to.syntax });
    Ok(Comparison {
        content,
        config: config::compare(from.and_then(|from| from.config), to.config)?,
        syntax: syntax.filter(|change| change.from != change.to),
        variables: config::compare(from.and_then(|from| from.variables), to.variables)?,
    })
}

#[cfg(test)]
mod tests;
