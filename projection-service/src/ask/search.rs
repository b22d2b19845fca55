//! Searching: what is asked and what is found.

use promptory_events::{Label, Prefix, PromptId, PromptKey, Tag, Timestamp, VersionId};
use serde::{Deserialize, Serialize};

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Words, `"phrases"` and beginnings (`begin*`), all of which a prompt must have; empty: everything.
    pub query: String,
    /// The text that this label points to.
    pub label: Label,
    /// What else a prompt must be.
    pub filters: Filters,
    /// In which order.
    pub sort: Sort,
    /// Whether what is found is counted by what it is.
    pub facets: bool,
    /// At most so many.
    pub limit: usize,
    /// Only what comes after this.
    pub after: Option<After>,
}

/// What a prompt must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// It has this tag.
    pub tag: Option<Tag>,
    /// It carries this label, on whatever version.
    pub labelled: Option<Label>,
    /// Its configuration names this model.
    pub model: Option<String>,
    /// The version is by this author, or if none is claimed by this principal.
    pub author: Option<String>,
    /// It is in this folder or below.
    pub folder: Option<Prefix>,
    /// It changed then or later.
    pub updated_from: Option<Timestamp>,
    /// It changed before.
    pub updated_before: Option<Timestamp>,
}

/// An order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sort {
    /// What fits best first; of what fits as well, what changed last; then by key.
    #[default]
    Relevance,
    /// What changed last first; then by key.
    Updated,
    /// By key.
    Key,
}

/// Where a page goes on: after something that was found, in the index as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Which state of which index.
    pub held: u64,
    /// The last of the page before.
    pub last: Rank,
}

/// The place of something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// How well it fits, as the bits of a number that is not negative.
    pub score: u32,
    /// When it changed, in microseconds.
    pub updated: i64,
    /// Its key.
    pub key: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// How many there are, on all pages.
    pub total: u64,
    /// One page of them.
    pub hits: Vec<Hit>,
    /// Counts by what they are, if they were asked for.
    pub facets: Option<Facets>,
    /// Words that no prompt has, and the words that were looked for in their place.
    pub respelt: Vec<Respelt>,
    /// Where the next page goes on, if there is more.
    pub next: Option<After>,
}

/// One prompt that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// What it is.
    pub entry: Entry,
    /// The place of its text that fits best.
    pub snippet: Vec<Piece>,
}

/// What an index keeps of a version to show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The prompt.
    pub prompt: PromptId,
    /// Its key.
    pub key: PromptKey,
    /// Its title, of its metadata.
    pub title: Option<String>,
    /// The version.
    pub version: VersionId,
    /// Its number.
    pub number: u32,
    /// The labels that point to it, `latest` among them.
    pub labels: Vec<Label>,
    /// The prompt's tags.
    pub tags: Vec<Tag>,
    /// The model that its configuration names.
    pub model: Option<String>,
    /// Whose it is: the author that is claimed, or else the principal.
    pub author: String,
    /// When the prompt last changed, by when it happened.
    pub updated: Timestamp,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// It.
    pub text: String,
    /// Whether it is what was looked for.
    pub hit: bool,
}

/// A word that no prompt has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Respelt {
    /// As it was asked for.
    pub word: String,
    /// What was looked for, at most ten of them; empty if there is nothing like it.
    pub as_words: Vec<String>,
}

/// How many of what was found are what; the most frequent first, at most 20 of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facets {
    /// Labels that the prompts carry, on whatever version; `latest`, which all do, left out.
    pub labels: Vec<Count>,
    /// Tags.
    pub tags: Vec<Count>,
    /// Models.
    pub models: Vec<Count>,
    /// Authors.
    pub authors: Vec<Count>,
    /// Folders directly below the one that was asked for.
    pub folders: Vec<Count>,
}

/// How many are what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub value: String,
    /// How many.
    pub count: u64,
}

/// What somebody may want to type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestions {
    /// Prompts whose key, title or tags have all the words, the last one as a beginning.
    pub prompts: Vec<SuggestedPrompt>,
    /// Words that begin as the last one does, the most frequent first.
    pub words: Vec<Count>,
}

/// A prompt that is suggested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedPrompt {
    /// Its identity.
    pub prompt: PromptId,
    /// Its key.
    pub key: PromptKey,
    /// Its title.
    pub title: Option<String>,
}

/// A query that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("at character {position}: {reason}")]
pub struct QueryFault {
    /// Where, in characters from 0 on.
    pub position: usize,
    /// Why.
    pub reason: String,
}
