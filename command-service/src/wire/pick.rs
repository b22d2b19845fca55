//! Which version a command means.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which version of a prompt: at most one of the three; none means the head of `main`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pick {
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The label that points to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The branch that it is the head of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// Which version of which prompt: another prompt, or one of the three, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// The key or id of the prompt that it is a version of, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The label that points to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The branch that it is the head of; `main` if nothing but a prompt is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

impl Pick {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
