//! What happens to prompts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ContentId, PromptId, VersionId};
use crate::key::{Label, PromptKey, Tag};
use crate::sealed::Content;

/// What a prompt's content is. Fixed when the prompt is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// UTF-8 text, kept byte for byte.
    Text,
    /// A list of messages, kept as their compact JSON.
    Chat,
}

/// A prompt came to be. Its first version follows in the same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromptCreated {
    /// Its identity.
    pub prompt: PromptId,
    /// Its first key.
    pub key: PromptKey,
    /// What its content is.
    pub kind: Kind,
}

/// A version was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionAdded {
    /// The prompt.
    pub prompt: PromptId,
    /// The version's identity, also its ETag.
    pub version: VersionId,
    /// Its number: 1, 2, …
    pub number: u32,
    /// What it was made from: nothing for the first version, else one.
    pub parents: Vec<VersionId>,
    /// The content of its first parent.
    pub before: Option<ContentId>,
    /// Its content.
    pub content: Content,
    /// Its model configuration: a JSON object.
    pub config: Option<Content>,
}

/// A prompt got another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromptRenamed {
    /// The prompt.
    pub prompt: PromptId,
    /// Its key until now.
    pub before: PromptKey,
    /// Its key from now on.
    pub after: PromptKey,
}

/// A prompt's tags were set, in order and without doubles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TagsSet {
    /// The prompt.
    pub prompt: PromptId,
    /// Its tags until now.
    pub before: Vec<Tag>,
    /// Its tags from now on.
    pub after: Vec<Tag>,
}

/// A prompt's metadata (a JSON object: title, description, …) was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetadataSet {
    /// The prompt.
    pub prompt: PromptId,
    /// Its metadata until now.
    pub before: Option<ContentId>,
    /// Its metadata from now on.
    pub after: Content,
}

/// A prompt was archived. Nothing is deleted; its key is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromptArchived {
    /// The prompt.
    pub prompt: PromptId,
    /// The key that it releases.
    pub key: PromptKey,
}

/// A prompt was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromptRestored {
    /// The prompt.
    pub prompt: PromptId,
    /// The key that it holds from now on.
    pub key: PromptKey,
}

/// A label was set or moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelSet {
    /// The prompt.
    pub prompt: PromptId,
    /// The label.
    pub label: Label,
    /// The version number it pointed to, if it was set.
    pub before: Option<u32>,
    /// The version number it points to.
    pub after: u32,
}

/// A label was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelRemoved {
    /// The prompt.
    pub prompt: PromptId,
    /// The label.
    pub label: Label,
    /// The version number it pointed to.
    pub before: u32,
}
