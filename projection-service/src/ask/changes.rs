//! Questions and answers about what changed between two points in time.

use std::collections::BTreeMap;

use promptory_events::event::Kind;
use promptory_events::{Branch, Label, PromptId, PromptKey, RolloutId, Tag};
use serde::{Deserialize, Serialize};

use super::{AsOf, EventRecord, PromptRef};

/// Of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Of {
    /// The prompts whose key begins with this, at either point; with the empty text the whole tenant.
    Below(String),
    /// One prompt.
    Prompt(PromptRef),
}

/// What changed between two points, one page in the order of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskChanges {
    /// Of what.
    pub of: Of,
    /// Since when.
    pub from: AsOf,
    /// Until when.
    pub to: AsOf,
    /// Only what begins after this index.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesAnswer {
    /// The index that `from` is answered at; `None` before the first event.
    pub from: Option<u64>,
    /// The page.
    pub items: Vec<Changed>,
    /// The index to go on after; `None` if this was the end.
    pub next: Option<u64>,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    /// A prompt.
    Prompt(Box<PromptChange>),
    /// What is set for many prompts or for callers: an event that is about no prompt.
    Setting(Box<EventRecord>),
}

impl Changed {
    /// The event at which a page tells of it.
    #[must_use]
    pub fn begins(&self) -> Option<u64> {
        match self {
            Self::Prompt(changed) => Some(changed.begins),
            Self::Setting(event) => Some(event.stamp.index),
        }
    }
}

/// What a thing was, and what it is; `None`: it was not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step<T> {
    /// At the first point.
    pub from: Option<T>,
    /// At the second.
    pub to: Option<T>,
}

impl<T: PartialEq> Step<T> {
    /// A step, if it is one.
    pub fn of(from: Option<T>, to: Option<T>) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }
}

/// What changed of a prompt. What did not is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptChange {
    /// Which.
    pub prompt: PromptId,
    /// What its content is.
    pub kind: Kind,
    /// Its key at the second point (the last one it had, if it is archived).
    pub key: PromptKey,
    /// Whether it was not there at the first point.
    pub created: bool,
    /// Another key.
    pub renamed: Option<Step<PromptKey>>,
    /// Archived, or restored.
    pub archived: Option<Step<bool>>,
    /// How many versions it had, and has: those between were added.
    pub versions: Option<Step<u32>>,
    /// Where `main` ended and ends: what to compare.
    pub main: Option<Step<u32>>,
    /// Where labels pointed and point.
    pub labels: BTreeMap<Label, Step<u32>>,
    /// The heads of branches other than `main`.
    pub branches: BTreeMap<Branch, Step<u32>>,
    /// Labels that were or are split, and by which rollout.
    pub rollouts: BTreeMap<Label, Step<RolloutId>>,
    /// Its tags.
    pub tags: Option<Step<Vec<Tag>>>,
    /// The events that set its metadata.
    pub metadata: Option<Step<u64>>,
    /// The first of the events that led from one to the other.
    pub begins: u64,
    /// The events that led from one to the other, in order; the last of them if they are too many.
    pub events: Vec<EventRecord>,
    /// Whether there are more before those.
    pub more: bool,
}
