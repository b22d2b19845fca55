//! What differs between two versions, as data: text by line and by word, chats by message, configurations by key.

mod chat;
mod config;
mod text;

use promptory_events::event::Kind;
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
    Ok(Comparison { content, config: config::compare(from.and_then(|from| from.config), to.config)? })
}

#[cfg(test)]
mod tests;
