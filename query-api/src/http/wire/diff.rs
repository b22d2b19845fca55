//! The JSON of what differs between two versions.

use promptory_compare::diff::Op;
use promptory_events::event::{Syntax, VersionRef};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{AVersion, Message};

/// What differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Diff<'a> {
    /// The version that was compared with; null if that is nothing.
    #[schema(value_type = Option<AVersion>)]
    pub from: Option<VersionRef>,
    /// The version that was asked for.
    #[schema(value_type = AVersion)]
    pub to: VersionRef,
    /// Whether neither content nor configuration differs.
    pub equal: bool,
    /// Of texts: where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextDiff<'a>>,
    /// Of chats: what became of their messages, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<MessageChange<'a>>>,
    /// The keys of the configuration whose values differ.
    pub config: Vec<KeyChange<'a>>,
    /// How the contents are read, if that differs.
    pub template: Option<TemplateChange>,
    /// The keys of the declared variables whose values differ.
    pub variables: Vec<KeyChange<'a>>,
}

/// Another way to read a content.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateChange {
    /// That of the first version.
    #[schema(value_type = String, example = "simple")]
    pub from: Syntax,
    /// That of the second one.
    #[schema(value_type = String, example = "jinja")]
    pub to: Syntax,
}

/// Where two texts differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextDiff<'a> {
    /// A unified diff, from its first `@@` on; empty if nothing differs.
    pub unified: String,
    /// The same as data.
    pub hunks: Vec<Hunk<'a>>,
}

/// A place where texts differ, with up to three equal lines around it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hunk<'a> {
    /// Its first line in the first text, from 1 on.
    pub from_line: u32,
    /// How many lines it has there.
    pub from_lines: u32,
    /// Its first line in the second text.
    pub to_line: u32,
    /// How many lines it has there.
    pub to_lines: u32,
    /// Its lines in order, as runs of words. What is equal or deleted is the first text, what is equal or inserted the
    /// second one.
    pub words: Vec<Word<'a>>,
}

/// Some words in a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct Word<'a> {
    /// `equal`, `delete` or `insert`.
    #[schema(value_type = String, example = "insert")]
    pub op: Op,
    /// As they stand there, spaces and line ends included.
    pub text: &'a str,
}

/// What became of a message. Places count from 0.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum MessageChange<'a> {
    /// Messages that stayed as they are.
    Equal {
        /// The place of the first in the first chat.
        from: u32,
        /// And in the second one.
        to: u32,
        /// How many.
        count: u32,
    },
    /// A message of which nothing but the text changed.
    Change {
        /// Its place in the first chat.
        from: u32,
        /// And in the second one.
        to: u32,
        /// What changed.
        text: TextDiff<'a>,
    },
    /// A message that is only in the first chat.
    Delete {
        /// Its place.
        from: u32,
        /// The message.
        #[schema(value_type = Message)]
        message: &'a RawValue,
    },
    /// A message that is only in the second chat.
    Insert {
        /// Its place.
        to: u32,
        /// The message.
        #[schema(value_type = Message)]
        message: &'a RawValue,
    },
}

/// A key of the configuration whose value differs. A side that does not have the key is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyChange<'a> {
    /// Which, as a JSON pointer (RFC 6901).
    #[schema(example = "/temperature")]
    pub path: &'a str,
    /// Its value in the first version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub from: Option<&'a RawValue>,
    /// And in the second one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub to: Option<&'a RawValue>,
}
