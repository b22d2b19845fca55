//! Questions and answers about how versions come from each other and differ.

use promptory_compare::diff::Comparison;
use promptory_events::event::VersionRef;
use serde::{Deserialize, Serialize};

use super::{PromptRef, PromptSummary, Stamp, Which};

/// What a version is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Against {
    /// Its first parent; a version without one with nothing.
    Parent,
    /// Another version, of the same prompt if no other is named.
    Version(Option<PromptRef>, Which),
}

/// One fork of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The number of the version that it was forked from.
    pub of: u32,
    /// The prompt that came of it, as it is now.
    pub prompt: PromptSummary,
    /// How it came to be.
    pub stamp: Stamp,
}

/// What differs between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffAnswer {
    /// The version that was compared with; `None` if that is nothing.
    pub from: Option<VersionRef>,
    /// The version that was asked for.
    pub to: VersionRef,
    /// What leads from the first to the second.
    pub comparison: Comparison,
}
