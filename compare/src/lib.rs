//! What differs between two versions, and what three make together: text by line, chats by message, configurations by
//! key. Pure: no I/O, no clock, and the same inputs give the same result everywhere.
//!
//! | module | what it holds |
//! |---|---|
//! | [`diff`] | what differs between two versions, as data |
//! | [`merge`] | three-way merges; what both sides changed is a conflict, never a guess |
//! | [`lines`] | sequences of equal and different parts: lines, messages, words |

pub mod diff;
pub mod lines;
pub mod merge;

use promptory_events::event::{Kind, Syntax};

/// What a version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    /// What its content is.
    pub kind: Kind,
    /// Its content: text as it is, or a chat's messages as a JSON list.
    pub content: &'a str,
    /// Its configuration: a JSON object.
    pub config: Option<&'a str>,
    /// How its content is read.
    pub syntax: Syntax,
    /// The variables that it declares: a JSON object.
    pub variables: Option<&'a str>,
}

/// A chat that is no JSON list or a configuration that is no JSON object: a defect of whoever stored it.
#[derive(Debug, thiserror::Error)]
#[error("a stored content is not of its form: {0}")]
pub struct Malformed(#[from] serde_json::Error);
