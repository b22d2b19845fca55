//! What is asked of what is counted, and what it says.

use std::collections::BTreeMap;

use promptory_events::{PromptId, PromptKey, Timestamp};
use promptory_usage::query::{Question, Told};
use promptory_usage::searches;
use serde::{Deserialize, Serialize};

use super::PromptRef;

/// What is counted of usage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskAnalytics {
    /// Of this prompt alone.
    pub prompt: Option<PromptRef>,
    /// Of prompts whose keys begin with this.
    pub prefix: String,
    /// From this time on; a day before `to` if nothing is said.
    pub from: Option<Timestamp>,
    /// Before this time; now if nothing is said.
    pub to: Option<Timestamp>,
    /// What; its range is filled in where it is answered.
    pub question: Question,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyticsAnswer {
    /// The first minute that was looked at.
    pub from: Timestamp,
    /// The first one beyond.
    pub to: Timestamp,
    /// The groups.
    pub told: Told,
    /// What the prompts in it are called now.
    pub keys: BTreeMap<PromptId, PromptKey>,
}

/// What was searched for and not found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskEmptySearches {
    /// From the day of this time on; as far back as is kept if nothing is said.
    pub from: Option<Timestamp>,
    /// Before this time, to the end of its day; now if nothing is said.
    pub to: Option<Timestamp>,
    /// At most so many texts (1 to 1,000).
    pub limit: usize,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmptySearches {
    /// When the first day begins that was looked at.
    pub from: Timestamp,
    /// When the last one ends.
    pub to: Timestamp,
    /// The texts.
    pub told: searches::Told,
}
