//! What happens to prompts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ContentId, PromptId, VersionId};
use crate::key::{Branch, Label, PromptKey, Tag};
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

/// One version of one prompt. The number and the id say the same; both are here so that neither needs a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionRef {
    /// The prompt.
    pub prompt: PromptId,
    /// The version's number.
    pub number: u32,
    /// The version's identity.
    pub version: VersionId,
}

/// A version was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionAdded {
    /// The prompt.
    pub prompt: PromptId,
    /// The version's identity, also its ETag.
    pub version: VersionId,
    /// Its number: 1, 2, … over all branches of the prompt.
    pub number: u32,
    /// The branch that it was added to, whose head it is from now on.
    pub branch: Branch,
    /// What it was made from: nothing for a first version, else the head of its branch until now; the version of another
    /// prompt for the first version of a fork; after a merge also the version that was merged, in second place.
    pub parents: Vec<VersionRef>,
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

/// A branch was begun at a version. Versions are added to it from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BranchCreated {
    /// The prompt.
    pub prompt: PromptId,
    /// The branch.
    pub branch: Branch,
    /// The version that is its head until one is added to it.
    pub head: u32,
}

/// A branch was closed. Its versions stay; its name is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BranchClosed {
    /// The prompt.
    pub prompt: PromptId,
    /// The branch.
    pub branch: Branch,
    /// The version that was its head.
    pub head: u32,
}
