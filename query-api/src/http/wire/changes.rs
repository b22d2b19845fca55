//! What changed between two points in time.

use std::collections::BTreeMap;

use promptory_events::event::Kind;
use promptory_events::{Branch, Label, PromptId, PromptKey, RolloutId, Tag};
use promptory_projection::ask;
use serde::Serialize;
use utoipa::ToSchema;

use super::Event;

/// What something was and what it is; null: it was, or is, not there.
#[derive(Debug, Serialize)]
pub struct Step<'a, T> {
    /// At the first point.
    pub from: Option<&'a T>,
    /// At the second.
    pub to: Option<&'a T>,
}

impl<'a, T> From<&'a ask::Step<T>> for Step<'a, T> {
    fn from(step: &'a ask::Step<T>) -> Self {
        Self { from: step.from.as_ref(), to: step.to.as_ref() }
    }
}

macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident = $type:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Serialize, ToSchema)]
        #[allow(dead_code, reason = "only its schema is used")]
        pub struct $name {
            /// At the first point.
            from: Option<$type>,
            /// At the second.
            to: Option<$type>,
        }
    )*};
}

schemas! {
    /// A text that is another; null: there was, or is, none.
    TextStep = String;
    /// A number that is another; null: there was, or is, none.
    NumberStep = u64;
    /// Whether it was, and is.
    FlagStep = bool;
    /// Names that are others.
    NamesStep = Vec<String>;
}

/// What changed of a prompt. What did not change is null or left out of its map.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedPrompt<'a> {
    /// Which.
    #[schema(value_type = String)]
    pub prompt: PromptId,
    /// What its content is.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Its key at the second point (the last one it had, if it is archived).
    #[schema(value_type = String)]
    pub key: &'a PromptKey,
    /// Whether it was not there at the first point.
    pub created: bool,
    /// Another key.
    #[schema(value_type = Option<TextStep>)]
    pub renamed: Option<Step<'a, PromptKey>>,
    /// Archived (`to` is true), or restored.
    #[schema(value_type = Option<FlagStep>)]
    pub archived: Option<Step<'a, bool>>,
    /// How many versions it had and has: those between were added.
    #[schema(value_type = Option<NumberStep>)]
    pub versions: Option<Step<'a, u32>>,
    /// The numbers of the heads of `main`.
    #[schema(value_type = Option<NumberStep>)]
    pub main: Option<Step<'a, u32>>,
    /// What differs between those: the path to ask.
    pub diff: Option<String>,
    /// Where labels pointed and point.
    #[schema(value_type = BTreeMap<String, NumberStep>)]
    pub labels: BTreeMap<&'a Label, Step<'a, u32>>,
    /// The heads of other branches; null: it was not there, or is closed.
    #[schema(value_type = BTreeMap<String, NumberStep>)]
    pub branches: BTreeMap<&'a Branch, Step<'a, u32>>,
    /// Labels that were or are split, and the rollouts.
    #[schema(value_type = BTreeMap<String, TextStep>)]
    pub rollouts: BTreeMap<&'a Label, Step<'a, RolloutId>>,
    /// Its tags.
    #[schema(value_type = Option<NamesStep>)]
    pub tags: Option<Step<'a, Vec<Tag>>>,
    /// The events that set its metadata.
    #[schema(value_type = Option<NumberStep>)]
    pub metadata: Option<Step<'a, u64>>,
    /// The events that led from one to the other, in order; the last 100 of them, or 1,000 of a prompt that was asked for.
    pub events: Vec<Event<'a>>,
    /// Whether there are more before those.
    pub more: bool,
}

/// One page of what changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangePage<'a> {
    /// The index that the first point is answered at; null before the first event.
    pub from_index: Option<u64>,
    /// The index that the second point is answered at.
    pub to_index: Option<u64>,
    /// Prompts that changed.
    pub prompts: Vec<ChangedPrompt<'a>>,
    /// Events that set something for many: rights, protections, freeze windows, quotas, languages.
    pub settings: Vec<Event<'a>>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}
