//! The JSON of renderings, and of the versions that include others.

use promptory_events::event::VersionRef;
use promptory_events::{Branch, Label, PromptId, PromptKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{AVersion, Message, Stamp, Summary, Version};

/// The values for a rendering.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RenderBody {
    /// Values by name; for a placeholder a list of messages.
    #[schema(value_type = Object, example = json!({"name": "Ada"}))]
    pub variables: Map<String, Value>,
}

/// What a version says.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rendered<'a> {
    /// The prompt's identity.
    #[schema(value_type = String, example = "prm_00112233445566778899aabbccddeeff")]
    pub id: PromptId,
    /// Its key.
    #[schema(value_type = String, example = "team/area/name")]
    pub key: &'a PromptKey,
    /// What is said, if the prompt is one of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// The messages, if the prompt is a chat; placeholders are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Message>>)]
    pub messages: Option<&'a RawValue>,
    /// The version that was rendered.
    pub version: Version<'a>,
    /// The versions that it includes, directly or by others, as they were at the same point.
    pub included: Vec<IncludedVersion<'a>>,
}

/// A version that was included.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncludedVersion<'a> {
    /// The key that its prompt had at that point.
    #[schema(value_type = String)]
    pub key: &'a PromptKey,
    /// Which.
    #[serde(flatten)]
    #[schema(value_type = AVersion)]
    pub version: VersionRef,
}

/// A version that includes a prompt.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dependent<'a> {
    /// Its prompt, at the point asked about.
    pub prompt: Summary<'a>,
    /// Which.
    #[schema(value_type = AVersion)]
    pub version: VersionRef,
    /// Which versions of the prompt that was asked about it includes: labels and numbers.
    #[schema(value_type = Vec<Value>, example = json!(["production", 3]))]
    pub at: Vec<Value>,
    /// The labels that lead to it.
    #[schema(value_type = Vec<String>)]
    pub labels: &'a [Label],
    /// The branches whose head it is.
    #[schema(value_type = Vec<String>)]
    pub branches: &'a [Branch],
    /// How it came to be.
    #[serde(flatten)]
    pub stamp: Stamp<'a>,
}

/// One page of versions that include a prompt, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DependentPage<'a> {
    /// The versions.
    pub dependents: Vec<Dependent<'a>>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}
