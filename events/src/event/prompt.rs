//! What happens to prompts.

use std::fmt;
use std::str::FromStr;

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

/// What a version's content is to whoever renders it. The stored bytes are the same in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// Nothing in it stands for anything else.
    None,
    /// `{{ name }}` stands for a variable, and everything else for itself. Every text is one.
    #[default]
    Simple,
    /// A Jinja template: variables, conditionals, loops, filters, includes.
    Jinja,
}

/// Which version of a prompt an include means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Selector {
    /// This one, for ever.
    Number(u32),
    /// Where this label points when it is rendered; `latest` is the head of `main`.
    Label(Label),
}

/// A version of a prompt as a content names it: `team/footer@production`, `team/footer@3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Written {
    /// The prompt's key.
    pub key: PromptKey,
    /// Which of its versions.
    pub at: Selector,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Selector::Number(number) => write!(f, "{}@{number}", self.key),
            Selector::Label(label) => write!(f, "{}@{label}", self.key),
        }
    }
}

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, at) = text.rsplit_once('@').ok_or("says no version: write `key@label` or `key@3`")?;
        let key = key.parse().map_err(|error| format!("the key {error}"))?;
        // Only digits are a number: labels of nothing else can't be named here.
        let at = if !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_digit()) {
            Selector::Number(at.parse().map_err(|_| "a version is a number from 1 on".to_owned())?)
        } else {
            Selector::Label(at.parse().map_err(|error| format!("the label {error}"))?)
        };
        Ok(Self { key, at })
    }
}

/// A version of another prompt that stands in a version's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Include {
    /// As the content names it. The prompt may have another key by now.
    pub written: Written,
    /// The prompt that held the key.
    pub prompt: PromptId,
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
    // Boxed, like the variables: most versions have none, and no event should be larger for it.
    pub config: Option<Box<Content>>,
    /// What its content is to whoever renders it.
    pub syntax: Syntax,
    /// The variables that it declares: a JSON object.
    pub variables: Option<Box<Content>>,
    /// What its content includes, each once, in the order in which it is first named.
    pub includes: Vec<Include>,
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
